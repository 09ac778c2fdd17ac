// Functions of one float without branches or calls, so that loops over them vectorise. About 2 ulp;
// NaN and infinities as in C's libm. Coefficients: Cephes (expf, logf).
// The including file must be compiled with -fno-associative-math: order matters here.
#ifndef DAUB_KERNEL_MATH_F32_H
#define DAUB_KERNEL_MATH_F32_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float float_of(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

// x = n ln 2 + r, |r| <= ln 2 / 2; returns n. |x| < 2^15.
static inline int32_t reduce_exp(float x, float *r) {
    const float magic = 0x1.8p23f; // adding it rounds to a whole number, found in the low bits
    float t = x * 1.44269504088896341f + magic;
    float n = t - magic;
    *r = x - n * 0.693359375f;
    *r = *r + n * 2.12194440e-4f;
    return (int32_t)(bits_of(t) - bits_of(magic));
}

// (e^r - 1 - r) / r^2
static inline float exp_tail(float r) {
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    return p * r + 5.0000001201e-1f;
}

static inline float two_to(int32_t n) {
    return float_of((uint32_t)(n + 127) << 23);
}

static inline float fast_exp(float x) {
    float r, c = x > 89.0f ? 89.0f : x < -104.0f ? -104.0f : x;
    int32_t n = reduce_exp(c, &r), half = n >> 1;
    float p = r * r * exp_tail(r) + r + 1.0f;
    return p * two_to(half) * two_to(n - half); // two steps reach denormals and infinity
}

// |x| <= 88
static inline float moderate_expm1(float x) {
    float r, s = two_to(reduce_exp(x, &r));
    float p = r * r * exp_tail(r) + r;
    return s * p + (s - 1.0f);
}

static inline float fast_expm1(float x) {
    float y = moderate_expm1(x > 88.0f ? 88.0f : x < -30.0f ? -30.0f : x);
    return x > 88.0f ? fast_exp(x) : y;
}

static inline float fast_log(float x) {
    float tiny = x < 0x1p-126f ? 1.0f : 0.0f;
    float v = tiny != 0 ? x * 0x1p23f : x;
    // v = 2^e m with m in [sqrt(1/2), sqrt(2))
    uint32_t shifted = bits_of(v) - 0x3f3504f3u;
    float e = (float)((int32_t)shifted >> 23) - 23.0f * tiny;
    float m = float_of((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f, z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = p * m * z - 2.12194440e-4f * e - 0.5f * z;
    y = m + y + 0.693359375f * e;
    y = x == 0 ? -INFINITY : y;
    y = x < 0 ? NAN : y;
    return x < INFINITY ? y : x; // infinity and NaN: themselves
}

static inline float fast_log1p(float x) {
    float u = 1.0f + x, lost = (u - 1.0f - x) / u;
    float y = fast_log(u);
    return u == 0 || !(u < INFINITY) ? y : y - lost;
}

static inline float fast_tanh(float x) {
    float a = fabsf(x);
    float e = moderate_expm1(a > 10.0f ? 20.0f : 2.0f * a);
    return copysignf(e / (e + 2.0f), x);
}

static inline float fast_sigmoid(float x) {
    float t = fast_exp(-fabsf(x));
    return (x < 0 ? t : 1.0f) / (1.0f + t);
}

static inline float fast_softplus(float x) {
    return (x < 0 ? 0.0f : x) + fast_log1p(fast_exp(-fabsf(x)));
}

#endif
