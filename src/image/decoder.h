// Decoding strangers' bytes in sandboxed child processes, several at once.
//
//     daub_decoder *d;
//     daub_status s = daub_decoder_open(&d, 2, &daub_decode_defaults);
//     s = daub_decoder_submit_path(d, 1, "a.jpg");  s = daub_decoder_submit_bytes(d, 2, bytes,
//     size); daub_decoded done;  bool got; while (daub_decoder_pending(d) &&
//     daub_decoder_poll(d, 1.0, &done, &got) == DAUB_OK)
//         if (got) … done.id, done.status, done.rgb (the caller's, daub_free) or done.message …
//     daub_decoder_close(d);
//
// A child is this very program started again (main calls daub_decode_worker first of all). It
// limits its memory, drops every system call but reading and writing its one socket and managing
// memory, and only then reads the first byte. A child that dies or takes too long is replaced and
// its picture reported as broken. Children start with the first picture, and serve many. A decoder
// belongs to one thread.
#ifndef DAUB_IMAGE_DECODER_H
#define DAUB_IMAGE_DECODER_H

#include "image/image.h"

typedef struct daub_decode_limits {
    int64_t max_pixels; // of the picture
    int64_t max_bytes;  // of the file
    double timeout;     // seconds a child may take for one picture
} daub_decode_limits;

extern const daub_decode_limits daub_decode_defaults; // 50 megapixels, 64 MiB, 20 s

typedef struct daub_decoded {
    int64_t id;
    daub_status status;
    char message[256];      // when status is not DAUB_OK
    daub_picture_info info; // when it is
    uint8_t *rgb;           // (info.height, info.width, 3) from daub_alloc, or NULL
    daub_looks looks;       // in its place, when that was asked for
} daub_decoded;

typedef struct daub_decoder daub_decoder;

daub_status daub_decoder_open(daub_decoder **out, int workers, const daub_decode_limits *limits);
// Other limits for what is submitted from now on; call it when nothing is pending.
daub_status daub_decoder_limit(daub_decoder *d, const daub_decode_limits *limits);
// From now on the children look at what they decode and its pixels stay with them: that costs this
// process next to nothing. Call it when nothing is pending.
void daub_decoder_look(daub_decoder *d);
// Both queue without waiting; bytes are copied, files are read when their turn comes.
daub_status daub_decoder_submit_bytes(daub_decoder *d, int64_t id, const void *bytes, size_t size);
daub_status daub_decoder_submit_path(daub_decoder *d, int64_t id, const char *path);
// One finished picture, in any order, waiting up to `seconds`; *got is false when none came.
// DAUB_INTERRUPTED when Ctrl-C came (interrupt.h).
daub_status daub_decoder_poll(daub_decoder *d, double seconds, daub_decoded *out, bool *got);
int daub_decoder_pending(const daub_decoder *d); // submitted and not yet handed out
void daub_decoder_close(daub_decoder *d);        // drops what is pending; NULL is fine

// When the program was started as a decoding child, does that work and ends the process.
// Otherwise returns. Call it first in main.
void daub_decode_worker(int argc, char **argv);

// What confines the children here: "seccomp", or "limits" where the kernel or a sanitizer build
// allows memory and time limits only. Starts a child to see.
const char *daub_decoder_sandbox(void);

#endif
