// Where the bytes of an answer go: into memory, or into a temporary file beside the target that
// takes the target's name once everything has come. Counted against a cap and hashed on the way.
//
//     daub_sink *sink = daub_sink_open("pictures/a.jpg", sync, max_bytes, true);   // or NULL:
//     memory while (…) if (daub_sink_write(sink, data, size) != DAUB_OK) goto fail; if
//     (daub_sink_finish(sink) != DAUB_OK) goto fail;                      // renamed … sink->data,
//     sink->bytes, sink->sha256 … daub_sink_free(sink);                     // removes a file that
//     was not finished
#ifndef DAUB_HTTP_SINK_H
#define DAUB_HTTP_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"

typedef struct daub_sink {
    char *path;                   // the target, NULL for memory
    char *part;                   // the temporary file, NULL once renamed
    int fd;                       // of the temporary file, or -1
    bool sync;                    // fsync file and folder
    char *data;                   // memory: the bytes so far
    size_t capacity;              // of data
    int64_t bytes;                // written so far
    int64_t max_bytes;            // more fail
    daub_hash *hash;              // NULL: not wanted
    char sha256[DAUB_SHA256_HEX]; // after finishing; empty when not wanted
} daub_sink;

// NULL and a message when there is no memory or the file cannot be made.
daub_sink *daub_sink_open(const char *path, bool sync, int64_t max_bytes, bool hashed);

// DAUB_INVALID when max_bytes would be exceeded (nothing is written then), DAUB_IO, DAUB_NO_MEMORY.
daub_status daub_sink_write(daub_sink *sink, const void *data, size_t size);

daub_status daub_sink_finish(daub_sink *sink);
void daub_sink_free(daub_sink *sink); // NULL is fine

#endif
