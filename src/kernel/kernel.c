#include "kernel/kernel.h"

#include <stddef.h>

#include "base/cpu.h"
#include "kernel/families/conv.h"
#include "kernel/families/conv_bf16.h"
#include "kernel/families/elementwise.h"
#include "kernel/families/maps.h"
#include "kernel/families/norm.h"
#include "kernel/families/optim.h"
#include "kernel/families/random.h"
#include "kernel/families/reduce.h"
#include "kernel/families/winograd.h"

// Every family once: its member in daub_kernels is the address of its table for `isa`.
#define FAMILIES(X, isa)                                                                           \
    X(elementwise, isa)                                                                            \
    X(reduce, isa) X(optim, isa) X(norm, isa) X(random, isa) X(maps, isa) X(conv, isa)             \
    X(winograd, isa)

#define DECLARE(name, isa) extern const struct daub_##name##_kernels daub_##name##_kernels_##isa;
#define MEMBER(name, isa) .name = &daub_##name##_kernels_##isa,
#define DEFINE(isa)                                                                                \
    FAMILIES(DECLARE, isa)                                                                         \
    static const daub_kernels isa = {FAMILIES(MEMBER, isa)};

DEFINE(scalar)
#if defined(__x86_64__)
DEFINE(avx2)
DEFINE(avx512)
DECLARE(conv_bf16, bf16)
#endif

const daub_kernels *daub_kernels_get(void) {
    switch (daub_cpu_isa()) {
#if defined(__x86_64__)
    case DAUB_ISA_AVX512:
        return &avx512;
    case DAUB_ISA_AVX2:
        return &avx2;
#endif
    default:
        return &scalar; // on arm64 the plain build already uses NEON
    }
}

const struct daub_conv_bf16_kernels *daub_kernels_bf16(void) {
#if defined(__x86_64__)
    if (daub_cpu_bf16()) return &daub_conv_bf16_kernels_bf16;
#endif
    return NULL;
}
