// Child processes.
//
//     daub_process p;
//     const char *argv[] = {"sort", NULL};
//     daub_process_streams io = {{DAUB_STREAM_PIPE}, {DAUB_STREAM_PIPE}, {DAUB_STREAM_INHERIT}};
//     if (daub_process_start(&p, argv, &io, NULL) == DAUB_OK) … p.in, p.out are descriptors …
//     daub_process_wait(&p, -1, &ended);
//     daub_process_close(&p);
//
// A process belongs to one thread. Programs are found along PATH; no shell is involved.
#ifndef DAUB_BASE_PROCESS_H
#define DAUB_BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

typedef enum daub_stream_kind {
    DAUB_STREAM_INHERIT,
    DAUB_STREAM_NULL,
    DAUB_STREAM_PIPE,
    DAUB_STREAM_FILE, // read from, or written anew
    DAUB_STREAM_OUT,  // standard error only: where standard output goes
} daub_stream_kind;

typedef struct daub_stream {
    daub_stream_kind kind;
    const char *path; // of DAUB_STREAM_FILE
} daub_stream;

typedef struct daub_process_streams {
    daub_stream in, out, err;
} daub_process_streams;

typedef struct daub_process {
    pid_t pid;
    int in, out, err; // our ends of the pipes, -1 where there is none
    bool ended;
    int code; // valid when ended: exit status, or 128 + signal
} daub_process;

// DAUB_IO "PROGRAM: why" when it cannot be started. directory may be NULL.
daub_status daub_process_start(daub_process *out, const char *const *argv,
                               const daub_process_streams *streams, const char *directory);

// Waits up to `seconds` (forever when negative). *ended tells whether the process is over.
// DAUB_INTERRUPTED on Ctrl-C.
daub_status daub_process_wait(daub_process *p, double seconds, bool *ended);

daub_status daub_process_kill(daub_process *p, int signal); // fine when it has ended
void daub_process_close(
    daub_process *p); // closes the pipes; terminates and reaps a running process

// The path of the running program; NULL when the system does not tell. Where /proc is not mounted it is the
// path the program was started by: the first call must then come before the working folder changes.
const char *daub_process_executable(void);

#endif
