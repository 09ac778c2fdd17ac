// Checks that convolution, pooling and resampling share.
#ifndef DAUB_CONV_PICTURE_H
#define DAUB_CONV_PICTURE_H

#include "array/array.h"
#include "base/error.h"

// Largest size of one axis: keeps all products of sizes within range.
#define DAUB_CONV_LIMIT ((int64_t)1 << 24)

// The sizes of a batch of pictures in words, for messages.
#define DAUB_NHWC "batch, height, width, channels"

typedef struct daub_shape_text {
    char s[160];
} daub_shape_text;

// "(64, 32, 32, 3)", for messages.
daub_shape_text daub_shape_show(const daub_array *a);

// That array `what` of function `name` is contiguous, f32 or f64, of `ndim` sizes (`expected` in
// words), none 0.
daub_status daub_check_float(const char *name, const char *what, const daub_array *a, int ndim,
                             const char *expected);
daub_status daub_check_same_dtype(const char *name, const daub_array *a, const daub_array *b);

#endif
