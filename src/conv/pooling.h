// Pooling and resampling of pictures (N, H, W, C), with their adjoints, for f32 and f64.
//
//     daub_pool_options o = {.kernel = {2, 2}, .stride = {2, 2}, .count_padding = true};
//     daub_array y;
//     daub_status s = daub_avg_pool2d(&y, &x, &o);
//
// Rules and rounding of sizes are PyTorch's. An adjoint (…_grad) takes the size (height, width) of
// the pictures its function had been given. Inputs are contiguous; each function creates its
// result.
#ifndef DAUB_CONV_POOLING_H
#define DAUB_CONV_POOLING_H

#include <stdbool.h>

#include "array/array.h"
#include "base/error.h"

typedef struct daub_pool_options {
    int64_t kernel[2], stride[2]; // rows, columns; at least 1
    int64_t padding[2];           // at most half the kernel
    bool count_padding;           // averages divide by the kernel's area, padding included
} daub_pool_options;

daub_status daub_avg_pool2d(daub_array *y, const daub_array *x, const daub_pool_options *o);
daub_status daub_avg_pool2d_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                 int64_t width, const daub_pool_options *o);
// The same, added to `sum` (contiguous, of the pictures' shape) in place.
daub_status daub_avg_pool2d_grad_add(const daub_array *sum, const daub_array *dy,
                                     const daub_pool_options *o);

// `index` (i64, y's shape) holds h * W + w of each maximum, 0-based. A NaN counts as largest.
daub_status daub_max_pool2d(daub_array *y, daub_array *index, const daub_array *x,
                            const daub_pool_options *o);
// Adds every dy to the place its index names / takes every value from there.
daub_status daub_max_pool2d_grad(daub_array *dx, const daub_array *dy, const daub_array *index,
                                 int64_t height, int64_t width);
daub_status daub_max_pool2d_gather(daub_array *y, const daub_array *x, const daub_array *index);

// Means of oh x ow windows that cover the picture as evenly as whole pixels allow.
daub_status daub_adaptive_avg_pool2d(daub_array *y, const daub_array *x, int64_t oh, int64_t ow);
daub_status daub_adaptive_avg_pool2d_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                          int64_t width);

// Every pixel of y is that of x at floor(place x size / new size).
daub_status daub_upsample_nearest(daub_array *y, const daub_array *x, int64_t oh, int64_t ow);
daub_status daub_upsample_nearest_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                       int64_t width);
// Pixels are areas; with `corners` the corner pixels' centres keep their places.
daub_status daub_upsample_bilinear(daub_array *y, const daub_array *x, int64_t oh, int64_t ow,
                                   bool corners);
daub_status daub_upsample_bilinear_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                        int64_t width, bool corners);

#endif
