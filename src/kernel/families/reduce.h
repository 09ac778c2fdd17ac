// Reductions of the rows of a matrix into one row of accumulators.
#ifndef DAUB_KERNEL_REDUCE_H
#define DAUB_KERNEL_REDUCE_H

#include "base/dtype.h"

#define DAUB_REDUCE_LIST(X)                                                                        \
    X(SUM, sum)                                                                                    \
    X(SUMSQ, sumsq)                                                                                \
    X(PROD, prod) X(MAX_OF, max) X(MIN_OF, min) X(ANY, any) X(ALL, all) X(MEAN, mean)
typedef enum daub_reduce_op {
#define DAUB_REDUCE_CONSTANT(constant, name) DAUB_##constant,
    DAUB_REDUCE_LIST(DAUB_REDUCE_CONSTANT) DAUB_REDUCE_OPS
#undef DAUB_REDUCE_CONSTANT
} daub_reduce_op;

// Accumulators are f64 for f32 and f64, i64 for integers, any and all. f32 values are added a few
// at a time before f64 takes over.

// acc[j] = acc[j] op p[r * stride + j] for r < rows, j < n. Fast for long rows, and for short ones
// that follow each other (stride == n; the sum of a long vector is n = stride = 1).
typedef void (*daub_columns)(void *acc, const void *p, int64_t stride, int64_t rows, int64_t n);
// acc[i] = acc[i] op p[i * length + j] for i < lines, j < length. For lines of at most
// DAUB_SHORT_LINE elements.
typedef void (*daub_lines)(void *acc, const void *p, int64_t lines, int64_t length);
#define DAUB_SHORT_LINE 512

// NULL for bf16.
typedef struct daub_reduce_kernels {
    daub_columns columns[DAUB_MEAN][DAUB_DTYPES];
    daub_lines lines[DAUB_MEAN][DAUB_DTYPES];
} daub_reduce_kernels;

#endif
