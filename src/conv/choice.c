#include "conv/choice.h"

#include <stdatomic.h>

#include "base/cpu.h"
#include "conv/grid.h"
#include "conv/winograd.h"

static _Atomic int policy = DAUB_CONV_BY_TABLE;
static _Atomic int precision = DAUB_PRECISION_F32;

void daub_conv_set_policy(daub_conv_policy p) {
    atomic_store(&policy, p);
}

daub_conv_policy daub_conv_get_policy(void) {
    return (daub_conv_policy)atomic_load(&policy);
}

daub_status daub_conv_set_precision(daub_conv_precision p) {
    if (p == DAUB_PRECISION_BF16 && !daub_cpu_bf16())
        return daub_fail(
            DAUB_INVALID,
            "precision: bf16 needs AVX-512-BF16, which is not in use here (f32 expected)");
    atomic_store(&precision, p);
    return DAUB_OK;
}

daub_conv_precision daub_conv_get_precision(void) {
    return (daub_conv_precision)atomic_load(&precision);
}

// Whether the matrix kernels do worse than plain loops: groups of a few channels fill no vector.
static bool thin(const daub_conv_shape *s) {
    return s->groups > 1 && s->cg < 8 && s->og < 8;
}

// Channels as the kernels see them: filled up to whole vectors.
static double filled(int64_t channels, int64_t to) {
    return (double)(daub_ceil_div(channels, to) * to);
}

// Multiply-adds that the direct kernels take for one pixel of the result: `products`, those of
// filled up vectors; or, where vectors go along pixels instead (planes.c, shares.c), those there
// are and the transposing of what is read and written.
static double direct_work(const daub_conv_shape *s, daub_conv_direction direction,
                          double products) {
    enum { TRANSPOSE = 48 };
    bool strided = s->stride[0] > 1 || s->stride[1] > 1;
    if (direction == DAUB_CONV_FORWARD && strided) return products;
    if (direction == DAUB_CONV_WEIGHT_GRAD && !daub_conv_shares_fit(s)) return products;
    double exact = (double)(s->kernel[0] * s->kernel[1] * s->cg * s->o);
    exact += TRANSPOSE * (double)(s->c * s->stride[0] * s->stride[1] + s->o);
    return exact < products ? exact : products;
}

daub_conv_work daub_conv_work_of(const daub_conv_shape *s, daub_conv_direction direction) {
    double pixels = (double)(s->n * s->out[0] * s->out[1]);
    double c = (double)s->c, o = (double)s->o, channels;
    if (direction == DAUB_CONV_FORWARD)
        channels = c * filled(s->o, 16);
    else if (direction == DAUB_CONV_INPUT_GRAD)
        channels = filled(s->c, 16) * o;
    else
        channels = c * filled(s->o, 32);
    double products = (double)(s->kernel[0] * s->kernel[1]) * channels / (double)s->groups;
    daub_conv_work work = {.direct = pixels * direct_work(s, direction, products)};
    if (!daub_conv_winograd_fits(s)) return work;
    int numbers;
    double squares = daub_conv_winograd_squares(s, &numbers) * numbers;
    double phases = (double)(s->stride[0] * s->stride[1]);
    work.winograd = squares * phases * channels;
    work.transformed = squares * (phases * filled(s->c, 16) + filled(s->o, 16));
    return work;
}

// What a multiply-add of Winograd's, and a transformed number, take, counted in multiply-adds of
// the direct convolution in the same direction. `daub bench --choice` measures them anew.
static const struct {
    double product, number;
} costs[] = {
    [DAUB_CONV_FORWARD] = {1.1, 24},
    [DAUB_CONV_INPUT_GRAD] = {1.1, 25},
    [DAUB_CONV_WEIGHT_GRAD] = {1.3, 26},
};

// What a multiply-add of bf16 takes, the rounding included.
static const double bf16_product = 0.54;

// Whether Winograd's way takes less than the direct one at `product` for a multiply-add.
static bool winograd_pays(const daub_conv_shape *s, daub_conv_direction direction, double product) {
    daub_conv_work work = daub_conv_work_of(s, direction);
    return costs[direction].product * work.winograd + costs[direction].number * work.transformed <
           product * work.direct;
}

// Whether products of bf16 are faster than those of f32: what is summed over must give pairs, and
// results fill vectors (where a stride cuts them into phases, together).
static bool bf16_pays(const daub_conv_shape *s, daub_conv_direction direction) {
    switch (direction) {
    case DAUB_CONV_FORWARD:
        return s->c > 1 && s->o > 3;
    case DAUB_CONV_INPUT_GRAD:
        return s->o > 1 && s->c * s->stride[0] * s->stride[1] > 3;
    default:
        return s->n > 1;
    }
}

daub_conv_algorithm daub_conv_choose(const daub_conv_shape *s, daub_conv_direction direction) {
    if (thin(s)) return DAUB_CONV_PLAIN;
    daub_conv_policy p = daub_conv_get_policy();
    bool bf16 = daub_conv_get_precision() == DAUB_PRECISION_BF16 && s->groups == 1 &&
                (p == DAUB_CONV_ALL_DIRECT || bf16_pays(s, direction));
    if (p != DAUB_CONV_ALL_DIRECT && daub_conv_winograd_fits(s) &&
        (p == DAUB_CONV_ALL_WINOGRAD || winograd_pays(s, direction, bf16 ? bf16_product : 1)))
        return DAUB_CONV_WINOGRAD;
    return bf16 ? DAUB_CONV_BF16 : DAUB_CONV_DIRECT;
}
