// One source for every instruction set: vectors are GCC's, tiles are as large as the registers
// allow. Compiled for AVX-512-BF16, a number of either side is a pair of bf16, and a product the
// sum of two.
#include "kernel/families/conv.h"

#include "kernel/kernel.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { LANES = 16, GROUP = 4, VECTORS = 24 };
#elif defined(__AVX2__)
enum { LANES = 8, GROUP = 2, VECTORS = 12 };
#else
enum { LANES = 4, GROUP = 2, VECTORS = 12 };
#endif
enum { GROUPS = 3, OUTER = VECTORS / 2 }; // groups and rows of the largest tiles
enum { AHEAD = 2048 }; // floats that `transpose` prefetches ahead: the way to memory is long

typedef float vector __attribute__((vector_size(LANES * 4)));
typedef float loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define UNROLL _Pragma("GCC unroll 24")
#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *p) {
    return *(const vector *)p;
}
INLINE vector load_loose(const float *p) {
    return *(const loose *)p;
}
// GCC would load a vector again for each of a few uses: slow where it lies across cache lines.
INLINE vector in_register(vector v) {
#if defined(__x86_64__)
    __asm__("" : "+v"(v));
#endif
    return v;
}
INLINE void store_loose(float *p, vector v) {
    *(loose *)p = v;
}
#if defined(__AVX512BF16__)
enum { PRODUCTS = 2 }; // in a lane
INLINE vector spread(float f) {
    return (vector)_mm512_set1_ps(f); // no arithmetic: most pairs are no sound float
}
INLINE vector multiply_add(vector sum, vector a, vector b) {
    return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
#else
enum { PRODUCTS = 1 };
INLINE vector spread(float f) {
    return (vector){0} + f;
}
INLINE vector multiply_add(vector sum, vector a, vector b) {
    return sum + a * b;
}
#endif

typedef int32_t lanes __attribute__((vector_size(LANES * 4)));

INLINE vector leaky(vector v, const float *slope) {
    if (!slope) return v;
    const lanes positive = v > 0;
    return (vector)(((lanes)v & positive) | ((lanes)(v * *slope) & ~positive));
}

// The two cache lines of each row of a group.
INLINE void fetch_rows(const float *a, int64_t step) {
    UNROLL for (int r = 0; r < GROUP; r++) {
        __builtin_prefetch(a + r * step);
        __builtin_prefetch(a + r * step + 16);
    }
}

// ---- rows of pixels times a panel
// -------------------------------------------------------------------

// One tile: `groups` groups from group `first` on, `nv` vectors of columns from `column` on. Sums
// start at zero and are added to c (or start) at the end, so that no sum runs over more than one
// call.
INLINE void rows_tile(const int groups, const int nv, const daub_conv_rows *job, int64_t first,
                      daub_conv_panel panel, int64_t column) {
    vector sum[GROUPS * GROUP][2];
    UNROLL for (int i = 0; i < groups * GROUP; i++) sum[i][0] = sum[i][1] = (vector){0};
    const float *b = panel.rows + column;
    const int64_t width = panel.width, step = job->a_step;
    for (int64_t i = 0; i < job->run_count; i++) {
        const int64_t offset = job->runs[i].offset, count = job->runs[i].count;
        const float *a0 = job->a[first] + offset;
        const float *a1 = groups > 1 ? job->a[first + 1] + offset : a0;
        const float *a2 = groups > 2 ? job->a[first + 2] + offset : a0;
        if (job->ahead) {
            fetch_rows(a0 + job->ahead, step);
            if (groups > 1) fetch_rows(a1 + job->ahead, step);
            if (groups > 2) fetch_rows(a2 + job->ahead, step);
        }
        for (int64_t k = 0; k < count; k++) {
            const vector b0 = load(b), b1 = nv > 1 ? load(b + LANES) : b0;
            b += width;
            UNROLL for (int r = 0; r < GROUP; r++) {
                const vector v = spread(a0[r * step]);
                sum[r][0] = multiply_add(sum[r][0], v, b0);
                if (nv > 1) sum[r][1] = multiply_add(sum[r][1], v, b1);
            }
            if (groups > 1) UNROLL for (int r = 0; r < GROUP; r++) {
                    const vector v = spread(a1[r * step]);
                    sum[GROUP + r][0] = multiply_add(sum[GROUP + r][0], v, b0);
                    if (nv > 1) sum[GROUP + r][1] = multiply_add(sum[GROUP + r][1], v, b1);
                }
            if (groups > 2) UNROLL for (int r = 0; r < GROUP; r++) {
                    const vector v = spread(a2[r * step]);
                    sum[2 * GROUP + r][0] = multiply_add(sum[2 * GROUP + r][0], v, b0);
                    if (nv > 1) sum[2 * GROUP + r][1] = multiply_add(sum[2 * GROUP + r][1], v, b1);
                }
            a0++, a1++, a2++;
        }
    }
    const int64_t offset = job->c_offset + column;
    UNROLL for (int i = 0; i < groups * GROUP; i++) {
        float *c = job->c[first + i / GROUP] + (i % GROUP) * job->c_step + offset;
        const float *base = job->start ? job->start + column : c;
        store_loose(c, leaky(sum[i][0] + load_loose(base), job->slope));
        if (nv > 1) store_loose(c + LANES, leaky(sum[i][1] + load_loose(base + LANES), job->slope));
    }
}

#define ROWS_TILE(groups, nv)                                                                      \
    static __attribute__((noinline)) void rows_tile_##groups##_##nv(                               \
        const daub_conv_rows *job, int64_t first, daub_conv_panel panel, int64_t column) {         \
        rows_tile(groups, nv, job, first, panel, column);                                          \
    }
ROWS_TILE(1, 1)
ROWS_TILE(2, 1)
ROWS_TILE(3, 1)
ROWS_TILE(1, 2)
ROWS_TILE(2, 2)
ROWS_TILE(3, 2)

typedef void (*rows_function)(const daub_conv_rows *, int64_t, daub_conv_panel, int64_t);
static const rows_function rows_tiles[2][GROUPS] = {
    {rows_tile_1_1, rows_tile_2_1, rows_tile_3_1},
    {rows_tile_1_2, rows_tile_2_2, rows_tile_3_2},
};

static void rows(const daub_conv_rows *job, daub_conv_panel panel) {
    for (int64_t first = 0; first < job->groups;) {
        // Four groups are two and two: a single one wastes most of the loads.
        int64_t left = job->groups - first;
        int64_t count = left >= 3 && left != 4 ? 3 : left >= 2 ? 2 : 1;
        for (int64_t column = 0; column < panel.width;) {
            int nv = panel.width - column >= 2 * LANES ? 2 : 1;
            rows_tiles[nv - 1][count - 1](job, first, panel, column);
            column += nv * LANES;
        }
        first += count;
    }
}

// ---- sums over pixels
// ------------------------------------------------------------------------------

// One tile of `m` rows from row `first` on, of which the result has job->m at most.
INLINE void outer_tile(const int m, const int nv, const daub_conv_outer *job, int64_t first,
                       daub_conv_panel panel, int64_t column) {
    vector sum[OUTER][2];
    UNROLL for (int i = 0; i < m; i++) sum[i][0] = sum[i][1] = (vector){0};
    const float *b = panel.rows + column;
    const int64_t step = job->a_step, width = job->b_step ? job->b_step : panel.width;
    for (int64_t i = 0; i < job->run_count; i++) {
        const float *a = job->a + job->runs[i].offset + first;
        for (int64_t k = job->runs[i].count; k > 0; k--) {
            const vector b0 = load_loose(b), b1 = nv > 1 ? load_loose(b + LANES) : b0;
            UNROLL for (int r = 0; r < m; r++) {
                const vector v = spread(a[r]);
                sum[r][0] = multiply_add(sum[r][0], v, b0);
                if (nv > 1) sum[r][1] = multiply_add(sum[r][1], v, b1);
            }
            a += step;
            b += width;
        }
    }
    UNROLL for (int i = 0; i < m; i++) {
        if (first + i >= job->m) break;
        float *c = job->c + (first + i) * job->c_step + column;
        if (job->add) {
            sum[i][0] += load_loose(c);
            if (nv > 1) sum[i][1] += load_loose(c + LANES);
        }
        store_loose(c, sum[i][0]);
        if (nv > 1) store_loose(c + LANES, sum[i][1]);
    }
}

#define OUTER_TILE(m, nv)                                                                          \
    static __attribute__((noinline)) void outer_tile_##m##_##nv(                                   \
        const daub_conv_outer *job, int64_t first, daub_conv_panel panel, int64_t column) {        \
        outer_tile(m, nv, job, first, panel, column);                                              \
    }
OUTER_TILE(4, 1)
OUTER_TILE(4, 2)
#if defined(__AVX512F__)
OUTER_TILE(8, 1)
OUTER_TILE(8, 2)
OUTER_TILE(12, 1)
OUTER_TILE(12, 2)
#else
OUTER_TILE(6, 1)
OUTER_TILE(6, 2)
#endif

static void outer_rows(int64_t m, const daub_conv_outer *job, int64_t first,
                       daub_conv_panel panel) {
    for (int64_t column = 0; column < panel.width;) {
        int nv = panel.width - column >= 2 * LANES ? 2 : 1;
        switch (m) {
#if defined(__AVX512F__)
        case 12:
            (nv > 1 ? outer_tile_12_2 : outer_tile_12_1)(job, first, panel, column);
            break;
        case 8:
            (nv > 1 ? outer_tile_8_2 : outer_tile_8_1)(job, first, panel, column);
            break;
#else
        case 6:
            (nv > 1 ? outer_tile_6_2 : outer_tile_6_1)(job, first, panel, column);
            break;
#endif
        default:
            (nv > 1 ? outer_tile_4_2 : outer_tile_4_1)(job, first, panel, column);
            break;
        }
        column += nv * LANES;
    }
}

static void outer(const daub_conv_outer *job, daub_conv_panel panel) {
    for (int64_t first = 0; first < job->m;) {
        int64_t left = job->m - first;
#if defined(__AVX512F__)
        int64_t m = left > 8 ? 12 : left > 4 ? 8 : 4;
#else
        int64_t m = left > 8 || (left > 4 && left <= 6) ? 6 : 4;
#endif
        outer_rows(m, job, first, panel);
        first += m;
    }
}

// ---- strips
// ----------------------------------------------------------------------------------------

// One tile: `m` rows from row `first` on by `nv` vectors from `column` on.
INLINE void strips_tile(const int m, const int nv, const daub_conv_strips *job, int64_t first,
                        int64_t column) {
    vector sum[VECTORS], strip[8];
    UNROLL for (int i = 0; i < m * nv; i++) sum[i] = (vector){0};
    const float *b = job->b + first;
    for (int64_t i = 0; i < job->run_count; i++) {
        const float *a = job->a + job->runs[i].offset + column;
        for (int64_t k = job->runs[i].count; k > 0; k--) {
            UNROLL for (int v = 0; v < nv; v++) strip[v] = in_register(load_loose(a + v * LANES));
            UNROLL for (int r = 0; r < m; r++) {
                const vector number = spread(b[r]);
                UNROLL for (int v = 0; v < nv; v++) {
                    vector *to = &sum[r * nv + v];
                    *to = multiply_add(*to, number, strip[v]);
                }
            }
            a += job->a_step;
            b += job->b_step;
        }
    }
    UNROLL for (int r = 0; r < m; r++) {
        float *c = job->c + (first + r) * job->c_step + column;
        UNROLL for (int v = 0; v < nv; v++) {
            vector base = job->start ? spread(job->start[first + r]) : load_loose(c + v * LANES);
            store_loose(c + v * LANES, leaky(base + sum[r * nv + v], job->slope));
        }
    }
}

#define STRIPS_TILE(m, nv)                                                                         \
    static __attribute__((noinline)) void strips_tile_##m##_##nv(const daub_conv_strips *job,      \
                                                                 int64_t first, int64_t column) {  \
        strips_tile(m, nv, job, first, column);                                                    \
    }
#define STRIPS_TILES_2(m) STRIPS_TILE(m, 1) STRIPS_TILE(m, 2)
#define STRIPS_TILES_3(m) STRIPS_TILES_2(m) STRIPS_TILE(m, 3)
#define STRIPS_TILES_4(m) STRIPS_TILES_3(m) STRIPS_TILE(m, 4)
#define STRIPS_TILES_5(m) STRIPS_TILES_4(m) STRIPS_TILE(m, 5)
#define STRIPS_TILES_6(m) STRIPS_TILES_5(m) STRIPS_TILE(m, 6)
#define STRIPS_TILES_7(m) STRIPS_TILES_6(m) STRIPS_TILE(m, 7)
#define STRIPS_TILES_8(m) STRIPS_TILES_7(m) STRIPS_TILE(m, 8)
#define STRIPS_NAMES_2(m) strips_tile_##m##_1, strips_tile_##m##_2
#define STRIPS_NAMES_3(m) STRIPS_NAMES_2(m), strips_tile_##m##_3
#define STRIPS_NAMES_4(m) STRIPS_NAMES_3(m), strips_tile_##m##_4
#define STRIPS_NAMES_5(m) STRIPS_NAMES_4(m), strips_tile_##m##_5
#define STRIPS_NAMES_6(m) STRIPS_NAMES_5(m), strips_tile_##m##_6
#define STRIPS_NAMES_7(m) STRIPS_NAMES_6(m), strips_tile_##m##_7
#define STRIPS_NAMES_8(m) STRIPS_NAMES_7(m), strips_tile_##m##_8

// Heights of tiles, and the most vectors that then fit into the registers.
#if defined(__AVX512F__)
#define STRIPS_SHAPES(X) X(12, 2) X(8, 3) X(6, 4) X(4, 6) X(3, 7) X(2, 8) X(1, 8)
#else
#define STRIPS_SHAPES(X) X(6, 2) X(4, 3) X(3, 3) X(2, 5) X(1, 7)
#endif
#define STRIPS_DEFINE(m, most) STRIPS_TILES_##most(m)
#define STRIPS_SHAPE(m, most) {m, most, {STRIPS_NAMES_##most(m)}},
STRIPS_SHAPES(STRIPS_DEFINE)

static const struct {
    int64_t m, most;
    void (*tiles[8])(const daub_conv_strips *, int64_t, int64_t);
} strips_shapes[] = {STRIPS_SHAPES(STRIPS_SHAPE)};

static void strips(const daub_conv_strips *job) {
    const int64_t vectors =
        (job->width + DAUB_CONV_STRIP - 1) / DAUB_CONV_STRIP * (DAUB_CONV_STRIP / LANES);
    for (int64_t first = 0; first < job->m;) {
        // The highest tile that does not leave a single row, which would be bound by loads.
        const int64_t left = job->m - first;
        int i = 0;
        while (strips_shapes[i].m > left || strips_shapes[i].m == left - 1) i++;
        for (int64_t v = 0; v < vectors;) {
            const int64_t rest = vectors - v, most = strips_shapes[i].most;
            const int64_t parts = (rest + most - 1) / most, nv = (rest + parts - 1) / parts;
            strips_shapes[i].tiles[nv - 1](job, first, v * LANES);
            v += nv;
        }
        first += strips_shapes[i].m;
    }
}

// ---- transposing
// -----------------------------------------------------------------------------------

typedef int32_t places __attribute__((vector_size(LANES * 4)));

// Exchanges the blocks of `size` lanes off the diagonal, of blocks of 2 `size`.
INLINE void transpose_blocks(const int size, vector *v) {
    places low, high;
    UNROLL for (int i = 0; i < LANES; i++) {
        low[i] = i & size ? LANES + i - size : i;
        high[i] = i & size ? LANES + i : i + size;
    }
    UNROLL for (int i = 0; i < LANES; i++) {
        if (i & size) continue;
        const vector a = v[i], b = v[i + size];
        v[i] = __builtin_shuffle(a, b, low);
        v[i + size] = __builtin_shuffle(a, b, high);
    }
}

static void transpose_tile(const float *from, int64_t from_step, float *to, int64_t to_step) {
    vector v[LANES];
    UNROLL for (int i = 0; i < LANES; i++) {
        v[i] = load_loose(from + i * from_step);
        __builtin_prefetch(from + i * from_step + AHEAD);
    }
    transpose_blocks(1, v);
    transpose_blocks(2, v);
    if (LANES > 4) transpose_blocks(4 % LANES, v);
    if (LANES > 8) transpose_blocks(8 % LANES, v);
    UNROLL for (int i = 0; i < LANES; i++) store_loose(to + i * to_step, v[i]);
}

static void transpose(const float *from, int64_t from_step, int64_t rows, int64_t columns,
                      float *to, int64_t to_step) {
    if (rows < LANES && rows < columns) {
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) to[j * to_step + i] = from[i * from_step + j];
        return;
    }
    if (rows < LANES || columns < LANES) {
        for (int64_t j = 0; j < columns; j++)
            for (int64_t i = 0; i < rows; i++) to[j * to_step + i] = from[i * from_step + j];
        return;
    }
    // The last tiles lap over those before them.
    for (int64_t i = 0; i < rows; i += LANES) {
        const int64_t row = i < rows - LANES ? i : rows - LANES;
        for (int64_t j = 0; j < columns; j += LANES) {
            const int64_t column = j < columns - LANES ? j : columns - LANES;
            transpose_tile(from + row * from_step + column, from_step, to + column * to_step + row,
                           to_step);
        }
    }
}

// ---- the machine's peak
// ----------------------------------------------------------------------------

static double peak(int64_t rounds) {
    vector sum[VECTORS];
    vector a = spread(1e-9f), b = spread(0.5f);
    UNROLL for (int i = 0; i < VECTORS; i++) sum[i] = spread((float)i);
    for (int64_t k = 0; k < rounds; k++) {
        UNROLL for (int i = 0; i < VECTORS; i++) sum[i] = multiply_add(a, sum[i], b);
        __asm__ volatile("" ::: "memory");
    }
    vector total = {0};
    UNROLL for (int i = 0; i < VECTORS; i++) total += sum[i];
    volatile float keep = total[0];
    (void)keep;
    return 2.0 * PRODUCTS * LANES * VECTORS * (double)rounds;
}

const daub_conv_kernels DAUB_KERNEL_TABLE(conv) = {
    .group = GROUP,
    .rows = rows,
    .outer = outer,
    .strips = strips,
    .transpose = transpose,
    .peak = peak,
};
