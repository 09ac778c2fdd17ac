#include "array/array.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"

struct daub_storage {
    atomic_long references;
    int64_t bytes;
    void *data;
    void (*release)(void *owner); // frees wrapped memory; NULL for our own
    void *owner;
};

// Fills shape, row-major strides and *bytes; the one place where sizes are multiplied.
static daub_status lay_out(daub_array *a, daub_dtype dtype, int ndim, const int64_t *shape,
                           int64_t *bytes) {
    if (ndim < 0 || ndim > DAUB_MAX_DIMS)
        return daub_fail(DAUB_INVALID, "array: %d dimensions (at most %d)", ndim, DAUB_MAX_DIMS);
    a->dtype = dtype;
    a->ndim = ndim;
    // Sizes of 0 count as 1 here: strides then stay within range as well.
    int64_t stride = 1, limit = ((int64_t)1 << 46) / (int64_t)daub_dtype_size(dtype);
    bool empty = false;
    for (int i = ndim - 1; i >= 0; i--) {
        if (shape[i] < 0)
            return daub_fail(DAUB_INVALID, "array: size %lld of dimension %d is negative",
                             (long long)shape[i], i + 1);
        a->shape[i] = shape[i];
        a->stride[i] = stride;
        if (shape[i] == 0)
            empty = true;
        else if (shape[i] > limit / stride)
            return daub_fail(DAUB_INVALID, "array: the shape has too many elements");
        else
            stride *= shape[i];
    }
    *bytes = empty ? 0 : stride * (int64_t)daub_dtype_size(dtype);
    return DAUB_OK;
}

static daub_status attach(daub_array *a, int64_t bytes, void *data, void (*release)(void *),
                          void *owner) {
    daub_storage *s = malloc(sizeof *s);
    if (!s) return daub_fail(DAUB_NO_MEMORY, "memory: the system has no %zu bytes left", sizeof *s);
    *s = (daub_storage){.bytes = bytes, .data = data, .release = release, .owner = owner};
    atomic_init(&s->references, 1);
    a->data = data;
    a->storage = s;
    return DAUB_OK;
}

daub_status daub_array_create(daub_array *out, daub_dtype dtype, int ndim, const int64_t *shape) {
    daub_array a = {0};
    int64_t bytes = 0;
    daub_status status = lay_out(&a, dtype, ndim, shape, &bytes);
    if (status != DAUB_OK) return status;
    void *data = daub_alloc((size_t)bytes);
    if (!data) return DAUB_NO_MEMORY;
    status = attach(&a, bytes, data, NULL, NULL);
    if (status != DAUB_OK) {
        daub_free(data);
        return status;
    }
    *out = a;
    return DAUB_OK;
}

daub_status daub_array_wrap(daub_array *out, daub_dtype dtype, int ndim, const int64_t *shape,
                            void *data, void (*release)(void *owner), void *owner) {
    daub_array a = {0};
    int64_t bytes = 0;
    daub_status status = lay_out(&a, dtype, ndim, shape, &bytes);
    if (status == DAUB_OK) status = attach(&a, bytes, data, release, owner);
    if (status == DAUB_OK) *out = a;
    return status;
}

void daub_array_retain(daub_array *out, const daub_array *a) {
    *out = *a;
    if (a->storage) atomic_fetch_add(&a->storage->references, 1);
}

void daub_array_release(daub_array *a) {
    if (!a || !a->storage) return;
    daub_storage *s = a->storage;
    *a = (daub_array){0};
    long before = atomic_fetch_sub(&s->references, 1);
    assert(before > 0);
    if (before > 1) return;
    if (s->release)
        s->release(s->owner);
    else
        daub_free(s->data);
    free(s);
}

int64_t daub_array_numel(const daub_array *a) {
    int64_t n = 1;
    for (int i = 0; i < a->ndim; i++) n *= a->shape[i];
    return n;
}

bool daub_array_is_contiguous(const daub_array *a) {
    int64_t stride = 1;
    for (int i = a->ndim - 1; i >= 0; i--) {
        if (a->shape[i] == 0) return true;
        if (a->shape[i] != 1 && a->stride[i] != stride) return false;
        stride *= a->shape[i];
    }
    return true;
}

int64_t daub_array_storage_bytes(const daub_array *a) {
    return a->storage ? a->storage->bytes : 0;
}
