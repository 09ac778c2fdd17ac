// Weight gradient by Winograd's minimal filtering: each job adds one chunk's share to 32x32
// weights. Where that makes too few jobs, chunks are summed apart, in slots, which are added up at
// the end. Sums run in a fixed order, so results do not depend on the number of threads.
#include "base/memory.h"
#include "conv/grid.h"
#include "conv/winograd.h"
#include "conv/winograd_tiles.h"
#include "kernel/kernel.h"

enum {
    TILE = DAUB_WINOGRAD_TILE,
    BLOCK = DAUB_WINOGRAD_BLOCK,
    SLOTS = 8, // at most
    // Distance of two positions in a job's sums: a power of two would crowd them into one set of
    // the cache.
    GRAD_POSITION = BLOCK * BLOCK + BLOCK,
    PART = 4096, // weights whose slots one job adds up
};

typedef struct plan {
    daub_winograd_tiles t;
    const daub_conv_kernels *products;
    float *dw, *sums; // slots but the first, which is dw
    int64_t slots;
} plan;

// Job: the share of one chunk in 32x32 weights.
static void weight_grad_job(void *context, int64_t index, int worker) {
    plan *p = context;
    const daub_conv_shape *s = p->t.s;
    int64_t blocks = p->t.stride * p->t.stride * p->t.c_blocks, jobs = blocks * p->t.o_blocks;
    int64_t slot = index / jobs, b = index % jobs / p->t.o_blocks, o = index % p->t.o_blocks;
    int64_t phase = b / p->t.c_blocks, c = b % p->t.c_blocks * BLOCK;
    int64_t rows = s->c - c < BLOCK ? s->c - c : BLOCK;
    daub_winograd_panel columns = daub_winograd_panel_at(s->o, o);
    daub_winograd_span k = daub_winograd_chunk_at(&p->t, p->t.first + slot);
    daub_conv_run run = {0, k.t1 - k.t0};
    float *sums = daub_scratch(worker, 0, (size_t)(p->t.positions * GRAD_POSITION) * sizeof *sums);
    if (!sums) {
        atomic_store(&p->t.no_memory, true);
        return;
    }
    const float *a = p->t.x_tiles + slot * p->t.x_floats + b * p->t.positions * p->t.position;
    const float *d = p->t.dy_tiles + slot * p->t.dy_floats + o * p->t.positions * p->t.position;
    for (int64_t q = 0; q < p->t.positions; q++, a += p->t.position, d += p->t.position) {
        daub_conv_outer outer = {.runs = &run, .run_count = 1, .a_step = BLOCK, .c_step = BLOCK};
        for (int64_t i = 0; i < rows; i += outer.m) {
            outer.a = a + i;
            outer.c = sums + q * GRAD_POSITION + i * BLOCK;
            outer.m = rows - i < DAUB_CONV_OUTER_ROWS ? rows - i : DAUB_CONV_OUTER_ROWS;
            p->products->outer(&outer, (daub_conv_panel){d, BLOCK});
        }
    }
    int64_t tap = s->c * s->o;
    daub_winograd_place from = daub_winograd_buffer_place(&p->t, GRAD_POSITION);
    from.step = BLOCK;
    daub_winograd_job job = {
        .from = sums,
        .to = (slot ? p->sums + (slot - 1) * s->kernel[0] * s->kernel[1] * tap : p->dw) +
              (phase / p->t.stride * s->kernel[1] + phase % p->t.stride) * tap + c * s->o +
              columns.first,
        .source = from,
        .target = {.row = p->t.stride * s->kernel[1] * tap,
                   .column = p->t.stride * tap,
                   .block = BLOCK,
                   .step = s->o,
                   .end = {(int)(p->t.side - TILE + 1), (int)(p->t.side - TILE + 1)}},
        .count = rows,
        .channels = columns.valid,
        .add = {p->t.first > 0, p->t.first > 0}};
    p->t.transforms->weight_grad(&job);
}

// dw is the sum of the slots, in order.
static void join_slots(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    int64_t size = p->t.s->kernel[0] * p->t.s->kernel[1] * p->t.s->c * p->t.s->o,
            first = index * PART;
    int64_t end = first + PART < size ? first + PART : size;
    for (int64_t slot = 1; slot < p->slots; slot++) {
        const float *from = p->sums + (slot - 1) * size;
        for (int64_t i = first; i < end; i++) p->dw[i] += from[i];
    }
}

daub_status daub_conv_winograd_weight_grad(const daub_conv_shape *s, const float *x,
                                           const float *dy, float *dw) {
    plan p = {.t = daub_winograd_tiles_make(s), .products = daub_kernels_get()->conv, .dw = dw};
    p.t.x = x, p.t.dy = dy;
    int64_t jobs = p.t.stride * p.t.stride * p.t.c_blocks * p.t.o_blocks;
    int64_t size = s->kernel[0] * s->kernel[1] * s->c * s->o;
    daub_winograd_choose_rounds(&p.t, jobs);
    if (p.t.count > SLOTS) p.t.count = SLOTS;
    p.slots = p.t.count;
    if (p.slots > 1) {
        p.sums = daub_alloc((size_t)((p.slots - 1) * size) * sizeof(float));
        if (!p.sums) return DAUB_NO_MEMORY;
    }
    daub_status status = daub_winograd_run(&p.t, jobs, weight_grad_job, &p);
    if (status == DAUB_OK && p.slots > 1)
        status = daub_pool_run(join_slots, &p, daub_ceil_div(size, PART));
    daub_free(p.sums);
    return status;
}
