// EXIF orientation: reading it and turning pixels upright.
#include <libexif/exif-data.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/internal.h"

int daub_exif_orientation(const uint8_t *tiff, size_t size) {
    if (!tiff || size < 8 || size > 1 << 20) return 1;
    uint8_t *block = malloc(size + 6); // libexif wants the prefix JPEG puts before TIFF data
    if (!block) return 1;
    memcpy(block, "Exif\0\0", 6);
    memcpy(block + 6, tiff, size);
    int orientation = 1;
    ExifData *data = exif_data_new_from_data(block, (unsigned)size + 6);
    ExifEntry *entry =
        data ? exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION) : NULL;
    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->components >= 1 && entry->size >= 2)
        orientation = exif_get_short(entry->data, exif_data_get_byte_order(data));
    if (data) exif_data_unref(data);
    free(block);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

daub_status daub_orient(uint8_t **rgb, daub_picture_info *info) {
    int64_t w = info->width, h = info->height;
    int o = info->orientation;
    if (o <= 1) return DAUB_OK;
    bool swap = o >= 5;
    uint8_t *out = daub_alloc((size_t)(w * h * 3));
    if (!out) return DAUB_NO_MEMORY;
    int64_t out_w = swap ? h : w, out_h = swap ? w : h;
    bool flip_x = o == 2 || o == 3 || o == 7 || o == 8; // of the stored picture, before swapping
    bool flip_y = o == 3 || o == 4 || o == 6 || o == 7;
    for (int64_t y = 0; y < out_h; y++) {
        for (int64_t x = 0; x < out_w; x++) {
            int64_t sx = swap ? y : x, sy = swap ? x : y;
            if (flip_x) sx = w - 1 - sx;
            if (flip_y) sy = h - 1 - sy;
            memcpy(out + (y * out_w + x) * 3, *rgb + (sy * w + sx) * 3, 3);
        }
    }
    daub_free(*rgb);
    *rgb = out;
    info->width = out_w;
    info->height = out_h;
    return DAUB_OK;
}
