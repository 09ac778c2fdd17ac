#include "kernel/families/elementwise.h"

#include <math.h>
#include <string.h>

#include "kernel/families/math_f32.h"
#include "kernel/kernel.h"

typedef float f32;
typedef double f64;
typedef uint16_t bf16;
typedef uint8_t u8;
typedef int32_t i32;
typedef int64_t i64;
// Integers wrap; C defines that for unsigned types only.
typedef uint32_t wrap_u8;
typedef uint32_t wrap_i32;
typedef uint64_t wrap_i64;

// `out` may be an operand itself: without ivdep the loops would then run element by element.
#define EACH(n) _Pragma("GCC ivdep") for (int64_t i = 0; i < (n); i++)

#define MAP1(name, From, To, expression)                                                           \
    static void name(void *out, const void *a, int64_t n) {                                        \
        To *o = out;                                                                               \
        const From *p = a;                                                                         \
        EACH(n) {                                                                                  \
            From x = p[i];                                                                         \
            o[i] = (To)(expression);                                                               \
        }                                                                                          \
    }

// ---- conversions
// -----------------------------------------------------------------------------------

static inline f32 widen(bf16 v) {
    return float_of((uint32_t)v << 16);
}

// Rounds to nearest even; a NaN stays one.
static inline bf16 narrow(f32 f) {
    uint32_t bits = bits_of(f);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (bf16)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded);
}

// Float to integer: C leaves what is out of range undefined, so the conversion sees only what fits.
// 2^31 and 2^63 are floats, the largest integers below are not.
static inline u8 f32_u8(f32 v) {
    f32 low = v > 0 ? v : 0; // NaN as well
    return (u8)(i32)(low < 255 ? low : 255);
}
static inline u8 f64_u8(f64 v) {
    f64 low = v > 0 ? v : 0;
    return (u8)(i32)(low < 255 ? low : 255);
}
#define SATURATE(name, F, T, past, largest)                                                        \
    static inline T name(F v) {                                                                    \
        F low = v > -(past) ? v : -(past), fits = low < (past) ? low : 0;                          \
        T converted = (T)(v == v ? fits : 0);                                                      \
        return low >= (past) ? (largest) : converted;                                              \
    }
SATURATE(f32_i32, f32, i32, 0x1p31f, INT32_MAX)
SATURATE(f64_i32, f64, i32, 0x1p31, INT32_MAX)
SATURATE(f32_i64, f32, i64, 0x1p63f, INT64_MAX)
SATURATE(f64_i64, f64, i64, 0x1p63, INT64_MAX)

#define FROM_INTEGER(T)                                                                            \
    MAP1(T##_to_f32, T, f32, x)                                                                    \
    MAP1(T##_to_f64, T, f64, x)                                                                    \
    MAP1(T##_to_bf16, T, bf16, narrow((f32)x))                                                     \
    MAP1(T##_to_u8, T, u8, x)                                                                      \
    MAP1(T##_to_i32, T, i32, x)                                                                    \
    MAP1(T##_to_i64, T, i64, x)
#define FROM_FLOAT(T, W, wide)                                                                     \
    MAP1(T##_to_f32, T, f32, wide(x))                                                              \
    MAP1(T##_to_f64, T, f64, wide(x))                                                              \
    MAP1(T##_to_bf16, T, bf16, narrow((f32)wide(x)))                                               \
    MAP1(T##_to_u8, T, u8, W##_u8(wide(x)))                                                        \
    MAP1(T##_to_i32, T, i32, W##_i32(wide(x)))                                                     \
    MAP1(T##_to_i64, T, i64, W##_i64(wide(x)))
FROM_INTEGER(u8)
FROM_INTEGER(i32)
FROM_INTEGER(i64)
FROM_FLOAT(f32, f32, )
FROM_FLOAT(f64, f64, )
FROM_FLOAT(bf16, f32, widen)

#define CASTS(T)                                                                                   \
    { T##_to_f32, T##_to_f64, T##_to_bf16, T##_to_u8, T##_to_i32, T##_to_i64 }

// ---- functions of one operand
// ----------------------------------------------------------------------

#define FLOAT_UNARY(T, fn)                                                                         \
    MAP1(neg_##T, T, T, -x)                                                                        \
    MAP1(abs_##T, T, T, fn(fabs)(x))                                                               \
    MAP1(sign_##T, T, T, x > 0 ? 1 : x < 0 ? -1 : x)                                               \
    MAP1(square_##T, T, T, x *x)                                                                   \
    MAP1(sqrt_##T, T, T, fn(sqrt)(x))                                                              \
    MAP1(rsqrt_##T, T, T, 1 / fn(sqrt)(x))                                                         \
    MAP1(reciprocal_##T, T, T, 1 / x)                                                              \
    MAP1(sin_##T, T, T, fn(sin)(x))                                                                \
    MAP1(cos_##T, T, T, fn(cos)(x))                                                                \
    MAP1(relu_##T, T, T, x < 0 ? 0 : x)                                                            \
    MAP1(floor_##T, T, T, fn(floor)(x))                                                            \
    MAP1(ceil_##T, T, T, fn(ceil)(x))                                                              \
    MAP1(round_##T, T, T, fn(rint)(x))                                                             \
    MAP1(trunc_##T, T, T, fn(trunc)(x))                                                            \
    MAP1(erf_##T, T, T, fn(erf)(x))                                                                \
    MAP1(isnan_##T, T, u8, x != x)                                                                 \
    MAP1(isfinite_##T, T, u8, fn(fabs)(x) < (T)INFINITY)                                           \
    MAP1(logical_not_##T, T, u8, x == 0)
#define FLOAT_FN(name) name##f
#define DOUBLE_FN(name) name
FLOAT_UNARY(f32, FLOAT_FN)
FLOAT_UNARY(f64, DOUBLE_FN)

MAP1(exp_f32, f32, f32, fast_exp(x))
MAP1(expm1_f32, f32, f32, fast_expm1(x))
MAP1(log_f32, f32, f32, fast_log(x))
MAP1(log1p_f32, f32, f32, fast_log1p(x))
MAP1(tanh_f32, f32, f32, fast_tanh(x))
MAP1(sigmoid_f32, f32, f32, fast_sigmoid(x))
MAP1(softplus_f32, f32, f32, fast_softplus(x))
MAP1(exp_f64, f64, f64, exp(x))
MAP1(expm1_f64, f64, f64, expm1(x))
MAP1(log_f64, f64, f64, log(x))
MAP1(log1p_f64, f64, f64, log1p(x))
MAP1(tanh_f64, f64, f64, tanh(x))
MAP1(sigmoid_f64, f64, f64, (x < 0 ? exp(x) : 1) / (1 + exp(-fabs(x))))
MAP1(softplus_f64, f64, f64, (x < 0 ? 0 : x) + log1p(exp(-fabs(x))))

#define INTEGER_UNARY(T, absolute, signum)                                                         \
    MAP1(neg_##T, T, T, 0 - (wrap_##T)x)                                                           \
    MAP1(abs_##T, T, T, absolute)                                                                  \
    MAP1(sign_##T, T, T, signum)                                                                   \
    MAP1(square_##T, T, T, (wrap_##T)x *(wrap_##T)x)                                               \
    MAP1(logical_not_##T, T, u8, x == 0)
INTEGER_UNARY(u8, x, x != 0)
INTEGER_UNARY(i32, x < 0 ? 0 - (wrap_i32)x : (wrap_i32)x, (x > 0) - (x < 0))
INTEGER_UNARY(i64, x < 0 ? 0 - (wrap_i64)x : (wrap_i64)x, (x > 0) - (x < 0))

// ---- functions of two operands
// ---------------------------------------------------------------------

#define MAP2_MODE(name, T, To, get_x, get_y, expression)                                           \
    static void name(void *out, const void *a, const void *b, int64_t n) {                         \
        To *o = out;                                                                               \
        const T *p = a, *q = b;                                                                    \
        const T first_x = *p, first_y = *q;                                                        \
        (void)first_x, (void)first_y;                                                              \
        EACH(n) {                                                                                  \
            T x = get_x, y = get_y;                                                                \
            o[i] = (To)(expression);                                                               \
        }                                                                                          \
    }
#define MAP2(name, T, To, expression)                                                              \
    MAP2_MODE(name##_vectors, T, To, p[i], q[i], expression)                                       \
    MAP2_MODE(name##_last_one, T, To, p[i], first_y, expression)                                   \
    MAP2_MODE(name##_first_one, T, To, first_x, q[i], expression)

#define COMPARISONS(T)                                                                             \
    MAP2(eq_##T, T, u8, x == y)                                                                    \
    MAP2(ne_##T, T, u8, x != y)                                                                    \
    MAP2(lt_##T, T, u8, x < y)                                                                     \
    MAP2(le_##T, T, u8, x <= y)                                                                    \
    MAP2(gt_##T, T, u8, x > y)                                                                     \
    MAP2(ge_##T, T, u8, x >= y)
#define FLOAT_BINARY(T, fn)                                                                        \
    MAP2(add_##T, T, T, x + y)                                                                     \
    MAP2(sub_##T, T, T, x - y)                                                                     \
    MAP2(mul_##T, T, T, x *y)                                                                      \
    MAP2(div_##T, T, T, x / y)                                                                     \
    MAP2(pow_##T, T, T, fn(pow)(x, y))                                                             \
    MAP2(max_##T, T, T, (x != x) | (x > y) ? x : y)                                                \
    MAP2(min_##T, T, T, (x != x) | (x < y) ? x : y)                                                \
    MAP2(fmod_##T, T, T, fn(fmod)(x, y))                                                           \
    MAP2(atan2_##T, T, T, fn(atan2)(x, y))                                                         \
    MAP2(leaky_relu_##T, T, T, x > 0 ? x : x * y)                                                  \
    MAP2(tanh_grad_##T, T, T, y *(1 - x * x))                                                      \
    MAP2(sigmoid_grad_##T, T, T, y *x *(1 - x))                                                    \
    COMPARISONS(T)
#define INTEGER_BINARY(T)                                                                          \
    MAP2(add_##T, T, T, (wrap_##T)x + (wrap_##T)y)                                                 \
    MAP2(sub_##T, T, T, (wrap_##T)x - (wrap_##T)y)                                                 \
    MAP2(mul_##T, T, T, (wrap_##T)x *(wrap_##T)y)                                                  \
    MAP2(max_##T, T, T, x > y ? x : y)                                                             \
    MAP2(min_##T, T, T, x < y ? x : y)                                                             \
    COMPARISONS(T)
FLOAT_BINARY(f32, FLOAT_FN)
FLOAT_BINARY(f64, DOUBLE_FN)
INTEGER_BINARY(u8)
INTEGER_BINARY(i32)
INTEGER_BINARY(i64)

// ---- functions of three operands
// -------------------------------------------------------------------

#define MAP3_MODE(name, C, T, get_z, expression)                                                   \
    static void name(void *out, const void *a, const void *b, const void *c, int64_t n) {          \
        T *o = out;                                                                                \
        const C *p = a;                                                                            \
        const T *q = b, *r = c;                                                                    \
        const T first_z = *r;                                                                      \
        (void)first_z;                                                                             \
        EACH(n) {                                                                                  \
            C x = p[i];                                                                            \
            T y = q[i], z = get_z;                                                                 \
            o[i] = (T)(expression);                                                                \
        }                                                                                          \
    }
#define MAP3(name, C, T, expression)                                                               \
    MAP3_MODE(name##_vectors, C, T, r[i], expression)                                              \
    MAP3_MODE(name##_last_one, C, T, first_z, expression)

#define WHERE(T) MAP3(where_##T, u8, T, x ? y : z)
#define FLOAT_TERNARY(T)                                                                           \
    MAP3(addcmul_##T, T, T, x + y * z)                                                             \
    MAP3(leaky_relu_grad_##T, T, T, x > 0 ? y : y * z)
WHERE(f32)
WHERE(f64)
WHERE(u8)
WHERE(i32)
WHERE(i64)
FLOAT_TERNARY(f32)
FLOAT_TERNARY(f64)

// ---- the tables
// ------------------------------------------------------------------------------------

#define FLOATS(name)                                                                               \
    { [DAUB_F32] = name##_f32, [DAUB_F64] = name##_f64 }
#define NUMBERS(name)                                                                              \
    {                                                                                              \
        [DAUB_F32] = name##_f32, [DAUB_F64] = name##_f64, [DAUB_U8] = name##_u8,                   \
        [DAUB_I32] = name##_i32, [DAUB_I64] = name##_i64                                           \
    }
#define MODES(name)                                                                                \
    { name##_vectors, name##_last_one, name##_first_one }
#define FLOATS2(name)                                                                              \
    { [DAUB_F32] = MODES(name##_f32), [DAUB_F64] = MODES(name##_f64) }
#define NUMBERS2(name)                                                                             \
    {                                                                                              \
        [DAUB_F32] = MODES(name##_f32), [DAUB_F64] = MODES(name##_f64),                            \
        [DAUB_U8] = MODES(name##_u8), [DAUB_I32] = MODES(name##_i32),                              \
        [DAUB_I64] = MODES(name##_i64)                                                             \
    }
#define TWO(name)                                                                                  \
    { name##_vectors, name##_last_one }

const daub_elementwise_kernels DAUB_KERNEL_TABLE(elementwise) = {
    .cast = {CASTS(f32), CASTS(f64), CASTS(bf16), CASTS(u8), CASTS(i32), CASTS(i64)},
    .unary =
        {
            [DAUB_NEG] = NUMBERS(neg),
            [DAUB_ABS] = NUMBERS(abs),
            [DAUB_SIGN] = NUMBERS(sign),
            [DAUB_SQUARE] = NUMBERS(square),
            [DAUB_EXP] = FLOATS(exp),
            [DAUB_EXPM1] = FLOATS(expm1),
            [DAUB_LOG] = FLOATS(log),
            [DAUB_LOG1P] = FLOATS(log1p),
            [DAUB_SQRT] = FLOATS(sqrt),
            [DAUB_RSQRT] = FLOATS(rsqrt),
            [DAUB_RECIPROCAL] = FLOATS(reciprocal),
            [DAUB_SIN] = FLOATS(sin),
            [DAUB_COS] = FLOATS(cos),
            [DAUB_TANH] = FLOATS(tanh),
            [DAUB_SIGMOID] = FLOATS(sigmoid),
            [DAUB_SOFTPLUS] = FLOATS(softplus),
            [DAUB_RELU] = FLOATS(relu),
            [DAUB_FLOOR] = FLOATS(floor),
            [DAUB_CEIL] = FLOATS(ceil),
            [DAUB_ROUND] = FLOATS(round),
            [DAUB_TRUNC] = FLOATS(trunc),
            [DAUB_ERF] = FLOATS(erf),
            [DAUB_ISNAN] = FLOATS(isnan),
            [DAUB_ISFINITE] = FLOATS(isfinite),
            [DAUB_LOGICAL_NOT] = NUMBERS(logical_not),
        },
    .binary =
        {
            [DAUB_ADD] = NUMBERS2(add),
            [DAUB_SUB] = NUMBERS2(sub),
            [DAUB_MUL] = NUMBERS2(mul),
            [DAUB_DIV] = FLOATS2(div),
            [DAUB_POW] = FLOATS2(pow),
            [DAUB_MAX] = NUMBERS2(max),
            [DAUB_MIN] = NUMBERS2(min),
            [DAUB_FMOD] = FLOATS2(fmod),
            [DAUB_ATAN2] = FLOATS2(atan2),
            [DAUB_LEAKY_RELU] = FLOATS2(leaky_relu),
            [DAUB_TANH_GRAD] = FLOATS2(tanh_grad),
            [DAUB_SIGMOID_GRAD] = FLOATS2(sigmoid_grad),
            [DAUB_EQ] = NUMBERS2(eq),
            [DAUB_NE] = NUMBERS2(ne),
            [DAUB_LT] = NUMBERS2(lt),
            [DAUB_LE] = NUMBERS2(le),
            [DAUB_GT] = NUMBERS2(gt),
            [DAUB_GE] = NUMBERS2(ge),
        },
    .ternary =
        {
            [DAUB_WHERE] = {[DAUB_F32] = TWO(where_f32),
                            [DAUB_F64] = TWO(where_f64),
                            [DAUB_U8] = TWO(where_u8),
                            [DAUB_I32] = TWO(where_i32),
                            [DAUB_I64] = TWO(where_i64)},
            [DAUB_ADDCMUL] = {[DAUB_F32] = TWO(addcmul_f32), [DAUB_F64] = TWO(addcmul_f64)},
            [DAUB_LEAKY_RELU_GRAD] =
                {[DAUB_F32] = TWO(leaky_relu_grad_f32), [DAUB_F64] = TWO(leaky_relu_grad_f64)},
        },
};
