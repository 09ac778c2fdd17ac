// Forward and input gradient by Winograd's minimal filtering: each job multiplies one chunk of
// transformed tiles with one panel of 32 columns of the transformed weights, a slice of 128 rows at
// a time, and transforms the products to results. Weights that fit the cache are transformed once,
// larger ones by each job, slice by slice. The products are those of the direct convolution's
// matrix kernels. Sums run in a fixed order, so results do not depend on the number of threads.
#include <string.h>

#include "base/memory.h"
#include "conv/grid.h"
#include "conv/winograd.h"
#include "conv/winograd_tiles.h"
#include "kernel/kernel.h"

enum {
    TILE = DAUB_WINOGRAD_TILE,
    BLOCK = DAUB_WINOGRAD_BLOCK,
    LINE = DAUB_WINOGRAD_LINE,
    MOST_TAPS = 3, // along each axis of a phase
    SLICE = 4,     // blocks of rows whose weights are transformed at once
    // Distance of two positions in a slice of weights: a power of two would crowd them into one set
    // of the cache.
    WEIGHT_POSITION = SLICE * BLOCK * BLOCK + BLOCK,
};

// Weights as the products take them: rows k meet columns n, of which one is 1 float from the next.
typedef struct weights {
    const float *at;     // tap (0, 0)
    int64_t row, column; // from one tap to the next
    int64_t k, n;        // from one row, and one column, to the next
} weights;

typedef struct plan {
    daub_winograd_tiles t;
    const daub_conv_kernels *products;
    weights w;
    float *ready; // [panel][slice][position][row][32] weights, or NULL
    const float *bias;
    float *y, *dx; // either
    float slope;   // of the results' leaky ReLU, where s->slope asks for it
} plan;

// ---- products of one chunk and one panel
// -------------------------------------------------------------

// The columns of one panel, the rows (phase, channel) they meet, and the tiles to multiply.
typedef struct product {
    const plan *p;
    daub_winograd_panel columns;
    int64_t phases, channels;
    int64_t phase;      // of the first tap, when `phases` is 1
    int64_t index;      // of the panel, among all
    const float *tiles; // of the chunk
    int64_t count;
    float *out, *weights; // the worker's: [position][tile][32], and a slice of the panel
} product;

static int64_t slices_of(const product *m) {
    return daub_ceil_div(m->phases * daub_winograd_blocks_of(m->channels), SLICE);
}

// Rows of block b and the weight of its first one.
static int64_t rows_of(const product *m, int64_t b, const float **from) {
    const plan *p = m->p;
    int64_t blocks = daub_winograd_blocks_of(m->channels), phase = m->phase + b / blocks,
            c = b % blocks * BLOCK;
    *from = p->w.at + phase / p->t.stride * p->w.row + phase % p->t.stride * p->w.column +
            c * p->w.k + m->columns.first * p->w.n;
    return m->channels - c < BLOCK ? m->channels - c : BLOCK;
}

// Blocks of slice i: first to end - 1.
static int64_t slice_at(const product *m, int64_t i, int64_t *end) {
    int64_t blocks = m->phases * daub_winograd_blocks_of(m->channels), first = i * SLICE;
    *end = first + SLICE < blocks ? first + SLICE : blocks;
    return first;
}

// The taps of one block, a square of them every `stride` rows and columns.
static daub_winograd_place taps_place(const plan *p) {
    const int taps = (int)(p->t.side - TILE + 1);
    return (daub_winograd_place){.row = p->t.stride * p->w.row,
                                 .column = p->t.stride * p->w.column,
                                 .block = BLOCK,
                                 .step = p->w.k,
                                 .end = {taps, taps}};
}

// Copies the taps of a block whose rows lie side by side, so that its columns do, to `to`:
// [tap][k][n]. The next block's are fetched meanwhile.
static daub_winograd_place turn_taps(const product *m, const float *from, int64_t rows, float *to) {
    const plan *p = m->p;
    daub_winograd_place taps = taps_place(p);
    for (int i = 0; i < taps.end[0] * taps.end[1]; i++) {
        const float *tap = from + i / taps.end[1] * taps.row + i % taps.end[1] * taps.column;
        for (int64_t n = 0; n < m->columns.valid; n++) {
            __builtin_prefetch(tap + n * p->w.n + BLOCK);
            __builtin_prefetch(tap + n * p->w.n + BLOCK + LINE);
        }
        p->t.kernels->transpose(to + i * BLOCK * BLOCK, BLOCK, tap, p->w.n, m->columns.valid, rows);
    }
    taps.row = taps.end[1] * BLOCK * BLOCK;
    taps.column = BLOCK * BLOCK;
    taps.step = BLOCK;
    return taps;
}

static void transform_slice(const product *m, int64_t slice, float *to) {
    const plan *p = m->p;
    _Alignas(64) float turned[MOST_TAPS * MOST_TAPS * BLOCK * BLOCK];
    daub_winograd_job job = {.source = taps_place(p),
                             .target = daub_winograd_buffer_place(&p->t, WEIGHT_POSITION),
                             .to = to,
                             .channels = m->columns.valid};
    job.target.step = m->columns.width;
    int64_t end, b = slice_at(m, slice, &end);
    for (; b < end; b++, job.to += job.count * job.target.step) {
        job.count = rows_of(m, b, &job.from);
        if (p->w.n != 1) {
            job.source = turn_taps(m, job.from, job.count, turned);
            job.from = turned;
        }
        p->t.transforms->weight(&job);
    }
}

// The weights of a slice: those that are ready, or the worker's own.
static const float *weights_of(const product *m, int64_t slice) {
    const plan *p = m->p;
    int64_t floats = p->t.positions * WEIGHT_POSITION;
    if (p->ready) return p->ready + (m->index * slices_of(m) + slice) * floats;
    transform_slice(m, slice, m->weights);
    return m->weights;
}

static void multiply(const product *m) {
    static const _Alignas(64) float zeros[BLOCK];
    const plan *p = m->p;
    int64_t group = p->products->group, slices = slices_of(m);
    const float *a[DAUB_WINOGRAD_CHUNK / 2];
    float *c[DAUB_WINOGRAD_CHUNK / 2];
    daub_conv_run runs[SLICE];
    daub_conv_rows rows = {.a = a,
                           .c = c,
                           .groups = daub_ceil_div(m->count, group),
                           .a_step = BLOCK,
                           .c_step = BLOCK,
                           .runs = runs,
                           .ahead = p->t.position,
                           .start = zeros};
    for (int64_t i = 0; i < slices; i++, rows.start = NULL) {
        const float *w = weights_of(m, i), *ignored;
        int64_t end, b = slice_at(m, i, &end);
        for (rows.run_count = 0; b < end; b++)
            runs[rows.run_count++] =
                (daub_conv_run){b * p->t.positions * p->t.position, rows_of(m, b, &ignored)};
        for (int64_t q = 0; q < p->t.positions; q++) {
            for (int64_t k = 0; k < rows.groups; k++) {
                a[k] = m->tiles + q * p->t.position + k * group * BLOCK;
                c[k] = m->out + q * p->t.position + k * group * BLOCK;
            }
            p->products->rows(&rows, (daub_conv_panel){w + q * WEIGHT_POSITION, m->columns.width});
        }
    }
}

// The worker's own memory; false, noted, when there is none left.
static bool take_memory(plan *p, int worker, product *m) {
    int64_t floats = p->t.positions * (p->t.position + (p->ready ? 0 : WEIGHT_POSITION));
    m->out = daub_scratch(worker, 0, (size_t)floats * sizeof(float));
    if (m->out)
        m->weights = m->out + p->t.positions * p->t.position;
    else
        atomic_store(&p->t.no_memory, true);
    return m->out;
}

// ---- results
// ---------------------------------------------------------------------------------------

static product forward_product(const plan *p, int64_t index) {
    return (product){.p = p,
                     .columns = daub_winograd_panel_at(p->t.s->o, index),
                     .phases = p->t.stride * p->t.stride,
                     .channels = p->t.s->c,
                     .index = index};
}

// Job: one chunk by one panel of filters.
static void forward_job(void *context, int64_t index, int worker) {
    plan *p = context;
    int64_t chunk = index / p->t.o_blocks;
    daub_winograd_span k = daub_winograd_chunk_at(&p->t, p->t.first + chunk);
    product m = forward_product(p, index % p->t.o_blocks);
    m.tiles = p->t.x_tiles + chunk * p->t.x_floats;
    m.count = k.t1 - k.t0;
    if (!take_memory(p, worker, &m)) return;
    multiply(&m);
    daub_winograd_job job = {.source = daub_winograd_buffer_place(&p->t, p->t.position),
                             .count = 1,
                             .channels = m.columns.valid,
                             .bias = p->bias ? p->bias + m.columns.first : NULL,
                             .slope = p->t.s->slope ? &p->slope : NULL};
    for (int64_t t = k.t0; t < k.t1; t++) {
        int64_t offset;
        daub_winograd_place ahead =
            daub_winograd_output_place(&p->t, daub_winograd_tile_ahead(&p->t, t), &offset);
        daub_winograd_fetch(p->y + offset + m.columns.first, &ahead, m.columns.valid, true);
        job.target = daub_winograd_output_place(&p->t, daub_winograd_tile_at(&p->t, t), &offset);
        job.from = m.out + (t - k.t0) * BLOCK;
        job.to = p->y + offset + m.columns.first;
        p->t.transforms->output(&job);
    }
}

// Adds the products of one chunk to dx: neighbouring tiles overlap, so tiles go in order.
static void overlap_add(const product *m, daub_winograd_span k) {
    const plan *p = m->p;
    daub_winograd_job job = {.source = daub_winograd_buffer_place(&p->t, p->t.position),
                             .count = 1,
                             .channels = m->columns.valid};
    for (int64_t t = k.t0; t < k.t1; t++) {
        daub_winograd_tile at = daub_winograd_tile_at(&p->t, t);
        int64_t offset;
        daub_winograd_place ahead =
            daub_winograd_input_place(&p->t, daub_winograd_tile_ahead(&p->t, t), m->phase, &offset);
        daub_winograd_fetch(p->dx + offset + m->columns.first, &ahead, m->columns.valid, true);
        job.target = daub_winograd_input_place(&p->t, at, m->phase, &offset);
        job.from = m->out + (t - k.t0) * BLOCK;
        job.to = p->dx + offset + m->columns.first;
        job.add[0] = at.y > 0;
        job.add[1] = at.x > 0;
        p->t.transforms->input_grad(&job);
    }
}

static product input_grad_product(const plan *p, int64_t index) {
    return (product){.p = p,
                     .columns = daub_winograd_panel_at(p->t.s->c, index % p->t.c_blocks),
                     .phases = 1,
                     .channels = p->t.s->o,
                     .phase = index / p->t.c_blocks,
                     .index = index};
}

// Job: whole pictures by one panel of one phase's channels.
static void input_grad_job(void *context, int64_t index, int worker) {
    plan *p = context;
    int64_t panels = p->t.stride * p->t.stride * p->t.c_blocks;
    int64_t unit = index / panels;
    product m = input_grad_product(p, index % panels);
    if (!take_memory(p, worker, &m)) return;
    for (int64_t i = unit * p->t.unit; i < (unit + 1) * p->t.unit; i++) {
        daub_winograd_span k = daub_winograd_chunk_at(&p->t, p->t.first * p->t.unit + i);
        m.tiles = p->t.dy_tiles + i * p->t.dy_floats;
        m.count = k.t1 - k.t0;
        multiply(&m);
        overlap_add(&m, k);
    }
}

// ---- the two functions
// ---------------------------------------------------------------------------

// The weights of all products, transformed, when they are small and used more than once.
typedef struct readying {
    plan *p;
    product (*product)(const plan *, int64_t index);
    int64_t slices;
} readying;

static void ready_slice(void *context, int64_t index, int worker) {
    (void)worker;
    const readying *r = context;
    product m = r->product(r->p, index / r->slices);
    transform_slice(&m, index % r->slices,
                    r->p->ready + index * r->p->t.positions * WEIGHT_POSITION);
}

static daub_status make_ready(plan *p, int64_t panels,
                              product (*product_at)(const plan *, int64_t)) {
    product first = product_at(p, 0);
    readying r = {p, product_at, slices_of(&first)};
    size_t bytes = (size_t)(panels * r.slices * p->t.positions * WEIGHT_POSITION) * sizeof(float);
    if (p->t.chunks < 2 || bytes > DAUB_WINOGRAD_READY) return DAUB_OK;
    p->ready = daub_alloc(bytes);
    return p->ready ? daub_pool_run(ready_slice, &r, panels * r.slices) : DAUB_NO_MEMORY;
}

// Weights, then all rounds of `panels` jobs for each unit.
static daub_status run(plan *p, int64_t panels, product (*product_at)(const plan *, int64_t),
                       daub_job job) {
    p->products = daub_kernels_get()->conv;
    daub_winograd_choose_rounds(&p->t, panels);
    daub_status status = make_ready(p, panels, product_at);
    if (status == DAUB_OK) status = daub_winograd_run(&p->t, panels, job, p);
    daub_free(p->ready);
    return status;
}

// y from x; the weights are those of `w`.
static daub_status forward(const daub_conv_shape *s, const float *x, weights w, const float *bias,
                           float *y) {
    plan p = {.t = daub_winograd_tiles_make(s), .w = w, .bias = bias, .y = y};
    p.t.x = x;
    if (s->slope) p.slope = (float)*s->slope;
    return run(&p, p.t.o_blocks, forward_product, forward_job);
}

daub_status daub_conv_winograd_forward(const daub_conv_shape *s, const float *x, const float *w,
                                       const float *bias, float *y) {
    int64_t tap = s->c * s->o;
    return forward(s, x, (weights){w, s->kernel[1] * tap, tap, s->o, 1}, bias, y);
}

// With stride 1, dx is the convolution of dy with the weights turned round.
static daub_status input_grad_1(const daub_conv_shape *s, const float *dy, const float *w,
                                float *dx) {
    int64_t tap = s->c * s->o, last = s->kernel[0] * s->kernel[1] - 1;
    daub_conv_shape back = *s;
    back.c = back.cg = s->o;
    back.o = back.og = s->c;
    for (int i = 0; i < 2; i++) {
        back.size[i] = s->out[i];
        back.out[i] = s->size[i];
        back.padding[i] = s->kernel[i] - 1 - s->padding[i];
    }
    weights turned = {w + last * tap, -s->kernel[1] * tap, -tap, 1, s->o};
    return forward(&back, dy, turned, NULL, dx);
}

// Whether the tiles reach every pixel of x; those the convolution does not see may stand apart.
static bool reaches_all(const plan *p) {
    for (int i = 0; i < 2; i++) {
        int64_t end = p->t.stride * (p->t.tiles[i] * TILE + p->t.side - TILE) - p->t.s->padding[i];
        if (end < p->t.s->size[i]) return false;
    }
    return true;
}

static daub_status input_grad_2(const daub_conv_shape *s, const float *dy, const float *w,
                                float *dx) {
    int64_t tap = s->c * s->o;
    plan p = {
        .t = daub_winograd_tiles_make(s), .w = {w, s->kernel[1] * tap, tap, 1, s->o}, .dx = dx};
    p.t.dy = dy;
    p.t.unit = p.t.parts;
    if (!reaches_all(&p))
        memset(dx, 0, (size_t)(s->n * s->size[0] * s->size[1] * s->c) * sizeof *dx);
    return run(&p, p.t.stride * p.t.stride * p.t.c_blocks, input_grad_product, input_grad_job);
}

daub_status daub_conv_winograd_input_grad(const daub_conv_shape *s, const float *dy, const float *w,
                                          float *dx) {
    return (s->stride[0] == 1 ? input_grad_1 : input_grad_2)(s, dy, w, dx);
}
