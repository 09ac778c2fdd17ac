#include "kernel/families/norm.h"

#include <stdbool.h>

#include "kernel/families/fetch.h"
#include "kernel/kernel.h"

// Eight rows are added up before f64 takes over.
enum { ROWS = 8 };

#define EACH(n) _Pragma("GCC ivdep") for (int64_t j = 0; j < (n); j++)
#define INLINE static inline __attribute__((always_inline))
// a b + c, the same in every loop: the compiler is told not to choose (CMakeLists.txt).
#if defined(__FMA__)
#define MULADD_float(a, b, c) __builtin_fmaf(a, b, c)
#define MULADD_double(a, b, c) __builtin_fma(a, b, c)
#else
#define MULADD_float(a, b, c) ((a) * (b) + (c))
#define MULADD_double(a, b, c) ((a) * (b) + (c))
#endif
#define SUM8(v) (((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])))

// `sloped` and `cut` (the slope is 0: no product, which would turn infinities into NaN) are known
// where these are inlined.
#define NORM(T)                                                                                    \
    static void moments_##T(double *sums, double *squares, const void *px, const void *pshift,     \
                            int64_t rows, int64_t n) {                                             \
        const T *x = px, *shift = pshift;                                                          \
        int64_t r = 0;                                                                             \
        for (; r + ROWS <= rows; r += ROWS, x += ROWS * n) {                                       \
            fetch(x, ROWS * n * (int64_t)sizeof(T));                                               \
            EACH(n) {                                                                              \
                T d[ROWS], s[ROWS];                                                                \
                for (int k = 0; k < ROWS; k++) d[k] = x[j + k * n] - shift[j];                     \
                for (int k = 0; k < ROWS; k++) s[k] = d[k] * d[k];                                 \
                sums[j] += (double)SUM8(d);                                                        \
                squares[j] += (double)SUM8(s);                                                     \
            }                                                                                      \
        }                                                                                          \
        for (; r < rows; r++, x += n) {                                                            \
            EACH(n) {                                                                              \
                T d = x[j] - shift[j];                                                             \
                sums[j] += (double)d;                                                              \
                squares[j] += (double)(d * d);                                                     \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    INLINE void apply_each_##T(const bool sloped, const bool cut, void *py, const void *px,        \
                               const daub_norm_channels *c, int64_t rows, int64_t n) {             \
        T *y = py;                                                                                 \
        const T *x = px, *mean = c->mean, *scale = c->scale, *offset = c->offset;                  \
        const T slope = (T)c->slope;                                                               \
        for (int64_t r = 0; r < rows; r++, x += n, y += n) {                                       \
            EACH(n) {                                                                              \
                T z = MULADD_##T(x[j] - mean[j], scale[j], offset[j]);                             \
                y[j] = sloped && z < 0 ? cut ? 0 : slope * z : z;                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void apply_##T(void *y, const void *x, const daub_norm_channels *c, int64_t rows,       \
                          int64_t n) {                                                             \
        if (c->slope == 1)                                                                         \
            apply_each_##T(false, false, y, x, c, rows, n);                                        \
        else if (c->slope == 0)                                                                    \
            apply_each_##T(true, true, y, x, c, rows, n);                                          \
        else                                                                                       \
            apply_each_##T(true, false, y, x, c, rows, n);                                         \
    }                                                                                              \
    INLINE T grad_##T(const bool sloped, T g, T away, T scale, T offset, T slope) {                \
        return !sloped || MULADD_##T(away, scale, offset) > 0 ? g : g * slope;                     \
    }                                                                                              \
    INLINE void sums_each_##T(const bool sloped, double *sums, double *products, const T *g,       \
                              const T *x, const daub_norm_channels *c, int64_t rows, int64_t n) {  \
        const T *mean = c->mean, *scale = c->scale, *offset = c->offset;                           \
        const T slope = (T)c->slope;                                                               \
        int64_t r = 0;                                                                             \
        for (; r + ROWS <= rows; r += ROWS, g += ROWS * n, x += ROWS * n) {                        \
            fetch(g, ROWS * n * (int64_t)sizeof(T));                                               \
            fetch(x, ROWS * n * (int64_t)sizeof(T));                                               \
            EACH(n) {                                                                              \
                T v[ROWS], p[ROWS];                                                                \
                for (int k = 0; k < ROWS; k++) {                                                   \
                    T away = x[j + k * n] - mean[j];                                               \
                    v[k] = grad_##T(sloped, g[j + k * n], away, scale[j], offset[j], slope);       \
                    p[k] = v[k] * away;                                                            \
                }                                                                                  \
                sums[j] += (double)SUM8(v);                                                        \
                products[j] += (double)SUM8(p);                                                    \
            }                                                                                      \
        }                                                                                          \
        for (; r < rows; r++, g += n, x += n) {                                                    \
            EACH(n) {                                                                              \
                T away = x[j] - mean[j];                                                           \
                T v = grad_##T(sloped, g[j], away, scale[j], offset[j], slope);                    \
                sums[j] += (double)v;                                                              \
                products[j] += (double)(v * away);                                                 \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void grad_sums_##T(double *sums, double *products, const void *g, const void *x,        \
                              const daub_norm_channels *c, int64_t rows, int64_t n) {              \
        if (c->slope == 1)                                                                         \
            sums_each_##T(false, sums, products, g, x, c, rows, n);                                \
        else                                                                                       \
            sums_each_##T(true, sums, products, g, x, c, rows, n);                                 \
    }                                                                                              \
    INLINE void grad_each_##T(const bool sloped, T *dx, const T *g, const T *x,                    \
                              const daub_norm_channels *c, int64_t rows, int64_t n) {              \
        const T *mean = c->mean, *scale = c->scale, *offset = c->offset;                           \
        const T *x_factor = c->x_factor, *rest = c->rest;                                          \
        const T slope = (T)c->slope;                                                               \
        for (int64_t r = 0; r < rows; r++, g += n, x += n, dx += n) {                              \
            EACH(n) {                                                                              \
                T away = x[j] - mean[j];                                                           \
                T v = grad_##T(sloped, g[j], away, scale[j], offset[j], slope);                    \
                dx[j] = MULADD_##T(scale[j], v, MULADD_##T(x_factor[j], away, rest[j]));           \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void grad_apply_##T(void *dx, const void *g, const void *x,                             \
                               const daub_norm_channels *c, int64_t rows, int64_t n) {             \
        if (c->slope == 1)                                                                         \
            grad_each_##T(false, dx, g, x, c, rows, n);                                            \
        else                                                                                       \
            grad_each_##T(true, dx, g, x, c, rows, n);                                             \
    }

NORM(float)
NORM(double)

#define BOTH(name)                                                                                 \
    { name##_float, name##_double }

const daub_norm_kernels DAUB_KERNEL_TABLE(norm) = {.moments = BOTH(moments),
                                                   .apply = BOTH(apply),
                                                   .grad_sums = BOTH(grad_sums),
                                                   .grad_apply = BOTH(grad_apply)};
