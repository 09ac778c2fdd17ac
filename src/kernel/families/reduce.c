#include "kernel/families/reduce.h"

#include "kernel/kernel.h"

typedef float f32;
typedef double f64;
typedef uint8_t u8;
typedef int32_t i32;
typedef int64_t i64;

// Short rows that follow each other are taken this many elements at a time.
enum { WIDE = 64 };

// T: what is read, W: what eight rows are combined in, A: the accumulator.
#define COLUMNS(name, T, W, A, first, value, op)                                                   \
    static void name##_rows(A *acc, const T *p, int64_t stride, int64_t rows, int64_t n) {         \
        int64_t r = 0;                                                                             \
        for (; r + 8 <= rows; r += 8, p += 8 * stride) {                                           \
            const T *q = p + 4 * stride;                                                           \
            _Pragma("GCC ivdep") for (int64_t j = 0; j < n; j++) {                                 \
                W a = op(value(W, p[j]), value(W, p[j + stride]));                                 \
                W b = op(value(W, p[j + 2 * stride]), value(W, p[j + 3 * stride]));                \
                W c = op(value(W, q[j]), value(W, q[j + stride]));                                 \
                W d = op(value(W, q[j + 2 * stride]), value(W, q[j + 3 * stride]));                \
                W ab = op(a, b), cd = op(c, d), all = op(ab, cd);                                  \
                acc[j] = op(acc[j], (A)all);                                                       \
            }                                                                                      \
        }                                                                                          \
        for (; r < rows; r++, p += stride) {                                                       \
            _Pragma("GCC ivdep") for (int64_t j = 0; j < n; j++) acc[j] =                          \
                op(acc[j], (A)value(W, p[j]));                                                     \
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
                for (int64_t j = 0; j < n; j++) a[j] = op(a[j], wide[k * n + j]);                  \
            }                                                                                      \
            p += lines * length;                                                                   \
            rows -= lines * together;                                                              \
        }                                                                                          \
        name##_rows(a, p, stride, rows, n);                                                        \
    }

#define ITSELF(W, v) ((W)(v))
#define SQUARE(W, v) ((W)(v) * (W)(v))
#define TRUTH(W, v) ((W)((v) != 0))
#define ADD(x, y) ((x) + (y))
#define MULTIPLY(x, y) ((x) * (y))
#define LARGER(x, y) ((x) != (x) || (x) > (y) ? (x) : (y)) // hands NaN on
#define SMALLER(x, y) ((x) != (x) || (x) < (y) ? (x) : (y))
#define EITHER(x, y) ((x) | (y))
#define BOTH(x, y) ((x) & (y))

#define FLOAT(T)                                                                                   \
    COLUMNS(sum_##T, T, T, f64, 0, ITSELF, ADD)                                                    \
    COLUMNS(sumsq_##T, T, T, f64, 0, SQUARE, ADD)                                                  \
    COLUMNS(prod_##T, T, f64, f64, 1, ITSELF, MULTIPLY)                                            \
    COLUMNS(max_##T, T, T, f64, -__builtin_inf(), ITSELF, LARGER)                                  \
    COLUMNS(min_##T, T, T, f64, __builtin_inf(), ITSELF, SMALLER)
// Unsigned: sums and products wrap.
#define INTEGER(T)                                                                                 \
    COLUMNS(sum_##T, T, uint64_t, uint64_t, 0, ITSELF, ADD)                                        \
    COLUMNS(sumsq_##T, T, uint64_t, uint64_t, 0, SQUARE, ADD)                                      \
    COLUMNS(prod_##T, T, uint64_t, uint64_t, 1, ITSELF, MULTIPLY)                                  \
    COLUMNS(max_##T, T, T, i64, INT64_MIN, ITSELF, LARGER)                                         \
    COLUMNS(min_##T, T, T, i64, INT64_MAX, ITSELF, SMALLER)
#define TRUTHS(T)                                                                                  \
    COLUMNS(any_##T, T, u8, i64, 0, TRUTH, EITHER)                                                 \
    COLUMNS(all_##T, T, u8, i64, 1, TRUTH, BOTH)
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

#define EVERY(name)                                                                                \
    {                                                                                              \
        [DAUB_F32] = name##_f32, [DAUB_F64] = name##_f64, [DAUB_U8] = name##_u8,                   \
        [DAUB_I32] = name##_i32, [DAUB_I64] = name##_i64                                           \
    }

const daub_reduce_kernels DAUB_KERNEL_TABLE(reduce) = {
    .columns =
        {
            [DAUB_SUM] = EVERY(sum),
            [DAUB_SUMSQ] = EVERY(sumsq),
            [DAUB_PROD] = EVERY(prod),
            [DAUB_MAX_OF] = EVERY(max),
            [DAUB_MIN_OF] = EVERY(min),
            [DAUB_ANY] = EVERY(any),
            [DAUB_ALL] = EVERY(all),
        },
};
