#include "kernel/families/elementwise.h"

#include <string.h>

#include "kernel/kernel.h"

typedef float f32;
typedef double f64;
typedef uint16_t bf16;
typedef uint8_t u8;
typedef int32_t i32;
typedef int64_t i64;

static inline f32 widen(bf16 v) {
    uint32_t bits = (uint32_t)v << 16;
    f32 f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

// Rounds to nearest even; a NaN stays one.
static inline bf16 narrow(f32 f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (bf16)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded);
}

// Float to integer: C leaves what is out of range undefined.
#define SATURATE(T, v, low, high)                                                                  \
    ((v) != (v) ? 0 : (v) <= (low) ? (T)(low) : (v) >= -(f64)(low) ? (high) : (T)(v))
#define TO_U8(v) ((v) != (v) || (v) <= 0 ? 0 : (v) >= 255 ? 255 : (u8)(i32)(v))
#define TO_I32(v) SATURATE(i32, v, -0x1p31, INT32_MAX)
#define TO_I64(v) SATURATE(i64, v, -0x1p63, INT64_MAX)

#define LOOP(name, From, To, expression)                                                           \
    static void name(void *out, const void *a, int64_t n) {                                        \
        To *o = out;                                                                               \
        const From *p = a;                                                                         \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) {                                     \
            From v = p[i];                                                                         \
            o[i] = (To)(expression);                                                               \
        }                                                                                          \
    }

// From an integer type: C's own conversions (integers wrap).
#define FROM_INTEGER(T)                                                                            \
    LOOP(T##_to_f32, T, f32, (f32)v)                                                               \
    LOOP(T##_to_f64, T, f64, (f64)v)                                                               \
    LOOP(T##_to_bf16, T, bf16, narrow((f32)v))                                                     \
    LOOP(T##_to_u8, T, u8, (u8)v)                                                                  \
    LOOP(T##_to_i32, T, i32, (i32)v)                                                               \
    LOOP(T##_to_i64, T, i64, (i64)v)
// From a floating type, with W its value widened.
#define FROM_FLOAT(T, W)                                                                           \
    LOOP(T##_to_f32, T, f32, (f32)W(v))                                                            \
    LOOP(T##_to_f64, T, f64, (f64)W(v))                                                            \
    LOOP(T##_to_bf16, T, bf16, narrow((f32)W(v)))                                                  \
    LOOP(T##_to_u8, T, u8, TO_U8(W(v)))                                                            \
    LOOP(T##_to_i32, T, i32, TO_I32(W(v)))                                                         \
    LOOP(T##_to_i64, T, i64, TO_I64(W(v)))

FROM_INTEGER(u8)
FROM_INTEGER(i32)
FROM_INTEGER(i64)
FROM_FLOAT(f32, )
FROM_FLOAT(f64, )
FROM_FLOAT(bf16, widen)

#define CASTS(T)                                                                                   \
    {T##_to_f32, T##_to_f64, T##_to_bf16, T##_to_u8, T##_to_i32, T##_to_i64}

const daub_elementwise_kernels DAUB_KERNEL_TABLE(elementwise) = {
    .cast = {CASTS(f32), CASTS(f64), CASTS(bf16), CASTS(u8), CASTS(i32), CASTS(i64)},
};
