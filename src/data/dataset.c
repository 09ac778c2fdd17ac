#include "data/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

enum { CHANNELS = 3, VERSION = 1, THUMB_WIDTH = 24, THUMB_HEIGHT = 8 };
enum { THUMB = THUMB_WIDTH * THUMB_HEIGHT * CHANNELS };
#define MAX_COUNT ((int64_t)1 << 32)
#define MAX_BYTES ((int64_t)1 << 46)

typedef struct header {
    char magic[8]; // "daubpack"
    uint32_t version, width, height, channels;
    int64_t count;
    char checksum[64]; // SHA-256 of everything after the header, hexadecimal
    char unused[32];
} header;
_Static_assert(sizeof(header) == 128, "the header's size is part of the format");

static const char magic[8] = {'d', 'a', 'u', 'b', 'p', 'a', 'c', 'k'};

struct daub_dataset {
    atomic_int references;
    uint8_t *map;
    size_t size;
    const header *head;
    float *thumbs; // (count, THUMB) or NULL
};

struct daub_dataset_writer {
    int file;
    char *path, *part;
    uint8_t *map;
    size_t size;
    int64_t width, height, capacity;
    char (*ids)[DAUB_DATASET_ID]; // the first character is 0 while a picture has not been put
};

static int64_t picture_bytes(int64_t width, int64_t height) {
    return width * height * CHANNELS;
}

static size_t file_bytes(int64_t width, int64_t height, int64_t count) {
    return sizeof(header) +
           (size_t)count * (size_t)(picture_bytes(width, height) + DAUB_DATASET_ID);
}

static bool sides_fit(int64_t width, int64_t height, int64_t count) {
    return width >= 1 && width <= DAUB_DATASET_MAX_SIDE && height >= 1 &&
           height <= DAUB_DATASET_MAX_SIDE && count >= 1 && count <= MAX_COUNT &&
           count <= MAX_BYTES / (picture_bytes(width, height) + DAUB_DATASET_ID);
}

static daub_status checksum(const uint8_t *map, size_t size, char hex[DAUB_SHA256_HEX]) {
    return daub_sha256(map + sizeof(header), size - sizeof(header), hex);
}

static daub_status fail_io(const char *path) {
    return daub_fail(DAUB_IO, "%s: %s", path, strerror(errno));
}

static void free_writer(daub_dataset_writer *w) {
    if (w->map) munmap(w->map, w->size);
    if (w->file >= 0) close(w->file);
    free(w->path);
    free(w->part);
    free(w->ids);
    free(w);
}

void daub_dataset_abandon(daub_dataset_writer *w) {
    if (!w) return;
    if (w->file >= 0) unlink(w->part);
    free_writer(w);
}

static daub_status open_part(daub_dataset_writer *w) {
    w->file = open(w->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->file < 0) return fail_io(w->path);
    int full = posix_fallocate(w->file, 0, (off_t)w->size);
    if (full) return daub_fail(DAUB_IO, "%s: %s", w->path, strerror(full));
    void *map = mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_SHARED, w->file, 0);
    if (map == MAP_FAILED) return fail_io(w->path);
    w->map = map;
    return DAUB_OK;
}

daub_status daub_dataset_create(daub_dataset_writer **out, const char *path, int64_t width,
                                int64_t height, int64_t capacity) {
    if (!sides_fit(width, height, capacity))
        return daub_fail(
            DAUB_INVALID,
            "dataset: %lldx%lld with room for %lld pictures (sides 1 to %d, at least one)",
            (long long)width, (long long)height, (long long)capacity, DAUB_DATASET_MAX_SIDE);
    daub_dataset_writer *w = calloc(1, sizeof *w);
    size_t length = strlen(path) + 32;
    if (w) {
        *w = (daub_dataset_writer){.file = -1,
                                   .width = width,
                                   .height = height,
                                   .capacity = capacity,
                                   .size = file_bytes(width, height, capacity)};
        w->path = strdup(path);
        w->part = malloc(length);
        w->ids = calloc((size_t)capacity, sizeof *w->ids);
    }
    if (!w || !w->path || !w->part || !w->ids) {
        if (w) free_writer(w);
        return daub_fail(DAUB_NO_MEMORY, "dataset: no memory for %lld pictures",
                         (long long)capacity);
    }
    snprintf(w->part, length, "%s.part-%ld", path, (long)getpid());
    daub_status status = open_part(w);
    if (status != DAUB_OK) {
        daub_dataset_abandon(w);
        return status;
    }
    *out = w;
    return DAUB_OK;
}

int64_t daub_dataset_writer_width(const daub_dataset_writer *w) {
    return w->width;
}
int64_t daub_dataset_writer_height(const daub_dataset_writer *w) {
    return w->height;
}

daub_status daub_dataset_put(daub_dataset_writer *w, int64_t index, const char *id,
                             const uint8_t *pixels) {
    if (index < 0 || index >= w->capacity)
        return daub_fail(DAUB_INVALID, "dataset: picture %lld of %lld", (long long)index + 1,
                         (long long)w->capacity);
    size_t bytes = (size_t)picture_bytes(w->width, w->height);
    memcpy(w->map + sizeof(header) + (size_t)index * bytes, pixels, bytes);
    memcpy(w->ids[index], id, DAUB_DATASET_ID);
    return DAUB_OK;
}

// Moves the pictures that were put together and writes their ids behind them.
static int64_t close_gaps(daub_dataset_writer *w) {
    size_t bytes = (size_t)picture_bytes(w->width, w->height);
    uint8_t *pixels = w->map + sizeof(header);
    int64_t kept = 0;
    for (int64_t i = 0; i < w->capacity; i++) {
        if (!w->ids[i][0]) continue;
        if (kept < i) {
            memmove(pixels + (size_t)kept * bytes, pixels + (size_t)i * bytes, bytes);
            memcpy(w->ids[kept], w->ids[i], DAUB_DATASET_ID);
        }
        kept++;
    }
    memcpy(pixels + (size_t)kept * bytes, w->ids, (size_t)kept * DAUB_DATASET_ID);
    return kept;
}

daub_status daub_dataset_finish(daub_dataset_writer *w, int64_t *kept) {
    char hex[DAUB_SHA256_HEX];
    *kept = close_gaps(w);
    daub_status status = DAUB_OK;
    if (!*kept) {
        status =
            daub_fail(DAUB_INVALID, "dataset: %s: none of the pictures could be used", w->path);
        goto fail;
    }
    size_t size = file_bytes(w->width, w->height, *kept);
    status = checksum(w->map, size, hex);
    if (status != DAUB_OK) goto fail;
    header head = {.version = VERSION,
                   .width = (uint32_t)w->width,
                   .height = (uint32_t)w->height,
                   .channels = CHANNELS,
                   .count = *kept};
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.checksum, hex, sizeof head.checksum);
    memcpy(w->map, &head, sizeof head);
    if (msync(w->map, w->size, MS_SYNC) || ftruncate(w->file, (off_t)size) || fsync(w->file)) {
        status = fail_io(w->path);
        goto fail;
    }
    status = daub_file_rename(w->part, w->path);
    if (status != DAUB_OK) goto fail;
    free_writer(w);
    return DAUB_OK;
fail:
    daub_dataset_abandon(w);
    return status;
}

static daub_status check_map(const uint8_t *map, size_t size, const char *path) {
    const header *h = (const header *)map;
    char hex[DAUB_SHA256_HEX];
    if (size < sizeof *h || memcmp(h->magic, magic, sizeof magic))
        return daub_fail(DAUB_DECODE, "%s: not a packed dataset", path);
    if (h->version != VERSION)
        return daub_fail(DAUB_DECODE, "%s: dataset version %u (this program reads %d)", path,
                         h->version, VERSION);
    if (h->channels != CHANNELS || !sides_fit(h->width, h->height, h->count) ||
        size != file_bytes(h->width, h->height, h->count))
        return daub_fail(DAUB_DECODE, "%s: %ux%u, %lld pictures and %zu bytes do not go together",
                         path, h->width, h->height, (long long)h->count, size);
    daub_status status = checksum(map, size, hex);
    if (status != DAUB_OK) return status;
    if (memcmp(hex, h->checksum, sizeof h->checksum))
        return daub_fail(DAUB_DECODE, "%s: damaged (its checksum differs)", path);
    return DAUB_OK;
}

daub_status daub_dataset_open(daub_dataset **out, const char *path) {
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail_io(path);
    if (fstat(file, &info) || !S_ISREG(info.st_mode) || info.st_size < (off_t)sizeof(header)) {
        close(file);
        return daub_fail(DAUB_DECODE, "%s: not a packed dataset", path);
    }
    size_t size = (size_t)info.st_size;
    uint8_t *map = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) return fail_io(path);
    daub_status status = check_map(map, size, path);
    daub_dataset *d = status == DAUB_OK ? calloc(1, sizeof *d) : NULL;
    if (!d) {
        munmap(map, size);
        return status != DAUB_OK ? status : daub_fail(DAUB_NO_MEMORY, "dataset: no memory");
    }
    *d = (daub_dataset){.map = map, .size = size, .head = (const header *)map};
    atomic_init(&d->references, 1);
    *out = d;
    return DAUB_OK;
}

void daub_dataset_retain(daub_dataset *d) {
    atomic_fetch_add(&d->references, 1);
}

void daub_dataset_release(daub_dataset *d) {
    if (!d || atomic_fetch_sub(&d->references, 1) > 1) return;
    munmap(d->map, d->size);
    free(d->thumbs);
    free(d);
}

int64_t daub_dataset_count(const daub_dataset *d) {
    return d->head->count;
}
int64_t daub_dataset_width(const daub_dataset *d) {
    return d->head->width;
}
int64_t daub_dataset_height(const daub_dataset *d) {
    return d->head->height;
}

const uint8_t *daub_dataset_pixels(const daub_dataset *d, int64_t index) {
    return d->map + sizeof(header) + index * picture_bytes(d->head->width, d->head->height);
}

const char *daub_dataset_id(const daub_dataset *d, int64_t index) {
    return (const char *)daub_dataset_pixels(d, d->head->count) + index * DAUB_DATASET_ID;
}

// The mean of each of THUMB_HEIGHT x THUMB_WIDTH cells; a cell has at least one pixel.
static void thumbnail(const daub_dataset *d, const uint8_t *pixels, float *out) {
    int64_t w = d->head->width, h = d->head->height;
    for (int64_t cell = 0; cell < THUMB_WIDTH * THUMB_HEIGHT; cell++) {
        int64_t cx = cell % THUMB_WIDTH, cy = cell / THUMB_WIDTH;
        int64_t left = cx * w / THUMB_WIDTH, right = (cx + 1) * w / THUMB_WIDTH;
        int64_t top = cy * h / THUMB_HEIGHT, bottom = (cy + 1) * h / THUMB_HEIGHT;
        if (right == left) right++;
        if (bottom == top) bottom++;
        int64_t sum[CHANNELS] = {0};
        for (int64_t y = top; y < bottom; y++) {
            for (int64_t x = left; x < right; x++) {
                for (int c = 0; c < CHANNELS; c++) sum[c] += pixels[(y * w + x) * CHANNELS + c];
            }
        }
        for (int c = 0; c < CHANNELS; c++)
            out[cell * CHANNELS + c] =
                (float)sum[c] / (255.0f * (float)((right - left) * (bottom - top)));
    }
}

daub_status daub_dataset_distances(daub_dataset *d, const uint8_t *pixels, float *out) {
    float mine[THUMB];
    int64_t count = d->head->count;
    if (!d->thumbs) {
        d->thumbs = malloc((size_t)count * sizeof mine);
        if (!d->thumbs) return daub_fail(DAUB_NO_MEMORY, "dataset: no memory for thumbnails");
        for (int64_t i = 0; i < count; i++)
            thumbnail(d, daub_dataset_pixels(d, i), d->thumbs + i * THUMB);
    }
    thumbnail(d, pixels, mine);
    for (int64_t i = 0; i < count; i++) {
        const float *theirs = d->thumbs + i * THUMB;
        double sum = 0;
        for (int k = 0; k < THUMB; k++) {
            double difference = (double)theirs[k] - (double)mine[k];
            sum += difference * difference;
        }
        out[i] = (float)sqrt(sum / THUMB);
    }
    return DAUB_OK;
}
