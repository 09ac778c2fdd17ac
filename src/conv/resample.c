// Bilinear resampling: a mix of two neighbours along each axis.
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/picture.h"
#include "conv/pooling.h"

// What output position i of an axis is made of: weight[0] of position at[0], weight[1] of at[1].
typedef struct mix {
    int64_t at[2];
    double weight[2]; // rounded to the dtype
} mix;

typedef struct resampling {
    int64_t n, c, size[2], out[2];
    mix *mixes[2]; // out[axis] of them; both positions never fall
    const void *from;
    void *to;
} resampling;

static mix bilinear_mix(int64_t i, int64_t size, int64_t out, bool corners, daub_dtype dtype) {
    double scale =
        corners ? out > 1 ? (double)(size - 1) / (double)(out - 1) : 0 : (double)size / (double)out;
    double position = corners ? scale * (double)i : scale * ((double)i + 0.5) - 0.5;
    if (position < 0) position = 0;
    int64_t low = (int64_t)position;
    if (low > size - 1) low = size - 1;
    double part = position - (double)low;
    if (part > 1) part = 1;
    if (dtype == DAUB_F32) part = (float)part;
    return (mix){{low, low + (low < size - 1)}, {1 - part, part}};
}

#define REAL float
#define NAMED(name) name##_f32
#include "conv/resample.inc"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "conv/resample.inc"

static void release_mixes(resampling *r) {
    daub_free(r->mixes[0]);
    daub_free(r->mixes[1]);
}

static daub_status make_mixes(const char *name, resampling *r, bool corners, daub_dtype dtype) {
    for (int axis = 0; axis < 2; axis++) {
        int64_t size = r->size[axis], out = r->out[axis];
        if (size < 1 || out < 1 || size > DAUB_CONV_LIMIT || out > DAUB_CONV_LIMIT)
            return daub_fail(DAUB_INVALID, "%s: from %lld to %lld pixels (at least 1 expected)",
                             name, (long long)size, (long long)out);
    }
    for (int axis = 0; axis < 2; axis++) {
        int64_t size = r->size[axis], out = r->out[axis];
        mix *mixes = r->mixes[axis] = daub_alloc((size_t)out * sizeof(mix));
        if (!mixes) {
            release_mixes(r);
            return DAUB_NO_MEMORY;
        }
        for (int64_t i = 0; i < out; i++) mixes[i] = bilinear_mix(i, size, out, corners, dtype);
    }
    return DAUB_OK;
}

// Runs `job` for every row of a new array (n, size[0], size[1], c); takes the mixes.
static daub_status produce(daub_array *out, daub_dtype dtype, resampling *r, const int64_t size[2],
                           daub_job job) {
    daub_array result;
    daub_status status =
        daub_array_create(&result, dtype, 4, (int64_t[]){r->n, size[0], size[1], r->c});
    if (status == DAUB_OK) {
        r->to = result.data;
        status = daub_pool_run(job, r, r->n * size[0]);
        if (status == DAUB_OK)
            *out = result;
        else
            daub_array_release(&result);
    }
    release_mixes(r);
    return status;
}

daub_status daub_upsample_bilinear(daub_array *y, const daub_array *x, int64_t oh, int64_t ow,
                                   bool corners) {
    static const char name[] = "upsample";
    daub_status status = daub_check_float(name, "x", x, 4, DAUB_NHWC);
    if (status != DAUB_OK) return status;
    resampling r = {.n = x->shape[0],
                    .c = x->shape[3],
                    .size = {x->shape[1], x->shape[2]},
                    .out = {oh, ow},
                    .from = x->data};
    status = make_mixes(name, &r, corners, x->dtype);
    if (status != DAUB_OK) return status;
    return produce(y, x->dtype, &r, r.out, x->dtype == DAUB_F32 ? mix_row_f32 : mix_row_f64);
}

daub_status daub_upsample_bilinear_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                        int64_t width, bool corners) {
    static const char name[] = "upsample_grad";
    daub_status status = daub_check_float(name, "dy", dy, 4, DAUB_NHWC);
    if (status != DAUB_OK) return status;
    resampling r = {.n = dy->shape[0],
                    .c = dy->shape[3],
                    .size = {height, width},
                    .out = {dy->shape[1], dy->shape[2]},
                    .from = dy->data};
    status = make_mixes(name, &r, corners, dy->dtype);
    if (status != DAUB_OK) return status;
    return produce(dx, dy->dtype, &r, r.size,
                   dy->dtype == DAUB_F32 ? mix_grad_row_f32 : mix_grad_row_f64);
}
