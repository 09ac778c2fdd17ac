// The decoding child: confines itself, then serves pictures until its socket closes.
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/pool.h"
#include "image/decoder.h"
#include "image/protocol.h"

// Address and thread sanitizers map terabytes and use many system calls: only time is limited
// there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINED 0
#else
#define CONFINED 1
#endif

static void limit(int what, rlim_t value) {
    struct rlimit r = {value, value};
    setrlimit(what, &r);
}

static void set_limits(void) {
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CPU, 3600); // last resort: the parent's clock comes first
    if (CONFINED) limit(RLIMIT_AS, DAUB_WORKER_MEMORY);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

// The only system calls left: the socket, memory without execution, clocks, locks, the end.
static bool add_rules(scmp_filter_ctx filter) {
    static const int plain[] = {
        SCMP_SYS(munmap), SCMP_SYS(mremap),     SCMP_SYS(brk),           SCMP_SYS(madvise),
        SCMP_SYS(futex),  SCMP_SYS(exit_group), SCMP_SYS(clock_gettime), SCMP_SYS(sched_yield),
        SCMP_SYS(exit),   SCMP_SYS(getrandom),
    };
    bool ok = true;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        ok &= seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0) == 0;
    ok &= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1,
                           SCMP_A0(SCMP_CMP_EQ, DAUB_WORKER_FD)) == 0;
    ok &= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1,
                           SCMP_A0(SCMP_CMP_EQ, DAUB_WORKER_FD)) == 0;
    ok &= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                           SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
    ok &= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                           SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
    // A library that looks for a locale or a CPU file is told no and goes on.
    ok &= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0) == 0;
    return ok;
}

static daub_sandbox_level confine(void) {
    set_limits();
    if (!CONFINED) return DAUB_SANDBOX_LIMITS;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter) return DAUB_SANDBOX_LIMITS;
    bool loaded = add_rules(filter) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return loaded ? DAUB_SANDBOX_SECCOMP : DAUB_SANDBOX_LIMITS;
}

static bool read_all(void *to, size_t size) {
    for (uint8_t *p = to; size > 0;) {
        ssize_t n = read(DAUB_WORKER_FD, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static bool write_all(const void *from, size_t size) {
    for (const uint8_t *p = from; size > 0;) {
        ssize_t n = write(DAUB_WORKER_FD, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static bool refuse(daub_status status) {
    const char *message = daub_error_message();
    daub_worker_reply reply = {.status = status};
    reply.message_size = (uint32_t)strnlen(message, DAUB_WORKER_MESSAGE - 1);
    return write_all(&reply, sizeof reply) && write_all(message, reply.message_size);
}

// The reply and what follows it: pixels or looks.
static bool answer(const daub_picture_info *info, const void *what, size_t size) {
    daub_worker_reply reply = {
        .status = DAUB_OK,
        .format = (uint32_t)info->format,
        .channels = (uint32_t)info->channels,
        .frames = (uint32_t)info->frames,
        .orientation = (uint32_t)info->orientation,
        .width = (uint32_t)info->width,
        .height = (uint32_t)info->height,
    };
    return write_all(&reply, sizeof reply) && write_all(what, size);
}

static daub_status look(const daub_picture_info *info, uint8_t *rgb, daub_looks *looks) {
    daub_pixels pixels = {rgb, false, 3, info->width, info->height, info->width * 3};
    memset(looks, 0, sizeof *looks);
    daub_status status = daub_phash(&pixels, &looks->phash);
    return status == DAUB_OK ? daub_statistics(&pixels, &looks->stats) : status;
}

static bool serve(void) {
    daub_worker_request request;
    if (!read_all(&request, sizeof request)) return false;
    uint8_t *bytes = malloc(request.size ? request.size : 1);
    if (!bytes || !read_all(bytes, request.size)) return false;
    daub_picture_info info;
    daub_looks looks;
    uint8_t *rgb = NULL;
    daub_status status = daub_picture_decode(bytes, request.size, request.max_pixels, &info, &rgb);
    free(bytes);
    if (status == DAUB_OK && request.looks) status = look(&info, rgb, &looks);
    bool said = status != DAUB_OK ? refuse(status)
                : request.looks   ? answer(&info, &looks, sizeof looks)
                                  : answer(&info, rgb, (size_t)(info.width * info.height * 3));
    daub_free(rgb);
    if (daub_memory_stats().cached > 32 << 20) daub_memory_trim();
    return said;
}

void daub_decode_worker(int argc, char **argv) {
    if (argc != 2 || strcmp(argv[1], DAUB_WORKER_FLAG) != 0) return;
    daub_pool_set_threads(1); // more could not be started once it is confined
    daub_worker_hello hello = {.sandbox = (uint32_t)confine()};
    if (write_all(&hello, sizeof hello))
        while (serve()) {
        }
    _exit(0);
}
