// The matrix kernels of convolution (f32), and the loop that measures the peak they are judged by.
//
// A picture lies packed in a grid of pixels; what a filter sees of it is a list of runs, each a
// stretch of consecutive numbers. So a convolution is a product of matrices whose left side is
// never written down: its rows are addresses in the grid, `runs` says which numbers belong to a
// row.
#ifndef DAUB_KERNEL_CONV_H
#define DAUB_KERNEL_CONV_H

#include <stdint.h>

// `count` numbers (or pixels) from `offset` on, in elements relative to a row's address.
typedef struct daub_conv_run {
    int64_t offset, count;
} daub_conv_run;

// The right side: `width` columns (16 or 32) of each row k, rows one after the other, 64-byte
// aligned.
typedef struct daub_conv_panel {
    const float *rows;
    int64_t width;
} daub_conv_panel;

typedef struct daub_conv_rows {
    const float *const *a;     // (groups) address of each group's first row
    float *const *c;           // (groups) where its first row of results lies
    int64_t groups;            // each of `group` rows
    int64_t a_step, c_step;    // from one row of a group to the next
    int64_t c_offset;          // added to every c
    const daub_conv_run *runs; // one for all rows
    int64_t run_count;
    int64_t ahead;      // floats from each run to 32 that will be wanted next; 0: unknown
    const float *start; // (width) what to add to the sums; NULL adds to what lies in c
    const float *slope; // the results' leaky ReLU is stored; NULL stores them as they are
} daub_conv_rows;

typedef struct daub_conv_outer {
    const float *a;            // number m of pixel k of run i is a[runs[i].offset + k a_step + m]
    const daub_conv_run *runs; // pixels, taken up in the order of the panel's rows
    int64_t run_count;
    int64_t a_step;
    int64_t m;      // rows of the result; a is read up to the next multiple of 4
    int64_t b_step; // from one row of the panel to the next, which may then lie anywhere; 0: width
    float *c;       // (m, width), rows c_step apart
    int64_t c_step; // in elements
    int add;        // add to c; otherwise c is overwritten
} daub_conv_outer;

enum { DAUB_CONV_OUTER_ROWS = 12 }; // of the largest tile

// c (m, width) = start + b' (m, k) a (k, width), where a's rows ("strips") may overlap in memory.
typedef struct daub_conv_strips {
    const float *a;            // strip k of run i starts at a[runs[i].offset + k a_step]
    const daub_conv_run *runs; // strips, taken up in the order of b's rows
    int64_t run_count;
    int64_t a_step;
    int64_t width;  // a and c are used up to the next multiple of DAUB_CONV_STRIP
    const float *b; // number m of strip k is b[k b_step + m]
    int64_t b_step;
    int64_t m;
    float *c;
    int64_t c_step;
    const float *start; // (m) what to add to each row's sums; NULL adds to what lies in c
    const float *slope; // as in daub_conv_rows
} daub_conv_strips;

enum { DAUB_CONV_STRIP = 16 };

typedef struct daub_conv_kernels {
    int group; // rows that share one address in `rows`: 2 or 4
    // c (rows, width) = or += a (rows, runs) times the panel
    void (*rows)(const daub_conv_rows *job, daub_conv_panel panel);
    // c (m, width) = or += a' (m, pixels) times the panel (pixels, width)
    void (*outer)(const daub_conv_outer *job, daub_conv_panel panel);
    void (*strips)(const daub_conv_strips *job);
    // to (columns, rows) = from (rows, columns)'; steps lead from one row to the next, in elements
    void (*transpose)(const float *from, int64_t from_step, int64_t rows, int64_t columns,
                      float *to, int64_t to_step);
    // `rounds` of independent multiply-adds in registers; returns the floating-point operations
    // done.
    double (*peak)(int64_t rounds);
} daub_conv_kernels;

#endif
