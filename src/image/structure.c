// One bounds-checked walk over a whole file before a decoder sees it: stb_image fills what is
// missing with zeros and skips checksums, so what is truncated or damaged is found here.
#include <string.h>

#include "image/internal.h"

static daub_status truncated(const char *name) {
    return daub_fail(DAUB_DECODE, "truncated %s", name);
}

// Rubbish between segments and fill bytes are skipped, as every reader does. In entropy-coded data
// FF 00 stands for FF, and RST markers belong to the data: this finds its end as well.
size_t daub_jpeg_marker(const uint8_t *bytes, size_t size, size_t at) {
    while (at < size) {
        const uint8_t *ff = memchr(bytes + at, 0xFF, size - at);
        if (!ff || ff + 1 >= bytes + size) return size;
        at = (size_t)(ff - bytes);
        int next = ff[1];
        if (next == 0xFF)
            at++;
        else if (next <= 1 || (next >= 0xD0 && next <= 0xD8))
            at += 2;
        else
            return at;
    }
    return size;
}

static daub_status check_jpeg(const uint8_t *bytes, size_t size, const daub_picture_info *info,
                              daub_structure *found) {
    bool adobe = false, scanned = false;
    found->end = size;
    for (size_t at = daub_jpeg_marker(bytes, size, 2); at + 2 <= size;) {
        int marker = bytes[at + 1];
        if (marker == 0xD9) {
            found->end = at + 2;
            break;
        }
        if (at + 4 > size) break;
        size_t length = be16(bytes + at + 2);
        if (length < 2 || at + 2 + length > size) break;
        const uint8_t *p = bytes + at + 4;
        if (marker == 0xE1 && length >= 8 && !found->exif && !memcmp(p, "Exif\0\0", 6)) {
            found->exif = p + 6;
            found->exif_size = length - 8;
        }
        if (marker == 0xEE && length >= 14 && !memcmp(p, "Adobe", 5)) adobe = true;
        if (marker == 0xDA) scanned = true;
        at = daub_jpeg_marker(bytes, size, at + 2 + length);
    }
    if (!scanned) return truncated("JPEG");
    found->no_end = found->end == size && !(bytes[size - 2] == 0xFF && bytes[size - 1] == 0xD9);
    // Four components without Adobe's marker are CMYK too; every reader takes them as inverted.
    if (info->channels == 4 && !adobe) found->adobe_at = 2;
    return DAUB_OK;
}

static uint32_t png_crc(const uint8_t *p, size_t n) {
    static const uint32_t nibble[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                        0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < n; i++) {
        crc = nibble[(crc ^ p[i]) & 15] ^ crc >> 4;
        crc = nibble[(crc ^ p[i] >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

static daub_status check_png(const uint8_t *bytes, size_t size, daub_structure *found) {
    bool data = false;
    for (size_t at = 8; at + 12 <= size;) {
        const uint8_t *type = bytes + at + 4;
        uint32_t length = be32(bytes + at);
        if (length > size - at - 12) break;
        bool critical = !(type[0] & 0x20) || !memcmp(type, "tRNS", 4);
        if (critical && png_crc(type, length + 4) != be32(type + 4 + length))
            return daub_fail(DAUB_DECODE, "broken PNG: wrong checksum");
        if (!memcmp(type, "IDAT", 4)) data = true;
        if (!memcmp(type, "eXIf", 4)) {
            found->exif = type + 4;
            found->exif_size = length;
        }
        if (!memcmp(type, "acTL", 4) && length == 8) {
            uint32_t frames = be32(type + 4);
            if (frames >= 1 && frames < 1 << 24) found->frames = (int)frames;
        }
        at += 12 + (size_t)length;
        if (!memcmp(type, "IEND", 4)) {
            found->end = at;
            return data ? DAUB_OK : daub_fail(DAUB_DECODE, "broken PNG: no picture data");
        }
    }
    return truncated("PNG");
}

static size_t skip_gif_blocks(const uint8_t *bytes, size_t size, size_t at) {
    while (at < size && bytes[at]) at += 1 + (size_t)bytes[at];
    return at < size ? at + 1 : 0; // 0: ended inside
}

static daub_status check_gif(const uint8_t *bytes, size_t size, daub_structure *found) {
    int frames = 0;
    size_t at = 13;
    if (bytes[10] & 0x80) at += (size_t)3 << ((bytes[10] & 7) + 1);
    while (at < size) {
        int kind = bytes[at];
        if (kind == 0x21 && at + 2 < size) {
            at = skip_gif_blocks(bytes, size, at + 2);
        } else if (kind == 0x2C && at + 10 < size) {
            int flags = bytes[at + 9];
            at += 10;
            if (flags & 0x80) at += (size_t)3 << ((flags & 7) + 1);
            at = skip_gif_blocks(bytes, size, at + 1); // past the LZW code size
            if (at) frames++;
        } else {
            break; // trailer or rubbish
        }
        if (at == 0) {
            if (frames) break; // a later frame is cut: the first is whole
            return truncated("GIF");
        }
    }
    if (frames == 0) return daub_fail(DAUB_DECODE, "broken GIF: no frame");
    found->frames = frames;
    return DAUB_OK;
}

static daub_status check_bmp(const uint8_t *bytes, size_t size, const daub_picture_info *info) {
    uint32_t header = le32(bytes + 14);
    if (size < 14 + (size_t)header) return truncated("BMP");
    uint32_t offset = le32(bytes + 10), depth = le16(bytes + (header == 12 ? 24 : 28));
    uint32_t compression = header == 12 ? 0 : le32(bytes + 30);
    if (compression != 0 && compression != 3)
        return daub_fail(DAUB_DECODE, "compressed BMP is not supported");
    uint64_t row = ((uint64_t)info->width * depth + 31) / 32 * 4;
    uint64_t last = ((uint64_t)info->width * depth + 7) / 8;
    if (offset + row * (uint64_t)(info->height - 1) + last > size) return truncated("BMP");
    return DAUB_OK;
}

static daub_status check_tga(const uint8_t *bytes, size_t size, const daub_picture_info *info) {
    uint64_t left = (uint64_t)(info->width * info->height);
    size_t pixel = ((size_t)bytes[16] + 7) / 8;
    size_t at =
        18 + (size_t)bytes[0] + (bytes[1] ? le16(bytes + 5) * (((size_t)bytes[7] + 7) / 8) : 0);
    if (at > size) return truncated("TGA");
    if (!(bytes[2] & 8)) return left * pixel > size - at ? truncated("TGA") : DAUB_OK;
    while (left > 0) { // packets of 1 … 128 pixels: repeated or literal
        if (at >= size) return truncated("TGA");
        uint64_t count = (bytes[at] & 127) + 1u;
        at += 1 + (bytes[at] & 128 ? pixel : pixel * (size_t)count);
        if (at > size) return truncated("TGA");
        left -= count < left ? count : left;
    }
    return DAUB_OK;
}

static daub_status check_webp(const uint8_t *bytes, size_t size, daub_structure *found) {
    uint64_t whole = (uint64_t)le32(bytes + 4) + 8;
    if (whole > size) return truncated("WebP");
    int frames = 0;
    for (uint64_t at = 12; at + 8 <= whole;) {
        const uint8_t *chunk = bytes + at;
        uint64_t length = le32(chunk + 4);
        if (at + 8 + length > whole) return truncated("WebP");
        if (!memcmp(chunk, "EXIF", 4)) {
            bool prefixed = length >= 6 && !memcmp(chunk + 8, "Exif\0\0", 6);
            found->exif = chunk + 8 + (prefixed ? 6 : 0);
            found->exif_size = (size_t)length - (prefixed ? 6 : 0);
        }
        if (!memcmp(chunk, "ANIM", 4)) found->animated = true;
        if (!memcmp(chunk, "ANMF", 4)) frames++;
        at += 8 + length + (length & 1);
    }
    if (frames) found->frames = frames;
    found->end = (size_t)whole;
    return DAUB_OK;
}

daub_status daub_structure_check(const uint8_t *bytes, size_t size, const daub_picture_info *info,
                                 daub_structure *found) {
    *found = (daub_structure){.end = size, .frames = 1};
    switch (info->format) {
    case DAUB_FORMAT_JPEG:
        return check_jpeg(bytes, size, info, found);
    case DAUB_FORMAT_PNG:
        return check_png(bytes, size, found);
    case DAUB_FORMAT_GIF:
        return check_gif(bytes, size, found);
    case DAUB_FORMAT_BMP:
        return check_bmp(bytes, size, info);
    case DAUB_FORMAT_TGA:
        return check_tga(bytes, size, info);
    case DAUB_FORMAT_WEBP:
        return check_webp(bytes, size, found);
    default:
        return daub_fail(DAUB_INVALID, "structure check: unknown format");
    }
}
