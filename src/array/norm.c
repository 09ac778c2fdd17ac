// Batch normalisation over all but the last dimension: two passes forward, two backward.
#include <math.h>
#include <string.h>

#include "array/train.h"
#include "base/memory.h"
#include "base/pool.h"
#include "kernel/families/norm.h"
#include "kernel/kernel.h"

// Rows shorter than NARROW are taken WIDE / C at a time, with every vector repeated as often.
enum { CHUNK = 32768, NARROW = 32, WIDE = 64, VECTORS = 6 };

typedef struct rows {
    int type; // 0: f32, 1: f64
    int64_t size, rows, channels;
    int64_t together, wide, chunk; // rows taken as one; elements of those; rows in a chunk
    const char *x, *g;
    char *out;
    char *vectors[VECTORS]; // each `wide` elements long, for what the pass at hand needs
    double *sums;           // [chunks][2][wide]
    void (*pass)(const struct rows *r, int64_t first, int64_t rows, int64_t n, double *sums);
} rows;

static int64_t chunk_count(const rows *r) {
    return (r->rows + r->chunk - 1) / r->chunk;
}

static void job(void *context, int64_t index, int worker) {
    (void)worker;
    const rows *r = context;
    int64_t begin = index * r->chunk;
    int64_t count = r->rows - begin < r->chunk ? r->rows - begin : r->chunk;
    int64_t joined = count / r->together, rest = count % r->together;
    double *sums = r->sums ? r->sums + index * 2 * r->wide : NULL;
    if (joined > 0) r->pass(r, begin, joined, r->wide, sums);
    if (rest > 0) r->pass(r, begin + joined * r->together, rest, r->channels, sums);
}

static void shape_rows(rows *r, const daub_array *x) {
    *r = (rows){.type = x->dtype == DAUB_F64, .size = (int64_t)daub_dtype_size(x->dtype)};
    r->channels = x->shape[x->ndim - 1];
    r->rows = r->channels > 0 ? daub_array_numel(x) / r->channels : 0;
    r->together = r->channels > 0 && r->channels < NARROW ? WIDE / r->channels : 1;
    r->wide = r->together * r->channels;
    int64_t lines = r->wide > 0 ? CHUNK / r->wide : 1;
    r->chunk = (lines > 0 ? lines : 1) * r->together;
}

static double get(const rows *r, const void *v, int64_t i) {
    return r->type ? ((const double *)v)[i] : (double)((const float *)v)[i];
}

static void put(const rows *r, void *v, int64_t i, double value) {
    if (r->type)
        ((double *)v)[i] = value;
    else
        ((float *)v)[i] = (float)value;
}

// Vector k gets value c for channel c, repeated to the wide row.
static void set_vector(rows *r, int k, int64_t c, double value) {
    for (int64_t t = 0; t < r->together; t++) put(r, r->vectors[k], t * r->channels + c, value);
}

// Memory for the vectors and the sums of all chunks, zeroed.
static daub_status take_memory(rows *r, char **block) {
    size_t vector = (size_t)(r->wide * r->size + 63) / 64 * 64;
    size_t sums = (size_t)(chunk_count(r) * 2 * r->wide) * sizeof(double);
    *block = daub_alloc(VECTORS * vector + sums);
    if (!*block) return DAUB_NO_MEMORY;
    memset(*block, 0, VECTORS * vector + sums);
    for (int k = 0; k < VECTORS; k++) r->vectors[k] = *block + (size_t)k * vector;
    r->sums = (double *)(*block + VECTORS * vector);
    return DAUB_OK;
}

// Runs a pass that sums, then adds up the chunks and the repeated channels, in order, into the
// first.
static daub_status sum_up(rows *r,
                          void (*pass)(const rows *, int64_t, int64_t, int64_t, double *)) {
    r->pass = pass;
    daub_status status = daub_pool_run(job, r, chunk_count(r));
    for (int64_t i = 1; i < chunk_count(r); i++) {
        for (int64_t j = 0; j < 2 * r->wide; j++) r->sums[j] += r->sums[i * 2 * r->wide + j];
    }
    for (int64_t j = r->channels; j < r->wide; j++) {
        r->sums[j % r->channels] += r->sums[j];
        r->sums[r->wide + j % r->channels] += r->sums[r->wide + j];
    }
    return status;
}

static daub_status check(const char *op, const daub_array *x, const daub_array *const *vectors,
                         int count) {
    char text[DAUB_SHAPE_TEXT], shape[DAUB_SHAPE_TEXT];
    daub_shape_string(shape, x->ndim, x->shape);
    if (!daub_dtype_is_float(x->dtype) || x->ndim < 1 || daub_array_numel(x) == 0)
        return daub_fail(DAUB_INVALID, "%s: x is %s %s; f32 or f64 of shape {.., C} expected", op,
                         daub_dtype_name(x->dtype), shape);
    for (int i = 0; i < count; i++) {
        const daub_array *v = vectors[i];
        if (!v) continue;
        if (v->dtype != x->dtype || v->ndim != 1 || v->shape[0] != x->shape[x->ndim - 1] ||
            !daub_array_is_contiguous(v))
            return daub_fail(DAUB_INVALID,
                             "%s: a vector is %s %s; contiguous %s {%lld} expected for x %s", op,
                             daub_dtype_name(v->dtype), daub_shape_string(text, v->ndim, v->shape),
                             daub_dtype_name(x->dtype), (long long)x->shape[x->ndim - 1], shape);
    }
    return DAUB_OK;
}

// ---- forward
// ---------------------------------------------------------------------------------------

enum { SHIFT = 0, MEAN = 0, SCALE = 1, OFFSET = 2 }; // vectors of the passes forward

static void moments_pass(const rows *r, int64_t first, int64_t count, int64_t n, double *sums) {
    daub_kernels_get()->norm->moments[r->type](
        sums, sums + r->wide, r->x + first * r->channels * r->size, r->vectors[SHIFT], count, n);
}

static void apply_pass(const rows *r, int64_t first, int64_t count, int64_t n, double *sums) {
    (void)sums;
    int64_t at = first * r->channels * r->size;
    daub_kernels_get()->norm->apply[r->type](r->out + at, r->x + at, r->vectors[MEAN],
                                             r->vectors[SCALE], r->vectors[OFFSET], count, n);
}

static daub_status normalise(rows *r, daub_array *mean, daub_array *invstd,
                             const daub_array *weight, const daub_array *bias, double eps) {
    // Sums of x - first row: no cancellation when a channel's mean is far from 0.
    for (int64_t c = 0; c < r->channels; c++) set_vector(r, SHIFT, c, get(r, r->x, c));
    daub_status status = sum_up(r, moments_pass);
    if (status != DAUB_OK) return status;
    for (int64_t c = 0; c < r->channels; c++) {
        double m = r->sums[c] / (double)r->rows,
               var = r->sums[r->wide + c] / (double)r->rows - m * m;
        double inverse = 1 / sqrt((var < 0 ? 0 : var) + eps);
        m += get(r, r->x, c);
        put(r, mean->data, c, m);
        put(r, invstd->data, c, inverse);
        set_vector(r, MEAN, c, m);
        set_vector(r, SCALE, c, weight ? inverse * get(r, weight->data, c) : inverse);
        set_vector(r, OFFSET, c, bias ? get(r, bias->data, c) : 0);
    }
    r->pass = apply_pass;
    return daub_pool_run(job, r, chunk_count(r));
}

daub_status daub_array_batch_norm(daub_array *y, daub_array *mean, daub_array *invstd,
                                  const daub_array *x, const daub_array *weight,
                                  const daub_array *bias, double eps) {
    rows r;
    char *block = NULL;
    daub_array plain = {0}, out[3] = {{0}};
    daub_status status = check("batch_norm", x, (const daub_array *[]){weight, bias}, 2);
    if (status == DAUB_OK) status = daub_array_contiguous(&plain, x);
    if (status != DAUB_OK) return status;
    shape_rows(&r, &plain);
    status = daub_array_create(&out[0], x->dtype, x->ndim, x->shape);
    for (int i = 1; i < 3 && status == DAUB_OK; i++)
        status = daub_array_create(&out[i], x->dtype, 1, &r.channels);
    if (status == DAUB_OK) status = take_memory(&r, &block);
    if (status == DAUB_OK) {
        r.x = plain.data;
        r.out = out[0].data;
        status = normalise(&r, &out[1], &out[2], weight, bias, eps);
    }
    daub_free(block);
    daub_array_release(&plain);
    if (status == DAUB_OK)
        *y = out[0], *mean = out[1], *invstd = out[2];
    else
        for (int i = 0; i < 3; i++) daub_array_release(&out[i]);
    return status;
}

// ---- backward
// --------------------------------------------------------------------------------------

enum { G_FACTOR = 1, X_FACTOR = 2, REST = 3 }; // beside MEAN

static void grad_sums_pass(const rows *r, int64_t first, int64_t count, int64_t n, double *sums) {
    int64_t at = first * r->channels * r->size;
    daub_kernels_get()->norm->grad_sums[r->type](sums, sums + r->wide, r->g + at, r->x + at,
                                                 r->vectors[MEAN], count, n);
}

static void grad_apply_pass(const rows *r, int64_t first, int64_t count, int64_t n, double *sums) {
    (void)sums;
    int64_t at = first * r->channels * r->size;
    daub_kernels_get()->norm->grad_apply[r->type](r->out + at, r->g + at, r->x + at,
                                                  r->vectors[MEAN], r->vectors[G_FACTOR],
                                                  r->vectors[X_FACTOR], r->vectors[REST], count, n);
}

// dx = w invstd (g - mean(g) - (x - mean) invstd^2 mean(g (x - mean)))
static daub_status differentiate(rows *r, daub_array *dweight, daub_array *dbias,
                                 const daub_array *weight, const daub_array *mean,
                                 const daub_array *invstd) {
    for (int64_t c = 0; c < r->channels; c++) set_vector(r, MEAN, c, get(r, mean->data, c));
    daub_status status = sum_up(r, grad_sums_pass);
    if (status != DAUB_OK) return status;
    for (int64_t c = 0; c < r->channels; c++) {
        double inverse = get(r, invstd->data, c);
        double factor = weight ? inverse * get(r, weight->data, c) : inverse;
        double sum = r->sums[c], product = r->sums[r->wide + c];
        put(r, dbias->data, c, sum);
        put(r, dweight->data, c, product * inverse);
        set_vector(r, G_FACTOR, c, factor);
        set_vector(r, X_FACTOR, c, -factor * inverse * inverse * product / (double)r->rows);
        set_vector(r, REST, c, -factor * sum / (double)r->rows);
    }
    r->pass = grad_apply_pass;
    return daub_pool_run(job, r, chunk_count(r));
}

static daub_status check_backward(const daub_array *x, const daub_array *g,
                                  const daub_array *const *vectors) {
    char sx[DAUB_SHAPE_TEXT], sg[DAUB_SHAPE_TEXT];
    daub_status status = check("batch_norm_backward", x, vectors, 3);
    if (status == DAUB_OK && (g->dtype != x->dtype || !daub_array_same_shape(g, x)))
        status =
            daub_fail(DAUB_INVALID, "batch_norm_backward: x is %s %s but the gradient is %s %s",
                      daub_dtype_name(x->dtype), daub_shape_string(sx, x->ndim, x->shape),
                      daub_dtype_name(g->dtype), daub_shape_string(sg, g->ndim, g->shape));
    return status;
}

daub_status daub_array_batch_norm_backward(daub_array *dx, daub_array *dweight, daub_array *dbias,
                                           const daub_array *x, const daub_array *g,
                                           const daub_array *weight, const daub_array *mean,
                                           const daub_array *invstd) {
    rows r;
    char *block = NULL;
    daub_array px = {0}, pg = {0}, out[3] = {{0}};
    daub_status status = check_backward(x, g, (const daub_array *[]){weight, mean, invstd});
    if (status != DAUB_OK) return status;
    shape_rows(&r, x);
    status = daub_array_contiguous(&px, x);
    if (status == DAUB_OK) status = daub_array_contiguous(&pg, g);
    if (status == DAUB_OK) status = daub_array_create(&out[0], x->dtype, x->ndim, x->shape);
    for (int i = 1; i < 3 && status == DAUB_OK; i++)
        status = daub_array_create(&out[i], x->dtype, 1, &r.channels);
    if (status == DAUB_OK) status = take_memory(&r, &block);
    if (status == DAUB_OK) {
        r.x = px.data;
        r.g = pg.data;
        r.out = out[0].data;
        status = differentiate(&r, &out[1], &out[2], weight, mean, invstd);
    }
    daub_free(block);
    daub_array_release(&px);
    daub_array_release(&pg);
    if (status == DAUB_OK)
        *dx = out[0], *dweight = out[1], *dbias = out[2];
    else
        for (int i = 0; i < 3; i++) daub_array_release(&out[i]);
    return status;
}
