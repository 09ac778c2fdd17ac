#include "image/animation.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "base/memory.h"
#include "image/internal.h"

enum { MOST_MILLISECONDS = 1 << 20 };

struct daub_animation {
    WebPAnimEncoder *encoder;
    WebPConfig config;
    int width, height;
    int64_t now; // milliseconds at which the next frame begins
    int frames;
    bool finished;
};

daub_status daub_animation_open(daub_animation **out, int64_t width, int64_t height, int quality) {
    if (width < 1 || height < 1 || width > WEBP_MAX_DIMENSION || height > WEBP_MAX_DIMENSION)
        return daub_fail(DAUB_INVALID, "animation: sides of 1 to %d expected, got %lldx%lld",
                         WEBP_MAX_DIMENSION, (long long)width, (long long)height);
    if (quality < 1 || quality > 100)
        return daub_fail(DAUB_INVALID, "animation: quality of 1 to 100 expected, got %d", quality);
    daub_animation *a = calloc(1, sizeof *a);
    WebPAnimEncoderOptions options;
    if (!a || !WebPAnimEncoderOptionsInit(&options) || !WebPConfigInit(&a->config)) goto fail;
    a->config.quality = (float)quality;
    a->width = (int)width;
    a->height = (int)height;
    a->encoder = WebPAnimEncoderNew(a->width, a->height, &options);
    if (!a->encoder) goto fail;
    *out = a;
    return DAUB_OK;
fail:
    free(a);
    return daub_fail(DAUB_NO_MEMORY, "animation: no memory for %lldx%lld", (long long)width,
                     (long long)height);
}

// Words of 0xFFRRGGBB: grey repeated, alpha put on white.
static void to_argb(const daub_pixels *in, WebPPicture *out) {
    for (int64_t y = 0; y < in->height; y++) {
        const uint8_t *p = (const uint8_t *)in->data + y * in->row_bytes;
        uint32_t *word = out->argb + y * out->argb_stride;
        for (int64_t x = 0; x < in->width; x++, p += in->channels) {
            uint32_t argb = 0xFF;
            for (int c = 0; c < 3; c++) {
                unsigned value = p[in->channels == 1 ? 0 : c];
                if (in->channels == 4) value = (value * p[3] + 255U * (255U - p[3]) + 127) / 255;
                argb = argb << 8 | value;
            }
            word[x] = argb;
        }
    }
}

static daub_status check_frame(const daub_animation *a, const daub_pixels *frame, int duration) {
    if (a->finished) return daub_fail(DAUB_INVALID, "animation: it is finished");
    if (frame->is_float || (frame->channels != 1 && frame->channels != 3 && frame->channels != 4))
        return daub_fail(DAUB_INVALID, "animation: u8 pixels with 1, 3 or 4 channels expected");
    if (frame->width != a->width || frame->height != a->height)
        return daub_fail(DAUB_INVALID, "animation: frames of %dx%d expected, got %lldx%lld",
                         a->width, a->height, (long long)frame->width, (long long)frame->height);
    if (duration < 1 || duration > MOST_MILLISECONDS || a->now > INT_MAX - duration)
        return daub_fail(DAUB_INVALID, "animation: 1 to %d ms a frame expected, got %d",
                         MOST_MILLISECONDS, duration);
    return DAUB_OK;
}

daub_status daub_animation_add(daub_animation *a, const daub_pixels *frame, int milliseconds) {
    daub_status status = check_frame(a, frame, milliseconds);
    if (status != DAUB_OK) return status;
    WebPPicture picture;
    if (!WebPPictureInit(&picture)) return daub_fail(DAUB_NO_MEMORY, "animation: wrong libwebp");
    picture.use_argb = 1;
    picture.width = a->width;
    picture.height = a->height;
    if (!WebPPictureAlloc(&picture)) return daub_fail(DAUB_NO_MEMORY, "animation: no memory");
    to_argb(frame, &picture);
    int added = WebPAnimEncoderAdd(a->encoder, &picture, (int)a->now, &a->config);
    WebPPictureFree(&picture);
    if (!added)
        return daub_fail(DAUB_NO_MEMORY, "animation: frame %d: %s", a->frames + 1,
                         WebPAnimEncoderGetError(a->encoder));
    a->now += milliseconds;
    a->frames++;
    return DAUB_OK;
}

daub_status daub_animation_finish(daub_animation *a, uint8_t **out, size_t *size) {
    if (a->finished) return daub_fail(DAUB_INVALID, "animation: it is finished");
    if (!a->frames) return daub_fail(DAUB_INVALID, "animation: it has no frame");
    a->finished = true;
    WebPData data;
    WebPDataInit(&data);
    bool made = WebPAnimEncoderAdd(a->encoder, NULL, (int)a->now, NULL) &&
                WebPAnimEncoderAssemble(a->encoder, &data);
    uint8_t *copy = made ? daub_alloc(data.size) : NULL;
    if (copy) {
        memcpy(copy, data.bytes, data.size);
        *out = copy;
        *size = data.size;
    }
    WebPDataClear(&data);
    return copy ? DAUB_OK : daub_fail(DAUB_NO_MEMORY, "animation: no memory to put it together");
}

void daub_animation_close(daub_animation *a) {
    if (!a) return;
    WebPAnimEncoderDelete(a->encoder);
    free(a);
}
