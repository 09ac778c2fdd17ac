#include "http/sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

daub_sink *daub_sink_open(const char *path, bool sync, int64_t max_bytes, bool hashed) {
    daub_sink *sink = calloc(1, sizeof *sink);
    if (!sink) {
        daub_fail(DAUB_NO_MEMORY, "no memory for an answer");
        return NULL;
    }
    sink->fd = -1;
    sink->sync = sync;
    sink->max_bytes = max_bytes;
    if (hashed && !(sink->hash = daub_hash_new())) goto fail;
    if (path) {
        sink->path = strdup(path);
        if (!sink->path) {
            daub_fail(DAUB_NO_MEMORY, "no memory for an answer");
            goto fail;
        }
        if (daub_file_create_part(path, &sink->part, &sink->fd) != DAUB_OK) goto fail;
    }
    return sink;
fail:
    daub_sink_free(sink);
    return NULL;
}

static daub_status keep(daub_sink *sink, const char *data, size_t size) {
    size_t needed = (size_t)sink->bytes + size;
    if (needed > sink->capacity) {
        size_t capacity = sink->capacity ? sink->capacity * 2 : 16384;
        if (capacity < needed) capacity = needed;
        char *grown = realloc(sink->data, capacity);
        if (!grown)
            return daub_fail(DAUB_NO_MEMORY, "no memory for %zu bytes of an answer", needed);
        sink->data = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->data + sink->bytes, data, size);
    return DAUB_OK;
}

static daub_status store(daub_sink *sink, const char *data, size_t size) {
    while (size) {
        ssize_t n = write(sink->fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return daub_fail(DAUB_IO, "%.200s: cannot be written (%s)", sink->part,
                             strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return DAUB_OK;
}

daub_status daub_sink_write(daub_sink *sink, const void *data, size_t size) {
    if ((int64_t)size > sink->max_bytes - sink->bytes)
        return daub_fail(DAUB_INVALID, "more than %lld bytes", (long long)sink->max_bytes);
    daub_status status = sink->path ? store(sink, data, size) : keep(sink, data, size);
    if (status == DAUB_OK && sink->hash) status = daub_hash_add(sink->hash, data, size);
    if (status == DAUB_OK) sink->bytes += (int64_t)size;
    return status;
}

daub_status daub_sink_finish(daub_sink *sink) {
    daub_hash *hash = sink->hash;
    sink->hash = NULL;
    daub_status status = hash ? daub_hash_end(hash, sink->sha256) : DAUB_OK;
    if (status != DAUB_OK || !sink->path) return status;
    int failed = sink->sync ? fsync(sink->fd) : 0;
    failed |= close(sink->fd);
    sink->fd = -1;
    if (failed || (!sink->sync && rename(sink->part, sink->path)))
        return daub_fail(DAUB_IO, "%.200s: cannot be written (%s)", sink->path, strerror(errno));
    if (sink->sync) status = daub_file_rename(sink->part, sink->path); // syncs the folder
    if (status != DAUB_OK) return status;
    free(sink->part);
    sink->part = NULL;
    return DAUB_OK;
}

void daub_sink_free(daub_sink *sink) {
    if (!sink) return;
    if (sink->fd >= 0) close(sink->fd);
    if (sink->part) unlink(sink->part);
    free(sink->part);
    free(sink->path);
    free(sink->data);
    daub_hash_free(sink->hash);
    free(sink);
}
