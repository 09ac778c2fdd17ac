// Pictures: probing, decoding, refusing, encoding, resizing, hashes.
#include <math.h>
#include <stb_image_write.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "check.h"
#include "image/animation.h"
#include "image/image.h"

#define W 45
#define H 31
#define LIMIT 50000000

// A smooth colour picture whose corners differ: red grows to the right, green downwards.
static void paint(uint8_t *p, int channels) {
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++, p += channels) {
            uint8_t value[4] = {(uint8_t)(x * 255 / (W - 1)), (uint8_t)(y * 255 / (H - 1)), 90,
                                255};
            memcpy(p, value, (size_t)channels);
        }
    }
}

static uint8_t pixels[W * H * 4];

static daub_pixels picture(int channels) {
    paint(pixels, channels);
    return (daub_pixels){pixels, false, channels, W, H, (int64_t)W * channels};
}

typedef struct bytes {
    uint8_t data[1 << 17];
    size_t size;
} bytes;

static void collect(void *context, void *data, int size) {
    bytes *b = context;
    memcpy(b->data + b->size, data, (size_t)size);
    b->size += (size_t)size;
}

static void encode(bytes *b, daub_format format) {
    daub_pixels in = picture(3);
    uint8_t *data = NULL;
    size_t size = 0;
    b->size = 0;
    switch (format) {
    case DAUB_FORMAT_JPEG:
        CHECK_STATUS(DAUB_OK, daub_encode_jpeg(&in, 95, &data, &size));
        break;
    case DAUB_FORMAT_PNG:
        CHECK_STATUS(DAUB_OK, daub_encode_png(&in, &data, &size));
        break;
    case DAUB_FORMAT_WEBP:
        CHECK_STATUS(DAUB_OK, daub_encode_webp(&in, 95, &data, &size));
        break;
    case DAUB_FORMAT_BMP:
        stbi_write_bmp_to_func(collect, b, W, H, 3, pixels);
        break;
    case DAUB_FORMAT_TGA:
        stbi_write_tga_to_func(collect, b, W, H, 3, pixels);
        break;
    default:
        break;
    }
    if (data) collect(b, data, (int)size);
    daub_free(data);
}

// A GIF of W x H in one colour: codes of 9 bits at most are avoided by clearing often.
static void encode_gif(bytes *b) {
    static const uint8_t head[] = {'G', 'I', 'F', '8', '9',  'a', W, 0, H, 0, 0x80, 0, 0, 10, 20,
                                   30,  200, 100, 50,  0x2C, 0,   0, 0, 0, W, 0,    H, 0, 0,  7};
    memcpy(b->data, head, sizeof head);
    b->size = sizeof head;
    // Minimum code size 7: literals are bytes of 8 bits while a clear code (128) comes every 100.
    uint8_t block[101];
    for (int left = W * H; left > 0;) {
        int n = left < 100 ? left : 100;
        block[0] = 128;
        memset(block + 1, 1, (size_t)n);
        b->data[b->size++] = (uint8_t)(n + 1);
        collect(b, block, n + 1);
        left -= n;
    }
    static const uint8_t tail[] = {1, 129, 0, 0x3B};
    collect(b, (void *)tail, sizeof tail);
}

static int worst_difference(const uint8_t *a, const uint8_t *b, int n) {
    int worst = 0;
    for (int i = 0; i < n; i++)
        if (abs(a[i] - b[i]) > worst) worst = abs(a[i] - b[i]);
    return worst;
}

static void test_round_trips(void) {
    static const struct {
        daub_format format;
        int tolerance;
    } cases[] = {{DAUB_FORMAT_JPEG, 12},
                 {DAUB_FORMAT_PNG, 0},
                 {DAUB_FORMAT_BMP, 0},
                 {DAUB_FORMAT_TGA, 0},
                 {DAUB_FORMAT_WEBP, 24}};
    static bytes b;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        encode(&b, cases[i].format);
        daub_picture_info info;
        uint8_t *rgb;
        CHECK_STATUS(DAUB_OK, daub_picture_probe(b.data, b.size, LIMIT, &info));
        CHECK(info.format == cases[i].format && info.width == W && info.height == H);
        CHECK_STATUS(DAUB_OK, daub_picture_decode(b.data, b.size, LIMIT, &info, &rgb));
        CHECK(info.width == W && info.height == H && info.orientation == 1 && info.frames == 1);
        if (rgb) CHECK(worst_difference(rgb, pixels, W * H * 3) <= cases[i].tolerance);
        daub_free(rgb);
    }
}

static void test_gif(void) {
    static bytes b;
    daub_picture_info info;
    uint8_t *rgb;
    encode_gif(&b);
    CHECK_STATUS(DAUB_OK, daub_picture_decode(b.data, b.size, LIMIT, &info, &rgb));
    CHECK(info.format == DAUB_FORMAT_GIF && info.width == W && info.height == H);
    if (rgb) CHECK(rgb[0] == 200 && rgb[W * H * 3 - 1] == 50);
    daub_free(rgb);
    CHECK_STATUS(DAUB_DECODE, daub_picture_decode(b.data, b.size - 3, LIMIT, &info, &rgb));
    CHECK(!strcmp(daub_error_message(), "truncated GIF"));
}

// No beginning of a file may pass as a picture. (A JPEG may lack its end marker and be whole; a GIF
// its trailer.)
static void test_truncation(void) {
    static bytes b;
    for (daub_format f = DAUB_FORMAT_JPEG; f <= DAUB_FORMAT_WEBP; f++) {
        if (f == DAUB_FORMAT_GIF) continue;
        encode(&b, f);
        // The rest of the last byte of a JPEG scan may be padding, a TGA has a footer of 26 bytes.
        size_t spare = f == DAUB_FORMAT_JPEG ? 3 : f == DAUB_FORMAT_TGA ? 26 : 0;
        int accepted = 0;
        for (size_t n = 0; n + spare < b.size; n += 1 + n / 100) {
            daub_picture_info info;
            uint8_t *rgb,
                *exact = malloc(n + 1); // its own block, so that a sanitizer sees reads past it
            memcpy(exact, b.data, n);
            if (daub_picture_decode(exact, n, LIMIT, &info, &rgb) == DAUB_OK) accepted++;
            daub_free(rgb);
            free(exact);
        }
        if (accepted) printf("%s: %d beginnings were accepted\n", daub_format_name(f), accepted);
        CHECK(accepted == 0);
    }
}

static void test_missing_end(void) {
    static bytes b;
    daub_picture_info info;
    uint8_t *rgb;
    encode(&b, DAUB_FORMAT_JPEG);
    CHECK_STATUS(DAUB_OK, daub_picture_decode(b.data, b.size - 2, LIMIT, &info, &rgb));
    daub_free(rgb);
    CHECK_STATUS(DAUB_DECODE, daub_picture_decode(b.data, b.size / 2, LIMIT, &info, &rgb));
}

static void check_refused(const char *data, size_t size, const char *reason) {
    daub_picture_info info;
    uint8_t *rgb;
    CHECK_STATUS(DAUB_DECODE, daub_picture_decode((const uint8_t *)data, size, LIMIT, &info, &rgb));
    if (strcmp(daub_error_message(), reason) != 0)
        printf("expected \"%s\", got \"%s\"\n", reason, daub_error_message());
    CHECK(strcmp(daub_error_message(), reason) == 0);
}

static void test_refusals(void) {
    check_refused("", 0, "empty file");
    check_refused("<html><body>", 12, "not a picture: starts with '<html><body>'");
    check_refused("\0\1\2\3\4\5\6\7", 8, "not a picture: unknown format");
    check_refused("\0\0\0\x1C"
                  "ftypavif\0\0\0\0",
                  16, "AVIF is not supported");
    check_refused("\0\0\0\x1C"
                  "ftypheic\0\0\0\0",
                  16, "HEIF is not supported");
    check_refused("II*\0\x08\0\0\0", 8, "TIFF is not supported");
    check_refused("<?xml version='1.0'?><svg/>", 27, "SVG is not supported");
    static bytes b;
    encode(&b, DAUB_FORMAT_PNG);
    b.data[b.size / 2] ^= 1;
    check_refused((char *)b.data, b.size, "broken PNG: wrong checksum");
    encode(&b, DAUB_FORMAT_PNG);
    memcpy(b.data + 16, "\0\0\x9C\x40\0\0\x9C\x40", 8); // 40000 x 40000
    check_refused((char *)b.data, b.size,
                  "picture of 40000x40000 is over the limit of 50 megapixels");
}

// Inserts an EXIF segment with this orientation after SOI.
static void set_orientation(bytes *b, int orientation) {
    uint8_t segment[] = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0,
                         'M',  'M',  0, 42, 0,   0,   0,   8,   0, 1,
                         0x01, 0x12, 0, 3,  0,   0,   0,   1,   0, (uint8_t)orientation,
                         0,    0,    0, 0,  0,   0};
    memmove(b->data + 2 + sizeof segment, b->data + 2, b->size - 2);
    memcpy(b->data + 2, segment, sizeof segment);
    b->size += sizeof segment;
}

static void test_orientation(void) {
    // Where the stored picture's top left corner (dark red, dark green) is shown: 0 left/top, 1
    // right/bottom.
    static const int shown[9][2] = {{0},    {0, 0}, {1, 0}, {1, 1}, {0, 1},
                                    {0, 0}, {1, 0}, {1, 1}, {0, 1}};
    static bytes b;
    for (int o = 1; o <= 8; o++) {
        encode(&b, DAUB_FORMAT_JPEG);
        set_orientation(&b, o);
        daub_picture_info info;
        uint8_t *rgb;
        CHECK_STATUS(DAUB_OK, daub_picture_decode(b.data, b.size, LIMIT, &info, &rgb));
        CHECK(info.orientation == o);
        CHECK(info.width == (o >= 5 ? H : W) && info.height == (o >= 5 ? W : H));
        int64_t x = shown[o][0] ? info.width - 1 : 0, y = shown[o][1] ? info.height - 1 : 0;
        const uint8_t *corner = rgb + (y * info.width + x) * 3;
        CHECK(corner[0] < 20 && corner[1] < 20);
        const uint8_t *across = rgb + (y * info.width + info.width - 1 - x) * 3; // same shown row
        CHECK(o >= 5 ? across[1] > 235 && across[0] < 20 : across[0] > 235 && across[1] < 20);
        daub_free(rgb);
    }
}

static void test_alpha_and_grey(void) {
    daub_pixels in = picture(4);
    for (int i = 0; i < W * H; i++) pixels[4 * i + 3] = i == 0 ? 0 : 128;
    uint8_t *png, *rgb;
    size_t size;
    daub_picture_info info;
    CHECK_STATUS(DAUB_OK, daub_encode_png(&in, &png, &size));
    CHECK_STATUS(DAUB_OK, daub_picture_decode(png, size, LIMIT, &info, &rgb));
    CHECK(info.channels == 4);
    CHECK(rgb[0] == 255 && rgb[1] == 255 && rgb[2] == 255);
    CHECK(rgb[5] == (90 * 128 + 255 * 127 + 127) / 255);
    daub_free(png);
    daub_free(rgb);
    in = picture(1);
    CHECK_STATUS(DAUB_OK, daub_encode_png(&in, &png, &size));
    CHECK_STATUS(DAUB_OK, daub_picture_decode(png, size, LIMIT, &info, &rgb));
    CHECK(info.channels == 1 && rgb[3] == pixels[1] && rgb[4] == pixels[1] && rgb[5] == pixels[1]);
    daub_free(png);
    daub_free(rgb);
}

static void test_resize(void) {
    daub_pixels in = picture(3);
    static uint8_t out[200 * 200 * 3], again[200 * 200 * 3];
    daub_pixels to = {out, false, 3, W, H, W * 3};
    CHECK_STATUS(DAUB_OK, daub_resize(&in, &to, DAUB_FILTER_LANCZOS3, false));
    CHECK(memcmp(out, pixels, W * H * 3) == 0); // same size: nothing changes
    CHECK_STATUS(DAUB_OK, daub_resize(&in, &to, DAUB_FILTER_LANCZOS3, true));
    CHECK(worst_difference(out, pixels, W * H * 3) <= 1);
    for (int threads = 1; threads <= 3; threads++) {
        daub_pool_set_threads(threads);
        to = (daub_pixels){threads == 1 ? out : again, false, 3, 180, 124, 180 * 3};
        CHECK_STATUS(DAUB_OK, daub_resize(&in, &to, DAUB_FILTER_LANCZOS3, false));
        if (threads > 1) CHECK(memcmp(out, again, 180 * 124 * 3) == 0);
    }
    int middle = (62 * 180 + 90) * 3; // a ramp stays a ramp
    CHECK(abs(out[middle] - 128) <= 2 && abs(out[middle + 1] - 128) <= 3 && out[middle + 2] == 90);
    // Shrinking rows first or columns first is the same sum.
    static float by_rows[20 * 13 * 3], turned[13 * 20 * 3], floats[W * H * 3],
        floats_turned[W * H * 3];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                floats[(y * W + x) * 3 + c] = floats_turned[(x * H + y) * 3 + c] =
                    pixels[(y * W + x) * 3 + c];
    daub_pixels a = {floats, true, 3, W, H, W * 12}, a_out = {by_rows, true, 3, 20, 13, 240};
    daub_pixels b = {floats_turned, true, 3, H, W, H * 12}, b_out = {turned, true, 3, 13, 20, 156};
    CHECK_STATUS(DAUB_OK, daub_resize(&a, &a_out, DAUB_FILTER_LANCZOS3, false));
    CHECK_STATUS(DAUB_OK, daub_resize(&b, &b_out, DAUB_FILTER_LANCZOS3, false));
    double worst = 0;
    for (int y = 0; y < 13; y++)
        for (int x = 0; x < 20; x++)
            worst = fmax(worst, fabs(by_rows[(y * 20 + x) * 3] - turned[(x * 13 + y) * 3]));
    CHECK(worst < 1e-3);
    memset(pixels, 77, sizeof pixels);
    static const int sizes[][2] = {{7, 90}, {90, 7}, {7, 9}, {90, 70}, {1, 1}};
    for (daub_filter f = DAUB_FILTER_BOX; f <= DAUB_FILTER_LANCZOS3; f++) {
        for (int i = 0; i < 10; i++) {
            int w = sizes[i / 2][0], h = sizes[i / 2][1], linear = i % 2, off = 0;
            to = (daub_pixels){out, false, 3, w, h, w * 3};
            CHECK_STATUS(DAUB_OK, daub_resize(&in, &to, f, linear));
            for (int k = 0; k < w * h * 3; k++) off += abs(out[k] - 77) > linear;
            CHECK(off == 0);
        }
    }
    to.channels = 1;
    CHECK_STATUS(DAUB_INVALID, daub_resize(&in, &to, DAUB_FILTER_BOX, false));
}

// Sizes at which stb's own arithmetic overflows; the pixels are never looked at.
static void test_excess(void) {
    static uint8_t tall[65535], wide[65535];
    daub_pixels in = {tall, false, 1, 1, 65535, 1}, to = {wide, false, 1, 65535, 1, 65535};
    CHECK_STATUS(DAUB_INVALID, daub_resize(&in, &to, DAUB_FILTER_TRIANGLE, false));
    CHECK_STATUS(DAUB_OK, daub_resize(&in, &to, DAUB_FILTER_LANCZOS3, false));
    uint8_t *out;
    size_t size;
    daub_pixels huge = {tall, false, 3, 50000, 35000, 150000};
    CHECK_STATUS(DAUB_INVALID, daub_encode_png(&huge, &out, &size));
    CHECK_STATUS(DAUB_INVALID, daub_encode_jpeg(&huge, 90, &out, &size));
    daub_pixels apart = {tall, false, 3, 10, 35000, 1 << 20}; // few pixels, far between
    CHECK_STATUS(DAUB_INVALID, daub_encode_png(&apart, &out, &size));
    to = (daub_pixels){wide, false, 3, 10, 10, 30};
    CHECK_STATUS(DAUB_INVALID, daub_resize(&apart, &to, DAUB_FILTER_BOX, false));
}

static void test_phash(void) {
    daub_pixels in = picture(3);
    for (int i = 0; i < W * H * 3; i++) { // waves, so that no coefficient is near the median
        double x = i / 3 % W, y = i / 3 / W;
        pixels[i] = (uint8_t)(128 + 50 * sin(x / 5) * cos(y / 3 + x / 9) + 40 * sin(x * y / 80));
    }
    static uint8_t other[60 * 60 * 3];
    daub_pixels to = {other, false, 3, 60, 60, 180};
    uint64_t a, b, c;
    CHECK_STATUS(DAUB_OK, daub_resize(&in, &to, DAUB_FILTER_CATMULLROM, false));
    CHECK_STATUS(DAUB_OK, daub_phash(&in, &a));
    CHECK_STATUS(DAUB_OK, daub_phash(&to, &b));
    for (int i = 0; i < 60 * 60 * 3; i++) other[i] = (uint8_t)(255 - other[i]);
    CHECK_STATUS(DAUB_OK, daub_phash(&to, &c));
    CHECK(__builtin_popcountll(a ^ b) <= 4);
    CHECK(__builtin_popcountll(a ^ c) >= 40);
}

static void test_measures(void) {
    daub_pixels in = picture(3);
    static uint8_t small[20 * 20 * 3];
    daub_pixels to = {small, false, 3, 20, 20, 60};
    daub_picture_stats stats;
    CHECK_STATUS(DAUB_OK, daub_statistics(&in, &stats));
    CHECK(stats.mean[2] == 90 && stats.stddev > 20 && stats.flat < 0.1);
    memset(small, 200, sizeof small);
    CHECK_STATUS(DAUB_OK, daub_statistics(&to, &stats));
    CHECK(stats.mean[0] == 200 && stats.stddev < 1e-3 && stats.flat == 1);
    char *text;
    size_t size;
    CHECK_STATUS(DAUB_OK, daub_terminal_picture(&in, 20, 10, &text, &size));
    CHECK(size > 20 && strlen(text) <= size);
    daub_free(text);
}

// Three frames that differ: the file says so, its first frame is the first; misuse is refused.
static void test_animation(void) {
    daub_animation *a = NULL;
    uint8_t *file = NULL, *rgb = NULL;
    size_t size = 0;
    CHECK_STATUS(DAUB_INVALID, daub_animation_open(&a, 0, H, 80));
    CHECK_STATUS(DAUB_INVALID, daub_animation_open(&a, 16384, H, 80));
    CHECK_STATUS(DAUB_INVALID, daub_animation_open(&a, W, H, 0));
    CHECK_STATUS(DAUB_OK, daub_animation_open(&a, W, H, 90));
    CHECK_STATUS(DAUB_INVALID, daub_animation_finish(a, &file, &size));
    daub_pixels in = picture(3);
    CHECK_STATUS(DAUB_OK, daub_animation_add(a, &in, 40));
    in = picture(4);
    memset(pixels, 200, (size_t)W * H * 4);
    CHECK_STATUS(DAUB_OK, daub_animation_add(a, &in, 40));
    in = picture(1);
    CHECK_STATUS(DAUB_OK, daub_animation_add(a, &in, 1));
    CHECK_STATUS(DAUB_INVALID, daub_animation_add(a, &in, 0));
    in.width--;
    CHECK_STATUS(DAUB_INVALID, daub_animation_add(a, &in, 40));
    CHECK_STATUS(DAUB_OK, daub_animation_finish(a, &file, &size));
    CHECK_STATUS(DAUB_INVALID, daub_animation_finish(a, &file, &size));
    in.width++;
    CHECK_STATUS(DAUB_INVALID, daub_animation_add(a, &in, 40));
    daub_animation_close(a);
    daub_animation_close(NULL);
    daub_picture_info info = {0};
    CHECK_STATUS(DAUB_OK, daub_picture_decode(file, size, LIMIT, &info, &rgb));
    CHECK(info.format == DAUB_FORMAT_WEBP && info.frames == 3);
    CHECK(info.width == W && info.height == H);
    paint(pixels, 3);
    if (rgb) CHECK(worst_difference(rgb, pixels, W * H * 3) <= 40);
    daub_free(rgb);
    daub_free(file);
}

int main(void) {
    test_round_trips();
    test_animation();
    test_gif();
    test_truncation();
    test_missing_end();
    test_refusals();
    test_orientation();
    test_alpha_and_grey();
    test_resize();
    test_excess();
    test_phash();
    test_measures();
    return check_summary();
}
