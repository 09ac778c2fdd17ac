// What a training step does in one pass over memory: optimiser steps and batch normalisation.
// All arrays are f32 or all f64.
#ifndef DAUB_ARRAY_TRAIN_H
#define DAUB_ARRAY_TRAIN_H

#include "array/array.h"
#include "kernel/families/optim.h"

// Parameters of an optimiser with what belongs to them: `count` arrays in each list, entry by entry
// of one dtype and shape. A list that an option does not need is NULL.
enum { DAUB_STEP_LISTS = 5 };
typedef struct daub_step_lists {
    int count;
    const daub_array *const *list[DAUB_STEP_LISTS]; // parameters, gradients, then buffers as below
} daub_step_lists;

// One pass over all parameters, cut into blocks of the whole: it changes parameters and buffers in
// place. They are contiguous and apart in memory; gradients need not be contiguous.
// sgd: momentum, unless that is 0
daub_status daub_array_sgd_step(const daub_step_lists *s, const daub_sgd *o);
// rmsprop: square_avg; momentum, unless that is 0; grad_avg, when centered
daub_status daub_array_rmsprop_step(const daub_step_lists *s, const daub_rmsprop *o);
// adam: exp_avg, exp_avg_sq
daub_status daub_array_adam_step(const daub_step_lists *s, const daub_adam *o);
// a += weight (b - a); a single `a` need not be contiguous.
daub_status daub_array_lerp(const daub_step_lists *s, double weight);

// Batch normalisation of x [.., C] over all but the last dimension, and the leaky ReLU after it:
//     z = (x - mean) invstd weight + bias        y = z below 0 ? slope z : z
// Vectors are contiguous {C}, of x's dtype; weight and bias may be NULL. slope >= 0; 1 is none.
typedef struct daub_norm {
    const daub_array *mean, *invstd, *weight, *bias;
    double slope;
} daub_norm;

// Sums over `count` values v of each of `channels` channels, wherever they were made.
typedef struct daub_moments {
    int64_t channels, count;
    const double *sums, *squares; // of v - shift and of its square
    const double *shift;          // NULL: 0. Near the mean, it keeps the variance exact
} daub_moments;

// New mean and invstd = 1 / sqrt(variance + eps), variance of the batch (biased), {C}.
daub_status daub_array_moments(daub_array *mean, daub_array *invstd, daub_dtype dtype,
                               const daub_moments *moments, double eps);
daub_status daub_array_batch_statistics(daub_array *mean, daub_array *invstd, const daub_array *x,
                                        double eps);
// Running statistics move by `momentum` towards those of a batch of `count` values: in place, the
// variance there divided by count - 1. All are contiguous {C}, f32 or f64.
typedef struct daub_running {
    double momentum, eps, count;
} daub_running;
daub_status daub_array_running_statistics(const daub_array *running_mean,
                                          const daub_array *running_var, const daub_array *mean,
                                          const daub_array *invstd, const daub_running *o);
daub_status daub_array_normalise(daub_array *y, const daub_array *x, const daub_norm *norm);
// The gradients for x, weight and bias, given that for y, where mean and invstd are x's statistics.
daub_status daub_array_batch_norm_grad(daub_array *dx, daub_array *dweight, daub_array *dbias,
                                       const daub_array *x, const daub_array *g,
                                       const daub_norm *norm);

#endif
