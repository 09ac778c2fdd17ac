// Arrays put together, turned around and framed.
#include <string.h>

#include "array/ops.h"
#include "array/walk.h"
#include "base/pool.h"

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

// One array's part of every row of the result.
typedef struct joint {
    char *to;
    const char *from;
    int64_t rows, bytes, row_bytes; // of a row: the part, the whole
    int64_t per_job;
} joint;

static void joint_job(void *context, int64_t index, int worker) {
    (void)worker;
    const joint *j = context;
    int64_t begin = index * j->per_job, end = begin + j->per_job;
    if (end > j->rows) end = j->rows;
    char *to = j->to + begin * j->row_bytes;
    const char *from = j->from + begin * j->bytes;
    for (int64_t r = begin; r < end; r++, to += j->row_bytes, from += j->bytes)
        daub_copy_row(to, from, j->bytes);
}

// Copies `a` into the rows that begin at `to`.
static daub_status put_part(char *to, const daub_array *a, int64_t rows, int64_t row_bytes) {
    enum { JOB_BYTES = 1 << 17 };
    daub_array plain;
    daub_status status = daub_array_contiguous(&plain, a);
    if (status != DAUB_OK) return status;
    joint j = {.to = to, .from = plain.data, .rows = rows, .row_bytes = row_bytes};
    j.bytes = rows > 0 ? daub_array_numel(a) * (int64_t)daub_dtype_size(a->dtype) / rows : 0;
    if (j.bytes > 0) {
        j.per_job = JOB_BYTES / j.bytes + 1;
        status = daub_pool_run(joint_job, &j, (rows + j.per_job - 1) / j.per_job);
    }
    daub_array_release(&plain);
    return status;
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
    int64_t rows = 1, element = (int64_t)daub_dtype_size(result.dtype); // rows: all before `dim`
    for (int d = 0; d < dim; d++) rows *= shape[d];
    int64_t row_bytes = rows > 0 ? daub_array_numel(&result) * element / rows : 0;
    char *to = result.data;
    for (int i = 0; i < count && status == DAUB_OK && row_bytes > 0; i++) {
        status = put_part(to, arrays[i], rows, row_bytes);
        to += row_bytes / shape[dim] * arrays[i]->shape[dim];
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
