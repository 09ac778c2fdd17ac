#include "kernel/families/random.h"

#include <string.h>

#include "kernel/families/math_f32.h"
#include "kernel/kernel.h"

enum { LANES = 64 }; // blocks made together: enough to keep these loops from being unrolled
#define EACH_LANE for (int i = 0; i < LANES; i++)

// Philox4x32-10, as daub_philox: number k of the blocks from `block` on.
static inline __attribute__((always_inline)) void make_blocks(uint32_t r[4][LANES], uint64_t key,
                                                              uint64_t block) {
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    EACH_LANE {
        c0[i] = (uint32_t)(block + (uint64_t)i);
        c1[i] = (uint32_t)((block + (uint64_t)i) >> 32);
        c2[i] = c3[i] = 0;
    }
    for (int round = 0; round < 10; round++) {
        EACH_LANE {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)p1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    EACH_LANE r[0][i] = c0[i], r[1][i] = c1[i], r[2][i] = c2[i], r[3][i] = c3[i];
}

static inline float unit(uint32_t r) {
    return (float)(int32_t)(r >> 8) * 0x1p-24f;
}

static inline void uniform_of(float v[4][LANES], uint32_t r[4][LANES]) {
    for (int k = 0; k < 4; k++) EACH_LANE v[k][i] = unit(r[k][i]);
}

// radius (cos, sin) of 2 pi u, found from the nearest quarter turn.
static inline void turn(float radius, float u, float *x, float *y) {
    int32_t quarter = (int32_t)(4 * u + 0.5f);
    float a = (4 * u - (float)quarter) * 1.57079632679f, z = a * a;
    float s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * a + a;
    float c =
        ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z -
        0.5f * z + 1;
    float along = quarter & 1 ? s : c, across = quarter & 1 ? c : s;
    *x = radius * ((quarter + 1) & 2 ? -along : along);
    *y = radius * (quarter & 2 ? -across : across);
}

static inline void normal_of(float v[4][LANES], uint32_t r[4][LANES]) {
    for (int k = 0; k < 4; k += 2) {
        EACH_LANE {
            float radius = sqrtf(-2 * fast_log(unit(r[k][i]) + 0x1p-24f));
            turn(radius, unit(r[k + 1][i]), &v[k][i], &v[k + 1][i]);
        }
    }
}

#define FILL(name)                                                                                 \
    static void name(float *out, uint64_t key, uint64_t block, int64_t blocks) {                   \
        for (int64_t b = 0; b < blocks; b += LANES, block += LANES) {                              \
            uint32_t r[4][LANES];                                                                  \
            float v[4][LANES], rows[LANES][4];                                                     \
            make_blocks(r, key, block);                                                            \
            name##_of(v, r);                                                                       \
            EACH_LANE {                                                                            \
                rows[i][0] = v[0][i], rows[i][1] = v[1][i];                                        \
                rows[i][2] = v[2][i], rows[i][3] = v[3][i];                                        \
            }                                                                                      \
            int64_t n = blocks - b < LANES ? blocks - b : LANES;                                   \
            memcpy(out + 4 * b, rows, (size_t)n * sizeof rows[0]);                                 \
        }                                                                                          \
    }
FILL(uniform)
FILL(normal)

const daub_random_kernels DAUB_KERNEL_TABLE(random) = {.uniform = uniform, .normal = normal};
