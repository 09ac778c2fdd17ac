// Fetching ahead, for loops that take several rows together: seen by the processor, they jump, and it
// does not notice that memory is read from front to back.
#ifndef DAUB_KERNEL_FETCH_H
#define DAUB_KERNEL_FETCH_H

#include <stdint.h>

// Fetches what comes 4 KiB after these bytes; that may lie outside of what there is.
static inline __attribute__((always_inline)) void fetch(const void *p, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)p + 4096 + i);
}

#endif
