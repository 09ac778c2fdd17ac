// What a picture looks like in a few numbers: perceptual hash, mean, spread, flatness.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/internal.h"

#define SIDE 32
#define LOW 8
#define RUN 65536 // pixels whose squares of luma, in thousandths, fit an integer

static daub_status check(const daub_pixels *in, const char *what) {
    if (in->is_float || (in->channels != 1 && in->channels != 3 && in->channels != 4))
        return daub_fail(DAUB_INVALID, "%s: u8 pixels with 1, 3 or 4 channels expected", what);
    if (in->width < 1 || in->height < 1) return daub_fail(DAUB_INVALID, "%s: empty picture", what);
    return DAUB_OK;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The LOW x LOW lowest coefficients of the two-dimensional DCT-II, scaled alike.
static void dct_low(const float grey[SIDE][SIDE], double low[LOW * LOW]) {
    double cosine[LOW][SIDE], rows[SIDE][LOW];
    for (int u = 0; u < LOW; u++)
        for (int x = 0; x < SIDE; x++) cosine[u][x] = cos(M_PI * u * (2 * x + 1) / (2.0 * SIDE));
    for (int y = 0; y < SIDE; y++) {
        for (int u = 0; u < LOW; u++) {
            rows[y][u] = 0;
            for (int x = 0; x < SIDE; x++) rows[y][u] += (double)grey[y][x] * cosine[u][x];
        }
    }
    for (int v = 0; v < LOW; v++) {
        for (int u = 0; u < LOW; u++) {
            double sum = 0;
            for (int y = 0; y < SIDE; y++) sum += rows[y][u] * cosine[v][y];
            low[v * LOW + u] = sum;
        }
    }
}

// Grey as floats, (height, width). NULL: no memory.
static float *grey_of(const daub_pixels *in) {
    float *grey = daub_alloc((size_t)(in->width * in->height) * sizeof *grey), *to = grey;
    if (!grey) return NULL;
    for (int64_t y = 0; y < in->height; y++, to += in->width) {
        const uint8_t *p = (const uint8_t *)in->data + y * in->row_bytes;
        int n = in->channels;
        if (n == 1)
            for (int64_t x = 0; x < in->width; x++) to[x] = p[x];
        else
            for (int64_t x = 0; x < in->width; x++, p += n)
                to[x] = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
    }
    return grey;
}

// Resizing and greying are both linear, so their order changes nothing but the work.
daub_status daub_phash(const daub_pixels *in, uint64_t *hash) {
    daub_status status = check(in, "phash");
    if (status != DAUB_OK) return status;
    float *grey = grey_of(in), small[SIDE][SIDE];
    if (!grey) return DAUB_NO_MEMORY;
    daub_pixels from = {grey, true, 1, in->width, in->height, in->width * (int64_t)sizeof *grey};
    daub_pixels to = {small, true, 1, SIDE, SIDE, SIDE * (int64_t)sizeof(float)};
    status = daub_lanczos3(&from, &to, false);
    daub_free(grey);
    if (status != DAUB_OK) return status;
    double low[LOW * LOW], sorted[LOW * LOW];
    dct_low((const float(*)[SIDE])small, low);
    memcpy(sorted, low, sizeof low);
    qsort(sorted, LOW * LOW, sizeof *sorted, compare);
    double median = (sorted[LOW * LOW / 2 - 1] + sorted[LOW * LOW / 2]) / 2;
    *hash = 0;
    for (int i = 0; i < LOW * LOW; i++) *hash = *hash << 1 | (low[i] > median);
    return DAUB_OK;
}

daub_status daub_statistics(const daub_pixels *in, daub_picture_stats *stats) {
    daub_status status = check(in, "statistics");
    if (status != DAUB_OK) return status;
    int64_t *bins = daub_alloc(4096 * sizeof *bins), most = 0;
    if (!bins) return DAUB_NO_MEMORY;
    memset(bins, 0, 4096 * sizeof *bins);
    int64_t sum[3] = {0};
    double luma_sum = 0, luma_squares = 0, count = (double)(in->width * in->height);
    for (int64_t y = 0; y < in->height; y++) {
        const uint8_t *p = (const uint8_t *)in->data + y * in->row_bytes;
        for (int64_t x0 = 0; x0 < in->width; x0 += RUN) {
            int64_t run = in->width - x0 < RUN ? in->width - x0 : RUN, squares = 0, lumas = 0;
            for (int64_t x = 0; x < run; x++, p += in->channels) {
                int r = p[0], g = in->channels == 1 ? r : p[1], b = in->channels == 1 ? r : p[2];
                int64_t luma = 299 * r + 587 * g + 114 * b; // thousandths
                sum[0] += r;
                sum[1] += g;
                sum[2] += b;
                lumas += luma;
                squares += luma * luma;
                bins[(r >> 4) << 8 | (g >> 4) << 4 | b >> 4]++;
            }
            luma_sum += (double)lumas / 1e3;
            luma_squares += (double)squares / 1e6;
        }
    }
    for (int i = 0; i < 4096; i++)
        if (bins[i] > most) most = bins[i];
    daub_free(bins);
    for (int c = 0; c < 3; c++) stats->mean[c] = (double)sum[c] / count;
    double mean = luma_sum / count, variance = luma_squares / count - mean * mean;
    stats->stddev = variance > 0 ? sqrt(variance) : 0;
    stats->flat = (double)most / count;
    return DAUB_OK;
}
