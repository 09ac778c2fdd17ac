// Separable Lanczos-3 in float, blocks of rows shared out to the pool. Rows are combined ("down", a
// sum over whole rows that vectorises) before columns ("across") when that leaves fewer of them.
//
// An output sample at i takes the input around (i + 0.5) * in / out - 0.5 with weights
// L(d / s), L(x) = sinc(x) sinc(x / 3), s = max(1, in / out), normalised to 1; positions outside
// the picture repeat its edge.
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "image/internal.h"

#define BLOCK 16 // rows a job does

typedef struct taps {
    int64_t count;  // per output sample
    int32_t *first; // first input sample of each output sample, from -count to the size
    float *weights; // (size, count)
} taps;

typedef struct pass {
    const daub_pixels *in, *out;
    bool linear;
    taps across, down;
    bool down_first;
    atomic_bool no_memory; // a job found no scratch memory
    float *middle;         // (in.height, out.width, channels), or (out.height, in.width, channels)
} pass;

static double lanczos3(double x) {
    if (x == 0) return 1;
    if (fabs(x) >= 3) return 0;
    double p = M_PI * x;
    return 3 * sin(p) * sin(p / 3) / (p * p);
}

static daub_status taps_make(taps *t, int64_t in, int64_t out) {
    double scale = (double)in / (double)out, stretch = scale > 1 ? scale : 1;
    t->count = (int64_t)ceil(6 * stretch) + 1;
    t->first = daub_alloc((size_t)out * sizeof *t->first);
    t->weights = daub_alloc((size_t)(out * t->count) * sizeof *t->weights);
    double *raw = daub_alloc((size_t)t->count * sizeof *raw);
    if (!t->first || !t->weights || !raw) {
        daub_free(raw);
        return DAUB_NO_MEMORY;
    }
    for (int64_t i = 0; i < out; i++) {
        double centre = ((double)i + 0.5) * scale - 0.5, sum = 0;
        int64_t first = (int64_t)ceil(centre - 3 * stretch);
        for (int64_t k = 0; k < t->count; k++)
            sum += raw[k] = lanczos3(((double)(first + k) - centre) / stretch);
        for (int64_t k = 0; k < t->count; k++) t->weights[i * t->count + k] = (float)(raw[k] / sum);
        t->first[i] = (int32_t)first;
    }
    daub_free(raw);
    return DAUB_OK;
}

static int64_t clamp(int64_t i, int64_t size) {
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

static float to_linear(float v) {
    return v <= 0.04045f ? v / 12.92f : powf((v + 0.055f) / 1.055f, 2.4f);
}

static float from_linear(float v) {
    return v <= 0.0031308f ? 12.92f * v : 1.055f * powf(v, 1 / 2.4f) - 0.055f;
}

// One input row as floats: u8 in 0 … 255 (or linear 0 … 1), f32 as it is.
static void load_row(const pass *p, int64_t y, float *row) {
    const uint8_t *from = (const uint8_t *)p->in->data + y * p->in->row_bytes;
    int64_t n = p->in->width * p->in->channels;
    if (p->in->is_float) {
        memcpy(row, from, (size_t)n * sizeof *row);
        return;
    }
    for (int64_t i = 0; i < n; i++) row[i] = from[i];
    if (!p->linear) return;
    for (int64_t i = 0; i < n; i++)
        row[i] = i % p->in->channels == 3 ? row[i] / 255 : to_linear(row[i] / 255);
}

static void store_linear(const float *row, int64_t n, int channels, uint8_t *to) {
    for (int64_t i = 0; i < n; i++) {
        float v = 255 * (i % channels == 3 ? row[i] : from_linear(row[i]));
        to[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
    }
}

static void store_row(const pass *p, int64_t y, const float *row) {
    uint8_t *to = (uint8_t *)p->out->data + y * p->out->row_bytes;
    int64_t n = p->out->width * p->out->channels;
    if (p->out->is_float) {
        memcpy(to, row, (size_t)n * sizeof *row);
        return;
    }
    if (p->linear) {
        store_linear(row, n, p->out->channels, to);
        return;
    }
    for (int64_t i = 0; i < n; i++) { // weighted bytes: well within an int
        int v = (int)(row[i] + 256.5f) - 256;
        to[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

// Sums over one row whose edges are repeated `count` times; inlined for each number of channels.
static inline void sum_across(const taps *t, const float *padded, int64_t width, int channels,
                              float *to) {
    for (int64_t x = 0; x < width; x++) {
        const float *w = t->weights + x * t->count;
        const float *from = padded + (t->count + t->first[x]) * channels;
        float sum[4] = {0};
        for (int64_t k = 0; k < t->count; k++)
            for (int c = 0; c < channels; c++) sum[c] += w[k] * from[k * channels + c];
        for (int c = 0; c < channels; c++) to[x * channels + c] = sum[c];
    }
}

// padded: the row in its middle, (count + width + count, channels).
static void across_row(const pass *p, float *padded, float *to) {
    int64_t channels = p->in->channels, pad = p->across.count, width = p->in->width;
    for (int64_t i = 0; i < pad * channels; i++) {
        padded[i] = padded[pad * channels + i % channels];
        padded[(pad + width) * channels + i] = padded[(pad + width - 1) * channels + i % channels];
    }
    switch (channels) {
    case 1:
        sum_across(&p->across, padded, p->out->width, 1, to);
        break;
    case 2:
        sum_across(&p->across, padded, p->out->width, 2, to);
        break;
    case 3:
        sum_across(&p->across, padded, p->out->width, 3, to);
        break;
    default:
        sum_across(&p->across, padded, p->out->width, 4, to);
        break;
    }
}

static void add_bytes(float *restrict sum, const uint8_t *restrict from, float w, int64_t n) {
    for (int64_t i = 0; i < n; i++) sum[i] += w * (float)from[i];
}

static void add_floats(float *restrict sum, const float *restrict from, float w, int64_t n) {
    for (int64_t i = 0; i < n; i++) sum[i] += w * from[i];
}

// Sum over the rows that make output row y, taken from the input or from the middle.
static void down_row(const pass *p, int64_t y, float *sum) {
    int64_t n = (p->down_first ? p->in->width : p->out->width) * p->in->channels;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t k = 0; k < p->down.count; k++) {
        float w = p->down.weights[y * p->down.count + k];
        int64_t row = clamp(p->down.first[y] + k, p->in->height);
        const uint8_t *in = (const uint8_t *)p->in->data + row * p->in->row_bytes;
        if (w == 0) continue;
        if (!p->down_first)
            add_floats(sum, p->middle + row * n, w, n);
        else if (p->in->is_float)
            add_floats(sum, (const float *)in, w, n);
        else
            add_bytes(sum, in, w, n);
    }
}

static float *padded_row(const pass *p, int worker) {
    size_t samples = (size_t)((p->in->width + 2 * p->across.count) * p->in->channels);
    return daub_scratch(worker, 0, samples * sizeof(float));
}

static int64_t block_end(int64_t index, int64_t rows) {
    return (index + 1) * BLOCK < rows ? (index + 1) * BLOCK : rows;
}

// First passes: input to middle.
static void first_job(void *context, int64_t index, int worker) {
    pass *p = context;
    int64_t channels = p->in->channels;
    if (p->down_first) {
        for (int64_t y = index * BLOCK; y < block_end(index, p->out->height); y++)
            down_row(p, y, p->middle + y * p->in->width * channels);
        return;
    }
    float *padded = padded_row(p, worker);
    if (!padded) {
        p->no_memory = true;
        return;
    }
    for (int64_t y = index * BLOCK; y < block_end(index, p->in->height); y++) {
        load_row(p, y, padded + p->across.count * channels);
        across_row(p, padded, p->middle + y * p->out->width * channels);
    }
}

// Second passes: middle to output.
static void second_job(void *context, int64_t index, int worker) {
    pass *p = context;
    int64_t channels = p->in->channels, n = p->in->width * channels;
    float *row = daub_scratch(worker, 1, (size_t)(p->out->width * channels) * sizeof *row);
    float *padded = padded_row(p, worker);
    if (!row || !padded) {
        p->no_memory = true;
        return;
    }
    for (int64_t y = index * BLOCK; y < block_end(index, p->out->height); y++) {
        if (p->down_first) {
            memcpy(padded + p->across.count * channels, p->middle + y * n, (size_t)n * sizeof *row);
            across_row(p, padded, row);
        } else {
            down_row(p, y, row);
        }
        store_row(p, y, row);
    }
}

static int64_t blocks(int64_t rows) {
    return (rows + BLOCK - 1) / BLOCK;
}

daub_status daub_lanczos3(const daub_pixels *in, const daub_pixels *out, bool linear) {
    pass p = {.in = in, .out = out, .linear = linear};
    p.down_first = out->height < in->height && !linear; // the sRGB curve is undone row by row
    int64_t rows = p.down_first ? out->height : in->height;
    int64_t columns = p.down_first ? in->width : out->width;
    size_t middle = (size_t)(rows * columns * in->channels) * sizeof *p.middle;
    daub_status status = taps_make(&p.across, in->width, out->width);
    if (status == DAUB_OK) status = taps_make(&p.down, in->height, out->height);
    if (status == DAUB_OK && !(p.middle = daub_alloc(middle))) status = DAUB_NO_MEMORY;
    if (status == DAUB_OK) status = daub_pool_run(first_job, &p, blocks(rows));
    if (status == DAUB_OK) status = daub_pool_run(second_job, &p, blocks(out->height));
    if (status == DAUB_OK && p.no_memory) status = daub_fail(DAUB_NO_MEMORY, "resize: no memory");
    daub_free(p.across.first);
    daub_free(p.across.weights);
    daub_free(p.down.first);
    daub_free(p.down.weights);
    daub_free(p.middle);
    return status;
}
