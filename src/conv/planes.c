// Forward and input gradient where the results of a pixel do not fill vectors: vectors go along
// pixels.
//
// A job transposes some rows of a picture into planes, one for each channel, with their zeros
// around them. Neighbouring base positions are then neighbours in memory, over ends of rows too: a
// few sums there are made and never used. The results, planes again, are transposed back to where
// they belong.
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/grid.h"

enum {
    SLICE = 256,       // products summed up at once, about
    PACKED = 64 << 10, // floats of a job's planes, about: a quarter of the second-level cache
    JOBS = 4,          // wanted for each thread
    PAD = DAUB_CONV_STRIP,
};

// The phases of the result that see the same taps: one product.
typedef struct product {
    int64_t first, phases; // phases first … first + phases - 1
    int64_t skip[2];       // taps at the start of a window that these phases do not meet
    int64_t taps[2];
    int64_t columns; // phases * target_channels
    int64_t weights; // where they start among a group's, in floats: (channels, taps, columns)
} product;

typedef struct plan {
    const daub_conv_shape *s;
    daub_conv_grid grid; // of one channel
    const daub_conv_kernels *kernels;
    const float *source, *w;
    float *target;
    int64_t target_channels;                 // of a group
    int64_t rows, bands;                     // base rows of a job; jobs for a picture
    int64_t plane, result;                   // floats from one plane to the next: packed, of sums
    int64_t count, most_columns, all_floats; // products; of the largest one; a group's weights
    product *products;
    float *weights, *start; // (groups, all_floats), (groups, most_columns)
    float slope;            // of the results' leaky ReLU, where s->slope asks for it
    atomic_bool no_memory;
} plan;

// ---- the plan
// --------------------------------------------------------------------------------------

// Taps that phase `r` does not meet: at most the first one.
static int64_t skipped(const daub_conv_axis *a, int64_t r) {
    return a->taps > 0 && daub_conv_tap(a, 0, r) < 0;
}

static bool one_product(const daub_conv_axis *axis) {
    return axis[0].kernel % axis[0].scale == 0 && axis[1].kernel % axis[1].scale == 0;
}

static daub_status make_products(plan *p) {
    const daub_conv_axis *axis = p->grid.axis;
    int64_t phases = axis[0].scale * axis[1].scale;
    p->count = one_product(axis) ? 1 : phases;
    p->products = daub_alloc((size_t)p->count * sizeof *p->products);
    if (!p->products) return DAUB_NO_MEMORY;
    for (int64_t i = 0; i < p->count; i++) {
        int64_t skip[2] = {skipped(&axis[0], i / axis[1].scale),
                           skipped(&axis[1], i % axis[1].scale)};
        product *f = &p->products[i];
        *f = (product){.first = i,
                       .phases = phases / p->count,
                       .skip = {skip[0], skip[1]},
                       .taps = {axis[0].taps - skip[0], axis[1].taps - skip[1]},
                       .weights = p->all_floats};
        f->columns = f->phases * p->target_channels;
        p->all_floats += p->grid.channels * f->taps[0] * f->taps[1] * f->columns;
    }
    p->most_columns = p->products[0].columns;
    return DAUB_OK;
}

// Planes an odd number of cache lines apart do not crowd into few sets of the cache.
static int64_t odd_lines(int64_t floats) {
    return (daub_ceil_div(floats, 16) | 1) * 16;
}

static void choose_rows(plan *p) {
    const daub_conv_axis *ay = &p->grid.axis[0], *ax = &p->grid.axis[1];
    p->grid.pitch = 1;
    p->grid.row = ax->grid;
    int64_t rows = PACKED / (ax->grid * p->grid.channels) - (ay->taps - 1);
    int64_t bands = daub_ceil_div(JOBS * daub_pool_threads(), p->s->n * p->s->groups);
    if (rows > ay->base / bands) rows = ay->base / bands;
    if (rows < ay->taps) rows = ay->taps;
    p->bands = daub_ceil_div(ay->base, rows);
    p->rows = daub_ceil_div(ay->base, p->bands);
    p->bands = daub_ceil_div(ay->base, p->rows);
    p->plane = odd_lines((p->rows + ay->taps - 1) * ax->grid + PAD);
    p->result = odd_lines(p->rows * ax->grid + PAD);
}

// ---- packing the weight
// ------------------------------------------------------------------------------

// The weights between a source channel and the results of a product, for one tap of the window.
static void pack_tap(const plan *p, const product *f, int64_t group, int64_t channel, int64_t ey,
                     int64_t ex, float *to) {
    const daub_conv_shape *s = p->s;
    const daub_conv_axis *ay = &p->grid.axis[0], *ax = &p->grid.axis[1];
    for (int64_t i = 0; i < f->phases; i++, to += p->target_channels) {
        int64_t ky = daub_conv_tap(ay, ey, (f->first + i) / ax->scale);
        int64_t kx = daub_conv_tap(ax, ex, (f->first + i) % ax->scale);
        const float *tap = p->w + (ky * s->kernel[1] + kx) * s->cg * s->o + group * s->og;
        if (ay->backward)
            for (int64_t c = 0; c < s->cg; c++) to[c] = tap[c * s->o + channel];
        else
            memcpy(to, tap + channel * s->o, (size_t)s->og * sizeof *to);
    }
}

// Job: one source channel of one group.
static void pack_channel(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    int64_t channel = index % p->grid.channels, group = index / p->grid.channels;
    for (const product *f = p->products; f < p->products + p->count; f++) {
        float *to = p->weights + group * p->all_floats + f->weights +
                    channel * f->taps[0] * f->taps[1] * f->columns;
        for (int64_t y = 0; y < f->taps[0]; y++)
            for (int64_t x = 0; x < f->taps[1]; x++, to += f->columns)
                pack_tap(p, f, group, channel, f->skip[0] + y, f->skip[1] + x, to);
    }
}

static daub_status pack_weight(plan *p, const float *bias) {
    int64_t groups = p->s->groups;
    size_t starts = (size_t)(groups * p->most_columns);
    p->weights = daub_alloc((size_t)(groups * p->all_floats) * sizeof *p->weights);
    p->start = daub_alloc(starts * sizeof *p->start);
    if (!p->weights || !p->start) return DAUB_NO_MEMORY;
    if (bias)
        memcpy(p->start, bias, starts * sizeof *p->start);
    else
        memset(p->start, 0, starts * sizeof *p->start);
    return daub_pool_run(pack_channel, p, groups * p->grid.channels);
}

// ---- the products
// -----------------------------------------------------------------------------------

// A job: base rows y0 … y1-1 of picture n, and the channels of one group.
typedef struct band {
    const plan *p;
    int64_t n, y0, y1, group;
    float *planes, *results;
    daub_conv_run *runs;
} band;

static int64_t slice_channels(const product *f) {
    int64_t taps = f->taps[0] * f->taps[1];
    return taps < SLICE ? SLICE / (taps > 0 ? taps : 1) : 1;
}

static void pack_planes(const band *b) {
    const plan *p = b->p;
    const daub_conv_grid *g = &p->grid;
    const daub_conv_axis *ay = &g->axis[0], *ax = &g->axis[1];
    int64_t left, right;
    daub_conv_grid_columns(g, &left, &right);
    int64_t height = b->y1 - b->y0 + ay->taps - 1;
    memset(b->planes, 0, (size_t)(g->channels * p->plane) * sizeof *b->planes);
    for (int64_t y = 0; y < height; y++) {
        int64_t sy = b->y0 + y - ay->before, sx = left - ax->before;
        if (sy < 0 || sy >= ay->source) continue;
        const float *from = p->source +
                            ((b->n * ay->source + sy) * ax->source + sx) * g->source_channels +
                            b->group * g->channels;
        p->kernels->transpose(from, g->source_channels, right - left, g->channels,
                              b->planes + y * ax->grid + left, p->plane);
    }
}

static void multiply(const band *b, const product *f) {
    const plan *p = b->p;
    const daub_conv_axis *ax = &p->grid.axis[1];
    int64_t most = slice_channels(f), channels = p->grid.channels;
    daub_conv_strips job = {
        .a = b->planes,
        .runs = b->runs,
        .a_step = 1,
        .width = (b->y1 - b->y0 - 1) * ax->grid + ax->base,
        .b = p->weights + b->group * p->all_floats + f->weights,
        .b_step = f->columns,
        .m = f->columns,
        .c = b->results,
        .c_step = p->result,
        .start = p->start + b->group * p->most_columns,
    };
    for (int64_t c = 0; c < (channels < most ? channels : most); c++)
        for (int64_t y = 0; y < f->taps[0]; y++)
            b->runs[c * f->taps[0] + y] = (daub_conv_run){
                c * p->plane + (f->skip[0] + y) * ax->grid + f->skip[1], f->taps[1]};
    for (int64_t c = 0; c < channels; c += most) {
        int64_t count = channels - c < most ? channels - c : most;
        job.run_count = count * f->taps[0];
        if (c + count == channels && p->s->slope) job.slope = &p->slope;
        p->kernels->strips(&job);
        job.start = NULL;
        job.a += count * p->plane;
        job.b += count * f->taps[0] * f->taps[1] * f->columns;
    }
}

// Brings the results of one phase to their places.
static void take_results(const band *b, const product *f, int64_t index) {
    const plan *p = b->p;
    const daub_conv_axis *ay = &p->grid.axis[0], *ax = &p->grid.axis[1];
    int64_t ry = (f->first + index) / ax->scale, rx = (f->first + index) % ax->scale;
    int64_t y0, y1, x0, x1, pixel = p->s->groups * p->target_channels;
    daub_conv_phase_range(ay, ry, &y0, &y1);
    daub_conv_phase_range(ax, rx, &x0, &x1);
    if (y0 < b->y0) y0 = b->y0;
    if (y1 > b->y1) y1 = b->y1;
    for (int64_t y = y0; y < y1 && x0 < x1; y++) {
        int64_t ty = y * ay->scale + ry - ay->shift, tx = x0 * ax->scale + rx - ax->shift;
        const float *from =
            b->results + index * p->target_channels * p->result + (y - b->y0) * ax->grid + x0;
        float *to = p->target + ((b->n * ay->target + ty) * ax->target + tx) * pixel +
                    b->group * p->target_channels;
        p->kernels->transpose(from, p->result, p->target_channels, x1 - x0, to, ax->scale * pixel);
    }
}

static void run_band(void *context, int64_t index, int worker) {
    plan *p = context;
    int64_t y0 = index % p->bands * p->rows, base = p->grid.axis[0].base;
    band b = {.p = p,
              .n = index / p->bands % p->s->n,
              .y0 = y0,
              .y1 = y0 + p->rows < base ? y0 + p->rows : base,
              .group = index / p->bands / p->s->n};
    int64_t taps = p->grid.axis[0].taps;
    b.planes = daub_scratch(worker, 0, (size_t)(p->grid.channels * p->plane) * sizeof(float));
    b.results = daub_scratch(worker, 1, (size_t)(p->most_columns * p->result) * sizeof(float));
    b.runs = daub_scratch(worker, 2, (size_t)((SLICE + 1) * taps) * sizeof *b.runs);
    if (!b.planes || !b.results || !b.runs) {
        atomic_store(&p->no_memory, true);
        return;
    }
    pack_planes(&b);
    for (const product *f = p->products; f < p->products + p->count; f++) {
        multiply(&b, f);
        for (int64_t i = 0; i < f->phases; i++) take_results(&b, f, i);
    }
}

// ---- the functions
// ----------------------------------------------------------------------------------

daub_status daub_conv_planes(const daub_conv_shape *s, const daub_conv_grid *grid,
                             const float *source, const float *w, const float *bias,
                             float *target) {
    plan p = {.s = s,
              .grid = *grid,
              .kernels = daub_conv_kernels_for(s),
              .source = source,
              .w = w,
              .target = target,
              .target_channels = grid->axis[0].backward ? s->cg : s->og};
    if (s->slope) p.slope = (float)*s->slope;
    choose_rows(&p);
    daub_status status = make_products(&p);
    if (status == DAUB_OK) status = pack_weight(&p, bias);
    if (status == DAUB_OK) status = daub_pool_run(run_band, &p, s->groups * s->n * p.bands);
    if (status == DAUB_OK && atomic_load(&p.no_memory)) status = DAUB_NO_MEMORY;
    daub_free(p.products);
    daub_free(p.weights);
    daub_free(p.start);
    return status;
}

// Measured costs, in multiply-adds of one vector lane for each base position: both ways make all
// products; rows fill up their columns and bring results that do not fill them to their places one
// by one, planes fill up the ends of picture rows and have to transpose.
bool daub_conv_planes_fit(const daub_conv_shape *s, const daub_conv_grid *g) {
    enum { TRANSPOSE = 20, SPARE = 800, COLUMNS = DAUB_CONV_HALF_PANEL };
    const daub_conv_axis *ay = &g->axis[0], *ax = &g->axis[1];
    if (ay->step != 1 || ax->step != 1) return false;
    int64_t phases = ay->scale * ax->scale, columns = ay->backward ? s->cg : s->og;
    double products = (double)(g->channels * s->kernel[0] * s->kernel[1]);
    int64_t width = (ay->base - 1) * ax->grid + ax->base;
    double lost = (double)(daub_ceil_div(width, PAD) * PAD) / (double)(ay->base * ax->base);
    double planes =
        products * (double)columns * lost + (double)(TRANSPOSE * (g->channels + phases * columns));
    int64_t together = daub_conv_merges(s, g) ? phases : 1, panel = together * columns;
    double rows = products / (double)together * (double)(daub_ceil_div(panel, COLUMNS) * COLUMNS) +
                  (together > 1 || panel % COLUMNS ? SPARE : 0);
    return planes < rows;
}
