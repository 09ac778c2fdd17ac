// The one thread pool of the process.
//
//     static void job(void *context, int64_t index, int worker) { … }
//     daub_status s = daub_pool_run(job, &context, count);   // calls job for 0 … count-1, any
//     order
//
// Rules: a job's result may depend on its index alone, never on `worker` (which only chooses
// scratch memory) or on the number of threads: then results are bit-identical for any thread count.
// A run started inside a job is done by that worker alone (and shares its scratch memory); a second
// thread that starts a run waits for the first to end.
#ifndef DAUB_BASE_POOL_H
#define DAUB_BASE_POOL_H

#include <stdint.h>

#include "base/error.h"

#define DAUB_MAX_THREADS 64

typedef void (*daub_job)(void *context, int64_t index, int worker);

// DAUB_INTERRUPTED when Ctrl-C came and is not held (interrupt.h): some jobs were then not run.
daub_status daub_pool_run(daub_job job, void *context, int64_t count);

void daub_pool_set_threads(int threads); // 1 … DAUB_MAX_THREADS; not from inside a job
int daub_pool_threads(void);             // starts as the number of usable cores

#endif
