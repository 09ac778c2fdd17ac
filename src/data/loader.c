#include "data/loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/philox.h"

enum { AHEAD = 2, CHANNELS = 3 };

// Streams of one seed: which random numbers are for what.
enum { STREAM_SHUFFLE = 1, STREAM_VIEW = 2 };

typedef struct batch {
    daub_array pictures, which;
} batch;

struct daub_loader {
    daub_dataset *dataset;
    daub_loader_options o;
    int64_t *order, epoch; // the epoch's permutation; epoch -1 before the first (worker only)
    double *column;        // (width) source columns of a zoomed picture (worker only)

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    batch ready[AHEAD]; // a ring: batches taken … made-1
    int64_t made, taken;
    bool stop;
    daub_status status; // why the worker gave up
    char message[512];
};

static uint64_t stream_key(uint64_t seed, int stream) {
    uint32_t r[4];
    daub_philox(seed, (uint64_t)stream << 56, r);
    return (uint64_t)r[0] << 32 | r[1];
}

// Fisher and Yates, from this epoch's own generator.
static void shuffle(daub_loader *l, int64_t epoch) {
    int64_t n = daub_dataset_count(l->dataset);
    uint32_t r[4];
    daub_philox(stream_key(l->o.seed, STREAM_SHUFFLE), (uint64_t)epoch, r);
    daub_rng rng = daub_rng_seed((uint64_t)r[0] << 32 | r[1]);
    for (int64_t i = 0; i < n; i++) l->order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t k = daub_rng_next_below(&rng, i + 1), swap = l->order[i];
        l->order[i] = l->order[k];
        l->order[k] = swap;
    }
    l->epoch = epoch;
}

static void plain(const uint8_t *in, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (float)in[i] * (2 / 255.0f) - 1;
}

static double clamp(double v, double last) {
    return v < 0 ? 0 : v > last ? last : v;
}

// The part of `in` that starts at (x0, y0) and is `scale` as large, bilinear, enlarged to full
// size.
static void zoomed(daub_loader *l, const uint8_t *in, float *out, double scale, double x0,
                   double y0) {
    int64_t w = daub_dataset_width(l->dataset), h = daub_dataset_height(l->dataset);
    for (int64_t x = 0; x < w; x++)
        l->column[x] = clamp(x0 + ((double)x + 0.5) * scale - 0.5, (double)(w - 1));
    for (int64_t y = 0; y < h; y++) {
        double sy = clamp(y0 + ((double)y + 0.5) * scale - 0.5, (double)(h - 1));
        int64_t top = (int64_t)sy, below = top + 1 < h ? top + 1 : top;
        float fy = (float)(sy - (double)top);
        for (int64_t x = 0; x < w; x++) {
            int64_t left = (int64_t)l->column[x], right = left + 1 < w ? left + 1 : left;
            float fx = (float)(l->column[x] - (double)left);
            for (int c = 0; c < CHANNELS; c++) {
                float a = in[(top * w + left) * CHANNELS + c],
                      b = in[(top * w + right) * CHANNELS + c];
                float d = in[(below * w + left) * CHANNELS + c];
                float e = in[(below * w + right) * CHANNELS + c];
                float v = (a + (b - a) * fx) * (1 - fy) + (d + (e - d) * fx) * fy;
                *out++ = v * (2 / 255.0f) - 1;
            }
        }
    }
}

static void mirror(float *out, int64_t w, int64_t h) {
    for (int64_t y = 0; y < h; y++) {
        float *row = out + y * w * CHANNELS;
        for (int64_t x = 0; x < w / 2; x++) {
            for (int c = 0; c < CHANNELS; c++) {
                float swap = row[x * CHANNELS + c];
                row[x * CHANNELS + c] = row[(w - 1 - x) * CHANNELS + c];
                row[(w - 1 - x) * CHANNELS + c] = swap;
            }
        }
    }
}

// The picture shown at `position` of the endless sequence of epochs. Returns which it is.
static int64_t prepare_one(daub_loader *l, int64_t position, float *out) {
    int64_t count = daub_dataset_count(l->dataset), w = daub_dataset_width(l->dataset),
            h = daub_dataset_height(l->dataset);
    if (position / count != l->epoch) shuffle(l, position / count);
    int64_t which = l->order[position % count];
    const uint8_t *in = daub_dataset_pixels(l->dataset, which);
    daub_rng rng = {.key = stream_key(l->o.seed, STREAM_VIEW), .counter = (uint64_t)position * 4};
    double scale = 1 - (1 - l->o.zoom) * daub_rng_next_unit(&rng);
    double x = daub_rng_next_unit(&rng), y = daub_rng_next_unit(&rng);
    uint32_t coins = daub_rng_next(&rng);
    if (l->o.zoom < 1 && (coins & 1))
        zoomed(l, in, out, scale, x * (1 - scale) * (double)w, y * (1 - scale) * (double)h);
    else
        plain(in, out, w * h * CHANNELS);
    if (l->o.mirror && (coins & 2)) mirror(out, w, h);
    return which;
}

static void release(batch *b) {
    daub_array_release(&b->pictures);
    daub_array_release(&b->which);
}

static daub_status prepare(daub_loader *l, int64_t number, batch *out) {
    int64_t shape[] = {l->o.batch, daub_dataset_height(l->dataset), daub_dataset_width(l->dataset),
                       CHANNELS};
    daub_status status = daub_array_create(&out->pictures, DAUB_F32, 4, shape);
    if (status != DAUB_OK) return status;
    status = daub_array_create(&out->which, DAUB_I64, 1, shape);
    if (status != DAUB_OK) {
        daub_array_release(&out->pictures);
        return status;
    }
    float *pixels = out->pictures.data;
    int64_t *which = out->which.data;
    int64_t picture = shape[1] * shape[2] * CHANNELS;
    for (int64_t i = 0; i < l->o.batch; i++)
        which[i] = prepare_one(l, number * l->o.batch + i, pixels + i * picture);
    return DAUB_OK;
}

static void *work(void *context) {
    daub_loader *l = context;
    pthread_mutex_lock(&l->lock);
    while (!l->stop && l->status == DAUB_OK) {
        if (l->made - l->taken == AHEAD) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        int64_t number = l->made;
        pthread_mutex_unlock(&l->lock);
        batch prepared;
        daub_status status = prepare(l, number, &prepared);
        pthread_mutex_lock(&l->lock);
        if (status == DAUB_OK) {
            l->ready[l->made++ % AHEAD] = prepared;
        } else {
            l->status = status;
            snprintf(l->message, sizeof l->message, "%s", daub_error_message());
        }
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void free_loader(daub_loader *l) {
    for (; l->taken < l->made; l->taken++) release(&l->ready[l->taken % AHEAD]);
    daub_dataset_release(l->dataset);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l->order);
    free(l->column);
    free(l);
}

// The worker takes no signals: Ctrl-C goes to the thread that runs the script.
static int start_thread(daub_loader *l) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&l->thread, NULL, work, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

daub_status daub_loader_start(daub_loader **out, daub_dataset *d, const daub_loader_options *o) {
    if (o->batch < 1 || o->batch > 1 << 20 || o->start < 0 || o->start > INT64_MAX / (4 << 20))
        return daub_fail(DAUB_INVALID,
                         "loader: batch %lld from batch %lld on (1 or more, 0 or more)",
                         (long long)o->batch, (long long)o->start);
    if (!(o->zoom > 0 && o->zoom <= 1))
        return daub_fail(DAUB_INVALID, "loader: zoom %g (more than 0, at most 1)", o->zoom);
    daub_loader *l = calloc(1, sizeof *l);
    if (!l) return daub_fail(DAUB_NO_MEMORY, "loader: no memory");
    daub_dataset_retain(d);
    l->dataset = d;
    l->o = *o;
    l->epoch = -1;
    l->made = l->taken = o->start;
    l->order = malloc((size_t)daub_dataset_count(d) * sizeof *l->order);
    l->column = malloc((size_t)daub_dataset_width(d) * sizeof *l->column);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    if (!l->order || !l->column || start_thread(l)) {
        free_loader(l);
        return daub_fail(DAUB_NO_MEMORY, "loader: no memory or no thread");
    }
    *out = l;
    return DAUB_OK;
}

daub_status daub_loader_next(daub_loader *l, daub_array *pictures, daub_array *which) {
    daub_status status = DAUB_OK;
    pthread_mutex_lock(&l->lock);
    while (l->made == l->taken && l->status == DAUB_OK) pthread_cond_wait(&l->changed, &l->lock);
    if (l->made > l->taken) {
        batch *next = &l->ready[l->taken++ % AHEAD];
        *pictures = next->pictures;
        *which = next->which;
        pthread_cond_broadcast(&l->changed);
    } else {
        status = daub_fail(l->status, "%s", l->message);
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}

int64_t daub_loader_position(const daub_loader *l) {
    return l->taken;
}

void daub_loader_stop(daub_loader *l) {
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    free_loader(l);
}
