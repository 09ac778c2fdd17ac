// Batch normalisation of rows of n channels, one below the other. Vectors hold one value a channel.
#ifndef DAUB_KERNEL_NORM_H
#define DAUB_KERNEL_NORM_H

#include <stdint.h>

// For f32 [0] and f64 [1].
typedef struct daub_norm_kernels {
    // sums[j] += sum of (x - shift), squares[j] += sum of (x - shift)^2
    void (*moments[2])(double *sums, double *squares, const void *x, const void *shift,
                       int64_t rows, int64_t n);
    // y = (x - mean) scale + offset
    void (*apply[2])(void *y, const void *x, const void *mean, const void *scale,
                     const void *offset, int64_t rows, int64_t n);
    // sums[j] += sum of g, products[j] += sum of g (x - mean)
    void (*grad_sums[2])(double *sums, double *products, const void *g, const void *x,
                         const void *mean, int64_t rows, int64_t n);
    // dx = a g + b (x - mean) + c
    void (*grad_apply[2])(void *dx, const void *g, const void *x, const void *mean, const void *a,
                          const void *b, const void *c, int64_t rows, int64_t n);
} daub_norm_kernels;

#endif
