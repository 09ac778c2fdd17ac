// Passes over maps of n channels, one row of them below the other, in f32 [0] and f64 [1].
#ifndef DAUB_KERNEL_MAPS_H
#define DAUB_KERNEL_MAPS_H

#include <stdint.h>

typedef struct daub_maps_kernels {
    // y = x + t w: t has a number for each row, w one for each channel
    void (*add_outer[2])(void *y, const void *x, const void *t, const void *w, int64_t rows,
                         int64_t n);
    // sums[j] += sum over the rows of a b
    void (*products[2])(double *sums, const void *a, const void *b, int64_t rows, int64_t n);
    // sums[j] += sum over the rows of a t: t has a number for each row
    void (*weighted[2])(double *sums, const void *a, const void *t, int64_t rows, int64_t n);
} daub_maps_kernels;

#endif
