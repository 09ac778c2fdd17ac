// Memory filled with random numbers.
#ifndef DAUB_ARRAY_RANDOM_H
#define DAUB_ARRAY_RANDOM_H

#include "base/error.h"
#include "base/philox.h"

// Fills with the pool; DAUB_INTERRUPTED as daub_pool_run.
daub_status daub_rng_uniform(daub_rng *rng, float *out, int64_t n);    // [0, 1), 24 bits
daub_status daub_rng_uniform64(daub_rng *rng, double *out, int64_t n); // [0, 1), 53 bits
daub_status daub_rng_normal(daub_rng *rng, float *out, int64_t n);     // N(0, 1), Box-Muller
daub_status daub_rng_normal64(daub_rng *rng, double *out, int64_t n);

#endif
