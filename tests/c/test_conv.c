// Convolution: f32, direct and by Winograd, against f64 over odd shapes, the adjoint identities,
// thread counts, hostile shapes.
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "array/random.h"
#include "base/cpu.h"
#include "base/pool.h"
#include "check.h"
#include "conv/choice.h"
#include "conv/conv.h"
#include "sets.h"

typedef struct shape {
    int64_t n, h, w, c, o, kh, kw;
    daub_conv_options options;
} shape;

static daub_array random_array(daub_rng *rng, int ndim, const int64_t *sizes) {
    daub_array a;
    CHECK_STATUS(DAUB_OK, daub_array_create(&a, DAUB_F32, ndim, sizes));
    daub_rng_normal(rng, a.data, daub_array_numel(&a));
    return a;
}

static daub_array widened(const daub_array *a) {
    daub_array wide;
    CHECK_STATUS(DAUB_OK, daub_array_create(&wide, DAUB_F64, a->ndim, a->shape));
    const float *from = a->data;
    double *to = wide.data;
    for (int64_t i = 0; i < daub_array_numel(a); i++) to[i] = from[i];
    return wide;
}

static double inner(const daub_array *a, const daub_array *b) {
    const double *p = a->data, *q = b->data;
    double sum = 0;
    for (int64_t i = 0; i < daub_array_numel(a); i++) sum += p[i] * q[i];
    return sum;
}

// The largest difference of a (f32) and b (f64), relative to b's root mean square.
static double error_of(const daub_array *a, const daub_array *b) {
    const float *p = a->data;
    const double *q = b->data;
    double worst = 0, square = 0;
    int64_t n = daub_array_numel(b);
    if (daub_array_numel(a) != n) return INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double difference = fabs(p[i] - q[i]);
        if (!(difference <= worst)) worst = difference;
        square += q[i] * q[i];
    }
    return square > 0 ? worst / sqrt(square / (double)n) : worst;
}

static void show(const shape *s, const char *what, double error) {
    printf("%s of x (%lld, %lld, %lld, %lld) kernel %lldx%lld o %lld stride %lld,%lld padding "
           "%lld,%lld groups %lld: error %g\n",
           what, (long long)s->n, (long long)s->h, (long long)s->w, (long long)s->c,
           (long long)s->kh, (long long)s->kw, (long long)s->o, (long long)s->options.stride[0],
           (long long)s->options.stride[1], (long long)s->options.padding[0],
           (long long)s->options.padding[1], (long long)s->options.groups, error);
}

// Winograd's transforms cancel digits.
static double tolerance(void) {
    return daub_conv_get_policy() == DAUB_CONV_ALL_WINOGRAD ? 1e-4 : 2e-5;
}

static void check_error(const shape *s, const char *what, const daub_array *f32,
                        const daub_array *f64) {
    double error = error_of(f32, f64);
    if (!(error < tolerance())) show(s, what, error);
    CHECK(error < tolerance());
}

// What one shape's f32 functions are given, and what f64 says they should give.
typedef struct sample {
    daub_array x, w, bias, dy;
    daub_array y64, dx64, dw64;
} sample;

static void release_all(daub_array *all, size_t count) {
    for (size_t i = 0; i < count; i++) daub_array_release(&all[i]);
}

// Checks the f64 functions by <conv(x), dy> = <x, input_grad(dy)> = <w, weight_grad(x, dy)>.
static sample make_sample(daub_rng *rng, const shape *s) {
    const daub_conv_options *o = &s->options;
    sample a;
    a.x = random_array(rng, 4, (int64_t[]){s->n, s->h, s->w, s->c});
    a.w = random_array(rng, 4, (int64_t[]){s->kh, s->kw, s->c / o->groups, s->o});
    a.bias = random_array(rng, 1, (int64_t[]){s->o});
    daub_array x64 = widened(&a.x), w64 = widened(&a.w), bias64 = widened(&a.bias), plain;
    CHECK_STATUS(DAUB_OK, daub_conv2d(&a.y64, &x64, &w64, &bias64, NULL, o));
    a.dy = random_array(rng, 4, a.y64.shape);
    daub_array dy64 = widened(&a.dy);
    CHECK_STATUS(DAUB_OK, daub_conv2d(&plain, &x64, &w64, NULL, NULL, o));
    CHECK_STATUS(DAUB_OK, daub_conv2d_input_grad(&a.dx64, &dy64, &w64, s->h, s->w, o));
    CHECK_STATUS(DAUB_OK, daub_conv2d_weight_grad(&a.dw64, &x64, &dy64, s->kh, s->kw, o));
    double product = inner(&plain, &dy64);
    double scale = sqrt(inner(&plain, &plain) * inner(&dy64, &dy64)) + 1e-30;
    CHECK(fabs(product - inner(&x64, &a.dx64)) < 1e-12 * scale);
    CHECK(fabs(product - inner(&w64, &a.dw64)) < 1e-12 * scale);
    release_all((daub_array[]){x64, w64, bias64, plain, dy64}, 5);
    return a;
}

// The leaky ReLU of a convolution is that of what it gives without, bit for bit.
static void check_slope(const shape *s, const daub_array *x, const daub_array *w,
                        const daub_array *bias, const daub_array *plain) {
    static const double slope = 0.25;
    daub_array y;
    CHECK_STATUS(DAUB_OK, daub_conv2d(&y, x, w, bias, &slope, &s->options));
    const float *from = plain->data, *got = y.data;
    int64_t wrong = 0;
    for (int64_t i = 0; i < daub_array_numel(&y); i++)
        wrong += got[i] != (from[i] > 0 ? from[i] : from[i] * 0.25f);
    if (wrong) show(s, "slope", (double)wrong);
    CHECK(wrong == 0);
    daub_array_release(&y);
}

static void check_shape(daub_rng *rng, const shape *s) {
    sample a = make_sample(rng, s);
    for (daub_conv_policy p = DAUB_CONV_ALL_DIRECT; p <= DAUB_CONV_ALL_WINOGRAD; p++) {
        daub_conv_set_policy(p);
        daub_array y, dx, dw;
        CHECK_STATUS(DAUB_OK, daub_conv2d(&y, &a.x, &a.w, &a.bias, NULL, &s->options));
        check_error(s, "conv2d", &y, &a.y64);
        check_slope(s, &a.x, &a.w, &a.bias, &y);
        CHECK_STATUS(DAUB_OK, daub_conv2d_input_grad(&dx, &a.dy, &a.w, s->h, s->w, &s->options));
        check_error(s, "input_grad", &dx, &a.dx64);
        CHECK_STATUS(DAUB_OK, daub_conv2d_weight_grad(&dw, &a.x, &a.dy, s->kh, s->kw, &s->options));
        check_error(s, "weight_grad", &dw, &a.dw64);
        release_all((daub_array[]){y, dx, dw}, 3);
    }
    daub_conv_set_policy(DAUB_CONV_BY_TABLE);
    release_all((daub_array[]){a.x, a.w, a.bias, a.dy, a.y64, a.dx64, a.dw64}, 7);
}

static int64_t pick(daub_rng *rng, int64_t low, int64_t high) {
    return low + daub_rng_next_below(rng, high - low + 1);
}

static shape random_shape(daub_rng *rng) {
    for (;;) {
        shape s = {.n = pick(rng, 1, 5),
                   .h = pick(rng, 1, 37),
                   .w = pick(rng, 1, 37),
                   .kh = pick(rng, 1, 5),
                   .kw = pick(rng, 1, 5)};
        int64_t groups = pick(rng, 1, 4) == 1 ? pick(rng, 2, 5) : 1;
        s.c = pick(rng, 1, 70 / groups) * groups;
        s.o = pick(rng, 1, 70 / groups) * groups;
        s.options = (daub_conv_options){
            {pick(rng, 1, 3), pick(rng, 1, 3)}, {pick(rng, 0, 3), pick(rng, 0, 3)}, groups};
        if (s.h + 2 * s.options.padding[0] < s.kh || s.w + 2 * s.options.padding[1] < s.kw)
            continue;
        return s;
    }
}

static void check_random_shapes(void) {
    daub_rng rng = daub_rng_seed(1);
    for (int i = 0; i < 150; i++) {
        shape s = random_shape(&rng);
        check_shape(&rng, &s);
    }
}

// The kinds Winograd's filtering takes, over sizes that leave tiles, blocks and groups incomplete.
static void check_winograd_shapes(void) {
    static const struct { int64_t kernel, stride; } kinds[] = {{3, 1}, {4, 2}, {2, 1}, {6, 2}};
    daub_rng rng = daub_rng_seed(6);
    for (int i = 0; i < 60; i++) {
        int64_t k = kinds[i % 4].kernel, stride = kinds[i % 4].stride, large = i % 3 ? 67 : 16;
        shape s = {.n = pick(&rng, 1, 5),
                   .h = pick(&rng, 1, large),
                   .w = pick(&rng, 1, large),
                   .c = pick(&rng, 1, 70),
                   .o = pick(&rng, 1, 70),
                   .kh = k,
                   .kw = k,
                   .options = {{stride, stride}, {pick(&rng, 0, k - 1), pick(&rng, 0, k - 1)}, 1}};
        bool fits = s.h + 2 * s.options.padding[0] >= k && s.w + 2 * s.options.padding[1] >= k;
        if (fits) check_shape(&rng, &s);
    }
}

// Shapes that networks have, and those that take particular ways through the code.
static void check_known_shapes(void) {
    static const shape shapes[] = {
        {6, 16, 16, 3, 64, 4, 4, {{2, 2}, {1, 1}, 1}},
        {5, 16, 12, 64, 128, 4, 4, {{2, 2}, {1, 1}, 1}},
        {7, 8, 8, 128, 96, 4, 4, {{2, 2}, {1, 1}, 1}},
        {3, 12, 20, 64, 64, 3, 3, {{1, 1}, {1, 1}, 1}},
        {9, 4, 4, 96, 100, 4, 4, {{1, 1}, {0, 0}, 1}}, // one output pixel
        {9, 4, 4, 64, 1, 4, 4, {{1, 1}, {0, 0}, 1}},
        {2, 15, 9, 33, 65, 1, 1, {{1, 1}, {0, 0}, 1}},
        {2, 15, 9, 130, 16, 1, 1, {{2, 3}, {0, 0}, 1}},
        {2, 11, 13, 32, 32, 3, 3, {{1, 1}, {1, 1}, 32}}, // depthwise
        {2, 11, 13, 16, 48, 3, 3, {{2, 1}, {1, 1}, 16}},
        {1, 96, 64, 24, 3, 3, 3, {{1, 1}, {1, 1}, 1}},
        {1, 5, 300, 8, 40, 2, 2, {{3, 3}, {3, 3}, 1}}, // stride beyond the kernel
        {4, 1, 1, 20, 30, 3, 3, {{1, 1}, {1, 1}, 1}},
        {1, 20, 500, 16, 16, 3, 3, {{1, 1}, {1, 1}, 1}}, // a row is more than a block
        {1, 300, 200, 8, 8, 3, 3, {{1, 1}, {1, 1}, 1}},  // a picture is more than a chunk
        {4, 8, 8, 40, 24, 1, 1, {{1, 1}, {0, 0}, 1}},    // nothing to pad: x is read where it lies
        {2, 7, 10, 24, 40, 3, 3, {{1, 1}, {0, 0}, 1}},
        {2, 9, 18, 12, 40, 3, 3, {{2, 2}, {0, 0}, 1}},
        {8, 3, 2, 40, 24, 2, 2, {{1, 1}, {0, 0}, 1}},
        // few results of a pixel, or few filters
        {2, 34, 66, 3, 64, 4, 4, {{2, 2}, {1, 1}, 1}},
        {2, 33, 67, 12, 48, 3, 3, {{1, 1}, {1, 1}, 1}},
        {1, 21, 600, 50, 3, 5, 3, {{1, 1}, {2, 3}, 1}},
        {2, 30, 40, 16, 6, 3, 3, {{1, 1}, {1, 1}, 2}},
        {3, 20, 44, 9, 19, 3, 3, {{2, 2}, {0, 0}, 1}},
        {1, 16, 24, 300, 5, 3, 3, {{1, 1}, {1, 1}, 1}},
        {5, 1, 1, 9000, 1, 1, 1, {{1, 1}, {0, 0}, 1}},
        {3, 12, 20, 48, 24, 1, 1, {{1, 1}, {0, 0}, 1}},
    };
    daub_rng rng = daub_rng_seed(2);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(&rng, &shapes[i]);
}

// Results must be equal bit for bit with any number of threads.
static void check_threads(void) {
    static const shape shapes[] = {
        {9, 16, 16, 32, 70, 4, 4, {{2, 2}, {1, 1}, 1}},
        {12, 4, 4, 70, 130, 3, 3, {{1, 1}, {1, 1}, 1}},
        {6, 21, 17, 3, 8, 5, 3, {{2, 1}, {2, 1}, 1}},
        {2, 50, 67, 24, 3, 3, 3, {{1, 1}, {1, 1}, 1}},
        {3, 64, 64, 3, 64, 4, 4, {{2, 2}, {1, 1}, 1}},
        {2, 33, 31, 48, 23, 1, 1, {{1, 1}, {0, 0}, 1}},
        {6, 9, 9, 12, 12, 3, 3, {{1, 1}, {1, 1}, 4}},
        {6, 9, 9, 12, 12, 3, 3, {{1, 1}, {1, 1}, 12}},
        {70, 6, 8, 40, 70, 4, 4, {{2, 2}, {1, 1}, 1}},
        {5, 30, 41, 24, 20, 3, 3, {{1, 1}, {1, 1}, 1}},
        {3, 50, 90, 24, 48, 4, 4, {{2, 2}, {1, 1}, 1}},
    };
    int before = daub_pool_threads();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        daub_array first[3];
        for (int threads = 1; threads <= 4; threads++) {
            daub_pool_set_threads(threads);
            daub_rng rng = daub_rng_seed(3);
            daub_array x = random_array(&rng, 4, (int64_t[]){s->n, s->h, s->w, s->c});
            daub_array w =
                random_array(&rng, 4, (int64_t[]){s->kh, s->kw, s->c / s->options.groups, s->o});
            daub_array got[3];
            CHECK_STATUS(DAUB_OK, daub_conv2d(&got[0], &x, &w, NULL, NULL, &s->options));
            CHECK_STATUS(DAUB_OK,
                         daub_conv2d_input_grad(&got[1], &got[0], &w, s->h, s->w, &s->options));
            CHECK_STATUS(DAUB_OK,
                         daub_conv2d_weight_grad(&got[2], &x, &got[0], s->kh, s->kw, &s->options));
            for (int k = 0; k < 3; k++) {
                size_t bytes = (size_t)daub_array_numel(&got[k]) * sizeof(float);
                if (threads == 1) {
                    first[k] = got[k];
                    continue;
                }
                CHECK(!memcmp(first[k].data, got[k].data, bytes));
                daub_array_release(&got[k]);
            }
            daub_array_release(&x);
            daub_array_release(&w);
        }
        for (int k = 0; k < 3; k++) daub_array_release(&first[k]);
    }
    daub_pool_set_threads(before);
}

// What a pixel is not joined with must not touch it, be it NaN or infinite.
static void check_not_a_number(void) {
    daub_rng rng = daub_rng_seed(4);
    daub_array x = random_array(&rng, 4, (int64_t[]){2, 9, 9, 5}), y;
    daub_array w = random_array(&rng, 4, (int64_t[]){3, 3, 5, 7});
    ((float *)x.data)[(4 * 9 + 4) * 5 + 2] = NAN;
    ((float *)x.data)[(1 * 9 + 1) * 5 + 1] = INFINITY;
    daub_conv_options o = {{1, 1}, {1, 1}, 1};
    CHECK_STATUS(DAUB_OK, daub_conv2d(&y, &x, &w, NULL, NULL, &o));
    const float *p = y.data;
    int wrong = 0;
    for (int n = 0; n < 2; n++) {
        for (int i = 0; i < 81; i++) {
            int row = i / 9, column = i % 9;
            int nan = !n && row >= 3 && row <= 5 && column >= 3 && column <= 5;
            int inf = !n && row <= 2 && column <= 2;
            for (int c = 0; c < 7; c++) {
                float v = p[(n * 81 + i) * 7 + c];
                wrong += nan ? !isnan(v) : inf ? !isinf(v) : !isfinite(v);
            }
        }
    }
    CHECK(wrong == 0);
    daub_array_release(&x);
    daub_array_release(&w);
    daub_array_release(&y);
}

static void check_refusals(void) {
    daub_rng rng = daub_rng_seed(5);
    daub_array x = random_array(&rng, 4, (int64_t[]){2, 6, 6, 4}), out;
    daub_array w = random_array(&rng, 4, (int64_t[]){3, 3, 4, 8});
    daub_array flat = random_array(&rng, 1, (int64_t[]){7});
    daub_array wide = widened(&w);
    daub_conv_options o = {{1, 1}, {0, 0}, 1};
    CHECK_STATUS(DAUB_INVALID, daub_conv2d(&out, &flat, &w, NULL, NULL, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d(&out, &x, &flat, NULL, NULL, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d(&out, &x, &w, &flat, NULL, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d(&out, &x, &wide, NULL, NULL, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d_input_grad(&out, &x, &w, 8, 8, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d_weight_grad(&out, &x, &x, 3, 3, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d_weight_grad(&out, &x, &x, -1, 3, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d_weight_grad(&out, &x, &x, 9, 9, &o));
    daub_conv_options wrong[] = {{{0, 1}, {0, 0}, 1}, {{1, 1}, {-1, 0}, 1},
                                 {{1, 1}, {0, 0}, 3}, {{1, 1}, {0, 0}, 0},
                                 {{1, 1}, {0, 0}, 2}, {{1, INT64_MAX}, {0, INT64_MAX}, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_STATUS(DAUB_INVALID, daub_conv2d(&out, &x, &w, NULL, NULL, &wrong[i]));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d(&out, &x, &w, NULL, &(double){-1}, &o));
    CHECK_STATUS(DAUB_INVALID, daub_conv2d(&out, &x, &w, NULL, &(double){NAN}, &o));
    daub_array_release(&x);
    daub_array_release(&w);
    daub_array_release(&flat);
    daub_array_release(&wide);
}

static void check_everything(void) {
    check_random_shapes();
    check_known_shapes();
    check_winograd_shapes();
    for (daub_conv_policy p = DAUB_CONV_BY_TABLE; p <= DAUB_CONV_ALL_WINOGRAD; p++) {
        daub_conv_set_policy(p);
        check_threads();
    }
    daub_conv_set_policy(DAUB_CONV_BY_TABLE);
    check_not_a_number();
    check_refusals();
}

int main(int argc, char **argv) {
    (void)argc;
    check_everything();
    return check_every_set(argv[0]);
}
