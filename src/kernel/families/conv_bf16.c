// Compiled for AVX-512-BF16 alone, together with conv.c.
#include "kernel/families/conv_bf16.h"

#include <immintrin.h>

#include "kernel/families/conv.h"
#include "kernel/kernel.h"

enum { LANES = 16 };

static __mmask16 first(int64_t count) {
    return (__mmask16)((1u << count) - 1);
}

static void one_run(const float *from, uint32_t *to, int64_t count) {
    for (; count >= 2 * LANES; count -= 2 * LANES, from += 2 * LANES, to += LANES)
        _mm512_storeu_si512(
            to, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + LANES), _mm512_loadu_ps(from)));
    if (!count) return;
    int64_t low = count < LANES ? count : LANES;
    __m512 a = _mm512_maskz_loadu_ps(first(low), from);
    __m512 b = _mm512_maskz_loadu_ps(first(count - low), from + low);
    _mm512_mask_storeu_epi32(to, first((count + 1) / 2), (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

static void within(const float *from, uint32_t *to, int64_t runs, int64_t run) {
    if (run % 2 == 0) { // no gaps: as good as one run
        one_run(from, to, runs * run);
    } else if (run < LANES) {
        const __mmask16 numbers = first(run), pairs = first((run + 1) / 2);
        for (; runs > 0; runs--, from += run, to += (run + 1) / 2)
            _mm256_mask_storeu_epi32(
                to, (__mmask8)pairs,
                (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(numbers, from)));
    } else {
        for (; runs > 0; runs--, from += run, to += (run + 1) / 2) one_run(from, to, run);
    }
}

static void between(const float *a, const float *b, uint32_t *to, int64_t count) {
    uint16_t order[2 * LANES]; // a0 b0 a1 b1 …
    for (int i = 0; i < 2 * LANES; i++) order[i] = (uint16_t)(i / 2 + i % 2 * LANES);
    const __m512i alternate = _mm512_loadu_si512(order);
    for (int64_t i = 0; i < count; i += LANES) {
        __mmask16 wanted = first(count - i < LANES ? count - i : LANES);
        __m512 low = _mm512_maskz_loadu_ps(wanted, a + i);
        __m512 high = b ? _mm512_maskz_loadu_ps(wanted, b + i) : _mm512_setzero_ps();
        __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        _mm512_mask_storeu_epi32(to + i, wanted, _mm512_permutexvar_epi16(alternate, pairs));
    }
}

extern const daub_conv_kernels DAUB_KERNEL_TABLE(conv);
const daub_conv_bf16_kernels DAUB_KERNEL_TABLE(conv_bf16) = {
    .products = &DAUB_KERNEL_TABLE(conv), .within = within, .between = between};
