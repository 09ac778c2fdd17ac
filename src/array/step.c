// Optimiser steps: one pass over all parameters, in fixed blocks of the whole over the pool.
#include <stdlib.h>

#include "array/train.h"
#include "base/pool.h"
#include "kernel/kernel.h"

enum { BLOCK = 16384, LISTS = DAUB_STEP_LISTS };

typedef struct step {
    const char *op;
    daub_step_lists lists;
    void (*work)(const struct step *s, void *const *p, int64_t n); // p: elements of each list
    const void *options;
    int64_t *starts;       // where each parameter begins in the whole; the last one is its size
    daub_array *gradients; // contiguous
    daub_dtype dtype;
    int type; // 0: f32, 1: f64
} step;

// The second list holds what is made contiguous.
static const daub_array *entry(const step *s, int list, int i) {
    if (list == 1) return &s->gradients[i];
    return s->lists.list[list] ? s->lists.list[list][i] : NULL;
}

static daub_status check(const step *s, int index) {
    char wanted[DAUB_SHAPE_TEXT], got[DAUB_SHAPE_TEXT];
    const daub_array *p = entry(s, 0, index);
    if (!daub_dtype_is_float(p->dtype) || p->dtype != s->dtype)
        return daub_fail(DAUB_INVALID, "%s: parameters are %s; %s expected", s->op,
                         daub_dtype_name(p->dtype),
                         daub_dtype_is_float(s->dtype) ? daub_dtype_name(s->dtype) : "f32 or f64");
    for (int i = 0; i < LISTS; i++) {
        const daub_array *a = entry(s, i, index);
        if (!a) continue;
        if (a->dtype != p->dtype || !daub_array_same_shape(a, p))
            return daub_fail(DAUB_INVALID, "%s: array %d is %s %s; %s %s expected", s->op, i + 1,
                             daub_dtype_name(a->dtype), daub_shape_string(got, a->ndim, a->shape),
                             daub_dtype_name(p->dtype),
                             daub_shape_string(wanted, p->ndim, p->shape));
        if (!daub_array_is_contiguous(a))
            return daub_fail(DAUB_INVALID, "%s: array %d is not contiguous", s->op, i + 1);
        for (int k = 0; k < i; k++) {
            const daub_array *b = entry(s, k, index);
            if (b && b->data == a->data && daub_array_numel(a) > 0)
                return daub_fail(DAUB_INVALID, "%s: arrays %d and %d are the same memory", s->op,
                                 k + 1, i + 1);
        }
    }
    return DAUB_OK;
}

// One block of the whole: the parts of the parameters that lie in it.
static void job(void *context, int64_t index, int worker) {
    (void)worker;
    const step *s = context;
    const int64_t *starts = s->starts;
    int64_t at = index * BLOCK, end = at + BLOCK;
    if (end > starts[s->lists.count]) end = starts[s->lists.count];
    int low = 0, high = s->lists.count - 1; // the last parameter that begins at `at` or before
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (starts[middle] <= at)
            low = middle;
        else
            high = middle - 1;
    }
    for (int i = low; at < end; i++) {
        int64_t n = (starts[i + 1] < end ? starts[i + 1] : end) - at;
        void *p[LISTS] = {0};
        for (int k = 0; k < LISTS; k++) {
            const daub_array *a = entry(s, k, i);
            if (a) p[k] = (char *)a->data + (at - starts[i]) * (int64_t)daub_dtype_size(s->dtype);
        }
        if (n > 0) s->work(s, p, n);
        at += n;
    }
}

static daub_status prepare(step *s) {
    int64_t total = 0;
    for (int i = 0; i < s->lists.count; i++) {
        daub_status status = daub_array_contiguous(&s->gradients[i], s->lists.list[1][i]);
        if (status == DAUB_OK) status = check(s, i);
        if (status != DAUB_OK) return status;
        s->starts[i] = total;
        total += daub_array_numel(s->lists.list[0][i]);
    }
    s->starts[s->lists.count] = total;
    return DAUB_OK;
}

static daub_status run(step *s) {
    int count = s->lists.count;
    if (count == 0) return DAUB_OK;
    s->dtype = s->lists.list[0][0]->dtype;
    s->type = s->dtype == DAUB_F64;
    s->gradients = calloc((size_t)count, sizeof *s->gradients);
    s->starts = calloc((size_t)count + 1, sizeof *s->starts);
    daub_status status = DAUB_OK;
    if (!s->gradients || !s->starts)
        status = daub_fail(DAUB_NO_MEMORY, "memory: the system has no %zu bytes left",
                           (size_t)count * sizeof *s->gradients);
    if (status == DAUB_OK) status = prepare(s);
    if (status == DAUB_OK) status = daub_pool_run(job, s, (s->starts[count] + BLOCK - 1) / BLOCK);
    for (int i = 0; s->gradients && i < count; i++) daub_array_release(&s->gradients[i]);
    free(s->gradients);
    free(s->starts);
    return status;
}

static daub_status missing(const char *op, const char *what) {
    return daub_fail(DAUB_INVALID, "%s: %s is needed", op, what);
}

static void sgd(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->sgd[s->type](p[0], p[1], p[2], s->options, n);
}

daub_status daub_array_sgd_step(const daub_step_lists *lists, const daub_sgd *o) {
    if (o->momentum != 0 && !lists->list[2]) return missing("sgd_step_", "a momentum buffer");
    return run(&(step){.op = "sgd_step_", .lists = *lists, .work = sgd, .options = o});
}

static void rmsprop(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->rmsprop[s->type](p[0], p[1], p[2], p[3], p[4], s->options, n);
}

daub_status daub_array_rmsprop_step(const daub_step_lists *lists, const daub_rmsprop *o) {
    if (o->momentum > 0 && !lists->list[3]) return missing("rmsprop_step_", "a momentum buffer");
    if (o->centered && !lists->list[4]) return missing("rmsprop_step_", "grad_avg");
    return run(&(step){.op = "rmsprop_step_", .lists = *lists, .work = rmsprop, .options = o});
}

static void adam(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->adam[s->type](p[0], p[1], p[2], p[3], s->options, n);
}

daub_status daub_array_adam_step(const daub_step_lists *lists, const daub_adam *o) {
    if (!(o->step >= 1))
        return daub_fail(DAUB_INVALID, "adam_step_: step %g (at least 1)", o->step);
    return run(&(step){.op = "adam_step_", .lists = *lists, .work = adam, .options = o});
}

static void lerp(const step *s, void *const *p, int64_t n) {
    daub_kernels_get()->optim->lerp[s->type](p[0], p[1], *(const double *)s->options, n);
}

// Through a copy in order.
static daub_status lerp_view(const daub_array *a, const daub_array *b, double weight) {
    daub_array plain;
    daub_status status = daub_array_check_writable("lerp_", a);
    if (status == DAUB_OK) status = daub_array_clone(&plain, a);
    if (status != DAUB_OK) return status;
    daub_array target = *a;
    status = daub_array_lerp(
        &(daub_step_lists){1, {(const daub_array *[]){&plain}, (const daub_array *[]){b}}}, weight);
    if (status == DAUB_OK) status = daub_array_copy(&target, &plain);
    daub_array_release(&plain);
    return status;
}

daub_status daub_array_lerp(const daub_step_lists *s, double weight) {
    if (s->count == 1 && !daub_array_is_contiguous(s->list[0][0]))
        return lerp_view(s->list[0][0], s->list[1][0], weight);
    return run(&(step){.op = "lerp_", .lists = *s, .work = lerp, .options = &weight});
}
