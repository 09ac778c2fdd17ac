#define _GNU_SOURCE // posix_spawn_file_actions_addclosefrom_np
// The parent's side: a queue of pictures and a child per worker, pumped by poll.
#include "image/decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/process.h"
#include "image/protocol.h"

#define MAX_WORKERS 64
#define TICK 0.05 // seconds between looks at the interrupt flag

const daub_decode_limits daub_decode_defaults = {50000000, 64 << 20, 20.0};

typedef struct job {
    struct job *next;
    int64_t id;
    char *path;     // or NULL
    uint8_t *bytes; // the file, NULL until read
    size_t size;
} job;

typedef struct result {
    struct result *next;
    daub_decoded decoded;
} result;

typedef enum stage { SENDING, HELLO, HEADER, BODY } stage;

typedef struct worker {
    pid_t pid; // 0: no child
    int fd;
    bool greeted; // hello was read
    daub_sandbox_level sandbox;
    int served;
    job *job; // NULL: idle
    stage stage;
    size_t done;     // bytes of this stage
    double deadline; // of this stage: the parent may come late, that is not the child's fault
    bool heard;      // it sent or took something in this round
    daub_worker_request request;
    daub_worker_hello hello;
    daub_worker_reply reply;
    char message[DAUB_WORKER_MESSAGE];
    uint8_t *rgb;
    daub_looks looks;
} worker;

struct daub_decoder {
    daub_decode_limits limits;
    bool looks; // are wanted, not pixels
    int count;
    worker workers[MAX_WORKERS];
    job *first, **last;
    result *finished, **finished_last;
    int pending;
};

static void job_free(job *j) {
    if (!j) return;
    free(j->path);
    free(j->bytes);
    free(j);
}

// Children

static daub_status spawn_child(pid_t *pid, int fd) {
    static const char *const passed[] = {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                         "TSAN_OPTIONS", "LSAN_OPTIONS"};
    char store[sizeof passed / sizeof *passed][1024];
    char *env[sizeof passed / sizeof *passed + 2] = {"OPENBLAS_NUM_THREADS=1"};
    int n = 1;
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        const char *value = getenv(passed[i]);
        if (!value) continue;
        if (snprintf(store[i], sizeof *store, "%s=%s", passed[i], value) < (int)sizeof *store)
            env[n++] = store[i];
    }
    char *argv[] = {"daub", DAUB_WORKER_FLAG, NULL};
    sigset_t blocked; // Ctrl-C in the terminal is the parent's business
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fd, DAUB_WORKER_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, DAUB_WORKER_FD + 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &blocked);
    // By /proc a program that was replaced on disk since its start still finds itself.
    int error = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, argv, env);
    const char *executable = daub_process_executable();
    if (error == ENOENT && executable)
        error = posix_spawn(pid, executable, &actions, &attributes, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error) return daub_fail(DAUB_IO, "decoder: cannot start a process: %s", strerror(error));
    return DAUB_OK;
}

static daub_status worker_start(worker *w) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return daub_fail(DAUB_IO, "decoder: socketpair: %s", strerror(errno));
    // The child's standard streams and socket are made at 0 … 3: its end must lie above.
    if (ends[1] <= DAUB_WORKER_FD) {
        int moved = fcntl(ends[1], F_DUPFD_CLOEXEC, DAUB_WORKER_FD + 1);
        close(ends[1]);
        ends[1] = moved;
    }
    daub_status status = spawn_child(&w->pid, ends[1]);
    close(ends[1]);
    if (status != DAUB_OK) {
        close(ends[0]);
        w->pid = 0;
        return status;
    }
    w->fd = ends[0];
    w->greeted = false;
    w->served = 0;
    return DAUB_OK;
}

// Ends the child and returns its wait status.
static int worker_stop(worker *w) {
    int status = 0;
    if (!w->pid) return 0;
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) {
    }
    close(w->fd);
    w->pid = 0;
    return status;
}

// Results

static void finish(daub_decoder *d, const daub_decoded *decoded) {
    result *r = malloc(sizeof *r);
    if (!r) { // not even a note of it fits: drop the pixels, the picture counts as not pending
        daub_free(decoded->rgb);
        d->pending--;
        return;
    }
    r->next = NULL;
    r->decoded = *decoded;
    *d->finished_last = r;
    d->finished_last = &r->next;
}

static void finish_failed(daub_decoder *d, int64_t id, daub_status status, const char *message) {
    daub_decoded decoded = {.id = id, .status = status};
    snprintf(decoded.message, sizeof decoded.message, "%s", message);
    finish(d, &decoded);
}

static void worker_fail(daub_decoder *d, worker *w, daub_status status, const char *message) {
    finish_failed(d, w->job->id, status, message);
    daub_free(w->rgb);
    w->rgb = NULL;
    job_free(w->job);
    w->job = NULL;
}

// The child died or spoke nonsense: replace it, report the picture.
static void worker_broke(daub_decoder *d, worker *w) {
    char message[256];
    bool greeted = w->greeted;
    int dead = worker_stop(w); // keeps the status of a child that ended by itself
    if (!greeted)
        snprintf(message, sizeof message, "decoder: the child process does not start");
    else if (WIFSIGNALED(dead) && WTERMSIG(dead) == SIGSYS)
        snprintf(message, sizeof message, "the decoder tried something forbidden on it");
    else if (WIFSIGNALED(dead) && WTERMSIG(dead) != SIGKILL)
        snprintf(message, sizeof message, "the decoder crashed on it (%s)",
                 strsignal(WTERMSIG(dead)));
    else
        snprintf(message, sizeof message, "the decoder failed on it");
    worker_fail(d, w, greeted ? DAUB_DECODE : DAUB_IO, message);
}

static void worker_done(daub_decoder *d, worker *w) {
    if (w->reply.status != DAUB_OK) {
        w->message[w->reply.message_size] = 0;
        worker_fail(d, w, (daub_status)w->reply.status, w->message);
    } else {
        daub_decoded decoded = {.id = w->job->id, .status = DAUB_OK, .rgb = w->rgb};
        decoded.looks = w->looks;
        decoded.info = (daub_picture_info){
            .format = (daub_format)w->reply.format,
            .width = w->reply.width,
            .height = w->reply.height,
            .channels = (int)w->reply.channels,
            .frames = (int)w->reply.frames,
            .orientation = (int)w->reply.orientation,
        };
        w->rgb = NULL;
        finish(d, &decoded);
        job_free(w->job);
        w->job = NULL;
    }
    if (++w->served >= DAUB_WORKER_PICTURES) worker_stop(w);
}

// Talking

// A child may have been taken over by what it decoded: believe nothing out of bounds.
static bool reply_is_sane(const daub_decoder *d, worker *w) {
    const daub_worker_reply *r = &w->reply;
    if (r->status == DAUB_OK) {
        if (r->format < DAUB_FORMAT_JPEG || r->format > DAUB_FORMAT_WEBP) return false;
        if (r->width == 0 || r->height == 0 || r->width > 65535 || r->height > 65535) return false;
        if ((int64_t)r->width * r->height > d->limits.max_pixels) return false;
        if (r->channels < 1 || r->channels > 4 || r->frames > 1 << 24) return false;
        if (r->orientation < 1 || r->orientation > 8) return false;
        if (d->looks) return true;
        w->rgb = daub_alloc((size_t)r->width * r->height * 3);
        return w->rgb != NULL;
    }
    return r->status <= DAUB_INTERRUPTED && r->message_size < sizeof w->message;
}

// Sends or receives up to size bytes of a stage. 1: all there, 0: not yet, -1: the child is gone.
static int transfer(worker *w, void *data, size_t size, bool sending) {
    while (w->done < size) {
        uint8_t *p = (uint8_t *)data + w->done;
        ssize_t n = sending ? send(w->fd, p, size - w->done, MSG_DONTWAIT | MSG_NOSIGNAL)
                            : recv(w->fd, p, size - w->done, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (n <= 0) return -1;
        w->done += (size_t)n;
    }
    w->done = 0;
    return 1;
}

// The request header and the file, as one stream.
static int send_request(worker *w) {
    size_t header = sizeof w->request;
    while (w->done < header + w->job->size) {
        bool in_header = w->done < header;
        const uint8_t *from =
            in_header ? (const uint8_t *)&w->request + w->done : w->job->bytes + (w->done - header);
        size_t left = in_header ? header - w->done : header + w->job->size - w->done;
        ssize_t n = send(w->fd, from, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (n <= 0) return -1;
        w->done += (size_t)n;
    }
    w->done = 0;
    return 1;
}

static int run_stage(daub_decoder *d, worker *w) {
    int state;
    switch (w->stage) {
    case SENDING:
        state = send_request(w);
        if (state != 1) return state;
        w->stage = w->greeted ? HEADER : HELLO;
        w->deadline = daub_clock() + d->limits.timeout;
        return 1;
    case HELLO:
        state = transfer(w, &w->hello, sizeof w->hello, false);
        if (state != 1) return state;
        w->greeted = true;
        w->sandbox =
            w->hello.sandbox == DAUB_SANDBOX_SECCOMP ? DAUB_SANDBOX_SECCOMP : DAUB_SANDBOX_LIMITS;
        w->stage = HEADER;
        return 1;
    case HEADER:
        state = transfer(w, &w->reply, sizeof w->reply, false);
        if (state != 1) return state;
        if (!reply_is_sane(d, w)) return -1;
        w->deadline = daub_clock() + d->limits.timeout;
        w->stage = BODY;
        return 1;
    case BODY:
        if (w->reply.status == DAUB_OK && d->looks)
            return transfer(w, &w->looks, sizeof w->looks, false);
        if (w->reply.status == DAUB_OK)
            return transfer(w, w->rgb, (size_t)w->reply.width * w->reply.height * 3, false);
        return transfer(w, w->message, w->reply.message_size, false);
    }
    return -1;
}

static void pump(daub_decoder *d, worker *w) {
    for (;;) {
        bool last = w->stage == BODY;
        int state = run_stage(d, w);
        if (state == 0) return;
        if (state < 0) {
            worker_broke(d, w);
            return;
        }
        if (last) {
            worker_done(d, w);
            return;
        }
    }
}

// Handing out work

static daub_status read_file(job *j, int64_t max_bytes) {
    int fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0) return daub_fail(DAUB_IO, "%s: %s", j->path, strerror(errno));
    daub_status status = DAUB_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        status = daub_fail(DAUB_IO, "%s: not a regular file", j->path);
    else if (st.st_size > max_bytes)
        status = daub_fail(DAUB_DECODE, "file of %lld bytes is over the limit of %lld",
                           (long long)st.st_size, (long long)max_bytes);
    else if (!(j->bytes = malloc(st.st_size ? (size_t)st.st_size : 1)))
        status = daub_fail(DAUB_NO_MEMORY, "%s: no memory for %lld bytes", j->path,
                           (long long)st.st_size);
    while (status == DAUB_OK && j->size < (size_t)st.st_size) {
        ssize_t n = read(fd, j->bytes + j->size, (size_t)st.st_size - j->size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = daub_fail(DAUB_IO, "%s: %s", j->path, strerror(errno));
        if (n == 0) break; // it shrank meanwhile
        if (n > 0) j->size += (size_t)n;
    }
    close(fd);
    return status;
}

static void assign(daub_decoder *d, worker *w, job *j) {
    daub_status status = j->bytes ? DAUB_OK : read_file(j, d->limits.max_bytes);
    if (status == DAUB_OK && !w->pid) status = worker_start(w);
    if (status != DAUB_OK) {
        finish_failed(d, j->id, status, daub_error_message());
        job_free(j);
        return;
    }
    w->job = j;
    w->stage = SENDING;
    w->done = 0;
    w->request = (daub_worker_request){
        .size = j->size, .max_pixels = d->limits.max_pixels, .looks = d->looks};
    w->deadline = daub_clock() + d->limits.timeout;
    pump(d, w);
}

static void dispatch(daub_decoder *d) {
    for (int i = 0; i < d->count && d->first; i++) {
        while (!d->workers[i].job && d->first) {
            job *j = d->first;
            d->first = j->next;
            if (!d->first) d->last = &d->first;
            assign(d, &d->workers[i], j);
        }
    }
}

static void expire(daub_decoder *d) {
    double t = daub_clock();
    for (int i = 0; i < d->count; i++) {
        worker *w = &d->workers[i];
        if (!w->job || w->heard || t < w->deadline) continue;
        char message[64];
        snprintf(message, sizeof message, "decoding took longer than %g s", d->limits.timeout);
        worker_stop(w);
        worker_fail(d, w, DAUB_DECODE, message);
    }
}

// Waits for the children that work; false when none does.
static bool wait_and_pump(daub_decoder *d, double seconds) {
    struct pollfd fds[MAX_WORKERS];
    worker *who[MAX_WORKERS];
    int n = 0;
    for (int i = 0; i < d->count; i++) {
        worker *w = &d->workers[i];
        w->heard = false;
        if (!w->job) continue;
        who[n] = w;
        fds[n++] = (struct pollfd){.fd = w->fd, .events = w->stage == SENDING ? POLLOUT : POLLIN};
    }
    if (n == 0) return false;
    poll(fds, (nfds_t)n, (int)(seconds * 1000 + 0.999));
    for (int i = 0; i < n; i++) {
        who[i]->heard = fds[i].revents != 0;
        if (who[i]->heard) pump(d, who[i]);
    }
    expire(d);
    return true;
}

daub_status daub_decoder_poll(daub_decoder *d, double seconds, daub_decoded *out, bool *got) {
    double end = daub_clock() + (seconds > 0 ? seconds : 0);
    *got = false;
    for (bool last = false;;) {
        dispatch(d);
        if (d->finished) break;
        if (daub_interrupt_raised()) return daub_fail(DAUB_INTERRUPTED, "interrupted");
        if (last) return DAUB_OK;
        double left = end - daub_clock();
        last = left <= 0;
        if (!wait_and_pump(d, last ? 0 : left < TICK ? left : TICK)) return DAUB_OK;
    }
    result *r = d->finished;
    d->finished = r->next;
    if (!d->finished) d->finished_last = &d->finished;
    *out = r->decoded;
    free(r);
    d->pending--;
    *got = true;
    return DAUB_OK;
}

daub_status daub_decoder_limit(daub_decoder *d, const daub_decode_limits *limits) {
    if (limits->max_pixels < 1 || limits->max_bytes < 1 || !(limits->timeout > 0))
        return daub_fail(DAUB_INVALID, "decoder: limits must be positive");
    d->limits = *limits;
    return DAUB_OK;
}

void daub_decoder_look(daub_decoder *d) {
    d->looks = true;
}

daub_status daub_decoder_open(daub_decoder **out, int workers, const daub_decode_limits *limits) {
    if (workers < 1 || workers > MAX_WORKERS)
        return daub_fail(DAUB_INVALID, "decoder: 1 to %d workers expected, got %d", MAX_WORKERS,
                         workers);
    daub_decoder *d = calloc(1, sizeof *d);
    if (!d) return daub_fail(DAUB_NO_MEMORY, "decoder: no memory");
    daub_status status = daub_decoder_limit(d, limits);
    if (status != DAUB_OK) {
        free(d);
        return status;
    }
    d->count = workers;
    d->last = &d->first;
    d->finished_last = &d->finished;
    *out = d;
    return DAUB_OK;
}

static daub_status submit(daub_decoder *d, job *j) {
    *d->last = j;
    d->last = &j->next;
    d->pending++;
    return DAUB_OK;
}

daub_status daub_decoder_submit_bytes(daub_decoder *d, int64_t id, const void *bytes, size_t size) {
    if ((int64_t)size > d->limits.max_bytes) {
        daub_fail(DAUB_DECODE, "file of %zu bytes is over the limit of %lld", size,
                  (long long)d->limits.max_bytes);
        d->pending++;
        finish_failed(d, id, DAUB_DECODE, daub_error_message());
        return DAUB_OK;
    }
    job *j = calloc(1, sizeof *j);
    if (!j || !(j->bytes = malloc(size ? size : 1))) {
        free(j);
        return daub_fail(DAUB_NO_MEMORY, "decoder: no memory for %zu bytes", size);
    }
    memcpy(j->bytes, bytes, size);
    j->size = size;
    j->id = id;
    return submit(d, j);
}

daub_status daub_decoder_submit_path(daub_decoder *d, int64_t id, const char *path) {
    job *j = calloc(1, sizeof *j);
    if (!j || !(j->path = strdup(path))) {
        free(j);
        return daub_fail(DAUB_NO_MEMORY, "decoder: no memory");
    }
    j->id = id;
    return submit(d, j);
}

int daub_decoder_pending(const daub_decoder *d) {
    return d->pending;
}

void daub_decoder_close(daub_decoder *d) {
    if (!d) return;
    for (int i = 0; i < d->count; i++) {
        worker_stop(&d->workers[i]);
        job_free(d->workers[i].job);
        daub_free(d->workers[i].rgb);
    }
    for (job *j = d->first; j;) {
        job *next = j->next;
        job_free(j);
        j = next;
    }
    for (result *r = d->finished; r;) {
        result *next = r->next;
        daub_free(r->decoded.rgb);
        free(r);
        r = next;
    }
    free(d);
}

const char *daub_decoder_sandbox(void) {
    daub_decoder *d = NULL;
    daub_decoded decoded;
    bool got;
    if (daub_decoder_open(&d, 1, &daub_decode_defaults) != DAUB_OK) return "limits";
    const char *name = "limits";
    if (daub_decoder_submit_bytes(d, 1, "", 0) == DAUB_OK &&
        daub_decoder_poll(d, daub_decode_defaults.timeout, &decoded, &got) == DAUB_OK &&
        d->workers[0].sandbox == DAUB_SANDBOX_SECCOMP)
        name = "seccomp";
    daub_decoder_close(d);
    return name;
}
