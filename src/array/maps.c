#include "array/maps.h"

#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "kernel/families/maps.h"
#include "kernel/kernel.h"

enum { CHUNK = 1 << 15, PIECE = 2048 }; // elements of a job; rows of a partial sum

// ---- operands
// --------------------------------------------------------------------------------------

// `small` has the shape of `a`, with the last dimension of `a` (where may_be_a) or 1 (may_be_1).
static bool fits(const daub_array *a, const daub_array *small, bool may_be_a, bool may_be_1) {
    if (a->ndim < 1 || small->ndim != a->ndim || small->dtype != a->dtype) return false;
    int last = a->ndim - 1;
    for (int d = 0; d < last; d++) {
        if (a->shape[d] != small->shape[d]) return false;
    }
    return (may_be_a && small->shape[last] == a->shape[last]) ||
           (may_be_1 && small->shape[last] == 1);
}

static daub_status mismatch(const char *op, const daub_array *a, const daub_array *b,
                            const char *expected) {
    char ta[DAUB_SHAPE_TEXT], tb[DAUB_SHAPE_TEXT];
    return daub_fail(DAUB_INVALID, "%s: %s %s and %s %s; %s expected", op,
                     daub_dtype_name(a->dtype), daub_shape_string(ta, a->ndim, a->shape),
                     daub_dtype_name(b->dtype), daub_shape_string(tb, b->ndim, b->shape), expected);
}

// Contiguous references to `count` arrays; released by drop.
static daub_status take(daub_array *plain, const daub_array *const *arrays, int count) {
    daub_status status = DAUB_OK;
    for (int i = 0; i < count && status == DAUB_OK; i++)
        status = daub_array_contiguous(&plain[i], arrays[i]);
    return status;
}

static daub_status drop(daub_status status, daub_array *plain, int count, daub_array *result,
                        daub_array *out) {
    for (int i = 0; i < count; i++) daub_array_release(&plain[i]);
    if (status == DAUB_OK)
        *out = *result;
    else
        daub_array_release(result);
    return status;
}

// ---- noise
// -----------------------------------------------------------------------------------------

typedef struct outer {
    char *y;
    const char *x, *t, *w;
    int64_t rows, channels, per_job, size;
    int type;
} outer;

static void outer_job(void *context, int64_t job, int worker) {
    (void)worker;
    const outer *o = context;
    int64_t r = job * o->per_job, rest = o->rows - r, at = r * o->channels * o->size;
    daub_kernels_get()->maps->add_outer[o->type](o->y + at, o->x + at, o->t + r * o->size, o->w,
                                                 rest < o->per_job ? rest : o->per_job,
                                                 o->channels);
}

static daub_status check_outer(const daub_array *x, const daub_array *t, const daub_array *w) {
    if (!daub_dtype_is_float(x->dtype) || !fits(x, t, false, true))
        return mismatch("add_outer", x, t, "f32 or f64 of shapes {.., C} and {.., 1}");
    if (w->dtype != x->dtype || w->ndim != 1 || w->shape[0] != x->shape[x->ndim - 1])
        return mismatch("add_outer", x, w, "{.., C} and a factor for each channel {C}");
    return DAUB_OK;
}

// All contiguous; y may be x.
static daub_status run_outer(char *y, const daub_array *x, const daub_array *t,
                             const daub_array *w) {
    if (daub_array_numel(x) == 0) return DAUB_OK;
    int64_t channels = w->shape[0], rows = daub_array_numel(x) / channels;
    outer o = {.y = y,
               .x = x->data,
               .t = t->data,
               .w = w->data,
               .rows = rows,
               .channels = channels,
               .per_job = CHUNK / channels + 1,
               .size = (int64_t)daub_dtype_size(x->dtype),
               .type = x->dtype == DAUB_F64};
    return daub_pool_run(outer_job, &o, (rows + o.per_job - 1) / o.per_job);
}

daub_status daub_array_add_outer(daub_array *y, const daub_array *x, const daub_array *t,
                                 const daub_array *w) {
    daub_array plain[3] = {{0}}, result = {0};
    daub_status status = check_outer(x, t, w);
    if (status == DAUB_OK) status = take(plain, (const daub_array *[]){x, t, w}, 3);
    if (status == DAUB_OK) status = daub_array_create(&result, x->dtype, x->ndim, x->shape);
    if (status == DAUB_OK) status = run_outer(result.data, &plain[0], &plain[1], &plain[2]);
    return drop(status, plain, 3, &result, y);
}

daub_status daub_array_add_outer_to(const daub_array *x, const daub_array *t, const daub_array *w) {
    daub_array plain[2] = {{0}}, none = {0}, unused;
    daub_status status = check_outer(x, t, w);
    if (status == DAUB_OK && !daub_array_is_contiguous(x))
        status =
            daub_fail(DAUB_INVALID, "add_outer: x is not contiguous, it cannot change in place");
    if (status == DAUB_OK) status = take(plain, (const daub_array *[]){t, w}, 2);
    if (status == DAUB_OK) status = run_outer(x->data, x, &plain[0], &plain[1]);
    return drop(status, plain, 2, &none, &unused);
}

// ---- sums of products
// ------------------------------------------------------------------------------

typedef struct products {
    const char *a, *b;
    double *sums; // [picture][piece][channel]
    int64_t pictures, rows, pieces, channels, b_channels, size;
    int type;
} products;

static void products_job(void *context, int64_t job, int worker) {
    (void)worker;
    const products *p = context;
    int64_t r = job % p->pieces * PIECE, rest = p->rows - r, count = rest < PIECE ? rest : PIECE;
    int64_t at = job / p->pieces * p->rows + r;
    const char *a = p->a + at * p->channels * p->size, *b = p->b + at * p->b_channels * p->size;
    const daub_maps_kernels *k = daub_kernels_get()->maps;
    (p->b_channels == p->channels ? k->products : k->weighted)[p->type](p->sums + job * p->channels,
                                                                        a, b, count, p->channels);
}

// The pieces of a picture, in order.
static void join(const products *p, daub_array *result) {
    for (int64_t n = 0; n < p->pictures; n++) {
        const double *from = p->sums + n * p->pieces * p->channels;
        for (int64_t c = 0; c < p->channels; c++) {
            double sum = 0;
            for (int64_t i = 0; i < p->pieces; i++) sum += from[i * p->channels + c];
            if (p->type)
                ((double *)result->data)[n * p->channels + c] = sum;
            else
                ((float *)result->data)[n * p->channels + c] = (float)sum;
        }
    }
}

daub_status daub_array_picture_sums(daub_array *sums, const daub_array *a, const daub_array *b) {
    daub_array plain[2] = {{0}}, result = {0};
    if (!daub_dtype_is_float(a->dtype) || a->ndim < 2 || !fits(a, b, true, true))
        return mismatch("picture_sums", a, b, "f32 or f64 {N, .., C} and {N, .., C} or {N, .., 1}");
    int64_t pictures = a->shape[0], channels = a->shape[a->ndim - 1];
    products p = {.pictures = pictures,
                  .channels = channels,
                  .b_channels = b->shape[b->ndim - 1],
                  .size = (int64_t)daub_dtype_size(a->dtype),
                  .type = a->dtype == DAUB_F64};
    daub_status status = take(plain, (const daub_array *[]){a, b}, 2);
    if (status == DAUB_OK)
        status = daub_array_create(&result, a->dtype, 2, (int64_t[]){pictures, channels});
    if (status == DAUB_OK && daub_array_numel(a) == 0) status = daub_array_fill(&result, 0);
    if (status == DAUB_OK && daub_array_numel(a) > 0) {
        p.rows = daub_array_numel(a) / pictures / channels;
        p.pieces = (p.rows + PIECE - 1) / PIECE;
        p.a = plain[0].data, p.b = plain[1].data;
        size_t bytes = (size_t)(pictures * p.pieces * channels) * sizeof(double);
        p.sums = daub_alloc(bytes);
        if (p.sums) {
            memset(p.sums, 0, bytes);
            status = daub_pool_run(products_job, &p, pictures * p.pieces);
            join(&p, &result);
        } else {
            status = DAUB_NO_MEMORY;
        }
        daub_free(p.sums);
    }
    return drop(status, plain, 2, &result, sums);
}

// ---- shifts
// ----------------------------------------------------------------------------------------

typedef struct shift {
    char *y;
    const char *x;
    const int64_t *by;
    int64_t height, width, pixel; // pixel: bytes
} shift;

// The places i of 0 … size - 1 for which i + by is one, too: from *first, *count of them.
static void overlap(int64_t size, int64_t by, int64_t *first, int64_t *count) {
    int64_t begin = by < 0 ? -by : 0, end = by > 0 ? size - by : size;
    *first = begin < size ? begin : size;
    *count = end > *first ? end - *first : 0;
}

static void shift_job(void *context, int64_t n, int worker) {
    (void)worker;
    const shift *s = context;
    int64_t down = s->by[2 * n], right = s->by[2 * n + 1], row = s->width * s->pixel;
    int64_t top, rows, left, columns;
    overlap(s->height, down, &top, &rows);
    overlap(s->width, right, &left, &columns);
    for (int64_t i = 0; i < s->height; i++) {
        char *to = s->y + (n * s->height + i) * row;
        if (i < top || i >= top + rows || columns == 0) {
            memset(to, 0, (size_t)row);
            continue;
        }
        const char *from = s->x + (n * s->height + i + down) * row + (left + right) * s->pixel;
        int64_t before = left * s->pixel, bytes = columns * s->pixel;
        memset(to, 0, (size_t)before);
        memcpy(to + before, from, (size_t)bytes);
        memset(to + before + bytes, 0, (size_t)(row - before - bytes));
    }
}

daub_status daub_array_shift(daub_array *y, const daub_array *x, const daub_array *by) {
    daub_array plain[2] = {{0}}, result = {0};
    if (x->ndim != 4 || by->dtype != DAUB_I64 || by->ndim != 2 || by->shape[0] != x->shape[0] ||
        by->shape[1] != 2)
        return mismatch("shift", x, by, "{N, H, W, C} and i64 {N, 2}");
    daub_status status = take(plain, (const daub_array *[]){x, by}, 2);
    const int64_t *p = plain[1].data;
    for (int64_t i = 0; i < 2 * x->shape[0] && status == DAUB_OK; i++) {
        if (p[i] < -INT32_MAX || p[i] > INT32_MAX)
            status = daub_fail(DAUB_INVALID, "shift: by %lld places; at most %d expected",
                               (long long)p[i], INT32_MAX);
    }
    if (status == DAUB_OK) status = daub_array_create(&result, x->dtype, x->ndim, x->shape);
    if (status == DAUB_OK && daub_array_numel(x) > 0) {
        shift s = {.y = result.data,
                   .x = plain[0].data,
                   .by = p,
                   .height = x->shape[1],
                   .width = x->shape[2],
                   .pixel = x->shape[3] * (int64_t)daub_dtype_size(x->dtype)};
        status = daub_pool_run(shift_job, &s, x->shape[0]);
    }
    return drop(status, plain, 2, &result, y);
}
