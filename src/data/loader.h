// Batches of a dataset, prepared by a thread of their own beside the step.
//
//     daub_loader_options o = {.batch = 32, .seed = 1, .zoom = 1};
//     daub_loader *l = NULL;
//     daub_loader_start(&l, dataset, &o);
//     daub_array x, which;
//     daub_loader_next(l, &x, &which);       // f32 (32, height, width, 3), -1 … 1; i64 (32)
//     daub_loader_stop(l);
//
// Batch n depends on the options alone: every epoch shows each picture once, in an order made from
// the seed and the epoch's number, and a batch may span two epochs. So a loader started at batch n
// goes on exactly where another stopped. A loader keeps its dataset alive; it belongs to one
// thread.
#ifndef DAUB_DATA_LOADER_H
#define DAUB_DATA_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "array/array.h"
#include "base/error.h"
#include "data/dataset.h"

typedef struct daub_loader_options {
    int64_t batch; // pictures, 1 or more
    uint64_t seed;
    int64_t start; // number of the first batch, 0 or more
    double zoom;   // every other picture shows a random part of it, this share or more of each side
    bool mirror;   // every other picture is turned left to right
} daub_loader_options;

typedef struct daub_loader daub_loader;

daub_status daub_loader_start(daub_loader **out, daub_dataset *d, const daub_loader_options *o);

// The next batch and which pictures of the dataset it shows, from 0; both are the caller's.
daub_status daub_loader_next(daub_loader *l, daub_array *pictures, daub_array *which);
int64_t daub_loader_position(const daub_loader *l); // number of the batch that next gives
void daub_loader_stop(daub_loader *l);              // NULL is fine

#endif
