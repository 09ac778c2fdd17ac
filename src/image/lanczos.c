// Separable Lanczos-3: columns first, then rows, in float, blocks of rows shared out to the pool.
//
// An output sample at i takes the input around (i + 0.5) * in / out - 0.5 with weights
// L(d / s), L(x) = sinc(x) sinc(x / 3), s = max(1, in / out), normalised to 1; positions outside the
// picture repeat its edge.
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "image/internal.h"

#define BLOCK 16 // rows a job does

typedef struct taps {
    int64_t count;  // per output sample
    int32_t *first; // first input sample of each output sample (clamped when read)
    float *weights; // (size, count)
} taps;

typedef struct pass {
    const daub_pixels *in, *out;
    bool linear;
    taps across, down;
    float *middle; // (in.height, out.width, channels)
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
    if (!t->first || !t->weights) return DAUB_NO_MEMORY;
    for (int64_t i = 0; i < out; i++) {
        double centre = ((double)i + 0.5) * scale - 0.5, sum = 0;
        int64_t first = (int64_t)ceil(centre - 3 * stretch);
        for (int64_t k = 0; k < t->count; k++)
            sum += lanczos3(((double)(first + k) - centre) / stretch);
        for (int64_t k = 0; k < t->count; k++)
            t->weights[i * t->count + k] =
                (float)(lanczos3(((double)(first + k) - centre) / stretch) / sum);
        t->first[i] = (int32_t)first;
    }
    return DAUB_OK;
}

static int64_t clamp(int64_t i, int64_t size) { return i < 0 ? 0 : i >= size ? size - 1 : i; }

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

static void store_row(const pass *p, int64_t y, const float *row) {
    uint8_t *to = (uint8_t *)p->out->data + y * p->out->row_bytes;
    int64_t n = p->out->width * p->out->channels;
    if (p->out->is_float) {
        memcpy(to, row, (size_t)n * sizeof *row);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float v = row[i];
        if (p->linear) v = 255 * (i % p->out->channels == 3 ? v : from_linear(v));
        to[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
    }
}

static void across_job(void *context, int64_t index, int worker) {
    const pass *p = context;
    int64_t channels = p->in->channels, width = p->out->width;
    float *row = daub_scratch(worker, 0, (size_t)(p->in->width * channels) * sizeof *row);
    int64_t end = (index + 1) * BLOCK < p->in->height ? (index + 1) * BLOCK : p->in->height;
    for (int64_t y = index * BLOCK; y < end; y++) {
        load_row(p, y, row);
        float *to = p->middle + y * width * channels;
        for (int64_t x = 0; x < width; x++) {
            const float *w = p->across.weights + x * p->across.count;
            int64_t first = p->across.first[x];
            float sum[4] = {0};
            for (int64_t k = 0; k < p->across.count; k++) {
                const float *from = row + clamp(first + k, p->in->width) * channels;
                for (int64_t c = 0; c < channels; c++) sum[c] += w[k] * from[c];
            }
            memcpy(to + x * channels, sum, (size_t)channels * sizeof *sum);
        }
    }
}

static void down_job(void *context, int64_t index, int worker) {
    const pass *p = context;
    int64_t n = p->out->width * p->out->channels;
    float *row = daub_scratch(worker, 0, (size_t)n * sizeof *row);
    int64_t end = (index + 1) * BLOCK < p->out->height ? (index + 1) * BLOCK : p->out->height;
    for (int64_t y = index * BLOCK; y < end; y++) {
        memset(row, 0, (size_t)n * sizeof *row);
        for (int64_t k = 0; k < p->down.count; k++) {
            float w = p->down.weights[y * p->down.count + k];
            const float *from = p->middle + clamp(p->down.first[y] + k, p->in->height) * n;
            for (int64_t i = 0; i < n; i++) row[i] += w * from[i];
        }
        store_row(p, y, row);
    }
}

daub_status daub_lanczos3(const daub_pixels *in, const daub_pixels *out, bool linear) {
    pass p = {.in = in, .out = out, .linear = linear};
    size_t middle = (size_t)(in->height * out->width * in->channels) * sizeof *p.middle;
    daub_status status = taps_make(&p.across, in->width, out->width);
    if (status == DAUB_OK) status = taps_make(&p.down, in->height, out->height);
    if (status == DAUB_OK && !(p.middle = daub_alloc(middle))) status = DAUB_NO_MEMORY;
    if (status == DAUB_OK)
        status = daub_pool_run(across_job, &p, (in->height + BLOCK - 1) / BLOCK);
    if (status == DAUB_OK) status = daub_pool_run(down_job, &p, (out->height + BLOCK - 1) / BLOCK);
    daub_free(p.across.first);
    daub_free(p.across.weights);
    daub_free(p.down.first);
    daub_free(p.down.weights);
    daub_free(p.middle);
    return status;
}
