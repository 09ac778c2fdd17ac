#include "conv/peak.h"

#include <stdatomic.h>

#include "base/pool.h"
#include "conv/choice.h"
#include "kernel/families/conv.h"
#include "kernel/families/conv_bf16.h"
#include "kernel/kernel.h"

enum { JOBS = 8 }; // for each thread: a thread that is held up leaves its share to others

typedef struct burst {
    const daub_conv_kernels *kernels;
    int64_t rounds;
    _Atomic int64_t operations;
} burst;

static void run(void *context, int64_t index, int worker) {
    (void)index;
    (void)worker;
    burst *b = context;
    atomic_fetch_add(&b->operations, (int64_t)b->kernels->peak(b->rounds));
}

daub_status daub_peak_run(int64_t rounds, double *operations) {
    if (rounds < 1 || rounds > (int64_t)1 << 40)
        return daub_fail(DAUB_INVALID, "peak: %lld rounds (1 … 2^40 expected)", (long long)rounds);
    burst b = {.kernels = daub_conv_get_precision() == DAUB_PRECISION_BF16
                              ? daub_kernels_bf16()->products
                              : daub_kernels_get()->conv,
               .rounds = rounds};
    daub_status status = daub_pool_run(run, &b, JOBS * daub_pool_threads());
    if (status == DAUB_OK) *operations = (double)atomic_load(&b.operations);
    return status;
}
