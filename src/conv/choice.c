#include "conv/choice.h"

#include <stdatomic.h>

#include "conv/winograd.h"

static _Atomic int policy = DAUB_CONV_BY_TABLE;

void daub_conv_set_policy(daub_conv_policy p) {
    atomic_store(&policy, p);
}

daub_conv_policy daub_conv_get_policy(void) {
    return (daub_conv_policy)atomic_load(&policy);
}

// Whether the matrix kernels do worse than plain loops: groups of a few channels fill no vector.
static bool thin(const daub_conv_shape *s) {
    return s->groups > 1 && s->cg < 8 && s->og < 8;
}

static bool winograd_pays(const daub_conv_shape *s, daub_conv_direction direction) {
    (void)direction;
    double products = (double)(s->n * s->out[0] * s->out[1] * s->kernel[0] * s->kernel[1]) *
                      (double)s->c * (double)s->o;
    return s->c >= 16 && s->o >= 16 && daub_conv_winograd_products(s) * 1.5 < products;
}

daub_conv_algorithm daub_conv_choose(const daub_conv_shape *s, daub_conv_direction direction) {
    if (thin(s)) return DAUB_CONV_PLAIN;
    daub_conv_policy p = daub_conv_get_policy();
    if (p == DAUB_CONV_ALL_DIRECT || !daub_conv_winograd_fits(s)) return DAUB_CONV_DIRECT;
    return p == DAUB_CONV_ALL_WINOGRAD || winograd_pays(s, direction) ? DAUB_CONV_WINOGRAD
                                                                      : DAUB_CONV_DIRECT;
}
