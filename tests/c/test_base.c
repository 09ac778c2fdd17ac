// The base layer: numbers, memory, threads, interrupts.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "array/random.h"
#include "base/cpu.h"
#include "base/dtype.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/pool.h"
#include "check.h"

// ---- random numbers
// --------------------------------------------------------------------------------

// The first is a known answer of Random123; the others come from an independent implementation that
// gives all three of its known answers.
static void check_philox(void) {
    static const struct {
        uint64_t key, block;
        uint32_t out[4];
    } known[] = {
        {0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {0xfedcba9876543210, 0x0123456789abcdef, {0x822ed603, 0x19774975, 0x4c78eba5, 0xdc0ba28a}},
        {UINT64_MAX, UINT64_MAX, {0x4d18d7d2, 0x430ac65a, 0xbd2fa22a, 0x0afae10d}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        daub_philox(known[i].key, known[i].block, out);
        CHECK(!memcmp(out, known[i].out, sizeof out));
    }
}

enum { MANY = 100003 };

static void fill(daub_rng *rng, float *a, double *b) {
    CHECK_STATUS(DAUB_OK, daub_rng_uniform(rng, a, MANY));
    CHECK_STATUS(DAUB_OK, daub_rng_normal(rng, a + MANY, MANY));
    CHECK_STATUS(DAUB_OK, daub_rng_uniform64(rng, b, MANY));
    CHECK_STATUS(DAUB_OK, daub_rng_normal64(rng, b + MANY, MANY));
}

static void check_fills(void) {
    static float a[2][2 * MANY];
    static double b[2][2 * MANY];
    for (int threads = 1; threads <= 4; threads++) {
        daub_pool_set_threads(threads);
        daub_rng rng = daub_rng_seed(7);
        fill(&rng, a[threads > 1], b[threads > 1]);
        CHECK(!memcmp(a[0], a[threads > 1], sizeof a[0]));
        CHECK(!memcmp(b[0], b[threads > 1], sizeof b[0]));
    }
    for (int i = 0; i < MANY; i++) {
        if (!(a[0][i] >= 0 && a[0][i] < 1 && b[0][i] >= 0 && b[0][i] < 1)) CHECK(!"in [0, 1)");
    }
    daub_rng one = daub_rng_seed(1), two = one;
    CHECK(daub_rng_next(&one) == daub_rng_next(&two) && one.counter == 1);
    bool seen[5] = {false};
    for (int i = 0; i < 200; i++) {
        int64_t v = daub_rng_next_below(&one, 5);
        CHECK(v >= 0 && v < 5);
        seen[v] = true;
    }
    CHECK(seen[0] && seen[1] && seen[2] && seen[3] && seen[4]);
    CHECK(daub_rng_next_below(&one, 1) == 0);
    double unit = daub_rng_next_unit(&one);
    CHECK(unit >= 0 && unit < 1);
}

// ---- memory
// ----------------------------------------------------------------------------------------

static void check_memory(void) {
    daub_memory_trim();
    daub_memory_counters start = daub_memory_stats();
    static const size_t sizes[] = {0, 1, 255, 256, 257, 4095, 100000, 1 << 20, (5 << 20) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = daub_alloc(sizes[i]);
        CHECK(p && (uintptr_t)p % 64 == 0 && daub_alloc_size(p) >= sizes[i]);
        CHECK(sizes[i] < 4096 || daub_alloc_size(p) <= sizes[i] + sizes[i] / 7);
        memset(p, 1, daub_alloc_size(p));
        daub_free(p);
        daub_memory_counters before = daub_memory_stats();
        char *again = daub_alloc(sizes[i]);
        CHECK(again == p && daub_memory_stats().system_calls == before.system_calls);
        daub_free(again);
    }
    daub_free(NULL);
    CHECK(daub_memory_stats().in_use == start.in_use);
    CHECK(daub_memory_stats().cached > 0 && daub_memory_stats().peak >= 5 << 20);
    daub_memory_trim();
    CHECK(daub_memory_stats().cached == 0);
    CHECK(!daub_alloc(SIZE_MAX) && strstr(daub_error_message(), "memory"));
    void *giant = daub_alloc((size_t)1 << 45); // some systems promise anything
    CHECK(giant || strstr(daub_error_message(), "the system has no"));
    daub_free(giant);
    // One block each of 16 classes: the cache stays within its bound.
    for (size_t mib = 40; mib <= 160; mib += mib < 80 ? 5 : 10) daub_free(daub_alloc(mib << 20));
    CHECK(daub_memory_stats().cached <= (2 * 160 + 160) << 20);
    daub_memory_trim();
    char *small = daub_scratch(0, 1, 100), *same = daub_scratch(0, 1, 50);
    CHECK(small && small == same && daub_scratch(0, 2, 100) != small);
}

// What is freed joins its neighbours and serves larger and smaller requests, whatever the order.
static void check_joining(void) {
    enum { PIECES = 24, MIB = 1 << 20 };
    char *pieces[PIECES];
    daub_memory_trim();
    daub_free(daub_alloc((size_t)PIECES * 2 * MIB)); // one region
    int64_t calls = daub_memory_stats().system_calls, in_use = daub_memory_stats().in_use;
    for (int i = 0; i < PIECES; i++) pieces[i] = daub_alloc((size_t)2 * MIB - 100);
    for (int i = 0; i < PIECES; i++) daub_free(pieces[i * 7 % PIECES]);
    char *whole = daub_alloc((size_t)PIECES * 2 * MIB);
    CHECK(whole == pieces[0] && daub_memory_stats().system_calls == calls);
    daub_free(whole);
    CHECK(daub_memory_stats().in_use == in_use);
}

// Blocks of random sizes that come and go keep what was written to them.
static void check_contents(void) {
    enum { BLOCKS = 64 };
    static struct {
        unsigned char *p;
        size_t bytes;
    } held[BLOCKS];
    daub_rng rng = daub_rng_seed(5);
    int wrong = 0;
    for (int round = 0; round < 4000; round++) {
        int i = (int)daub_rng_next_below(&rng, BLOCKS);
        unsigned char mark = (unsigned char)(i + 1);
        if (held[i].p) {
            size_t last = held[i].bytes - 1;
            wrong += held[i].p[0] != mark || held[i].p[last] != mark || held[i].p[last / 2] != mark;
            daub_free(held[i].p);
            held[i].p = NULL;
            continue;
        }
        held[i].bytes = (size_t)1 << daub_rng_next_below(&rng, 22);
        held[i].bytes += (size_t)daub_rng_next_below(&rng, (int64_t)held[i].bytes);
        held[i].p = daub_alloc(held[i].bytes);
        wrong += !held[i].p || (uintptr_t)held[i].p % 64 != 0;
        memset(held[i].p, mark, daub_alloc_size(held[i].p));
    }
    CHECK(wrong == 0);
    for (int i = 0; i < BLOCKS; i++) daub_free(held[i].p);
    daub_memory_trim();
    CHECK(daub_memory_stats().cached == 0);
}

// ---- threads
// ---------------------------------------------------------------------------------------

typedef struct marks {
    _Atomic int times[1000];
    atomic_int inner, bad_worker;
    int threads;
} marks;

static void inner_job(void *context, int64_t index, int worker) {
    (void)index, (void)worker;
    atomic_fetch_add(&((marks *)context)->inner, 1);
}

static void mark_job(void *context, int64_t index, int worker) {
    marks *m = context;
    atomic_fetch_add(&m->times[index], 1);
    if (worker < 0 || worker >= m->threads) atomic_store(&m->bad_worker, 1);
    if (index % 100 == 0) daub_pool_run(inner_job, m, 10);
}

static void *run_elsewhere(void *m) {
    for (int i = 0; i < 20; i++) daub_pool_run(mark_job, m, 1000);
    return NULL;
}

static void check_pool(void) {
    static const int counts[] = {1, 2, 3, 7, 2, 1};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        static marks m;
        memset(&m, 0, sizeof m);
        m.threads = counts[i];
        daub_pool_set_threads(counts[i]);
        CHECK(daub_pool_threads() == counts[i]);
        pthread_t other; // two threads may start runs at once
        CHECK(pthread_create(&other, NULL, run_elsewhere, &m) == 0);
        run_elsewhere(&m);
        pthread_join(other, NULL);
        int wrong = 0;
        for (int k = 0; k < 1000; k++) wrong += atomic_load(&m.times[k]) != 40;
        CHECK(wrong == 0 && atomic_load(&m.inner) == 40 * 100 && !atomic_load(&m.bad_worker));
        CHECK_STATUS(DAUB_OK, daub_pool_run(mark_job, &m, 0));
    }
    daub_pool_set_threads(1000);
    CHECK(daub_pool_threads() == DAUB_MAX_THREADS);
    daub_pool_set_threads(2);
}

static void press_job(void *context, int64_t index, int worker) {
    (void)worker;
    atomic_fetch_add((atomic_int *)context, 1);
    if (index == 3) daub_interrupt_set();
}

static void check_interrupt(void) {
    for (int threads = 1; threads <= 2; threads++) {
        atomic_int done = 0;
        daub_pool_set_threads(threads);
        CHECK_STATUS(DAUB_INTERRUPTED, daub_pool_run(press_job, &done, 100000));
        CHECK(atomic_load(&done) < 100000 && daub_interrupt_pending());
        CHECK_STATUS(DAUB_INTERRUPTED, daub_pool_run(press_job, &done, 10)); // it is sticky
        daub_interrupt_clear();
        daub_interrupt_hold();
        atomic_store(&done, 0);
        CHECK_STATUS(DAUB_OK, daub_pool_run(press_job, &done, 1000));
        CHECK(atomic_load(&done) == 1000 && daub_interrupt_pending() && !daub_interrupt_raised());
        daub_interrupt_release();
        CHECK(daub_interrupt_raised());
        daub_interrupt_clear();
    }
}

// ---- the rest
// --------------------------------------------------------------------------------------

static void check_names(void) {
    daub_dtype dtype;
    for (int i = 0; i < DAUB_DTYPES; i++)
        CHECK(daub_dtype_parse(daub_dtype_name((daub_dtype)i), &dtype) && (int)dtype == i);
    CHECK(!daub_dtype_parse("f16", &dtype) && !daub_dtype_parse("", &dtype));
    CHECK(daub_dtype_size(DAUB_BF16) == 2 && daub_dtype_size(DAUB_I64) == 8);
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    CHECK(daub_fail(DAUB_IO, "%s", longer) == DAUB_IO && strlen(daub_error_message()) == 511);
    CHECK(!strcmp(daub_status_name(DAUB_NO_MEMORY), "memory"));
}

static void check_cpu(void) {
    CHECK(daub_cpu_cores() >= 1);
    CHECK_STATUS(DAUB_OK, daub_cpu_check());
    setenv("DAUB_ISA", "mmx", 1);
    CHECK_STATUS(DAUB_INVALID, daub_cpu_check());
    setenv("DAUB_ISA", "scalar", 1);
    CHECK_STATUS(DAUB_OK, daub_cpu_check());
    unsetenv("DAUB_ISA");
}

int main(void) {
    check_philox();
    check_fills();
    check_memory();
    check_joining();
    check_contents();
    check_pool();
    check_interrupt();
    check_names();
    check_cpu();
    return check_summary();
}
