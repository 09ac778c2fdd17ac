// Arrays put together, turned around and framed.
#include <string.h>

#include "array/ops.h"

static daub_status check_joins(const daub_array *const *arrays, int count, int dim) {
    char first[DAUB_SHAPE_TEXT], other[DAUB_SHAPE_TEXT];
    const daub_array *a = arrays[0];
    daub_shape_string(first, a->ndim, a->shape);
    if (dim < 0 || dim >= a->ndim)
        return daub_fail(DAUB_INVALID, "concat: no dimension %d in shape %s", dim + 1, first);
    for (int i = 1; i < count; i++) {
        const daub_array *b = arrays[i];
        bool fits = b->ndim == a->ndim;
        for (int d = 0; d < a->ndim && fits; d++) fits = d == dim || a->shape[d] == b->shape[d];
        if (!fits)
            return daub_fail(DAUB_INVALID,
                             "concat: shapes %s and %s do not join along dimension %d", first,
                             daub_shape_string(other, b->ndim, b->shape), dim + 1);
        if (a->dtype != b->dtype)
            return daub_fail(DAUB_INVALID, "concat: dtypes %s and %s differ; cast one of them",
                             daub_dtype_name(a->dtype), daub_dtype_name(b->dtype));
    }
    return DAUB_OK;
}

daub_status daub_array_concat(daub_array *out, const daub_array *const *arrays, int count,
                              int dim) {
    if (count < 1) return daub_fail(DAUB_INVALID, "concat: no arrays given");
    daub_status status = check_joins(arrays, count, dim);
    if (status != DAUB_OK) return status;
    int64_t shape[DAUB_MAX_DIMS];
    memcpy(shape, arrays[0]->shape, sizeof shape);
    for (int i = 1; i < count; i++) {
        if (__builtin_add_overflow(shape[dim], arrays[i]->shape[dim], &shape[dim]))
            return daub_fail(DAUB_INVALID, "concat: the result has too many elements");
    }
    daub_array result;
    status = daub_array_create(&result, arrays[0]->dtype, arrays[0]->ndim, shape);
    if (status != DAUB_OK) return status;
    int64_t start = 0;
    for (int i = 0; i < count && status == DAUB_OK; i++) {
        daub_array part;
        status = daub_array_narrow(&part, &result, dim, start, arrays[i]->shape[dim], 1);
        if (status != DAUB_OK) break;
        status = daub_array_copy(&part, arrays[i]);
        daub_array_release(&part);
        start += arrays[i]->shape[dim];
    }
    if (status == DAUB_OK)
        *out = result;
    else
        daub_array_release(&result);
    return status;
}

daub_status daub_array_flip(daub_array *out, const daub_array *a, unsigned dims) {
    char text[DAUB_SHAPE_TEXT];
    if (dims >> a->ndim)
        return daub_fail(DAUB_INVALID, "flip: shape %s has no such dimension",
                         daub_shape_string(text, a->ndim, a->shape));
    daub_array back = *a; // read from the last element on: negative strides
    int64_t offset = 0;
    for (int d = 0; d < a->ndim; d++) {
        if (!(dims >> d & 1) || a->shape[d] == 0) continue;
        offset += (a->shape[d] - 1) * a->stride[d];
        back.stride[d] = -a->stride[d];
    }
    back.data = (char *)a->data + offset * (int64_t)daub_dtype_size(a->dtype);
    return daub_array_clone(out, &back);
}

// The part of `a` from `start` on, `length` long, in every dimension.
static daub_status window(daub_array *out, const daub_array *a, const int64_t *start,
                          const int64_t *length) {
    daub_array view;
    daub_array_retain(&view, a);
    for (int d = 0; d < a->ndim; d++) {
        daub_array smaller;
        daub_status status = daub_array_narrow(&smaller, &view, d, start[d], length[d], 1);
        daub_array_release(&view);
        if (status != DAUB_OK) return status;
        view = smaller;
    }
    *out = view;
    return DAUB_OK;
}

daub_status daub_array_pad(daub_array *out, const daub_array *a, const int64_t *before,
                           const int64_t *after, double value) {
    char text[DAUB_SHAPE_TEXT];
    int64_t shape[DAUB_MAX_DIMS], from[DAUB_MAX_DIMS], to[DAUB_MAX_DIMS], length[DAUB_MAX_DIMS];
    bool inside = true; // some of `a` stays
    for (int d = 0; d < a->ndim; d++) {
        if (__builtin_add_overflow(a->shape[d], before[d], &shape[d]) ||
            __builtin_add_overflow(shape[d], after[d], &shape[d]) || shape[d] < 0)
            return daub_fail(DAUB_INVALID, "pad: dimension %d of %s cannot grow by %lld and %lld",
                             d + 1, daub_shape_string(text, a->ndim, a->shape),
                             (long long)before[d], (long long)after[d]);
        from[d] = before[d] < 0 ? -before[d] : 0;
        to[d] = before[d] > 0 ? before[d] : 0;
        int64_t here = a->shape[d] - from[d], there = shape[d] - to[d];
        length[d] = here < there ? here : there;
        if (length[d] <= 0) inside = false;
    }
    daub_array result, source = {0}, target = {0};
    daub_status status = daub_array_create(&result, a->dtype, a->ndim, shape);
    if (status != DAUB_OK) return status;
    status = daub_array_fill(&result, value);
    if (status == DAUB_OK && inside) {
        status = window(&source, a, from, length);
        if (status == DAUB_OK) status = window(&target, &result, to, length);
        if (status == DAUB_OK) status = daub_array_copy(&target, &source);
        daub_array_release(&source);
        daub_array_release(&target);
    }
    if (status == DAUB_OK)
        *out = result;
    else
        daub_array_release(&result);
    return status;
}
