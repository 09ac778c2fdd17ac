#include "base/memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/pool.h"

// A header of one cache line stands before every block. Small blocks are kept by size class, one
// list each. Large ones are pieces of a wide region of address space (or of one just wide enough,
// where no more is to be had): cut from a free piece, joined with their free neighbours again, so
// that what was freed serves requests of any size.
typedef struct header {
    size_t size;                    // usable bytes
    size_t untouched;               // free: how many of them are no memory, as far as is known
    struct header *next, *previous; // in a list of free blocks
    struct header *left;            // large: the piece before it, NULL at the start of its region
    void *map; // the mapping its region lies in; only in a region's first piece
    size_t mapped;
    bool large, free, last; // last: at the end of its region
} header;

enum {
    HEADER = 64,
    STEPS = 8,
    MIN_SHIFT = 8,
    CLASSES = (48 - MIN_SHIFT) * STEPS,
    SPARE_BLOCKS = 16
};
#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE ((size_t)64 << 10)
#define SPARE ((size_t)64 << 30) // of address space
#define GIANT ((size_t)1 << 30)
#define CACHE_FLOOR ((int64_t)256 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static header *cache[CLASSES]; // small: blocks of this size; large: pieces of this size or more
static daub_memory_counters counters;

_Static_assert(sizeof(header) <= HEADER, "a header fits its cache line");

// Classes grow by eighths of a power of two: at most 12.5 % is lost to rounding. *rounded is the
// size of the class whose blocks hold `bytes`.
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

// The size of a large piece for `bytes`: with its header it fills pages.
static size_t whole_pages(size_t bytes) {
    if (bytes < LARGE) bytes = LARGE;
    return (bytes + HEADER + PAGE - 1) / PAGE * PAGE - HEADER;
}

// The list a free block belongs to: the last class it is large enough for.
static int list_of(size_t size) {
    size_t rounded;
    int class = class_of(size, &rounded);
    return rounded > size ? class - 1 : class;
}

static void put(header *h) {
    header **list = &cache[list_of(h->size)];
    h->free = true;
    h->previous = NULL;
    h->next = *list;
    if (*list) (*list)->previous = h;
    *list = h;
    counters.cached += (int64_t)(h->size - h->untouched);
}

static void take(header *h) {
    if (h->previous)
        h->previous->next = h->next;
    else
        cache[list_of(h->size)] = h->next;
    if (h->next) h->next->previous = h->previous;
    h->free = false;
    counters.cached -= (int64_t)(h->size - h->untouched);
}

static header *right_of(header *h) {
    return h->last ? NULL : (header *)((char *)h + HEADER + h->size);
}

// Cuts `h` down to `size` when enough is left to be a large piece of its own.
static void split(header *h, size_t size) {
    if (h->size < size + HEADER + LARGE) return;
    header *rest = (header *)((char *)h + HEADER + size), *right = right_of(h);
    *rest = (header){.size = h->size - size - HEADER, .left = h, .large = true, .last = h->last};
    rest->untouched = h->untouched < rest->size ? h->untouched : rest->size;
    if (right) right->left = rest;
    h->size = size;
    h->last = false;
    put(rest);
}

static void join(header *left, header *right) {
    header *after = right_of(right);
    left->size += HEADER + right->size;
    left->untouched += right->untouched;
    left->last = right->last;
    if (after) after->left = left;
}

static void free_large(header *h) {
    header *right = right_of(h), *left = h->left;
    if (right && right->free) {
        take(right);
        join(h, right);
    }
    if (left && left->free) {
        take(left);
        join(left, h);
        h = left;
    }
    put(h);
}

// Whether the system would give so much at all: address space alone promises no memory.
static bool system_has(size_t size) {
    if (size < GIANT) return true;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return map != MAP_FAILED && !munmap(map, size);
}

// The free piece at the lowest address that holds `size`: what lives long gathers at one end.
static header *find_large(int class, size_t size) {
    header *best = NULL;
    for (class --; class < CLASSES; class ++)
        for (header *h = cache[class]; h; h = h->next)
            if (h->size >= size && (!best || h < best)) best = h;
    return best && best->untouched && !system_has(size) ? NULL : best;
}

// Training reuses what it cached; pictures of ever new sizes would only add to it.
static bool cache_is_stale(void) {
    return counters.cached > CACHE_FLOOR && counters.cached / 2 > counters.peak;
}

// Address space for `size` bytes and `spare` more. What is not touched is no memory yet.
static header *new_region(size_t size, size_t spare) {
    size_t total = (size + HEADER + spare + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    size_t mapped = total + HUGE_PAGE;
    void *map = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return NULL;
    header *h = (header *)(((uintptr_t)map + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    madvise(h, total, MADV_HUGEPAGE);
    *h = (header){.size = total - HEADER, .large = true, .last = true};
    h->untouched = h->size;
    h->map = map;
    h->mapped = mapped;
    return h;
}

static header *new_small(size_t size) {
    void *h = NULL; // aligned_alloc would want a multiple of the alignment
    if (posix_memalign(&h, HEADER, size + HEADER)) return NULL;
    *(header *)h = (header){.size = size};
    return h;
}

static header *from_system(size_t size) {
    if (size < LARGE) return new_small(size);
    if (!system_has(size)) return NULL;
    header *h = new_region(size, SPARE);
    return h ? h : new_region(size, 0);
}

// Called and left with the lock held; not held while the system works.
static header *ask_system(size_t size) {
    counters.system_calls++;
    bool stale = cache_is_stale();
    pthread_mutex_unlock(&lock);
    if (stale) daub_memory_trim();
    header *h = from_system(size);
    if (!h) {
        daub_memory_trim();
        h = from_system(size);
    }
    pthread_mutex_lock(&lock);
    // How many small blocks are in use at once depends on when the collector came: some to spare.
    for (int i = 1; h && size < LARGE && i < SPARE_BLOCKS && size * (size_t)i < 4 * LARGE; i++) {
        header *more = new_small(size);
        if (more) put(more);
    }
    return h;
}

void *daub_alloc(size_t bytes) {
    size_t size = 0;
    if (bytes >= (size_t)1 << 46) {
        daub_fail(DAUB_NO_MEMORY, "memory: %zu bytes asked for", bytes);
        return NULL;
    }
    int class = class_of(bytes, &size);
    bool large = size >= LARGE;
    if (large) {
        class = class_of(whole_pages(bytes), &size);
        size = whole_pages(bytes);
    }
    pthread_mutex_lock(&lock);
    header *h = large ? find_large(class, size) : cache[class];
    if (h)
        take(h);
    else
        h = ask_system(size);
    if (!h) {
        pthread_mutex_unlock(&lock);
        daub_fail(DAUB_NO_MEMORY, "memory: the system has no %zu bytes left", size);
        return NULL;
    }
    if (large) split(h, size);
    h->untouched = 0;
    counters.in_use += (int64_t)h->size;
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
    counters.in_use -= (int64_t)h->size;
    if (h->large)
        free_large(h);
    else
        put(h);
    pthread_mutex_unlock(&lock);
}

size_t daub_alloc_size(const void *block) {
    return header_of(block)->size;
}

// Gives the memory of a free piece back, that of a whole region with its address space.
static void give_back(header *h) {
    if (!h->large) {
        take(h);
        free(h);
    } else if (!h->left && h->last) {
        take(h);
        munmap(h->map, h->mapped);
    } else if (h->untouched < h->size) {
        char *begin = (char *)h + PAGE, *end = (char *)h + HEADER + h->size; // pages of their own
        take(h);
        if (!madvise(begin, (size_t)(end - begin), MADV_DONTNEED)) h->untouched = h->size;
        put(h);
    }
}

void daub_memory_trim(void) {
    pthread_mutex_lock(&lock);
    for (int class = 0; class < CLASSES; class ++) {
        for (header *h = cache[class], *next; h; h = next) {
            next = h->next;
            give_back(h);
        }
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
