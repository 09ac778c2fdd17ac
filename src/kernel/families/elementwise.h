// Element-by-element loops over contiguous memory.
#ifndef DAUB_KERNEL_ELEMENTWISE_H
#define DAUB_KERNEL_ELEMENTWISE_H

#include "base/dtype.h"

// out[i] = f(a[i]) for i < n. `out` may be `a` itself when the element sizes agree, but must not
// overlap it otherwise.
typedef void (*daub_map1)(void *out, const void *a, int64_t n);

typedef struct daub_elementwise_kernels {
    // cast[from][to]. Numbers too large for an integer type become its largest, NaN becomes 0.
    daub_map1 cast[DAUB_DTYPES][DAUB_DTYPES];
} daub_elementwise_kernels;

#endif
