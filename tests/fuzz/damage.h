// Damages bytes the way bad transfers and bad people do: flips, overwrites, cuts.
#ifndef DAUB_TESTS_DAMAGE_H
#define DAUB_TESTS_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/philox.h"

static inline void damage(uint8_t *bytes, size_t *size, daub_rng *rng) {
    int64_t count = 1 + daub_rng_next_below(rng, 8);
    for (int64_t i = 0; i<count && * size> 1; i++) {
        int64_t at = daub_rng_next_below(rng, (int64_t)*size);
        if (daub_rng_next_below(rng, 2)) at %= 200; // headers matter most
        if ((size_t)at >= *size) continue;
        switch (daub_rng_next_below(rng, 5)) {
        case 0:
        case 1:
            bytes[at] ^= (uint8_t)(1 << daub_rng_next_below(rng, 8));
            break;
        case 2:
            bytes[at] = (uint8_t)daub_rng_next(rng);
            break;
        case 3:
            bytes[at] = 0xFF;
            break;
        case 4:
            if (at > 40) *size = (size_t)at;
            break;
        }
    }
}

#endif
