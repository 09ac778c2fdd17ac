#include "conv/bf16.h"

#include "base/memory.h"
#include "base/pool.h"
#include "conv/grid.h"
#include "kernel/families/conv_bf16.h"
#include "kernel/kernel.h"

enum { JOB = 1 << 15 }; // numbers that a job pairs, about

// Numbers seen as (blocks, count, run), and what they become.
typedef struct pairing {
    const float *from;
    int64_t blocks, count, run;
    uint32_t *to;
    int64_t part; // runs, or pairs, in a job
} pairing;

static int64_t pairs_of(int64_t count) {
    return (count + 1) / 2;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// Job: `part` runs, each paired within itself.
static void pair_within(void *context, int64_t index, int worker) {
    (void)worker;
    const pairing *p = context;
    int64_t first = index * p->part, runs = least(p->part, p->blocks * p->count - first);
    daub_kernels_bf16()->within(p->from + first * p->run, p->to + first * pairs_of(p->run), runs,
                                p->run);
}

// Job: `part` pairs, of numbers of a run with those of the next run of its block.
static void pair_between(void *context, int64_t index, int worker) {
    (void)worker;
    const pairing *p = context;
    int64_t runs = pairs_of(p->count), i = index * p->part;
    int64_t end = least(i + p->part, p->blocks * runs * p->run);
    while (i < end) {
        int64_t at = i % p->run, run = i / p->run % runs * 2, block = i / p->run / runs;
        int64_t count = least(p->run - at, end - i);
        const float *a = p->from + (block * p->count + run) * p->run + at;
        daub_kernels_bf16()->between(a, run + 1 < p->count ? a + p->run : NULL, p->to + i, count);
        i += count;
    }
}

// (blocks, count, run) -> (blocks, count, (run + 1) / 2). The result is the caller's to free.
static daub_status within(float **pairs, pairing p) {
    int64_t runs = p.blocks * p.count;
    p.to = daub_alloc((size_t)(runs * pairs_of(p.run)) * sizeof *p.to);
    if (!p.to) return DAUB_NO_MEMORY;
    *pairs = (float *)p.to;
    p.part = daub_ceil_div(JOB, p.run);
    return daub_pool_run(pair_within, &p, daub_ceil_div(runs, p.part));
}

// (blocks, count, run) -> (blocks, (count + 1) / 2, run)
static daub_status between(float **pairs, pairing p) {
    int64_t count = p.blocks * pairs_of(p.count) * p.run;
    p.to = daub_alloc((size_t)count * sizeof *p.to);
    if (!p.to) return DAUB_NO_MEMORY;
    *pairs = (float *)p.to;
    p.part = JOB / 2;
    return daub_pool_run(pair_between, &p, daub_ceil_div(count, p.part));
}

static int64_t taps_of(const daub_conv_shape *s) {
    return s->kernel[0] * s->kernel[1];
}

static int64_t pixels_of(const int64_t size[2]) {
    return size[0] * size[1];
}

daub_status daub_conv_bf16_forward(const daub_conv_shape *s, const float *x, const float *w,
                                   const float *bias, float *y) {
    daub_conv_shape halved = *s;
    halved.pairs = true;
    halved.c = halved.cg = pairs_of(s->c);
    float *x2 = NULL, *w2 = NULL;
    daub_status status =
        within(&x2, (pairing){.from = x, .blocks = s->n, .count = pixels_of(s->size), .run = s->c});
    if (status == DAUB_OK)
        status =
            between(&w2, (pairing){.from = w, .blocks = taps_of(s), .count = s->c, .run = s->o});
    if (status == DAUB_OK) status = daub_conv_rows_forward(&halved, x2, w2, bias, y);
    daub_free(x2);
    daub_free(w2);
    return status;
}

daub_status daub_conv_bf16_input_grad(const daub_conv_shape *s, const float *dy, const float *w,
                                      float *dx) {
    daub_conv_shape halved = *s;
    halved.pairs = true;
    halved.o = halved.og = pairs_of(s->o);
    float *dy2 = NULL, *w2 = NULL;
    daub_status status = within(
        &dy2, (pairing){.from = dy, .blocks = s->n, .count = pixels_of(s->out), .run = s->o});
    if (status == DAUB_OK)
        status =
            within(&w2, (pairing){.from = w, .blocks = taps_of(s), .count = s->c, .run = s->o});
    if (status == DAUB_OK) status = daub_conv_rows_input_grad(&halved, dy2, w2, dx);
    daub_free(dy2);
    daub_free(w2);
    return status;
}

daub_status daub_conv_bf16_weight_grad(const daub_conv_shape *s, const float *x, const float *dy,
                                       float *dw) {
    daub_conv_shape halved = *s;
    halved.pairs = true;
    halved.n = pairs_of(s->n);
    float *x2 = NULL, *dy2 = NULL;
    pairing in = {.from = x, .blocks = 1, .count = s->n, .run = pixels_of(s->size) * s->c};
    pairing out = {.from = dy, .blocks = 1, .count = s->n, .run = pixels_of(s->out) * s->o};
    daub_status status = between(&x2, in);
    if (status == DAUB_OK) status = between(&dy2, out);
    if (status == DAUB_OK) status = daub_conv_outer_weight_grad(&halved, x2, dy2, dw);
    daub_free(x2);
    daub_free(dy2);
    return status;
}
