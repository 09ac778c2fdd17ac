// Matrix products by OpenBLAS, one BLAS thread inside each job of our pool.
#include <cblas.h>
#include <string.h>

#include "array/ops.h"
#include "base/pool.h"

// Rows of the result a job makes, or columns when there are few rows: fixed, so that sums are the
// same for any number of threads.
enum { ROW_BLOCK = 128, COLUMN_BLOCK = 1024, SMALL_WORK = 65536 };

typedef struct matrix {
    const char *data;
    bool transposed; // columns are contiguous instead of rows
    int64_t leading;
} matrix;

typedef struct product {
    daub_dtype dtype;
    int64_t m, n, k;
    int64_t block_rows, block_columns, row_blocks, column_blocks;
    matrix a, b;
    char *out;
    int ndim; // batch dimensions
    int64_t shape[DAUB_MAX_DIMS], a_stride[DAUB_MAX_DIMS], b_stride[DAUB_MAX_DIMS]; // bytes
} product;

// Describes the last two dimensions; false when BLAS cannot read them where they are.
static bool as_matrix(matrix *m, const daub_array *a, bool transpose) {
    int r = a->ndim - 2, c = a->ndim - 1;
    int64_t rows = a->shape[r], columns = a->shape[c];
    m->data = a->data;
    if ((a->stride[c] == 1 || columns == 1) && (a->stride[r] >= columns || rows == 1)) {
        m->transposed = transpose;
        m->leading = rows == 1 ? columns : a->stride[r];
    } else if ((a->stride[r] == 1 || rows == 1) && (a->stride[c] >= rows || columns == 1)) {
        m->transposed = !transpose;
        m->leading = columns == 1 ? rows : a->stride[c];
    } else {
        return false;
    }
    if (m->leading < 1) m->leading = 1;
    return m->leading <= INT32_MAX; // what BLAS can count
}

static void job(void *context, int64_t index, int worker) {
    (void)worker;
    const product *p = context;
    int64_t column = index % p->column_blocks * p->block_columns, at = index / p->column_blocks;
    int64_t row = at % p->row_blocks * p->block_rows, batch = at / p->row_blocks;
    int64_t rows = p->m - row < p->block_rows ? p->m - row : p->block_rows;
    int64_t columns = p->n - column < p->block_columns ? p->n - column : p->block_columns;
    int64_t size = (int64_t)daub_dtype_size(p->dtype);
    char *out = p->out + ((batch * p->m + row) * p->n + column) * size;
    const char *a = p->a.data + row * (p->a.transposed ? 1 : p->a.leading) * size;
    const char *b = p->b.data + column * (p->b.transposed ? p->b.leading : 1) * size;
    for (int d = p->ndim - 1; d >= 0; d--) {
        a += batch % p->shape[d] * p->a_stride[d];
        b += batch % p->shape[d] * p->b_stride[d];
        batch /= p->shape[d];
    }
    enum CBLAS_TRANSPOSE ta = p->a.transposed ? CblasTrans : CblasNoTrans;
    enum CBLAS_TRANSPOSE tb = p->b.transposed ? CblasTrans : CblasNoTrans;
    blasint m = (blasint)rows, n = (blasint)columns, k = (blasint)p->k;
    blasint lda = (blasint)p->a.leading, ldb = (blasint)p->b.leading, ldc = (blasint)p->n;
    if (p->dtype == DAUB_F32)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, (const float *)a, lda, (const float *)b, ldb,
                    0, (float *)out, ldc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, (const double *)a, lda, (const double *)b,
                    ldb, 0, (double *)out, ldc);
}

static daub_status mismatch(const daub_array *a, const daub_array *b, bool ta, bool tb) {
    char sa[DAUB_SHAPE_TEXT], sb[DAUB_SHAPE_TEXT];
    return daub_fail(DAUB_INVALID, "matmul: shapes %s%s and %s%s do not fit",
                     daub_shape_string(sa, a->ndim, a->shape), ta ? " (transposed)" : "",
                     daub_shape_string(sb, b->ndim, b->shape), tb ? " (transposed)" : "");
}

static daub_status check(const daub_array *a, const daub_array *b, bool ta, bool tb) {
    if (a->dtype != b->dtype || !daub_dtype_is_float(a->dtype))
        return daub_fail(DAUB_INVALID, "matmul: dtypes %s and %s; both must be f32 or both f64",
                         daub_dtype_name(a->dtype), daub_dtype_name(b->dtype));
    if (a->ndim < 2 || b->ndim < 2 ||
        a->shape[a->ndim - (ta ? 2 : 1)] != b->shape[b->ndim - (tb ? 1 : 2)])
        return mismatch(a, b, ta, tb);
    for (int i = 1; i <= 2; i++) {
        if (a->shape[a->ndim - i] > INT32_MAX || b->shape[b->ndim - i] > INT32_MAX)
            return daub_fail(DAUB_INVALID, "matmul: a side is longer than 2^31 - 1");
    }
    return DAUB_OK;
}

// The array itself, or a copy when its matrices do not lie in memory as BLAS needs them.
static daub_status usable(daub_array *out, matrix *m, const daub_array *a, bool transpose) {
    daub_status status = DAUB_OK;
    if (as_matrix(m, a, transpose)) {
        daub_array_retain(out, a);
    } else {
        status = daub_array_clone(out, a);
        if (status == DAUB_OK) as_matrix(m, out, transpose);
    }
    return status;
}

// Sizes, batch strides, and the result.
static daub_status plan(product *p, daub_array *out, const daub_array *a, const daub_array *b,
                        bool ta, bool tb) {
    p->dtype = a->dtype;
    p->m = a->shape[a->ndim - (ta ? 1 : 2)];
    p->k = a->shape[a->ndim - (ta ? 2 : 1)];
    p->n = b->shape[b->ndim - (tb ? 2 : 1)];
    daub_array batch_a = *a, batch_b = *b;
    batch_a.ndim -= 2;
    batch_b.ndim -= 2;
    daub_status status = daub_shape_broadcast("matmul", &p->ndim, p->shape, &batch_a, &batch_b);
    if (status != DAUB_OK) return status;
    int64_t shape[DAUB_MAX_DIMS], size = (int64_t)daub_dtype_size(a->dtype);
    for (int d = 0; d < p->ndim; d++) {
        int da = d - (p->ndim - batch_a.ndim), db = d - (p->ndim - batch_b.ndim);
        shape[d] = p->shape[d];
        p->a_stride[d] = da < 0 || a->shape[da] == 1 ? 0 : a->stride[da] * size;
        p->b_stride[d] = db < 0 || b->shape[db] == 1 ? 0 : b->stride[db] * size;
    }
    shape[p->ndim] = p->m;
    shape[p->ndim + 1] = p->n;
    return daub_array_create(out, a->dtype, p->ndim + 2, shape);
}

// One batch whose matrices lie one below the other is one tall matrix.
static void join_batches(product *p) {
    int64_t size = (int64_t)daub_dtype_size(p->dtype);
    if (p->ndim != 1 || p->a.transposed || p->b_stride[0] != 0) return;
    if (p->a_stride[0] != p->m * p->a.leading * size || p->m * p->shape[0] > INT32_MAX) return;
    p->m *= p->shape[0];
    p->ndim = 0;
}

static daub_status multiply(product *p, const daub_array *out) {
    int64_t batches = 1;
    if (daub_array_numel(out) == 0) return DAUB_OK;
    if (p->k == 0) {
        daub_array whole = *out;
        return daub_array_fill(&whole, 0);
    }
    join_batches(p);
    for (int d = 0; d < p->ndim; d++) batches *= p->shape[d];
    bool small = p->m * p->n <= SMALL_WORK / p->k;
    p->block_rows = small ? p->m : ROW_BLOCK;
    p->block_columns = small || p->m > ROW_BLOCK ? p->n : COLUMN_BLOCK;
    p->row_blocks = (p->m + p->block_rows - 1) / p->block_rows;
    p->column_blocks = (p->n + p->block_columns - 1) / p->block_columns;
    p->out = out->data;
    openblas_set_num_threads(1);
    return daub_pool_run(job, p, batches * p->row_blocks * p->column_blocks);
}

daub_status daub_array_matmul(daub_array *out, const daub_array *a, const daub_array *b, bool ta,
                              bool tb) {
    product p = {0};
    daub_array result = {0}, ca = {0}, cb = {0};
    daub_status status = check(a, b, ta, tb);
    if (status == DAUB_OK) status = usable(&ca, &p.a, a, ta);
    if (status == DAUB_OK) status = usable(&cb, &p.b, b, tb);
    if (status == DAUB_OK) status = plan(&p, &result, &ca, &cb, ta, tb);
    if (status == DAUB_OK) status = multiply(&p, &result);
    daub_array_release(&ca);
    daub_array_release(&cb);
    if (status == DAUB_OK)
        *out = result;
    else
        daub_array_release(&result);
    return status;
}
