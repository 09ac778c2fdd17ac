// One source for every instruction set: vectors are GCC's, only loads and stores of a part of a
// vector are not. Matrices are constants and loops over squares are unrolled, so that products
// with 0 and 1 vanish.
#include "kernel/families/winograd.h"

#include <stddef.h>

#include "kernel/kernel.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { BLOCK = DAUB_WINOGRAD_BLOCK, TILE = DAUB_WINOGRAD_TILE, MOST = 6, AHEAD = 8, LINE = 16 };

typedef float vector __attribute__((vector_size(LANES * 4)));
typedef float loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define UNROLL _Pragma("GCC unroll 8")
#define INLINE static inline __attribute__((always_inline))

// ---- vectors
// ------------------------------------------------------------------------------------

// `lanes` says which lanes of a vector exist; others are read as zeros, not written, and may lie
// outside of all memory. lanes_if keeps them under a condition.
#if defined(__AVX512F__)
typedef __mmask16 lanes;
INLINE lanes first_lanes(int64_t n) {
    return n < LANES ? (lanes)((1u << n) - 1) : (lanes)0xffff;
}
INLINE lanes lanes_if(bool condition, lanes which) {
    return condition ? which : 0;
}
INLINE vector load_part(const float *p, lanes which) {
    return (vector)_mm512_maskz_loadu_ps(which, p);
}
INLINE void store_part(float *p, vector v, lanes which) {
    _mm512_mask_storeu_ps(p, which, (__m512)v);
}
#elif defined(__AVX2__)
typedef __m256i lanes;
INLINE lanes first_lanes(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE lanes lanes_if(bool condition, lanes which) {
    return _mm256_and_si256(which, _mm256_set1_epi32(-(int)condition));
}
INLINE vector load_part(const float *p, lanes which) {
    return (vector)_mm256_maskload_ps(p, which);
}
INLINE void store_part(float *p, vector v, lanes which) {
    _mm256_maskstore_ps(p, which, (__m256)v);
}
#else
typedef int64_t lanes;
INLINE lanes first_lanes(int64_t n) {
    return n < LANES ? n : LANES;
}
INLINE lanes lanes_if(bool condition, lanes which) {
    return condition ? which : 0;
}
INLINE vector load_part(const float *p, lanes n) {
    vector v = {0};
    for (int64_t i = 0; i < n; i++) v[i] = p[i];
    return v;
}
INLINE void store_part(float *p, vector v, lanes n) {
    for (int64_t i = 0; i < n; i++) p[i] = v[i];
}
#endif

INLINE vector load(const float *p) {
    return *(const loose *)p;
}
INLINE void store(float *p, vector v) {
    *(loose *)p = v;
}

typedef int32_t choice __attribute__((vector_size(LANES * 4)));

INLINE vector leaky(vector v, float slope) {
    const choice positive = v > 0;
    return (vector)(((choice)v & positive) | ((choice)(v * slope) & ~positive));
}

// ---- the matrices
// -------------------------------------------------------------------------------

// Row-major; one that is `turned` is used as its transpose.
typedef struct matrix {
    const float *at;
    int columns;
    bool turned;
} matrix;

INLINE float element(matrix m, int row, int column) {
    return m.turned ? m.at[column * m.columns + row] : m.at[row * m.columns + column];
}

static const float bt2[] = {2, -1, -2, 1,  0, //
                            0, -2, -1, 1,  0, //
                            0, 2,  -3, 1,  0, //
                            0, -1, 0,  1,  0, //
                            0, 2,  -1, -2, 1};
static const float g2[] = {1 / 2.f,  0,        //
                           -1 / 2.f, -1 / 2.f, //
                           -1 / 6.f, 1 / 6.f,  //
                           1 / 6.f,  1 / 3.f,  //
                           0,        1};
static const float at2[] = {1, 1, 1,  1, 0, //
                            0, 1, -1, 2, 0, //
                            0, 1, 1,  4, 0, //
                            0, 1, -1, 8, 1};
static const float bt3[] = {4, 0,  -5, 0,  1, 0, //
                            0, -4, -4, 1,  1, 0, //
                            0, 4,  -4, -1, 1, 0, //
                            0, -2, -1, 2,  1, 0, //
                            0, 2,  -1, -2, 1, 0, //
                            0, 4,  0,  -5, 0, 1};
static const float g3[] = {1 / 4.f,  0,         0,        //
                           -1 / 6.f, -1 / 6.f,  -1 / 6.f, //
                           -1 / 6.f, 1 / 6.f,   -1 / 6.f, //
                           1 / 24.f, 1 / 12.f,  1 / 6.f,  //
                           1 / 24.f, -1 / 12.f, 1 / 6.f,  //
                           0,        0,         1};
static const float at3[] = {1, 1, 1,  1, 1,  0, //
                            0, 1, -1, 2, -2, 0, //
                            0, 1, 1,  4, 4,  0, //
                            0, 1, -1, 8, -8, 1};

// sum of m(i, k) from[k]; from[k] are `apart` vectors from each other.
INLINE vector row_times(const int in, const matrix m, const int i, const vector *from,
                        const int apart) {
    vector sum = {0};
    UNROLL for (int k = 0; k < in; k++) {
        const float c = element(m, i, k);
        const vector v = from[k * apart];
        if (c == 1)
            sum += v;
        else if (c == -1)
            sum -= v;
        else if (c != 0)
            sum += c * v;
    }
    return sum;
}

// out = m in m'
INLINE void transform(const int in, const int out, const matrix m, vector from[MOST][MOST],
                      vector to[MOST][MOST]) {
    vector half[MOST][MOST];
    UNROLL for (int i = 0; i < out; i++) UNROLL for (int j = 0; j < in; j++) half[i][j] =
        row_times(in, m, i, &from[0][j], MOST);
    UNROLL for (int i = 0; i < out; i++) UNROLL for (int j = 0; j < out; j++) to[i][j] =
        row_times(in, m, j, half[i], 1);
}

// ---- the six transforms
// --------------------------------------------------------------------------

// What a transform reads or writes: pictures and weights, whose channels may end within a vector,
// or buffers of transformed numbers.
typedef enum kind { PICTURE, BUFFER } kind;

INLINE bool is_whole(const daub_winograd_place *p, int size, int64_t channels) {
    return channels >= LANES && !p->first[0] && !p->first[1] && p->end[0] == size &&
           p->end[1] == size;
}

INLINE bool within(const daub_winograd_place *p, int axis, int i) {
    return i >= p->first[axis] && i < p->end[axis];
}

// One square of `side` vectors, of which `channels` lanes exist.
INLINE void load_square(const int side, const daub_winograd_place *p, bool whole, const float *from,
                        int64_t channels, vector to[MOST][MOST]) {
    if (whole) {
        UNROLL for (int i = 0; i < side; i++) UNROLL for (int j = 0; j < side; j++) to[i][j] =
            load(from + i * p->row + j * p->column);
        return;
    }
    const lanes which = first_lanes(channels);
    UNROLL for (int j = 0; j < side; j++) {
        const lanes column = lanes_if(within(p, 1, j), which);
        UNROLL for (int i = 0; i < side; i++) to[i][j] =
            load_part(from + i * p->row + j * p->column, lanes_if(within(p, 0, i), column));
    }
}

// Rows and columns before `overlap` are added to, where the job says so.
INLINE void store_square(const int side, const int overlap, const daub_winograd_job *job,
                         bool whole, float *to, int64_t channels, vector from[MOST][MOST]) {
    const daub_winograd_place *p = &job->target;
    const lanes which = first_lanes(channels);
    UNROLL for (int j = 0; j < side; j++) {
        const lanes column = lanes_if(whole || within(p, 1, j), which);
        UNROLL for (int i = 0; i < side; i++) {
            float *at = to + i * p->row + j * p->column;
            const bool add = (i < overlap && job->add[0]) || (j < overlap && job->add[1]);
            if (whole) {
                store(at, add ? from[i][j] + load(at) : from[i][j]);
            } else {
                const lanes here = lanes_if(within(p, 0, i), column);
                store_part(at, add ? from[i][j] + load_part(at, here) : from[i][j], here);
            }
        }
    }
}

// One square, one vector of channels, of which `channels` exist.
INLINE void square(const int in, const int out, const matrix m, const kind reads, const kind writes,
                   const int overlap, const daub_winograd_job *job, const float *from, float *to,
                   const float *bias, const float *slope, int64_t channels) {
    vector a[MOST][MOST], b[MOST][MOST];
    load_square(in, &job->source, reads == BUFFER || is_whole(&job->source, in, channels), from,
                channels, a);
    transform(in, out, m, a, b);
    if (bias) {
        const vector v = load_part(bias, first_lanes(channels));
        UNROLL for (int i = 0; i < out; i++) UNROLL for (int j = 0; j < out; j++) b[i][j] += v;
    }
    if (slope) {
        UNROLL for (int i = 0; i < out; i++) UNROLL for (int j = 0; j < out; j++) b[i][j] =
            leaky(b[i][j], *slope);
    }
    if (writes == BUFFER || is_whole(&job->target, out, channels))
        store_square(out, overlap, job, true, to, channels, b);
    else
        store_square(out, overlap, job, false, to, channels, b);
}

INLINE void fetch(const int side, const daub_winograd_place *p, const float *from,
                  int64_t channels) {
    UNROLL for (int i = 0; i < side; i++)
        UNROLL for (int j = 0; j < side; j++) for (int64_t c = 0; c < channels; c += LINE)
            __builtin_prefetch(from + i * p->row + j * p->column + c);
}

INLINE void run(const int in, const int out, const matrix m, const kind reads, const kind writes,
                const int overlap, const daub_winograd_job *job) {
    const bool results = out == TILE && writes == PICTURE;
    for (int64_t i = 0; i < job->count; i++) {
        const float *from = job->from + i * job->source.step;
        float *to = job->to + i * job->target.step;
        // Weights of one panel lie a row of all filters apart.
        if (i + AHEAD < job->count) {
            if (reads == PICTURE)
                fetch(in, &job->source, from + AHEAD * job->source.step, job->channels);
            else
                fetch(out, &job->target, to + AHEAD * job->target.step, job->channels);
        }
        for (int64_t c = 0; c < job->channels; c += LANES)
            square(in, out, m, reads, writes, overlap, job,
                   from + c / BLOCK * job->source.block + c % BLOCK,
                   to + c / BLOCK * job->target.block + c % BLOCK,
                   results && job->bias ? job->bias + c : NULL, results ? job->slope : NULL,
                   job->channels - c);
    }
}

#define TRANSFORMS(r)                                                                              \
    enum { SIDE_##r = TILE + r - 1 };                                                              \
    static void input_##r(const daub_winograd_job *job) {                                          \
        run(SIDE_##r, SIDE_##r, (matrix){bt##r, SIDE_##r, false}, PICTURE, BUFFER, 0, job);        \
    }                                                                                              \
    static void output_grad_##r(const daub_winograd_job *job) {                                    \
        run(TILE, SIDE_##r, (matrix){at##r, SIDE_##r, true}, PICTURE, BUFFER, 0, job);             \
    }                                                                                              \
    static void weight_##r(const daub_winograd_job *job) {                                         \
        run(r, SIDE_##r, (matrix){g##r, r, false}, PICTURE, BUFFER, 0, job);                       \
    }                                                                                              \
    static void output_##r(const daub_winograd_job *job) {                                         \
        run(SIDE_##r, TILE, (matrix){at##r, SIDE_##r, false}, BUFFER, PICTURE, 0, job);            \
    }                                                                                              \
    static void input_grad_##r(const daub_winograd_job *job) {                                     \
        run(SIDE_##r, SIDE_##r, (matrix){bt##r, SIDE_##r, true}, BUFFER, PICTURE, r - 1, job);     \
    }                                                                                              \
    static void weight_grad_##r(const daub_winograd_job *job) {                                    \
        run(SIDE_##r, r, (matrix){g##r, r, true}, BUFFER, PICTURE, r, job);                        \
    }
TRANSFORMS(2)
TRANSFORMS(3)

// ---- transposition
// --------------------------------------------------------------------------------

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef int four_int __attribute__((vector_size(16)));

INLINE void transpose_4x4(float *to, int64_t to_step, const float *from, int64_t from_step) {
    const four a = *(const four *)from, b = *(const four *)(from + from_step);
    const four c = *(const four *)(from + 2 * from_step), d = *(const four *)(from + 3 * from_step);
    const four_int low = {0, 4, 1, 5}, high = {2, 6, 3, 7};
    const four_int front = {0, 1, 4, 5}, back = {2, 3, 6, 7};
    const four ab0 = __builtin_shuffle(a, b, low), ab1 = __builtin_shuffle(a, b, high);
    const four cd0 = __builtin_shuffle(c, d, low), cd1 = __builtin_shuffle(c, d, high);
    *(four *)to = __builtin_shuffle(ab0, cd0, front);
    *(four *)(to + to_step) = __builtin_shuffle(ab0, cd0, back);
    *(four *)(to + 2 * to_step) = __builtin_shuffle(ab1, cd1, front);
    *(four *)(to + 3 * to_step) = __builtin_shuffle(ab1, cd1, back);
}

static void transpose(float *to, int64_t to_step, const float *from, int64_t from_step,
                      int64_t rows, int64_t columns) {
    const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (int64_t i = 0; i < whole_rows; i += 4)
        for (int64_t j = 0; j < whole_columns; j += 4)
            transpose_4x4(to + j * to_step + i, to_step, from + i * from_step + j, from_step);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = i < whole_rows ? whole_columns : 0; j < columns; j++)
            to[j * to_step + i] = from[i * from_step + j];
}

#define TABLE(r)                                                                                   \
    { input_##r, output_grad_##r, weight_##r, output_##r, input_grad_##r, weight_grad_##r }
const daub_winograd_kernels DAUB_KERNEL_TABLE(winograd) = {.taps = {TABLE(2), TABLE(3)},
                                                           .transpose = transpose};
