// Elements picked and added by arrays of 1-based indices.
#include <string.h>

#include "array/ops.h"
#include "base/pool.h"
#include "kernel/kernel.h"

enum { JOB_BYTES = 1 << 17, COLUMN_BLOCK = 1024, PICKS = 32768 };

static daub_status check_dim(const char *op, const daub_array *a, int dim) {
    char text[DAUB_SHAPE_TEXT];
    if (dim >= 0 && dim < a->ndim) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: no dimension %d in shape %s", op, dim + 1,
                     daub_shape_string(text, a->ndim, a->shape));
}

// The indices as contiguous, checked, 0-based i64: always a fresh array.
static daub_status load_indices(daub_array *out, const char *op, const daub_array *idx,
                                const daub_array *a, int dim) {
    char text[DAUB_SHAPE_TEXT];
    if (idx->dtype != DAUB_I64 && idx->dtype != DAUB_I32)
        return daub_fail(DAUB_INVALID, "%s: indices are %s; they must be i64 or i32", op,
                         daub_dtype_name(idx->dtype));
    daub_status status = daub_array_cast(out, idx, DAUB_I64);
    if (status != DAUB_OK) return status;
    int64_t *p = out->data;
    for (int64_t i = 0, n = daub_array_numel(out); i < n; i++) {
        if (p[i] < 1 || p[i] > a->shape[dim]) {
            long long wrong = (long long)p[i];
            daub_array_release(out);
            return daub_fail(DAUB_INVALID, "%s: index %lld is not in dimension %d of %s", op, wrong,
                             dim + 1, daub_shape_string(text, a->ndim, a->shape));
        }
        p[i]--;
    }
    return DAUB_OK;
}

// An array seen as [outer, size of dim, inner].
static void around(const daub_array *a, int dim, int64_t *outer, int64_t *inner) {
    *outer = *inner = 1;
    for (int d = 0; d < a->ndim; d++) {
        if (d < dim) *outer *= a->shape[d];
        if (d > dim) *inner *= a->shape[d];
    }
}

typedef struct slices {
    char *to;
    const char *from;
    const int64_t *index;
    int64_t count, size; // indices; elements of dim
    int64_t outer, inner, per_job;
    int element; // bytes
    daub_map2 add;
} slices;

// ---- whole slices
// ----------------------------------------------------------------------------------

static void select_job(void *context, int64_t job, int worker) {
    (void)worker;
    const slices *s = context;
    int64_t bytes = s->inner * s->element, total = s->outer * s->count;
    int64_t end = (job + 1) * s->per_job < total ? (job + 1) * s->per_job : total;
    for (int64_t i = job * s->per_job; i < end; i++) {
        int64_t row = i / s->count * s->size + s->index[i % s->count];
        memcpy(s->to + i * bytes, s->from + row * bytes, (size_t)bytes);
    }
}

static daub_status check_list(const char *op, const daub_array *idx) {
    char text[DAUB_SHAPE_TEXT];
    if (idx->ndim == 1) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: indices have shape %s; one dimension expected", op,
                     daub_shape_string(text, idx->ndim, idx->shape));
}

daub_status daub_array_index_select(daub_array *out, const daub_array *a, int dim,
                                    const daub_array *idx) {
    daub_array index = {0}, plain = {0}, result = {0};
    daub_status status = check_dim("index_select", a, dim);
    if (status == DAUB_OK) status = check_list("index_select", idx);
    if (status == DAUB_OK) status = load_indices(&index, "index_select", idx, a, dim);
    if (status == DAUB_OK) status = daub_array_contiguous(&plain, a);
    if (status == DAUB_OK) {
        int64_t shape[DAUB_MAX_DIMS];
        memcpy(shape, a->shape, sizeof shape);
        shape[dim] = index.shape[0];
        status = daub_array_create(&result, a->dtype, a->ndim, shape);
    }
    if (status == DAUB_OK && daub_array_numel(&result) > 0) {
        slices s = {.to = result.data,
                    .from = plain.data,
                    .index = index.data,
                    .count = index.shape[0],
                    .size = a->shape[dim],
                    .element = (int)daub_dtype_size(a->dtype)};
        around(a, dim, &s.outer, &s.inner);
        s.per_job = JOB_BYTES / (s.inner * s.element) + 1;
        status = daub_pool_run(select_job, &s, (s.outer * s.count + s.per_job - 1) / s.per_job);
    }
    daub_array_release(&index);
    daub_array_release(&plain);
    if (status == DAUB_OK)
        *out = result;
    else
        daub_array_release(&result);
    return status;
}

// One job adds all slices, in order, to its own columns: repeated indices then add up in order.
static void add_job(void *context, int64_t job, int worker) {
    (void)worker;
    const slices *s = context;
    int64_t blocks = (s->inner + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
    int64_t outer = job / blocks, c = job % blocks * COLUMN_BLOCK;
    int64_t n = s->inner - c < COLUMN_BLOCK ? s->inner - c : COLUMN_BLOCK;
    for (int64_t k = 0; k < s->count; k++) {
        char *to = s->to + ((outer * s->size + s->index[k]) * s->inner + c) * s->element;
        s->add(to, to, s->from + ((outer * s->count + k) * s->inner + c) * s->element, n);
    }
}

static daub_status check_addition(const char *op, const daub_array *a, const daub_array *source) {
    daub_status status = daub_array_check_writable(op, a);
    if (status != DAUB_OK) return status;
    if (a->dtype == DAUB_BF16)
        return daub_fail(DAUB_INVALID, "%s: bf16 is for storage only; cast to f32 first", op);
    if (source->dtype != a->dtype)
        return daub_fail(DAUB_INVALID, "%s: dtypes %s and %s differ; cast one of them", op,
                         daub_dtype_name(a->dtype), daub_dtype_name(source->dtype));
    return DAUB_OK;
}

static daub_status check_index_add(const daub_array *a, int dim, const daub_array *idx,
                                   const daub_array *source) {
    char text[DAUB_SHAPE_TEXT], wanted[DAUB_SHAPE_TEXT];
    daub_status status = check_dim("index_add_", a, dim);
    if (status == DAUB_OK) status = check_list("index_add_", idx);
    if (status == DAUB_OK) status = check_addition("index_add_", a, source);
    if (status != DAUB_OK) return status;
    daub_array expected = *a;
    expected.shape[dim] = idx->shape[0];
    if (!daub_array_same_shape(&expected, source))
        return daub_fail(DAUB_INVALID, "index_add_: source has shape %s; %s expected",
                         daub_shape_string(text, source->ndim, source->shape),
                         daub_shape_string(wanted, expected.ndim, expected.shape));
    return DAUB_OK;
}

daub_status daub_array_index_add(daub_array *a, int dim, const daub_array *idx,
                                 const daub_array *source) {
    daub_array index = {0}, from = {0}, plain = {0};
    daub_status status = check_index_add(a, dim, idx, source);
    if (status == DAUB_OK) status = load_indices(&index, "index_add_", idx, a, dim);
    if (status == DAUB_OK) {
        bool shared = source->storage && source->storage == a->storage;
        status = shared ? daub_array_clone(&from, source) : daub_array_contiguous(&from, source);
    }
    if (status == DAUB_OK) status = daub_array_contiguous(&plain, a);
    if (status == DAUB_OK) {
        slices s = {.to = plain.data,
                    .from = from.data,
                    .index = index.data,
                    .count = index.shape[0],
                    .size = a->shape[dim],
                    .element = (int)daub_dtype_size(a->dtype),
                    .add = daub_kernels_get()->elementwise->binary[DAUB_ADD][a->dtype][0]};
        around(a, dim, &s.outer, &s.inner);
        int64_t blocks = (s.inner + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
        status = daub_pool_run(add_job, &s, s.outer * blocks);
    }
    if (status == DAUB_OK && plain.storage != a->storage) status = daub_array_copy(a, &plain);
    daub_array_release(&index);
    daub_array_release(&from);
    daub_array_release(&plain);
    return status;
}

// ---- single elements
// -------------------------------------------------------------------------------

typedef struct picks {
    const daub_array *a;   // of which elements are picked
    const daub_array *idx; // 0-based, contiguous
    char *other;           // contiguous, of idx's shape
    int dim, element;
    int64_t per_job;
    daub_map2 add; // NULL: gather
} picks;

static void picks_job(void *context, int64_t job, int worker) {
    (void)worker;
    const picks *p = context;
    const int64_t *index = p->idx->data;
    int64_t n = daub_array_numel(p->idx), begin = job * p->per_job;
    int64_t end = begin + p->per_job < n ? begin + p->per_job : n;
    for (int64_t i = begin; i < end; i++) {
        int64_t offset = 0, at = i;
        for (int d = p->idx->ndim - 1; d >= 0; d--) {
            int64_t c = at % p->idx->shape[d];
            at /= p->idx->shape[d];
            offset += (d == p->dim ? index[i] : c) * p->a->stride[d];
        }
        char *picked = (char *)p->a->data + offset * p->element, *other = p->other + i * p->element;
        if (p->add)
            p->add(picked, picked, other, 1);
        else
            memcpy(other, picked, (size_t)p->element);
    }
}

static daub_status check_picks(const char *op, const daub_array *a, int dim,
                               const daub_array *idx) {
    char sa[DAUB_SHAPE_TEXT], si[DAUB_SHAPE_TEXT];
    daub_status status = check_dim(op, a, dim);
    if (status != DAUB_OK) return status;
    bool fits = idx->ndim == a->ndim;
    for (int d = 0; d < a->ndim && fits; d++) fits = d == dim || idx->shape[d] <= a->shape[d];
    if (fits) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: indices of shape %s do not fit %s along dimension %d", op,
                     daub_shape_string(si, idx->ndim, idx->shape),
                     daub_shape_string(sa, a->ndim, a->shape), dim + 1);
}

daub_status daub_array_gather(daub_array *out, const daub_array *a, int dim,
                              const daub_array *idx) {
    daub_array index = {0}, result = {0};
    daub_status status = check_picks("gather", a, dim, idx);
    if (status == DAUB_OK) status = load_indices(&index, "gather", idx, a, dim);
    if (status == DAUB_OK) status = daub_array_create(&result, a->dtype, idx->ndim, idx->shape);
    if (status == DAUB_OK) {
        picks p = {a, &index, result.data, dim, (int)daub_dtype_size(a->dtype), PICKS, NULL};
        status = daub_pool_run(picks_job, &p, (daub_array_numel(&index) + PICKS - 1) / PICKS);
    }
    daub_array_release(&index);
    if (status == DAUB_OK)
        *out = result;
    else
        daub_array_release(&result);
    return status;
}

daub_status daub_array_scatter_add(daub_array *a, int dim, const daub_array *idx,
                                   const daub_array *source) {
    char si[DAUB_SHAPE_TEXT], ss[DAUB_SHAPE_TEXT];
    daub_array index = {0}, from = {0};
    daub_status status = check_picks("scatter_add_", a, dim, idx);
    if (status == DAUB_OK) status = check_addition("scatter_add_", a, source);
    if (status == DAUB_OK && !daub_array_same_shape(idx, source))
        status = daub_fail(DAUB_INVALID, "scatter_add_: source has shape %s, indices have %s",
                           daub_shape_string(ss, source->ndim, source->shape),
                           daub_shape_string(si, idx->ndim, idx->shape));
    if (status == DAUB_OK) status = load_indices(&index, "scatter_add_", idx, a, dim);
    if (status == DAUB_OK) status = daub_array_clone(&from, source);
    if (status == DAUB_OK) {
        // One job: additions to one element keep their order.
        int64_t n = daub_array_numel(&index);
        picks p = {a,
                   &index,
                   from.data,
                   dim,
                   (int)daub_dtype_size(a->dtype),
                   n,
                   daub_kernels_get()->elementwise->binary[DAUB_ADD][a->dtype][0]};
        if (n > 0) picks_job(&p, 0, 0);
    }
    daub_array_release(&index);
    daub_array_release(&from);
    return status;
}
