#include "conv/grid.h"

#include <string.h>

#include "kernel/families/conv_bf16.h"
#include "kernel/kernel.h"

const daub_conv_kernels *daub_conv_kernels_for(const daub_conv_shape *s) {
    return s->pairs ? daub_kernels_bf16()->products : daub_kernels_get()->conv;
}

// A pitch of an even number of cache lines would crowd the pixels of a tile into few sets of the
// cache.
static int64_t pitch_of(int64_t channels) {
    return channels % 32 ? channels : channels + 16;
}

static void finish(daub_conv_grid *g) {
    for (int i = 0; i < 2; i++)
        g->axis[i].grid = (g->axis[i].base - 1) * g->axis[i].step + g->axis[i].taps;
    g->pitch = pitch_of(g->channels);
    g->row = g->axis[1].grid * g->pitch;
}

daub_conv_grid daub_conv_grid_forward(const daub_conv_shape *s) {
    daub_conv_grid g = {.channels = s->cg, .source_channels = s->c};
    for (int i = 0; i < 2; i++)
        g.axis[i] = (daub_conv_axis){.source = s->size[i],
                                     .target = s->out[i],
                                     .base = s->out[i],
                                     .step = s->stride[i],
                                     .taps = s->kernel[i],
                                     .before = s->padding[i],
                                     .scale = 1,
                                     .kernel = s->kernel[i]};
    finish(&g);
    return g;
}

// x position y meets dy positions (y + padding - tap) / stride where that divides: with
// y + padding = stride (i + first) + r and tap = stride t + r, the position i + first - t.
daub_conv_grid daub_conv_grid_backward(const daub_conv_shape *s) {
    daub_conv_grid g = {.channels = s->og, .source_channels = s->o};
    for (int i = 0; i < 2; i++) {
        int64_t stride = s->stride[i], first = s->padding[i] / stride;
        int64_t taps = daub_ceil_div(s->kernel[i], stride);
        g.axis[i] = (daub_conv_axis){.source = s->out[i],
                                     .target = s->size[i],
                                     .base = (s->size[i] - 1 + s->padding[i]) / stride - first + 1,
                                     .step = 1,
                                     .taps = taps,
                                     .before = taps - 1 - first,
                                     .scale = stride,
                                     .shift = s->padding[i] % stride,
                                     .kernel = s->kernel[i],
                                     .backward = true};
    }
    finish(&g);
    return g;
}

void daub_conv_phase_range(const daub_conv_axis *a, int64_t r, int64_t *first, int64_t *end) {
    *first = a->shift > r ? daub_ceil_div(a->shift - r, a->scale) : 0;
    int64_t last = a->target - 1 + a->shift - r;
    *end = last < 0 ? 0 : last / a->scale + 1;
    if (*end > a->base) *end = a->base;
}

bool daub_conv_merges(const daub_conv_shape *s, const daub_conv_grid *g) {
    const daub_conv_axis *ay = &g->axis[0], *ax = &g->axis[1];
    int64_t phases = ay->scale * ax->scale;
    bool even = s->kernel[0] % ay->scale == 0 && s->kernel[1] % ax->scale == 0;
    return even && phases > 1 && phases * s->cg <= DAUB_CONV_PANEL;
}

daub_conv_blocks daub_conv_blocks_make(const daub_conv_grid *g, int64_t n, int64_t pixels,
                                       int64_t multiple) {
    const daub_conv_axis *ay = &g->axis[0];
    int64_t width = g->axis[1].base;
    daub_conv_blocks b = {.pictures = multiple};
    int64_t rows = pixels / (width * multiple);
    if (rows >= ay->base) {
        // As many blocks as that takes, of equal size.
        int64_t units = daub_ceil_div(n, multiple), most = rows / ay->base;
        int64_t blocks = daub_ceil_div(units, most);
        b.pictures = daub_ceil_div(units, blocks) * multiple;
        rows = ay->base;
    }
    if (rows < 1) rows = 1;
    b.across = daub_ceil_div(ay->base, rows);
    b.rows = daub_ceil_div(ay->base, b.across);
    b.across = daub_ceil_div(ay->base, b.rows);
    b.count = daub_ceil_div(n, b.pictures) * b.across;
    // An odd number of cache lines, for the sake of groups that go across pictures.
    int64_t grid_rows = (b.rows - 1) * ay->step + ay->taps;
    b.picture = (daub_ceil_div(grid_rows * g->row, 16) | 1) * 16;
    b.floats = b.pictures * b.picture + 4 * g->axis[1].step * g->pitch + 64;
    return b;
}

daub_conv_block daub_conv_block_at(const daub_conv_grid *g, const daub_conv_blocks *b, int64_t n,
                                   int64_t index) {
    daub_conv_block k = {.n0 = index / b->across * b->pictures, .y0 = index % b->across * b->rows};
    k.n1 = k.n0 + b->pictures < n ? k.n0 + b->pictures : n;
    k.y1 = k.y0 + b->rows < g->axis[0].base ? k.y0 + b->rows : g->axis[0].base;
    return k;
}

static void zero_pixels(const daub_conv_grid *g, float *to, int64_t count) {
    if (count > 0) memset(to, 0, (size_t)(count * g->pitch) * sizeof *to);
}

// `count` pixels of `source_channels` each into pixels of `pitch` floats.
static void copy_pixels(const daub_conv_grid *g, const float *from, float *to, int64_t count) {
    if (g->pitch == g->source_channels) {
        memcpy(to, from, (size_t)(count * g->pitch) * sizeof *to);
    } else if (g->channels % 16) {
        for (int64_t i = 0; i < count; i++, from += g->source_channels, to += g->pitch)
            for (int64_t c = 0; c < g->channels; c++) to[c] = from[c];
    } else {
        for (int64_t i = 0; i < count; i++, from += g->source_channels, to += g->pitch)
            for (int64_t c = 0; c < g->channels; c += 16) memcpy(to + c, from + c, 64);
    }
}

void daub_conv_grid_columns(const daub_conv_grid *g, int64_t *first, int64_t *end) {
    const daub_conv_axis *ax = &g->axis[1];
    *first = ax->before > 0 ? ax->before : 0;
    *end = ax->before + ax->source;
    if (*first > ax->grid) *first = ax->grid;
    if (*end > ax->grid) *end = ax->grid;
    if (*end < *first) *end = *first;
}

void daub_conv_pack_picture(const daub_conv_grid *g, const float *picture, int64_t channel,
                            int64_t y0, int64_t y1, float *to) {
    const daub_conv_axis *ay = &g->axis[0], *ax = &g->axis[1];
    int64_t left, right;
    daub_conv_grid_columns(g, &left, &right);
    for (int64_t y = y0; y < y1; y++, to += g->row) {
        int64_t sy = y - ay->before;
        if (sy < 0 || sy >= ay->source) {
            zero_pixels(g, to, ax->grid);
            continue;
        }
        const float *from = picture + (sy * ax->source + left - ax->before) * g->source_channels;
        zero_pixels(g, to, left);
        copy_pixels(g, from + channel, to + left * g->pitch, right - left);
        zero_pixels(g, to + right * g->pitch, ax->grid - right);
    }
}
