#include "base/philox.h"

void daub_philox(uint64_t key, uint64_t block, uint32_t out[4]) {
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

daub_rng daub_rng_seed(uint64_t seed) {
    return (daub_rng){.key = seed, .counter = 0};
}

uint32_t daub_rng_next(daub_rng *rng) {
    uint32_t block[4];
    daub_philox(rng->key, rng->counter++, block);
    return block[0];
}

double daub_rng_next_unit(daub_rng *rng) {
    uint32_t b[4];
    daub_philox(rng->key, rng->counter++, b);
    return daub_unit53(b[0], b[1]);
}

int64_t daub_rng_next_below(daub_rng *rng, int64_t n) {
    uint64_t range = (uint64_t)n, limit = UINT64_MAX - UINT64_MAX % range;
    for (;;) {
        uint32_t b[4];
        daub_philox(rng->key, rng->counter++, b);
        uint64_t v = (uint64_t)b[0] << 32 | b[1];
        if (v < limit) return (int64_t)(v % range);
    }
}
