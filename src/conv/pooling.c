// Average and maximum pooling, and repeating pixels, which is an average's adjoint.
#include "conv/pooling.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/picture.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { SOME = 16 }; // channels whose maxima are found together

// The window of each output position along one axis, clipped to the picture.
typedef struct window {
    int64_t start, end;
    int64_t count; // what an average divides by
} window;

typedef struct pooling {
    int64_t n, c, size[2], out[2];
    window *windows[2]; // out[axis] of them; starts and ends never fall
    const void *from;
    void *to;
    bool apart;     // windows along an axis do not overlap
    bool add;       // to what is there
    int64_t *index; // of maxima
    const int64_t *places;
    atomic_bool wrong_place;
} pooling;

static void release_windows(pooling *p) {
    daub_free(p->windows[0]);
    daub_free(p->windows[1]);
}

static daub_status make_windows(pooling *p) {
    for (int axis = 0; axis < 2; axis++) {
        p->windows[axis] = daub_alloc((size_t)p->out[axis] * sizeof(window));
        if (!p->windows[axis]) {
            release_windows(p);
            return DAUB_NO_MEMORY;
        }
    }
    return DAUB_OK;
}

#define REAL float
#define NAMED(name) name##_f32
#include "conv/pooling.inc"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "conv/pooling.inc"

#define FOR_DTYPE(dtype, name) ((dtype) == DAUB_F32 ? name##_f32 : name##_f64)

static bool are_apart(const pooling *p) {
    for (int axis = 0; axis < 2; axis++) {
        for (int64_t i = 1; i < p->out[axis]; i++) {
            if (p->windows[axis][i].start < p->windows[axis][i - 1].end) return false;
        }
    }
    return true;
}

// Runs `job` for every index below `jobs` into a new array (n, size[0], size[1], c); takes the
// windows.
static daub_status produce(daub_array *out, daub_dtype dtype, pooling *p, const int64_t size[2],
                           daub_job job, int64_t jobs) {
    daub_array result;
    daub_status status =
        daub_array_create(&result, dtype, 4, (int64_t[]){p->n, size[0], size[1], p->c});
    if (status == DAUB_OK) {
        p->to = result.data;
        p->apart = p->windows[0] && are_apart(p);
        status = daub_pool_run(job, p, jobs);
        if (status == DAUB_OK && atomic_load(&p->wrong_place))
            status = daub_fail(DAUB_INVALID, "max_pool2d: an index lies outside the picture");
        if (status == DAUB_OK)
            *out = result;
        else
            daub_array_release(&result);
    }
    release_windows(p);
    return status;
}

// Sizes and windows of a fixed kernel over p->size.
static daub_status fixed_windows(const char *name, pooling *p, const daub_pool_options *o) {
    for (int axis = 0; axis < 2; axis++) {
        int64_t k = o->kernel[axis], s = o->stride[axis], pad = o->padding[axis];
        if (k < 1 || s < 1 || pad < 0 || k > DAUB_CONV_LIMIT || s > DAUB_CONV_LIMIT || pad > k / 2)
            return daub_fail(DAUB_INVALID,
                             "%s: kernel %lld, stride %lld, padding %lld (kernel and stride >= 1, "
                             "padding at most half the kernel expected)",
                             name, (long long)k, (long long)s, (long long)pad);
        int64_t room = p->size[axis] + 2 * pad - k;
        if (room < 0)
            return daub_fail(DAUB_INVALID, "%s: a kernel of %lld does not fit into %lld pixels",
                             name, (long long)k, (long long)p->size[axis]);
        p->out[axis] = room / s + 1;
    }
    daub_status status = make_windows(p);
    if (status != DAUB_OK) return status;
    for (int axis = 0; axis < 2; axis++) {
        for (int64_t i = 0; i < p->out[axis]; i++) {
            int64_t start = i * o->stride[axis] - o->padding[axis], end = start + o->kernel[axis];
            window *w = &p->windows[axis][i];
            w->start = start < 0 ? 0 : start;
            w->end = end > p->size[axis] ? p->size[axis] : end;
            w->count = o->count_padding ? o->kernel[axis] : w->end - w->start;
        }
    }
    return DAUB_OK;
}

static daub_status check_pixels(const char *name, const int64_t *from, const int64_t *to) {
    for (int axis = 0; axis < 2; axis++) {
        if (from[axis] < 1 || from[axis] > DAUB_CONV_LIMIT || to[axis] < 1 ||
            to[axis] > DAUB_CONV_LIMIT)
            return daub_fail(DAUB_INVALID, "%s: from %lld to %lld pixels (at least 1 expected)",
                             name, (long long)from[axis], (long long)to[axis]);
    }
    return DAUB_OK;
}

static daub_status adaptive_windows(const char *name, pooling *p) {
    daub_status status = check_pixels(name, p->size, p->out);
    if (status == DAUB_OK) status = make_windows(p);
    if (status != DAUB_OK) return status;
    for (int axis = 0; axis < 2; axis++) {
        int64_t size = p->size[axis], out = p->out[axis];
        for (int64_t i = 0; i < out; i++) {
            window *w = &p->windows[axis][i];
            w->start = i * size / out;
            w->end = ((i + 1) * size + out - 1) / out;
            w->count = w->end - w->start;
        }
    }
    return DAUB_OK;
}

static daub_status begin(const char *name, const char *what, pooling *p, const daub_array *from) {
    daub_status status = daub_check_float(name, what, from, 4, DAUB_NHWC);
    if (status != DAUB_OK) return status;
    *p = (pooling){.n = from->shape[0], .c = from->shape[3], .from = from->data};
    return DAUB_OK;
}

static void set_size(int64_t size[2], int64_t height, int64_t width) {
    size[0] = height;
    size[1] = width;
}

daub_status daub_avg_pool2d(daub_array *y, const daub_array *x, const daub_pool_options *o) {
    static const char name[] = "avg_pool2d";
    pooling p;
    daub_status status = begin(name, "x", &p, x);
    if (status != DAUB_OK) return status;
    set_size(p.size, x->shape[1], x->shape[2]);
    status = fixed_windows(name, &p, o);
    if (status != DAUB_OK) return status;
    return produce(y, x->dtype, &p, p.out, FOR_DTYPE(x->dtype, average_row), p.n * p.out[0]);
}

daub_status daub_adaptive_avg_pool2d(daub_array *y, const daub_array *x, int64_t oh, int64_t ow) {
    static const char name[] = "adaptive_avg_pool2d";
    pooling p;
    daub_status status = begin(name, "x", &p, x);
    if (status != DAUB_OK) return status;
    set_size(p.size, x->shape[1], x->shape[2]);
    set_size(p.out, oh, ow);
    status = adaptive_windows(name, &p);
    if (status != DAUB_OK) return status;
    return produce(y, x->dtype, &p, p.out, FOR_DTYPE(x->dtype, average_row), p.n * p.out[0]);
}

static daub_status check_size(const char *name, const pooling *p, const daub_array *dy) {
    if (p->out[0] == dy->shape[1] && p->out[1] == dy->shape[2]) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: dy %s, but %lldx%lld pixels give %lldx%lld", name,
                     daub_shape_show(dy).s, (long long)p->size[0], (long long)p->size[1],
                     (long long)p->out[0], (long long)p->out[1]);
}

static daub_status check_picture_size(const char *name, int64_t height, int64_t width) {
    if (height >= 1 && width >= 1 && height <= DAUB_CONV_LIMIT && width <= DAUB_CONV_LIMIT)
        return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: a picture of %lldx%lld pixels (at least 1x1 expected)",
                     name, (long long)height, (long long)width);
}

daub_status daub_avg_pool2d_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                 int64_t width, const daub_pool_options *o) {
    static const char name[] = "avg_pool2d_grad";
    pooling p;
    daub_status status = begin(name, "dy", &p, dy);
    if (status == DAUB_OK) status = check_picture_size(name, height, width);
    if (status != DAUB_OK) return status;
    set_size(p.size, height, width);
    status = fixed_windows(name, &p, o);
    if (status != DAUB_OK) return status;
    status = check_size(name, &p, dy);
    if (status != DAUB_OK) {
        release_windows(&p);
        return status;
    }
    return produce(dx, dy->dtype, &p, p.size, FOR_DTYPE(dy->dtype, average_grad_row),
                   p.n * p.size[0]);
}

daub_status daub_avg_pool2d_grad_add(const daub_array *sum, const daub_array *dy,
                                     const daub_pool_options *o) {
    static const char name[] = "avg_pool2d_grad";
    pooling p;
    daub_status status = begin(name, "dy", &p, dy);
    if (status == DAUB_OK) status = daub_check_float(name, "the sum", sum, 4, DAUB_NHWC);
    if (status != DAUB_OK) return status;
    if (sum->dtype != dy->dtype || sum->shape[0] != p.n || sum->shape[3] != p.c)
        return daub_fail(DAUB_INVALID, "%s: the sum %s %s does not fit dy %s %s", name,
                         daub_dtype_name(sum->dtype), daub_shape_show(sum).s,
                         daub_dtype_name(dy->dtype), daub_shape_show(dy).s);
    set_size(p.size, sum->shape[1], sum->shape[2]);
    status = fixed_windows(name, &p, o);
    if (status != DAUB_OK) return status;
    status = check_size(name, &p, dy);
    if (status == DAUB_OK) {
        p.to = sum->data;
        p.add = true;
        status = daub_pool_run(FOR_DTYPE(dy->dtype, average_grad_row), &p, p.n * p.size[0]);
    }
    release_windows(&p);
    return status;
}

daub_status daub_adaptive_avg_pool2d_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                          int64_t width) {
    static const char name[] = "adaptive_avg_pool2d_grad";
    pooling p;
    daub_status status = begin(name, "dy", &p, dy);
    if (status != DAUB_OK) return status;
    set_size(p.size, height, width);
    set_size(p.out, dy->shape[1], dy->shape[2]);
    status = adaptive_windows(name, &p);
    if (status != DAUB_OK) return status;
    return produce(dx, dy->dtype, &p, p.size, FOR_DTYPE(dy->dtype, average_grad_row),
                   p.n * p.size[0]);
}

// Window i: the pixels of p->size that are copies of pixel i of p->out.
static daub_status nearest_windows(const char *name, pooling *p) {
    daub_status status = check_pixels(name, p->out, p->size);
    if (status == DAUB_OK) status = make_windows(p);
    if (status != DAUB_OK) return status;
    for (int axis = 0; axis < 2; axis++) {
        int64_t small = p->out[axis], large = p->size[axis], at = 0;
        float scale = (float)small / (float)large;
        for (int64_t i = 0; i < small; i++) {
            window *w = &p->windows[axis][i];
            *w = (window){.start = at, .count = 1};
            for (; at < large; at++) {
                int64_t from = small == large ? at : (int64_t)floorf((float)at * scale);
                if (from > i && i < small - 1) break;
            }
            w->end = at;
        }
    }
    return DAUB_OK;
}

daub_status daub_upsample_nearest(daub_array *y, const daub_array *x, int64_t oh, int64_t ow) {
    static const char name[] = "upsample";
    pooling p;
    daub_status status = begin(name, "x", &p, x);
    if (status != DAUB_OK) return status;
    set_size(p.size, oh, ow);
    set_size(p.out, x->shape[1], x->shape[2]);
    status = nearest_windows(name, &p);
    if (status != DAUB_OK) return status;
    return produce(y, x->dtype, &p, p.size, FOR_DTYPE(x->dtype, average_grad_row), p.n * p.size[0]);
}

daub_status daub_upsample_nearest_grad(daub_array *dx, const daub_array *dy, int64_t height,
                                       int64_t width) {
    static const char name[] = "upsample_grad";
    pooling p;
    daub_status status = begin(name, "dy", &p, dy);
    if (status != DAUB_OK) return status;
    set_size(p.size, dy->shape[1], dy->shape[2]);
    set_size(p.out, height, width);
    status = nearest_windows(name, &p);
    if (status != DAUB_OK) return status;
    return produce(dx, dy->dtype, &p, p.out, FOR_DTYPE(dy->dtype, average_row), p.n * p.out[0]);
}

daub_status daub_max_pool2d(daub_array *y, daub_array *index, const daub_array *x,
                            const daub_pool_options *o) {
    static const char name[] = "max_pool2d";
    pooling p;
    daub_status status = begin(name, "x", &p, x);
    if (status != DAUB_OK) return status;
    set_size(p.size, x->shape[1], x->shape[2]);
    status = fixed_windows(name, &p, o);
    if (status != DAUB_OK) return status;
    daub_array places;
    status = daub_array_create(&places, DAUB_I64, 4, (int64_t[]){p.n, p.out[0], p.out[1], p.c});
    if (status != DAUB_OK) {
        release_windows(&p);
        return status;
    }
    p.index = places.data;
    status = produce(y, x->dtype, &p, p.out, FOR_DTYPE(x->dtype, maximum_row), p.n * p.out[0]);
    if (status == DAUB_OK)
        *index = places;
    else
        daub_array_release(&places);
    return status;
}

// That `index` is an array of places for the pictures of `p`.
static daub_status take_places(const char *name, pooling *p, const daub_array *index) {
    if (index->dtype != DAUB_I64 || index->ndim != 4 || !daub_array_is_contiguous(index))
        return daub_fail(DAUB_INVALID, "%s: index must be a contiguous i64 array of shape (%s)",
                         name, DAUB_NHWC);
    if (index->shape[0] != p->n || index->shape[3] != p->c)
        return daub_fail(DAUB_INVALID, "%s: index %s is not for %lld pictures of %lld channels",
                         name, daub_shape_show(index).s, (long long)p->n, (long long)p->c);
    set_size(p->out, index->shape[1], index->shape[2]);
    p->places = index->data;
    return DAUB_OK;
}

daub_status daub_max_pool2d_grad(daub_array *dx, const daub_array *dy, const daub_array *index,
                                 int64_t height, int64_t width) {
    static const char name[] = "max_pool2d_grad";
    pooling p;
    daub_status status = begin(name, "dy", &p, dy);
    if (status == DAUB_OK) status = check_picture_size(name, height, width);
    if (status == DAUB_OK) status = take_places(name, &p, index);
    if (status == DAUB_OK) {
        set_size(p.size, height, width);
        status = check_size(name, &p, dy);
    }
    if (status != DAUB_OK) return status;
    return produce(dx, dy->dtype, &p, p.size, FOR_DTYPE(dy->dtype, scatter_picture), p.n);
}

daub_status daub_max_pool2d_gather(daub_array *y, const daub_array *x, const daub_array *index) {
    static const char name[] = "max_pool2d_gather";
    pooling p;
    daub_status status = begin(name, "x", &p, x);
    if (status == DAUB_OK) status = take_places(name, &p, index);
    if (status != DAUB_OK) return status;
    set_size(p.size, x->shape[1], x->shape[2]);
    return produce(y, x->dtype, &p, p.out, FOR_DTYPE(x->dtype, gather_row), p.n * p.out[0]);
}
