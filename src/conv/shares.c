// Weight gradient of layers with small weights: every job sums up its share of the pixels.
//
// A job goes through its share block by block: x is packed into a grid in the worker's scratch
// memory (or read where it lies, if nothing is padded), dy is read where it lies. Filters in whole
// vectors are columns of outer products; the rest, too few for a vector, are rows of strips, whose
// vectors go along the channels. There are as many shares for any number of threads, and they are
// added up in order.
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/grid.h"

enum {
    SHARES = 16,
    WEIGHTS = 32 << 10, // floats of a group's weight, at most: a job's sums stay in the cache
    PACKED = 64 << 10,  // floats of a packed block, about
    PIXELS = 256,       // summed up at once, about
    VECTOR = DAUB_CONV_STRIP,
};

typedef struct plan {
    const daub_conv_shape *s;
    daub_conv_grid grid;
    daub_conv_blocks blocks;
    const daub_conv_kernels *kernels;
    const float *x, *dy;
    float *dw;
    bool ready;                 // the source itself serves as the packed grid
    int64_t stretches, stretch; // (kx, c) or c: contiguous numbers of the grid; how many, how long
    int64_t padded;             // a stretch in whole vectors
    int64_t main, rest;         // filters that are columns, and rows of strips
    int64_t shares, floats;     // of one share's sums for one group:
    float
        *sums; // (groups, shares, floats): (stretches, stretch, main) and (stretches, rest, padded)
    atomic_bool no_memory;
} plan;

// One block of one group, as a job sees it.
typedef struct view {
    const float *a, *dy; // the grid's first pixel, and dy's of the first one
    const daub_conv_run *runs;
    int64_t run_count, a_step;
    float *sums;
} view;

static void choose_filters(plan *p) {
    int64_t og = p->s->og, main = og / VECTOR * VECTOR, whole = daub_ceil_div(p->stretch, 4) * 4;
    p->padded = daub_ceil_div(p->stretch, VECTOR) * VECTOR;
    // Strips alone, where their filling up costs next to nothing.
    int64_t both = whole * main + p->padded * (og - main), strips = p->padded * og;
    p->main = main < og && strips <= both + both / 32 ? 0 : main;
    p->rest = og - p->main;
    p->floats = p->stretches * (p->stretch * p->main + p->padded * p->rest);
}

static void choose_blocks(plan *p) {
    const daub_conv_shape *s = p->s;
    daub_conv_grid *g = &p->grid;
    const daub_conv_axis *ay = &g->axis[0], *ax = &g->axis[1];
    p->ready = s->groups == 1 && !ay->before && !ax->before && ay->grid <= ay->source &&
               ax->grid <= ax->source;
    if (p->ready) {
        g->pitch = g->channels;
        g->row = ax->source * g->channels;
    }
    bool together = g->pitch == g->channels;
    p->stretches = s->kernel[0] * (together ? 1 : s->kernel[1]);
    p->stretch = s->cg * (together ? s->kernel[1] : 1);
    int64_t pixels = PACKED / (ay->step * ax->step * g->pitch);
    p->blocks = daub_conv_blocks_make(g, s->n, pixels < PIXELS ? PIXELS : pixels, 1);
    p->shares = p->blocks.count < SHARES ? p->blocks.count : SHARES;
}

// The pixels of a block, and the room that kernels may read past its end. NULL: no memory.
static const float *pixels_of(const plan *p, const daub_conv_block *b, int64_t group, int worker,
                              int64_t *picture) {
    const daub_conv_grid *g = &p->grid;
    const daub_conv_axis *ay = &g->axis[0];
    int64_t source = ay->source * g->axis[1].source * g->source_channels;
    int64_t y0 = b->y0 * ay->step, y1 = (b->y1 - 1) * ay->step + ay->taps;
    // Past the end of the last block there may be nothing to read.
    bool last = b->n1 == p->s->n && b->y1 == ay->base;
    if (p->ready && (!last || p->stretch == p->padded)) {
        *picture = source;
        return p->x + b->n0 * source + y0 * g->row;
    }
    *picture = p->blocks.picture;
    float *packed = daub_scratch(worker, 0, (size_t)p->blocks.floats * sizeof *packed);
    for (int64_t n = b->n0; packed && n < b->n1; n++)
        daub_conv_pack_picture(g, p->x + n * source, group * g->channels, y0, y1,
                               packed + (n - b->n0) * p->blocks.picture);
    return packed;
}

// Adds the products of a view's runs to its sums.
static void add_products(const plan *p, const view *v) {
    const daub_conv_grid *g = &p->grid;
    int64_t per_row = p->stretches / p->s->kernel[0];
    for (int64_t i = 0; i < p->stretches; i++) {
        const float *a = v->a + i / per_row * g->row + i % per_row * g->pitch;
        float *main = v->sums + i * p->stretch * p->main;
        daub_conv_outer outer = {.a = a,
                                 .runs = v->runs,
                                 .run_count = v->run_count,
                                 .a_step = v->a_step,
                                 .m = p->stretch,
                                 .b_step = p->s->o,
                                 .c_step = p->main,
                                 .add = 1};
        for (int64_t first = 0; first < p->main; first += DAUB_CONV_PANEL) {
            int64_t width = daub_conv_panel_width(p->main, first / DAUB_CONV_PANEL);
            outer.c = main + first;
            p->kernels->outer(&outer, (daub_conv_panel){v->dy + first, width});
        }
        daub_conv_strips strips = {.a = a,
                                   .runs = v->runs,
                                   .run_count = v->run_count,
                                   .a_step = v->a_step,
                                   .width = p->stretch,
                                   .b = v->dy + p->main,
                                   .b_step = p->s->o,
                                   .m = p->rest,
                                   .c = v->sums + p->stretches * p->stretch * p->main +
                                        i * p->rest * p->padded,
                                   .c_step = p->padded};
        p->kernels->strips(&strips);
    }
}

// Adds a block to the sums, some rows of pixels at a time.
static bool add_block(const plan *p, int64_t index, int64_t group, int worker, float *sums) {
    const daub_conv_shape *s = p->s;
    const daub_conv_grid *g = &p->grid;
    daub_conv_block b = daub_conv_block_at(g, &p->blocks, s->n, index);
    int64_t width = s->out[1], rows = b.y1 - b.y0, all = (b.n1 - b.n0) * rows, picture = 0;
    daub_conv_run *runs = daub_scratch(worker, 1, (size_t)all * sizeof *runs);
    const float *packed = pixels_of(p, &b, group, worker, &picture);
    if (!runs || !packed) return false;
    for (int64_t i = 0; i < all; i++)
        runs[i] = (daub_conv_run){i / rows * picture + i % rows * g->axis[0].step * g->row, width};
    int64_t most = daub_ceil_div(PIXELS, width);
    view v = {.a = packed, .a_step = g->axis[1].step * g->pitch, .sums = sums};
    for (int64_t i = 0; i < all; i += most) {
        v.runs = runs + i;
        v.run_count = all - i < most ? all - i : most;
        v.dy = p->dy + ((b.n0 * s->out[0] + b.y0) * width + i * width) * s->o + group * s->og;
        add_products(p, &v);
    }
    return true;
}

// Job: one share of one group.
static void run_share(void *context, int64_t index, int worker) {
    plan *p = context;
    int64_t share = index % p->shares, count = p->blocks.count;
    float *sums = p->sums + index * p->floats;
    memset(sums, 0, (size_t)p->floats * sizeof *sums);
    for (int64_t i = count * share / p->shares; i < count * (share + 1) / p->shares; i++)
        if (!add_block(p, i, index / p->shares, worker, sums)) atomic_store(&p->no_memory, true);
}

// Job: one stretch of one group. Adds the shares up and brings the sums to the weight.
static void join_shares(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    int64_t stretch = index % p->stretches, group = index / p->stretches;
    float *sums = p->sums + group * p->shares * p->floats;
    int64_t count[2] = {p->stretch * p->main, p->rest * p->padded};
    float *parts[2] = {sums + stretch * count[0],
                       sums + p->stretches * count[0] + stretch * count[1]};
    for (int64_t share = 1; share < p->shares; share++)
        for (int part = 0; part < 2; part++)
            for (int64_t i = 0; i < count[part]; i++)
                parts[part][i] += parts[part][share * p->floats + i];
    float *to = p->dw + stretch * p->stretch * p->s->o + group * p->s->og;
    for (int64_t m = 0; m < p->stretch && p->main; m++)
        memcpy(to + m * p->s->o, parts[0] + m * p->main, (size_t)p->main * sizeof *to);
    p->kernels->transpose(parts[1], p->padded, p->rest, p->stretch, to + p->main, p->s->o);
}

bool daub_conv_shares_fit(const daub_conv_shape *s) {
    return s->kernel[0] * s->kernel[1] * s->cg * s->og <= WEIGHTS;
}

daub_status daub_conv_shares_weight_grad(const daub_conv_shape *s, const float *x, const float *dy,
                                         float *dw) {
    plan p = {.s = s,
              .grid = daub_conv_grid_forward(s),
              .kernels = daub_conv_kernels_for(s),
              .x = x,
              .dy = dy,
              .dw = dw};
    choose_blocks(&p);
    choose_filters(&p);
    p.sums = daub_alloc((size_t)(s->groups * p.shares * p.floats) * sizeof *p.sums);
    if (!p.sums) return DAUB_NO_MEMORY;
    daub_status status = daub_pool_run(run_share, &p, s->groups * p.shares);
    if (status == DAUB_OK && atomic_load(&p.no_memory)) status = DAUB_NO_MEMORY;
    if (status == DAUB_OK) status = daub_pool_run(join_shares, &p, s->groups * p.stretches);
    daub_free(p.sums);
    return status;
}
