#define _GNU_SOURCE
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"

// Reads and writes go in pieces of this size, so that Ctrl-C is seen in time.
enum { PIECE = 4 << 20 };

static daub_status system_failure(const char *path) {
    return daub_fail(DAUB_IO, "%s: %s", path, strerror(errno));
}

static daub_status no_memory(const char *path) {
    return daub_fail(DAUB_NO_MEMORY, "%s: no memory", path);
}

static daub_status write_all(int fd, const char *data, size_t size, const char *path) {
    while (size > 0) {
        if (daub_interrupt_raised()) return daub_fail(DAUB_INTERRUPTED, "interrupted");
        ssize_t n = write(fd, data, size < PIECE ? size : PIECE);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_failure(path);
        data += n;
        size -= (size_t)n;
    }
    return DAUB_OK;
}

daub_status daub_file_create_part(const char *path, char **part, int *fd) {
    static atomic_uint counter;
    size_t size = strlen(path) + 40;
    char *name = malloc(size);
    if (!name) return no_memory(path);
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(name, size, "%s.part-%ld-%u", path, (long)getpid(), atomic_fetch_add(&counter, 1));
        *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0) {
            *part = name;
            return DAUB_OK;
        }
        if (errno != EEXIST) break;
    }
    daub_status status = system_failure(path);
    free(name);
    return status;
}

// The folder's entry is on disk only after the folder was synced; some file systems cannot.
static void sync_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

daub_status daub_file_write(const char *path, const daub_bytes *parts, size_t count) {
    char *part;
    int fd;
    struct stat old;
    daub_status status = daub_file_create_part(path, &part, &fd);
    if (status != DAUB_OK) return status;
    if (stat(path, &old) == 0 && fchmod(fd, old.st_mode & 07777)) {
        // a file system without modes
    }
    for (size_t i = 0; i < count && status == DAUB_OK; i++)
        status = write_all(fd, parts[i].data, parts[i].size, path);
    if (status == DAUB_OK && fsync(fd)) status = system_failure(path);
    if (close(fd) && status == DAUB_OK) status = system_failure(path);
    if (status == DAUB_OK && rename(part, path)) status = system_failure(path);
    if (status == DAUB_OK)
        sync_folder_of(path);
    else
        unlink(part);
    free(part);
    return status;
}

// Reads until the end or one byte past max_bytes; *data grows as needed (pipes have no size).
static daub_status read_all(int fd, const char *path, size_t max_bytes, char **data, size_t *size) {
    struct stat info;
    size_t room = fstat(fd, &info) == 0 && info.st_size > 0 ? (size_t)info.st_size + 2 : 4096;
    for (;;) {
        if (room > max_bytes + 2) room = max_bytes + 2;
        char *grown = realloc(*data, room);
        if (!grown) return no_memory(path);
        *data = grown;
        while (*size + 1 < room) {
            if (daub_interrupt_raised()) return daub_fail(DAUB_INTERRUPTED, "interrupted");
            size_t want = room - 1 - *size;
            ssize_t n = read(fd, *data + *size, want < PIECE ? want : PIECE);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return system_failure(path);
            (*data)[*size + (size_t)n] = 0;
            if (n == 0) return DAUB_OK;
            *size += (size_t)n;
            if (*size > max_bytes)
                return daub_fail(DAUB_IO, "%s: more than %zu bytes", path, max_bytes);
        }
        room *= 2;
    }
}

daub_status daub_file_read(const char *path, size_t max_bytes, char **data, size_t *size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return system_failure(path);
    *data = NULL;
    *size = 0;
    if (max_bytes > SIZE_MAX / 4) max_bytes = SIZE_MAX / 4;
    daub_status status = read_all(fd, path, max_bytes, data, size);
    close(fd);
    if (status != DAUB_OK) {
        free(*data);
        *data = NULL;
    }
    return status;
}

static daub_status make_one(const char *path) {
    struct stat info;
    if (mkdir(path, 0777) == 0) return DAUB_OK;
    if (errno == EEXIST && stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) return DAUB_OK;
        errno = ENOTDIR;
    }
    return system_failure(path);
}

daub_status daub_file_make_directory(const char *path) {
    char *copy = strdup(path);
    if (!copy) return no_memory(path);
    daub_status status = DAUB_OK;
    for (char *p = copy + 1; *copy && *p && status == DAUB_OK; p++) {
        if (*p != '/' || p[-1] == '/') continue;
        *p = 0;
        status = make_one(copy);
        *p = '/';
    }
    free(copy);
    return status == DAUB_OK ? make_one(path) : status;
}

daub_status daub_file_remove(const char *path) {
    return remove(path) ? system_failure(path) : DAUB_OK;
}

daub_status daub_file_rename(const char *from, const char *to) {
    if (rename(from, to))
        return daub_fail(DAUB_IO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
    sync_folder_of(to);
    return DAUB_OK;
}

daub_status daub_file_temporary_directory(const char *prefix, char **path) {
    const char *root = getenv("TMPDIR");
    if (!root || !*root) root = "/tmp";
    size_t size = strlen(root) + strlen(prefix) + sizeof "/-XXXXXX";
    char *name = malloc(size);
    if (!name) return no_memory(prefix);
    snprintf(name, size, "%s/%s-XXXXXX", root, prefix);
    if (!mkdtemp(name)) {
        daub_status status = system_failure(name);
        free(name);
        return status;
    }
    *path = name;
    return DAUB_OK;
}

static daub_status locked_by_another(int fd, const char *path) {
    char owner[32] = {0};
    ssize_t n = pread(fd, owner, sizeof owner - 1, 0);
    long pid = n > 0 ? strtol(owner, NULL, 10) : 0;
    if (pid > 0) return daub_fail(DAUB_IO, "%s: locked by process %ld", path, pid);
    return daub_fail(DAUB_IO, "%s: locked by another process", path);
}

daub_status daub_file_lock(const char *path, int *handle) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return system_failure(path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        daub_status status =
            errno == EWOULDBLOCK ? locked_by_another(fd, path) : system_failure(path);
        close(fd);
        return status;
    }
    char owner[32];
    int n = snprintf(owner, sizeof owner, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) || pwrite(fd, owner, (size_t)n, 0) != n) {
        daub_status status = system_failure(path);
        close(fd);
        return status;
    }
    *handle = fd;
    return DAUB_OK;
}

void daub_file_unlock(int handle) {
    if (handle < 0) return;
    if (ftruncate(handle, 0)) { /* the name of the last owner stays: harmless */
    }
    close(handle);
}
