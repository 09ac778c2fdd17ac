// Forward and input gradient with the matrix kernels: rows of pixels times panels of weights.
//
// The weight is packed once, into panels of 32 columns that hold the rows in the order the runs
// take up the numbers of a window. A job then packs a block of pictures into its worker's scratch
// memory (it stays in the second-level cache) and multiplies it with some of the panels, in slices
// of rows that let a panel stay in the first-level cache. Every result is a sum over slices in a
// fixed order.
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/grid.h"

enum {
    SLICE = 256, // rows of a panel that are used at once: 32 KiB
    PIXELS =
        384, // base positions in a block: enough to make the panels' way through the cache worth it
    JOBS = 6, // wanted for each thread
};

// One product: a phase of the result, or all of them (merged).
typedef struct phase {
    int64_t r[2];
    int64_t k; // rows of its panels
    daub_conv_run *runs;
    int64_t *slices; // slice i is runs slices[i] … slices[i+1]-1; slice_count + 1 of them
    int64_t slice_count;
    int64_t panels; // where they start among a group's panels, in floats
} phase;

typedef struct plan {
    const daub_conv_shape *s;
    daub_conv_grid grid;
    daub_conv_blocks blocks;
    bool merged;                               // a column stands for a phase and a channel
    bool ready;                                // the source itself serves as the packed grid
    bool across;                               // groups go across pictures
    int64_t columns;                           // of each product, per group
    int64_t target_channels;                   // of a group
    int64_t phase_count, splits, group_panels; // floats of one group's panels
    phase *phases;
    const daub_conv_kernels *kernels;
    const float *source, *w;
    float *panels, *start, *target; // start: (groups, panels * 32)
    float slope;                    // of the results' leaky ReLU, where s->slope asks for it
    atomic_bool no_memory;
} plan;

// ---- the plan
// --------------------------------------------------------------------------------------

static int64_t phases_of(const plan *p) {
    return p->merged ? 1 : p->grid.axis[0].scale * p->grid.axis[1].scale;
}

// Appends numbers to the runs of `f`, a new run or slice wherever one is due.
static void add_run(phase *f, int64_t *runs, int64_t offset, int64_t count) {
    while (count > 0) {
        int64_t room = SLICE - f->k % SLICE;
        if (f->k % SLICE == 0 && f->k) f->slices[f->slice_count++] = *runs;
        int64_t part = count < room ? count : room;
        daub_conv_run *last = f->k % SLICE ? &f->runs[*runs - 1] : NULL;
        if (last && last->offset + last->count == offset)
            last->count += part;
        else
            f->runs[(*runs)++] = (daub_conv_run){offset, part};
        f->k += part;
        offset += part;
        count -= part;
    }
}

// Fills the runs of one phase. f->slices[0] = 0 is the first slice; there is one even without any
// taps.
static void fill_runs(const plan *p, phase *f) {
    const daub_conv_grid *g = &p->grid;
    int64_t runs = 0;
    f->k = 0;
    f->slices[0] = 0;
    f->slice_count = 1;
    for (int64_t ey = 0; ey < g->axis[0].taps; ey++) {
        for (int64_t ex = 0; ex < g->axis[1].taps; ex++) {
            if (!p->merged && (daub_conv_tap(&g->axis[0], ey, f->r[0]) < 0 ||
                               daub_conv_tap(&g->axis[1], ex, f->r[1]) < 0))
                continue;
            add_run(f, &runs, ey * g->row + ex * g->pitch, g->channels);
        }
    }
    f->slices[f->slice_count] = runs;
}

static daub_status make_phases(plan *p) {
    const daub_conv_grid *g = &p->grid;
    int64_t taps = g->axis[0].taps * g->axis[1].taps;
    int64_t slices = taps * g->channels / SLICE + 2, runs = taps + slices;
    p->phase_count = phases_of(p);
    size_t bytes = sizeof(phase) + (size_t)runs * sizeof(daub_conv_run) +
                   (size_t)(slices + 1) * sizeof(int64_t);
    p->phases = daub_alloc((size_t)p->phase_count * bytes);
    if (!p->phases) return DAUB_NO_MEMORY;
    daub_conv_run *run = (daub_conv_run *)(p->phases + p->phase_count);
    int64_t *slice = (int64_t *)(run + p->phase_count * runs);
    int64_t last = daub_conv_panels(p->columns) - 1;
    int64_t padded = last * DAUB_CONV_PANEL + daub_conv_panel_width(p->columns, last);
    for (int64_t i = 0; i < p->phase_count; i++, run += runs, slice += slices + 1) {
        phase *f = &p->phases[i];
        *f = (phase){.r = {i / g->axis[1].scale, i % g->axis[1].scale},
                     .runs = run,
                     .slices = slice,
                     .panels = p->group_panels};
        fill_runs(p, f);
        p->group_panels += f->k * padded;
    }
    return DAUB_OK;
}

// Results that one base position gives along an axis, at most as many base positions as there are.
static int64_t lanes(const plan *p, int axis) {
    const daub_conv_axis *a = &p->grid.axis[axis];
    return p->merged ? a->base : daub_ceil_div(a->target, a->scale);
}

static void choose_blocks(plan *p) {
    int64_t group = p->kernels->group, n = p->s->n, width = lanes(p, 1);
    // Share of the kernels' rows that are wanted, going along x and across pictures.
    double along = (double)width / (double)(daub_ceil_div(width, group) * group);
    double over = (double)n / (double)(daub_ceil_div(n, group) * group);
    p->across = over > along;
    p->blocks = daub_conv_blocks_make(&p->grid, n, PIXELS, p->across ? group : 1);
    int64_t jobs = p->blocks.count * p->s->groups, panels = daub_conv_panels(p->columns);
    p->splits = daub_ceil_div(JOBS * daub_pool_threads(), jobs);
    if (p->splits > panels) p->splits = panels;
}

// Where nothing is padded and no group of rows is cut short, the source is a grid already. (Pixels
// a multiple of a page apart would share few sets of the cache: those are packed all the same.)
static void use_source(plan *p) {
    daub_conv_grid *g = &p->grid;
    const daub_conv_axis *ay = &g->axis[0], *ax = &g->axis[1];
    int64_t row = ax->source * g->channels;
    bool whole = p->s->groups == 1 && ay->scale == 1 && ax->scale == 1 && !ay->before &&
                 !ax->before && ay->grid <= ay->source && ax->grid <= ax->source;
    int64_t neighbours = p->across ? p->s->n : ax->base;
    int64_t step = p->across ? ay->source * row : ax->step * g->channels;
    p->ready = whole && neighbours % p->kernels->group == 0 && step % 1024;
    if (!p->ready) return;
    g->pitch = g->channels;
    g->row = row;
    p->blocks.picture = ay->source * row;
}

// ---- packing the weight
// ------------------------------------------------------------------------------

// Panel `panel` of tap (ky, kx) forward: its rows as they lie in memory.
static void pack_tap_forward(const plan *p, const float *tap, int64_t first, int64_t columns,
                             int64_t width, float *to) {
    int64_t valid = columns - first < width ? columns - first : width;
    for (int64_t k = 0; k < p->grid.channels; k++, tap += p->s->o, to += width) {
        memcpy(to, tap + first, (size_t)valid * sizeof *to);
        for (int64_t j = valid; j < width; j++) to[j] = 0;
    }
}

// Job: one panel of one phase of one group.
static void pack_panel(void *context, int64_t index, int worker) {
    (void)worker;
    plan *p = context;
    const daub_conv_shape *s = p->s;
    const daub_conv_axis *ay = &p->grid.axis[0], *ax = &p->grid.axis[1];
    int64_t panels = daub_conv_panels(p->columns), panel = index % panels;
    const phase *f = &p->phases[index / panels % p->phase_count];
    int64_t group = index / panels / p->phase_count;
    int64_t width = daub_conv_panel_width(p->columns, panel), first = panel * DAUB_CONV_PANEL;
    int64_t valid = p->columns - first < width ? p->columns - first : width;
    int64_t channels = p->grid.channels;
    float *to = p->panels + group * p->group_panels + f->panels + first * f->k;
    const float *w = p->w + group * s->og;
    if (p->merged || valid < width) memset(to, 0, (size_t)(f->k * width) * sizeof *to);
    for (int64_t ey = 0; ey < ay->taps; ey++) {
        for (int64_t ex = 0; ex < ax->taps; ex++) {
            int64_t phases = p->merged ? ay->scale * ax->scale : 1;
            for (int64_t i = 0; i < phases; i++) {
                int64_t ky = daub_conv_tap(ay, ey, p->merged ? i / ax->scale : f->r[0]);
                int64_t kx = daub_conv_tap(ax, ex, p->merged ? i % ax->scale : f->r[1]);
                if (ky < 0 || kx < 0) continue;
                const float *tap = w + (ky * s->kernel[1] + kx) * s->cg * s->o;
                if (!ay->backward)
                    pack_tap_forward(p, tap, first, p->columns, width, to);
                else if (p->merged)
                    p->kernels->transpose(tap, s->o, s->cg, channels, to + i * s->cg, width);
                else
                    p->kernels->transpose(tap + first * s->o, s->o, valid, channels, to, width);
            }
            bool met = p->merged ||
                       (daub_conv_tap(ay, ey, f->r[0]) >= 0 && daub_conv_tap(ax, ex, f->r[1]) >= 0);
            if (met) to += channels * width;
        }
    }
}

// ---- the product
// -------------------------------------------------------------------------------------

// Where a group of results goes: position of its first row, and how many of its rows are wanted.
typedef struct place {
    int64_t n, y, x, count; // x and y are base positions
} place;

// What one worker needs besides the packed pictures, cut from one piece of scratch memory.
typedef struct lists {
    const float **a; // (groups) full groups first
    float **c;
    place *places;
    float *spare; // (groups, group, 32) results that cannot go to the target at once
} lists;

typedef struct job {
    plan *p;
    daub_conv_block block;
    int64_t group; // of channels
    const float *packed;
    lists lists;
} job;

static int64_t max_groups(const plan *p) {
    int64_t group = p->kernels->group, width = p->grid.axis[1].base;
    if (p->across) return daub_ceil_div(p->blocks.pictures, group) * p->blocks.rows * width;
    return p->blocks.pictures * p->blocks.rows * daub_ceil_div(width, group);
}

static size_t lists_bytes(const plan *p) {
    size_t each = sizeof(float *) * 2 + sizeof(place) +
                  sizeof(float) * (size_t)p->kernels->group * DAUB_CONV_PANEL;
    return (size_t)max_groups(p) * each;
}

static lists cut_lists(const plan *p, void *memory) {
    size_t groups = (size_t)max_groups(p);
    lists l = {.spare = memory};
    l.places = (place *)(l.spare + groups * (size_t)p->kernels->group * DAUB_CONV_PANEL);
    l.a = (const float **)(l.places + groups);
    l.c = (float **)(l.a + groups);
    return l;
}

// The result of phase `r` at a base position.
static float *result_at(const plan *p, const int64_t r[2], int64_t n, int64_t y, int64_t x) {
    const daub_conv_axis *ay = &p->grid.axis[0], *ax = &p->grid.axis[1];
    int64_t ty = y * ay->scale + r[0] - ay->shift, tx = x * ax->scale + r[1] - ax->shift;
    return p->target +
           ((n * ay->target + ty) * ax->target + tx) * p->s->groups * p->target_channels;
}

// Lists the groups of one row (or of one pixel, across pictures): full ones at the front of the
// lists, others at their end. Returns how many full ones there are now.
static void add_groups(const job *j, int64_t n, int64_t y, int64_t x, int64_t count, int64_t *full,
                       int64_t *partial) {
    const plan *p = j->p;
    const daub_conv_grid *g = &p->grid;
    int64_t group = p->kernels->group;
    for (int64_t i = 0; i < count; i += group) {
        int64_t rows = count - i < group ? count - i : group;
        place at = {p->across ? n + i : n, y, p->across ? x : x + i, rows};
        int64_t index = rows == group ? (*full)++ : --(*partial);
        j->lists.places[index] = at;
        j->lists.a[index] = j->packed + (at.n - j->block.n0) * p->blocks.picture +
                            (y - j->block.y0) * g->axis[0].step * g->row +
                            at.x * g->axis[1].step * g->pitch;
    }
}

// Lists all groups of a phase; *full come first, the rest ends at max_groups. Returns where it
// starts.
static int64_t list_groups(const job *j, const phase *f, int64_t *full) {
    const plan *p = j->p;
    const daub_conv_block *b = &j->block;
    int64_t y0 = 0, y1 = p->grid.axis[0].base, x0 = 0, x1 = p->grid.axis[1].base;
    if (!p->merged) {
        daub_conv_phase_range(&p->grid.axis[0], f->r[0], &y0, &y1);
        daub_conv_phase_range(&p->grid.axis[1], f->r[1], &x0, &x1);
    }
    if (y0 < b->y0) y0 = b->y0;
    if (y1 > b->y1) y1 = b->y1;
    int64_t partial = max_groups(p);
    *full = 0;
    if (p->across) {
        for (int64_t y = y0; y < y1; y++)
            for (int64_t x = x0; x < x1; x++)
                add_groups(j, b->n0, y, x, b->n1 - b->n0, full, &partial);
        return partial;
    }
    for (int64_t n = b->n0; n < b->n1; n++)
        for (int64_t y = y0; y < y1; y++) add_groups(j, n, y, x0, x1 - x0, full, &partial);
    return partial;
}

// From one row of a group to the next, in the target.
static int64_t target_step(const plan *p) {
    const daub_conv_axis *ay = &p->grid.axis[0], *ax = &p->grid.axis[1];
    int64_t channels = p->s->groups * p->target_channels;
    return p->across ? ay->target * ax->target * channels : ax->scale * channels;
}

// Brings one row of results, for all phases of a base position, to their places. The results of a
// phase row lie side by side both here and there (with one group of channels).
static void scatter_merged(const job *j, const place *at, const float *row) {
    const plan *p = j->p;
    const daub_conv_axis *ay = &p->grid.axis[0], *ax = &p->grid.axis[1];
    int64_t channels = p->target_channels, pixel = p->s->groups * channels;
    int64_t y = at->y * ay->scale - ay->shift, x = at->x * ax->scale - ax->shift;
    int64_t first = x < 0 ? -x : 0, end = ax->target - x < ax->scale ? ax->target - x : ax->scale;
    float *corner =
        p->target + (at->n * ay->target + y) * ax->target * pixel + x * pixel + j->group * channels;
    for (int64_t ry = 0; ry < ay->scale; ry++) {
        if (y + ry < 0 || y + ry >= ay->target) continue;
        float *to = corner + ry * ax->target * pixel;
        const float *from = row + ry * ax->scale * channels;
        if (pixel == channels) {
            for (int64_t i = first * channels; i < end * channels; i++) to[i] = from[i];
            continue;
        }
        for (int64_t rx = first; rx < end; rx++)
            for (int64_t c = 0; c < channels; c++) to[rx * pixel + c] = from[rx * channels + c];
    }
}

// Brings the spare results of `count` groups, starting with group `first`, to the target.
static void take_spare(const job *j, const phase *f, int64_t panel, int64_t first, int64_t count) {
    const plan *p = j->p;
    int64_t group = p->kernels->group, offset = panel * DAUB_CONV_PANEL;
    int64_t valid = p->columns - offset < DAUB_CONV_PANEL ? p->columns - offset : DAUB_CONV_PANEL;
    for (int64_t i = first; i < first + count; i++) {
        place at = j->lists.places[i];
        const float *row = j->lists.spare + i * group * DAUB_CONV_PANEL;
        for (int64_t k = 0; k < at.count; k++, row += DAUB_CONV_PANEL) {
            if (p->merged) {
                scatter_merged(j, &at, row);
            } else {
                float *to = result_at(p, f->r, at.n, at.y, at.x) + j->group * p->target_channels;
                memcpy(to + offset, row, (size_t)valid * sizeof *to);
            }
            *(p->across ? &at.n : &at.x) += 1;
        }
    }
}

// Multiplies the listed groups with all slices of one panel. Results go to lists.c.
static void multiply(const job *j, const phase *f, int64_t panel, daub_conv_rows rows) {
    const plan *p = j->p;
    if (!rows.groups) return;
    const daub_conv_grid *g = &p->grid;
    int64_t first = panel * DAUB_CONV_PANEL;
    daub_conv_panel b = {p->panels + j->group * p->group_panels + f->panels + first * f->k,
                         daub_conv_panel_width(p->columns, panel)};
    rows.a_step = p->across ? p->blocks.picture : g->axis[1].step * g->pitch;
    rows.start = p->start + (j->group * daub_conv_panels(p->columns) + panel) * DAUB_CONV_PANEL;
    for (int64_t i = 0; i < f->slice_count; i++) {
        rows.runs = f->runs + f->slices[i];
        rows.run_count = f->slices[i + 1] - f->slices[i];
        if (i + 1 == f->slice_count && p->s->slope) rows.slope = &p->slope;
        p->kernels->rows(&rows, b);
        b.rows += SLICE * b.width;
        rows.start = NULL;
    }
}

static void run_phase(const job *j, const phase *f, int64_t panel0, int64_t panel1) {
    const plan *p = j->p;
    const lists *l = &j->lists;
    int64_t group = p->kernels->group, full = 0;
    int64_t partial = list_groups(j, f, &full), end = max_groups(p);
    for (int64_t panel = panel0; panel < panel1; panel++) {
        int64_t offset = panel * DAUB_CONV_PANEL;
        bool direct = !p->merged && p->columns - offset >= daub_conv_panel_width(p->columns, panel);
        for (int64_t i = 0; i < end; i++) {
            if (i >= full && i < partial) continue;
            const place *at = &l->places[i];
            l->c[i] = direct && i < full
                          ? result_at(p, f->r, at->n, at->y, at->x) + j->group * p->target_channels
                          : l->spare + i * group * DAUB_CONV_PANEL;
        }
        multiply(j, f, panel,
                 (daub_conv_rows){.a = l->a,
                                  .c = l->c,
                                  .groups = full,
                                  .c_step = direct ? target_step(p) : DAUB_CONV_PANEL,
                                  .c_offset = direct ? offset : 0});
        multiply(j, f, panel,
                 (daub_conv_rows){.a = l->a + partial,
                                  .c = l->c + partial,
                                  .groups = end - partial,
                                  .c_step = DAUB_CONV_PANEL});
        if (!direct) take_spare(j, f, panel, 0, full);
        take_spare(j, f, panel, partial, end - partial);
    }
}

// The pixels that a block's windows see, in the worker's scratch memory; NULL when there is none
// left.
static const float *pack_block(const plan *p, const daub_conv_block *b, int64_t group, int worker) {
    const daub_conv_grid *g = &p->grid;
    const daub_conv_axis *ay = &g->axis[0];
    int64_t picture = ay->source * g->axis[1].source * g->source_channels;
    int64_t y0 = b->y0 * ay->step, y1 = (b->y1 - 1) * ay->step + ay->taps;
    if (p->ready) return p->source + b->n0 * picture + y0 * g->row;
    float *packed = daub_scratch(worker, 0, (size_t)p->blocks.floats * sizeof *packed);
    for (int64_t n = b->n0; packed && n < b->n1; n++)
        daub_conv_pack_picture(g, p->source + n * picture, group * g->channels, y0, y1,
                               packed + (n - b->n0) * p->blocks.picture);
    return packed;
}

// Job: one block of pictures times one part of the panels, for one group.
static void run_block(void *context, int64_t index, int worker) {
    plan *p = context;
    const daub_conv_grid *g = &p->grid;
    int64_t split = index % p->splits, rest = index / p->splits;
    job j = {.p = p,
             .block = daub_conv_block_at(g, &p->blocks, p->s->n, rest % p->blocks.count),
             .group = rest / p->blocks.count};
    void *memory = daub_scratch(worker, 1, lists_bytes(p));
    j.packed = pack_block(p, &j.block, j.group, worker);
    if (!j.packed || !memory) {
        atomic_store(&p->no_memory, true);
        return;
    }
    j.lists = cut_lists(p, memory);
    int64_t panels = daub_conv_panels(p->columns);
    for (int64_t i = 0; i < p->phase_count; i++)
        run_phase(&j, &p->phases[i], panels * split / p->splits, panels * (split + 1) / p->splits);
}

// ---- the two functions
// ---------------------------------------------------------------------------------

static daub_status pack_weight(plan *p, const float *bias) {
    int64_t groups = p->s->groups, panels = daub_conv_panels(p->columns);
    p->panels = daub_alloc((size_t)(groups * p->group_panels) * sizeof(float));
    size_t bytes = (size_t)(groups * panels * DAUB_CONV_PANEL) * sizeof(float);
    p->start = daub_alloc(bytes);
    if (!p->panels || !p->start) return DAUB_NO_MEMORY;
    memset(p->start, 0, bytes);
    for (int64_t g = 0; bias && g < groups; g++)
        memcpy(p->start + g * panels * DAUB_CONV_PANEL, bias + g * p->columns,
               (size_t)p->columns * sizeof(float));
    return daub_pool_run(pack_panel, p, groups * p->phase_count * panels);
}

static daub_status run(plan *p, const float *bias) {
    p->kernels = daub_conv_kernels_for(p->s);
    if (p->s->slope) p->slope = (float)*p->s->slope;
    choose_blocks(p);
    use_source(p);
    daub_status status = make_phases(p);
    if (status == DAUB_OK) status = pack_weight(p, bias);
    if (status == DAUB_OK)
        status = daub_pool_run(run_block, p, p->s->groups * p->blocks.count * p->splits);
    if (status == DAUB_OK && atomic_load(&p->no_memory)) status = DAUB_NO_MEMORY;
    daub_free(p->phases);
    daub_free(p->panels);
    daub_free(p->start);
    return status;
}

daub_status daub_conv_rows_forward(const daub_conv_shape *s, const float *x, const float *w,
                                   const float *bias, float *y) {
    plan p = {.s = s,
              .grid = daub_conv_grid_forward(s),
              .columns = s->og,
              .target_channels = s->og,
              .source = x,
              .w = w,
              .target = y};
    if (daub_conv_planes_fit(s, &p.grid)) return daub_conv_planes(s, &p.grid, x, w, bias, y);
    return run(&p, bias);
}

daub_status daub_conv_rows_input_grad(const daub_conv_shape *s, const float *dy, const float *w,
                                      float *dx) {
    plan p = {.s = s,
              .grid = daub_conv_grid_backward(s),
              .columns = s->cg,
              .target_channels = s->cg,
              .source = dy,
              .w = w,
              .target = dx};
    if (daub_conv_planes_fit(s, &p.grid)) return daub_conv_planes(s, &p.grid, dy, w, NULL, dx);
    p.merged = daub_conv_merges(s, &p.grid);
    if (p.merged) p.columns *= s->stride[0] * s->stride[1];
    return run(&p, NULL);
}
