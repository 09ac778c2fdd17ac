// Checks of shapes; f64 goes to the plain loops, f32 to the algorithm that choice.c names.
#include "conv/conv.h"

#include "conv/bf16.h"
#include "conv/choice.h"
#include "conv/grid.h"
#include "conv/picture.h"
#include "conv/shape.h"
#include "conv/winograd.h"

static const char in_hwio[] = "kernel height, kernel width, channels / groups, filters";

// A kernel as large as the picture is a product of matrices: one pixel with all its channels.
static daub_conv_shape flattened(const daub_conv_shape *s) {
    bool whole = s->groups == 1 && !s->padding[0] && !s->padding[1] && s->kernel[0] == s->size[0] &&
                 s->kernel[1] == s->size[1];
    daub_conv_shape f = *s;
    if (!whole) return f;
    f.c = f.cg = s->c * s->size[0] * s->size[1];
    for (int axis = 0; axis < 2; axis++) f.size[axis] = f.kernel[axis] = f.stride[axis] = 1;
    return f;
}

static daub_status forward(const daub_conv_shape *s, daub_dtype dtype, const void *x, const void *w,
                           const void *bias, void *y) {
    if (dtype == DAUB_F64) return daub_conv_plain_forward_f64(s, x, w, bias, y);
    daub_conv_shape f = flattened(s);
    switch (daub_conv_choose(&f, DAUB_CONV_FORWARD)) {
    case DAUB_CONV_PLAIN:
        return daub_conv_plain_forward_f32(&f, x, w, bias, y);
    case DAUB_CONV_WINOGRAD:
        return daub_conv_winograd_forward(&f, x, w, bias, y);
    case DAUB_CONV_BF16:
        return daub_conv_bf16_forward(&f, x, w, bias, y);
    default:
        return daub_conv_rows_forward(&f, x, w, bias, y);
    }
}

static daub_status input_grad(const daub_conv_shape *s, daub_dtype dtype, const void *dy,
                              const void *w, void *dx) {
    if (dtype == DAUB_F64) return daub_conv_plain_input_grad_f64(s, dy, w, dx);
    daub_conv_shape f = flattened(s);
    switch (daub_conv_choose(&f, DAUB_CONV_INPUT_GRAD)) {
    case DAUB_CONV_PLAIN:
        return daub_conv_plain_input_grad_f32(&f, dy, w, dx);
    case DAUB_CONV_WINOGRAD:
        return daub_conv_winograd_input_grad(&f, dy, w, dx);
    case DAUB_CONV_BF16:
        return daub_conv_bf16_input_grad(&f, dy, w, dx);
    default:
        return daub_conv_rows_input_grad(&f, dy, w, dx);
    }
}

static daub_status weight_grad(const daub_conv_shape *s, daub_dtype dtype, const void *x,
                               const void *dy, void *dw) {
    if (dtype == DAUB_F64) return daub_conv_plain_weight_grad_f64(s, x, dy, dw);
    daub_conv_shape f = flattened(s);
    switch (daub_conv_choose(&f, DAUB_CONV_WEIGHT_GRAD)) {
    case DAUB_CONV_PLAIN:
        return daub_conv_plain_weight_grad_f32(&f, x, dy, dw);
    case DAUB_CONV_WINOGRAD:
        return daub_conv_winograd_weight_grad(&f, x, dy, dw);
    case DAUB_CONV_BF16:
        return daub_conv_bf16_weight_grad(&f, x, dy, dw);
    default:
        return daub_conv_outer_weight_grad(&f, x, dy, dw);
    }
}

daub_status daub_conv2d(daub_array *y, const daub_array *x, const daub_array *weight,
                        const daub_array *bias, const double *slope, const daub_conv_options *o) {
    static const char name[] = "conv2d";
    daub_status status = daub_check_float(name, "x", x, 4, DAUB_NHWC);
    if (status == DAUB_OK) status = daub_check_float(name, "weight", weight, 4, in_hwio);
    if (status == DAUB_OK) status = daub_check_same_dtype(name, x, weight);
    if (status == DAUB_OK && bias) status = daub_check_float(name, "bias", bias, 1, "filters");
    if (status == DAUB_OK && bias) status = daub_check_same_dtype(name, x, bias);
    if (status != DAUB_OK) return status;
    daub_conv_shape s = {.n = x->shape[0],
                         .c = x->shape[3],
                         .o = weight->shape[3],
                         .size = {x->shape[1], x->shape[2]},
                         .kernel = {weight->shape[0], weight->shape[1]}};
    status = daub_conv_complete(name, &s, o);
    if (status != DAUB_OK) return status;
    if (s.cg != weight->shape[2])
        return daub_fail(DAUB_INVALID,
                         "%s: x %s has %lld channels, weight %s with %lld groups expects %lld",
                         name, daub_shape_show(x).s, (long long)s.c, daub_shape_show(weight).s,
                         (long long)s.groups, (long long)(weight->shape[2] * s.groups));
    if (bias && bias->shape[0] != s.o)
        return daub_fail(DAUB_INVALID, "%s: bias %s, %lld filters expected", name,
                         daub_shape_show(bias).s, (long long)s.o);
    if (slope && !(*slope >= 0))
        return daub_fail(DAUB_INVALID, "%s: a slope of %g (at least 0 expected)", name, *slope);
    s.slope = slope;
    daub_array result;
    status = daub_array_create(&result, x->dtype, 4, (int64_t[]){s.n, s.out[0], s.out[1], s.o});
    if (status != DAUB_OK) return status;
    status = forward(&s, x->dtype, x->data, weight->data, bias ? bias->data : NULL, result.data);
    if (status == DAUB_OK)
        *y = result;
    else
        daub_array_release(&result);
    return status;
}

// The output sizes a convolution would have must be dy's.
static daub_status check_out(const char *name, const daub_conv_shape *s, const daub_array *dy) {
    if (s->out[0] == dy->shape[1] && s->out[1] == dy->shape[2]) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: dy %s, but %lldx%lld pixels give %lldx%lld", name,
                     daub_shape_show(dy).s, (long long)s->size[0], (long long)s->size[1],
                     (long long)s->out[0], (long long)s->out[1]);
}

daub_status daub_conv2d_input_grad(daub_array *dx, const daub_array *dy, const daub_array *weight,
                                   int64_t height, int64_t width, const daub_conv_options *o) {
    static const char name[] = "conv2d_input_grad";
    daub_status status = daub_check_float(name, "dy", dy, 4, DAUB_NHWC);
    if (status == DAUB_OK) status = daub_check_float(name, "weight", weight, 4, in_hwio);
    if (status == DAUB_OK) status = daub_check_same_dtype(name, dy, weight);
    if (status != DAUB_OK) return status;
    if (height < 1 || width < 1 || o->groups < 1 || weight->shape[2] > INT64_MAX / o->groups)
        return daub_fail(DAUB_INVALID, "%s: %lldx%lld pixels, %lld groups (at least 1 expected)",
                         name, (long long)height, (long long)width, (long long)o->groups);
    daub_conv_shape s = {.n = dy->shape[0],
                         .c = weight->shape[2] * o->groups,
                         .o = weight->shape[3],
                         .size = {height, width},
                         .kernel = {weight->shape[0], weight->shape[1]}};
    status = daub_conv_complete(name, &s, o);
    if (status == DAUB_OK) status = check_out(name, &s, dy);
    if (status != DAUB_OK) return status;
    if (dy->shape[3] != s.o)
        return daub_fail(DAUB_INVALID, "%s: dy %s does not end in the weight's %lld filters", name,
                         daub_shape_show(dy).s, (long long)s.o);
    daub_array result;
    status = daub_array_create(&result, dy->dtype, 4, (int64_t[]){s.n, height, width, s.c});
    if (status != DAUB_OK) return status;
    status = input_grad(&s, dy->dtype, dy->data, weight->data, result.data);
    if (status == DAUB_OK)
        *dx = result;
    else
        daub_array_release(&result);
    return status;
}

daub_status daub_conv2d_weight_grad(daub_array *dw, const daub_array *x, const daub_array *dy,
                                    int64_t kh, int64_t kw, const daub_conv_options *o) {
    static const char name[] = "conv2d_weight_grad";
    daub_status status = daub_check_float(name, "x", x, 4, DAUB_NHWC);
    if (status == DAUB_OK) status = daub_check_float(name, "dy", dy, 4, DAUB_NHWC);
    if (status == DAUB_OK) status = daub_check_same_dtype(name, x, dy);
    if (status != DAUB_OK) return status;
    if (x->shape[0] != dy->shape[0])
        return daub_fail(DAUB_INVALID, "%s: x %s and dy %s are batches of different sizes", name,
                         daub_shape_show(x).s, daub_shape_show(dy).s);
    if (kh < 1 || kw < 1)
        return daub_fail(DAUB_INVALID, "%s: a kernel of %lldx%lld (at least 1x1 expected)", name,
                         (long long)kh, (long long)kw);
    daub_conv_shape s = {.n = x->shape[0],
                         .c = x->shape[3],
                         .o = dy->shape[3],
                         .size = {x->shape[1], x->shape[2]},
                         .kernel = {kh, kw}};
    status = daub_conv_complete(name, &s, o);
    if (status == DAUB_OK) status = check_out(name, &s, dy);
    if (status != DAUB_OK) return status;
    daub_array result;
    status = daub_array_create(&result, x->dtype, 4, (int64_t[]){kh, kw, s.cg, s.o});
    if (status != DAUB_OK) return status;
    status = weight_grad(&s, x->dtype, x->data, dy->data, result.data);
    if (status == DAUB_OK)
        *dw = result;
    else
        daub_array_release(&result);
    return status;
}
