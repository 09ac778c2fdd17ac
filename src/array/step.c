// Optimiser steps: fixed chunks of a parameter over the pool.
#include "array/train.h"
#include "base/pool.h"
#include "kernel/kernel.h"

enum { CHUNK = 16384, ARRAYS = 5 };

typedef struct step {
    const char *op;
    const daub_array *arrays[ARRAYS]; // parameter first, gradient second; NULL where there is none
    int64_t numel;
    void (*work)(const struct step *s, void *const *p, int64_t n); // p: arrays' elements
    const void *options;
    int type; // 0: f32, 1: f64
} step;

static daub_status check(const step *s) {
    char wanted[DAUB_SHAPE_TEXT], got[DAUB_SHAPE_TEXT];
    const daub_array *p = s->arrays[0];
    if (!daub_dtype_is_float(p->dtype))
        return daub_fail(DAUB_INVALID, "%s: parameters are %s; f32 or f64 expected", s->op,
                         daub_dtype_name(p->dtype));
    for (int i = 0; i < ARRAYS; i++) {
        const daub_array *a = s->arrays[i];
        if (!a) continue;
        if (a->dtype != p->dtype || !daub_array_same_shape(a, p))
            return daub_fail(DAUB_INVALID, "%s: array %d is %s %s; %s %s expected", s->op, i + 1,
                             daub_dtype_name(a->dtype), daub_shape_string(got, a->ndim, a->shape),
                             daub_dtype_name(p->dtype),
                             daub_shape_string(wanted, p->ndim, p->shape));
        if (!daub_array_is_contiguous(a))
            return daub_fail(DAUB_INVALID, "%s: array %d is not contiguous", s->op, i + 1);
        for (int k = 0; k < i; k++) {
            if (s->arrays[k] && s->arrays[k]->data == a->data && s->numel > 0)
                return daub_fail(DAUB_INVALID, "%s: arrays %d and %d are the same memory", s->op,
                                 k + 1, i + 1);
        }
    }
    return DAUB_OK;
}

static void job(void *context, int64_t index, int worker) {
    (void)worker;
    const step *s = context;
    void *p[ARRAYS] = {0};
    int64_t begin = index * CHUNK, n = s->numel - begin < CHUNK ? s->numel - begin : CHUNK;
    for (int i = 0; i < ARRAYS; i++) {
        if (s->arrays[i])
            p[i] =
                (char *)s->arrays[i]->data + begin * (int64_t)daub_dtype_size(s->arrays[i]->dtype);
    }
    s->work(s, p, n);
}

static daub_status run(step *s) {
    daub_array gradient;
    s->numel = daub_array_numel(s->arrays[0]);
    s->type = s->arrays[0]->dtype == DAUB_F64;
    daub_status status = daub_array_contiguous(&gradient, s->arrays[1]);
    if (status != DAUB_OK) return status;
    s->arrays[1] = &gradient;
    status = check(s);
    if (status == DAUB_OK) status = daub_pool_run(job, s, (s->numel + CHUNK - 1) / CHUNK);
    daub_array_release(&gradient);
    return status;
}

static daub_status missing(const char *op, const char *what) {
    return daub_fail(DAUB_INVALID, "%s: %s is needed", op, what);
}

static void sgd(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->sgd[s->type](p[0], p[1], p[2], s->options, n);
}

daub_status daub_array_sgd_step(daub_array *p, const daub_array *g, daub_array *momentum_buffer,
                                const daub_sgd *o) {
    if (o->momentum != 0 && !momentum_buffer) return missing("sgd_step_", "a momentum buffer");
    step s = {.op = "sgd_step_", .arrays = {p, g, momentum_buffer}, .work = sgd, .options = o};
    return run(&s);
}

static void rmsprop(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->rmsprop[s->type](p[0], p[1], p[2], p[3], p[4], s->options, n);
}

daub_status daub_array_rmsprop_step(daub_array *p, const daub_array *g, daub_array *square_avg,
                                    daub_array *momentum_buffer, daub_array *grad_avg,
                                    const daub_rmsprop *o) {
    if (o->momentum > 0 && !momentum_buffer) return missing("rmsprop_step_", "a momentum buffer");
    if (o->centered && !grad_avg) return missing("rmsprop_step_", "grad_avg");
    step s = {.op = "rmsprop_step_",
              .arrays = {p, g, square_avg, momentum_buffer, grad_avg},
              .work = rmsprop,
              .options = o};
    return run(&s);
}

static void adam(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->adam[s->type](p[0], p[1], p[2], p[3], s->options, n);
}

daub_status daub_array_adam_step(daub_array *p, const daub_array *g, daub_array *exp_avg,
                                 daub_array *exp_avg_sq, const daub_adam *o) {
    if (!(o->step >= 1))
        return daub_fail(DAUB_INVALID, "adam_step_: step %g (at least 1)", o->step);
    step s = {
        .op = "adam_step_", .arrays = {p, g, exp_avg, exp_avg_sq}, .work = adam, .options = o};
    return run(&s);
}

static void lerp(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->lerp[s->type](p[0], p[1], *(const double *)s->options, n);
}

daub_status daub_array_lerp(daub_array *a, const daub_array *b, double weight) {
    daub_array plain;
    daub_status status = daub_array_check_writable("lerp_", a);
    if (status == DAUB_OK) status = daub_array_contiguous(&plain, a);
    if (status != DAUB_OK) return status;
    step s = {.op = "lerp_", .arrays = {&plain, b}, .work = lerp, .options = &weight};
    status = run(&s);
    if (status == DAUB_OK && plain.storage != a->storage) status = daub_array_copy(a, &plain);
    daub_array_release(&plain);
    return status;
}
