// The floating-point peak of this machine, as the kernels' instruction set and the thread pool
// reach it with products of the precision that is set (choice.h).
#ifndef DAUB_CONV_PEAK_H
#define DAUB_CONV_PEAK_H

#include <stdint.h>

#include "base/error.h"

// Does independent multiply-adds in registers, `rounds` of some dozens in each of a few jobs per
// thread; *operations is how many floating-point operations that were. The caller takes the time.
daub_status daub_peak_run(int64_t rounds, double *operations);

#endif
