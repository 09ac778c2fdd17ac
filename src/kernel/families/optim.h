// Steps of optimisers: one pass over a parameter, its gradient and the optimiser's state.
// Formulas and their order are PyTorch's. p: parameter, g: gradient; all arrays have n elements.
#ifndef DAUB_KERNEL_OPTIM_H
#define DAUB_KERNEL_OPTIM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct daub_sgd {
    double lr, momentum, dampening, weight_decay;
    bool nesterov;
    bool first; // the momentum buffer is still empty: it becomes the gradient
} daub_sgd;

typedef struct daub_rmsprop {
    double lr, alpha, eps, momentum, weight_decay;
    bool centered;
} daub_rmsprop;

typedef struct daub_adam {
    double lr, beta1, beta2, eps, weight_decay;
    double step;    // 1 for the first
    bool decoupled; // AdamW: weight decay acts on the parameter itself
} daub_adam;

// For f32 [0] and f64 [1]. Buffers an option does not need may be NULL.
typedef struct daub_optim_kernels {
    void (*sgd[2])(void *p, const void *g, void *buffer, const daub_sgd *o, int64_t n);
    void (*rmsprop[2])(void *p, const void *g, void *square_avg, void *buffer, void *grad_avg,
                       const daub_rmsprop *o, int64_t n);
    void (*adam[2])(void *p, const void *g, void *exp_avg, void *exp_avg_sq, const daub_adam *o,
                    int64_t n);
    void (*lerp[2])(void *a, const void *b, double weight, int64_t n); // a += weight (b - a)
} daub_optim_kernels;

#endif
