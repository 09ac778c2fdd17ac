// PNG, JPEG and WebP from pixels.
#include <stb_image_write.h>
#include <string.h>
#include <webp/encode.h>

#include "base/memory.h"
#include "image/internal.h"

typedef struct growing {
    uint8_t *data;
    size_t size, room;
    bool failed;
} growing;

static void append(void *context, void *data, int size) {
    growing *g = context;
    if (g->failed || size <= 0) return;
    if (g->size + (size_t)size > g->room) {
        size_t room = (g->size + (size_t)size) * 2;
        uint8_t *bigger = daub_alloc(room);
        if (!bigger) {
            g->failed = true;
            return;
        }
        if (g->size) memcpy(bigger, g->data, g->size);
        daub_free(g->data);
        g->data = bigger;
        g->room = room;
    }
    memcpy(g->data + g->size, data, (size_t)size);
    g->size += (size_t)size;
}

static daub_status finish(growing *g, int written, const char *what, uint8_t **out, size_t *size) {
    if (!written || g->failed) {
        daub_free(g->data);
        return daub_fail(DAUB_NO_MEMORY, "%s: no memory to encode", what);
    }
    *out = g->data;
    *size = g->size;
    return DAUB_OK;
}

static daub_status check(const daub_pixels *in, const char *what, int max_side) {
    if (in->is_float) return daub_fail(DAUB_INVALID, "%s: u8 pixels expected, got f32", what);
    if (in->channels != 1 && in->channels != 3 && in->channels != 4)
        return daub_fail(DAUB_INVALID, "%s: 1, 3 or 4 channels expected, got %d", what,
                         in->channels);
    if (in->width < 1 || in->height < 1 || in->width > max_side || in->height > max_side)
        return daub_fail(DAUB_INVALID, "%s: sides of 1 to %d expected, got %lldx%lld", what,
                         max_side, (long long)in->width, (long long)in->height);
    if (!daub_pixels_within(in, INT_MAX / 2)) // PNG may come out larger than the pixels
        return daub_fail(DAUB_INVALID, "%s: a picture of %lldx%lld is more than 1 GiB", what,
                         (long long)in->width, (long long)in->height);
    return DAUB_OK;
}

static daub_status check_quality(int quality, const char *what) {
    if (quality >= 1 && quality <= 100) return DAUB_OK;
    return daub_fail(DAUB_INVALID, "%s: quality of 1 to 100 expected, got %d", what, quality);
}

// Contiguous RGB: grey repeated, alpha put on white.
static daub_status to_rgb(const daub_pixels *in, uint8_t **rgb) {
    *rgb = daub_alloc((size_t)(in->width * in->height * 3));
    if (!*rgb) return DAUB_NO_MEMORY;
    uint8_t *out = *rgb;
    for (int64_t y = 0; y < in->height; y++) {
        const uint8_t *p = (const uint8_t *)in->data + y * in->row_bytes;
        for (int64_t x = 0; x < in->width; x++, p += in->channels, out += 3) {
            for (int c = 0; c < 3; c++) {
                int value = p[in->channels == 1 ? 0 : c];
                if (in->channels == 4) value = (value * p[3] + 255 * (255 - p[3]) + 127) / 255;
                out[c] = (uint8_t)value;
            }
        }
    }
    return DAUB_OK;
}

daub_status daub_encode_png(const daub_pixels *in, uint8_t **out, size_t *size) {
    daub_status status = check(in, "encode_png", 65535);
    if (status != DAUB_OK) return status;
    growing g = {0};
    int written = stbi_write_png_to_func(append, &g, (int)in->width, (int)in->height, in->channels,
                                         in->data, (int)in->row_bytes);
    return finish(&g, written, "encode_png", out, size);
}

daub_status daub_encode_jpeg(const daub_pixels *in, int quality, uint8_t **out, size_t *size) {
    uint8_t *rgb;
    daub_status status = check(in, "encode_jpeg", 65535);
    if (status == DAUB_OK) status = check_quality(quality, "encode_jpeg");
    if (status == DAUB_OK) status = to_rgb(in, &rgb);
    if (status != DAUB_OK) return status;
    growing g = {0};
    int written =
        stbi_write_jpg_to_func(append, &g, (int)in->width, (int)in->height, 3, rgb, quality);
    daub_free(rgb);
    return finish(&g, written, "encode_jpeg", out, size);
}

daub_status daub_encode_webp(const daub_pixels *in, int quality, uint8_t **out, size_t *size) {
    daub_status status = check(in, "encode_webp", WEBP_MAX_DIMENSION);
    if (status == DAUB_OK) status = check_quality(quality, "encode_webp");
    if (status != DAUB_OK) return status;
    uint8_t *encoded = NULL;
    size_t bytes;
    int w = (int)in->width, h = (int)in->height;
    if (in->channels == 4) {
        bytes = WebPEncodeRGBA(in->data, w, h, (int)in->row_bytes, (float)quality, &encoded);
    } else {
        uint8_t *rgb;
        status = to_rgb(in, &rgb);
        if (status != DAUB_OK) return status;
        bytes = WebPEncodeRGB(rgb, w, h, 3 * w, (float)quality, &encoded);
        daub_free(rgb);
    }
    growing g = {0};
    if (bytes && bytes < INT32_MAX) append(&g, encoded, (int)bytes);
    WebPFree(encoded);
    return finish(&g, g.size > 0, "encode_webp", out, size);
}
