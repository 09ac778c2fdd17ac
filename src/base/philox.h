// Philox4x32-10, a counter-based random number generator.
// Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
//
//     daub_rng rng = daub_rng_seed(42);
//     double u = daub_rng_next_unit(&rng); // the state moves on; many at once: array/random.h
//
// A state is 16 bytes: copy it to save, assign it to restore. Numbers depend on state and position
// alone, so a fill gives the same values with any number of threads.
#ifndef DAUB_BASE_PHILOX_H
#define DAUB_BASE_PHILOX_H

#include <stdint.h>

#include "base/error.h"

typedef struct daub_rng {
    uint64_t key;     // from the seed
    uint64_t counter; // blocks of four 32-bit numbers used so far
} daub_rng;

daub_rng daub_rng_seed(uint64_t seed);

// The block of four numbers at position `block` under `key`: the function everything is made of.
void daub_philox(uint64_t key, uint64_t block, uint32_t out[4]);

uint32_t daub_rng_next(daub_rng *rng);                 // one number, uses up a block
double daub_rng_next_unit(daub_rng *rng);              // [0, 1), 53 bits
int64_t daub_rng_next_below(daub_rng *rng, int64_t n); // 0 … n-1, unbiased, n >= 1

// [0, 1) of 53 bits from two numbers.
static inline double daub_unit53(uint32_t high, uint32_t low) {
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

#endif
