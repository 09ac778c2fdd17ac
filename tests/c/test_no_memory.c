// Every operation on arrays, with its first, second, third … allocation failing: each must then
// report DAUB_NO_MEMORY, leave its result untouched and lose nothing. Linked with --wrap=malloc and
// --wrap=posix_memalign, so that the calls of our own code come here.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array/ops.h"
#include "array/train.h"
#include "base/memory.h"
#include "base/pool.h"
#include "check.h"

void *__real_malloc(size_t bytes);
int __real_posix_memalign(void **block, size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
int __wrap_posix_memalign(void **block, size_t alignment, size_t bytes);

// Allocations that succeed before all others fail; negative: all succeed.
static int allowed = -1;

static bool fails(void) {
    return allowed == 0 || (allowed > 0 && allowed-- == 0);
}

void *__wrap_malloc(size_t bytes) {
    return fails() ? NULL : __real_malloc(bytes);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t bytes) {
    return fails() ? ENOMEM : __real_posix_memalign(block, alignment, bytes);
}

enum { OUTPUTS = 3 };

typedef struct inputs {
    daub_array x, t, v, list, idx; // {6, 8}; its transpose; {8}; {3} of i64; {2, 8} of i64
    daub_rng rng;
} inputs;

static daub_status op_unary(daub_array *o, inputs *i) {
    return daub_array_unary(o, DAUB_EXP, &i->x);
}
static daub_status op_binary(daub_array *o, inputs *i) {
    return daub_array_binary(o, DAUB_ADD, &i->x, &i->v);
}
static daub_status op_overlap(daub_array *o, inputs *i) {
    (void)o;
    daub_array square = {0}, turned = {0};
    daub_status status = daub_array_narrow(&square, &i->x, 1, 0, 6, 1);
    if (status == DAUB_OK) status = daub_array_permute(&turned, &square, 2, (int[]){1, 0});
    if (status == DAUB_OK) status = daub_array_binary_to(&square, DAUB_ADD, &square, &turned);
    daub_array_release(&square);
    daub_array_release(&turned);
    return status;
}
static daub_status op_where(daub_array *o, inputs *i) {
    daub_array condition = {0};
    daub_status status = daub_array_binary(&condition, DAUB_GT, &i->x, &i->v);
    if (status == DAUB_OK) status = daub_array_ternary(o, DAUB_WHERE, &condition, &i->x, &i->v);
    daub_array_release(&condition);
    return status;
}
static daub_status op_reduce(daub_array *o, inputs *i) {
    return daub_array_reduce(o, DAUB_SUM, &i->t, 1, true);
}
static daub_status op_matmul(daub_array *o, inputs *i) {
    daub_array every_second = {0};
    daub_status status = daub_array_narrow(&every_second, &i->x, 1, 0, 4, 2);
    if (status == DAUB_OK) status = daub_array_matmul(o, &every_second, &every_second, false, true);
    daub_array_release(&every_second);
    return status;
}
static daub_status op_reshape(daub_array *o, inputs *i) {
    return daub_array_reshape(o, &i->t, 1, (int64_t[]){48});
}
static daub_status op_concat(daub_array *o, inputs *i) {
    return daub_array_concat(o, (const daub_array *[]){&i->x, &i->x}, 2, 0);
}
static daub_status op_flip(daub_array *o, inputs *i) {
    return daub_array_flip(o, &i->x, 3);
}
static daub_status op_pad(daub_array *o, inputs *i) {
    return daub_array_pad(o, &i->x, (int64_t[]){1, -1}, (int64_t[]){0, 2}, 0);
}
static daub_status op_arg(daub_array *o, inputs *i) {
    return daub_array_arg(o, true, &i->x, 0, false);
}
static daub_status op_sort(daub_array *o, inputs *i) {
    return daub_array_sort(o, o + 1, &i->x, 0, false);
}
static daub_status op_cumsum(daub_array *o, inputs *i) {
    return daub_array_cumsum(o, &i->idx, 0);
}
static daub_status op_select(daub_array *o, inputs *i) {
    return daub_array_index_select(o, &i->t, 1, &i->list);
}
static daub_status op_index_add(daub_array *o, inputs *i) {
    (void)o;
    daub_array rows = {0};
    daub_status status = daub_array_narrow(&rows, &i->t, 1, 0, 3, 1);
    if (status == DAUB_OK) status = daub_array_index_add(&i->t, 1, &i->list, &rows);
    daub_array_release(&rows);
    return status;
}
static daub_status op_gather(daub_array *o, inputs *i) {
    return daub_array_gather(o, &i->x, 0, &i->idx);
}
static daub_status op_scatter_add(daub_array *o, inputs *i) {
    (void)o;
    daub_array rows = {0};
    daub_status status = daub_array_narrow(&rows, &i->x, 0, 0, 2, 1);
    if (status == DAUB_OK) status = daub_array_scatter_add(&i->x, 0, &i->idx, &rows);
    daub_array_release(&rows);
    return status;
}
static daub_status op_normal(daub_array *o, inputs *i) {
    return daub_array_normal(o, &i->rng, DAUB_F32, 1, (int64_t[]){9});
}
static daub_status op_integers(daub_array *o, inputs *i) {
    return daub_array_integers(o, &i->rng, 0, 9, DAUB_I32, 1, (int64_t[]){9});
}
static daub_status op_permutation(daub_array *o, inputs *i) {
    return daub_array_permutation(o, &i->rng, 9);
}
static daub_status op_batch_statistics(daub_array *o, inputs *i) {
    return daub_array_batch_statistics(o, o + 1, &i->x, 1e-5);
}
static daub_status op_normalise(daub_array *o, inputs *i) {
    return daub_array_normalise(o, &i->x, &(daub_norm){&i->v, &i->v, &i->v, NULL, 0.2});
}
static daub_status op_batch_norm_grad(daub_array *o, inputs *i) {
    return daub_array_batch_norm_grad(o, o + 1, o + 2, &i->x, &i->x,
                                      &(daub_norm){&i->v, &i->v, &i->v, NULL, 0.2});
}
static daub_status op_lerp(daub_array *o, inputs *i) {
    (void)o;
    const daub_array *t = &i->t;
    return daub_array_lerp(&(daub_step_lists){1, {&t, &t}}, 0.5);
}

static const struct {
    const char *name;
    daub_status (*run)(daub_array *o, inputs *i);
} ops[] = {
    {"unary", op_unary},
    {"binary", op_binary},
    {"overlap", op_overlap},
    {"where", op_where},
    {"reduce", op_reduce},
    {"matmul", op_matmul},
    {"reshape", op_reshape},
    {"concat", op_concat},
    {"flip", op_flip},
    {"pad", op_pad},
    {"arg", op_arg},
    {"sort", op_sort},
    {"cumsum", op_cumsum},
    {"index_select", op_select},
    {"index_add", op_index_add},
    {"gather", op_gather},
    {"scatter_add", op_scatter_add},
    {"normal", op_normal},
    {"integers", op_integers},
    {"permutation", op_permutation},
    {"batch_statistics", op_batch_statistics},
    {"normalise", op_normalise},
    {"batch_norm_grad", op_batch_norm_grad},
    {"lerp", op_lerp},
};

static void make_inputs(inputs *i) {
    static int64_t list[] = {1, 3, 2};
    daub_array wrapped = {0};
    *i = (inputs){.rng = daub_rng_seed(1)};
    CHECK_STATUS(DAUB_OK, daub_array_uniform(&i->x, &i->rng, DAUB_F32, 2, (int64_t[]){6, 8}));
    CHECK_STATUS(DAUB_OK, daub_array_permute(&i->t, &i->x, 2, (int[]){1, 0}));
    CHECK_STATUS(DAUB_OK, daub_array_uniform(&i->v, &i->rng, DAUB_F32, 1, (int64_t[]){8}));
    CHECK_STATUS(DAUB_OK, daub_array_wrap(&wrapped, DAUB_I64, 1, (int64_t[]){3}, list, free, NULL));
    CHECK_STATUS(DAUB_OK, daub_array_clone(&i->list, &wrapped));
    CHECK_STATUS(DAUB_OK,
                 daub_array_integers(&i->idx, &i->rng, 1, 7, DAUB_I64, 2, (int64_t[]){2, 8}));
    daub_array_release(&wrapped);
}

static void check_op(size_t k, inputs *i) {
    for (int n = 0;; n++) {
        daub_array out[OUTPUTS] = {{0}};
        daub_memory_trim(); // cached blocks would hide failures
        int64_t before = daub_memory_stats().in_use;
        allowed = n;
        daub_status status = ops[k].run(out, i);
        bool failed = allowed == 0;
        allowed = -1;
        if (!failed || status == DAUB_OK) {
            CHECK_STATUS(DAUB_OK, status);
            CHECK(n >= 2); // at least the elements and their storage
            for (int o = 0; o < OUTPUTS; o++) daub_array_release(&out[o]);
            CHECK(daub_memory_stats().in_use == before);
            return;
        }
        bool good = status == DAUB_NO_MEMORY && daub_memory_stats().in_use == before;
        for (int o = 0; o < OUTPUTS; o++) good = good && !out[o].storage;
        if (!good) printf("%s, allocation %d: %s\n", ops[k].name, n + 1, daub_status_name(status));
        CHECK(good);
    }
}

int main(void) {
    inputs i;
    daub_pool_set_threads(1);
    make_inputs(&i);
    for (size_t k = 0; k < sizeof ops / sizeof ops[0]; k++) check_op(k, &i);
    daub_array *made[] = {&i.x, &i.t, &i.v, &i.list, &i.idx};
    for (size_t k = 0; k < sizeof made / sizeof made[0]; k++) daub_array_release(made[k]);
    CHECK(daub_memory_stats().in_use == 0);
    return check_summary();
}
