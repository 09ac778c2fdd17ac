// Forward, input gradient and weight gradient by Winograd's minimal filtering.
//
// The tiles of all pictures go by in chunks. First all threads transform the tiles of some chunks,
// into buffers [block of 32 channels][position][tile][32] that fit the last-level cache. Then each
// job multiplies one chunk with one panel of 32 columns of the transformed weights, a slice of 128
// rows at a time, and transforms the products to results. Weights that fit the cache are
// transformed once, larger ones by each job, slice by slice. The products are those of the direct
// convolution's matrix kernels. Sums run in a fixed order, so results do not depend on the number
// of threads.
#include "conv/winograd.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/grid.h"
#include "kernel/families/winograd.h"
#include "kernel/kernel.h"

enum {
    TILE = DAUB_WINOGRAD_TILE,
    BLOCK = DAUB_WINOGRAD_BLOCK,
    CHUNK = 128,      // tiles of a chunk, at most; half of it where weights are transformed once
    SEGMENT = 16,     // tiles that one job transforms
    MOST_TAPS = 3,    // along each axis of a phase
    SLICE = 4,        // blocks of rows whose weights are transformed at once
    JOBS = 8,         // wanted in a round
    SLOTS = 8,        // chunks whose weight gradients are summed apart, at most
    ROUND = 12 << 20, // bytes of transformed tiles in a round, about
    READY = 4 << 20,  // bytes of weights that are transformed once for all chunks
    // Distance of two positions in a slice of weights: a power of two would crowd them into one set
    // of the cache.
    WEIGHT_POSITION = SLICE * BLOCK * BLOCK + BLOCK,
    // The same of weight gradients.
    GRAD_POSITION = BLOCK * BLOCK + BLOCK,
};

// Weights as the products take them: rows k meet columns n, of which one is 1 float from the next.
typedef struct weights {
    const float *at;     // tap (0, 0)
    int64_t row, column; // from one tap to the next
    int64_t k, n;        // from one row, and one column, to the next
} weights;

typedef struct plan {
    const daub_conv_shape *s;
    const daub_conv_kernels *products;
    const daub_winograd_kernels *kernels;
    const daub_winograd_transforms *transforms;
    int64_t stride, side, positions; // side of a transformed square, and its square
    int64_t tiles[2], per;           // tiles of a picture: rows and columns, and all
    // Chunks: some pictures, or one part of one picture.
    int64_t pictures, parts, part, chunks;
    int64_t unit, units; // chunks that one job takes one after the other
    int64_t position;    // floats from one position to the next in a chunk
    int64_t c_blocks, o_blocks;
    int64_t x_floats, dy_floats; // of a chunk's transformed tiles
    // The present round.
    int64_t first, count; // units
    float *x_tiles, *dy_tiles;
    // What is read and written; not every function has all.
    weights w;
    float *ready; // [panel][slice][position][row][32] weights, or NULL
    const float *x, *dy, *bias;
    float *y, *dx, *dw, *sums;
    float slope;
    int64_t slots;
    atomic_bool no_memory;
} plan;

bool daub_conv_winograd_fits(const daub_conv_shape *s) {
    int64_t stride = s->stride[0], taps = s->kernel[0] / stride;
    return s->groups == 1 && stride <= 2 && s->stride[1] == stride &&
           s->kernel[0] == s->kernel[1] && taps * stride == s->kernel[0] && taps >= 2 &&
           taps <= 3 && s->padding[0] < s->kernel[0] && s->padding[1] < s->kernel[1];
}

// ---- the plan
// --------------------------------------------------------------------------------------

static int64_t blocks_of(int64_t channels) {
    return daub_ceil_div(channels, BLOCK);
}

static plan make_plan(const daub_conv_shape *s) {
    int64_t stride = s->stride[0], taps = s->kernel[0] / stride;
    plan p = {.s = s, .stride = stride, .side = TILE + taps - 1, .unit = 1};
    p.products = daub_kernels_get()->conv;
    p.kernels = daub_kernels_get()->winograd;
    p.transforms = &p.kernels->taps[taps - 2];
    p.positions = p.side * p.side;
    for (int i = 0; i < 2; i++) p.tiles[i] = daub_ceil_div(s->out[i], TILE);
    p.per = p.tiles[0] * p.tiles[1];
    // More tiles make a slice of weights worth transforming, fewer stay nearer.
    int64_t bytes = p.positions * stride * stride * s->c * s->o * (int64_t)sizeof(float);
    int64_t chunk = bytes > READY ? CHUNK : CHUNK / 2;
    p.parts = daub_ceil_div(p.per, chunk);
    p.part = daub_ceil_div(p.per, p.parts);
    p.pictures = p.parts > 1 ? 1 : chunk / p.per < s->n ? chunk / p.per : s->n;
    p.chunks = daub_ceil_div(s->n, p.pictures) * p.parts;
    // Room for whole groups of rows; an odd number of lines apart.
    p.position = (daub_ceil_div(p.part * p.pictures, 4) * 4 + 1) * BLOCK;
    p.c_blocks = blocks_of(s->c);
    p.o_blocks = blocks_of(s->o);
    p.x_floats = stride * stride * p.c_blocks * p.positions * p.position;
    p.dy_floats = p.o_blocks * p.positions * p.position;
    return p;
}

double daub_conv_winograd_squares(const daub_conv_shape *s, int *numbers) {
    plan p = make_plan(s);
    *numbers = (int)p.positions;
    return (double)(s->n * p.per);
}

// How many units a round takes so that `jobs` of each make enough, in `floats` of each.
static void choose_rounds(plan *p, int64_t jobs, int64_t floats) {
    int64_t most = ROUND / (floats * (int64_t)sizeof(float)) + 1;
    p->units = p->chunks / p->unit;
    p->count = daub_ceil_div(JOBS, jobs);
    if (p->count > most) p->count = most;
    if (p->count > p->units) p->count = p->units;
}

// Tiles t0 … t1-1, counted over all pictures.
typedef struct span {
    int64_t t0, t1;
} span;

static span chunk_at(const plan *p, int64_t chunk) {
    int64_t n = chunk / p->parts * p->pictures, part = chunk % p->parts;
    int64_t end = n + p->pictures < p->s->n ? n + p->pictures : p->s->n;
    span k = {n * p->per + part * p->part, end * p->per};
    if (p->parts > 1 && k.t0 + p->part < k.t1) k.t1 = k.t0 + p->part;
    return k;
}

// ---- where the squares of a tile lie
// -----------------------------------------------------------------

typedef struct tile {
    int64_t n, y, x;
} tile;

static tile tile_at(const plan *p, int64_t t) {
    return (tile){t / p->per, t / p->tiles[1] % p->tiles[0], t % p->tiles[1]};
}

// Which of the positions at, at + step, … of an axis lie within its size.
static void clip(daub_winograd_place *k, int axis, int64_t at, int64_t step, int64_t size,
                 int64_t count) {
    int64_t first = at < 0 ? daub_ceil_div(-at, step) : 0;
    int64_t end = at < size ? daub_ceil_div(size - at, step) : 0;
    k->end[axis] = (int)(end < count ? end : count);
    k->first[axis] = (int)(first < k->end[axis] ? first : k->end[axis]);
}

// The pixels of x that a tile's results see, in one phase; *offset is the first one's.
static daub_winograd_place input_place(const plan *p, tile t, int64_t phase, int64_t *offset) {
    const daub_conv_shape *s = p->s;
    int64_t y = p->stride * TILE * t.y + phase / p->stride - s->padding[0];
    int64_t x = p->stride * TILE * t.x + phase % p->stride - s->padding[1];
    daub_winograd_place k = {
        .row = p->stride * s->size[1] * s->c, .column = p->stride * s->c, .block = BLOCK};
    clip(&k, 0, y, p->stride, s->size[0], p->side);
    clip(&k, 1, x, p->stride, s->size[1], p->side);
    *offset = ((t.n * s->size[0] + y) * s->size[1] + x) * s->c;
    return k;
}

// The pixels of y (or dy) of a tile.
static daub_winograd_place output_place(const plan *p, tile t, int64_t *offset) {
    const daub_conv_shape *s = p->s;
    daub_winograd_place k = {.row = s->out[1] * s->o, .column = s->o, .block = BLOCK};
    clip(&k, 0, t.y * TILE, 1, s->out[0], TILE);
    clip(&k, 1, t.x * TILE, 1, s->out[1], TILE);
    *offset = ((t.n * s->out[0] + t.y * TILE) * s->out[1] + t.x * TILE) * s->o;
    return k;
}

// A square of a buffer whose positions are `position` floats apart.
static daub_winograd_place buffer_place(const plan *p, int64_t position) {
    return (daub_winograd_place){.row = p->side * position,
                                 .column = position,
                                 .block = p->positions * position,
                                 .end = {(int)p->side, (int)p->side}};
}

// Brings `channels` of a square near: tiles lie too far from each other for the processor to see by
// itself what comes next.
enum { AHEAD = 2, LINE = 16 }; // tiles; floats of a cache line
// (Inline: gcc drops calls of a function that only fetches.)
static inline __attribute__((always_inline)) void
fetch(const float *from, const daub_winograd_place *k, int64_t channels, bool to_write) {
    for (int i = k->first[0]; i < k->end[0]; i++)
        for (int j = k->first[1]; j < k->end[1]; j++) {
            const float *at = from + i * k->row + j * k->column;
            for (int64_t c = 0; c < channels; c += LINE)
                if (to_write)
                    __builtin_prefetch(at + c, 1);
                else
                    __builtin_prefetch(at + c, 0);
        }
}

// The tile to fetch while tile t is worked on.
static tile tile_ahead(const plan *p, int64_t t) {
    int64_t last = p->s->n * p->per - 1;
    return tile_at(p, t + AHEAD < last ? t + AHEAD : last);
}

// ---- tiles in
// --------------------------------------------------------------------------------------

static void transform_input(const plan *p, int64_t t, float *to) {
    daub_winograd_job job = {
        .target = buffer_place(p, p->position), .count = 1, .channels = p->s->c};
    for (int64_t phase = 0; phase < p->stride * p->stride; phase++) {
        int64_t offset;
        daub_winograd_place ahead = input_place(p, tile_ahead(p, t), phase, &offset);
        fetch(p->x + offset, &ahead, p->s->c, false);
        job.source = input_place(p, tile_at(p, t), phase, &offset);
        job.from = p->x + offset;
        job.to = to + phase * p->c_blocks * job.target.block;
        p->transforms->input(&job);
    }
}

static void transform_output_grad(const plan *p, int64_t t, float *to) {
    int64_t offset;
    daub_winograd_place ahead = output_place(p, tile_ahead(p, t), &offset);
    fetch(p->dy + offset, &ahead, p->s->o, false);
    daub_winograd_job job = {.source = output_place(p, tile_at(p, t), &offset),
                             .target = buffer_place(p, p->position),
                             .to = to,
                             .count = 1,
                             .channels = p->s->o};
    job.from = p->dy + offset;
    p->transforms->output_grad(&job);
}

// Job: some tiles of one chunk of the round, all their channels.
static void transform_segment(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    int64_t segments = daub_ceil_div(p->part * p->pictures, SEGMENT);
    int64_t chunk = index / segments;
    span k = chunk_at(p, p->first * p->unit + chunk);
    int64_t t0 = k.t0 + index % segments * SEGMENT;
    int64_t t1 = t0 + SEGMENT < k.t1 ? t0 + SEGMENT : k.t1;
    for (int64_t t = t0; t < t1; t++) {
        int64_t to = (t - k.t0) * BLOCK;
        if (p->x_tiles) transform_input(p, t, p->x_tiles + chunk * p->x_floats + to);
        if (p->dy_tiles) transform_output_grad(p, t, p->dy_tiles + chunk * p->dy_floats + to);
    }
}

// ---- products of one chunk and one panel
// -------------------------------------------------------------

// Columns of the weights: `valid` of `width` exist.
typedef struct panel {
    int64_t first, valid, width;
} panel;

static panel panel_at(int64_t columns, int64_t index) {
    int64_t first = index * BLOCK;
    int64_t valid = columns - first < BLOCK ? columns - first : BLOCK;
    return (panel){first, valid, valid > BLOCK / 2 ? BLOCK : BLOCK / 2};
}

// The columns of one panel, the rows (phase, channel) they meet, and the tiles to multiply.
typedef struct product {
    const plan *p;
    panel columns;
    int64_t phases, channels;
    int64_t phase;      // of the first tap, when `phases` is 1
    int64_t index;      // of the panel, among all
    const float *tiles; // of the chunk
    int64_t count;
    float *out, *weights; // the worker's: [position][tile][32], and a slice of the panel
} product;

static int64_t slices_of(const product *m) {
    return daub_ceil_div(m->phases * blocks_of(m->channels), SLICE);
}

// Rows of block b and the weight of its first one.
static int64_t rows_of(const product *m, int64_t b, const float **from) {
    const plan *p = m->p;
    int64_t blocks = blocks_of(m->channels), phase = m->phase + b / blocks, c = b % blocks * BLOCK;
    *from = p->w.at + phase / p->stride * p->w.row + phase % p->stride * p->w.column + c * p->w.k +
            m->columns.first * p->w.n;
    return m->channels - c < BLOCK ? m->channels - c : BLOCK;
}

// Blocks of slice i: first to end - 1.
static int64_t slice_at(const product *m, int64_t i, int64_t *end) {
    int64_t blocks = m->phases * blocks_of(m->channels), first = i * SLICE;
    *end = first + SLICE < blocks ? first + SLICE : blocks;
    return first;
}

// The taps of one block, a square of them every `stride` rows and columns.
static daub_winograd_place taps_place(const plan *p) {
    const int taps = (int)(p->side - TILE + 1);
    return (daub_winograd_place){.row = p->stride * p->w.row,
                                 .column = p->stride * p->w.column,
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
        p->kernels->transpose(to + i * BLOCK * BLOCK, BLOCK, tap, p->w.n, m->columns.valid, rows);
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
                             .target = buffer_place(p, WEIGHT_POSITION),
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
        p->transforms->weight(&job);
    }
}

// The weights of a slice: those that are ready, or the worker's own.
static const float *weights_of(const product *m, int64_t slice) {
    const plan *p = m->p;
    int64_t floats = p->positions * WEIGHT_POSITION;
    if (p->ready) return p->ready + (m->index * slices_of(m) + slice) * floats;
    transform_slice(m, slice, m->weights);
    return m->weights;
}

static void multiply(const product *m) {
    static const _Alignas(64) float zeros[BLOCK];
    const plan *p = m->p;
    int64_t group = p->products->group, slices = slices_of(m);
    const float *a[CHUNK / 2];
    float *c[CHUNK / 2];
    daub_conv_run runs[SLICE];
    daub_conv_rows rows = {.a = a,
                           .c = c,
                           .groups = daub_ceil_div(m->count, group),
                           .a_step = BLOCK,
                           .c_step = BLOCK,
                           .runs = runs,
                           .ahead = p->position,
                           .start = zeros};
    for (int64_t i = 0; i < slices; i++, rows.start = NULL) {
        const float *w = weights_of(m, i), *ignored;
        int64_t end, b = slice_at(m, i, &end);
        for (rows.run_count = 0; b < end; b++)
            runs[rows.run_count++] =
                (daub_conv_run){b * p->positions * p->position, rows_of(m, b, &ignored)};
        for (int64_t q = 0; q < p->positions; q++) {
            for (int64_t k = 0; k < rows.groups; k++) {
                a[k] = m->tiles + q * p->position + k * group * BLOCK;
                c[k] = m->out + q * p->position + k * group * BLOCK;
            }
            p->products->rows(&rows, (daub_conv_panel){w + q * WEIGHT_POSITION, m->columns.width});
        }
    }
}

// The worker's own memory; false, noted, when there is none left.
static bool take_memory(plan *p, int worker, product *m) {
    int64_t floats = p->positions * (p->position + (p->ready ? 0 : WEIGHT_POSITION));
    m->out = daub_scratch(worker, 0, (size_t)floats * sizeof(float));
    if (m->out)
        m->weights = m->out + p->positions * p->position;
    else
        atomic_store(&p->no_memory, true);
    return m->out;
}

// ---- results
// ---------------------------------------------------------------------------------------

static product forward_product(const plan *p, int64_t index) {
    return (product){.p = p,
                     .columns = panel_at(p->s->o, index),
                     .phases = p->stride * p->stride,
                     .channels = p->s->c,
                     .index = index};
}

// Job: one chunk by one panel of filters.
static void forward_job(void *context, int64_t index, int worker) {
    plan *p = context;
    int64_t chunk = index / p->o_blocks;
    span k = chunk_at(p, p->first + chunk);
    product m = forward_product(p, index % p->o_blocks);
    m.tiles = p->x_tiles + chunk * p->x_floats;
    m.count = k.t1 - k.t0;
    if (!take_memory(p, worker, &m)) return;
    multiply(&m);
    daub_winograd_job job = {.source = buffer_place(p, p->position),
                             .count = 1,
                             .channels = m.columns.valid,
                             .bias = p->bias ? p->bias + m.columns.first : NULL,
                             .slope = p->s->slope ? &p->slope : NULL};
    for (int64_t t = k.t0; t < k.t1; t++) {
        int64_t offset;
        daub_winograd_place ahead = output_place(p, tile_ahead(p, t), &offset);
        fetch(p->y + offset + m.columns.first, &ahead, m.columns.valid, true);
        job.target = output_place(p, tile_at(p, t), &offset);
        job.from = m.out + (t - k.t0) * BLOCK;
        job.to = p->y + offset + m.columns.first;
        p->transforms->output(&job);
    }
}

// Adds the products of one chunk to dx: neighbouring tiles overlap, so tiles go in order.
static void overlap_add(const product *m, span k) {
    const plan *p = m->p;
    daub_winograd_job job = {
        .source = buffer_place(p, p->position), .count = 1, .channels = m->columns.valid};
    for (int64_t t = k.t0; t < k.t1; t++) {
        tile at = tile_at(p, t);
        int64_t offset;
        daub_winograd_place ahead = input_place(p, tile_ahead(p, t), m->phase, &offset);
        fetch(p->dx + offset + m->columns.first, &ahead, m->columns.valid, true);
        job.target = input_place(p, at, m->phase, &offset);
        job.from = m->out + (t - k.t0) * BLOCK;
        job.to = p->dx + offset + m->columns.first;
        job.add[0] = at.y > 0;
        job.add[1] = at.x > 0;
        p->transforms->input_grad(&job);
    }
}

static product input_grad_product(const plan *p, int64_t index) {
    return (product){.p = p,
                     .columns = panel_at(p->s->c, index % p->c_blocks),
                     .phases = 1,
                     .channels = p->s->o,
                     .phase = index / p->c_blocks,
                     .index = index};
}

// Job: whole pictures by one panel of one phase's channels.
static void input_grad_job(void *context, int64_t index, int worker) {
    plan *p = context;
    int64_t panels = p->stride * p->stride * p->c_blocks;
    int64_t unit = index / panels;
    product m = input_grad_product(p, index % panels);
    if (!take_memory(p, worker, &m)) return;
    for (int64_t i = unit * p->unit; i < (unit + 1) * p->unit; i++) {
        span k = chunk_at(p, p->first * p->unit + i);
        m.tiles = p->dy_tiles + i * p->dy_floats;
        m.count = k.t1 - k.t0;
        multiply(&m);
        overlap_add(&m, k);
    }
}

// Job: the share of one chunk in 32x32 weights.
static void weight_grad_job(void *context, int64_t index, int worker) {
    plan *p = context;
    const daub_conv_shape *s = p->s;
    int64_t blocks = p->stride * p->stride * p->c_blocks, jobs = blocks * p->o_blocks;
    int64_t slot = index / jobs, b = index % jobs / p->o_blocks, o = index % p->o_blocks;
    int64_t phase = b / p->c_blocks, c = b % p->c_blocks * BLOCK;
    int64_t rows = s->c - c < BLOCK ? s->c - c : BLOCK;
    panel columns = panel_at(s->o, o);
    span k = chunk_at(p, p->first + slot);
    daub_conv_run run = {0, k.t1 - k.t0};
    float *sums = daub_scratch(worker, 0, (size_t)(p->positions * GRAD_POSITION) * sizeof *sums);
    if (!sums) {
        atomic_store(&p->no_memory, true);
        return;
    }
    const float *a = p->x_tiles + slot * p->x_floats + b * p->positions * p->position;
    const float *d = p->dy_tiles + slot * p->dy_floats + o * p->positions * p->position;
    for (int64_t q = 0; q < p->positions; q++, a += p->position, d += p->position) {
        daub_conv_outer outer = {.runs = &run, .run_count = 1, .a_step = BLOCK, .c_step = BLOCK};
        for (int64_t i = 0; i < rows; i += outer.m) {
            outer.a = a + i;
            outer.c = sums + q * GRAD_POSITION + i * BLOCK;
            outer.m = rows - i < DAUB_CONV_OUTER_ROWS ? rows - i : DAUB_CONV_OUTER_ROWS;
            p->products->outer(&outer, (daub_conv_panel){d, BLOCK});
        }
    }
    int64_t tap = s->c * s->o;
    daub_winograd_place from = buffer_place(p, GRAD_POSITION);
    from.step = BLOCK;
    daub_winograd_job job = {
        .from = sums,
        .to = (slot ? p->sums + (slot - 1) * s->kernel[0] * s->kernel[1] * tap : p->dw) +
              (phase / p->stride * s->kernel[1] + phase % p->stride) * tap + c * s->o +
              columns.first,
        .source = from,
        .target = {.row = p->stride * s->kernel[1] * tap,
                   .column = p->stride * tap,
                   .block = BLOCK,
                   .step = s->o,
                   .end = {(int)(p->side - TILE + 1), (int)(p->side - TILE + 1)}},
        .count = rows,
        .channels = columns.valid,
        .add = {p->first > 0, p->first > 0}};
    p->transforms->weight_grad(&job);
}

// ---- the three functions
// ---------------------------------------------------------------------------

// All rounds: tiles in, then `jobs` jobs for each unit.
static daub_status run(plan *p, int64_t jobs, daub_job job) {
    int64_t segments = daub_ceil_div(p->part * p->pictures, SEGMENT), most = p->count;
    daub_status status = DAUB_OK;
    for (p->first = 0; p->first < p->units && status == DAUB_OK; p->first += most) {
        p->count = p->units - p->first < most ? p->units - p->first : most;
        status = daub_pool_run(transform_segment, p, p->count * p->unit * segments);
        if (status == DAUB_OK) status = daub_pool_run(job, p, p->count * jobs);
    }
    if (status == DAUB_OK && atomic_load(&p->no_memory)) return DAUB_NO_MEMORY;
    return status;
}

static float *tiles_for(const plan *p, int64_t floats) {
    return daub_alloc((size_t)(p->count * p->unit * floats) * sizeof(float));
}

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
    transform_slice(&m, index % r->slices, r->p->ready + index * r->p->positions * WEIGHT_POSITION);
}

static daub_status make_ready(plan *p, int64_t panels,
                              product (*product_at)(const plan *, int64_t)) {
    product first = product_at(p, 0);
    readying r = {p, product_at, slices_of(&first)};
    size_t bytes = (size_t)(panels * r.slices * p->positions * WEIGHT_POSITION) * sizeof(float);
    if (p->chunks < 2 || bytes > READY) return DAUB_OK;
    p->ready = daub_alloc(bytes);
    return p->ready ? daub_pool_run(ready_slice, &r, panels * r.slices) : DAUB_NO_MEMORY;
}

// y from x; the weights are those of `w`.
static daub_status forward(const daub_conv_shape *s, const float *x, weights w, const float *bias,
                           float *y) {
    plan p = make_plan(s);
    p.x = x, p.w = w, p.bias = bias, p.y = y;
    if (s->slope) p.slope = (float)*s->slope;
    choose_rounds(&p, p.o_blocks, p.x_floats);
    daub_status status = make_ready(&p, p.o_blocks, forward_product);
    p.x_tiles = tiles_for(&p, p.x_floats);
    if (!p.x_tiles) status = DAUB_NO_MEMORY;
    if (status == DAUB_OK) status = run(&p, p.o_blocks, forward_job);
    daub_free(p.x_tiles);
    daub_free(p.ready);
    return status;
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
        int64_t end = p->stride * (p->tiles[i] * TILE + p->side - TILE) - p->s->padding[i];
        if (end < p->s->size[i]) return false;
    }
    return true;
}

static daub_status input_grad_2(const daub_conv_shape *s, const float *dy, const float *w,
                                float *dx) {
    int64_t tap = s->c * s->o;
    plan p = make_plan(s);
    p.dy = dy, p.dx = dx;
    p.w = (weights){w, s->kernel[1] * tap, tap, 1, s->o};
    p.unit = p.parts;
    int64_t panels = p.stride * p.stride * p.c_blocks;
    choose_rounds(&p, panels, p.unit * p.dy_floats);
    if (!reaches_all(&p))
        memset(dx, 0, (size_t)(s->n * s->size[0] * s->size[1] * s->c) * sizeof *dx);
    daub_status status = make_ready(&p, panels, input_grad_product);
    p.dy_tiles = tiles_for(&p, p.dy_floats);
    if (!p.dy_tiles) status = DAUB_NO_MEMORY;
    if (status == DAUB_OK) status = run(&p, panels, input_grad_job);
    daub_free(p.dy_tiles);
    daub_free(p.ready);
    return status;
}

daub_status daub_conv_winograd_input_grad(const daub_conv_shape *s, const float *dy, const float *w,
                                          float *dx) {
    return (s->stride[0] == 1 ? input_grad_1 : input_grad_2)(s, dy, w, dx);
}

// dw is the sum of the slots, in order.
static void join_slots(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    enum { PART = 4096 };
    int64_t size = p->s->kernel[0] * p->s->kernel[1] * p->s->c * p->s->o, first = index * PART;
    int64_t end = first + PART < size ? first + PART : size;
    for (int64_t slot = 1; slot < p->slots; slot++) {
        const float *from = p->sums + (slot - 1) * size;
        for (int64_t i = first; i < end; i++) p->dw[i] += from[i];
    }
}

daub_status daub_conv_winograd_weight_grad(const daub_conv_shape *s, const float *x,
                                           const float *dy, float *dw) {
    plan p = make_plan(s);
    p.x = x, p.dy = dy, p.dw = dw;
    int64_t jobs = p.stride * p.stride * p.c_blocks * p.o_blocks;
    int64_t size = s->kernel[0] * s->kernel[1] * s->c * s->o;
    choose_rounds(&p, jobs, p.x_floats + p.dy_floats);
    if (p.count > SLOTS) p.count = SLOTS;
    p.slots = p.count;
    p.x_tiles = tiles_for(&p, p.x_floats);
    p.dy_tiles = tiles_for(&p, p.dy_floats);
    if (p.slots > 1) p.sums = daub_alloc((size_t)((p.slots - 1) * size) * sizeof(float));
    bool ready = p.x_tiles && p.dy_tiles && (p.sums || p.slots == 1);
    daub_status status = ready ? run(&p, jobs, weight_grad_job) : DAUB_NO_MEMORY;
    if (status == DAUB_OK && p.slots > 1)
        status = daub_pool_run(join_slots, &p, daub_ceil_div(size, 4096));
    daub_free(p.x_tiles);
    daub_free(p.dy_tiles);
    daub_free(p.sums);
    return status;
}
