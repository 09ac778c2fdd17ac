// A caching, counting allocator for pixels, weights and activations.
//
//     float *p = daub_alloc(n * sizeof *p);     // 64-byte aligned, contents undefined
//     if (!p) return DAUB_NO_MEMORY;            // message already set
//     daub_free(p);                             // goes back to the cache, not to the system
//
// Blocks of 64 KiB and more are cut from a region of huge pages, and what is freed joins its
// free neighbours: it serves requests of any size. Smaller blocks are kept for the next request of
// their size class. So steady-state training takes nothing from the system (a fresh 32 MiB costs 34
// ms to touch, one used before 1.4 ms). Work of ever new sizes does not pile up: before the system
// is asked for more, a cache of over 256 MiB and over twice the largest use so far is given back. All
// functions may be called from any thread.
#ifndef DAUB_BASE_MEMORY_H
#define DAUB_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

typedef struct daub_memory_counters {
    int64_t in_use;       // bytes handed out now (rounded up to classes or pages)
    int64_t cached;       // bytes kept for reuse
    int64_t peak;         // largest in_use so far
    int64_t system_calls; // times the system was asked for a block
} daub_memory_counters;

void *daub_alloc(size_t bytes);            // NULL and a message when the system has no more
void daub_free(void *block);               // NULL is fine
size_t daub_alloc_size(const void *block); // usable bytes of a block from daub_alloc
void daub_memory_trim(void);               // gives every cached block back to the system
daub_memory_counters daub_memory_stats(void);

// Grow-only working memory of one pool worker (see pool.h), 64-byte aligned, contents undefined.
// Valid until the same worker asks again for the same slot. Slots: 0 … DAUB_SCRATCH_SLOTS-1.
#define DAUB_SCRATCH_SLOTS 4
void *daub_scratch(int worker, int slot, size_t bytes);

#endif
