/* app/infer/row_element.h - exp, tanh, erf and the activations of one float32.
 *
 * Included after the target pragmas of each row_*.c. Polynomials are Taylor's or Chebyshev
 * fits over their range; results are within 2 units in the last place. Conditions are selections,
 * which vectorise. */
#ifndef WB_INFER_ROW_ELEMENT_H
#define WB_INFER_ROW_ELEMENT_H

#include "app/tensor/kernel_element.h"

/* e^x = 2^k e^r, |r| <= ln(2) / 2. 2^k is two factors, so that denormals round once and what is
 * too large becomes infinity. What is out of range is selected at the end: of a bound put in front,
 * compilers make one computation for each case. */
static inline float exp_float(float x)
{
    const float to_integer = 0x1.8p23f; /* adding it leaves the nearest integer in the low bits */
    float shifted = x * 0x1.715476p0f + to_integer, k = shifted - to_integer;
    float r = (x - k * 0x1.62ep-1f) - k * 0x1.0bfbe8p-15f;
    float p = 1.0f / 5040;
    uint32_t n = bits_of(shifted) - 0x4B400000u, half = (uint32_t)((int32_t)n >> 1);

    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    p = p * float_of((half + 127) << 23) * float_of((n - half + 127) << 23);
    p = x < -104.0f ? 0.0f : p;
    p = x > 89.0f ? float_of(F32_INF) : p;
    return x == x ? p : float_of(F32_NAN);
}

/* Of |x|: x + x^3 P(x^2), or 1 - 2 / (e^2|x| + 1) where that does not cancel. */
static inline float tanh_float(float x)
{
    float a = element_abs(x), t = x * x;
    float big = 1.0f - 2.0f / (exp_float(a + a) + 1.0f);
    float p = 0.002269501684f, r;

    p = p * t - 0.008323187058f;
    p = p * t + 0.021762502907f;
    p = p * t - 0.053958461627f;
    p = p * t + 0.133333001462f;
    p = p * t - 0.333333331494f;
    r = t < 0.39f ? a + a * t * p : big;
    r = float_of(bits_of(r) | (bits_of(x) & F32_SIGN));
    return x == x ? r : float_of(F32_NAN);
}

/* Of |x|: x P(x^2), or 1 - exp(-P(x)); beyond 4 it is 1. */
static inline float erf_float(float x)
{
    float a = element_abs(x), t = x * x;
    float p = 8.387074195e-05f, q = -1.643063683e-06f, big, r;

    p = p * t - 0.000814708124f;
    p = p * t + 0.005201456137f;
    p = p * t - 0.026859588921f;
    p = p * t + 0.112836994231f;
    p = p * t - 0.376126348973f;
    p = p * t + 0.128379225731f; /* the 1 in front of it is added last */
    q = q * a + 4.616385922e-05f;
    q = q * a - 5.975857493e-04f;
    q = q * a + 0.004762625787f;
    q = q * a - 0.026427637786f;
    q = q * a + 0.110087163746f;
    q = q * a + 0.631823897362f;
    q = q * a + 1.130231022835f;
    q = q * a - 3.185396490e-04f;
    big = 1.0f - exp_float(-q);
    big = a > 4.0f ? 1.0f : big;
    r = t < 0.82f ? a + a * p : big;
    r = float_of(bits_of(r) | (bits_of(x) & F32_SIGN));
    return x == x ? r : float_of(F32_NAN);
}

static inline float act_silu(float x)
{
    return quiet(x / (1.0f + exp_float(-x)));
}

static inline float act_gelu(float x)
{
    return quiet(0.5f * x * (1.0f + erf_float(x * 0.70710678118f)));
}

static inline float act_gelu_tanh(float x)
{
    return quiet(0.5f * x * (1.0f + tanh_float(0.79788456080f * (x + 0.044715f * (x * x * x)))));
}

static inline float act_quick_gelu(float x)
{
    return quiet(x / (1.0f + exp_float(-1.702f * x)));
}

static inline float act_relu(float x)
{
    return x < 0.0f ? 0.0f : quiet(x);
}

#endif
