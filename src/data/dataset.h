// Packed dataset: pictures of one size, decoded once, in one file that is mapped into memory.
//
//     daub_dataset_writer *w = NULL;
//     daub_dataset_create(&w, "covers-192x64.pack", 192, 64, 3938);
//     daub_dataset_put(w, 0, id, rgb);                  // any order; pictures left out leave no
//     gap daub_dataset_finish(w, &kept);                    // now the file appears, whole
//     daub_dataset *d = NULL;
//     daub_dataset_open(&d, "covers-192x64.pack");      // checks header, size and SHA-256
//     const uint8_t *rgb = daub_dataset_pixels(d, 0);   // (height, width, 3)
//     daub_dataset_release(d);
//
// The file is a header of 128 bytes, the pixels (count, height, width, 3), then an id of 64
// characters per picture. Numbers are little-endian. A dataset is read-only and may be read by many
// threads; references are counted atomically. A writer belongs to one thread.
#ifndef DAUB_DATA_DATASET_H
#define DAUB_DATA_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define DAUB_DATASET_ID 64          // characters of a picture's id (its SHA-256 in hexadecimal)
#define DAUB_DATASET_MAX_SIDE 16384 // pixels

typedef struct daub_dataset daub_dataset;
typedef struct daub_dataset_writer daub_dataset_writer;

// DAUB_INVALID for sides or a capacity out of range, DAUB_IO when the file cannot be made.
daub_status daub_dataset_create(daub_dataset_writer **out, const char *path, int64_t width,
                                int64_t height, int64_t capacity);
int64_t daub_dataset_writer_width(const daub_dataset_writer *w);
int64_t daub_dataset_writer_height(const daub_dataset_writer *w);

// Picture `index` (0 … capacity-1); id is DAUB_DATASET_ID characters, pixels (height, width, 3).
daub_status daub_dataset_put(daub_dataset_writer *w, int64_t index, const char *id,
                             const uint8_t *pixels);

// Closes the gaps of pictures never put, writes the header and renames the file into place.
// Frees the writer in any case; DAUB_INVALID when nothing was put.
daub_status daub_dataset_finish(daub_dataset_writer *w, int64_t *kept);
void daub_dataset_abandon(daub_dataset_writer *w); // removes what was written; NULL is fine

// DAUB_DECODE when the file is no dataset of ours, is cut short or damaged.
daub_status daub_dataset_open(daub_dataset **out, const char *path);
void daub_dataset_retain(daub_dataset *d);
void daub_dataset_release(daub_dataset *d); // NULL is fine

int64_t daub_dataset_count(const daub_dataset *d);
int64_t daub_dataset_width(const daub_dataset *d);
int64_t daub_dataset_height(const daub_dataset *d);
const uint8_t *daub_dataset_pixels(const daub_dataset *d, int64_t index);
const char *daub_dataset_id(const daub_dataset *d, int64_t index); // not zero-terminated

// The distance of `pixels` (height, width, 3) to every picture: root mean square difference of
// their 24x8 thumbnails, 0 (alike) … 1. out: (count). Thumbnails are made at the first call: one
// thread.
daub_status daub_dataset_distances(daub_dataset *d, const uint8_t *pixels, float *out);

#endif
