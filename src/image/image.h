// Pictures: what bytes are, decoding, encoding, resizing, fingerprints, terminal output.
//
//     daub_picture_info info;
//     daub_status s = daub_picture_probe(bytes, size, 50e6, &info);       // header only
//     uint8_t *rgb;                                                       // (height, width, 3)
//     s = daub_picture_decode(bytes, size, 50e6, &info, &rgb);            // in this process!
//     daub_free(rgb);
//
// daub_picture_decode runs libraries over strangers' bytes: only the sandboxed child of decoder.h
// calls it (and tests, on bytes of their own). Everything else here works on pixels and may be
// called from any thread. Pixels are rows of interleaved channels; blocks returned come from
// daub_alloc and are the caller's. Reasons for refusing bytes are DAUB_DECODE with one line that
// says what they are.
#ifndef DAUB_IMAGE_IMAGE_H
#define DAUB_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum daub_format {
    DAUB_FORMAT_NONE,
    DAUB_FORMAT_JPEG,
    DAUB_FORMAT_PNG,
    DAUB_FORMAT_GIF,
    DAUB_FORMAT_BMP,
    DAUB_FORMAT_TGA,
    DAUB_FORMAT_WEBP,
} daub_format;

typedef struct daub_picture_info {
    daub_format format;
    int64_t width, height; // probe: as stored; decode: upright, as decoded
    int channels;          // as stored: 1 grey, 2 grey+alpha, 3 colour, 4 colour+alpha or CMYK
    int frames;            // 1, or more for animations (the first is decoded); probe does not count
    int orientation;       // EXIF 1 … 8 that decode applied; probe leaves 1
} daub_picture_info;

const char *daub_format_name(daub_format format); // "jpeg", "png", …

// Reads format, size and channels from the header alone. DAUB_DECODE when it is no picture, a
// format that is not supported, or has more than `max_pixels` pixels or a side over 65535.
daub_status daub_picture_probe(const uint8_t *bytes, size_t size, int64_t max_pixels,
                               daub_picture_info *info);

// Decodes to RGB (height, width, 3): upright by EXIF, alpha put on white, grey, palette, CMYK and
// 16 bits converted, the first frame of animations. Colour profiles are ignored: values are taken
// as sRGB. DAUB_DECODE when anything of the picture is missing.
daub_status daub_picture_decode(const uint8_t *bytes, size_t size, int64_t max_pixels,
                                daub_picture_info *info, uint8_t **rgb);

// A rectangle of pixels in memory: u8 or f32, 1 … 4 interleaved channels.
typedef struct daub_pixels {
    void *data;
    bool is_float;
    int channels;
    int64_t width, height;
    int64_t row_bytes; // distance of two rows, never less than their length
} daub_pixels;

// Encoding of u8 pixels with 1, 3 or 4 channels (JPEG and WebP take no less than 3), at most 1 GiB
// of them. *out from daub_alloc.
daub_status daub_encode_png(const daub_pixels *in, uint8_t **out, size_t *size);
daub_status daub_encode_jpeg(const daub_pixels *in, int quality, uint8_t **out, size_t *size);
daub_status daub_encode_webp(const daub_pixels *in, int quality, uint8_t **out, size_t *size);

typedef enum daub_filter {
    DAUB_FILTER_BOX,
    DAUB_FILTER_TRIANGLE,
    DAUB_FILTER_MITCHELL,
    DAUB_FILTER_CATMULLROM,
    DAUB_FILTER_LANCZOS3,
} daub_filter;

bool daub_filter_parse(const char *name, daub_filter *filter); // false when unknown

// Fills `out` (same dtype and channels, its own size) from `in`. Edges are clamped; widening
// kernels when shrinking. Values are filtered as they are (sRGB) unless `linear`, which undoes and
// redoes the sRGB curve (u8 only; a fourth channel is alpha and stays linear). Channels are
// filtered separately. f32 values are not clamped: Lanczos and Catmull-Rom overshoot. DAUB_INVALID
// for sizes beyond stb's arithmetic (2 GiB, or extreme ratios); Lanczos takes them.
daub_status daub_resize(const daub_pixels *in, const daub_pixels *out, daub_filter filter,
                        bool linear);

// Perceptual hash: signs of the 8x8 lowest DCT coefficients of the 32x32 grey picture against their
// median, row-major, first coefficient in the highest bit. u8 pixels, 1, 3 or 4 channels.
daub_status daub_phash(const daub_pixels *in, uint64_t *hash);

typedef struct daub_picture_stats {
    double mean[3]; // 0 … 255 per channel
    double stddev;  // of the luma, 0 … 127.5
    double flat;    // share of pixels in the most common colour of 4 bits a channel, 0 … 1
} daub_picture_stats;

daub_status daub_statistics(const daub_pixels *in,
                            daub_picture_stats *stats); // u8, 1, 3 or 4 channels

typedef struct daub_looks { // both together
    uint64_t phash;
    daub_picture_stats stats;
} daub_looks;

// Text that shows the picture in the terminal the environment describes (sixel, kitty, iTerm2, or
// half blocks in as many colours as it has), at most columns x rows cells. u8, 3 or 4 channels;
// *out from daub_alloc, NUL-terminated.
daub_status daub_terminal_picture(const daub_pixels *in, int columns, int rows, char **out,
                                  size_t *size);

#endif
