// The view of a convolution that the f32 matrix kernels work on: pictures packed into padded grids.
//
// Forward, base position i of an axis sees grid positions i * stride … + kernel - 1. The input
// gradient is cut by the stride into phases, each a convolution of stride 1 over the grid of dy; a
// base position then stands for `scale` results, one for each phase. So both are the same loops
// over one struct.
#ifndef DAUB_CONV_GRID_H
#define DAUB_CONV_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "conv/shape.h"
#include "kernel/families/conv.h"

static inline int64_t daub_ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

typedef struct daub_conv_axis {
    int64_t source, target; // sizes of what is read and written
    int64_t base;           // positions that windows start from
    int64_t step;           // from one window to the next, in the grid
    int64_t taps;           // grid positions in a window
    int64_t before;         // zeros before the source; negative: source positions left out
    int64_t grid;           // (base - 1) * step + taps
    int64_t scale, shift;   // phase r of base i is result i * scale + r - shift, if that is within
    int64_t kernel;
    bool backward;
} daub_conv_axis;

// Packed pictures: pixel (n, y, x) starts at n * picture + y * row + x * pitch.
typedef struct daub_conv_grid {
    daub_conv_axis axis[2];
    int64_t channels;        // of a group, as packed
    int64_t source_channels; // of all groups
    int64_t pitch, row;      // in floats
} daub_conv_grid;

// A part of the work: pictures n0 … n1-1, base rows y0 … y1-1.
typedef struct daub_conv_block {
    int64_t n0, n1, y0, y1;
} daub_conv_block;

// How the base positions are cut into blocks. Kernels take rows of the product in groups of
// neighbours: in x, or (across) the same pixel of neighbouring pictures, where rows are too short.
typedef struct daub_conv_blocks {
    int64_t pictures, rows; // of a block
    int64_t across;         // rows of blocks per picture
    int64_t count;
    int64_t picture; // floats from one packed picture of a block to the next
    int64_t floats;  // of a whole packed block, with room for reading past its end
} daub_conv_blocks;

daub_conv_grid daub_conv_grid_forward(const daub_conv_shape *s);
daub_conv_grid daub_conv_grid_backward(const daub_conv_shape *s);

// The tap of the kernel that window position `e` meets in phase `r`; -1 where there is none.
static inline int64_t daub_conv_tap(const daub_conv_axis *a, int64_t e, int64_t r) {
    if (!a->backward) return e;
    int64_t tap = a->scale * (a->taps - 1 - e) + r;
    return tap < a->kernel ? tap : -1;
}

// Base positions [first, end) whose result in phase `r` lies within the target.
void daub_conv_phase_range(const daub_conv_axis *a, int64_t r, int64_t *first, int64_t *end);

// Whether the phases of an input gradient together fill a panel, and all see equally many taps.
bool daub_conv_merges(const daub_conv_shape *s, const daub_conv_grid *g);

// Blocks of about `pixels` base positions; whole multiples of `multiple` pictures, if that is > 1.
daub_conv_blocks daub_conv_blocks_make(const daub_conv_grid *g, int64_t n, int64_t pixels,
                                       int64_t multiple);
daub_conv_block daub_conv_block_at(const daub_conv_grid *g, const daub_conv_blocks *b, int64_t n,
                                   int64_t index);

// Columns of the grid that are within the source: *first … *end-1.
void daub_conv_grid_columns(const daub_conv_grid *g, int64_t *first, int64_t *end);

// Packs grid rows y0 … y1-1 of one picture, channels from `channel` on; `to` is where row y0 goes.
void daub_conv_pack_picture(const daub_conv_grid *g, const float *picture, int64_t channel,
                            int64_t y0, int64_t y1, float *to);

// Width of the last panel when `columns` are cut into panels of 32, and where panel p starts.
enum { DAUB_CONV_PANEL = 32, DAUB_CONV_HALF_PANEL = 16 };
static inline int64_t daub_conv_panels(int64_t columns) {
    return (columns + DAUB_CONV_PANEL - 1) / DAUB_CONV_PANEL;
}
static inline int64_t daub_conv_panel_width(int64_t columns, int64_t panel) {
    return columns - panel * DAUB_CONV_PANEL > DAUB_CONV_HALF_PANEL ? DAUB_CONV_PANEL
                                                                    : DAUB_CONV_HALF_PANEL;
}

// The matrix kernels for the numbers of `s`.
const daub_conv_kernels *daub_conv_kernels_for(const daub_conv_shape *s);

// The f32 functions; the result is written, never read.
daub_status daub_conv_rows_forward(const daub_conv_shape *s, const float *x, const float *w,
                                   const float *bias, float *y);
daub_status daub_conv_rows_input_grad(const daub_conv_shape *s, const float *dy, const float *w,
                                      float *dx);
// The same by planes (planes.c) on a grid made for either, and whether that is the faster way.
bool daub_conv_planes_fit(const daub_conv_shape *s, const daub_conv_grid *g);
daub_status daub_conv_planes(const daub_conv_shape *s, const daub_conv_grid *grid,
                             const float *source, const float *w, const float *bias, float *target);
// The weight gradient of small weights (shares.c).
bool daub_conv_shares_fit(const daub_conv_shape *s);
daub_status daub_conv_shares_weight_grad(const daub_conv_shape *s, const float *x, const float *dy,
                                         float *dw);
daub_status daub_conv_outer_weight_grad(const daub_conv_shape *s, const float *x, const float *dy,
                                        float *dw);

#endif
