// Optimiser steps over lists of parameters: the same bits as one by one, for any number of threads.
#include <string.h>

#include "array/ops.h"
#include "array/train.h"
#include "base/philox.h"
#include "base/pool.h"
#include "check.h"

enum { COUNT = 7, LISTS = DAUB_STEP_LISTS };
static const int64_t sizes[COUNT] = {1, 16384, 0, 16383, 70000, 3, 40001};

typedef struct lists {
    daub_array arrays[LISTS][COUNT];
    const daub_array *pointers[LISTS][COUNT];
} lists;

static void make(lists *l, daub_dtype dtype) {
    daub_rng rng = daub_rng_seed(3);
    for (int k = 0; k < LISTS; k++) {
        for (int i = 0; i < COUNT; i++) {
            CHECK_STATUS(DAUB_OK, daub_array_uniform(&l->arrays[k][i], &rng, dtype, 1, &sizes[i]));
            l->pointers[k][i] = &l->arrays[k][i];
        }
    }
}

static void release(lists *l) {
    for (int k = 0; k < LISTS; k++)
        for (int i = 0; i < COUNT; i++) daub_array_release(&l->arrays[k][i]);
}

// `count` parameters from `first` on, with `used` of the lists.
static daub_step_lists part(const lists *l, int first, int count, int used) {
    daub_step_lists s = {.count = count};
    for (int k = 0; k < used; k++) s.list[k] = &l->pointers[k][first];
    return s;
}

static daub_status adam(const lists *l, int first, int count) {
    daub_adam o = {1e-2, 0.5, 0.99, 1e-8, 0.01, 3, true};
    daub_step_lists s = part(l, first, count, 4);
    return daub_array_adam_step(&s, &o);
}
static daub_status sgd(const lists *l, int first, int count) {
    daub_sgd o = {1e-2, 0.9, 0.1, 0.01, false, false};
    daub_step_lists s = part(l, first, count, 3);
    return daub_array_sgd_step(&s, &o);
}
static daub_status rmsprop(const lists *l, int first, int count) {
    daub_rmsprop o = {1e-2, 0.9, 1e-3, 0.5, 0.01, false};
    daub_step_lists s = part(l, first, count, 4);
    return daub_array_rmsprop_step(&s, &o);
}
static daub_status lerp(const lists *l, int first, int count) {
    daub_step_lists s = part(l, first, count, 2);
    return daub_array_lerp(&s, 0.3);
}

static void check_lists(daub_status (*step)(const lists *, int, int), daub_dtype dtype) {
    static lists expected, got;
    make(&expected, dtype);
    daub_pool_set_threads(1);
    for (int i = 0; i < COUNT; i++) CHECK_STATUS(DAUB_OK, step(&expected, i, 1));
    for (int threads = 1; threads <= 4; threads++) {
        make(&got, dtype);
        daub_pool_set_threads(threads);
        CHECK_STATUS(DAUB_OK, step(&got, 0, COUNT));
        for (int k = 0; k < LISTS; k++) {
            for (int i = 0; i < COUNT; i++)
                CHECK(!memcmp(got.arrays[k][i].data, expected.arrays[k][i].data,
                              (size_t)sizes[i] * daub_dtype_size(dtype)));
        }
        release(&got);
    }
    release(&expected);
}

static void check_refusals(void) {
    static lists l;
    make(&l, DAUB_F32);
    daub_array other = l.arrays[2][4];
    other.shape[0]--;
    l.pointers[2][4] = &other;
    CHECK_STATUS(DAUB_INVALID, adam(&l, 0, COUNT));
    CHECK(strstr(daub_error_message(), "array 3 is f32 {69999}; f32 {70000} expected"));
    l.pointers[2][4] = l.pointers[0][4];
    CHECK_STATUS(DAUB_INVALID, adam(&l, 0, COUNT));
    CHECK(strstr(daub_error_message(), "arrays 1 and 3 are the same memory"));
    CHECK_STATUS(DAUB_OK, adam(&l, 0, 0));
    release(&l);
}

int main(void) {
    static daub_status (*const steps[])(const lists *, int, int) = {adam, sgd, rmsprop, lerp};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        check_lists(steps[i], DAUB_F32);
        check_lists(steps[i], DAUB_F64);
    }
    check_refusals();
    return check_summary();
}
