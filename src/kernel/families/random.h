// Random numbers by position (base/philox.h): block b under `key` gives four numbers.
#ifndef DAUB_KERNEL_RANDOM_H
#define DAUB_KERNEL_RANDOM_H

#include <stdint.h>

// out[0 … 4 blocks - 1] from `block` on. The same bits on every instruction set.
typedef void (*daub_random_fill)(float *out, uint64_t key, uint64_t block, int64_t blocks);

typedef struct daub_random_kernels {
    daub_random_fill uniform; // [0, 1), 24 bits
    daub_random_fill normal;  // N(0, 1), Box-Muller
} daub_random_kernels;

#endif
