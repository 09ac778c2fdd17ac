// Status codes and the thread-local message that goes with a failure.
//
//     if (!path) return daub_fail(DAUB_INVALID, "open: no path given");
//     daub_status s = daub_file_write(path, data, size);
//     if (s != DAUB_OK) puts(daub_error_message());
//
// Every function of the core that can fail returns a daub_status. The message belongs to the calling
// thread and stays valid until that thread's next failure.
#ifndef DAUB_BASE_ERROR_H
#define DAUB_BASE_ERROR_H

typedef enum daub_status {
    DAUB_OK = 0,
    DAUB_INVALID,     // misuse: wrong shape, dtype, option (a Lua error is raised)
    DAUB_NO_MEMORY,   // an allocation failed
    DAUB_IO,          // a file could not be read or written
    DAUB_DECODE,      // hostile or broken input: picture, header, text
    DAUB_NETWORK,     // a transfer failed
    DAUB_INTERRUPTED, // Ctrl-C was pressed
} daub_status;

// Sets this thread's message (printf format, cut at 511 bytes) and returns `status`.
daub_status daub_fail(daub_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The message of this thread's last failure; never NULL.
const char *daub_error_message(void);

// The short word scripts see as an error's code: "invalid", "memory", "io", "decode", …
const char *daub_status_name(daub_status status);

#endif
