// Element by element: copies, conversions, functions of one, two and three operands.
#include <math.h>
#include <string.h>

#include "array/ops.h"
#include "array/transpose.h"
#include "array/walk.h"
#include "kernel/kernel.h"

#define OP_NAME(constant, name) #name,
static const char *const unary_names[] = {DAUB_UNARY_LIST(OP_NAME)};
static const char *const binary_names[] = {DAUB_BINARY_LIST(OP_NAME)};
static const char *const ternary_names[] = {DAUB_TERNARY_LIST(OP_NAME)};

static int parse(const char *name, const char *const *names, int count) {
    for (int i = 0; i < count; i++) {
        if (!strcmp(name, names[i])) return i;
    }
    return -1;
}

int daub_unary_parse(const char *name) {
    return parse(name, unary_names, DAUB_UNARY_OPS);
}
int daub_binary_parse(const char *name) {
    return parse(name, binary_names, DAUB_BINARY_OPS);
}
int daub_ternary_parse(const char *name) {
    return parse(name, ternary_names, DAUB_TERNARY_OPS);
}

static const daub_elementwise_kernels *kernels(void) {
    return daub_kernels_get()->elementwise;
}

daub_status daub_array_number(daub_array *out, daub_cell *cell, daub_dtype dtype, double value) {
    static const double low[] = {[DAUB_U8] = 0, [DAUB_I32] = -0x1p31, [DAUB_I64] = -0x1p63};
    static const double past_high[] = {[DAUB_U8] = 256, [DAUB_I32] = 0x1p31, [DAUB_I64] = 0x1p63};
    if (dtype == DAUB_U8 || dtype == DAUB_I32 || dtype == DAUB_I64) {
        if (!(value >= low[dtype] && value < past_high[dtype]) || value != floor(value))
            return daub_fail(DAUB_INVALID, "number %.14g does not fit into %s", value,
                             daub_dtype_name(dtype));
    }
    kernels()->cast[DAUB_F64][dtype](cell, &value, 1);
    *out = (daub_array){.dtype = dtype, .data = cell};
    return DAUB_OK;
}

double daub_array_element(const daub_array *a, int64_t offset) {
    double value;
    const char *p = (const char *)a->data + offset * (int64_t)daub_dtype_size(a->dtype);
    kernels()->cast[a->dtype][DAUB_F64](&value, p, 1);
    return value;
}

// ---- operands
// --------------------------------------------------------------------------------------

static daub_status unsupported(const char *op, daub_dtype dtype) {
    if (dtype == DAUB_BF16)
        return daub_fail(DAUB_INVALID, "%s: bf16 is for storage only; cast to f32 first", op);
    return daub_fail(DAUB_INVALID, "%s: not defined for %s; cast to f32 or f64 first", op,
                     daub_dtype_name(dtype));
}

static daub_status check_same_dtype(const char *op, const daub_array *a, const daub_array *b) {
    if (a->dtype == b->dtype) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: dtypes %s and %s differ; cast one of them", op,
                     daub_dtype_name(a->dtype), daub_dtype_name(b->dtype));
}

// Where `to` is given for a result of this shape and dtype.
static daub_status check_target(const char *op, const daub_array *to, daub_dtype dtype, int ndim,
                                const int64_t *shape) {
    char got[DAUB_SHAPE_TEXT], wanted[DAUB_SHAPE_TEXT];
    daub_array result = {.ndim = ndim};
    memcpy(result.shape, shape, (size_t)ndim * sizeof *shape);
    if (to->dtype != dtype || !daub_array_same_shape(to, &result))
        return daub_fail(DAUB_INVALID, "%s: the result %s %s cannot be written into %s %s", op,
                         daub_dtype_name(dtype), daub_shape_string(wanted, ndim, shape),
                         daub_dtype_name(to->dtype), daub_shape_string(got, to->ndim, to->shape));
    return daub_array_check_writable(op, to);
}

// True when writing `to` from front to back may change elements of `a` before they are read.
static bool overlaps(const daub_array *to, const daub_array *a) {
    if (!to->storage || to->storage != a->storage) return false;
    return !(to->data == a->data && to->dtype == a->dtype && daub_array_same_shape(to, a) &&
             !memcmp(to->stride, a->stride, (size_t)a->ndim * sizeof a->stride[0]));
}

typedef struct operands {
    const daub_array *in[3];
    daub_array copy[3]; // of those that overlap the target
    int count;
    bool copies; // elements go over as they are
} operands;

static daub_status guard(operands *o, const daub_array *to) {
    for (int i = 0; i < o->count; i++) {
        if (!overlaps(to, o->in[i])) continue;
        daub_status status = daub_array_clone(&o->copy[i], o->in[i]);
        if (status != DAUB_OK) return status;
        o->in[i] = &o->copy[i];
    }
    return DAUB_OK;
}

static daub_status run(daub_array *to, operands *o, unsigned one_allowed, daub_span span,
                       const void *kernel) {
    daub_walk w;
    daub_status status = guard(o, to);
    if (status == DAUB_OK) {
        daub_walk_init(&w, to, o->in, o->count);
        w.one_allowed = one_allowed;
        bool turned = o->copies && daub_is_transpose(&w);
        status = turned ? daub_transpose(&w) : daub_walk_run(&w, span, kernel);
    }
    for (int i = 0; i < o->count; i++) daub_array_release(&o->copy[i]);
    return status;
}

// A new array for a result, filled by `run`.
static daub_status run_new(daub_array *out, daub_dtype dtype, int ndim, const int64_t *shape,
                           operands *o, unsigned one_allowed, daub_span span, const void *kernel) {
    daub_array result;
    daub_status status = daub_array_create(&result, dtype, ndim, shape);
    if (status != DAUB_OK) return status;
    status = run(&result, o, one_allowed, span, kernel);
    if (status == DAUB_OK)
        *out = result;
    else
        daub_array_release(&result);
    return status;
}

// ---- copies
// ----------------------------------------------------------------------------------------

static void span1(const void *context, char *const *p, unsigned ones, int64_t n) {
    (void)ones;
    const daub_map1 *kernel = context;
    (*kernel)(p[0], p[1], n);
}

daub_status daub_array_cast(daub_array *out, const daub_array *a, daub_dtype dtype) {
    operands o = {.in = {a}, .count = 1, .copies = dtype == a->dtype};
    return run_new(out, dtype, a->ndim, a->shape, &o, 0, span1, &kernels()->cast[a->dtype][dtype]);
}

daub_status daub_array_clone(daub_array *out, const daub_array *a) {
    return daub_array_cast(out, a, a->dtype);
}

daub_status daub_array_contiguous(daub_array *out, const daub_array *a) {
    if (!daub_array_is_contiguous(a)) return daub_array_clone(out, a);
    daub_array_retain(out, a);
    return DAUB_OK;
}

daub_status daub_array_copy(daub_array *to, const daub_array *from) {
    char ta[DAUB_SHAPE_TEXT], tb[DAUB_SHAPE_TEXT];
    int ndim;
    int64_t shape[DAUB_MAX_DIMS];
    daub_status status = daub_shape_broadcast("copy_", &ndim, shape, to, from);
    if (status != DAUB_OK) return status;
    daub_array result = {.ndim = ndim};
    memcpy(result.shape, shape, sizeof shape);
    if (!daub_array_same_shape(to, &result))
        return daub_fail(DAUB_INVALID, "copy_: %s does not broadcast to %s",
                         daub_shape_string(tb, from->ndim, from->shape),
                         daub_shape_string(ta, to->ndim, to->shape));
    status = daub_array_check_writable("copy_", to);
    if (status != DAUB_OK) return status;
    operands o = {.in = {from}, .count = 1, .copies = from->dtype == to->dtype};
    return run(to, &o, 0, span1, &kernels()->cast[from->dtype][to->dtype]);
}

typedef struct fill {
    daub_cell cell;
    size_t size;
} fill;

static void fill_span(const void *context, char *const *p, unsigned ones, int64_t n) {
    (void)ones;
    const fill *f = context;
    switch (f->size) {
    case 1:
        memset(p[0], f->cell.u8, (size_t)n);
        break;
    case 2:
        for (int64_t i = 0; i < n; i++) ((uint16_t *)p[0])[i] = f->cell.bf16;
        break;
    case 4:
        for (int64_t i = 0; i < n; i++) ((int32_t *)p[0])[i] = f->cell.i32;
        break;
    default:
        for (int64_t i = 0; i < n; i++) ((int64_t *)p[0])[i] = f->cell.i64;
    }
}

daub_status daub_array_fill(daub_array *to, double value) {
    fill f = {.size = daub_dtype_size(to->dtype)};
    daub_array number;
    daub_status status = daub_array_number(&number, &f.cell, to->dtype, value);
    if (status == DAUB_OK) status = daub_array_check_writable("fill_", to);
    if (status != DAUB_OK) return status;
    operands o = {.count = 0};
    return run(to, &o, 0, fill_span, &f);
}

// ---- one operand
// -----------------------------------------------------------------------------------

static daub_dtype unary_result(daub_unary_op op, daub_dtype dtype) {
    return op == DAUB_ISNAN || op == DAUB_ISFINITE || op == DAUB_LOGICAL_NOT ? DAUB_U8 : dtype;
}

daub_status daub_array_unary(daub_array *out, daub_unary_op op, const daub_array *a) {
    const daub_map1 *kernel = &kernels()->unary[op][a->dtype];
    if (!*kernel) return unsupported(unary_names[op], a->dtype);
    operands o = {.in = {a}, .count = 1};
    return run_new(out, unary_result(op, a->dtype), a->ndim, a->shape, &o, 0, span1, kernel);
}

daub_status daub_array_unary_to(daub_array *to, daub_unary_op op, const daub_array *a) {
    const daub_map1 *kernel = &kernels()->unary[op][a->dtype];
    if (!*kernel) return unsupported(unary_names[op], a->dtype);
    daub_status status =
        check_target(unary_names[op], to, unary_result(op, a->dtype), a->ndim, a->shape);
    if (status != DAUB_OK) return status;
    operands o = {.in = {a}, .count = 1};
    return run(to, &o, 0, span1, kernel);
}

// ---- two operands
// ----------------------------------------------------------------------------------

static void span2(const void *context, char *const *p, unsigned ones, int64_t n) {
    const daub_map2 *kernel = context;
    int mode = n == 1     ? DAUB_VECTORS
               : ones & 4 ? DAUB_LAST_ONE
               : ones & 2 ? DAUB_FIRST_ONE
                          : DAUB_VECTORS;
    kernel[mode](p[0], p[1], p[2], n);
}

static daub_status prepare2(daub_binary_op op, const daub_array *a, const daub_array *b, int *ndim,
                            int64_t *shape) {
    const char *name = binary_names[op];
    daub_status status = check_same_dtype(name, a, b);
    if (status == DAUB_OK && !kernels()->binary[op][a->dtype][0])
        status = unsupported(name, a->dtype);
    if (status == DAUB_OK) status = daub_shape_broadcast(name, ndim, shape, a, b);
    return status;
}

static daub_dtype binary_result(daub_binary_op op, daub_dtype dtype) {
    return op >= DAUB_EQ ? DAUB_U8 : dtype;
}

daub_status daub_array_binary(daub_array *out, daub_binary_op op, const daub_array *a,
                              const daub_array *b) {
    int ndim;
    int64_t shape[DAUB_MAX_DIMS];
    daub_status status = prepare2(op, a, b, &ndim, shape);
    if (status != DAUB_OK) return status;
    operands o = {.in = {a, b}, .count = 2};
    return run_new(out, binary_result(op, a->dtype), ndim, shape, &o, 1u << 1 | 1u << 2, span2,
                   kernels()->binary[op][a->dtype]);
}

daub_status daub_array_binary_to(daub_array *to, daub_binary_op op, const daub_array *a,
                                 const daub_array *b) {
    int ndim;
    int64_t shape[DAUB_MAX_DIMS];
    daub_status status = prepare2(op, a, b, &ndim, shape);
    if (status == DAUB_OK)
        status = check_target(binary_names[op], to, binary_result(op, a->dtype), ndim, shape);
    if (status != DAUB_OK) return status;
    operands o = {.in = {a, b}, .count = 2};
    return run(to, &o, 1u << 1 | 1u << 2, span2, kernels()->binary[op][a->dtype]);
}

// ---- three operands
// --------------------------------------------------------------------------------

static void span3(const void *context, char *const *p, unsigned ones, int64_t n) {
    const daub_map3 *kernel = context;
    kernel[ones & 8 && n > 1 ? DAUB_LAST_ONE : DAUB_VECTORS](p[0], p[1], p[2], p[3], n);
}

static daub_status prepare3(daub_ternary_op op, const daub_array *a, const daub_array *b,
                            const daub_array *c, int *ndim, int64_t *shape) {
    const char *name = ternary_names[op];
    if (op == DAUB_WHERE && a->dtype != DAUB_U8)
        return daub_fail(DAUB_INVALID, "where: the condition is %s; it must be u8",
                         daub_dtype_name(a->dtype));
    daub_status status = check_same_dtype(name, b, c);
    if (status == DAUB_OK && op != DAUB_WHERE) status = check_same_dtype(name, a, b);
    if (status == DAUB_OK && !kernels()->ternary[op][b->dtype][0])
        status = unsupported(name, b->dtype);
    daub_array ab = {.dtype = b->dtype};
    if (status == DAUB_OK) status = daub_shape_broadcast(name, &ab.ndim, ab.shape, a, b);
    if (status == DAUB_OK) status = daub_shape_broadcast(name, ndim, shape, &ab, c);
    return status;
}

daub_status daub_array_ternary(daub_array *out, daub_ternary_op op, const daub_array *a,
                               const daub_array *b, const daub_array *c) {
    int ndim;
    int64_t shape[DAUB_MAX_DIMS];
    daub_status status = prepare3(op, a, b, c, &ndim, shape);
    if (status != DAUB_OK) return status;
    operands o = {.in = {a, b, c}, .count = 3};
    return run_new(out, b->dtype, ndim, shape, &o, 1u << 3, span3,
                   kernels()->ternary[op][b->dtype]);
}

daub_status daub_array_ternary_to(daub_array *to, daub_ternary_op op, const daub_array *a,
                                  const daub_array *b, const daub_array *c) {
    int ndim;
    int64_t shape[DAUB_MAX_DIMS];
    daub_status status = prepare3(op, a, b, c, &ndim, shape);
    if (status == DAUB_OK) status = check_target(ternary_names[op], to, b->dtype, ndim, shape);
    if (status != DAUB_OK) return status;
    operands o = {.in = {a, b, c}, .count = 3};
    return run(to, &o, 1u << 3, span3, kernels()->ternary[op][b->dtype]);
}
