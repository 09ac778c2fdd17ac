#define _GNU_SOURCE
#include "base/cpu.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"scalar", "neon", "avx2", "avx512"};

const char *daub_isa_name(daub_isa isa) { return names[isa]; }

static bool supported(daub_isa isa) {
    switch (isa) {
    case DAUB_ISA_SCALAR: return true;
#if defined(__x86_64__)
    case DAUB_ISA_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case DAUB_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    case DAUB_ISA_NEON: return true;
#endif
    default: return false;
    }
}

static daub_isa best(void) {
    for (int isa = DAUB_ISA_AVX512; isa > DAUB_ISA_SCALAR; isa--) {
        if (supported(isa)) return isa;
    }
    return DAUB_ISA_SCALAR;
}

daub_status daub_cpu_check(void) {
    const char *wanted = getenv("DAUB_ISA");
    if (!wanted || !*wanted) return DAUB_OK;
    for (int isa = 0; isa <= DAUB_ISA_AVX512; isa++) {
        if (strcmp(wanted, names[isa])) continue;
        if (supported(isa)) return DAUB_OK;
        return daub_fail(DAUB_INVALID, "DAUB_ISA: this processor has no %s (best here: %s)", wanted,
                         names[best()]);
    }
    return daub_fail(DAUB_INVALID, "DAUB_ISA: unknown instruction set '%s' (scalar, neon, avx2, avx512)",
                     wanted);
}

daub_isa daub_cpu_isa(void) {
    static atomic_int chosen = -1; // any thread may be the first to ask
    int known = atomic_load(&chosen);
    if (known >= 0) return (daub_isa)known;
    int isa = best();
    const char *wanted = getenv("DAUB_ISA");
    for (int i = 0; wanted && i <= DAUB_ISA_AVX512; i++) {
        if (!strcmp(wanted, names[i]) && supported(i)) isa = i;
    }
    atomic_store(&chosen, isa);
    return (daub_isa)isa;
}

bool daub_cpu_bf16(void) {
#if defined(__x86_64__)
    return daub_cpu_isa() == DAUB_ISA_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

int daub_cpu_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    return CPU_COUNT(&set);
}
