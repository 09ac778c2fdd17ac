#include "array/ops.h"
#include "kernel/kernel.h"

static daub_status check_float(const char *op, daub_dtype dtype) {
    if (daub_dtype_is_float(dtype)) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: dtype %s; f32 or f64 expected", op, daub_dtype_name(dtype));
}

static daub_status finish(daub_array *out, daub_array *a, daub_status status) {
    if (status == DAUB_OK)
        *out = *a;
    else
        daub_array_release(a);
    return status;
}

daub_status daub_array_uniform(daub_array *out, daub_rng *rng, daub_dtype dtype, int ndim,
                               const int64_t *shape) {
    daub_array a;
    daub_status status = check_float("uniform", dtype);
    if (status == DAUB_OK) status = daub_array_create(&a, dtype, ndim, shape);
    if (status != DAUB_OK) return status;
    int64_t n = daub_array_numel(&a);
    status =
        dtype == DAUB_F32 ? daub_rng_uniform(rng, a.data, n) : daub_rng_uniform64(rng, a.data, n);
    return finish(out, &a, status);
}

daub_status daub_array_normal(daub_array *out, daub_rng *rng, daub_dtype dtype, int ndim,
                              const int64_t *shape) {
    daub_array a;
    daub_status status = check_float("normal", dtype);
    if (status == DAUB_OK) status = daub_array_create(&a, dtype, ndim, shape);
    if (status != DAUB_OK) return status;
    int64_t n = daub_array_numel(&a);
    status =
        dtype == DAUB_F32 ? daub_rng_normal(rng, a.data, n) : daub_rng_normal64(rng, a.data, n);
    return finish(out, &a, status);
}

daub_status daub_array_integers(daub_array *out, daub_rng *rng, int64_t low, int64_t past_high,
                                daub_dtype dtype, int ndim, const int64_t *shape) {
    daub_array a, number;
    daub_cell cell;
    uint64_t range = (uint64_t)past_high - (uint64_t)low;
    if (past_high <= low || range > INT64_MAX)
        return daub_fail(DAUB_INVALID, "integers: no number from %lld to below %lld",
                         (long long)low, (long long)past_high);
    if (dtype == DAUB_BF16)
        return daub_fail(DAUB_INVALID, "integers: bf16 is for storage only; cast from f32");
    daub_status status = daub_array_number(&number, &cell, dtype, (double)low);
    if (status == DAUB_OK)
        status = daub_array_number(&number, &cell, dtype, (double)(past_high - 1));
    if (status == DAUB_OK) status = daub_array_create(&a, dtype, ndim, shape);
    if (status != DAUB_OK) return status;
    daub_map1 cast = daub_kernels_get()->elementwise->cast[DAUB_I64][dtype];
    char *p = a.data;
    for (int64_t i = 0, n = daub_array_numel(&a); i < n; i++, p += daub_dtype_size(dtype)) {
        int64_t value = low + daub_rng_next_below(rng, (int64_t)range);
        cast(p, &value, 1);
    }
    *out = a;
    return DAUB_OK;
}

daub_status daub_array_permutation(daub_array *out, daub_rng *rng, int64_t n) {
    daub_array a;
    daub_status status = daub_array_create(&a, DAUB_I64, 1, &n);
    if (status != DAUB_OK) return status;
    int64_t *p = a.data;
    for (int64_t i = 0; i < n; i++) p[i] = i;
    for (int64_t i = n - 1; i > 0; i--) { // Fisher-Yates
        int64_t j = daub_rng_next_below(rng, i + 1), held = p[i];
        p[i] = p[j];
        p[j] = held;
    }
    *out = a;
    return DAUB_OK;
}
