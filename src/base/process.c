#define _GNU_SOURCE
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"

extern char **environ;

// How long a process that was told to end may take before it is killed.
static const double grace = 2;

static void close_one(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

// Sets up descriptor `target` (0, 1, 2) of the child; *ours becomes our end of a pipe.
static int set_stream(posix_spawn_file_actions_t *actions, const daub_stream *stream, int target,
                      int *ours, int *theirs) {
    int flags = target == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
    int ends[2];
    switch (stream->kind) {
    case DAUB_STREAM_INHERIT:
        return 0;
    case DAUB_STREAM_NULL:
        return posix_spawn_file_actions_addopen(actions, target, "/dev/null", O_RDWR, 0);
    case DAUB_STREAM_FILE:
        return posix_spawn_file_actions_addopen(actions, target, stream->path, flags, 0666);
    case DAUB_STREAM_OUT:
        return posix_spawn_file_actions_adddup2(actions, 1, target);
    case DAUB_STREAM_PIPE:
        if (pipe2(ends, O_CLOEXEC)) return errno;
        *ours = target == 0 ? ends[1] : ends[0];
        *theirs = target == 0 ? ends[0] : ends[1];
        return posix_spawn_file_actions_adddup2(actions, *theirs, target);
    }
    return EINVAL;
}

// The child starts with the signals every program expects.
static void reset_signals(posix_spawnattr_t *attributes) {
    sigset_t set;
    sigemptyset(&set);
    posix_spawnattr_setsigmask(attributes, &set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGPIPE);
    posix_spawnattr_setsigdefault(attributes, &set);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

daub_status daub_process_start(daub_process *out, const char *const *argv,
                               const daub_process_streams *streams, const char *directory) {
    daub_process p = {.pid = -1, .in = -1, .out = -1, .err = -1};
    int theirs[3] = {-1, -1, -1};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    reset_signals(&attributes);
    int error = directory ? posix_spawn_file_actions_addchdir_np(&actions, directory) : 0;
    if (!error) error = set_stream(&actions, &streams->in, 0, &p.in, &theirs[0]);
    if (!error) error = set_stream(&actions, &streams->out, 1, &p.out, &theirs[1]);
    if (!error) error = set_stream(&actions, &streams->err, 2, &p.err, &theirs[2]);
    if (!error)
        error = posix_spawnp(&p.pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    for (int i = 0; i < 3; i++) close_one(&theirs[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error) {
        close_one(&p.in);
        close_one(&p.out);
        close_one(&p.err);
        return daub_fail(DAUB_IO, "%s: cannot be started: %s", argv[0], strerror(error));
    }
    *out = p;
    return DAUB_OK;
}

static void reap(daub_process *p) {
    int status = 0;
    pid_t got = waitpid(p->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return;
    p->ended = true;
    if (got < 0)
        p->code = 1; // someone else reaped it
    else
        p->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

daub_status daub_process_wait(daub_process *p, double seconds, bool *ended) {
    double until = daub_clock() + seconds;
    for (long pause = 200000; !p->ended; pause = pause < 20000000 ? pause * 2 : pause) {
        reap(p);
        if (p->ended || (seconds >= 0 && daub_clock() >= until)) break;
        if (daub_interrupt_raised()) return daub_fail(DAUB_INTERRUPTED, "interrupted");
        nanosleep(&(struct timespec){0, pause}, NULL);
    }
    *ended = p->ended;
    return DAUB_OK;
}

daub_status daub_process_kill(daub_process *p, int signal) {
    if (!p->ended) reap(p);
    if (!p->ended && kill(p->pid, signal))
        return daub_fail(DAUB_IO, "process %ld: %s", (long)p->pid, strerror(errno));
    return DAUB_OK;
}

void daub_process_close(daub_process *p) {
    close_one(&p->in);
    close_one(&p->out);
    close_one(&p->err);
    if (p->ended) return;
    bool ended = false;
    daub_process_kill(p, SIGTERM);
    daub_interrupt_hold(); // Ctrl-C does not leave a child behind
    daub_process_wait(p, grace, &ended);
    if (!ended) {
        daub_process_kill(p, SIGKILL);
        daub_process_wait(p, -1, &ended);
    }
    daub_interrupt_release();
}

const char *daub_process_executable(void) {
    static char path[PATH_MAX];
    if (*path) return path;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n > 0) {
        path[n] = 0;
        return path;
    }
    const char *started_by = (const char *)getauxval(AT_EXECFN);
    return started_by && realpath(started_by, path) ? path : NULL;
}
