// Shared by the sources of src/image only.
#ifndef DAUB_IMAGE_INTERNAL_H
#define DAUB_IMAGE_INTERNAL_H

#include <limits.h>

#include "image/image.h"

// stb counts bytes and places in int: whether a picture, as it lies and as RGB, stays within
// `limit`. Sides are at least 1.
static inline bool daub_pixels_within(const daub_pixels *p, int limit) {
    int64_t row = (p->width + 1) * (p->channels < 3 ? 3 : p->channels) * (p->is_float ? 4 : 1);
    if (p->row_bytes > row) row = p->row_bytes;
    return row <= limit / p->height;
}

static inline uint32_t be16(const uint8_t *p) {
    return (uint32_t)p[0] << 8 | p[1];
}
static inline uint32_t be32(const uint8_t *p) {
    return be16(p) << 16 | be16(p + 2);
}
static inline uint32_t le16(const uint8_t *p) {
    return (uint32_t)p[1] << 8 | p[0];
}
static inline uint32_t le24(const uint8_t *p) {
    return (uint32_t)p[2] << 16 | le16(p);
}
static inline uint32_t le32(const uint8_t *p) {
    return le16(p + 2) << 16 | le16(p);
}

const char *daub_format_label(daub_format format); // "JPEG", "PNG", …: for messages

// What the walk over a file's structure finds beyond its size. Pointers lead into the bytes walked.
typedef struct daub_structure {
    const uint8_t *exif; // TIFF data, or NULL
    size_t exif_size;
    size_t end; // bytes that belong to the picture; what follows is ignored
    int frames;
    bool animated;   // WebP with ANIM
    bool no_end;     // JPEG without EOI: the last scan may be incomplete
    size_t adobe_at; // JPEG: where an Adobe marker must be inserted, 0 when none is needed
} daub_structure;

// Walks the whole file once before a decoder sees it: every part must lie within the bytes, and PNG
// checksums must be right. info is daub_picture_probe's.
daub_status daub_structure_check(const uint8_t *bytes, size_t size, const daub_picture_info *info,
                                 daub_structure *found);

// Place of the next marker (FF xx) from `at` on that begins a segment or ends the picture; `size`
// when there is none.
size_t daub_jpeg_marker(const uint8_t *bytes, size_t size, size_t at);

// EXIF orientation 1 … 8 from TIFF data; 1 when there is none.
int daub_exif_orientation(const uint8_t *tiff, size_t size);
// Turns RGB upright. Takes *rgb and replaces it; swaps the sides in info for orientations 5 … 8.
daub_status daub_orient(uint8_t **rgb, daub_picture_info *info);

// Separable Lanczos-3, float inside, rows shared out to the pool.
daub_status daub_lanczos3(const daub_pixels *in, const daub_pixels *out, bool linear);

#endif
