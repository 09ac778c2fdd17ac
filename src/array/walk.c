#include "array/walk.h"

#include <string.h>

#include "base/pool.h"

enum {
    CHUNK = 32768, // elements a job works on, or nearly as many
    BLOCK = 1024,  // elements packed at a time, at most
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

// ---- packed blocks
// ---------------------------------------------------------------------------------

// Blocks are whole runs of the dimensions behind `dim`, `most` of them at a time, so that where an
// operand's elements lie, seen from the block's first, is the same in every block.
typedef struct blocks {
    int dim;           // -1: everything is one block
    int64_t run, most; // elements
} blocks;

static blocks cut(const daub_walk *w) {
    blocks b = {.dim = w->ndim - 1, .run = 1};
    while (b.dim >= 0 && b.run * w->shape[b.dim] <= BLOCK) b.run *= w->shape[b.dim--];
    b.most = b.dim >= 0 ? BLOCK / b.run * b.run : b.run;
    return b;
}

// How an operand is brought into a buffer and back.
typedef struct packing {
    int64_t size, length, step; // bytes of an element; elements of a row, and the bytes between
    int64_t row;                // bytes from one row to the next; both 0 when it takes the table
    int64_t offset[BLOCK];      // bytes from the block's first element
    const char *held;           // what the buffer holds now
    int64_t count;
} packing;

static void prepare(packing *p, const daub_walk *w, int operand, const blocks *b) {
    const int64_t *stride = w->stride[operand];
    int last = w->ndim - 1;
    p->size = w->size[operand];
    p->held = NULL;
    p->length = w->shape[last];
    p->step = stride[last];
    p->row = last > 0 ? stride[last - 1] : 0;
    // Two dimensions are enough, and rows are long enough to be worth a loop of their own.
    if (b->dim == last - 1 && p->length * p->size >= 16 && (p->step == 0 || p->step == p->size))
        return;
    p->length = 0;
    int64_t index[DAUB_MAX_DIMS] = {0}, at = 0;
    for (int64_t k = 0; k < b->most; k++) {
        p->offset[k] = at;
        for (int d = last; d >= 0; d--) { // the next element
            at += stride[d];
            if (d == b->dim || ++index[d] < w->shape[d]) break;
            at -= index[d] * stride[d];
            index[d] = 0;
        }
    }
}

#define EACH_SIZE(size, DO)                                                                        \
    switch (size) {                                                                                \
    case 1: {                                                                                      \
        DO(uint8_t);                                                                               \
        break;                                                                                     \
    }                                                                                              \
    case 2: {                                                                                      \
        DO(uint16_t);                                                                              \
        break;                                                                                     \
    }                                                                                              \
    case 4: {                                                                                      \
        DO(uint32_t);                                                                              \
        break;                                                                                     \
    }                                                                                              \
    default: {                                                                                     \
        DO(uint64_t);                                                                              \
    }                                                                                              \
    }

// A row of at least 16 bytes: the last 16 may be written twice.
#define STORE_ROW(value_at)                                                                        \
    for (int64_t i = 0; i + 16 <= bytes; i += 16) *(sixteen *)(to + i) = value_at(i);              \
    *(sixteen *)(to + bytes - 16) = value_at(bytes - 16)

// Rows of one element each, as often as it takes.
#define SPREAD_ROWS(T)                                                                             \
    typedef T sixteen __attribute__((vector_size(16), aligned(1), may_alias));                     \
    for (; to < end; to += bytes, from += row) {                                                   \
        const sixteen all = (sixteen){0} + *(const T *)from;                                       \
        STORE_ROW(ALWAYS);                                                                         \
    }
#define ALWAYS(i) all
static void spread_rows(char *to, const char *end, const char *from, int64_t row, int64_t size,
                        int64_t bytes) {
    EACH_SIZE(size, SPREAD_ROWS)
}

static void gather(packing *p, const char *from, int64_t count, char *buffer) {
    if (p->held == from && p->count >= count) return;
    p->held = from;
    p->count = count;
    if (p->length == 0) {
#define GATHER(T)                                                                                  \
    for (int64_t k = 0; k < count; k++) ((T *)buffer)[k] = *(const T *)(from + p->offset[k])
        EACH_SIZE(p->size, GATHER)
        return;
    }
    int64_t bytes = p->length * p->size;
    const char *end = buffer + count * p->size;
    if (p->step == 0) {
        spread_rows(buffer, end, from, p->row, p->size, bytes);
        return;
    }
    for (; buffer < end; buffer += bytes, from += p->row) daub_copy_row(buffer, from, bytes);
}

static void scatter(const packing *p, char *to, int64_t count, const char *buffer) {
    if (p->length == 0) {
#define SCATTER(T)                                                                                 \
    for (int64_t k = 0; k < count; k++) *(T *)(to + p->offset[k]) = ((const T *)buffer)[k]
        EACH_SIZE(p->size, SCATTER)
        return;
    }
    int64_t bytes = p->length * p->size;
    for (const char *end = buffer + count * p->size; buffer < end; buffer += bytes, to += p->row)
        daub_copy_row(to, buffer, bytes);
}

static void packed_blocks(const daub_walk *w, int64_t begin, int64_t end, daub_span span,
                          const void *context) {
    _Alignas(64) char buffer[DAUB_WALK_OPERANDS][BLOCK * 8];
    packing packings[DAUB_WALK_OPERANDS];
    bool packed[DAUB_WALK_OPERANDS];
    blocks b = cut(w);
    unsigned ones = 0;
    for (int i = 0; i < w->operands; i++) {
        if (is_one(w, i)) ones |= 1u << i;
    }
    if (ones == (1u << w->operands) - 2) ones &= ~2u; // expanded arrays: one stays a vector
    for (int i = 0; i < w->operands; i++) {
        packed[i] = !(ones >> i & 1) && !is_plain(w, i);
        if (packed[i]) prepare(&packings[i], w, i, &b);
    }
    for (int64_t at = begin; at < end;) {
        int64_t index[DAUB_MAX_DIMS], n = end - at < b.most ? end - at : b.most;
        locate(w, at, index);
        if (b.dim >= 0 && n > (w->shape[b.dim] - index[b.dim]) * b.run)
            n = (w->shape[b.dim] - index[b.dim]) * b.run;
        char *p[DAUB_WALK_OPERANDS];
        for (int i = 0; i < w->operands; i++) {
            p[i] = packed[i] ? buffer[i] : address(w, i, index);
            if (packed[i] && i > 0) gather(&packings[i], address(w, i, index), n, p[i]);
        }
        span(context, p, ones, n);
        if (packed[0]) scatter(&packings[0], address(w, 0, index), n, buffer[0]);
        at += n;
    }
}

typedef struct job {
    const daub_walk *walk;
    daub_span span;
    const void *context;
    int64_t chunk;
} job;

static void chunk_job(void *context, int64_t index, int worker) {
    (void)worker;
    const job *j = context;
    int64_t begin = index * j->chunk, end = begin + j->chunk;
    if (end > j->walk->numel) end = j->walk->numel;
    if (j->walk->packed)
        packed_blocks(j->walk, begin, end, j->span, j->context);
    else
        rows(j->walk, begin, end, j->span, j->context);
}

daub_status daub_walk_run(daub_walk *w, daub_span span, const void *context) {
    if (w->numel == 0) return DAUB_OK;
    w->packed = !rows_are_direct(w);
    job j = {w, span, context, CHUNK};
    if (w->packed) j.chunk = CHUNK / cut(w).run * cut(w).run; // at least BLOCK
    if (w->numel <= j.chunk) {
        chunk_job(&j, 0, 0);
        return DAUB_OK;
    }
    return daub_pool_run(chunk_job, &j, (w->numel + j.chunk - 1) / j.chunk);
}
