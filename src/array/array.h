// The n-d array: dtype, shape, strides over refcounted storage. Knows nothing of Lua or gradients.
//
//     daub_array a, b, c;
//     int64_t shape[] = {2, 3};
//     daub_status s = daub_array_create(&a, DAUB_F32, 2, shape);      // contents undefined
//     …
//     s = daub_array_binary(&c, DAUB_ADD, &a, &b);                    // broadcasts, new storage
//     daub_array_release(&a); daub_array_release(&b); daub_array_release(&c);
//
// Ownership: a daub_array is a small value; whoever filled it releases it. Views share storage with the
// array they were taken from and keep it alive. A function that fails leaves its result untouched.
// Dimensions and indices are 0-based here (bindings speak 1-based). Refcounts are atomic; one array must
// not be written by two threads at once.
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
    int ndim;                      // 0 … DAUB_MAX_DIMS; 0 is a scalar
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

int64_t daub_array_numel(const daub_array *a);
bool daub_array_is_contiguous(const daub_array *a);
int64_t daub_array_storage_bytes(const daub_array *a); // of the whole storage behind it

#endif
