#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/interrupt.h"

// Workers wait awake before they sleep, since a kernel's next run usually comes within
// microseconds; for most of that time whoever else wants their core may have it.
static const double SPINNING = 10e-6, AWAKE = 50e-6; // seconds

// The gate of a run: how many workers are inside, and whether no more may enter.
enum { CLOSED = 1 << 16 };

static struct {
    pthread_mutex_t run_lock; // held by the thread whose run is going on
    pthread_mutex_t sleep_lock;
    pthread_cond_t wake;
    pthread_t threads[DAUB_MAX_THREADS];
    atomic_int wanted; // threads a run uses, the caller included; 0: not yet asked for
    int started;       // worker threads alive
    atomic_bool stopping;
    atomic_int sleeping;
    atomic_uint generation; // counts runs
    atomic_int gate;        // of the present run
    daub_job job;
    void *context;
    int64_t count;
    _Atomic int64_t next;
    atomic_bool interrupted;
} pool = {.run_lock = PTHREAD_MUTEX_INITIALIZER,
          .sleep_lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .gate = CLOSED};

static _Thread_local bool inside_job;
static _Thread_local int this_worker; // valid while inside_job

static void take_jobs(int worker) {
    inside_job = true;
    this_worker = worker;
    for (;;) {
        if (daub_interrupt_raised()) {
            atomic_store(&pool.interrupted, true);
            break;
        }
        int64_t index = atomic_fetch_add(&pool.next, 1);
        if (index >= pool.count) break;
        pool.job(pool.context, index, worker);
    }
    inside_job = false;
}

// Waits a moment; false when that has been done for long enough. *since: 0 at first.
static bool wait_awake(double *since) {
    if (*since == 0) *since = daub_clock();
    double waited = daub_clock() - *since;
    if (waited < SPINNING)
        for (int i = 0; i < 16; i++) daub_cpu_relax();
    else
        sched_yield();
    return waited < AWAKE;
}

static unsigned await_generation(unsigned seen) {
    double since = 0;
    do {
        unsigned now = atomic_load(&pool.generation);
        if (now != seen) return now;
    } while (wait_awake(&since));
    pthread_mutex_lock(&pool.sleep_lock);
    atomic_fetch_add(&pool.sleeping, 1);
    while (atomic_load(&pool.generation) == seen) pthread_cond_wait(&pool.wake, &pool.sleep_lock);
    atomic_fetch_sub(&pool.sleeping, 1);
    unsigned now = atomic_load(&pool.generation);
    pthread_mutex_unlock(&pool.sleep_lock);
    return now;
}

// A worker that wakes when all jobs are taken finds the gate closed: nobody waits for it.
static bool enter(void) {
    int gate = atomic_load(&pool.gate);
    while (!(gate & CLOSED))
        if (atomic_compare_exchange_weak(&pool.gate, &gate, gate + 1)) return true;
    return false;
}

typedef struct start {
    int worker;
    unsigned generation;
} start;
static start starts[DAUB_MAX_THREADS];

static void *worker_main(void *argument) {
    start *mine = argument;
    unsigned seen = mine->generation;
    for (;;) {
        seen = await_generation(seen);
        if (atomic_load(&pool.stopping)) return NULL;
        if (!enter()) continue;
        take_jobs(mine->worker);
        atomic_fetch_sub(&pool.gate, 1);
    }
}

// Makes a new generation visible to spinning and sleeping workers alike.
static void announce(void) {
    atomic_fetch_add(&pool.generation, 1);
    if (atomic_load(&pool.sleeping) > 0) {
        pthread_mutex_lock(&pool.sleep_lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.sleep_lock);
    }
}

static void stop_workers(void) {
    atomic_store(&pool.stopping, true);
    announce();
    pthread_mutex_lock(&pool.sleep_lock);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.sleep_lock);
    for (int i = 0; i < pool.started; i++) pthread_join(pool.threads[i], NULL);
    pool.started = 0;
    atomic_store(&pool.stopping, false);
}

static void start_workers(void) {
    while (pool.started < pool.wanted - 1) {
        start *s = &starts[pool.started];
        *s = (start){pool.started + 1, atomic_load(&pool.generation)};
        if (pthread_create(&pool.threads[pool.started], NULL, worker_main, s)) break;
        pool.started++;
    }
}

static daub_status run_alone(daub_job job, void *context, int64_t count, int worker) {
    for (int64_t i = 0; i < count; i++) {
        if (daub_interrupt_raised()) return daub_fail(DAUB_INTERRUPTED, "interrupted");
        job(context, i, worker);
    }
    return DAUB_OK;
}

daub_status daub_pool_run(daub_job job, void *context, int64_t count) {
    if (count <= 0) return DAUB_OK;
    if (inside_job) return run_alone(job, context, count, this_worker);
    pthread_mutex_lock(&pool.run_lock);
    daub_status status = DAUB_OK;
    if (daub_pool_threads() == 1 || count == 1) {
        inside_job = true;
        this_worker = 0;
        status = run_alone(job, context, count, 0);
        inside_job = false;
    } else {
        start_workers();
        pool.job = job;
        pool.context = context;
        pool.count = count;
        atomic_store(&pool.next, 0);
        atomic_store(&pool.interrupted, false);
        atomic_store(&pool.gate, 0);
        announce();
        take_jobs(0);
        atomic_fetch_or(&pool.gate, CLOSED);
        for (double since = 0; atomic_load(&pool.gate) != CLOSED;) wait_awake(&since);
        if (atomic_load(&pool.interrupted)) status = daub_fail(DAUB_INTERRUPTED, "interrupted");
    }
    pthread_mutex_unlock(&pool.run_lock);
    return status;
}

void daub_pool_set_threads(int threads) {
    pthread_mutex_lock(&pool.run_lock);
    if (threads < 1) threads = 1;
    if (threads > DAUB_MAX_THREADS) threads = DAUB_MAX_THREADS;
    if (threads - 1 < pool.started) stop_workers();
    pool.wanted = threads;
    pthread_mutex_unlock(&pool.run_lock);
}

int daub_pool_threads(void) {
    int unset = atomic_load(&pool.wanted);
    if (unset) return unset;
    int cores = daub_cpu_cores();
    if (cores > DAUB_MAX_THREADS) cores = DAUB_MAX_THREADS;
    return atomic_compare_exchange_strong(&pool.wanted, &unset, cores) ? cores : unset;
}
