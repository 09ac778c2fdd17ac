// Convolution with bf16 products: x, weight and dy stay f32 in memory and are rounded to bf16 (8
// bits of significand) for the products, whose sums are fp32.
//
// A product of two pairs of bf16 is one instruction, so the direct algorithm runs over pairs of
// neighbours along what it sums over: channels forward, filters for the input gradient, pictures
// for the weight gradient.
#ifndef DAUB_CONV_BF16_H
#define DAUB_CONV_BF16_H

#include "conv/shape.h"

// The processor must have bf16 products (daub_cpu_bf16) and s->groups be 1. Results are written,
// never read, and do not depend on the number of threads. `bias` may be NULL; it is not rounded.
daub_status daub_conv_bf16_forward(const daub_conv_shape *s, const float *x, const float *w,
                                   const float *bias, float *y);
daub_status daub_conv_bf16_input_grad(const daub_conv_shape *s, const float *dy, const float *w,
                                      float *dx);
daub_status daub_conv_bf16_weight_grad(const daub_conv_shape *s, const float *x, const float *dy,
                                       float *dw);

#endif
