// The n-d array: dtype, shape, strides over refcounted storage. Knows nothing of Lua or gradients.
//
//     daub_array a, b, c;
//     int64_t shape[] = {2, 3};
//     daub_status s = daub_array_create(&a, DAUB_F32, 2, shape);      // contents undefined
//     …
//     s = daub_array_binary(&c, DAUB_ADD, &a, &b);     // ops.h: broadcasts, new storage
//     daub_array_release(&a); daub_array_release(&b); daub_array_release(&c);
//
// Ownership: a daub_array is a small value; whoever filled it releases it. Views share storage with
// the array they were taken from and keep it alive. A function that fails leaves its result
// untouched. Dimensions and indices are 0-based here (bindings speak 1-based). Refcounts are
// atomic; one array must not be written by two threads at once.
#ifndef DAUB_ARRAY_ARRAY_H
#define DAUB_ARRAY_ARRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/error.h"

#define DAUB_MAX_DIMS 8

typedef struct daub_storage daub_storage;

typedef struct daub_array {
    daub_dtype dtype;
    int ndim; // 0 … DAUB_MAX_DIMS; 0 is a scalar
    int64_t shape[DAUB_MAX_DIMS];
    int64_t stride[DAUB_MAX_DIMS]; // in elements; 0 where broadcast
    void *data;                    // first element
    daub_storage *storage;
} daub_array;

// Contents undefined. DAUB_INVALID for a negative size, too many dimensions or an overflow.
daub_status daub_array_create(daub_array *out, daub_dtype dtype, int ndim, const int64_t *shape);
// Wraps memory that belongs to someone else; `release(owner)` is called when the last view goes.
daub_status daub_array_wrap(daub_array *out, daub_dtype dtype, int ndim, const int64_t *shape,
                            void *data, void (*release)(void *owner), void *owner);
void daub_array_retain(daub_array *out, const daub_array *a); // out = another reference to a
void daub_array_release(daub_array *a);                       // NULL or empty is fine

// A 0-dimensional array over `cell`, for use as an operand; needs no release. DAUB_INVALID when an
// integer dtype cannot hold the value.
typedef union daub_cell {
    float f32;
    double f64;
    uint16_t bf16;
    uint8_t u8;
    int32_t i32;
    int64_t i64;
} daub_cell;
daub_status daub_array_number(daub_array *out, daub_cell *cell, daub_dtype dtype, double value);
double daub_array_element(const daub_array *a, int64_t offset); // the element at data + offset

int64_t daub_array_numel(const daub_array *a);
bool daub_array_is_contiguous(const daub_array *a);
int64_t daub_array_storage_bytes(const daub_array *a); // of the whole storage behind it
bool daub_array_same_shape(const daub_array *a, const daub_array *b);
// "{2, 3}" into text, which is returned: for messages.
#define DAUB_SHAPE_TEXT 200
const char *daub_shape_string(char *text, int ndim, const int64_t *shape);

// Views: share storage. Their messages begin with the operation's name.
// reshape: one size may be -1. Copies when the strides do not allow a view.
daub_status daub_array_reshape(daub_array *out, const daub_array *a, int ndim,
                               const int64_t *shape);
daub_status daub_array_permute(daub_array *out, const daub_array *a, int count, const int *dims);
daub_status daub_array_narrow(daub_array *out, const daub_array *a, int dim, int64_t start,
                              int64_t length, int64_t step);
daub_status daub_array_select(daub_array *out, const daub_array *a, int dim, int64_t index);
daub_status daub_array_expand(daub_array *out, const daub_array *a, int ndim, const int64_t *shape);
// The common shape of two; DAUB_INVALID names `op` and both shapes when there is none.
daub_status daub_shape_broadcast(const char *op, int *ndim, int64_t *shape, const daub_array *a,
                                 const daub_array *b);

// Copies. contiguous: another reference when `a` is contiguous already.
daub_status daub_array_clone(daub_array *out, const daub_array *a);
daub_status daub_array_contiguous(daub_array *out, const daub_array *a);
daub_status daub_array_cast(daub_array *out, const daub_array *a, daub_dtype dtype);
daub_status daub_array_copy(daub_array *to, const daub_array *from); // broadcasts and converts
daub_status daub_array_fill(daub_array *to, double value);
// DAUB_INVALID when an element of `a` stands for several (expanded): it must not be written.
daub_status daub_array_check_writable(const char *op, const daub_array *a);

#endif
