#include "conv/picture.h"

#include <stdio.h>

daub_shape_text daub_shape_show(const daub_array *a) {
    daub_shape_text t = {"("};
    size_t at = 1;
    for (int i = 0; i < a->ndim && at < sizeof t.s - 24; i++)
        at += (size_t)snprintf(t.s + at, sizeof t.s - at, i ? ", %lld" : "%lld",
                               (long long)a->shape[i]);
    snprintf(t.s + at, sizeof t.s - at, ")");
    return t;
}

daub_status daub_check_float(const char *name, const char *what, const daub_array *a, int ndim,
                             const char *expected) {
    if (a->dtype != DAUB_F32 && a->dtype != DAUB_F64)
        return daub_fail(DAUB_INVALID, "%s: %s is %s (expected f32 or f64)", name, what,
                         daub_dtype_name(a->dtype));
    if (a->ndim != ndim)
        return daub_fail(DAUB_INVALID, "%s: %s has shape %s (expected %s)", name, what,
                         daub_shape_show(a).s, expected);
    for (int i = 0; i < ndim; i++) {
        if (a->shape[i] < 1)
            return daub_fail(DAUB_INVALID, "%s: %s has shape %s (no size may be 0)", name, what,
                             daub_shape_show(a).s);
    }
    if (!daub_array_is_contiguous(a))
        return daub_fail(DAUB_INVALID, "%s: %s must be contiguous", name, what);
    return DAUB_OK;
}

daub_status daub_check_same_dtype(const char *name, const daub_array *a, const daub_array *b) {
    if (a->dtype == b->dtype) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: one dtype expected, got %s and %s", name,
                     daub_dtype_name(a->dtype), daub_dtype_name(b->dtype));
}
