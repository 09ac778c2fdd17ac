// Batch normalisation over all but the last dimension: two passes forward, two backward. The second
// goes from the last chunk to the first: what the first pass has just read is met in the cache.
#include <math.h>
#include <string.h>

#include "array/train.h"
#include "base/memory.h"
#include "base/pool.h"
#include "kernel/families/norm.h"
#include "kernel/kernel.h"

// Rows are taken several at a time until they are LONG and fill whole vectors of LANES elements;
// every vector of channels is then repeated as often.
enum { CHUNK = 32768, LANES = 16, LONG = 48, MUCH = 256, VECTORS = 5 };
enum { MEAN, SCALE, OFFSET, X_FACTOR, REST };

typedef struct rows {
    int type; // 0: f32, 1: f64
    int64_t size, rows, channels;
    int64_t together, wide, chunk; // rows taken as one; elements of those; rows in a chunk
    const char *x, *g;
    char *out;
    char *block;
    char *vectors[VECTORS]; // each `wide` elements long
    daub_norm_channels kernel;
    double *sums;  // [chunks][2][wide]
    double *shift; // [channels]
} rows;

// One pass over `rows` rows of n elements, `offset` bytes into the arrays.
typedef void (*pass)(const rows *r, int64_t offset, int64_t rows, int64_t n, double *sums);

static int64_t chunk_count(const rows *r) {
    return (r->rows + r->chunk - 1) / r->chunk;
}

static void run_chunk(const rows *r, pass work, int64_t index) {
    int64_t begin = index * r->chunk, step = r->channels * r->size;
    int64_t count = r->rows - begin < r->chunk ? r->rows - begin : r->chunk;
    int64_t joined = count / r->together, rest = count % r->together;
    double *sums = r->sums ? r->sums + index * 2 * r->wide : NULL;
    if (joined > 0) work(r, begin * step, joined, r->wide, sums);
    if (rest > 0) work(r, (begin + joined * r->together) * step, rest, r->channels, sums);
}

static void shape_rows(rows *r, const daub_array *x) {
    *r = (rows){.type = x->dtype == DAUB_F64, .size = (int64_t)daub_dtype_size(x->dtype)};
    r->x = x->data;
    r->channels = x->shape[x->ndim - 1];
    r->rows = daub_array_numel(x) / r->channels;
    r->together = 1;
    if (r->channels < MUCH) {
        while (r->together * r->channels % LANES) r->together *= 2;
        int64_t least = r->together;
        while (r->together * r->channels < LONG) r->together += least;
    }
    r->wide = r->together * r->channels;
    int64_t lines = CHUNK / r->wide;
    r->chunk = (lines > 0 ? lines : 1) * r->together;
}

static double get(const daub_array *v, int64_t i) {
    return v->dtype == DAUB_F64 ? ((const double *)v->data)[i]
                                : (double)((const float *)v->data)[i];
}

static void put(daub_array *v, int64_t i, double value) {
    if (v->dtype == DAUB_F64)
        ((double *)v->data)[i] = value;
    else
        ((float *)v->data)[i] = (float)value;
}

// Vector k gets value c for channel c, repeated to the wide row.
static void set_vector(rows *r, int k, int64_t c, double value) {
    for (int64_t i = c; i < r->wide; i += r->channels) {
        if (r->type)
            ((double *)r->vectors[k])[i] = value;
        else
            ((float *)r->vectors[k])[i] = (float)value;
    }
}

// Memory for the vectors, and for the sums of all chunks, zeroed, and the shift.
static daub_status take_memory(rows *r, bool sums) {
    size_t vector = (size_t)(r->wide * r->size + 63) / 64 * 64;
    int64_t count = sums ? chunk_count(r) * 2 * r->wide : 0;
    size_t more = sums ? (size_t)(count + r->channels) * sizeof(double) : 0;
    r->block = daub_alloc(VECTORS * vector + more);
    if (!r->block) return DAUB_NO_MEMORY;
    for (int k = 0; k < VECTORS; k++) r->vectors[k] = r->block + (size_t)k * vector;
    r->kernel = (daub_norm_channels){.mean = r->vectors[MEAN],
                                     .scale = r->vectors[SCALE],
                                     .offset = r->vectors[OFFSET],
                                     .x_factor = r->vectors[X_FACTOR],
                                     .rest = r->vectors[REST]};
    if (!sums) return DAUB_OK;
    r->sums = (double *)(r->block + VECTORS * vector);
    r->shift = r->sums + count;
    memset(r->sums, 0, more);
    return DAUB_OK;
}

typedef struct run {
    const rows *rows;
    pass work;
} run;

static void forwards(void *context, int64_t index, int worker) {
    (void)worker;
    const run *r = context;
    run_chunk(r->rows, r->work, index);
}

static void backwards(void *context, int64_t index, int worker) {
    (void)worker;
    const run *r = context;
    run_chunk(r->rows, r->work, chunk_count(r->rows) - 1 - index);
}

// Runs a pass that sums, then adds up the chunks and the repeated channels, in order, into the
// first: r->sums[c] and r->sums[r->wide + c].
static daub_status sum_up(rows *r, pass work) {
    daub_status status = daub_pool_run(forwards, &(run){r, work}, chunk_count(r));
    for (int64_t i = 1; i < chunk_count(r); i++) {
        for (int64_t j = 0; j < 2 * r->wide; j++) r->sums[j] += r->sums[i * 2 * r->wide + j];
    }
    for (int64_t j = r->channels; j < r->wide; j++) {
        r->sums[j % r->channels] += r->sums[j];
        r->sums[r->wide + j % r->channels] += r->sums[r->wide + j];
    }
    return status;
}

static daub_status check_x(const char *op, const daub_array *x) {
    char text[DAUB_SHAPE_TEXT];
    if (daub_dtype_is_float(x->dtype) && x->ndim >= 1 && daub_array_numel(x) > 0) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: x is %s %s; f32 or f64 of shape {.., C} expected", op,
                     daub_dtype_name(x->dtype), daub_shape_string(text, x->ndim, x->shape));
}

static daub_status check(const char *op, const daub_array *x, const daub_norm *norm) {
    char text[DAUB_SHAPE_TEXT], shape[DAUB_SHAPE_TEXT];
    daub_status status = check_x(op, x);
    if (status != DAUB_OK) return status;
    const daub_array *vectors[] = {norm->mean, norm->invstd, norm->weight, norm->bias};
    for (int i = 0; i < 4; i++) {
        const daub_array *v = vectors[i];
        if (!v) continue;
        if (v->dtype != x->dtype || v->ndim != 1 || v->shape[0] != x->shape[x->ndim - 1] ||
            !daub_array_is_contiguous(v))
            return daub_fail(DAUB_INVALID,
                             "%s: a vector is %s %s; contiguous %s {%lld} expected for x %s", op,
                             daub_dtype_name(v->dtype), daub_shape_string(text, v->ndim, v->shape),
                             daub_dtype_name(x->dtype), (long long)x->shape[x->ndim - 1],
                             daub_shape_string(shape, x->ndim, x->shape));
    }
    if (!(norm->slope >= 0))
        return daub_fail(DAUB_INVALID, "%s: the slope is %g; at least 0 expected", op, norm->slope);
    return DAUB_OK;
}

static daub_status create_vectors(daub_array *a, daub_array *b, daub_dtype dtype, int64_t n) {
    daub_status status = daub_array_create(a, dtype, 1, &n);
    if (status != DAUB_OK) return status;
    status = daub_array_create(b, dtype, 1, &n);
    if (status != DAUB_OK) daub_array_release(a);
    return status;
}

// ---- forward
// ---------------------------------------------------------------------------------------

daub_status daub_array_moments(daub_array *mean, daub_array *invstd, daub_dtype dtype,
                               const daub_moments *m, double eps) {
    daub_array means, inverses;
    daub_status status = create_vectors(&means, &inverses, dtype, m->channels);
    if (status != DAUB_OK) return status;
    for (int64_t c = 0; c < m->channels; c++) {
        double away = m->sums[c] / (double)m->count;
        double variance = m->squares[c] / (double)m->count - away * away;
        put(&means, c, away + (m->shift ? m->shift[c] : 0));
        put(&inverses, c, 1 / sqrt((variance < 0 ? 0 : variance) + eps));
    }
    *mean = means;
    *invstd = inverses;
    return DAUB_OK;
}

static void moments_pass(const rows *r, int64_t offset, int64_t count, int64_t n, double *sums) {
    daub_kernels_get()->norm->moments[r->type](sums, sums + r->wide, r->x + offset,
                                               r->vectors[MEAN], count, n);
}

daub_status daub_array_batch_statistics(daub_array *mean, daub_array *invstd, const daub_array *x,
                                        double eps) {
    rows r;
    daub_array plain;
    daub_status status = check_x("batch_statistics", x);
    if (status == DAUB_OK) status = daub_array_contiguous(&plain, x);
    if (status != DAUB_OK) return status;
    shape_rows(&r, &plain);
    status = take_memory(&r, true);
    if (status == DAUB_OK) {
        // Sums of x - first row: no cancellation when a channel's mean is far from 0.
        for (int64_t c = 0; c < r.channels; c++) {
            r.shift[c] = get(&plain, c);
            set_vector(&r, MEAN, c, r.shift[c]);
        }
        status = sum_up(&r, moments_pass);
    }
    if (status == DAUB_OK) {
        daub_moments moments = {r.channels, r.rows, r.sums, r.sums + r.wide, r.shift};
        status = daub_array_moments(mean, invstd, x->dtype, &moments, eps);
    }
    daub_free(r.block);
    daub_array_release(&plain);
    return status;
}

daub_status daub_array_running_statistics(const daub_array *running_mean,
                                          const daub_array *running_var, const daub_array *mean,
                                          const daub_array *invstd, const daub_running *o) {
    const daub_array *vectors[] = {running_mean, running_var, mean, invstd};
    for (int i = 0; i < 4; i++) {
        char text[DAUB_SHAPE_TEXT], wanted[DAUB_SHAPE_TEXT];
        const daub_array *v = vectors[i];
        if (!daub_dtype_is_float(v->dtype) || v->ndim != 1 || v->shape[0] != mean->shape[0] ||
            !daub_array_is_contiguous(v))
            return daub_fail(DAUB_INVALID,
                             "running_statistics_: a vector is %s %s; contiguous f32 or f64 %s "
                             "expected",
                             daub_dtype_name(v->dtype), daub_shape_string(text, v->ndim, v->shape),
                             daub_shape_string(wanted, mean->ndim, mean->shape));
    }
    double unbiased = o->count > 1 ? o->count / (o->count - 1) : 1;
    daub_array means = *running_mean, variances = *running_var;
    for (int64_t c = 0; c < mean->shape[0]; c++) {
        double inverse = get(invstd, c), variance = 1 / (inverse * inverse) - o->eps;
        double old_mean = get(&means, c), old = get(&variances, c);
        put(&means, c, old_mean + o->momentum * (get(mean, c) - old_mean));
        put(&variances, c, old + o->momentum * ((variance < 0 ? 0 : variance) * unbiased - old));
    }
    return DAUB_OK;
}

// The vectors forward, rounded as apply uses them: backward finds the same z.
static void set_forward(rows *r, const daub_norm *norm) {
    r->kernel.slope = norm->slope;
    for (int64_t c = 0; c < r->channels; c++) {
        double inverse = get(norm->invstd, c);
        set_vector(r, MEAN, c, get(norm->mean, c));
        set_vector(r, SCALE, c, norm->weight ? inverse * get(norm->weight, c) : inverse);
        set_vector(r, OFFSET, c, norm->bias ? get(norm->bias, c) : 0);
    }
}

static void apply_pass(const rows *r, int64_t offset, int64_t count, int64_t n, double *sums) {
    (void)sums;
    daub_kernels_get()->norm->apply[r->type](r->out + offset, r->x + offset, &r->kernel, count, n);
}

daub_status daub_array_normalise(daub_array *y, const daub_array *x, const daub_norm *norm) {
    rows r;
    daub_array plain, out = {0};
    daub_status status = check("normalise", x, norm);
    if (status == DAUB_OK) status = daub_array_contiguous(&plain, x);
    if (status != DAUB_OK) return status;
    shape_rows(&r, &plain);
    status = daub_array_create(&out, x->dtype, x->ndim, x->shape);
    if (status == DAUB_OK) status = take_memory(&r, false);
    if (status == DAUB_OK) {
        r.out = out.data;
        set_forward(&r, norm);
        status = daub_pool_run(backwards, &(run){&r, apply_pass}, chunk_count(&r));
    }
    daub_free(r.block);
    daub_array_release(&plain);
    if (status == DAUB_OK)
        *y = out;
    else
        daub_array_release(&out);
    return status;
}

// ---- backward
// --------------------------------------------------------------------------------------

static void grad_sums_pass(const rows *r, int64_t offset, int64_t count, int64_t n, double *sums) {
    daub_kernels_get()->norm->grad_sums[r->type](sums, sums + r->wide, r->g + offset, r->x + offset,
                                                 &r->kernel, count, n);
}

static void grad_apply_pass(const rows *r, int64_t offset, int64_t count, int64_t n, double *sums) {
    (void)sums;
    daub_kernels_get()->norm->grad_apply[r->type](r->out + offset, r->g + offset, r->x + offset,
                                                  &r->kernel, count, n);
}

// With G the gradient for z:
//     dx = weight invstd (G - mean(G) - (x - mean) invstd^2 mean(G (x - mean)))
static daub_status differentiate(rows *r, daub_array *dweight, daub_array *dbias,
                                 const daub_norm *norm) {
    set_forward(r, norm);
    daub_status status = sum_up(r, grad_sums_pass);
    if (status != DAUB_OK) return status;
    for (int64_t c = 0; c < r->channels; c++) {
        double inverse = get(norm->invstd, c), sum = r->sums[c], product = r->sums[r->wide + c];
        double factor = norm->weight ? inverse * get(norm->weight, c) : inverse;
        put(dbias, c, sum);
        put(dweight, c, product * inverse);
        set_vector(r, X_FACTOR, c, -factor * inverse * inverse * product / (double)r->rows);
        set_vector(r, REST, c, -factor * sum / (double)r->rows);
    }
    return daub_pool_run(backwards, &(run){r, grad_apply_pass}, chunk_count(r));
}

static daub_status check_grad(const daub_array *x, const daub_array *g, const daub_norm *norm) {
    char sx[DAUB_SHAPE_TEXT], sg[DAUB_SHAPE_TEXT];
    daub_status status = check("batch_norm_backward", x, norm);
    if (status == DAUB_OK && (g->dtype != x->dtype || !daub_array_same_shape(g, x)))
        status =
            daub_fail(DAUB_INVALID, "batch_norm_backward: x is %s %s but the gradient is %s %s",
                      daub_dtype_name(x->dtype), daub_shape_string(sx, x->ndim, x->shape),
                      daub_dtype_name(g->dtype), daub_shape_string(sg, g->ndim, g->shape));
    return status;
}

daub_status daub_array_batch_norm_grad(daub_array *dx, daub_array *dweight, daub_array *dbias,
                                       const daub_array *x, const daub_array *g,
                                       const daub_norm *norm) {
    rows r;
    daub_array px = {0}, pg = {0}, out[3] = {{0}};
    daub_status status = check_grad(x, g, norm);
    if (status == DAUB_OK) status = daub_array_contiguous(&px, x);
    if (status != DAUB_OK) return status;
    shape_rows(&r, &px);
    status = daub_array_contiguous(&pg, g);
    if (status == DAUB_OK) status = daub_array_create(&out[0], x->dtype, x->ndim, x->shape);
    if (status == DAUB_OK) status = create_vectors(&out[1], &out[2], x->dtype, r.channels);
    if (status == DAUB_OK) status = take_memory(&r, true);
    if (status == DAUB_OK) {
        r.g = pg.data;
        r.out = out[0].data;
        status = differentiate(&r, &out[1], &out[2], norm);
    }
    daub_free(r.block);
    daub_array_release(&px);
    daub_array_release(&pg);
    if (status == DAUB_OK)
        *dx = out[0], *dweight = out[1], *dbias = out[2];
    else
        for (int i = 0; i < 3; i++) daub_array_release(&out[i]);
    return status;
}
