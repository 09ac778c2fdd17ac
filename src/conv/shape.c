#include "conv/shape.h"

#include "conv/picture.h"

daub_status daub_conv_complete(const char *name, daub_conv_shape *s,
                               const daub_conv_options *options) {
    s->groups = options->groups;
    if (s->groups < 1 || s->c % s->groups || s->o % s->groups)
        return daub_fail(DAUB_INVALID,
                         "%s: %lld groups do not divide %lld channels and %lld filters", name,
                         (long long)s->groups, (long long)s->c, (long long)s->o);
    s->cg = s->c / s->groups;
    s->og = s->o / s->groups;
    for (int axis = 0; axis < 2; axis++) {
        int64_t stride = options->stride[axis], padding = options->padding[axis];
        if (stride < 1 || stride > DAUB_CONV_LIMIT || padding < 0 || padding > DAUB_CONV_LIMIT)
            return daub_fail(DAUB_INVALID,
                             "%s: stride %lld, padding %lld (stride >= 1, padding >= 0 expected)",
                             name, (long long)stride, (long long)padding);
        if (s->size[axis] > DAUB_CONV_LIMIT || s->kernel[axis] > DAUB_CONV_LIMIT)
            return daub_fail(DAUB_INVALID, "%s: sizes beyond %lld are not supported", name,
                             (long long)DAUB_CONV_LIMIT);
        s->stride[axis] = stride;
        s->padding[axis] = padding;
        int64_t room = s->size[axis] + 2 * padding - s->kernel[axis];
        if (room < 0)
            return daub_fail(DAUB_INVALID,
                             "%s: a kernel of %lldx%lld does not fit into %lldx%lld with padding "
                             "%lldx%lld",
                             name, (long long)s->kernel[0], (long long)s->kernel[1],
                             (long long)s->size[0], (long long)s->size[1],
                             (long long)options->padding[0], (long long)options->padding[1]);
        s->out[axis] = room / stride + 1;
    }
    return DAUB_OK;
}
