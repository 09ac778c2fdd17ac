// Batch normalisation of rows of n channels, one below the other, and the leaky ReLU after it.
#ifndef DAUB_KERNEL_NORM_H
#define DAUB_KERNEL_NORM_H

#include <stdint.h>

// One value a channel in each vector:
//     z = (x - mean) scale + offset        y = z below 0 ? slope z : z        (slope 1: y = z)
typedef struct daub_norm_channels {
    const void *mean, *scale, *offset;
    const void *x_factor, *rest; // of the gradient
    double slope;                // >= 0
} daub_norm_channels;

// For f32 [0] and f64 [1]. G is the gradient for z: g where z > 0, slope g elsewhere.
typedef struct daub_norm_kernels {
    // sums[j] += sum of (x - shift), squares[j] += sum of (x - shift)^2
    void (*moments[2])(double *sums, double *squares, const void *x, const void *shift,
                       int64_t rows, int64_t n);
    void (*apply[2])(void *y, const void *x, const daub_norm_channels *c, int64_t rows, int64_t n);
    // sums[j] += sum of G, products[j] += sum of G (x - mean)
    void (*grad_sums[2])(double *sums, double *products, const void *g, const void *x,
                         const daub_norm_channels *c, int64_t rows, int64_t n);
    // dx = scale G + x_factor (x - mean) + rest
    void (*grad_apply[2])(void *dx, const void *g, const void *x, const daub_norm_channels *c,
                          int64_t rows, int64_t n);
} daub_norm_kernels;

#endif
