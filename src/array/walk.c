#include "array/walk.h"

#include <string.h>

#include "base/pool.h"

enum {
    CHUNK = 32768, // elements a job works on
    BLOCK = 1024,  // elements packed at a time
    SHORT_ROW = 64 // rows at least this long are worked on where they lie
};

static void join_dimensions(daub_walk *w) {
    int n = 0;
    for (int d = 0; d < w->ndim; d++) {
        if (w->shape[d] == 1) continue;
        bool joins = n > 0;
        for (int i = 0; i < w->operands && joins; i++)
            joins = w->stride[i][n - 1] == w->stride[i][d] * w->shape[d];
        if (!joins) n++;
        w->shape[n - 1] = joins ? w->shape[n - 1] * w->shape[d] : w->shape[d];
        for (int i = 0; i < w->operands; i++) w->stride[i][n - 1] = w->stride[i][d];
    }
    if (n == 0) {
        n = 1;
        w->shape[0] = 1;
        for (int i = 0; i < w->operands; i++) w->stride[i][0] = w->size[i];
    }
    w->ndim = n;
}

void daub_walk_init(daub_walk *w, const daub_array *out, const daub_array *const *in, int count) {
    *w = (daub_walk){.operands = count + 1, .ndim = out->ndim, .numel = daub_array_numel(out)};
    memcpy(w->shape, out->shape, sizeof w->shape);
    for (int i = 0; i <= count; i++) {
        const daub_array *a = i == 0 ? out : in[i - 1];
        w->data[i] = a->data;
        w->size[i] = (int)daub_dtype_size(a->dtype);
        for (int d = 0; d < a->ndim; d++) {
            int64_t stride = a->shape[d] == 1 ? 0 : a->stride[d] * w->size[i];
            w->stride[i][d + out->ndim - a->ndim] = stride;
        }
    }
    join_dimensions(w);
}

static bool is_one(const daub_walk *w, int i) {
    if (!(w->one_allowed >> i & 1)) return false;
    for (int d = 0; d < w->ndim; d++) {
        if (w->stride[i][d]) return false;
    }
    return true;
}

static bool is_plain(const daub_walk *w, int i) {
    int64_t stride = w->size[i];
    for (int d = w->ndim - 1; d >= 0; d--) {
        if (w->stride[i][d] != stride) return false;
        stride *= w->shape[d];
    }
    return true;
}

static bool rows_are_direct(const daub_walk *w) {
    int last = w->ndim - 1;
    if (w->ndim > 1 && w->shape[last] < SHORT_ROW) return false;
    bool vector = w->operands == 1; // some operand must tell how many elements there are
    for (int i = 0; i < w->operands; i++) {
        int64_t stride = w->stride[i][last];
        if (stride != w->size[i] && !(stride == 0 && (w->one_allowed >> i & 1))) return false;
        if (i > 0 && stride != 0) vector = true;
    }
    return vector;
}

// The coordinates of flat position `at`.
static void locate(const daub_walk *w, int64_t at, int64_t *index) {
    for (int d = w->ndim - 1; d >= 0; d--) {
        index[d] = at % w->shape[d];
        at /= w->shape[d];
    }
}

static void next_row(const daub_walk *w, int64_t *index) {
    int d = w->ndim - 1;
    index[d] = 0;
    while (--d >= 0 && ++index[d] == w->shape[d]) index[d] = 0;
}

static char *address(const daub_walk *w, int operand, const int64_t *index) {
    char *p = w->data[operand];
    for (int d = 0; d < w->ndim; d++) p += index[d] * w->stride[operand][d];
    return p;
}

static void rows(const daub_walk *w, int64_t begin, int64_t end, daub_span span,
                 const void *context) {
    int64_t index[DAUB_MAX_DIMS];
    int last = w->ndim - 1;
    unsigned ones = 0;
    for (int i = 0; i < w->operands; i++) {
        if (w->stride[i][last] == 0) ones |= 1u << i;
    }
    locate(w, begin, index);
    while (begin < end) {
        int64_t n = w->shape[last] - index[last];
        if (n > end - begin) n = end - begin;
        char *p[DAUB_WALK_OPERANDS];
        for (int i = 0; i < w->operands; i++) p[i] = address(w, i, index);
        span(context, p, ones, n);
        begin += n;
        next_row(w, index);
    }
}

#define STRIDED(T)                                                                                 \
    for (int64_t k = 0; k < n; k++)                                                                \
        *(T *)(to + k * to_stride) = *(const T *)(from + k * from_stride);                         \
    break

static void copy_strided(char *to, int64_t to_stride, const char *from, int64_t from_stride,
                         int size, int64_t n) {
    if (to_stride == size && from_stride == size) {
        memcpy(to, from, (size_t)(n * size));
        return;
    }
    switch (size) {
    case 1:
        STRIDED(uint8_t);
    case 2:
        STRIDED(uint16_t);
    case 4:
        STRIDED(uint32_t);
    default:
        STRIDED(uint64_t);
    }
}

// A short row that repeats: the bytes of `buffer` after `filled` are made from those before.
static void repeat_row(char *buffer, int64_t filled, int64_t wanted) {
    while (filled < wanted) {
        int64_t more = wanted - filled < filled ? wanted - filled : filled;
        memcpy(buffer + filled, buffer, (size_t)more);
        filled += more;
    }
}

#define SHORT_ROWS(T, n)                                                                           \
    for (int64_t r = 0; r < rows; r++, from += row_stride) {                                       \
        for (int64_t k = 0; k < (n); k++, to += sizeof(T))                                         \
            *(T *)to = *(const T *)(from + k * stride);                                            \
    }                                                                                              \
    break
#define ROWS_OF(T)                                                                                 \
    if (n == 3) {                                                                                  \
        SHORT_ROWS(T, 3);                                                                          \
    }                                                                                              \
    SHORT_ROWS(T, n)

// `rows` whole rows of n elements into a contiguous buffer.
static void copy_rows(char *to, const char *from, int64_t row_stride, int64_t stride, int size,
                      int64_t rows, int64_t n) {
    switch (size) {
    case 1:
        ROWS_OF(uint8_t);
    case 2:
        ROWS_OF(uint16_t);
    case 4:
        ROWS_OF(uint32_t);
    default:
        ROWS_OF(uint64_t);
    }
}

static void gather(const daub_walk *w, int operand, int64_t at, int64_t count, char *buffer) {
    int64_t index[DAUB_MAX_DIMS];
    int last = w->ndim - 1, size = w->size[operand];
    const int64_t *stride = w->stride[operand];
    locate(w, at, index);
    for (int64_t done = 0; done < count;) {
        char *to = buffer + done * size, *from = address(w, operand, index);
        int64_t n = w->shape[last] - index[last];
        if (n > count - done) n = count - done;
        if (last > 0 && n == w->shape[last] && n < SHORT_ROW) {
            int64_t rows = w->shape[last - 1] - index[last - 1], fits = (count - done) / n;
            if (rows > fits) rows = fits;
            if (stride[last - 1] == 0) {
                copy_strided(to, size, from, stride[last], size, n);
                repeat_row(to, n * size, rows * n * size);
            } else {
                copy_rows(to, from, stride[last - 1], stride[last], size, rows, n);
            }
            index[last - 1] += rows - 1;
            n *= rows;
        } else {
            copy_strided(to, size, from, stride[last], size, n);
        }
        done += n;
        next_row(w, index);
    }
}

static void scatter(const daub_walk *w, int64_t at, int64_t count, const char *buffer) {
    int64_t index[DAUB_MAX_DIMS];
    int last = w->ndim - 1, size = w->size[0];
    locate(w, at, index);
    for (int64_t done = 0; done < count;) {
        int64_t n = w->shape[last] - index[last];
        if (n > count - done) n = count - done;
        copy_strided(address(w, 0, index), w->stride[0][last], buffer + done * size, size, size, n);
        done += n;
        next_row(w, index);
    }
}

static void packed_blocks(const daub_walk *w, int64_t begin, int64_t end, daub_span span,
                          const void *context) {
    _Alignas(64) char buffer[DAUB_WALK_OPERANDS][BLOCK * 8];
    bool plain[DAUB_WALK_OPERANDS];
    unsigned ones = 0;
    for (int i = 0; i < w->operands; i++) {
        plain[i] = is_plain(w, i);
        if (is_one(w, i)) ones |= 1u << i;
    }
    if (ones == (1u << w->operands) - 2) ones &= ~2u; // expanded arrays: one stays a vector
    for (int64_t at = begin; at < end; at += BLOCK) {
        int64_t n = end - at < BLOCK ? end - at : BLOCK;
        char *p[DAUB_WALK_OPERANDS];
        for (int i = 0; i < w->operands; i++) {
            if (ones >> i & 1)
                p[i] = w->data[i];
            else if (plain[i])
                p[i] = w->data[i] + at * w->size[i];
            else {
                p[i] = buffer[i];
                if (i > 0) gather(w, i, at, n, p[i]);
            }
        }
        span(context, p, ones, n);
        if (!plain[0]) scatter(w, at, n, buffer[0]);
    }
}

typedef struct job {
    const daub_walk *walk;
    daub_span span;
    const void *context;
} job;

static void chunk_job(void *context, int64_t index, int worker) {
    (void)worker;
    const job *j = context;
    int64_t begin = index * CHUNK, end = begin + CHUNK;
    if (end > j->walk->numel) end = j->walk->numel;
    if (j->walk->packed)
        packed_blocks(j->walk, begin, end, j->span, j->context);
    else
        rows(j->walk, begin, end, j->span, j->context);
}

daub_status daub_walk_run(daub_walk *w, daub_span span, const void *context) {
    if (w->numel == 0) return DAUB_OK;
    w->packed = !rows_are_direct(w);
    job j = {w, span, context};
    if (w->numel <= CHUNK) {
        chunk_job(&j, 0, 0);
        return DAUB_OK;
    }
    return daub_pool_run(chunk_job, &j, (w->numel + CHUNK - 1) / CHUNK);
}
