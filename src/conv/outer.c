// Weight gradient with the matrix kernels: sums over pixels of outer products.
//
// The pictures go by in chunks. Of each chunk, x is packed into grids and dy into panels of 32
// filters (all threads), then each job adds the chunk's share to its own part of the weight. Sums
// run over at most PIXELS products before they are added to what came before, always in the same
// order.
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/grid.h"

enum {
    PIXELS = 256,    // summed up at once: 32 KiB of a panel
    CHUNK = 4 << 20, // bytes of packed pictures, about
    ROWS = 96,       // of the weight in a job
    PANELS = 4,      // in a job
    SLAB = 8,        // grid rows packed by a job
};

typedef struct plan {
    const daub_conv_shape *s;
    daub_conv_grid grid;
    daub_conv_blocks blocks; // the chunks
    const daub_conv_kernels *kernels;
    const float *x, *dy;
    float *dw;
    // The present chunk.
    daub_conv_block block;
    bool across, first; // across: neighbouring pictures follow each other in the sums
    float *pictures;    // (groups, blocks.floats)
    float *panels;      // (groups, panels, pixels, 32)
    int64_t pixels;     // of the chunk
    daub_conv_run *runs;
    int64_t
        *parts; // runs parts[i] … parts[i+1]-1 are at most PIXELS pixels; part_count + 1 of them
    int64_t part_count;
    // How a group's weight is cut into jobs.
    int64_t stretches, stretch; // (kx, c) or c: contiguous numbers of the grid; how many, how long
    int64_t cuts;               // of a stretch
    int64_t panel_jobs;
} plan;

// ---- packing a chunk
// ---------------------------------------------------------------------------------

// Job: some grid rows of one picture, of one group.
static void pack_slab(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    const daub_conv_grid *g = &p->grid;
    const daub_conv_axis *ay = &g->axis[0];
    const daub_conv_block *b = &p->block;
    int64_t rows = (b->y1 - b->y0 - 1) * ay->step + ay->taps, slabs = daub_ceil_div(rows, SLAB);
    int64_t count = b->n1 - b->n0, n = index / slabs % count, group = index / slabs / count;
    int64_t row = index % slabs * SLAB, end = row + SLAB < rows ? row + SLAB : rows;
    int64_t y0 = b->y0 * ay->step;
    const float *picture = p->x + (b->n0 + n) * ay->source * g->axis[1].source * g->source_channels;
    daub_conv_pack_picture(g, picture, group * g->channels, y0 + row, y0 + end,
                           p->pictures + group * p->blocks.floats + n * p->blocks.picture +
                               row * g->row);
}

// Where pixel (n, y, x) of the chunk, all counted from its start, stands in the order of the sums.
static int64_t rank_of(const plan *p, int64_t n, int64_t y, int64_t x) {
    int64_t width = p->s->out[1], rows = p->block.y1 - p->block.y0,
            count = p->block.n1 - p->block.n0;
    return p->across ? (y * width + x) * count + n : (n * rows + y) * width + x;
}

// One pixel's filters into all panels; `to` is its place in the first one.
static void pack_filters(const plan *p, const float *from, float *to) {
    int64_t columns = p->s->og;
    for (int64_t first = 0; first < columns; first += DAUB_CONV_PANEL) {
        int64_t valid = columns - first < DAUB_CONV_PANEL ? columns - first : DAUB_CONV_PANEL;
        if (valid == DAUB_CONV_PANEL) {
            memcpy(to, from + first, DAUB_CONV_PANEL * sizeof *to);
        } else {
            memset(to, 0, DAUB_CONV_PANEL * sizeof *to);
            memcpy(to, from + first, (size_t)valid * sizeof *to);
        }
        to += p->pixels * DAUB_CONV_PANEL;
    }
}

// Job: one row of dy, of one group.
static void pack_dy_row(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    const daub_conv_shape *s = p->s;
    int64_t rows = p->block.y1 - p->block.y0, count = p->block.n1 - p->block.n0;
    int64_t y = index % rows, n = index / rows % count, group = index / rows / count;
    const float *from = p->dy + group * s->og +
                        ((p->block.n0 + n) * s->out[0] + p->block.y0 + y) * s->out[1] * s->o;
    float *to = p->panels + group * daub_conv_panels(s->og) * p->pixels * DAUB_CONV_PANEL;
    for (int64_t x = 0; x < s->out[1]; x++, from += s->o)
        pack_filters(p, from, to + rank_of(p, n, y, x) * DAUB_CONV_PANEL);
}

// Adds `count` pixels to the runs, at most PIXELS to a part.
static void add_run(plan *p, int64_t *runs, int64_t *filled, int64_t offset, int64_t step,
                    int64_t count) {
    while (count > 0) {
        if (*filled == PIXELS) {
            p->parts[p->part_count++] = *runs;
            *filled = 0;
        }
        int64_t part = count < PIXELS - *filled ? count : PIXELS - *filled;
        p->runs[(*runs)++] = (daub_conv_run){offset, part};
        *filled += part;
        offset += part * step;
        count -= part;
    }
}

static int64_t pixel_step(const plan *p) {
    return p->across ? p->blocks.picture : p->grid.axis[1].step * p->grid.pitch;
}

// The order of the sums as runs of equally spaced pixels.
static void list_runs(plan *p) {
    const daub_conv_grid *g = &p->grid;
    int64_t rows = p->block.y1 - p->block.y0, count = p->block.n1 - p->block.n0;
    int64_t width = p->s->out[1], step = pixel_step(p), runs = 0, filled = 0;
    int64_t line = g->axis[0].step * g->row;
    p->part_count = 1;
    p->parts[0] = 0;
    if (p->across) {
        for (int64_t y = 0; y < rows; y++)
            for (int64_t x = 0; x < width; x++)
                add_run(p, &runs, &filled, y * line + x * g->axis[1].step * g->pitch, step, count);
    } else {
        for (int64_t n = 0; n < count; n++)
            for (int64_t y = 0; y < rows; y++)
                add_run(p, &runs, &filled, n * p->blocks.picture + y * line, step, width);
    }
    p->parts[p->part_count] = runs;
}

// ---- the sums
// ----------------------------------------------------------------------------------------

// Rows m0 … m1-1 of one stretch, of one group: where they lie in the grid and in the weight.
typedef struct cut {
    const float *a;
    float *c;
    int64_t count;
} cut;

static cut cut_at(const plan *p, int64_t group, int64_t stretch, int64_t index) {
    const daub_conv_shape *s = p->s;
    const daub_conv_grid *g = &p->grid;
    int64_t per_row = p->stretches / s->kernel[0];
    int64_t ky = stretch / per_row, kx = stretch % per_row;
    int64_t size = daub_ceil_div(daub_ceil_div(p->stretch, p->cuts), 4) * 4, m0 = index * size;
    int64_t count = p->stretch - m0 < size ? p->stretch - m0 : size;
    return (cut){p->pictures + group * p->blocks.floats + ky * g->row + kx * g->pitch + m0,
                 p->dw + (stretch * p->stretch + m0) * s->o + group * s->og, count};
}

// The rows of one tile, by one panel, over one part of the chunk.
static void add_tile(const plan *p, const daub_conv_outer *outer, daub_conv_panel b,
                     int64_t columns) {
    if (columns == b.width) {
        p->kernels->outer(outer, b);
        return;
    }
    float spare[DAUB_CONV_OUTER_ROWS * DAUB_CONV_PANEL];
    daub_conv_outer job = *outer;
    job.c = spare;
    job.c_step = DAUB_CONV_PANEL;
    job.add = 0;
    p->kernels->outer(&job, b);
    for (int64_t m = 0; m < outer->m; m++) {
        float *to = outer->c + m * outer->c_step;
        const float *from = spare + m * DAUB_CONV_PANEL;
        for (int64_t o = 0; o < columns; o++) to[o] = (outer->add ? to[o] : 0) + from[o];
    }
}

static void add_part(const plan *p, cut k, int64_t group, int64_t part, int64_t panel) {
    const daub_conv_shape *s = p->s;
    int64_t first = panel * DAUB_CONV_PANEL;
    int64_t columns = s->og - first < DAUB_CONV_PANEL ? s->og - first : DAUB_CONV_PANEL;
    daub_conv_outer outer = {.runs = p->runs + p->parts[part],
                             .run_count = p->parts[part + 1] - p->parts[part],
                             .a_step = pixel_step(p),
                             .c_step = s->o,
                             .add = !p->first || part > 0};
    daub_conv_panel b = {
        p->panels + ((group * daub_conv_panels(s->og) + panel) * p->pixels + part * PIXELS) *
                        DAUB_CONV_PANEL,
        DAUB_CONV_PANEL};
    for (int64_t m = 0; m < k.count; m += outer.m) {
        outer.a = k.a + m;
        outer.c = k.c + m * s->o + first;
        outer.m = k.count - m < DAUB_CONV_OUTER_ROWS ? k.count - m : DAUB_CONV_OUTER_ROWS;
        if (k.count - m == DAUB_CONV_OUTER_ROWS + 4) outer.m = 8; // 8 and 8 rather than 12 and 4
        add_tile(p, &outer, b, columns);
    }
}

// Job: some rows of the weight by some panels, over the whole chunk.
static void add_chunk(void *context, int64_t index, int worker) {
    (void)worker;
    const plan *p = context;
    int64_t panels = daub_conv_panels(p->s->og);
    int64_t panel0 = index % p->panel_jobs * PANELS, rest = index / p->panel_jobs;
    int64_t panel1 = panel0 + PANELS < panels ? panel0 + PANELS : panels;
    int64_t group = rest / p->cuts / p->stretches;
    cut k = cut_at(p, group, rest / p->cuts % p->stretches, rest % p->cuts);
    for (int64_t part = 0; part < p->part_count; part++)
        for (int64_t panel = panel0; panel < panel1; panel++) add_part(p, k, group, part, panel);
}

// ---- the function
// ------------------------------------------------------------------------------------

static void choose_chunks(plan *p) {
    const daub_conv_shape *s = p->s;
    const daub_conv_grid *g = &p->grid;
    int64_t bytes =
        4 * s->groups *
        (g->axis[0].step * g->axis[1].step * g->pitch + daub_conv_panels(s->og) * DAUB_CONV_PANEL);
    p->blocks = daub_conv_blocks_make(g, s->n, CHUNK / bytes + 1, 1);
    p->across = p->blocks.pictures > s->out[1];
    bool together = g->pitch == g->channels;
    p->stretches = s->kernel[0] * (together ? 1 : s->kernel[1]);
    p->stretch = s->cg * (together ? s->kernel[1] : 1);
    p->cuts = daub_ceil_div(p->stretch, ROWS);
    int64_t size = daub_ceil_div(daub_ceil_div(p->stretch, p->cuts), 4) * 4;
    p->cuts = daub_ceil_div(p->stretch, size);
    p->panel_jobs = daub_ceil_div(daub_conv_panels(s->og), PANELS);
}

static daub_status allocate(plan *p) {
    int64_t groups = p->s->groups;
    int64_t pixels = p->blocks.pictures * p->blocks.rows * p->s->out[1];
    int64_t panels = daub_conv_panels(p->s->og) * pixels * DAUB_CONV_PANEL;
    int64_t parts = pixels / PIXELS + 2;
    p->pictures = daub_alloc((size_t)(groups * p->blocks.floats) * sizeof(float));
    p->panels = daub_alloc((size_t)(groups * panels) * sizeof(float));
    p->runs = daub_alloc((size_t)(pixels + parts) * sizeof *p->runs);
    p->parts = daub_alloc((size_t)(parts + 1) * sizeof *p->parts);
    return p->pictures && p->panels && p->runs && p->parts ? DAUB_OK : DAUB_NO_MEMORY;
}

static daub_status run_chunk(plan *p, int64_t index) {
    const daub_conv_shape *s = p->s;
    const daub_conv_axis *ay = &p->grid.axis[0];
    p->block = daub_conv_block_at(&p->grid, &p->blocks, s->n, index);
    p->first = index == 0;
    int64_t rows = p->block.y1 - p->block.y0, count = p->block.n1 - p->block.n0;
    int64_t slabs = daub_ceil_div((rows - 1) * ay->step + ay->taps, SLAB);
    p->pixels = count * rows * s->out[1];
    list_runs(p);
    daub_status status = daub_pool_run(pack_slab, p, s->groups * count * slabs);
    if (status == DAUB_OK) status = daub_pool_run(pack_dy_row, p, s->groups * count * rows);
    if (status != DAUB_OK) return status;
    return daub_pool_run(add_chunk, p, s->groups * p->stretches * p->cuts * p->panel_jobs);
}

daub_status daub_conv_outer_weight_grad(const daub_conv_shape *s, const float *x, const float *dy,
                                        float *dw) {
    if (daub_conv_shares_fit(s)) return daub_conv_shares_weight_grad(s, x, dy, dw);
    plan p = {.s = s,
              .grid = daub_conv_grid_forward(s),
              .kernels = daub_conv_kernels_for(s),
              .x = x,
              .dy = dy,
              .dw = dw};
    choose_chunks(&p);
    daub_status status = allocate(&p);
    for (int64_t i = 0; i < p.blocks.count && status == DAUB_OK; i++) status = run_chunk(&p, i);
    daub_free(p.pictures);
    daub_free(p.panels);
    daub_free(p.runs);
    daub_free(p.parts);
    return status;
}
