#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/pool.h"

// A header of one cache line stands before every block.
typedef struct header {
    size_t size; // usable bytes: the class size
    struct header *next;
    int class;
} header;

enum { HEADER = 64, STEPS = 8, MIN_SHIFT = 8, CLASSES = (48 - MIN_SHIFT) * STEPS };
#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM ((size_t)1 << 20)
#define CACHE_FLOOR ((int64_t)256 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static header *cache[CLASSES];
static daub_memory_counters counters;

// Classes grow by eighths of a power of two: at most 12.5 % is lost to rounding.
static int class_of(size_t bytes, size_t *rounded) {
    size_t base = (size_t)1 << MIN_SHIFT;
    int class = 0;
    while (base * 2 < bytes) {
        base *= 2;
        class += STEPS;
    }
    size_t step = base / STEPS;
    size_t extra = bytes > base ? (bytes - base + step - 1) / step : 0;
    *rounded = base + extra * step;
    return class + (int)extra;
}

static header *take_cached(int class) {
    header *h = cache[class];
    if (!h) return NULL;
    cache[class] = h->next;
    counters.cached -= (int64_t)h->size;
    return h;
}

// Training reuses what it cached; pictures of ever new sizes would only add to it.
static bool cache_is_stale(void) {
    return counters.cached > CACHE_FLOOR && counters.cached / 2 > counters.peak;
}

static header *from_system(size_t size) {
    bool huge = size >= HUGE_FROM;
    size_t total = (size + HEADER + PAGE - 1) / PAGE * PAGE; // the last huge page is not filled up
    void *h = NULL; // aligned_alloc would want a multiple of the alignment
    if (posix_memalign(&h, huge ? HUGE_PAGE : HEADER, huge ? total : size + HEADER)) return NULL;
    if (huge) madvise(h, total, MADV_HUGEPAGE);
    return h;
}

void *daub_alloc(size_t bytes) {
    size_t size = 0;
    if (bytes >= (size_t)1 << 46) {
        daub_fail(DAUB_NO_MEMORY, "memory: %zu bytes asked for", bytes);
        return NULL;
    }
    int class = class_of(bytes, &size);
    pthread_mutex_lock(&lock);
    header *h = take_cached(class);
    if (!h) {
        counters.system_calls++;
        bool stale = cache_is_stale();
        pthread_mutex_unlock(&lock);
        if (stale) daub_memory_trim();
        h = from_system(size);
        if (!h) {
            daub_memory_trim();
            h = from_system(size);
        }
        if (!h) {
            daub_fail(DAUB_NO_MEMORY, "memory: the system has no %zu bytes left", size);
            return NULL;
        }
        h->size = size;
        h->class = class;
        pthread_mutex_lock(&lock);
    }
    counters.in_use += (int64_t)size;
    if (counters.in_use > counters.peak) counters.peak = counters.in_use;
    pthread_mutex_unlock(&lock);
    return (char *)h + HEADER;
}

static header *header_of(const void *block) {
    return (header *)((char *)block - HEADER);
}

void daub_free(void *block) {
    if (!block) return;
    header *h = header_of(block);
    pthread_mutex_lock(&lock);
    h->next = cache[h->class];
    cache[h->class] = h;
    counters.in_use -= (int64_t)h->size;
    counters.cached += (int64_t)h->size;
    pthread_mutex_unlock(&lock);
}

size_t daub_alloc_size(const void *block) {
    return header_of(block)->size;
}

void daub_memory_trim(void) {
    pthread_mutex_lock(&lock);
    for (int class = 0; class < CLASSES; class ++) {
        for (header *h; (h = take_cached(class));) free(h);
    }
    pthread_mutex_unlock(&lock);
}

daub_memory_counters daub_memory_stats(void) {
    pthread_mutex_lock(&lock);
    daub_memory_counters copy = counters;
    pthread_mutex_unlock(&lock);
    return copy;
}

void *daub_scratch(int worker, int slot, size_t bytes) {
    static void *held[DAUB_MAX_THREADS][DAUB_SCRATCH_SLOTS];
    void **block = &held[worker][slot];
    if (*block && daub_alloc_size(*block) >= bytes) return *block;
    daub_free(*block);
    *block = daub_alloc(bytes);
    return *block;
}
