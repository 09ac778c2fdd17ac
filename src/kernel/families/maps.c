#include "kernel/families/maps.h"

#include "kernel/kernel.h"

// Channels go in blocks that the compiler keeps in registers; so many rows are added up before f64
// takes over.
enum { AT_ONCE = 16 };

#if defined(__AVX512F__)
#define WIDEST 64
#elif defined(__AVX__)
#define WIDEST 32
#else
#define WIDEST 16
#endif

// A block in registers, and in memory at any address: as wide as registers are, 16 bytes, one.
#define BLOCK_TYPES(T, block, bytes)                                                               \
    typedef T T##_##block __attribute__((vector_size(bytes)));                                     \
    typedef T T##_##block##_in_memory                                                              \
        __attribute__((vector_size(bytes), aligned(sizeof(T)), may_alias));
#define TYPES(T)                                                                                   \
    BLOCK_TYPES(T, wide, WIDEST)                                                                   \
    BLOCK_TYPES(T, few, 16)                                                                        \
    BLOCK_TYPES(T, one, sizeof(T))
TYPES(float)
TYPES(double)

#define LANES(T, block) ((int64_t)(sizeof(T##_##block) / sizeof(T)))
#define AT(T, block, p) (*(const T##_##block##_in_memory *)(p))

// Runs PART(T, block) with j at the first channel of each block of n.
#define BLOCKS(T, n, PART)                                                                         \
    int64_t j = 0;                                                                                 \
    for (; j + LANES(T, wide) <= (n); j += LANES(T, wide)) PART(T, wide)                           \
    for (; j + LANES(T, few) <= (n); j += LANES(T, few)) PART(T, few)                              \
    for (; j < (n); j++) PART(T, one)

#define ADD_PART(T, block)                                                                         \
    *(T##_##block##_in_memory *)(y + j) = AT(T, block, x + j) + t[r] * AT(T, block, w + j);

#define SUM_PART(T, block, factor)                                                                 \
    {                                                                                              \
        T##_##block sum = {0};                                                                     \
        for (int64_t k = r; k < end; k++) sum += AT(T, block, a + k * n + j) * (factor);           \
        for (int64_t i = 0; i < LANES(T, block); i++) sums[j + i] += (double)sum[i];               \
    }
#define PRODUCT_PART(T, block) SUM_PART(T, block, AT(T, block, b + k * n + j))
#define WEIGHTED_PART(T, block) SUM_PART(T, block, b[k])

#define SUMS(name, T, PART)                                                                        \
    static void name##_##T(double *sums, const void *pa, const void *pb, int64_t rows,             \
                           int64_t n) {                                                            \
        const T *a = pa, *b = pb;                                                                  \
        for (int64_t r = 0; r < rows; r += AT_ONCE) {                                              \
            int64_t end = r + AT_ONCE < rows ? r + AT_ONCE : rows;                                 \
            BLOCKS(T, n, PART)                                                                     \
        }                                                                                          \
    }

#define MAPS(T)                                                                                    \
    static void add_outer_##T(void *py, const void *px, const void *pt, const void *pw,            \
                              int64_t rows, int64_t n) {                                           \
        T *y = py;                                                                                 \
        const T *x = px, *t = pt, *w = pw;                                                         \
        for (int64_t r = 0; r < rows; r++, x += n, y += n) {                                       \
            BLOCKS(T, n, ADD_PART)                                                                 \
        }                                                                                          \
    }                                                                                              \
    SUMS(products, T, PRODUCT_PART)                                                                \
    SUMS(weighted, T, WEIGHTED_PART)

MAPS(float)
MAPS(double)

#define BOTH(name)                                                                                 \
    { name##_float, name##_double }

const daub_maps_kernels DAUB_KERNEL_TABLE(maps) = {
    .add_outer = BOTH(add_outer), .products = BOTH(products), .weighted = BOTH(weighted)};
