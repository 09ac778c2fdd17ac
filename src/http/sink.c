#include "http/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Makes path.part-PID-N, a name no other transfer of any process has.
static daub_status open_part(daub_sink *sink) {
    static atomic_uint counter;
    size_t size = strlen(sink->path) + 40;
    sink->part = malloc(size);
    if (!sink->part) return daub_fail(DAUB_NO_MEMORY, "%.200s: no memory", sink->path);
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(sink->part, size, "%s.part-%ld-%u", sink->path, (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        sink->fd = open(sink->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (sink->fd >= 0) return DAUB_OK;
        if (errno != EEXIST) break;
    }
    free(sink->part);
    sink->part = NULL; // not ours to remove
    return daub_fail(DAUB_IO, "%.200s: cannot be written (%s)", sink->path, strerror(errno));
}

daub_sink *daub_sink_open(const char *path, bool sync, int64_t max_bytes) {
    daub_sink *sink = calloc(1, sizeof *sink);
    if (!sink) {
        daub_fail(DAUB_NO_MEMORY, "no memory for an answer");
        return NULL;
    }
    sink->fd = -1;
    sink->sync = sync;
    sink->max_bytes = max_bytes;
    sink->hash = daub_hash_new();
    if (!sink->hash) goto fail;
    if (path) {
        sink->path = strdup(path);
        if (!sink->path) {
            daub_fail(DAUB_NO_MEMORY, "no memory for an answer");
            goto fail;
        }
        if (open_part(sink) != DAUB_OK) goto fail;
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
    if (status == DAUB_OK) status = daub_hash_add(sink->hash, data, size);
    if (status == DAUB_OK) sink->bytes += (int64_t)size;
    return status;
}

// Makes a renaming outlast a power cut.
static void sync_folder(const char *path) {
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    if (length >= sizeof folder) return;
    memcpy(folder, path, length);
    folder[length] = '\0';
    int fd = open(length ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd); // some file systems cannot; the file itself is safe
    close(fd);
}

daub_status daub_sink_finish(daub_sink *sink) {
    daub_hash *hash = sink->hash;
    sink->hash = NULL;
    daub_status status = daub_hash_end(hash, sink->sha256);
    if (status != DAUB_OK || !sink->path) return status;
    int failed = sink->sync ? fsync(sink->fd) : 0;
    failed |= close(sink->fd);
    sink->fd = -1;
    if (failed || rename(sink->part, sink->path))
        return daub_fail(DAUB_IO, "%.200s: cannot be written (%s)", sink->path, strerror(errno));
    free(sink->part);
    sink->part = NULL;
    if (sink->sync) sync_folder(sink->path);
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
