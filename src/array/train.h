// What a training step does in one pass over memory: optimiser steps and batch normalisation.
// All arrays are f32 or all f64.
#ifndef DAUB_ARRAY_TRAIN_H
#define DAUB_ARRAY_TRAIN_H

#include "array/array.h"
#include "kernel/families/optim.h"

// Change the parameter `p` and the buffers in place: all contiguous, of p's shape and apart in
// memory; the gradient `g` need not be contiguous, nor a and b of lerp. Buffers that an option does
// not need may be NULL: momentum's when momentum is 0, grad_avg unless centered.
daub_status daub_array_sgd_step(daub_array *p, const daub_array *g, daub_array *momentum_buffer,
                                const daub_sgd *o);
daub_status daub_array_rmsprop_step(daub_array *p, const daub_array *g, daub_array *square_avg,
                                    daub_array *momentum_buffer, daub_array *grad_avg,
                                    const daub_rmsprop *o);
daub_status daub_array_adam_step(daub_array *p, const daub_array *g, daub_array *exp_avg,
                                 daub_array *exp_avg_sq, const daub_adam *o);
daub_status daub_array_lerp(daub_array *a, const daub_array *b,
                            double weight); // a += weight (b - a)

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
