// What depends on the order of the elements along one dimension: extremes, sorting, running sums.
// Each works on rows: the dimension is moved to the end first.
#include <stdlib.h>
#include <string.h>

#include "array/ops.h"
#include "base/pool.h"

typedef float f32;
typedef double f64;
typedef uint8_t u8;
typedef int32_t i32;
typedef int64_t i64;

enum { JOB_ELEMENTS = 32768 };

static void swap_with_last(int *dims, int ndim, int dim) {
    for (int d = 0; d < ndim; d++) dims[d] = d;
    dims[dim] = ndim - 1;
    dims[ndim - 1] = dim;
}

// `a` with `dim` and the last dimension in each other's place.
static daub_status swapped(daub_array *out, const daub_array *a, int dim) {
    int dims[DAUB_MAX_DIMS];
    swap_with_last(dims, a->ndim, dim);
    return daub_array_permute(out, a, a->ndim, dims);
}

// A contiguous array with `dim` last; a fresh one when `fresh`.
static daub_status make_rows(daub_array *out, const char *op, const daub_array *a, int dim,
                             bool fresh) {
    char text[DAUB_SHAPE_TEXT];
    if (dim < 0 || dim >= a->ndim)
        return daub_fail(DAUB_INVALID, "%s: no dimension %d in shape %s", op, dim + 1,
                         daub_shape_string(text, a->ndim, a->shape));
    if (a->dtype == DAUB_BF16)
        return daub_fail(DAUB_INVALID, "%s: bf16 is for storage only; cast to f32 first", op);
    daub_array view;
    daub_status status = swapped(&view, a, dim);
    if (status != DAUB_OK) return status;
    status = fresh ? daub_array_clone(out, &view) : daub_array_contiguous(out, &view);
    daub_array_release(&view);
    return status;
}

// Moves the last dimension of `a` back to `dim` and makes the result contiguous. Releases `a`.
static daub_status from_rows(daub_array *out, daub_array *a, int dim) {
    daub_array view, result;
    daub_status status = swapped(&view, a, dim);
    if (status == DAUB_OK) {
        status = daub_array_contiguous(&result, &view);
        daub_array_release(&view);
    }
    daub_array_release(a);
    if (status == DAUB_OK) *out = result;
    return status;
}

typedef struct rows {
    char *values;
    int64_t *indices;
    int64_t count, length, per_job, size;
    bool flag; // largest, or descending
    void (*work)(void *values, int64_t *indices, int64_t n, bool flag);
    int64_t index_step; // indices per row
} rows;

static void rows_job(void *context, int64_t index, int worker) {
    (void)worker;
    const rows *r = context;
    int64_t end = (index + 1) * r->per_job < r->count ? (index + 1) * r->per_job : r->count;
    for (int64_t i = index * r->per_job; i < end; i++)
        r->work(r->values + i * r->length * r->size, r->indices + i * r->index_step, r->length,
                r->flag);
}

// Calls work for every row of the contiguous `a`.
static daub_status each_row(rows *r, const daub_array *a) {
    r->length = a->shape[a->ndim - 1];
    r->size = (int64_t)daub_dtype_size(a->dtype);
    r->values = a->data;
    r->count = 1;
    for (int d = 0; d < a->ndim - 1; d++) r->count *= a->shape[d];
    r->per_job = JOB_ELEMENTS / (r->length > 0 ? r->length : 1);
    if (r->per_job < 1) r->per_job = 1;
    return daub_pool_run(rows_job, r, (r->count + r->per_job - 1) / r->per_job);
}

// A NaN is above everything.
#define ABOVE(x, y) ((x) > (y) || ((x) != (x) && (y) == (y)))

#define FOR_DTYPES(X) X(f32) X(f64) X(u8) X(i32) X(i64)
#define DISPATCH(name)                                                                             \
    {                                                                                              \
        [DAUB_F32] = name##_f32, [DAUB_F64] = name##_f64, [DAUB_U8] = name##_u8,                   \
        [DAUB_I32] = name##_i32, [DAUB_I64] = name##_i64                                           \
    }

// ---- extremes
// --------------------------------------------------------------------------------------

#define ARG(T)                                                                                     \
    static void arg_##T(void *values, int64_t *index, int64_t n, bool largest) {                   \
        const T *v = values;                                                                       \
        int64_t best = 0;                                                                          \
        for (int64_t i = 1; i < n && v[best] == v[best]; i++) {                                    \
            if (v[i] != v[i] || (largest ? v[i] > v[best] : v[i] < v[best])) best = i;             \
        }                                                                                          \
        *index = best + 1;                                                                         \
    }
FOR_DTYPES(ARG)

daub_status daub_array_arg(daub_array *out, bool largest, const daub_array *a, int dim, bool keep) {
    static void (*const work[])(void *, int64_t *, int64_t, bool) = DISPATCH(arg);
    const char *op = largest ? "argmax" : "argmin";
    char text[DAUB_SHAPE_TEXT];
    daub_array values, indices = {0};
    daub_status status = make_rows(&values, op, a, dim, false);
    if (status != DAUB_OK) return status;
    if (a->shape[dim] == 0) {
        daub_array_release(&values);
        return daub_fail(DAUB_INVALID, "%s: nothing to compare in shape %s", op,
                         daub_shape_string(text, a->ndim, a->shape));
    }
    int64_t shape[DAUB_MAX_DIMS];
    memcpy(shape, values.shape, sizeof shape);
    shape[a->ndim - 1] = 1;
    status = daub_array_create(&indices, DAUB_I64, a->ndim, shape);
    if (status == DAUB_OK) {
        rows r = {
            .indices = indices.data, .index_step = 1, .flag = largest, .work = work[a->dtype]};
        status = each_row(&r, &values);
    }
    daub_array_release(&values);
    if (status == DAUB_OK) status = from_rows(&indices, &indices, dim);
    if (status == DAUB_OK && !keep) {
        daub_array dropped;
        status = daub_array_select(&dropped, &indices, dim, 0);
        daub_array_release(&indices);
        indices = dropped;
    }
    if (status == DAUB_OK)
        *out = indices;
    else
        daub_array_release(&indices);
    return status;
}

// ---- sorting
// ---------------------------------------------------------------------------------------

// Ties keep their order, so that qsort becomes stable.
#define SORT(T)                                                                                    \
    typedef struct pair_##T {                                                                      \
        T value;                                                                                   \
        int64_t index;                                                                             \
    } pair_##T;                                                                                    \
    static int up_##T(const void *left, const void *right) {                                       \
        const pair_##T *x = left, *y = right;                                                      \
        if (ABOVE(x->value, y->value)) return 1;                                                   \
        if (ABOVE(y->value, x->value)) return -1;                                                  \
        return x->index < y->index ? -1 : 1;                                                       \
    }                                                                                              \
    static int down_##T(const void *left, const void *right) {                                     \
        const pair_##T *x = left, *y = right;                                                      \
        if (ABOVE(x->value, y->value)) return -1;                                                  \
        if (ABOVE(y->value, x->value)) return 1;                                                   \
        return x->index < y->index ? -1 : 1;                                                       \
    }                                                                                              \
    static void sort_##T(void *values, int64_t *indices, int64_t n, bool descending) {             \
        T *v = values;                                                                             \
        pair_##T *pairs = (pair_##T *)indices; /* room for a pair per element */                   \
        for (int64_t i = 0; i < n; i++) pairs[i] = (pair_##T){v[i], i + 1};                        \
        qsort(pairs, (size_t)n, sizeof *pairs, descending ? down_##T : up_##T);                    \
        for (int64_t i = 0; i < n; i++) v[i] = pairs[i].value;                                     \
        for (int64_t i = 0; i < n; i++) indices[i] = pairs[i].index;                               \
    }
FOR_DTYPES(SORT)

// Long rows of f32 by their bits, 11 at a time from the lowest: stable, and 6 times as fast.
enum { DIGIT = 11, DIGITS = 1 << DIGIT, PASSES = 3, RADIX_FROM = 1024 };

typedef struct keyed {
    uint32_t key, index; // from 0
} keyed;

// In the order of the values: -0 as 0, a NaN above everything.
static uint32_t radix_key(f32 x, bool descending) {
    uint32_t bits;
    if (x == 0) x = 0;
    memcpy(&bits, &x, sizeof bits);
    uint32_t key = x != x ? UINT32_MAX : bits >> 31 != 0 ? ~bits : bits | UINT32_C(0x80000000);
    return descending ? ~key : key;
}

// `indices` has room for 16 bytes per element: two lists of keys.
static void radix_f32(void *values, int64_t *indices, int64_t n, bool descending) {
    if (n < RADIX_FROM || n > INT32_MAX) {
        sort_f32(values, indices, n, descending);
        return;
    }
    f32 *v = values;
    keyed *from = (keyed *)indices, *to = from + n;
    uint32_t counts[PASSES][DIGITS] = {{0}};
    for (int64_t i = 0; i < n; i++) {
        uint32_t key = radix_key(v[i], descending);
        from[i] = (keyed){key, (uint32_t)i};
        for (int p = 0; p < PASSES; p++) counts[p][key >> (p * DIGIT) & (DIGITS - 1)]++;
    }
    for (int p = 0; p < PASSES; p++) {
        uint32_t start = 0;
        for (int d = 0; d < DIGITS; d++) {
            uint32_t count = counts[p][d];
            counts[p][d] = start;
            start += count;
        }
        for (int64_t i = 0; i < n; i++)
            to[counts[p][from[i].key >> (p * DIGIT) & (DIGITS - 1)]++] = from[i];
        keyed *other = from;
        from = to, to = other;
    }
    f32 *unsorted = (f32 *)to; // the first half, free after an odd number of passes
    memcpy(unsorted, v, (size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = unsorted[from[i].index];
    for (int64_t i = 0; i < n; i++) indices[i] = (int64_t)from[i].index + 1;
}

daub_status daub_array_sort(daub_array *values, daub_array *indices, const daub_array *a, int dim,
                            bool descending) {
    static void (*const work[])(void *, int64_t *, int64_t, bool) = {[DAUB_F32] = radix_f32,
                                                                     [DAUB_F64] = sort_f64,
                                                                     [DAUB_U8] = sort_u8,
                                                                     [DAUB_I32] = sort_i32,
                                                                     [DAUB_I64] = sort_i64};
    daub_array sorted = {0}, pairs = {0}, order = {0};
    daub_status status = make_rows(&sorted, "sort", a, dim, true);
    if (status != DAUB_OK) return status;
    int64_t shape[DAUB_MAX_DIMS];
    memcpy(shape, sorted.shape, sizeof shape);
    int last = a->ndim - 1;
    int64_t length = shape[last];
    shape[last] = 2 * length; // pairs of value and index
    status = daub_array_create(&pairs, DAUB_I64, a->ndim, shape);
    if (status == DAUB_OK) {
        rows r = {.indices = pairs.data,
                  .index_step = 2 * length,
                  .flag = descending,
                  .work = work[a->dtype]};
        status = each_row(&r, &sorted);
    }
    if (status == DAUB_OK) status = daub_array_narrow(&order, &pairs, last, 0, length, 1);
    daub_array_release(&pairs);
    if (status == DAUB_OK) status = from_rows(&order, &order, dim);
    if (status == DAUB_OK) status = from_rows(&sorted, &sorted, dim);
    if (status == DAUB_OK) {
        *values = sorted;
        *indices = order;
        return DAUB_OK;
    }
    daub_array_release(&sorted);
    daub_array_release(&order);
    return status;
}

// ---- running sums
// ----------------------------------------------------------------------------------

#define CUMSUM(T, A)                                                                               \
    static void cumsum_##T(void *values, int64_t *unused, int64_t n, bool flag) {                  \
        (void)unused, (void)flag;                                                                  \
        T *v = values;                                                                             \
        A sum = 0;                                                                                 \
        for (int64_t i = 0; i < n; i++) v[i] = (T)(sum += (A)v[i]);                                \
    }
CUMSUM(f32, f64)
CUMSUM(f64, f64)
CUMSUM(i64, uint64_t) // wraps

daub_status daub_array_cumsum(daub_array *out, const daub_array *a, int dim) {
    daub_array wide, sums;
    daub_status status;
    if (!daub_dtype_is_float(a->dtype) && a->dtype != DAUB_BF16)
        status = daub_array_cast(&wide, a, DAUB_I64);
    else
        daub_array_retain(&wide, a), status = DAUB_OK;
    if (status != DAUB_OK) return status;
    status = make_rows(&sums, "cumsum", &wide, dim, true);
    daub_array_release(&wide);
    if (status != DAUB_OK) return status;
    rows r = {.work = sums.dtype == DAUB_F32   ? cumsum_f32
                      : sums.dtype == DAUB_F64 ? cumsum_f64
                                               : cumsum_i64};
    status = each_row(&r, &sums);
    if (status == DAUB_OK) return from_rows(out, &sums, dim);
    daub_array_release(&sums);
    return status;
}
