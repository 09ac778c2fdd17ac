// Views and the shapes they make.
#include <stdio.h>
#include <string.h>

#include "array/array.h"

const char *daub_shape_string(char *text, int ndim, const int64_t *shape) {
    int n = snprintf(text, DAUB_SHAPE_TEXT, "{");
    for (int i = 0; i < ndim; i++)
        n += snprintf(text + n, (size_t)(DAUB_SHAPE_TEXT - n), "%s%lld", i ? ", " : "",
                      (long long)shape[i]);
    snprintf(text + n, (size_t)(DAUB_SHAPE_TEXT - n), "}");
    return text;
}

static const char *shape_of(char *text, const daub_array *a) {
    return daub_shape_string(text, a->ndim, a->shape);
}

static daub_status check_dim(const char *op, const daub_array *a, int dim) {
    char text[DAUB_SHAPE_TEXT];
    if (dim >= 0 && dim < a->ndim) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: no dimension %d in shape %s", op, dim + 1,
                     shape_of(text, a));
}

// Replaces a -1 in `shape` by what is left of the elements.
static daub_status complete_shape(int64_t *done, const daub_array *a, int ndim,
                                  const int64_t *shape) {
    char from[DAUB_SHAPE_TEXT], to[DAUB_SHAPE_TEXT];
    int64_t known = 1, numel = daub_array_numel(a);
    int open = -1;
    bool good = ndim >= 0 && ndim <= DAUB_MAX_DIMS;
    for (int i = 0; i < ndim && good; i++) {
        done[i] = shape[i];
        if (shape[i] == -1 && open < 0)
            open = i;
        else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known))
            good = false;
    }
    if (good && open >= 0) {
        if (known == 0 || numel % known)
            good = false;
        else
            known *= done[open] = numel / known;
    }
    if (good && known == numel) return DAUB_OK;
    if (ndim < 0 || ndim > DAUB_MAX_DIMS)
        return daub_fail(DAUB_INVALID, "reshape: %d dimensions (at most %d)", ndim, DAUB_MAX_DIMS);
    return daub_fail(DAUB_INVALID, "reshape: %s does not go into %s", shape_of(from, a),
                     daub_shape_string(to, ndim, shape));
}

// Strides of `v` for the new shape over the memory of `a`; false when it takes a copy.
static bool view_strides(daub_array *v, const daub_array *a) {
    int64_t shape[DAUB_MAX_DIMS], stride[DAUB_MAX_DIMS];
    int n = 0; // the dimensions of `a`, joined where memory allows
    for (int d = 0; d < a->ndim; d++) {
        if (a->shape[d] == 1) continue;
        if (n > 0 && stride[n - 1] == a->stride[d] * a->shape[d]) {
            shape[n - 1] *= a->shape[d];
        } else {
            shape[n++] = a->shape[d];
        }
        stride[n - 1] = a->stride[d];
    }
    int from = n - 1; // split them again, from the last
    int64_t left = n > 0 ? shape[from] : 1, step = n > 0 ? stride[from] : 1;
    for (int d = v->ndim - 1; d >= 0; d--) {
        if (v->shape[d] == 1) {
            v->stride[d] = step;
            continue;
        }
        while (left == 1 && from > 0) {
            from--;
            left = shape[from];
            step = stride[from];
        }
        if (left % v->shape[d]) return false;
        v->stride[d] = step;
        step *= v->shape[d];
        left /= v->shape[d];
    }
    return true;
}

daub_status daub_array_reshape(daub_array *out, const daub_array *a, int ndim,
                               const int64_t *shape) {
    daub_array view = *a, copy = {0};
    daub_status status = complete_shape(view.shape, a, ndim, shape);
    if (status != DAUB_OK) return status;
    view.ndim = ndim;
    bool empty = daub_array_numel(a) == 0;
    if (daub_array_is_contiguous(a) || empty || !view_strides(&view, a)) {
        // Row-major: over the same memory or over a copy. Sizes of 0 count as 1.
        status = daub_array_contiguous(&copy, a);
        if (status != DAUB_OK) return status;
        view.data = copy.data;
        view.storage = copy.storage;
        int64_t stride = 1;
        for (int d = ndim - 1; d >= 0; d--) {
            view.stride[d] = stride;
            if (view.shape[d] > 0) stride *= view.shape[d];
        }
        *out = view;
        return DAUB_OK;
    }
    daub_array_retain(out, &view);
    return DAUB_OK;
}

daub_status daub_array_permute(daub_array *out, const daub_array *a, int count, const int *dims) {
    char text[DAUB_SHAPE_TEXT];
    daub_array view = *a;
    unsigned seen = 0;
    for (int i = 0; i < count && i < a->ndim; i++) {
        daub_status status = check_dim("permute", a, dims[i]);
        if (status != DAUB_OK) return status;
        seen |= 1u << dims[i];
        view.shape[i] = a->shape[dims[i]];
        view.stride[i] = a->stride[dims[i]];
    }
    if (count != a->ndim || seen != (1u << a->ndim) - 1)
        return daub_fail(DAUB_INVALID, "permute: each dimension of %s must be named once",
                         shape_of(text, a));
    daub_array_retain(out, &view);
    return DAUB_OK;
}

static void move_data(daub_array *a, int64_t elements) {
    a->data = (char *)a->data + elements * (int64_t)daub_dtype_size(a->dtype);
}

daub_status daub_array_narrow(daub_array *out, const daub_array *a, int dim, int64_t start,
                              int64_t length, int64_t step) {
    char text[DAUB_SHAPE_TEXT];
    daub_status status = check_dim("narrow", a, dim);
    if (status != DAUB_OK) return status;
    int64_t size = a->shape[dim];
    if (step < 1) return daub_fail(DAUB_INVALID, "narrow: step %lld (at least 1)", (long long)step);
    bool fits = start >= 0 && start <= size && length >= 0;
    if (fits && length > 0) fits = start < size && (length - 1) <= (size - 1 - start) / step;
    if (!fits)
        return daub_fail(
            DAUB_INVALID, "narrow: %lld from %lld in steps of %lld go beyond dimension %d of %s",
            (long long)length, (long long)start + 1, (long long)step, dim + 1, shape_of(text, a));
    daub_array view = *a;
    view.shape[dim] = length;
    if (length > 0) move_data(&view, start * a->stride[dim]);
    if (length > 1) view.stride[dim] *= step;
    daub_array_retain(out, &view);
    return DAUB_OK;
}

daub_status daub_array_select(daub_array *out, const daub_array *a, int dim, int64_t index) {
    char text[DAUB_SHAPE_TEXT];
    daub_status status = check_dim("select", a, dim);
    if (status != DAUB_OK) return status;
    if (index < 0 || index >= a->shape[dim])
        return daub_fail(DAUB_INVALID, "select: index %lld is not in dimension %d of %s",
                         (long long)index + 1, dim + 1, shape_of(text, a));
    daub_array view = *a;
    move_data(&view, index * a->stride[dim]);
    view.ndim--;
    for (int d = dim; d < view.ndim; d++) {
        view.shape[d] = a->shape[d + 1];
        view.stride[d] = a->stride[d + 1];
    }
    daub_array_retain(out, &view);
    return DAUB_OK;
}

daub_status daub_array_expand(daub_array *out, const daub_array *a, int ndim,
                              const int64_t *shape) {
    char from[DAUB_SHAPE_TEXT], to[DAUB_SHAPE_TEXT];
    daub_array view = *a;
    int64_t numel = 1;
    bool good = ndim >= a->ndim && ndim <= DAUB_MAX_DIMS;
    for (int d = 0; d < ndim && good; d++) {
        int old = d - (ndim - a->ndim);
        int64_t size = old >= 0 ? a->shape[old] : 1;
        view.shape[d] = shape[d] == -1 && old >= 0 ? size : shape[d];
        view.stride[d] = old >= 0 && size == view.shape[d] ? a->stride[old] : 0;
        good = view.shape[d] >= 0 && (size == view.shape[d] || size == 1) &&
               !__builtin_mul_overflow(numel, view.shape[d] > 0 ? view.shape[d] : 1, &numel);
    }
    if (!good || numel > (int64_t)1 << 46)
        return daub_fail(DAUB_INVALID, "expand: %s does not expand to %s", shape_of(from, a),
                         daub_shape_string(to, ndim < DAUB_MAX_DIMS ? ndim : DAUB_MAX_DIMS, shape));
    view.ndim = ndim;
    daub_array_retain(out, &view);
    return DAUB_OK;
}

bool daub_array_same_shape(const daub_array *a, const daub_array *b) {
    return a->ndim == b->ndim && !memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof a->shape[0]);
}

daub_status daub_shape_broadcast(const char *op, int *ndim, int64_t *shape, const daub_array *a,
                                 const daub_array *b) {
    char ta[DAUB_SHAPE_TEXT], tb[DAUB_SHAPE_TEXT];
    int n = a->ndim > b->ndim ? a->ndim : b->ndim;
    int64_t numel = 1;
    for (int d = 0; d < n; d++) {
        int da = d - (n - a->ndim), db = d - (n - b->ndim);
        int64_t sa = da >= 0 ? a->shape[da] : 1, sb = db >= 0 ? b->shape[db] : 1;
        if ((sa != sb && sa != 1 && sb != 1) ||
            __builtin_mul_overflow(numel, sa > sb ? sa : sb, &numel))
            return daub_fail(DAUB_INVALID, "%s: shapes %s and %s do not broadcast", op,
                             shape_of(ta, a), shape_of(tb, b));
        shape[d] = sa == 1 ? sb : sa;
        if (numel == 0) numel = 1;
    }
    *ndim = n;
    return DAUB_OK;
}

daub_status daub_array_check_writable(const char *op, const daub_array *a) {
    char text[DAUB_SHAPE_TEXT];
    for (int d = 0; d < a->ndim; d++) {
        if (a->shape[d] > 1 && a->stride[d] == 0)
            return daub_fail(DAUB_INVALID,
                             "%s: cannot write into an expanded array of shape %s (clone it first)",
                             op, shape_of(text, a));
    }
    return DAUB_OK;
}
