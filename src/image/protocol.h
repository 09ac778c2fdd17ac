// What a decoder and its children say to each other over a socket, in this machine's byte order.
#ifndef DAUB_IMAGE_PROTOCOL_H
#define DAUB_IMAGE_PROTOCOL_H

#include "image/image.h"

#define DAUB_WORKER_FLAG "--decode-worker" // argv[1] of a child
#define DAUB_WORKER_FD 3                   // its socket
#define DAUB_WORKER_MEMORY (1u << 30)      // bytes of address space of a child
#define DAUB_WORKER_PICTURES 500           // a child is replaced after so many
#define DAUB_WORKER_MESSAGE 256            // bytes of a refusal, with its NUL

typedef enum daub_sandbox_level {
    DAUB_SANDBOX_LIMITS = 1,
    DAUB_SANDBOX_SECCOMP = 2
} daub_sandbox_level;

typedef struct daub_worker_hello {
    uint32_t sandbox; // daub_sandbox_level, once, before anything else
} daub_worker_hello;

typedef struct daub_worker_request {
    uint64_t size; // bytes of the file, which follow
    int64_t max_pixels;
    uint64_t looks; // 1: what the picture looks like is wanted, not its pixels
} daub_worker_request;

typedef struct daub_worker_reply {
    uint32_t status; // daub_status; then pixels (width * height * 3), looks or the message follow
    uint32_t message_size;
    uint32_t format, channels, frames, orientation;
    uint32_t width, height;
} daub_worker_reply;

#endif
