// What a training step does in one pass over memory: optimiser steps and batch normalisation.
// All arrays are f32 or all f64.
#ifndef DAUB_ARRAY_TRAIN_H
#define DAUB_ARRAY_TRAIN_H

#include "array/array.h"
#include "kernel/families/optim.h"

// Parameters of an optimiser with what belongs to them: `count` arrays in each list, entry by entry of
// one dtype and shape. A list that an option does not need is NULL.
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

// x: [.., C], normalised over all but the last dimension: y = (x - mean) invstd weight + bias.
// weight and bias: {C} or NULL. invstd = 1 / sqrt(variance + eps), variance of the batch (biased).
daub_status daub_array_batch_norm(daub_array *y, daub_array *mean, daub_array *invstd,
                                  const daub_array *x, const daub_array *weight,
                                  const daub_array *bias, double eps);
// The gradients for x, weight and bias, given that for y.
daub_status daub_array_batch_norm_backward(daub_array *dx, daub_array *dweight, daub_array *dbias,
                                           const daub_array *x, const daub_array *g,
                                           const daub_array *weight, const daub_array *mean,
                                           const daub_array *invstd);

#endif
