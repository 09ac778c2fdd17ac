#include "conv/peak.h"

#include <stdatomic.h>

#include "base/pool.h"
#include "kernel/families/conv.h"
#include "kernel/kernel.h"

enum { JOBS = 8 }; // for each thread: a thread that is held up leaves its share to others

typedef struct burst {
    int64_t rounds;
    _Atomic int64_t operations;
} burst;

static void run(void *context, int64_t index, int worker) {
    (void)index;
    (void)worker;
    burst *b = context;
    atomic_fetch_add(&b->operations, (int64_t)daub_kernels_get()->conv->peak(b->rounds));
}

daub_status daub_peak_run(int64_t rounds, double *operations) {
    if (rounds < 1 || rounds > (int64_t)1 << 40)
        return daub_fail(DAUB_INVALID, "peak: %lld rounds (1 … 2^40 expected)", (long long)rounds);
    burst b = {.rounds = rounds};
    daub_status status = daub_pool_run(run, &b, JOBS * daub_pool_threads());
    if (status == DAUB_OK) *operations = (double)atomic_load(&b.operations);
    return status;
}
