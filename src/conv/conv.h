// Convolution of pictures and its two gradients, for f32 (fast kernels) and f64 (plain loops).
//
//     daub_conv_options o = {.stride = {2, 2}, .padding = {1, 1}, .groups = 1};
//     daub_array y;
//     daub_status s = daub_conv2d(&y, &x, &weight, NULL, NULL, &o);   // x (N, H, W, C) -> y (N,
//     OH, OW, O) … daub_array_release(&y);
//
// Shapes: x (N, H, W, C), weight (KH, KW, C / groups, O), bias (O), y (N, OH, OW, O) with
// OH = floor((H + 2 padding - KH) / stride) + 1. Inputs are contiguous and of one dtype. Each
// function creates its result; DAUB_INVALID names the shapes that do not fit. Results do not depend
// on the number of threads.
#ifndef DAUB_CONV_CONV_H
#define DAUB_CONV_CONV_H

#include "array/array.h"
#include "base/error.h"

typedef struct daub_conv_options {
    int64_t stride[2];  // rows, columns; at least 1
    int64_t padding[2]; // zeros on every side; at least 0
    int64_t groups;     // channels and filters are cut into as many independent parts
} daub_conv_options;

// `bias` may be NULL. With a slope (at least 0) y is the leaky ReLU of the convolution; NULL for
// none.
daub_status daub_conv2d(daub_array *y, const daub_array *x, const daub_array *weight,
                        const daub_array *bias, const double *slope, const daub_conv_options *o);

// The gradient with respect to x, of size (N, height, width, C): also what a transposed convolution
// computes. DAUB_INVALID when a convolution of that size would not give dy's.
daub_status daub_conv2d_input_grad(daub_array *dx, const daub_array *dy, const daub_array *weight,
                                   int64_t height, int64_t width, const daub_conv_options *o);

// The gradient with respect to the weight, (kh, kw, C / groups, O).
daub_status daub_conv2d_weight_grad(daub_array *dw, const daub_array *x, const daub_array *dy,
                                    int64_t kh, int64_t kw, const daub_conv_options *o);

#endif
