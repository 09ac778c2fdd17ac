// Which algorithm computes a convolution: the one place where that is decided.
#ifndef DAUB_CONV_CHOICE_H
#define DAUB_CONV_CHOICE_H

#include "conv/shape.h"

typedef enum daub_conv_algorithm {
    DAUB_CONV_PLAIN,    // loops, for thin groups
    DAUB_CONV_DIRECT,   // matrix kernels over packed pictures
    DAUB_CONV_WINOGRAD, // fewer products, for 2x2 to 4x4 taps
} daub_conv_algorithm;

typedef enum daub_conv_direction {
    DAUB_CONV_FORWARD,
    DAUB_CONV_INPUT_GRAD,
    DAUB_CONV_WEIGHT_GRAD,
} daub_conv_direction;

daub_conv_algorithm daub_conv_choose(const daub_conv_shape *s, daub_conv_direction direction);

// What the choice goes by, for the whole process: the table in choice.c; or, for exact results and
// to compare, direct kernels wherever there is a choice; or Winograd's wherever they fit.
typedef enum daub_conv_policy {
    DAUB_CONV_BY_TABLE,
    DAUB_CONV_ALL_DIRECT,
    DAUB_CONV_ALL_WINOGRAD,
} daub_conv_policy;

void daub_conv_set_policy(daub_conv_policy policy);
daub_conv_policy daub_conv_get_policy(void);

#endif
