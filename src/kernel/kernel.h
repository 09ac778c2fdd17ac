// The table of kernels: pure loops over memory, no tensors, threads, allocation or errors.
//
//     const daub_kernels *k = daub_kernels_get();     // for the instruction set of cpu.h
//
// Each family (families/NAME.c) is plain C compiled once per instruction set; hand-written paths stand
// inside the family under #ifdef. It defines one table, DAUB_KERNEL_TABLE(NAME), of a struct declared
// in families/NAME.h; kernel.c joins the tables.
#ifndef DAUB_KERNEL_KERNEL_H
#define DAUB_KERNEL_KERNEL_H

// daub_NAME_kernels_ISA
#define DAUB_KERNEL_JOIN2(name, isa) daub_##name##_kernels_##isa
#define DAUB_KERNEL_JOIN(name, isa) DAUB_KERNEL_JOIN2(name, isa)
#define DAUB_KERNEL_TABLE(name) DAUB_KERNEL_JOIN(name, DAUB_KERNEL_ISA)

struct daub_elementwise_kernels; // families/elementwise.h
struct daub_reduce_kernels;      // families/reduce.h
struct daub_optim_kernels;       // families/optim.h
struct daub_norm_kernels;        // families/norm.h
struct daub_maps_kernels;        // families/maps.h
struct daub_random_kernels;      // families/random.h
struct daub_conv_kernels;        // families/conv.h
struct daub_winograd_kernels;    // families/winograd.h

typedef struct daub_kernels {
    const struct daub_elementwise_kernels *elementwise;
    const struct daub_reduce_kernels *reduce;
    const struct daub_optim_kernels *optim;
    const struct daub_norm_kernels *norm;
    const struct daub_maps_kernels *maps;
    const struct daub_random_kernels *random;
    const struct daub_conv_kernels *conv;
    const struct daub_winograd_kernels *winograd;
} daub_kernels;

const daub_kernels *daub_kernels_get(void);

// Convolution on pairs of bf16 (families/conv_bf16.h); NULL where daub_cpu_bf16 says no.
const struct daub_conv_bf16_kernels *daub_kernels_bf16(void);

#endif
