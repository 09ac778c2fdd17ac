// The transforms of Winograd's minimal filtering, F(4x4, RxR) for R = 2 and 3 (Lavin and Gray 2015,
// arXiv:1509.09308; Toom-Cook points 0, 1, -1, 2, -2 (R = 3 only) and infinity).
//
// A tile of 4x4 results of a filter of RxR taps takes A x A products, A = 4 + R - 1, in place of
// 16 R R:  y = A' [(G w G') o (B' x B)] A.  Both gradients are made of the same three matrices:
// dx = B [(G w G') o (A dy A')] B',  dw = G' [sum of (B' x B) o (A dy A')] G.  So there are six
// transforms, each a square of numbers to a square of numbers, and each works on many channels at
// once.
#ifndef DAUB_KERNEL_WINOGRAD_H
#define DAUB_KERNEL_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DAUB_WINOGRAD_TILE = 4,   // results along each axis of a tile
    DAUB_WINOGRAD_BLOCK = 32, // channels that lie side by side in a buffer of transformed numbers
};

// Where the squares of one side of a transform lie. Distances are in floats.
typedef struct daub_winograd_place {
    int64_t row, column;  // from one row (column) of a square to the next
    int64_t block;        // from one block of 32 channels to the next
    int64_t step;         // from one square to the next
    int first[2], end[2]; // rows and columns that exist: others read as zeros, and are not written
} daub_winograd_place;

typedef struct daub_winograd_job {
    const float *from; // channel 0 of row 0, column 0 of the first square
    float *to;
    daub_winograd_place source, target;
    int64_t count, channels;
    bool add[2];        // dx: rows (columns) shared with the tile before are added to; dw: all are
    const float *bias;  // y: (channels) added to every result; NULL for none
    const float *slope; // y: its leaky ReLU is written; NULL for y itself
} daub_winograd_job;

// Sides read and write buffers of transformed numbers in whole vectors: what stands beyond
// `channels` there is undefined.
typedef void (*daub_winograd_transform)(const daub_winograd_job *job);

// For one R.
typedef struct daub_winograd_transforms {
    daub_winograd_transform input;       // B' x B: A x A pixels
    daub_winograd_transform output_grad; // A dy A': 4 x 4 pixels
    daub_winograd_transform weight;      // G w G': R x R taps
    daub_winograd_transform output;      // A' m A: 4 x 4 pixels
    daub_winograd_transform input_grad;  // B m B': A x A pixels, those of neighbours overlap
    daub_winograd_transform weight_grad; // G' m G: R x R taps
} daub_winograd_transforms;

typedef struct daub_winograd_kernels {
    daub_winograd_transforms taps[2]; // [R - 2]
    // to (columns, rows) = from (rows, columns)'; rows of `from` are from_step apart
    void (*transpose)(float *to, int64_t to_step, const float *from, int64_t from_step,
                      int64_t rows, int64_t columns);
} daub_winograd_kernels;

#endif
