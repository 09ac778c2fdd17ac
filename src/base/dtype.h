// The element types of arrays and kernels.
#ifndef DAUB_BASE_DTYPE_H
#define DAUB_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// bf16 is for storage only: cast, copy and views. u8 is also the type of conditions (0 or 1).
typedef enum daub_dtype { DAUB_F32, DAUB_F64, DAUB_BF16, DAUB_U8, DAUB_I32, DAUB_I64 } daub_dtype;
#define DAUB_DTYPES 6

size_t daub_dtype_size(daub_dtype dtype);
const char *daub_dtype_name(daub_dtype dtype);              // "f32", …
bool daub_dtype_parse(const char *name, daub_dtype *dtype); // false when unknown
bool daub_dtype_is_float(daub_dtype dtype);                 // f32 or f64: what can be computed with

#endif
