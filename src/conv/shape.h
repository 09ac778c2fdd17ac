// What the implementations of a convolution share: its sizes, checked.
#ifndef DAUB_CONV_SHAPE_H
#define DAUB_CONV_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conv/conv.h"

// Index 0 is rows, 1 columns. x (n, size[0], size[1], c), weight (kernel[0], kernel[1], cg, o),
// y (n, out[0], out[1], o); all sizes of x, weight and y are at least 1.
typedef struct daub_conv_shape {
    int64_t n, c, o, groups;
    int64_t cg, og; // channels and filters of a group
    int64_t size[2], kernel[2], stride[2], padding[2], out[2];
    const double *slope; // forward: y becomes its leaky ReLU; NULL for none
    // The numbers that the products run over are pairs of bf16 (bf16.h), 4 bytes each: rows.c and
    // outer.c only move them, and take the kernels for them.
    bool pairs;
} daub_conv_shape;

// Completes a shape whose n, c, o, size and kernel are set (each at least 1) by the options and what
// follows from them. DAUB_INVALID, said of function `name`, when they do not fit.
daub_status daub_conv_complete(const char *name, daub_conv_shape *s,
                               const daub_conv_options *options);

// Plain loops, correct for everything: the f64 path, and f32 where the groups are too thin for the
// matrix kernels. `bias` may be NULL.
daub_status daub_conv_plain_forward_f32(const daub_conv_shape *s, const float *x, const float *w,
                                        const float *bias, float *y);
daub_status daub_conv_plain_input_grad_f32(const daub_conv_shape *s, const float *dy,
                                           const float *w, float *dx);
daub_status daub_conv_plain_weight_grad_f32(const daub_conv_shape *s, const float *x,
                                            const float *dy, float *dw);
daub_status daub_conv_plain_forward_f64(const daub_conv_shape *s, const double *x, const double *w,
                                        const double *bias, double *y);
daub_status daub_conv_plain_input_grad_f64(const daub_conv_shape *s, const double *dy,
                                           const double *w, double *dx);
daub_status daub_conv_plain_weight_grad_f64(const daub_conv_shape *s, const double *x,
                                            const double *dy, double *dw);

#endif
