// What this processor can do, and which instruction set the kernels use.
//
//     if (daub_cpu_isa() >= DAUB_ISA_AVX2) …
//
// The choice is made once: the best set the processor and the system support, or what the environment
// variable DAUB_ISA (scalar, avx2, avx512, neon) asks for, if that is supported.
#ifndef DAUB_BASE_CPU_H
#define DAUB_BASE_CPU_H

#include <stdbool.h>

#include "base/error.h"

typedef enum daub_isa { DAUB_ISA_SCALAR, DAUB_ISA_NEON, DAUB_ISA_AVX2, DAUB_ISA_AVX512 } daub_isa;

daub_isa daub_cpu_isa(void);
const char *daub_isa_name(daub_isa isa);

// Whether products of bf16 numbers have instructions of their own (AVX-512-BF16) and the kernels use
// AVX-512.
bool daub_cpu_bf16(void);

// DAUB_INVALID when DAUB_ISA names an unknown set or one this machine lacks (the host reports it).
daub_status daub_cpu_check(void);

int daub_cpu_cores(void); // cores this process may run on (affinity mask)

static inline void daub_cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
