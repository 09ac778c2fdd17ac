// Convolution with bf16 products against f64 over odd shapes, and equal for any number of threads.
//
// Rounding to bf16 changes a number by at most 2^-8 of it, so a product by at most (1 + 2^-8)^2 - 1
// of it: the error of a result stays below that part of the sum of its products' sizes, and what
// fp32 sums add. In the root mean square, rounding is off by 1.6e-3: products by 2.3e-3, and so
// their sums, where enough numbers are rounded.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "array/random.h"
#include "base/cpu.h"
#include "base/pool.h"
#include "check.h"
#include "conv/bf16.h"
#include "conv/choice.h"

static const double SHARE = 1.0 / 128 + 1.0 / 65536 + 2e-5; // of the products' sizes
static const double RMS = 3e-3;
enum { ENOUGH = 1000 }; // numbers of each operand and of the result

// One operand or result, in f32, f64 and as sizes.
typedef struct numbers {
    int64_t count;
    float *f;
    double *d, *size;
} numbers;

static numbers numbers_of(daub_rng *rng, int64_t count) {
    numbers v = {count, malloc((size_t)count * sizeof(float)),
                 malloc((size_t)count * sizeof(double)), malloc((size_t)count * sizeof(double))};
    daub_rng_normal(rng, v.f, count);
    for (int64_t i = 0; i < count; i++) v.size[i] = fabs(v.d[i] = v.f[i]);
    return v;
}

static void free_numbers(numbers *v) {
    free(v->f);
    free(v->d);
    free(v->size);
}

static int64_t pick(daub_rng *rng, int64_t low, int64_t high) {
    return low + daub_rng_next_below(rng, high - low + 1);
}

static bool finish(daub_conv_shape *s) {
    s->groups = 1;
    s->cg = s->c;
    s->og = s->o;
    for (int i = 0; i < 2; i++) {
        int64_t room = s->size[i] + 2 * s->padding[i] - s->kernel[i];
        if (room < 0) return false;
        s->out[i] = room / s->stride[i] + 1;
    }
    return true;
}

static daub_conv_shape random_shape(daub_rng *rng) {
    for (;;) {
        daub_conv_shape s = {.n = pick(rng, 1, 5), .c = pick(rng, 1, 70), .o = pick(rng, 1, 70)};
        for (int i = 0; i < 2; i++) {
            s.size[i] = pick(rng, 1, 37);
            s.kernel[i] = pick(rng, 1, 5);
            s.stride[i] = pick(rng, 1, 3);
            s.padding[i] = pick(rng, 0, 3);
        }
        if (finish(&s)) return s;
    }
}

// v->f is what bf16 gave, v->d the truth, v->size the sums of the products' sizes.
static void check_error(const daub_conv_shape *s, const char *what, const numbers *a,
                        const numbers *b, const numbers *v) {
    double square = 0, error = 0, worst = 0;
    for (int64_t i = 0; i < v->count; i++) {
        double difference = fabs(v->f[i] - v->d[i]), share = difference / (v->size[i] + 1e-30);
        if (!(share <= worst)) worst = share;
        square += v->d[i] * v->d[i];
        error += difference * difference;
    }
    double rms = sqrt(error / square);
    bool few = a->count < ENOUGH || b->count < ENOUGH || v->count < ENOUGH;
    bool good = worst <= SHARE && (few || rms <= RMS);
    if (!good)
        printf("%s of x (%lld, %lld, %lld, %lld) kernel %lldx%lld o %lld stride %lld,%lld padding "
               "%lld,%lld: rms %g, worst %g of the sizes\n",
               what, (long long)s->n, (long long)s->size[0], (long long)s->size[1], (long long)s->c,
               (long long)s->kernel[0], (long long)s->kernel[1], (long long)s->o,
               (long long)s->stride[0], (long long)s->stride[1], (long long)s->padding[0],
               (long long)s->padding[1], rms, worst);
    CHECK(good);
}

typedef struct operands {
    numbers x, w, bias, dy, y, dx, dw;
} operands;

static operands operands_of(daub_rng *rng, const daub_conv_shape *s) {
    int64_t x = s->n * s->size[0] * s->size[1] * s->c, y = s->n * s->out[0] * s->out[1] * s->o;
    int64_t w = s->kernel[0] * s->kernel[1] * s->c * s->o;
    return (operands){numbers_of(rng, x), numbers_of(rng, w), numbers_of(rng, s->o),
                      numbers_of(rng, y), numbers_of(rng, y), numbers_of(rng, x),
                      numbers_of(rng, w)};
}

static void free_operands(operands *o) {
    numbers *all[] = {&o->x, &o->w, &o->bias, &o->dy, &o->y, &o->dx, &o->dw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_numbers(all[i]);
}

static void run_bf16(const daub_conv_shape *s, operands *o) {
    CHECK_STATUS(DAUB_OK, daub_conv_bf16_forward(s, o->x.f, o->w.f, o->bias.f, o->y.f));
    CHECK_STATUS(DAUB_OK, daub_conv_bf16_input_grad(s, o->dy.f, o->w.f, o->dx.f));
    CHECK_STATUS(DAUB_OK, daub_conv_bf16_weight_grad(s, o->x.f, o->dy.f, o->dw.f));
}

static void check_shape(daub_rng *rng, const daub_conv_shape *s) {
    operands o = operands_of(rng, s);
    run_bf16(s, &o);
    daub_conv_plain_forward_f64(s, o.x.d, o.w.d, o.bias.d, o.y.d);
    daub_conv_plain_forward_f64(s, o.x.size, o.w.size, o.bias.size, o.y.size);
    check_error(s, "forward", &o.x, &o.w, &o.y);
    daub_conv_plain_input_grad_f64(s, o.dy.d, o.w.d, o.dx.d);
    daub_conv_plain_input_grad_f64(s, o.dy.size, o.w.size, o.dx.size);
    check_error(s, "input_grad", &o.dy, &o.w, &o.dx);
    daub_conv_plain_weight_grad_f64(s, o.x.d, o.dy.d, o.dw.d);
    daub_conv_plain_weight_grad_f64(s, o.x.size, o.dy.size, o.dw.size);
    check_error(s, "weight_grad", &o.x, &o.dy, &o.dw);
    free_operands(&o);
}

static void check_random_shapes(void) {
    daub_rng rng = daub_rng_seed(1);
    for (int i = 0; i < 100; i++) {
        daub_conv_shape s = random_shape(&rng);
        check_shape(&rng, &s);
    }
}

// Shapes that networks have, and those that take particular ways through the code.
static const daub_conv_shape shapes[] = {
    {.n = 6,
     .size = {16, 16},
     .c = 3,
     .o = 64,
     .kernel = {4, 4},
     .stride = {2, 2},
     .padding = {1, 1}},
    {.n = 5,
     .size = {16, 12},
     .c = 64,
     .o = 96,
     .kernel = {4, 4},
     .stride = {2, 2},
     .padding = {1, 1}},
    {.n = 3,
     .size = {12, 20},
     .c = 63,
     .o = 65,
     .kernel = {3, 3},
     .stride = {1, 1},
     .padding = {1, 1}},
    {.n = 9,
     .size = {4, 4},
     .c = 33,
     .o = 1,
     .kernel = {4, 4},
     .stride = {1, 1},
     .padding = {0, 0}},
    {.n = 4,
     .size = {8, 8},
     .c = 40,
     .o = 24,
     .kernel = {1, 1},
     .stride = {1, 1},
     .padding = {0, 0}},
    {.n = 1,
     .size = {67, 40},
     .c = 1,
     .o = 5,
     .kernel = {5, 3},
     .stride = {2, 1},
     .padding = {2, 1}},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void check_known_shapes(void) {
    daub_rng rng = daub_rng_seed(2);
    for (int i = 0; i < SHAPES; i++) {
        daub_conv_shape s = shapes[i];
        CHECK(finish(&s));
        check_shape(&rng, &s);
    }
}

static bool same(const numbers *a, const numbers *b) {
    return !memcmp(a->f, b->f, (size_t)a->count * sizeof(float));
}

static void check_threads(void) {
    int before = daub_pool_threads();
    for (int i = 0; i < SHAPES; i++) {
        daub_conv_shape s = shapes[i];
        finish(&s);
        operands first;
        for (int threads = 1; threads <= 4; threads++) {
            daub_pool_set_threads(threads);
            daub_rng rng = daub_rng_seed(3);
            operands o = operands_of(&rng, &s);
            run_bf16(&s, &o);
            if (threads == 1) {
                first = o;
                continue;
            }
            CHECK(same(&o.y, &first.y) && same(&o.dx, &first.dx) && same(&o.dw, &first.dw));
            free_operands(&o);
        }
        free_operands(&first);
    }
    daub_pool_set_threads(before);
}

// Numbers that bf16 has come through unchanged, and small sums of them are exact.
static void check_exact(void) {
    enum { C = 7, O = 5, PIXELS = 6 };
    daub_conv_shape s = {
        .n = 1, .size = {1, PIXELS}, .c = C, .o = O, .kernel = {1, 1}, .stride = {1, 1}};
    float x[PIXELS * C], w[C * O], y[PIXELS * O];
    CHECK(finish(&s));
    for (int i = 0; i < PIXELS * C; i++) x[i] = (float)(i - 20) / 4;
    for (int i = 0; i < C * O; i++) w[i] = (float)(i % 9 - 4);
    CHECK_STATUS(DAUB_OK, daub_conv_bf16_forward(&s, x, w, NULL, y));
    int wrong = 0;
    for (int p = 0; p < PIXELS; p++) {
        for (int o = 0; o < O; o++) {
            float sum = 0;
            for (int c = 0; c < C; c++) sum += x[p * C + c] * w[c * O + o];
            wrong += y[p * O + o] != sum;
        }
    }
    CHECK(wrong == 0);
}

static void check_choice(void) {
    daub_conv_shape s = shapes[1], groups;
    CHECK(finish(&s));
    groups = s;
    groups.groups = 2;
    groups.cg = s.c / 2;
    groups.og = s.o / 2;
    CHECK(daub_conv_choose(&s, DAUB_CONV_FORWARD) != DAUB_CONV_BF16);
    CHECK_STATUS(DAUB_OK, daub_conv_set_precision(DAUB_PRECISION_BF16));
    daub_conv_set_policy(DAUB_CONV_ALL_DIRECT);
    CHECK(daub_conv_choose(&s, DAUB_CONV_FORWARD) == DAUB_CONV_BF16);
    CHECK(daub_conv_choose(&groups, DAUB_CONV_FORWARD) == DAUB_CONV_DIRECT);
    daub_conv_set_policy(DAUB_CONV_ALL_WINOGRAD);
    CHECK(daub_conv_choose(&s, DAUB_CONV_FORWARD) == DAUB_CONV_WINOGRAD);
    daub_conv_set_policy(DAUB_CONV_BY_TABLE);
    CHECK_STATUS(DAUB_OK, daub_conv_set_precision(DAUB_PRECISION_F32));
}

int main(void) {
    if (!daub_cpu_bf16()) {
        CHECK_STATUS(DAUB_INVALID, daub_conv_set_precision(DAUB_PRECISION_BF16));
        printf("left out: this processor has no bf16 products\n");
        return check_summary();
    }
    check_choice();
    check_exact();
    check_random_shapes();
    check_known_shapes();
    check_threads();
    return check_summary();
}
