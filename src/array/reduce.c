// Reductions over any set of dimensions.
//
// What is reduced is cut into pieces by size alone; each piece has its own accumulators, which are
// combined in order: the same sum for any number of threads.
#include <math.h>
#include <string.h>

#include "array/ops.h"
#include "base/memory.h"
#include "base/pool.h"
#include "kernel/kernel.h"

#define OP_NAME(constant, name) #name,
static const char *const names[] = {DAUB_REDUCE_LIST(OP_NAME)};

enum {
    SMALL = 32768,       // elements worked on without the pool
    PIECE = 65536,       // elements of a piece
    COLUMN_BLOCK = 1024, // columns a job takes
    ENOUGH_JOBS = 64,
    MOST_PIECES = 512,
    HERE = 256 // accumulators kept on the stack
};

int daub_reduce_parse(const char *name) {
    for (int i = 0; i < DAUB_REDUCE_OPS; i++) {
        if (!strcmp(name, names[i])) return i;
    }
    return -1;
}

typedef struct dims {
    int n;
    int64_t count; // product of the sizes
    int64_t size[DAUB_MAX_DIMS], stride[DAUB_MAX_DIMS];
} dims;

typedef struct plan {
    const char *data;
    int element;
    daub_columns columns;
    daub_lines lines;   // NULL unless every output is one short line, and these follow each other
    dims kept, reduced; // without the columns
    int64_t n;          // columns: contiguous elements that are kept
    int64_t pieces, piece_rows, column_blocks, group, groups;
    daub_cell *acc; // [pieces][kept][n]
} plan;

static void add_dim(dims *d, int64_t size, int64_t stride) {
    d->count *= size;
    if (size == 1) return;
    if (d->n > 0 && d->stride[d->n - 1] == stride * size) {
        d->size[d->n - 1] *= size;
        d->stride[d->n - 1] = stride;
        return;
    }
    d->size[d->n] = size;
    d->stride[d->n++] = stride;
}

// Larger strides first: the innermost loop then runs over neighbours.
static void sort_dims(dims *d) {
    dims sorted = {.count = 1};
    for (bool used[DAUB_MAX_DIMS] = {false};;) {
        int best = -1;
        for (int i = 0; i < d->n; i++) {
            if (!used[i] && (best < 0 || d->stride[i] > d->stride[best])) best = i;
        }
        if (best < 0) break;
        used[best] = true;
        add_dim(&sorted, d->size[best], d->stride[best]);
    }
    sorted.count = d->count;
    *d = sorted;
}

static int64_t offset_of(const dims *d, int64_t at) {
    int64_t offset = 0;
    for (int i = d->n - 1; i >= 0; i--) {
        offset += at % d->size[i] * d->stride[i];
        at /= d->size[i];
    }
    return offset;
}

// Sorts the dimensions; false when neither kept nor reduced neighbours are contiguous in memory.
static bool plan_dims(plan *p, const daub_array *a, unsigned over) {
    p->kept.count = p->reduced.count = p->n = 1;
    for (int d = 0; d < a->ndim; d++)
        add_dim(over >> d & 1 ? &p->reduced : &p->kept, a->shape[d], a->stride[d]);
    sort_dims(&p->reduced);
    dims *k = &p->kept, *r = &p->reduced;
    if (k->count == 0 || r->count == 0) return true;
    bool row = r->n > 0 && r->stride[r->n - 1] == 1;
    if (!row && k->n > 0 && k->stride[k->n - 1] == 1) {
        p->n = k->size[--k->n];
        k->count /= p->n;
        return true;
    }
    return row || (r->n == 0 && k->n == 0);
}

static bool are_lines(const plan *p) {
    const dims *k = &p->kept, *r = &p->reduced;
    if (p->n != 1 || p->pieces != 1 || k->n > 1 || r->n != 1 || r->count > DAUB_SHORT_LINE)
        return false;
    return r->stride[0] == 1 && (k->n == 0 || k->stride[0] == r->size[0]);
}

static void plan_jobs(plan *p) {
    int64_t kept = p->kept.count, rows = p->reduced.count;
    p->column_blocks = (p->n + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
    int64_t units = kept * p->column_blocks, width = p->n < COLUMN_BLOCK ? p->n : COLUMN_BLOCK;
    p->pieces = 1;
    if (units < ENOUGH_JOBS) {
        p->pieces = (rows * width + PIECE - 1) / PIECE;
        if (p->pieces > MOST_PIECES) p->pieces = MOST_PIECES;
        if (p->pieces < 1) p->pieces = 1;
    }
    p->piece_rows = (rows + p->pieces - 1) / p->pieces;
    p->group = rows > 0 ? SMALL / (rows * p->n) : kept;
    if (p->group < 1) p->group = 1;
    p->groups = (kept + p->group - 1) / p->group;
}

// Rows begin … end-1 of what is reduced, for columns c … c+n-1.
static void reduce_rows(const plan *p, daub_cell *acc, const char *base, int64_t begin, int64_t end,
                        int64_t n) {
    const dims *r = &p->reduced;
    int64_t inner = r->n > 0 ? r->size[r->n - 1] : 1, step = r->n > 0 ? r->stride[r->n - 1] : p->n;
    while (begin < end) {
        int64_t rows = inner - begin % inner;
        if (rows > end - begin) rows = end - begin;
        p->columns(acc, base + offset_of(r, begin) * p->element, step, rows, n);
        begin += rows;
    }
}

static void job(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    int64_t piece = index % p->pieces, block = index / p->pieces % p->column_blocks;
    int64_t group = index / p->pieces / p->column_blocks;
    int64_t c = block * COLUMN_BLOCK, n = p->n - c < COLUMN_BLOCK ? p->n - c : COLUMN_BLOCK;
    int64_t begin = piece * p->piece_rows, end = begin + p->piece_rows;
    if (end > p->reduced.count) end = p->reduced.count;
    int64_t last = (group + 1) * p->group < p->kept.count ? (group + 1) * p->group : p->kept.count;
    if (p->lines) {
        int64_t k = group * p->group, length = p->reduced.count;
        p->lines(p->acc + k, p->data + k * length * p->element, last - k, length);
        return;
    }
    for (int64_t k = group * p->group; k < last; k++) {
        daub_cell *acc = p->acc + (piece * p->kept.count + k) * p->n + c;
        reduce_rows(p, acc, p->data + (offset_of(&p->kept, k) + c) * p->element, begin, end, n);
    }
}

static daub_cell start_value(daub_reduce_op op, daub_dtype acc) {
    daub_cell cell = {.i64 = 0};
    double one = op == DAUB_PROD || op == DAUB_ALL,
           infinite = op == DAUB_MAX_OF ? -INFINITY : INFINITY;
    bool extreme = op == DAUB_MAX_OF || op == DAUB_MIN_OF;
    if (acc == DAUB_F64)
        cell.f64 = extreme ? infinite : one;
    else
        cell.i64 = extreme ? (op == DAUB_MAX_OF ? INT64_MIN : INT64_MAX) : (int64_t)one;
    return cell;
}

static daub_status accumulate(plan *p, daub_reduce_op op, daub_dtype acc) {
    const daub_reduce_kernels *kernels = daub_kernels_get()->reduce;
    int64_t outputs = p->kept.count * p->n;
    daub_cell first = start_value(op, acc);
    for (int64_t i = 0; i < p->pieces * outputs; i++) p->acc[i] = first;
    int64_t jobs = p->groups * p->column_blocks * p->pieces;
    daub_status status = DAUB_OK;
    if (p->reduced.count * outputs <= SMALL) {
        for (int64_t i = 0; i < jobs; i++) job(p, i, 0);
    } else {
        status = daub_pool_run(job, p, jobs);
    }
    if (p->pieces > 1) {
        daub_reduce_op again = op == DAUB_SUMSQ ? DAUB_SUM : op;
        kernels->columns[again][acc](p->acc, p->acc + outputs, outputs, p->pieces - 1, outputs);
    }
    return status;
}

static daub_status check(daub_reduce_op op, const daub_array *a, unsigned over) {
    char text[DAUB_SHAPE_TEXT];
    const char *shape = daub_shape_string(text, a->ndim, a->shape);
    if (over >> a->ndim)
        return daub_fail(DAUB_INVALID, "%s: shape %s has no such dimension", names[op], shape);
    if (a->dtype == DAUB_BF16 || (op == DAUB_MEAN && !daub_dtype_is_float(a->dtype)))
        return daub_fail(DAUB_INVALID, "%s: not defined for %s; cast to f32 or f64 first",
                         names[op], daub_dtype_name(a->dtype));
    for (int d = 0; d < a->ndim; d++) {
        if ((op == DAUB_MAX_OF || op == DAUB_MIN_OF) && over >> d & 1 && a->shape[d] == 0)
            return daub_fail(DAUB_INVALID, "%s: nothing to compare in shape %s", names[op], shape);
    }
    return DAUB_OK;
}

static daub_dtype result_dtype(daub_reduce_op op, daub_dtype dtype) {
    if (op == DAUB_ANY || op == DAUB_ALL) return DAUB_U8;
    if (daub_dtype_is_float(dtype) || op == DAUB_MAX_OF || op == DAUB_MIN_OF) return dtype;
    return DAUB_I64;
}

static daub_status create_result(daub_array *out, daub_reduce_op op, const daub_array *a,
                                 unsigned over, bool keep) {
    int64_t shape[DAUB_MAX_DIMS];
    int n = 0;
    for (int d = 0; d < a->ndim; d++) {
        if (!(over >> d & 1))
            shape[n++] = a->shape[d];
        else if (keep)
            shape[n++] = 1;
    }
    return daub_array_create(out, result_dtype(op, a->dtype), n, shape);
}

static daub_status reduce_planned(daub_array *out, plan *p, daub_reduce_op op,
                                  const daub_array *a) {
    daub_reduce_op sum_op = op == DAUB_MEAN ? DAUB_SUM : op;
    bool truth = op == DAUB_ANY || op == DAUB_ALL;
    daub_dtype acc = daub_dtype_is_float(a->dtype) && !truth ? DAUB_F64 : DAUB_I64;
    int64_t outputs = p->kept.count * p->n;
    daub_cell here[HERE];
    p->data = a->data;
    p->element = (int)daub_dtype_size(a->dtype);
    p->columns = daub_kernels_get()->reduce->columns[sum_op][a->dtype];
    plan_jobs(p);
    if (are_lines(p)) p->lines = daub_kernels_get()->reduce->lines[sum_op][a->dtype];
    p->acc = here;
    if (p->pieces * outputs > HERE) p->acc = daub_alloc((size_t)(p->pieces * outputs) * 8);
    if (!p->acc) return DAUB_NO_MEMORY;
    daub_status status = accumulate(p, sum_op, acc);
    if (op == DAUB_MEAN) {
        for (int64_t i = 0; i < outputs; i++) p->acc[i].f64 /= (double)p->reduced.count;
    }
    daub_kernels_get()->elementwise->cast[acc][out->dtype](out->data, p->acc, outputs);
    if (p->acc != here) daub_free(p->acc);
    return status;
}

daub_status daub_array_reduce(daub_array *out, daub_reduce_op op, const daub_array *a,
                              unsigned over, bool keep) {
    plan p = {0};
    daub_array result = {0}, copy = {0};
    daub_status status = check(op, a, over);
    if (status == DAUB_OK && !plan_dims(&p, a, over)) {
        status = daub_array_clone(&copy, a);
        a = &copy;
        p = (plan){0};
        if (status == DAUB_OK) plan_dims(&p, a, over);
    }
    if (status == DAUB_OK) status = create_result(&result, op, a, over, keep);
    if (status == DAUB_OK) status = reduce_planned(&result, &p, op, a);
    daub_array_release(&copy);
    if (status == DAUB_OK)
        *out = result;
    else
        daub_array_release(&result);
    return status;
}
