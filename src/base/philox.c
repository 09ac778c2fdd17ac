#include "base/philox.h"

#include <math.h>

#include "base/pool.h"

// One job fills this many blocks: fixed, so that values do not depend on the thread count.
enum { CHUNK = 4096 };

void daub_philox(uint64_t key, uint64_t block, uint32_t out[4]) {
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

daub_rng daub_rng_seed(uint64_t seed) {
    return (daub_rng){.key = seed, .counter = 0};
}

uint32_t daub_rng_next(daub_rng *rng) {
    uint32_t block[4];
    daub_philox(rng->key, rng->counter++, block);
    return block[0];
}

static double unit53(uint32_t high, uint32_t low) {
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

double daub_rng_next_unit(daub_rng *rng) {
    uint32_t b[4];
    daub_philox(rng->key, rng->counter++, b);
    return unit53(b[0], b[1]);
}

int64_t daub_rng_next_below(daub_rng *rng, int64_t n) {
    uint64_t range = (uint64_t)n, limit = UINT64_MAX - UINT64_MAX % range;
    for (;;) {
        uint32_t b[4];
        daub_philox(rng->key, rng->counter++, b);
        uint64_t v = (uint64_t)b[0] << 32 | b[1];
        if (v < limit) return (int64_t)(v % range);
    }
}

typedef struct fill {
    daub_rng rng;
    void *out;
    int64_t n;
} fill;

static int64_t last_block(const fill *f, int64_t chunk, int per_block) {
    int64_t blocks = (f->n + per_block - 1) / per_block, end = (chunk + 1) * CHUNK;
    return end < blocks ? end : blocks;
}

static void uniform_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill *f = context;
    float *out = f->out;
    for (int64_t b = chunk * CHUNK; b < last_block(f, chunk, 4); b++) {
        uint32_t r[4];
        daub_philox(f->rng.key, f->rng.counter + (uint64_t)b, r);
        for (int64_t i = 4 * b; i < 4 * b + 4 && i < f->n; i++)
            out[i] = (float)(r[i - 4 * b] >> 8) * 0x1p-24f;
    }
}

static void uniform64_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill *f = context;
    double *out = f->out;
    for (int64_t b = chunk * CHUNK; b < last_block(f, chunk, 2); b++) {
        uint32_t r[4];
        daub_philox(f->rng.key, f->rng.counter + (uint64_t)b, r);
        for (int64_t i = 2 * b; i < 2 * b + 2 && i < f->n; i++)
            out[i] = unit53(r[2 * (i - 2 * b)], r[2 * (i - 2 * b) + 1]);
    }
}

static void normal_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill *f = context;
    float *out = f->out;
    for (int64_t b = chunk * CHUNK; b < last_block(f, chunk, 4); b++) {
        uint32_t r[4];
        float v[4];
        daub_philox(f->rng.key, f->rng.counter + (uint64_t)b, r);
        for (int k = 0; k < 4; k += 2) {
            float radius = sqrtf(-2 * logf(((float)(r[k] >> 8) + 1) * 0x1p-24f));
            float angle = 6.28318530718f * ((float)(r[k + 1] >> 8) * 0x1p-24f);
            v[k] = radius * cosf(angle);
            v[k + 1] = radius * sinf(angle);
        }
        for (int64_t i = 4 * b; i < 4 * b + 4 && i < f->n; i++) out[i] = v[i - 4 * b];
    }
}

static void normal64_job(void *context, int64_t chunk, int worker) {
    (void)worker;
    fill *f = context;
    double *out = f->out;
    for (int64_t b = chunk * CHUNK; b < last_block(f, chunk, 2); b++) {
        uint32_t r[4];
        daub_philox(f->rng.key, f->rng.counter + (uint64_t)b, r);
        double radius = sqrt(-2 * log(1 - unit53(r[0], r[1])));
        double angle = 6.283185307179586 * unit53(r[2], r[3]);
        out[2 * b] = radius * cos(angle);
        if (2 * b + 1 < f->n) out[2 * b + 1] = radius * sin(angle);
    }
}

static daub_status run(daub_rng *rng, void *out, int64_t n, int per_block, daub_job job) {
    fill f = {*rng, out, n};
    int64_t blocks = (n + per_block - 1) / per_block, chunks = (blocks + CHUNK - 1) / CHUNK;
    daub_status status = daub_pool_run(job, &f, chunks);
    rng->counter += (uint64_t)blocks;
    return status;
}

daub_status daub_rng_uniform(daub_rng *rng, float *out, int64_t n) {
    return run(rng, out, n, 4, uniform_job);
}

daub_status daub_rng_uniform64(daub_rng *rng, double *out, int64_t n) {
    return run(rng, out, n, 2, uniform64_job);
}

daub_status daub_rng_normal(daub_rng *rng, float *out, int64_t n) {
    return run(rng, out, n, 4, normal_job);
}

daub_status daub_rng_normal64(daub_rng *rng, double *out, int64_t n) {
    return run(rng, out, n, 2, normal64_job);
}
