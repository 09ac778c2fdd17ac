// Which algorithm computes a convolution: the one place where that is decided.
#ifndef DAUB_CONV_CHOICE_H
#define DAUB_CONV_CHOICE_H

#include "conv/shape.h"

typedef enum daub_conv_algorithm {
    DAUB_CONV_PLAIN,    // loops, for thin groups
    DAUB_CONV_DIRECT,   // matrix kernels over packed pictures
    DAUB_CONV_WINOGRAD, // fewer products, for 2x2 to 4x4 taps
    DAUB_CONV_BF16,     // the direct algorithm with products of bf16
} daub_conv_algorithm;

typedef enum daub_conv_direction {
    DAUB_CONV_FORWARD,
    DAUB_CONV_INPUT_GRAD,
    DAUB_CONV_WEIGHT_GRAD,
} daub_conv_direction;

daub_conv_algorithm daub_conv_choose(const daub_conv_shape *s, daub_conv_direction direction);

// What the choice weighs, in multiply-adds: those of the direct convolution, and of Winograd's; and
// how many numbers the latter transforms. Channels count as filled up to whole vectors.
typedef struct daub_conv_work {
    double direct, winograd, transformed; // winograd and transformed are 0 where it does not fit
} daub_conv_work;

daub_conv_work daub_conv_work_of(const daub_conv_shape *s, daub_conv_direction direction);

// What the choice goes by, for the whole process: the table in choice.c; or, for exact results and
// to compare, direct kernels wherever there is a choice; or Winograd's wherever they fit.
typedef enum daub_conv_policy {
    DAUB_CONV_BY_TABLE,
    DAUB_CONV_ALL_DIRECT,
    DAUB_CONV_ALL_WINOGRAD,
} daub_conv_policy;

void daub_conv_set_policy(daub_conv_policy policy);
daub_conv_policy daub_conv_get_policy(void);

// What the products of f32 convolutions may be rounded to, for the whole process: nothing, unless
// set; or bf16, where that is faster than anything else (with DAUB_CONV_ALL_DIRECT: everywhere but
// in groups). DAUB_INVALID where the processor has no bf16 products.
typedef enum daub_conv_precision { DAUB_PRECISION_F32, DAUB_PRECISION_BF16 } daub_conv_precision;

daub_status daub_conv_set_precision(daub_conv_precision precision);
daub_conv_precision daub_conv_get_precision(void);

#endif
