// Arrays of random numbers.
#include "array/random.h"

#include <math.h>
#include <string.h>

#include "array/ops.h"
#include "base/pool.h"
#include "kernel/families/random.h"
#include "kernel/kernel.h"

// One job fills this many blocks: fixed, so that values do not depend on the thread count.
enum { CHUNK = 4096 };

typedef struct fill {
    daub_rng rng;
    void *out;
    int64_t n;
} fill;

static int64_t last_block(const fill *f, int64_t chunk, int per_block) {
    int64_t blocks = (f->n + per_block - 1) / per_block, end = (chunk + 1) * CHUNK;
    return end < blocks ? end : blocks;
}

static void fill_f32(const fill *f, int64_t chunk, daub_random_fill kernel) {
    float *out = f->out;
    int64_t b = chunk * CHUNK, end = last_block(f, chunk, 4), whole = end;
    if (whole > f->n / 4) whole = f->n / 4;
    kernel(out + 4 * b, f->rng.key, f->rng.counter + (uint64_t)b, whole - b);
    if (whole == end) return;
    float last[4];
    kernel(last, f->rng.key, f->rng.counter + (uint64_t)whole, 1);
    memcpy(out + 4 * whole, last, (size_t)(f->n - 4 * whole) * sizeof *out);
}

static void uniform_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill_f32(context, chunk, daub_kernels_get()->random->uniform);
}

static void normal_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill_f32(context, chunk, daub_kernels_get()->random->normal);
}

static void uniform64_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill *f = context;
    double *out = f->out;
    for (int64_t b = chunk * CHUNK; b < last_block(f, chunk, 2); b++) {
        uint32_t r[4];
        daub_philox(f->rng.key, f->rng.counter + (uint64_t)b, r);
        for (int64_t i = 2 * b; i < 2 * b + 2 && i < f->n; i++)
            out[i] = daub_unit53(r[2 * (i - 2 * b)], r[2 * (i - 2 * b) + 1]);
    }
}

static void normal64_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill *f = context;
    double *out = f->out;
    for (int64_t b = chunk * CHUNK; b < last_block(f, chunk, 2); b++) {
        uint32_t r[4];
        daub_philox(f->rng.key, f->rng.counter + (uint64_t)b, r);
        double radius = sqrt(-2 * log(1 - daub_unit53(r[0], r[1])));
        double angle = 6.283185307179586 * daub_unit53(r[2], r[3]);
        out[2 * b] = radius * cos(angle);
        if (2 * b + 1 < f->n) out[2 * b + 1] = radius * sin(angle);
    }
}

static daub_status run(daub_rng *rng, void *out, int64_t n, int per_block, daub_job job) {
    fill f = {*rng, out, n};
    int64_t blocks = (n + per_block - 1) / per_block, chunks = (blocks + CHUNK - 1) / CHUNK;
    daub_status status = daub_pool_run(job, &f, chunks);
    rng->counter += (uint64_t)blocks;
    return status;
}

daub_status daub_rng_uniform(daub_rng *rng, float *out, int64_t n) {
    return run(rng, out, n, 4, uniform_job);
}

daub_status daub_rng_uniform64(daub_rng *rng, double *out, int64_t n) {
    return run(rng, out, n, 2, uniform64_job);
}

daub_status daub_rng_normal(daub_rng *rng, float *out, int64_t n) {
    return run(rng, out, n, 4, normal_job);
}

daub_status daub_rng_normal64(daub_rng *rng, double *out, int64_t n) {
    return run(rng, out, n, 2, normal64_job);
}

// ---- arrays
// ----------------------------------------------------------------------------------------

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
