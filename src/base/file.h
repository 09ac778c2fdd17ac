// Files: whole reads, atomic writes, folders, locks.
//
//     daub_bytes part = {text, strlen(text)};
//     daub_status s = daub_file_write("run.json", &part, 1);   // appears whole or not at all
//
// Failures are DAUB_IO with "PATH: what the system said", DAUB_NO_MEMORY or, in the long loops,
// DAUB_INTERRUPTED (nothing is left behind then). Thread-safe.
#ifndef DAUB_BASE_FILE_H
#define DAUB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct daub_bytes {
    const void *data;
    size_t size;
} daub_bytes;

// Writes the parts one after another to a temporary file beside `path`, syncs it, renames it over
// `path` and syncs the folder. The file keeps the mode it had, or gets 0666 less the umask.
daub_status daub_file_write(const char *path, const daub_bytes *parts, size_t count);

// Makes and opens PATH.part-PID-N, a name no other writer of any process has; *part is malloc'ed.
daub_status daub_file_create_part(const char *path, char **part, int *fd);

// *data is malloc'ed (a 0 byte follows). DAUB_IO when the file holds more than max_bytes.
daub_status daub_file_read(const char *path, size_t max_bytes, char **data, size_t *size);

daub_status daub_file_make_directory(const char *path); // with its parents; fine when it exists

// Removes a file, a link or an empty folder.
daub_status daub_file_remove(const char *path);
daub_status daub_file_rename(const char *from, const char *to);

// *path becomes the malloc'ed name of a new empty folder $TMPDIR/PREFIX-XXXXXX.
daub_status daub_file_temporary_directory(const char *prefix, char **path);

// Takes the lock file `path` for this process (making it if need be), until daub_file_unlock or the
// process ends, however it ends. DAUB_IO "PATH: locked by process N" when another handle has it.
daub_status daub_file_lock(const char *path, int *handle);
void daub_file_unlock(int handle); // the file stays

#endif
