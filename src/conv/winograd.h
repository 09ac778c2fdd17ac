// Convolution by Winograd's minimal filtering (kernel/families/winograd.h), f32.
//
// It takes square kernels of 2x2 and 3x3 taps at stride 1, and of 4x4 and 6x6 at stride 2, which
// cut into the stride's phases are convolutions of 2x2 and 3x3 taps at stride 1 over four times the
// channels. Relative to the root mean square of the results, errors are about 1e-6 to 5e-6.
#ifndef DAUB_CONV_WINOGRAD_H
#define DAUB_CONV_WINOGRAD_H

#include <stdbool.h>

#include "conv/shape.h"

// Whether a convolution is of a kind these functions compute.
bool daub_conv_winograd_fits(const daub_conv_shape *s);

// Squares of transformed numbers that one channel of x, or of y, takes: for the choice of
// algorithm.
double daub_conv_winograd_squares(const daub_conv_shape *s, int *numbers);

// Results are written, never read; `bias` may be NULL.
daub_status daub_conv_winograd_forward(const daub_conv_shape *s, const float *x, const float *w,
                                       const float *bias, float *y);
daub_status daub_conv_winograd_input_grad(const daub_conv_shape *s, const float *dy, const float *w,
                                          float *dx);
daub_status daub_conv_winograd_weight_grad(const daub_conv_shape *s, const float *x,
                                           const float *dy, float *dw);

#endif
