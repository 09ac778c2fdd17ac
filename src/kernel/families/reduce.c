#include "kernel/families/reduce.h"

#include "kernel/families/fetch.h"
#include "kernel/kernel.h"

typedef float f32;
typedef double f64;
typedef uint8_t u8;
typedef int32_t i32;
typedef int64_t i64;
typedef uint64_t u64;

// Short rows that follow each other are taken this many elements at a time.
enum { WIDE = 64 };
// A line is folded into this many lanes first.
enum { LANES = 16 };

// Two selects, for branches would keep loops from being vectorised. A NaN is handed on.
#define OPERATORS(T)                                                                               \
    static inline T add_##T(T x, T y) {                                                            \
        return x + y;                                                                              \
    }                                                                                              \
    static inline T multiply_##T(T x, T y) {                                                       \
        return x * y;                                                                              \
    }                                                                                              \
    static inline T larger_##T(T x, T y) {                                                         \
        T m = x > y ? x : y;                                                                       \
        return x != x ? x : m;                                                                     \
    }                                                                                              \
    static inline T smaller_##T(T x, T y) {                                                        \
        T m = x < y ? x : y;                                                                       \
        return x != x ? x : m;                                                                     \
    }
OPERATORS(f32)
OPERATORS(f64)
OPERATORS(u8)
OPERATORS(i32)
OPERATORS(i64)
OPERATORS(u64)
static inline u8 either_u8(u8 x, u8 y) {
    return x | y;
}
static inline u8 both_u8(u8 x, u8 y) {
    return x & y;
}
static inline i64 either_i64(i64 x, i64 y) {
    return x | y;
}
static inline i64 both_i64(i64 x, i64 y) {
    return x & y;
}

// T: what is read, W: what eight rows are combined in, A: the accumulator.
#define COLUMNS(name, T, W, A, first, value, op)                                                   \
    static void name##_rows(A *acc, const T *p, int64_t stride, int64_t rows, int64_t n) {         \
        int64_t r = 0;                                                                             \
        for (; r + 8 <= rows; r += 8, p += 8 * stride) {                                           \
            const T *q = p + 4 * stride;                                                           \
            if (stride == n) fetch(p, 8 * n * (int64_t)sizeof(T));                                 \
            _Pragma("GCC ivdep") for (int64_t j = 0; j < n; j++) {                                 \
                W a = op##_##W(value(W, p[j]), value(W, p[j + stride]));                           \
                W b = op##_##W(value(W, p[j + 2 * stride]), value(W, p[j + 3 * stride]));          \
                W c = op##_##W(value(W, q[j]), value(W, q[j + stride]));                           \
                W d = op##_##W(value(W, q[j + 2 * stride]), value(W, q[j + 3 * stride]));          \
                W ab = op##_##W(a, b), cd = op##_##W(c, d), all = op##_##W(ab, cd);                \
                acc[j] = op##_##A(acc[j], (A)all);                                                 \
            }                                                                                      \
        }                                                                                          \
        for (; r < rows; r++, p += stride) {                                                       \
            _Pragma("GCC ivdep") for (int64_t j = 0; j < n; j++) acc[j] =                          \
                op##_##A(acc[j], (A)value(W, p[j]));                                               \
        }                                                                                          \
    }                                                                                              \
    static void name(void *acc, const void *from, int64_t stride, int64_t rows, int64_t n) {       \
        A *a = acc;                                                                                \
        const T *p = from;                                                                         \
        int64_t together = stride == n && n <= WIDE / 2 ? WIDE / n : 1;                            \
        if (together > 1 && rows >= together) {                                                    \
            A wide[WIDE];                                                                          \
            int64_t length = together * n, lines = rows / together;                                \
            for (int64_t j = 0; j < length; j++) wide[j] = first;                                  \
            name##_rows(wide, p, length, lines, length);                                           \
            for (int64_t k = 0; k < together; k++) {                                               \
                for (int64_t j = 0; j < n; j++) a[j] = op##_##A(a[j], wide[k * n + j]);            \
            }                                                                                      \
            p += lines * length;                                                                   \
            rows -= lines * together;                                                              \
        }                                                                                          \
        name##_rows(a, p, stride, rows, n);                                                        \
    }                                                                                              \
    static inline W name##_line(const T *p, int64_t length) {                                      \
        int64_t i = 1;                                                                             \
        W sum = value(W, p[0]);                                                                    \
        if (length >= LANES) {                                                                     \
            W lane[LANES];                                                                         \
            for (int j = 0; j < LANES; j++) lane[j] = value(W, p[j]);                              \
            for (i = LANES; i + LANES <= length; i += LANES) {                                     \
                for (int j = 0; j < LANES; j++) lane[j] = op##_##W(lane[j], value(W, p[i + j]));   \
            }                                                                                      \
            for (int half = LANES / 2; half > 0; half /= 2) {                                      \
                for (int j = 0; j < half; j++) lane[j] = op##_##W(lane[j], lane[j + half]);        \
            }                                                                                      \
            sum = lane[0];                                                                         \
        }                                                                                          \
        for (; i < length; i++) sum = op##_##W(sum, value(W, p[i]));                               \
        return sum;                                                                                \
    }                                                                                              \
    static void name##_lines(void *acc, const void *from, int64_t lines, int64_t length) {         \
        A *a = acc;                                                                                \
        const T *p = from;                                                                         \
        switch (length) {                                                                          \
        case 0:                                                                                    \
            break;                                                                                 \
        case 2:                                                                                    \
            FIXED_LINES(name, A, op, 2);                                                           \
        case 3:                                                                                    \
            FIXED_LINES(name, A, op, 3);                                                           \
        case 4:                                                                                    \
            FIXED_LINES(name, A, op, 4);                                                           \
        default:                                                                                   \
            FIXED_LINES(name, A, op, length);                                                      \
        }                                                                                          \
    }
// The compiler makes a loop without calls for each length known to it.
#define FIXED_LINES(name, A, op, length)                                                           \
    for (int64_t i = 0; i < lines; i++)                                                            \
        a[i] = op##_##A(a[i], (A)name##_line(p + i * (length), length));                           \
    break

#define ITSELF(W, v) ((W)(v))
#define SQUARE(W, v) ((W)(v) * (W)(v))
#define TRUTH(W, v) ((W)((v) != 0))

#define FLOAT(T)                                                                                   \
    COLUMNS(sum_##T, T, T, f64, 0, ITSELF, add)                                                    \
    COLUMNS(sumsq_##T, T, T, f64, 0, SQUARE, add)                                                  \
    COLUMNS(prod_##T, T, f64, f64, 1, ITSELF, multiply)                                            \
    COLUMNS(max_##T, T, T, f64, -__builtin_inf(), ITSELF, larger)                                  \
    COLUMNS(min_##T, T, T, f64, __builtin_inf(), ITSELF, smaller)
// Unsigned: sums and products wrap.
#define INTEGER(T)                                                                                 \
    COLUMNS(sum_##T, T, u64, u64, 0, ITSELF, add)                                                  \
    COLUMNS(sumsq_##T, T, u64, u64, 0, SQUARE, add)                                                \
    COLUMNS(prod_##T, T, u64, u64, 1, ITSELF, multiply)                                            \
    COLUMNS(max_##T, T, T, i64, INT64_MIN, ITSELF, larger)                                         \
    COLUMNS(min_##T, T, T, i64, INT64_MAX, ITSELF, smaller)
#define TRUTHS(T)                                                                                  \
    COLUMNS(any_##T, T, u8, i64, 0, TRUTH, either)                                                 \
    COLUMNS(all_##T, T, u8, i64, 1, TRUTH, both)
FLOAT(f32)
FLOAT(f64)
INTEGER(u8)
INTEGER(i32)
INTEGER(i64)
TRUTHS(f32)
TRUTHS(f64)
TRUTHS(u8)
TRUTHS(i32)
TRUTHS(i64)

#define EVERY(name, kind)                                                                          \
    {                                                                                              \
        [DAUB_F32] = name##_f32##kind, [DAUB_F64] = name##_f64##kind, [DAUB_U8] = name##_u8##kind, \
        [DAUB_I32] = name##_i32##kind, [DAUB_I64] = name##_i64##kind                               \
    }
#define OPERATIONS(kind)                                                                           \
    {                                                                                              \
        [DAUB_SUM] = EVERY(sum, kind), [DAUB_SUMSQ] = EVERY(sumsq, kind),                          \
        [DAUB_PROD] = EVERY(prod, kind), [DAUB_MAX_OF] = EVERY(max, kind),                         \
        [DAUB_MIN_OF] = EVERY(min, kind), [DAUB_ANY] = EVERY(any, kind),                           \
        [DAUB_ALL] = EVERY(all, kind)                                                              \
    }

const daub_reduce_kernels DAUB_KERNEL_TABLE(reduce) = {.columns = OPERATIONS(),
                                                       .lines = OPERATIONS(_lines)};
