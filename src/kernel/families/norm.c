#include "kernel/families/norm.h"

#include "kernel/kernel.h"

// Four rows are added up before f64 takes over.
#define EACH(n) _Pragma("GCC ivdep") for (int64_t j = 0; j < (n); j++)

#define NORM(T)                                                                                    \
    static void moments_##T(double *sums, double *squares, const void *px, const void *pshift,     \
                            int64_t rows, int64_t n) {                                             \
        const T *x = px, *shift = pshift;                                                          \
        int64_t r = 0;                                                                             \
        for (; r + 4 <= rows; r += 4, x += 4 * n) {                                                \
            EACH(n) {                                                                              \
                T a = x[j] - shift[j], b = x[j + n] - shift[j];                                    \
                T c = x[j + 2 * n] - shift[j], d = x[j + 3 * n] - shift[j];                        \
                sums[j] += (double)((a + b) + (c + d));                                            \
                squares[j] += (double)((a * a + b * b) + (c * c + d * d));                         \
            }                                                                                      \
        }                                                                                          \
        for (; r < rows; r++, x += n) {                                                            \
            EACH(n) {                                                                              \
                T a = x[j] - shift[j];                                                             \
                sums[j] += (double)a;                                                              \
                squares[j] += (double)(a * a);                                                     \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void apply_##T(void *py, const void *px, const void *pmean, const void *pscale,         \
                          const void *poffset, int64_t rows, int64_t n) {                          \
        T *y = py;                                                                                 \
        const T *x = px, *mean = pmean, *scale = pscale, *offset = poffset;                        \
        for (int64_t r = 0; r < rows; r++, x += n, y += n)                                         \
            EACH(n) y[j] = (x[j] - mean[j]) * scale[j] + offset[j];                                \
    }                                                                                              \
    static void grad_sums_##T(double *sums, double *products, const void *pg, const void *px,      \
                              const void *pmean, int64_t rows, int64_t n) {                        \
        const T *g = pg, *x = px, *mean = pmean;                                                   \
        int64_t r = 0;                                                                             \
        for (; r + 4 <= rows; r += 4, g += 4 * n, x += 4 * n) {                                    \
            EACH(n) {                                                                              \
                T a = g[j], b = g[j + n], c = g[j + 2 * n], d = g[j + 3 * n], m = mean[j];         \
                sums[j] += (double)((a + b) + (c + d));                                            \
                products[j] += (double)((a * (x[j] - m) + b * (x[j + n] - m)) +                    \
                                        (c * (x[j + 2 * n] - m) + d * (x[j + 3 * n] - m)));        \
            }                                                                                      \
        }                                                                                          \
        for (; r < rows; r++, g += n, x += n) {                                                    \
            EACH(n) {                                                                              \
                sums[j] += (double)g[j];                                                           \
                products[j] += (double)(g[j] * (x[j] - mean[j]));                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void grad_apply_##T(void *pdx, const void *pg, const void *px, const void *pmean,       \
                               const void *pa, const void *pb, const void *pc, int64_t rows,       \
                               int64_t n) {                                                        \
        T *dx = pdx;                                                                               \
        const T *g = pg, *x = px, *mean = pmean, *a = pa, *b = pb, *c = pc;                        \
        for (int64_t r = 0; r < rows; r++, g += n, x += n, dx += n)                                \
            EACH(n) dx[j] = a[j] * g[j] + b[j] * (x[j] - mean[j]) + c[j];                          \
    }

NORM(float)
NORM(double)

#define BOTH(name)                                                                                 \
    { name##_float, name##_double }

const daub_norm_kernels DAUB_KERNEL_TABLE(norm) = {.moments = BOTH(moments),
                                                   .apply = BOTH(apply),
                                                   .grad_sums = BOTH(grad_sums),
                                                   .grad_apply = BOTH(grad_apply)};
