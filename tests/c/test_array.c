// Arrays, on every instruction set this processor has: accuracy of the vectorised functions, odd
// lengths and places, and the same bits for every number of threads. What operations compute is
// compared with plain loops in tests/lua/array_math_spec.lua.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "array/maps.h"
#include "array/ops.h"
#include "array/random.h"
#include "array/train.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/pool.h"
#include "check.h"
#include "kernel/kernel.h"
#include "sets.h"

static void check_ownership(void) {
    int64_t before = daub_memory_stats().in_use;
    daub_array a = {0}, b = {0};
    CHECK_STATUS(DAUB_OK, daub_array_create(&a, DAUB_F32, 2, (int64_t[]){2, 3}));
    CHECK(daub_array_numel(&a) == 6 && a.stride[0] == 3 && daub_array_is_contiguous(&a));
    daub_array_retain(&b, &a);
    daub_array_release(&a);
    CHECK(daub_array_storage_bytes(&b) == 24 && daub_memory_stats().in_use > before);
    daub_array_release(&b);
    daub_array_release(&b);
    daub_array_release(NULL);
    CHECK(daub_memory_stats().in_use == before);
    CHECK_STATUS(DAUB_INVALID, daub_array_create(&a, DAUB_F32, 1, (int64_t[]){-1}));
    CHECK_STATUS(DAUB_INVALID,
                 daub_array_create(&a, DAUB_F64, 3, (int64_t[]){1 << 30, 1 << 30, 1 << 30}));
    CHECK_STATUS(DAUB_INVALID, daub_array_create(&a, DAUB_F64, 9, (int64_t[9]){0}));
    CHECK(!a.storage);
}

static void set_flag(void *flag) {
    *(int *)flag = 1;
}

static void check_wrap(void) {
    float numbers[6] = {1, 2, 3, 4, 5, 6};
    int gone = 0;
    daub_array a, view;
    CHECK_STATUS(DAUB_OK,
                 daub_array_wrap(&a, DAUB_F32, 2, (int64_t[]){2, 3}, numbers, set_flag, &gone));
    CHECK_STATUS(DAUB_OK, daub_array_select(&view, &a, 0, 1));
    daub_array_release(&a);
    CHECK(!gone && daub_array_element(&view, 2) == 6);
    daub_array_release(&view);
    CHECK(gone);
}

// ---- accuracy
// --------------------------------------------------------------------------------------

// Distance in units of the float nearest to `exact`.
static double ulps(float got, double exact) {
    float nearest = (float)exact;
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : INFINITY;
    if (isinf(nearest) || isinf(got)) return nearest == got ? 0 : INFINITY;
    int exponent;
    frexp(exact, &exponent);
    if (exponent < -125) exponent = -125;
    return fabs(got - exact) / ldexp(1, exponent - 24);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double softplus(double x) {
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static void check_accuracy(void) {
    static const struct {
        daub_unary_op op;
        double (*exact)(double);
        double low, high, most;
    } functions[] = {
        {DAUB_EXP, exp, -110, 95, 2},
        {DAUB_EXPM1, expm1, -40, 95, 3},
        {DAUB_LOG, log, 0, 3e38, 2},
        {DAUB_LOG, log, 0.5, 2, 2},
        {DAUB_LOG, log, 0, 1e-37, 2},
        {DAUB_LOG1P, log1p, -1, 1, 4},
        {DAUB_LOG1P, log1p, 0, 1e20, 3},
        {DAUB_TANH, tanh, -12, 12, 4},
        {DAUB_TANH, tanh, -1e-3, 1e-3, 3},
        {DAUB_SIGMOID, sigmoid, -100, 100, 4},
        {DAUB_SOFTPLUS, softplus, -100, 100, 4},
        {DAUB_EXPM1, expm1, -1e-3, 1e-3, 2},
    };
    enum { N = 20011 };
    static float x[N], y[N];
    for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++) {
        for (int i = 0; i < N; i++)
            x[i] =
                (float)(functions[f].low + (functions[f].high - functions[f].low) * (i + 0.5) / N);
        x[1] = NAN, x[2] = INFINITY, x[3] = -INFINITY, x[4] = 0, x[5] = 1, x[6] = -1, x[7] = 1e-40f;
        daub_kernels_get()->elementwise->unary[functions[f].op][DAUB_F32](y, x, N);
        double worst = 0;
        for (int i = 0; i < N; i++) {
            double distance = ulps(y[i], functions[f].exact((double)x[i]));
            if (!(distance <= worst)) worst = distance;
        }
        if (!(worst <= functions[f].most)) printf("function %zu: %g ulp\n", f, worst);
        CHECK(worst <= functions[f].most);
    }
}

// Every kernel of f32 and f64, at every length from 1 to 70 and every misalignment, gives what it
// gives one element at a time, and touches nothing beside.
static void check_lengths(void) {
    enum { MOST = 70, ROOM = 80 };
    static float a[ROOM], b[ROOM], out[ROOM], single;
    daub_rng rng = daub_rng_seed(3);
    daub_rng_normal(&rng, a, ROOM);
    daub_rng_normal(&rng, b, ROOM);
    const daub_elementwise_kernels *k = daub_kernels_get()->elementwise;
    int wrong = 0;
    for (int at = 0; at < 4; at++) {
        for (int n = 1; n <= MOST; n++) {
            for (int op = 0; op < DAUB_EQ; op++) {
                if (op == DAUB_POW || op == DAUB_FMOD) continue; // plain calls of libm
                for (int i = 0; i < ROOM; i++) out[i] = 77;
                k->binary[op][DAUB_F32][0](out + at, a + at, b + at, n);
                wrong += out[at + n] != 77 || (at > 0 && out[at - 1] != 77);
                for (int i = 0; i < n; i++) {
                    k->binary[op][DAUB_F32][0](&single, a + at + i, b + at + i, 1);
                    wrong += fabsf(single - out[at + i]) > 1e-6f * (1 + fabsf(single));
                }
            }
            for (int op = 0; op < DAUB_ISNAN; op++) {
                if (op == DAUB_LOG || op == DAUB_SQRT || op == DAUB_RSQRT || op == DAUB_LOG1P)
                    continue;
                for (int i = 0; i < ROOM; i++) out[i] = 77;
                k->unary[op][DAUB_F32](out + at, a + at, n);
                wrong += out[at + n] != 77 || (at > 0 && out[at - 1] != 77);
                for (int i = 0; i < n; i++) {
                    k->unary[op][DAUB_F32](&single, a + at + i, 1);
                    wrong += fabsf(single - out[at + i]) > 1e-6f * (1 + fabsf(single));
                }
            }
        }
    }
    CHECK(wrong == 0);
}

// ---- random numbers
// ----------------------------------------------------------------------------------

// The bits are those of daub_philox, and the same on every instruction set.
static void check_random(void) {
    enum { N = 1003 };
    static float u[N], v[N];
    daub_rng rng = {.key = 0x123456789abcdef, .counter = 0xfffffff0};
    uint64_t first = rng.counter;
    CHECK_STATUS(DAUB_OK, daub_rng_uniform(&rng, u, N));
    CHECK(rng.counter == first + (N + 3) / 4);
    rng.counter = first;
    CHECK_STATUS(DAUB_OK, daub_rng_normal(&rng, v, N));
    int wrong = 0;
    uint32_t sum = 0;
    for (int i = 0; i < N; i++) {
        uint32_t r[4], bits;
        daub_philox(rng.key, first + (uint64_t)i / 4, r);
        wrong += u[i] != (float)(r[i & 3] >> 8) * 0x1p-24f;
        double radius = sqrt(-2 * log(((r[i & 2] >> 8) + 1) * 0x1p-24));
        double angle = 2 * M_PI * (r[(i & 2) + 1] >> 8) * 0x1p-24;
        wrong += !(fabs(v[i] - radius * (i & 1 ? sin(angle) : cos(angle))) < 1e-6);
        memcpy(&bits, &v[i], sizeof bits);
        sum = sum * 31 + bits;
    }
    CHECK(wrong == 0);
    CHECK(sum == 0xf13834ad);
}

// ---- orders of dimensions
// -------------------------------------------------------------------------------

// Every order of four dimensions of awkward sizes, copied and put together with another array.
static void check_orders(daub_dtype dtype) {
    static const int64_t sizes[][4] = {
        {3, 5, 6, 7}, {2, 2, 17, 24}, {1, 131, 2, 9}, {4, 3, 300, 4}};
    daub_rng rng = daub_rng_seed(9);
    int wrong = 0;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        daub_array x = {0};
        CHECK_STATUS(DAUB_OK, daub_array_integers(&x, &rng, 0, 200, dtype, 4, sizes[s]));
        for (int code = 0; code < 256; code++) {
            int order[4] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
            daub_array turned = {0}, copy = {0}, joined = {0};
            if ((1 << order[0] | 1 << order[1] | 1 << order[2] | 1 << order[3]) != 15) continue;
            CHECK_STATUS(DAUB_OK, daub_array_permute(&turned, &x, 4, order));
            CHECK_STATUS(DAUB_OK, daub_array_clone(&copy, &turned));
            CHECK_STATUS(DAUB_OK,
                         daub_array_concat(&joined, (const daub_array *[]){&turned, &copy}, 2, 3));
            int64_t at[4], last = copy.shape[3];
            for (int64_t i = 0, n = daub_array_numel(&x); i < n; i++) {
                int64_t left = i, from = 0;
                for (int d = 3; d >= 0; d--) {
                    at[d] = left % copy.shape[d];
                    left /= copy.shape[d];
                    from += at[d] * turned.stride[d];
                }
                double value = daub_array_element(&turned, from);
                int64_t place = i / last * 2 * last + at[3];
                wrong += daub_array_element(&copy, i) != value ||
                         daub_array_element(&joined, place) != value ||
                         daub_array_element(&joined, place + last) != value;
            }
            daub_array *temporary[] = {&turned, &copy, &joined};
            for (size_t i = 0; i < 3; i++) daub_array_release(temporary[i]);
        }
        daub_array_release(&x);
    }
    CHECK(wrong == 0);
}

// ---- passes over maps
// ------------------------------------------------------------------------------

enum { PICTURES = 2, PLACES = 37, CHANNELS = 37 };

static double at(const daub_array *a, int64_t i) {
    return daub_array_element(a, i);
}

// One number of channels against plain loops.
static void check_maps_of(daub_dtype dtype, int64_t c, double tolerance) {
    daub_rng rng = daub_rng_seed(3);
    daub_array x = {0}, t = {0}, w = {0}, y = {0}, sums = {0}, weighted = {0};
    int64_t shape[] = {PICTURES, PLACES, c};
    CHECK_STATUS(DAUB_OK, daub_array_normal(&x, &rng, dtype, 3, shape));
    CHECK_STATUS(DAUB_OK, daub_array_normal(&t, &rng, dtype, 3, (int64_t[]){PICTURES, PLACES, 1}));
    CHECK_STATUS(DAUB_OK, daub_array_normal(&w, &rng, dtype, 1, &c));
    CHECK_STATUS(DAUB_OK, daub_array_add_outer(&y, &x, &t, &w));
    CHECK_STATUS(DAUB_OK, daub_array_picture_sums(&sums, &x, &y));
    CHECK_STATUS(DAUB_OK, daub_array_picture_sums(&weighted, &x, &t));
    double worst = 0;
    for (int64_t n = 0; n < PICTURES; n++) {
        for (int64_t j = 0; j < c; j++) {
            double product = 0, scaled = 0;
            for (int64_t p = n * PLACES; p < (n + 1) * PLACES; p++) {
                double expected = at(&x, p * c + j) + at(&t, p) * at(&w, j);
                worst = fmax(worst, fabs(at(&y, p * c + j) - expected));
                product += at(&x, p * c + j) * expected;
                scaled += at(&x, p * c + j) * at(&t, p);
            }
            worst = fmax(worst, fabs(at(&sums, n * c + j) - product) / PLACES);
            worst = fmax(worst, fabs(at(&weighted, n * c + j) - scaled) / PLACES);
        }
    }
    CHECK(worst < tolerance);
    daub_array *temporary[] = {&x, &t, &w, &y, &sums, &weighted};
    for (size_t i = 0; i < 6; i++) daub_array_release(temporary[i]);
}

static void check_maps(void) {
    for (int64_t c = 1; c <= CHANNELS; c++) {
        check_maps_of(DAUB_F32, c, 2e-6);
        check_maps_of(DAUB_F64, c, 1e-14);
    }
}

// ---- the same bits for every number of threads
// -----------------------------------------------------

// Fills results[0 … count-1]; what they are made of depends on nothing but `dtype`.
enum { RESULTS = 27 };

static int make_results(daub_array *r, daub_dtype dtype) {
    daub_rng rng = daub_rng_seed(11);
    daub_array x = {0}, v = {0}, w = {0}, m = {0}, t = {0};
    int n = 0;
    CHECK_STATUS(DAUB_OK, daub_array_normal(&x, &rng, dtype, 4, (int64_t[]){9, 33, 31, 48}));
    CHECK_STATUS(DAUB_OK, daub_array_normal(&v, &rng, dtype, 1, (int64_t[]){48}));
    CHECK_STATUS(DAUB_OK, daub_array_uniform(&w, &rng, dtype, 4, (int64_t[]){9, 1, 1, 48}));
    CHECK_STATUS(DAUB_OK, daub_array_normal(&m, &rng, dtype, 2, (int64_t[]){700, 301}));
    CHECK_STATUS(DAUB_OK, daub_array_binary(&r[n++], DAUB_ADD, &x, &v));
    CHECK_STATUS(DAUB_OK, daub_array_binary(&r[n++], DAUB_MUL, &x, &w));
    CHECK_STATUS(DAUB_OK, daub_array_unary(&r[n++], DAUB_TANH, &x));
    CHECK_STATUS(DAUB_OK, daub_array_ternary(&r[n++], DAUB_ADDCMUL, &x, &v, &w));
    for (unsigned over = 1; over < 16; over += 2)
        CHECK_STATUS(DAUB_OK, daub_array_reduce(&r[n++], DAUB_SUM, &x, over, true));
    CHECK_STATUS(DAUB_OK, daub_array_reduce(&r[n++], DAUB_MAX_OF, &x, 15, true));
    CHECK_STATUS(DAUB_OK, daub_array_matmul(&r[n++], &m, &m, true, false));
    CHECK_STATUS(DAUB_OK, daub_array_matmul(&r[n++], &m, &m, false, true));
    daub_norm norm = {&r[n + 1], &r[n + 2], &v, NULL, 0.2};
    CHECK_STATUS(DAUB_OK, daub_array_batch_statistics(&r[n + 1], &r[n + 2], &x, 1e-5));
    CHECK_STATUS(DAUB_OK, daub_array_normalise(&r[n], &x, &norm));
    CHECK_STATUS(DAUB_OK,
                 daub_array_batch_norm_grad(&r[n + 3], &r[n + 4], &r[n + 5], &x, &r[n], &norm));
    n += 6;
    CHECK_STATUS(DAUB_OK, daub_array_narrow(&t, &x, 3, 5, 1, 1));
    CHECK_STATUS(DAUB_OK, daub_array_add_outer(&r[n++], &x, &t, &v));
    CHECK_STATUS(DAUB_OK, daub_array_picture_sums(&r[n++], &x, &r[0]));
    CHECK_STATUS(DAUB_OK, daub_array_picture_sums(&r[n++], &x, &t));
    CHECK_STATUS(DAUB_OK, daub_array_clone(&r[n], &x));
    daub_adam adam = {1e-3, 0.5, 0.999, 1e-8, 0.01, 1, false};
    daub_array first = {0}, second = {0};
    CHECK_STATUS(DAUB_OK, daub_array_clone(&first, &r[0]));
    CHECK_STATUS(DAUB_OK, daub_array_unary(&second, DAUB_SQUARE, &r[1]));
    const daub_array *arrays[] = {&r[n++], &r[2], &first, &second};
    daub_step_lists lists = {1, {&arrays[0], &arrays[1], &arrays[2], &arrays[3]}};
    CHECK_STATUS(DAUB_OK, daub_array_adam_step(&lists, &adam));
    daub_array *temporary[] = {&x, &v, &w, &m, &t, &first, &second};
    for (size_t i = 0; i < 7; i++) daub_array_release(temporary[i]);
    return n;
}

static void check_threads(daub_dtype dtype) {
    daub_array expected[RESULTS] = {{0}};
    daub_pool_set_threads(1);
    int count = make_results(expected, dtype);
    CHECK(count <= RESULTS);
    for (int threads = 2; threads <= 3; threads++) {
        daub_array got[RESULTS] = {{0}};
        daub_pool_set_threads(threads);
        make_results(got, dtype);
        for (int i = 0; i < count; i++) {
            size_t bytes = (size_t)daub_array_numel(&got[i]) * daub_dtype_size(got[i].dtype);
            bool same = !memcmp(got[i].data, expected[i].data, bytes);
            if (!same) printf("result %d differs with %d threads\n", i, threads);
            CHECK(same);
            daub_array_release(&got[i]);
        }
    }
    for (int i = 0; i < count; i++) daub_array_release(&expected[i]);
}

// A large single and double result agree.
static void check_precision(void) {
    daub_array single[RESULTS] = {{0}}, twice = {0}, from = {0};
    daub_rng rng = daub_rng_seed(5);
    CHECK_STATUS(DAUB_OK, daub_array_uniform(&from, &rng, DAUB_F32, 2, (int64_t[]){3001, 517}));
    CHECK_STATUS(DAUB_OK, daub_array_cast(&twice, &from, DAUB_F64));
    for (unsigned over = 1; over <= 3; over++) {
        daub_array exact = {0}, difference = {0}, worst = {0};
        CHECK_STATUS(DAUB_OK, daub_array_reduce(&single[0], DAUB_SUM, &from, over, false));
        CHECK_STATUS(DAUB_OK, daub_array_cast(&single[1], &single[0], DAUB_F64));
        CHECK_STATUS(DAUB_OK, daub_array_reduce(&exact, DAUB_SUM, &twice, over, false));
        CHECK_STATUS(DAUB_OK, daub_array_binary(&difference, DAUB_DIV, &single[1], &exact));
        CHECK_STATUS(DAUB_OK,
                     daub_array_reduce(&worst, DAUB_MAX_OF, &difference, over == 3 ? 0 : 1, false));
        CHECK(fabs(daub_array_element(&worst, 0) - 1) < 2e-7);
        daub_array *temporary[] = {&single[0], &single[1], &exact, &difference, &worst};
        for (size_t i = 0; i < 5; i++) daub_array_release(temporary[i]);
    }
    daub_array_release(&from);
    daub_array_release(&twice);
}

int main(int argc, char **argv) {
    (void)argc;
    check_ownership();
    check_wrap();
    check_accuracy();
    check_lengths();
    check_random();
    check_orders(DAUB_F32);
    check_orders(DAUB_U8);
    check_orders(DAUB_I64);
    check_maps();
    check_threads(DAUB_F32);
    check_threads(DAUB_F64);
    check_precision();
    return check_every_set(argv[0]);
}
