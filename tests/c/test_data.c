// The packed dataset and its loader.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "data/dataset.h"
#include "data/loader.h"

enum { WIDTH = 6, HEIGHT = 4, BYTES = WIDTH * HEIGHT * 3, COUNT = 10 };

static char path[] = "/tmp/daub-test-data-XXXXXX";

static void make_id(char id[DAUB_DATASET_ID + 1], int i) {
    snprintf(id, DAUB_DATASET_ID + 1, "%064d", i);
}

// Pictures 3 and 7 are never put: the others close up.
static void test_write(void) {
    daub_dataset_writer *w = NULL;
    uint8_t pixels[BYTES];
    char id[DAUB_DATASET_ID + 1];
    int64_t kept = 0;
    CHECK_STATUS(DAUB_INVALID, daub_dataset_create(&w, path, 0, 4, 3));
    CHECK_STATUS(DAUB_INVALID, daub_dataset_create(&w, path, 6, 4, INT64_MAX / 2));
    CHECK_STATUS(DAUB_IO, daub_dataset_create(&w, "/no/such/folder/x", 6, 4, 3));
    CHECK_STATUS(DAUB_OK, daub_dataset_create(&w, path, WIDTH, HEIGHT, COUNT));
    for (int i = COUNT - 1; i >= 0; i--) {
        if (i == 3 || i == 7) continue;
        memset(pixels, 20 * i, sizeof pixels);
        make_id(id, i);
        CHECK_STATUS(DAUB_OK, daub_dataset_put(w, i, id, pixels));
    }
    CHECK_STATUS(DAUB_INVALID, daub_dataset_put(w, COUNT, id, pixels));
    CHECK_STATUS(DAUB_OK, daub_dataset_finish(w, &kept));
    CHECK(kept == COUNT - 2);
}

static void test_read(void) {
    daub_dataset *d = NULL;
    char id[DAUB_DATASET_ID + 1];
    float distances[COUNT];
    CHECK_STATUS(DAUB_OK, daub_dataset_open(&d, path));
    CHECK(daub_dataset_count(d) == COUNT - 2);
    CHECK(daub_dataset_width(d) == WIDTH && daub_dataset_height(d) == HEIGHT);
    CHECK(daub_dataset_pixels(d, 3)[0] == 80 && daub_dataset_pixels(d, 7)[BYTES - 1] == 180);
    make_id(id, 4);
    CHECK(!memcmp(daub_dataset_id(d, 3), id, DAUB_DATASET_ID));
    CHECK_STATUS(DAUB_OK, daub_dataset_distances(d, daub_dataset_pixels(d, 2), distances));
    CHECK(distances[2] == 0 && distances[1] > 0.07f && distances[1] < 0.08f);
    daub_dataset_release(d);
}

// Every byte of the file matters: a change anywhere but in the unused header bytes is noticed.
static void test_damage(void) {
    daub_dataset *d = NULL;
    uint8_t bytes[4096];
    FILE *f = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    int refused = 0, tried = 0;
    for (size_t i = 0; i < size; i += i < 104 ? 1 : 37) {
        if (i >= 96 && i < 128) continue;
        f = fopen(path, "wb");
        bytes[i] ^= 0x11;
        fwrite(bytes, 1, size, f);
        bytes[i] ^= 0x11;
        fclose(f);
        tried++;
        if (daub_dataset_open(&d, path) == DAUB_DECODE) refused++;
    }
    CHECK(refused == tried);
    f = fopen(path, "wb");
    fwrite(bytes, 1, size - 1, f);
    fclose(f);
    CHECK_STATUS(DAUB_DECODE, daub_dataset_open(&d, path));
    f = fopen(path, "wb");
    fwrite(bytes, 1, size, f);
    fclose(f);
    CHECK_STATUS(DAUB_IO, daub_dataset_open(&d, "/no/such/file"));
}

// Which of the pictures written begins with this pixel.
static int picture_of(const float *pixels) {
    return (int)((pixels[0] + 1) * 127.5f / 20 + 0.5f);
}

static void take(daub_loader *l, float *out) {
    static const int kept[] = {0, 1, 2, 4, 5, 6, 8, 9};
    daub_array a, which;
    CHECK_STATUS(DAUB_OK, daub_loader_next(l, &a, &which));
    memcpy(out, a.data, (size_t)daub_array_numel(&a) * sizeof *out);
    CHECK(which.dtype == DAUB_I64 && which.ndim == 1 && which.shape[0] == a.shape[0]);
    for (int64_t i = 0; i < which.shape[0]; i++) {
        int64_t index = ((int64_t *)which.data)[i];
        CHECK(index >= 0 && index < 8 && kept[index] == picture_of(out + i * BYTES));
    }
    daub_array_release(&a);
    daub_array_release(&which);
}

// Eight pictures in batches of three: each is shown once in an epoch, and any batch can be the
// first.
static void test_loader(daub_loader_options o) {
    daub_dataset *d = NULL;
    daub_loader *all = NULL, *late = NULL;
    static float first[16][3 * BYTES], again[3 * BYTES];
    CHECK_STATUS(DAUB_OK, daub_dataset_open(&d, path));
    CHECK_STATUS(DAUB_OK, daub_loader_start(&all, d, &o));
    for (int n = 0; n < 16; n++) take(all, first[n]);
    CHECK(daub_loader_position(all) == 16);
    daub_loader_stop(all);
    o.start = 5;
    CHECK_STATUS(DAUB_OK, daub_loader_start(&late, d, &o));
    daub_dataset_release(d); // the loader keeps it
    for (int n = 5; n < 16; n++) {
        take(late, again);
        CHECK(!memcmp(first[n], again, sizeof again));
    }
    daub_loader_stop(late);
    for (int epoch = 0; epoch < 6; epoch++) {
        int seen = 0;
        for (int i = epoch * 8; i < epoch * 8 + 8; i++)
            seen |= 1 << picture_of(first[i / 3] + i % 3 * BYTES);
        CHECK(seen == 0x377);
    }
}

static void test_misuse(void) {
    daub_dataset *d = NULL;
    daub_loader *l = NULL;
    CHECK_STATUS(DAUB_OK, daub_dataset_open(&d, path));
    CHECK_STATUS(DAUB_INVALID,
                 daub_loader_start(&l, d, &(daub_loader_options){.batch = 0, .zoom = 1}));
    CHECK_STATUS(DAUB_INVALID,
                 daub_loader_start(&l, d, &(daub_loader_options){.batch = 1, .zoom = 2}));
    daub_dataset_release(d);
}

int main(void) {
    int file = mkstemp(path);
    CHECK(file >= 0);
    close(file);
    test_write();
    test_read();
    test_damage();
    test_loader((daub_loader_options){.batch = 3, .seed = 1, .zoom = 1});
    test_loader((daub_loader_options){.batch = 3, .seed = 9, .zoom = 0.6, .mirror = true});
    test_misuse();
    unlink(path);
    return check_summary();
}
