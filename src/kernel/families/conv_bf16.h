// Convolution on pairs of bf16: the matrix kernels of conv.h, where a number of either side is 4
// bytes that hold two bf16 (the first one in the low half), and a product is the sum of two, in
// fp32. What makes pairs rounds to the nearest (ties to even); numbers below 2^-126 become 0.
#ifndef DAUB_KERNEL_CONV_BF16_H
#define DAUB_KERNEL_CONV_BF16_H

#include <stdint.h>

struct daub_conv_kernels;

typedef struct daub_conv_bf16_kernels {
    const struct daub_conv_kernels *products;
    // to (runs, (run + 1) / 2) = neighbours in a run in pairs; an odd last one is paired with 0
    void (*within)(const float *from, uint32_t *to, int64_t runs, int64_t run);
    // to (count) = numbers of a paired with those of b; with 0 where b is NULL
    void (*between)(const float *a, const float *b, uint32_t *to, int64_t count);
} daub_conv_bf16_kernels;

#endif
