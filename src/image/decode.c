// From bytes to RGB, inside the sandbox: stb_image and libwebp behind the checks of probe and
// structure.
#include <limits.h>
#include <stb_image.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include "base/memory.h"
#include "image/internal.h"

static daub_status out_of_memory(const daub_picture_info *info) {
    return daub_fail(DAUB_DECODE, "%lldx%lld %s needs more memory than decoding may take",
                     (long long)info->width, (long long)info->height,
                     daub_format_label(info->format));
}

static daub_status stb_failure(const daub_picture_info *info) {
    const char *reason = stbi_failure_reason();
    if (!reason) reason = "unknown reason";
    if (!strcmp(reason, "outofmem") || !strcmp(reason, "too large")) return out_of_memory(info);
    return daub_fail(DAUB_DECODE, "broken %s: %s", daub_format_label(info->format), reason);
}

// Alpha onto white, RGBA to RGB.
static void flatten(const uint8_t *rgba, int64_t pixels, uint8_t *rgb) {
    for (int64_t i = 0; i < pixels; i++) {
        int a = rgba[4 * i + 3];
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)((rgba[4 * i + c] * a + 255 * (255 - a) + 127) / 255);
    }
}

// Copies decoded pixels (3 or 4 channels) into a block of ours. A decoder that found another size
// than the header's is not believed.
static daub_status take(const uint8_t *pixels, int w, int h, int channels,
                        const daub_picture_info *info, uint8_t **rgb) {
    if (w != info->width || h != info->height)
        return daub_fail(DAUB_DECODE, "broken %s: its size contradicts its header",
                         daub_format_label(info->format));
    int64_t count = (int64_t)w * h;
    *rgb = daub_alloc((size_t)count * 3);
    if (!*rgb) return out_of_memory(info);
    if (channels == 4)
        flatten(pixels, count, *rgb);
    else
        memcpy(*rgb, pixels, (size_t)count * 3);
    return DAUB_OK;
}

static daub_status decode_stb(const uint8_t *bytes, size_t size, const daub_picture_info *info,
                              uint8_t **rgb) {
    bool opaque = info->format == DAUB_FORMAT_JPEG;
    int w, h, n, want = opaque ? 3 : 4;
    uint8_t *pixels = stbi_load_from_memory(bytes, (int)size, &w, &h, &n, want);
    if (!pixels) return stb_failure(info);
    daub_status status = take(pixels, w, h, want, info, rgb);
    stbi_image_free(pixels);
    return status;
}

// A JPEG with extra bytes: an Adobe marker before its first segment and `padding` and EOI after its
// end.
static uint8_t *patched_jpeg(const uint8_t *bytes, size_t size, bool adobe, int padding,
                             size_t *patched) {
    static const uint8_t marker[] = {0xFF, 0xEE, 0,   14, 'A', 'd', 'o', 'b',
                                     'e',  0,    100, 0,  0,   0,   0,   0};
    size_t before = adobe ? sizeof marker : 0, after = padding < 0 ? 0 : 66;
    uint8_t *copy = malloc(size + before + after);
    if (!copy) return NULL;
    memcpy(copy, bytes, 2);
    memcpy(copy + 2, marker, before);
    memcpy(copy + 2 + before, bytes + 2, size - 2);
    uint8_t *end = copy + before + size;
    if (after) {
        memset(end, padding, 64);
        end[64] = 0xFF;
        end[65] = 0xD9;
    }
    *patched = size + before + after;
    return copy;
}

static daub_status decode_patched(const uint8_t *bytes, const daub_structure *found, int padding,
                                  const daub_picture_info *info, uint8_t **rgb) {
    size_t size;
    uint8_t *copy = patched_jpeg(bytes, found->end, found->adobe_at != 0, padding, &size);
    if (!copy) return out_of_memory(info);
    daub_status status = decode_stb(copy, size, info, rgb);
    free(copy);
    return status;
}

// Without EOI nothing says whether the last scan is whole. So decode twice with different bytes put
// after it: when they change the picture, they stood where picture data was missing.
static daub_status decode_endless_jpeg(const uint8_t *bytes, const daub_structure *found,
                                       const daub_picture_info *info, uint8_t **rgb) {
    uint8_t *other = NULL;
    daub_status status = decode_patched(bytes, found, 0x00, info, rgb);
    if (status != DAUB_OK) return daub_fail(DAUB_DECODE, "truncated JPEG");
    status = decode_patched(bytes, found, 0x5A, info, &other);
    if (status != DAUB_OK || memcmp(*rgb, other, (size_t)(info->width * info->height * 3)) != 0) {
        daub_free(*rgb);
        *rgb = NULL;
        status = daub_fail(DAUB_DECODE, "truncated JPEG");
    }
    daub_free(other);
    return status;
}

static daub_status decode_jpeg(const uint8_t *bytes, const daub_structure *found,
                               const daub_picture_info *info, uint8_t **rgb) {
    if (found->no_end) return decode_endless_jpeg(bytes, found, info, rgb);
    if (found->adobe_at) return decode_patched(bytes, found, -1, info, rgb);
    return decode_stb(bytes, found->end, info, rgb);
}

static daub_status decode_webp_animation(const uint8_t *bytes, size_t size,
                                         const daub_picture_info *info, uint8_t **rgb) {
    WebPData data = {bytes, size};
    WebPAnimDecoderOptions options;
    WebPAnimInfo anim;
    if (!WebPAnimDecoderOptionsInit(&options)) return out_of_memory(info);
    options.use_threads = 0;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, &options);
    if (!decoder) return daub_fail(DAUB_DECODE, "broken WebP: the animation cannot be read");
    daub_status status;
    uint8_t *frame;
    int timestamp;
    if (WebPAnimDecoderGetInfo(decoder, &anim) &&
        WebPAnimDecoderGetNext(decoder, &frame, &timestamp))
        status = take(frame, (int)anim.canvas_width, (int)anim.canvas_height, 4, info, rgb);
    else
        status = daub_fail(DAUB_DECODE, "broken WebP: the first frame cannot be decoded");
    WebPAnimDecoderDelete(decoder);
    return status;
}

static daub_status decode_webp(const uint8_t *bytes, size_t size, const daub_picture_info *info,
                               uint8_t **rgb) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return out_of_memory(info);
    config.output.colorspace = MODE_RGBA;
    VP8StatusCode code = WebPDecode(bytes, size, &config);
    daub_status status;
    if (code == VP8_STATUS_OK)
        status = take(config.output.u.RGBA.rgba, config.output.width, config.output.height, 4, info,
                      rgb);
    else if (code == VP8_STATUS_OUT_OF_MEMORY)
        status = out_of_memory(info);
    else if (code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED)
        status = daub_fail(DAUB_DECODE, "truncated WebP");
    else
        status = daub_fail(DAUB_DECODE, "broken WebP");
    WebPFreeDecBuffer(&config.output);
    return status;
}

daub_status daub_picture_decode(const uint8_t *bytes, size_t size, int64_t max_pixels,
                                daub_picture_info *info, uint8_t **rgb) {
    *rgb = NULL;
    daub_structure found;
    if (size > INT_MAX / 2) return daub_fail(DAUB_DECODE, "file of more than 1 GiB");
    daub_status status = daub_picture_probe(bytes, size, max_pixels, info);
    if (status == DAUB_OK) status = daub_structure_check(bytes, size, info, &found);
    if (status != DAUB_OK) return status;
    if (info->format == DAUB_FORMAT_JPEG)
        status = decode_jpeg(bytes, &found, info, rgb);
    else if (info->format == DAUB_FORMAT_WEBP)
        status = found.animated ? decode_webp_animation(bytes, found.end, info, rgb)
                                : decode_webp(bytes, found.end, info, rgb);
    else
        status = decode_stb(bytes, found.end, info, rgb);
    if (status != DAUB_OK) return status;
    info->frames = found.frames;
    info->orientation = daub_exif_orientation(found.exif, found.exif_size);
    status = daub_orient(rgb, info);
    if (status == DAUB_OK) return DAUB_OK;
    daub_free(*rgb);
    *rgb = NULL;
    return status;
}
