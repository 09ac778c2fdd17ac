// The convolution as its definition says, once for each floating type.
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "conv/shape.h"

#define REAL float
#define NAMED(name) name##_f32
#include "conv/conv_plain.inc"
#undef REAL
#undef NAMED

#define REAL double
#define NAMED(name) name##_f64
#include "conv/conv_plain.inc"
