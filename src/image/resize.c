// Resizing by stb_image_resize; Lanczos-3 by lanczos.c.
#include <stb_image_resize.h>
#include <string.h>

#include "image/internal.h"

static const char *const filter_names[] = {"box", "triangle", "mitchell", "catmullrom", "lanczos3"};

bool daub_filter_parse(const char *name, daub_filter *filter) {
    for (size_t i = 0; i < sizeof filter_names / sizeof *filter_names; i++) {
        if (strcmp(name, filter_names[i]) == 0) {
            *filter = (daub_filter)i;
            return true;
        }
    }
    return false;
}

static daub_status check(const daub_pixels *in, const daub_pixels *out, bool linear) {
    if (in->is_float != out->is_float || in->channels != out->channels)
        return daub_fail(DAUB_INVALID,
                         "resize: both pictures must have one dtype and channel count");
    if (in->channels < 1 || in->channels > 4)
        return daub_fail(DAUB_INVALID, "resize: 1 to 4 channels expected, got %d", in->channels);
    const daub_pixels *both[] = {in, out};
    for (int i = 0; i < 2; i++) {
        if (both[i]->width < 1 || both[i]->height < 1 || both[i]->width > 65535 ||
            both[i]->height > 65535)
            return daub_fail(DAUB_INVALID, "resize: sides of 1 to 65535 expected, got %lldx%lld",
                             (long long)both[i]->width, (long long)both[i]->height);
    }
    if (linear && in->is_float)
        return daub_fail(DAUB_INVALID, "resize: linear is for u8 pixels, these are f32");
    return DAUB_OK;
}

// stb keeps rows of the output's width, as floats, for as many input rows as its widest filter (4
// output pixels) spans, and computes their size in int.
static daub_status check_stb(const daub_pixels *in, const daub_pixels *out) {
    int64_t kept = 4 * (in->height / out->height + 1) + 2;
    int64_t row = out->width * out->channels * (int64_t)sizeof(float);
    if (kept * row <= INT_MAX / 2 && daub_pixels_within(in, INT_MAX) &&
        daub_pixels_within(out, INT_MAX))
        return DAUB_OK;
    return daub_fail(DAUB_INVALID, "resize: %lldx%lld to %lldx%lld is too much (lanczos3 can)",
                     (long long)in->width, (long long)in->height, (long long)out->width,
                     (long long)out->height);
}

daub_status daub_resize(const daub_pixels *in, const daub_pixels *out, daub_filter filter,
                        bool linear) {
    static const stbir_filter stb_filters[] = {STBIR_FILTER_BOX, STBIR_FILTER_TRIANGLE,
                                               STBIR_FILTER_MITCHELL, STBIR_FILTER_CATMULLROM};
    daub_status status = check(in, out, linear);
    if (status != DAUB_OK) return status;
    if (filter == DAUB_FILTER_LANCZOS3) return daub_lanczos3(in, out, linear);
    status = check_stb(in, out);
    if (status != DAUB_OK) return status;
    int alpha = in->channels == 4 ? 3 : STBIR_ALPHA_CHANNEL_NONE;
    int flags = alpha == 3 ? STBIR_FLAG_ALPHA_PREMULTIPLIED : 0; // channels are filtered separately
    stbir_colorspace space = linear ? STBIR_COLORSPACE_SRGB : STBIR_COLORSPACE_LINEAR;
    int done;
    if (in->is_float)
        done = stbir_resize_float_generic(
            in->data, (int)in->width, (int)in->height, (int)in->row_bytes, out->data,
            (int)out->width, (int)out->height, (int)out->row_bytes, in->channels, alpha, flags,
            STBIR_EDGE_CLAMP, stb_filters[filter], space, NULL);
    else
        done = stbir_resize_uint8_generic(
            in->data, (int)in->width, (int)in->height, (int)in->row_bytes, out->data,
            (int)out->width, (int)out->height, (int)out->row_bytes, in->channels, alpha, flags,
            STBIR_EDGE_CLAMP, stb_filters[filter], space, NULL);
    return done ? DAUB_OK : daub_fail(DAUB_NO_MEMORY, "resize: no memory");
}
