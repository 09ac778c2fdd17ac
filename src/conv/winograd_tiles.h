// The tiles of a convolution by Winograd's filtering: how they are cut into chunks, where they lie,
// and the transforming of those that are read. What the ways of winograd_rows.c and
// winograd_outer.c share.
//
// The tiles of all pictures go by in rounds of some chunks. First all threads transform a round's
// tiles into buffers [block of 32 channels][position][tile][32] that fit the last-level cache; then
// jobs make products and results of them.
#ifndef DAUB_CONV_WINOGRAD_TILES_H
#define DAUB_CONV_WINOGRAD_TILES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/pool.h"
#include "conv/shape.h"
#include "kernel/families/winograd.h"

enum {
    DAUB_WINOGRAD_CHUNK = 128,     // tiles of a chunk, at most
    DAUB_WINOGRAD_READY = 4 << 20, // bytes of transformed weights up to which they are made once
    DAUB_WINOGRAD_LINE = 16,       // floats of a cache line
};

typedef struct daub_winograd_tiles {
    const daub_conv_shape *s;
    const float *x, *dy; // what is transformed: either, or both
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
    // The present round: units, and their transformed tiles.
    int64_t first, count;
    float *x_tiles, *dy_tiles;
    atomic_bool no_memory; // a job found none
} daub_winograd_tiles;

// Chunks and units of one chunk each; for x, dy or both to be set.
daub_winograd_tiles daub_winograd_tiles_make(const daub_conv_shape *s);

// How many units a round takes so that `jobs` of each make enough.
void daub_winograd_choose_rounds(daub_winograd_tiles *p, int64_t jobs);

// All rounds: tiles in, then `jobs` jobs for each unit. Job `index` is job index % jobs of unit
// index / jobs of the round.
daub_status daub_winograd_run(daub_winograd_tiles *p, int64_t jobs, daub_job job, void *context);

// Tiles t0 … t1-1, counted over all pictures.
typedef struct daub_winograd_span {
    int64_t t0, t1;
} daub_winograd_span;

daub_winograd_span daub_winograd_chunk_at(const daub_winograd_tiles *p, int64_t chunk);

typedef struct daub_winograd_tile {
    int64_t n, y, x;
} daub_winograd_tile;

daub_winograd_tile daub_winograd_tile_at(const daub_winograd_tiles *p, int64_t t);

// The tile to fetch while tile t is worked on.
daub_winograd_tile daub_winograd_tile_ahead(const daub_winograd_tiles *p, int64_t t);

// The pixels of x that a tile's results see, in one phase; *offset is the first one's.
daub_winograd_place daub_winograd_input_place(const daub_winograd_tiles *p, daub_winograd_tile t,
                                              int64_t phase, int64_t *offset);
// The pixels of y (or dy) of a tile.
daub_winograd_place daub_winograd_output_place(const daub_winograd_tiles *p, daub_winograd_tile t,
                                               int64_t *offset);
// A square of a buffer whose positions are `position` floats apart.
daub_winograd_place daub_winograd_buffer_place(const daub_winograd_tiles *p, int64_t position);

// Blocks of 32 channels, and one of them: `valid` of `width` (16 or 32) columns exist.
typedef struct daub_winograd_panel {
    int64_t first, valid, width;
} daub_winograd_panel;

static inline int64_t daub_winograd_blocks_of(int64_t channels) {
    return (channels + DAUB_WINOGRAD_BLOCK - 1) / DAUB_WINOGRAD_BLOCK;
}

static inline daub_winograd_panel daub_winograd_panel_at(int64_t columns, int64_t index) {
    int64_t first = index * DAUB_WINOGRAD_BLOCK, left = columns - first;
    int64_t valid = left < DAUB_WINOGRAD_BLOCK ? left : DAUB_WINOGRAD_BLOCK;
    return (daub_winograd_panel){first, valid,
                                 valid > DAUB_WINOGRAD_BLOCK / 2 ? DAUB_WINOGRAD_BLOCK
                                                                 : DAUB_WINOGRAD_BLOCK / 2};
}

// Brings `channels` of a square near: tiles lie too far from each other for the processor to see by
// itself what comes next. (Inline: gcc drops calls of a function that only fetches.)
static inline __attribute__((always_inline)) void daub_winograd_fetch(const float *from,
                                                                      const daub_winograd_place *k,
                                                                      int64_t channels,
                                                                      bool to_write) {
    for (int i = k->first[0]; i < k->end[0]; i++)
        for (int j = k->first[1]; j < k->end[1]; j++) {
            const float *at = from + i * k->row + j * k->column;
            for (int64_t c = 0; c < channels; c += DAUB_WINOGRAD_LINE)
                if (to_write)
                    __builtin_prefetch(at + c, 1);
                else
                    __builtin_prefetch(at + c, 0);
        }
}

#endif
