// What bytes are, from their first bytes and the header of the format, by bounds-checked reading.
#include <string.h>

#include "image/internal.h"

const char *daub_format_name(daub_format format) {
    static const char *const names[] = {"none", "jpeg", "png", "gif", "bmp", "tga", "webp"};
    return names[format];
}

const char *daub_format_label(daub_format format) {
    static const char *const labels[] = {"picture", "JPEG", "PNG", "GIF", "BMP", "TGA", "WebP"};
    return labels[format];
}

static bool starts(const uint8_t *bytes, size_t size, const char *magic, size_t length) {
    return size >= length && memcmp(bytes, magic, length) == 0;
}

static daub_status truncated(const char *name) {
    return daub_fail(DAUB_DECODE, "truncated %s: it ends inside the header", name);
}

static daub_status probe_jpeg_frame(const uint8_t *p, size_t length, int marker,
                                    daub_picture_info *info) {
    if (marker == 0xC9 || marker == 0xCA)
        return daub_fail(DAUB_DECODE, "arithmetic-coded JPEG is not supported");
    if (marker != 0xC0 && marker != 0xC1 && marker != 0xC2)
        return daub_fail(DAUB_DECODE, "lossless or hierarchical JPEG is not supported");
    if (length < 6) return daub_fail(DAUB_DECODE, "broken JPEG: frame header too short");
    if (p[0] != 8) return daub_fail(DAUB_DECODE, "JPEG of %d bits is not supported", p[0]);
    info->height = be16(p + 1);
    info->width = be16(p + 3);
    info->channels = p[5];
    if (info->height == 0 && info->width > 0)
        return daub_fail(DAUB_DECODE, "JPEG without a height (DNL) is not supported");
    if (info->channels != 1 && info->channels != 3 && info->channels != 4)
        return daub_fail(DAUB_DECODE, "broken JPEG: %d components", info->channels);
    return DAUB_OK;
}

static daub_status probe_jpeg(const uint8_t *bytes, size_t size, daub_picture_info *info) {
    for (size_t at = daub_jpeg_marker(bytes, size, 2); at + 4 <= size;) {
        int marker = bytes[at + 1];
        size_t length = be16(bytes + at + 2);
        if (marker == 0xD9 || marker == 0xDA || length < 2)
            return daub_fail(DAUB_DECODE, "broken JPEG: no frame header before the picture data");
        if (at + 2 + length > size) break;
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC)
            return probe_jpeg_frame(bytes + at + 4, length - 2, marker, info);
        at = daub_jpeg_marker(bytes, size, at + 2 + length);
    }
    return truncated("JPEG");
}

static daub_status probe_png(const uint8_t *bytes, size_t size, daub_picture_info *info) {
    if (size < 33) return truncated("PNG");
    const uint8_t *p = bytes + 8;
    if (memcmp(p + 4, "CgBI", 4) == 0) {
        return daub_fail(DAUB_DECODE, "PNG in Apple's own variant is not supported");
    }
    if (be32(p) != 13 || memcmp(p + 4, "IHDR", 4) != 0)
        return daub_fail(DAUB_DECODE, "broken PNG: it does not begin with IHDR");
    info->width = be32(p + 8);
    info->height = be32(p + 12);
    switch (p[17]) {
    case 0:
        info->channels = 1;
        break;
    case 2:
    case 3:
        info->channels = 3;
        break;
    case 4:
        info->channels = 2;
        break;
    case 6:
        info->channels = 4;
        break;
    default:
        return daub_fail(DAUB_DECODE, "broken PNG: colour type %d", p[17]);
    }
    return DAUB_OK;
}

static daub_status probe_gif(const uint8_t *bytes, size_t size, daub_picture_info *info) {
    if (size < 13) return truncated("GIF");
    info->width = le16(bytes + 6);
    info->height = le16(bytes + 8);
    info->channels = 3;
    return DAUB_OK;
}

static daub_status probe_bmp(const uint8_t *bytes, size_t size, daub_picture_info *info) {
    if (size < 26) return truncated("BMP");
    uint32_t header = le32(bytes + 14);
    if (header == 12) {
        info->width = le16(bytes + 18);
        info->height = le16(bytes + 20);
    } else {
        info->width = (int32_t)le32(bytes + 18);
        info->height = (int32_t)le32(bytes + 22);
        if (info->height < 0) info->height = -info->height; // top-down rows
    }
    if (info->width < 0) return daub_fail(DAUB_DECODE, "broken BMP: negative width");
    info->channels = 3;
    return DAUB_OK;
}

// WebP: the first chunk is VP8 (lossy), VP8L (lossless) or VP8X (extended: alpha, EXIF, animation).
static daub_status probe_webp(const uint8_t *bytes, size_t size, daub_picture_info *info) {
    if (size < 30) return truncated("WebP");
    const uint8_t *p = bytes + 20;
    info->channels = 3;
    if (memcmp(bytes + 12, "VP8 ", 4) == 0) {
        if (p[3] != 0x9D || p[4] != 0x01 || p[5] != 0x2A)
            return daub_fail(DAUB_DECODE, "broken WebP: no key frame");
        info->width = le16(p + 6) & 0x3FFF;
        info->height = le16(p + 8) & 0x3FFF;
    } else if (memcmp(bytes + 12, "VP8L", 4) == 0) {
        if (p[0] != 0x2F) return daub_fail(DAUB_DECODE, "broken WebP: bad lossless signature");
        uint32_t bits = le32(p + 1);
        info->width = (bits & 0x3FFF) + 1;
        info->height = (bits >> 14 & 0x3FFF) + 1;
        if (bits >> 28 & 1) info->channels = 4;
    } else if (memcmp(bytes + 12, "VP8X", 4) == 0) {
        info->width = (int64_t)le24(p + 4) + 1;
        info->height = (int64_t)le24(p + 7) + 1;
        if (p[0] & 0x10) info->channels = 4;
    } else {
        return daub_fail(DAUB_DECODE, "broken WebP: unknown first chunk");
    }
    return DAUB_OK;
}

// TGA has no magic: every field of the header must make sense together.
static bool plausible_tga(const uint8_t *p, size_t size) {
    if (size < 18 || p[1] > 1) return false;
    int type = p[2] & 7, depth = p[16];
    if (p[2] & ~11 || type < 1 || type > 3) return false;
    if ((p[17] & 0xC0) || (p[17] & 15) > 8) return false;
    if (le16(p + 12) == 0 || le16(p + 14) == 0) return false;
    bool colour_depth = depth == 15 || depth == 16 || depth == 24 || depth == 32;
    if (type == 1) {
        int entry = p[7];
        return p[1] == 1 && depth == 8 && le16(p + 5) > 0 && le16(p + 5) <= 256 &&
               (entry == 15 || entry == 16 || entry == 24 || entry == 32);
    }
    if (p[1] != 0 || le16(p + 3) || le16(p + 5) || p[7]) return false;
    return type == 2 ? colour_depth : depth == 8;
}

static void probe_tga(const uint8_t *p, daub_picture_info *info) {
    info->width = le16(p + 12);
    info->height = le16(p + 14);
    int depth = (p[2] & 7) == 1 ? p[7] : p[16];
    info->channels = depth == 8 ? 1 : depth == 32 ? 4 : 3;
}

static bool text_has(const uint8_t *bytes, size_t size, const char *word) {
    size_t length = strlen(word), window = size < 1024 ? size : 1024;
    for (size_t i = 0; i + length <= window; i++)
        if (memcmp(bytes + i, word, length) == 0) return true;
    return false;
}

// ISO base media files (AVIF, HEIC, video) by their major brand.
static daub_status refuse_ftyp(const uint8_t *bytes) {
    const char *brand = (const char *)bytes + 8;
    if (!memcmp(brand, "avif", 4) || !memcmp(brand, "avis", 4))
        return daub_fail(DAUB_DECODE, "AVIF is not supported");
    if (!memcmp(brand, "hei", 3) || !memcmp(brand, "hev", 3) || !memcmp(brand, "mif1", 4) ||
        !memcmp(brand, "msf1", 4))
        return daub_fail(DAUB_DECODE, "HEIF is not supported");
    return daub_fail(DAUB_DECODE, "not a picture: a video or other media file");
}

static daub_status refuse_text(const uint8_t *bytes, size_t size) {
    char start[25];
    size_t n = 0;
    for (; n < sizeof start - 1 && n < size && bytes[n] >= ' ' && bytes[n] < 0x7F; n++)
        start[n] = (char)bytes[n];
    start[n] = 0;
    if (n < 4 && n < size) return daub_fail(DAUB_DECODE, "not a picture: unknown format");
    if (text_has(bytes, size, "<svg")) return daub_fail(DAUB_DECODE, "SVG is not supported");
    return daub_fail(DAUB_DECODE, "not a picture: starts with '%s'", start);
}

static daub_status refuse(const uint8_t *bytes, size_t size) {
    static const struct {
        const char *magic;
        size_t length;
        const char *name;
    } others[] = {
        {"II*\0", 4, "TIFF"},
        {"MM\0*", 4, "TIFF"},
        {"\0\0\0\x0CjP  ", 8, "JPEG 2000"},
        {"\xFF\x4F\xFF\x51", 4, "JPEG 2000"},
        {"\0\0\0\x0CJXL ", 8, "JPEG XL"},
        {"\xFF\x0A", 2, "JPEG XL"},
        {"8BPS", 4, "Photoshop"},
        {"%PDF", 4, "PDF"},
        {"\0\0\1\0", 4, "ICO"},
        {"qoif", 4, "QOI"},
        {"#?RADIANCE", 10, "HDR"},
        {"v/1\1", 4, "OpenEXR"},
    };
    if (size == 0) return daub_fail(DAUB_DECODE, "empty file");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (starts(bytes, size, others[i].magic, others[i].length))
            return daub_fail(DAUB_DECODE, "%s is not supported", others[i].name);
    if (size >= 12 && memcmp(bytes + 4, "ftyp", 4) == 0) return refuse_ftyp(bytes);
    return refuse_text(bytes, size);
}

static daub_format sniff(const uint8_t *bytes, size_t size) {
    if (starts(bytes, size, "\xFF\xD8\xFF", 3)) return DAUB_FORMAT_JPEG;
    if (starts(bytes, size, "\x89PNG\r\n\x1A\n", 8)) return DAUB_FORMAT_PNG;
    if (starts(bytes, size, "GIF87a", 6) || starts(bytes, size, "GIF89a", 6))
        return DAUB_FORMAT_GIF;
    if (starts(bytes, size, "RIFF", 4) && size >= 12 && memcmp(bytes + 8, "WEBP", 4) == 0)
        return DAUB_FORMAT_WEBP;
    if (starts(bytes, size, "BM", 2) && size >= 18) {
        uint32_t header = le32(bytes + 14);
        if (header == 12 || header == 40 || header == 52 || header == 56 || header == 108 ||
            header == 124)
            return DAUB_FORMAT_BMP;
    }
    return DAUB_FORMAT_NONE;
}

static daub_status check_size(const daub_picture_info *info, int64_t max_pixels) {
    if (info->width <= 0 || info->height <= 0)
        return daub_fail(DAUB_DECODE, "empty picture: %lldx%lld", (long long)info->width,
                         (long long)info->height);
    if (info->width > 65535 || info->height > 65535 || info->width * info->height > max_pixels)
        return daub_fail(DAUB_DECODE, "picture of %lldx%lld is over the limit of %.4g megapixels",
                         (long long)info->width, (long long)info->height, (double)max_pixels / 1e6);
    return DAUB_OK;
}

daub_status daub_picture_probe(const uint8_t *bytes, size_t size, int64_t max_pixels,
                               daub_picture_info *info) {
    *info = (daub_picture_info){.format = sniff(bytes, size), .frames = 1, .orientation = 1};
    daub_status status = DAUB_OK;
    switch (info->format) {
    case DAUB_FORMAT_JPEG:
        status = probe_jpeg(bytes, size, info);
        break;
    case DAUB_FORMAT_PNG:
        status = probe_png(bytes, size, info);
        break;
    case DAUB_FORMAT_GIF:
        status = probe_gif(bytes, size, info);
        break;
    case DAUB_FORMAT_BMP:
        status = probe_bmp(bytes, size, info);
        break;
    case DAUB_FORMAT_WEBP:
        status = probe_webp(bytes, size, info);
        break;
    default:
        if (!plausible_tga(bytes, size)) return refuse(bytes, size);
        info->format = DAUB_FORMAT_TGA;
        probe_tga(bytes, info);
    }
    return status == DAUB_OK ? check_size(info, max_pixels) : status;
}
