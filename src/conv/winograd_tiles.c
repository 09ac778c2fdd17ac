#include "conv/winograd_tiles.h"

#include "base/memory.h"
#include "conv/grid.h"
#include "conv/winograd.h"
#include "kernel/kernel.h"

enum {
    TILE = DAUB_WINOGRAD_TILE,
    BLOCK = DAUB_WINOGRAD_BLOCK,
    AHEAD = 2,        // tiles between one that is worked on and one that is fetched
    SEGMENT = 16,     // tiles that one job transforms
    JOBS = 8,         // wanted in a round
    ROUND = 12 << 20, // bytes of transformed tiles in a round, about
};

bool daub_conv_winograd_fits(const daub_conv_shape *s) {
    int64_t stride = s->stride[0], taps = s->kernel[0] / stride;
    return s->groups == 1 && stride <= 2 && s->stride[1] == stride &&
           s->kernel[0] == s->kernel[1] && taps * stride == s->kernel[0] && taps >= 2 &&
           taps <= 3 && s->padding[0] < s->kernel[0] && s->padding[1] < s->kernel[1];
}

// ---- the plan
// --------------------------------------------------------------------------------------

daub_winograd_tiles daub_winograd_tiles_make(const daub_conv_shape *s) {
    int64_t stride = s->stride[0], taps = s->kernel[0] / stride;
    daub_winograd_tiles p = {.s = s, .stride = stride, .side = TILE + taps - 1, .unit = 1};
    p.kernels = daub_kernels_get()->winograd;
    p.transforms = &p.kernels->taps[taps - 2];
    p.positions = p.side * p.side;
    for (int i = 0; i < 2; i++) p.tiles[i] = daub_ceil_div(s->out[i], TILE);
    p.per = p.tiles[0] * p.tiles[1];
    // More tiles make a slice of weights worth transforming, fewer stay nearer.
    int64_t bytes = p.positions * stride * stride * s->c * s->o * (int64_t)sizeof(float);
    int64_t chunk = bytes > DAUB_WINOGRAD_READY ? DAUB_WINOGRAD_CHUNK : DAUB_WINOGRAD_CHUNK / 2;
    p.parts = daub_ceil_div(p.per, chunk);
    p.part = daub_ceil_div(p.per, p.parts);
    p.pictures = p.parts > 1 ? 1 : chunk / p.per < s->n ? chunk / p.per : s->n;
    p.chunks = daub_ceil_div(s->n, p.pictures) * p.parts;
    // Room for whole groups of rows; an odd number of lines apart.
    p.position = (daub_ceil_div(p.part * p.pictures, 4) * 4 + 1) * BLOCK;
    p.c_blocks = daub_winograd_blocks_of(s->c);
    p.o_blocks = daub_winograd_blocks_of(s->o);
    p.x_floats = stride * stride * p.c_blocks * p.positions * p.position;
    p.dy_floats = p.o_blocks * p.positions * p.position;
    return p;
}

double daub_conv_winograd_squares(const daub_conv_shape *s, int *numbers) {
    daub_winograd_tiles p = daub_winograd_tiles_make(s);
    *numbers = (int)p.positions;
    return (double)(s->n * p.per);
}

// What one unit's transformed tiles take.
static int64_t unit_floats(const daub_winograd_tiles *p) {
    return p->unit * ((p->x ? p->x_floats : 0) + (p->dy ? p->dy_floats : 0));
}

void daub_winograd_choose_rounds(daub_winograd_tiles *p, int64_t jobs) {
    int64_t most = ROUND / (unit_floats(p) * (int64_t)sizeof(float)) + 1;
    p->units = p->chunks / p->unit;
    p->count = daub_ceil_div(JOBS, jobs);
    if (p->count > most) p->count = most;
    if (p->count > p->units) p->count = p->units;
}

daub_winograd_span daub_winograd_chunk_at(const daub_winograd_tiles *p, int64_t chunk) {
    int64_t n = chunk / p->parts * p->pictures, part = chunk % p->parts;
    int64_t end = n + p->pictures < p->s->n ? n + p->pictures : p->s->n;
    daub_winograd_span k = {n * p->per + part * p->part, end * p->per};
    if (p->parts > 1 && k.t0 + p->part < k.t1) k.t1 = k.t0 + p->part;
    return k;
}

// ---- where the squares of a tile lie
// -----------------------------------------------------------------

daub_winograd_tile daub_winograd_tile_at(const daub_winograd_tiles *p, int64_t t) {
    return (daub_winograd_tile){t / p->per, t / p->tiles[1] % p->tiles[0], t % p->tiles[1]};
}

daub_winograd_tile daub_winograd_tile_ahead(const daub_winograd_tiles *p, int64_t t) {
    int64_t last = p->s->n * p->per - 1;
    return daub_winograd_tile_at(p, t + AHEAD < last ? t + AHEAD : last);
}

// Which of the positions at, at + step, … of an axis lie within its size.
static void clip(daub_winograd_place *k, int axis, int64_t at, int64_t step, int64_t size,
                 int64_t count) {
    int64_t first = at < 0 ? daub_ceil_div(-at, step) : 0;
    int64_t end = at < size ? daub_ceil_div(size - at, step) : 0;
    k->end[axis] = (int)(end < count ? end : count);
    k->first[axis] = (int)(first < k->end[axis] ? first : k->end[axis]);
}

daub_winograd_place daub_winograd_input_place(const daub_winograd_tiles *p, daub_winograd_tile t,
                                              int64_t phase, int64_t *offset) {
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

daub_winograd_place daub_winograd_output_place(const daub_winograd_tiles *p, daub_winograd_tile t,
                                               int64_t *offset) {
    const daub_conv_shape *s = p->s;
    daub_winograd_place k = {.row = s->out[1] * s->o, .column = s->o, .block = BLOCK};
    clip(&k, 0, t.y * TILE, 1, s->out[0], TILE);
    clip(&k, 1, t.x * TILE, 1, s->out[1], TILE);
    *offset = ((t.n * s->out[0] + t.y * TILE) * s->out[1] + t.x * TILE) * s->o;
    return k;
}

daub_winograd_place daub_winograd_buffer_place(const daub_winograd_tiles *p, int64_t position) {
    return (daub_winograd_place){.row = p->side * position,
                                 .column = position,
                                 .block = p->positions * position,
                                 .end = {(int)p->side, (int)p->side}};
}

// ---- tiles in
// --------------------------------------------------------------------------------------

static void transform_input(const daub_winograd_tiles *p, int64_t t, float *to) {
    daub_winograd_job job = {
        .target = daub_winograd_buffer_place(p, p->position), .count = 1, .channels = p->s->c};
    for (int64_t phase = 0; phase < p->stride * p->stride; phase++) {
        int64_t offset;
        daub_winograd_place ahead =
            daub_winograd_input_place(p, daub_winograd_tile_ahead(p, t), phase, &offset);
        daub_winograd_fetch(p->x + offset, &ahead, p->s->c, false);
        job.source = daub_winograd_input_place(p, daub_winograd_tile_at(p, t), phase, &offset);
        job.from = p->x + offset;
        job.to = to + phase * p->c_blocks * job.target.block;
        p->transforms->input(&job);
    }
}

static void transform_output_grad(const daub_winograd_tiles *p, int64_t t, float *to) {
    int64_t offset;
    daub_winograd_place ahead =
        daub_winograd_output_place(p, daub_winograd_tile_ahead(p, t), &offset);
    daub_winograd_fetch(p->dy + offset, &ahead, p->s->o, false);
    daub_winograd_job job = {
        .source = daub_winograd_output_place(p, daub_winograd_tile_at(p, t), &offset),
        .target = daub_winograd_buffer_place(p, p->position),
        .to = to,
        .count = 1,
        .channels = p->s->o};
    job.from = p->dy + offset;
    p->transforms->output_grad(&job);
}

// Job: some tiles of one chunk of the round, all their channels.
static void transform_segment(void *context, int64_t index, int worker) {
    (void)worker;
    const daub_winograd_tiles *p = context;
    int64_t segments = daub_ceil_div(p->part * p->pictures, SEGMENT);
    int64_t chunk = index / segments;
    daub_winograd_span k = daub_winograd_chunk_at(p, p->first * p->unit + chunk);
    int64_t t0 = k.t0 + index % segments * SEGMENT;
    int64_t t1 = t0 + SEGMENT < k.t1 ? t0 + SEGMENT : k.t1;
    for (int64_t t = t0; t < t1; t++) {
        int64_t to = (t - k.t0) * BLOCK;
        if (p->x_tiles) transform_input(p, t, p->x_tiles + chunk * p->x_floats + to);
        if (p->dy_tiles) transform_output_grad(p, t, p->dy_tiles + chunk * p->dy_floats + to);
    }
}

// ---- rounds
// ----------------------------------------------------------------------------------------

static daub_status run_rounds(daub_winograd_tiles *p, int64_t jobs, daub_job job, void *context) {
    int64_t segments = daub_ceil_div(p->part * p->pictures, SEGMENT), most = p->count;
    daub_status status = DAUB_OK;
    for (p->first = 0; p->first < p->units && status == DAUB_OK; p->first += most) {
        p->count = p->units - p->first < most ? p->units - p->first : most;
        status = daub_pool_run(transform_segment, p, p->count * p->unit * segments);
        if (status == DAUB_OK) status = daub_pool_run(job, context, p->count * jobs);
    }
    return status == DAUB_OK && atomic_load(&p->no_memory) ? DAUB_NO_MEMORY : status;
}

daub_status daub_winograd_run(daub_winograd_tiles *p, int64_t jobs, daub_job job, void *context) {
    float *all = daub_alloc((size_t)(p->count * unit_floats(p)) * sizeof *all);
    if (!all) return DAUB_NO_MEMORY;
    p->x_tiles = p->x ? all : NULL;
    p->dy_tiles = p->dy ? all + (p->x ? p->count * p->unit * p->x_floats : 0) : NULL;
    daub_status status = run_rounds(p, jobs, job, context);
    daub_free(all);
    return status;
}
