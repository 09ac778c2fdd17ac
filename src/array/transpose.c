// A copy in which neighbours of the source are not neighbours of the target, as in a permutation.
//
// Two groups of dimensions stand out: A, contiguous in the source, and B, contiguous in the target.
// What is left is copied in small matrices A x B, four by four elements at a time.
#include "array/transpose.h"

#include <string.h>

#include "base/pool.h"

enum { MOST = 128, JOB = 32768 }; // elements of a group; of a job, about

// `near` is the operand in which the group is contiguous, `far` the other one.
typedef struct group {
    int64_t size, tile, tiles;   // elements; of those taken at a time
    int64_t near_tile, far_tile; // bytes from one tile to the next
    int64_t far[MOST];           // where element i of a tile is in `far`, in bytes
    unsigned dims;
} group;

typedef struct transposition {
    const daub_walk *walk;
    group a, b;
    int outer[DAUB_MAX_DIMS], count; // dimensions outside the groups
    int64_t items, per_job;
} transposition;

enum { TARGET, SOURCE };

// The dimension contiguous in `operand` that begins where `stride` says; -1 when there is none.
static int contiguous(const daub_walk *w, int operand, int64_t stride) {
    for (int d = 0; d < w->ndim; d++) {
        if (w->stride[operand][d] == stride) return d;
    }
    return -1;
}

// Collects dimensions contiguous in `near`, none of which is in `taken`.
static void collect(group *g, const daub_walk *w, int near, int first, unsigned taken) {
    int far = 1 - near;
    *g = (group){.size = 1, .tiles = 1};
    for (int d = first; d >= 0 && !((taken | g->dims) >> d & 1);
         d = contiguous(w, near, g->size * w->size[0])) {
        int64_t n = w->shape[d], step = w->stride[far][d];
        if (g->dims && g->size * n > MOST) break;
        int64_t now = n < MOST ? n : MOST;
        for (int64_t i = g->size; i < g->size * now; i++)
            g->far[i] = g->far[i % g->size] + i / g->size * step;
        g->size *= n;
        g->dims |= 1u << d;
        g->tiles = (n + now - 1) / now;
        g->far_tile = now * step;
        if (g->tiles > 1) break;
    }
    g->tile = g->size < MOST ? g->size : MOST;
    g->near_tile = g->tile * w->size[0];
}

bool daub_is_transpose(const daub_walk *w) {
    int64_t size = w->size[0];
    int a = contiguous(w, SOURCE, size), b = contiguous(w, TARGET, size);
    if (size != 4 || w->operands != 2 || w->size[1] != size || a < 0 || b < 0 || a == b)
        return false;
    for (int d = 0; d < w->ndim; d++) {
        if (w->stride[SOURCE][d] <= 0) return false; // expanded, or backwards
    }
    group ga, gb;
    collect(&gb, w, TARGET, b, 1u << a);
    collect(&ga, w, SOURCE, a, gb.dims);
    return ga.size >= 4 && gb.size >= 4;
}

typedef uint32_t four __attribute__((vector_size(16)));
typedef uint32_t loose __attribute__((vector_size(16), aligned(4), may_alias));

// Four elements of A from each of four places of B.
static inline void four_by_four(char *to, const int64_t *to_a, const char *from,
                                const int64_t *from_b) {
    four r0 = *(const loose *)(from + from_b[0]), r1 = *(const loose *)(from + from_b[1]);
    four r2 = *(const loose *)(from + from_b[2]), r3 = *(const loose *)(from + from_b[3]);
    four lo01 = __builtin_shuffle(r0, r1, (four){0, 4, 1, 5});
    four hi01 = __builtin_shuffle(r0, r1, (four){2, 6, 3, 7});
    four lo23 = __builtin_shuffle(r2, r3, (four){0, 4, 1, 5});
    four hi23 = __builtin_shuffle(r2, r3, (four){2, 6, 3, 7});
    *(loose *)(to + to_a[0]) = __builtin_shuffle(lo01, lo23, (four){0, 1, 4, 5});
    *(loose *)(to + to_a[1]) = __builtin_shuffle(lo01, lo23, (four){2, 3, 6, 7});
    *(loose *)(to + to_a[2]) = __builtin_shuffle(hi01, hi23, (four){0, 1, 4, 5});
    *(loose *)(to + to_a[3]) = __builtin_shuffle(hi01, hi23, (four){2, 3, 6, 7});
}

static void one_by_one(char *to, const int64_t *to_a, const char *from, const int64_t *from_b,
                       int64_t na, int64_t nb) {
    for (int64_t i = 0; i < na; i++) {
        for (int64_t j = 0; j < nb; j++)
            *(uint32_t *)(to + to_a[i] + 4 * j) = *(const uint32_t *)(from + from_b[j] + 4 * i);
    }
}

// na x nb elements.
static void matrix(const transposition *t, char *to, const char *from, int64_t na, int64_t nb) {
    const int64_t *to_a = t->a.far, *from_b = t->b.far;
    int64_t i = 0;
    for (; i + 4 <= na; i += 4) {
        int64_t j = 0;
        for (; j + 4 <= nb; j += 4) four_by_four(to + 4 * j, to_a + i, from + 4 * i, from_b + j);
        one_by_one(to + 4 * j, to_a + i, from + 4 * i, from_b + j, 4, nb - j);
    }
    one_by_one(to, to_a + i, from + 4 * i, from_b, na - i, nb);
}

static int64_t tile_length(const group *g, int64_t tile) {
    int64_t left = g->size - tile * g->tile;
    return left < g->tile ? left : g->tile;
}

static void job(void *context, int64_t index, int worker) {
    (void)worker;
    const transposition *t = context;
    const daub_walk *w = t->walk;
    int64_t end = (index + 1) * t->per_job < t->items ? (index + 1) * t->per_job : t->items;
    for (int64_t item = index * t->per_job; item < end; item++) {
        int64_t at = item;
        int64_t ta = at % t->a.tiles, tb = at / t->a.tiles % t->b.tiles;
        at /= t->a.tiles * t->b.tiles;
        char *to = w->data[TARGET] + ta * t->a.far_tile + tb * t->b.near_tile;
        const char *from = w->data[SOURCE] + ta * t->a.near_tile + tb * t->b.far_tile;
        for (int k = t->count - 1; k >= 0; k--) {
            int d = t->outer[k];
            to += at % w->shape[d] * w->stride[TARGET][d];
            from += at % w->shape[d] * w->stride[SOURCE][d];
            at /= w->shape[d];
        }
        matrix(t, to, from, tile_length(&t->a, ta), tile_length(&t->b, tb));
    }
}

daub_status daub_transpose(const daub_walk *w) {
    transposition t = {.walk = w};
    int64_t size = w->size[0];
    int a = contiguous(w, SOURCE, size), b = contiguous(w, TARGET, size);
    collect(&t.b, w, TARGET, b, 1u << a);
    collect(&t.a, w, SOURCE, a, t.b.dims);
    t.items = t.a.tiles * t.b.tiles;
    for (int d = 0; d < w->ndim; d++) {
        if ((t.a.dims | t.b.dims) >> d & 1) continue;
        t.outer[t.count++] = d;
        t.items *= w->shape[d];
    }
    t.per_job = JOB / (t.a.tile * t.b.tile) + 1;
    return daub_pool_run(job, &t, (t.items + t.per_job - 1) / t.per_job);
}
