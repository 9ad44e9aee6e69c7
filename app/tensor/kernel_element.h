/* app/tensor/kernel_element.h - what every kernel does with one element: the definitions.
 *
 * Included by each kernel_*.c after its target pragmas, so that the compiler may inline and
 * vectorise for that target. Plain IEEE operations in a fixed order, nothing fused but fmaf: that
 * is why every table gives the same bits. Conditions are written as selections, which vectorise to
 * blends. */
#ifndef WB_TENSOR_KERNEL_ELEMENT_H
#define WB_TENSOR_KERNEL_ELEMENT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "app/tensor/kernels.h"

#define F32_SIGN 0x80000000u
#define F32_INF 0x7F800000u
#define F32_NAN 0x7FC00000u
#define F64_NAN 0x7FF8000000000000u

static inline uint32_t bits_of(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float float_of(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static inline uint64_t bits_of_double(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static inline double double_of(uint64_t u)
{
    double x;

    memcpy(&x, &u, sizeof x);
    return x;
}

/* Whose payload a NaN inherits depends on the instruction the compiler picked: there is one NaN. */
static inline float quiet(float r)
{
    return r == r ? r : float_of(F32_NAN);
}

static inline double quiet_double(double r)
{
    return r == r ? r : double_of(F64_NAN);
}

static inline bool is_finite(float x)
{
    return (bits_of(x) & ~F32_SIGN) < F32_INF;
}

/* --- dtypes ---------------------------------------------------------------------------------- */

/* Packed elements have any alignment. */
static inline uint32_t load8(const void *src, size_t i)
{
    return ((const uint8_t *)src)[i];
}

static inline uint32_t load16(const void *src, size_t i)
{
    uint16_t v;

    memcpy(&v, (const char *)src + 2 * i, sizeof v);
    return v;
}

static inline void store8(void *dst, size_t i, uint32_t code)
{
    ((uint8_t *)dst)[i] = (uint8_t)code;
}

static inline void store16(void *dst, size_t i, uint32_t code)
{
    uint16_t v = (uint16_t)code;

    memcpy((char *)dst + 2 * i, &v, sizeof v);
}

/* An IEEE-like format: sign, exponent, `mantissa` bits, in `width` bits. Subnormals go through the
 * integer, so that no float32 denormal is an operand (some processors take a trap for those). */
static inline float decode_small(uint32_t code, int width, int mantissa, int bias)
{
    uint32_t sign = code >> (width - 1) << 31, magnitude = code & ((1u << (width - 1)) - 1);
    uint32_t normal = (magnitude << (23 - mantissa)) + ((uint32_t)(127 - bias) << 23);
    float unit = float_of((uint32_t)(127 + 1 - bias - mantissa) << 23); /* the least subnormal */
    uint32_t subnormal = bits_of((float)(int32_t)magnitude * unit);

    return float_of(sign | (magnitude < 1u << mantissa ? subnormal : normal));
}

static inline float decode_ieee(uint32_t code, int width, int mantissa, int bias)
{
    uint32_t sign = code >> (width - 1) << 31, magnitude = code & ((1u << (width - 1)) - 1);
    uint32_t inf = ((1u << (width - 1 - mantissa)) - 1) << mantissa;
    uint32_t special =
        sign | F32_INF | magnitude << (23 - mantissa) | (magnitude > inf ? F32_NAN : 0);
    float number = decode_small(code, width, mantissa, bias);

    return magnitude >= inf ? float_of(special) : number;
}

/* |x| as a code, without a bound on the exponent. Adding 2^(23 + exponent of the least subnormal)
 * leaves a subnormal's code in the low bits, rounded to nearest even by the addition itself. */
static inline uint32_t encode_small(uint32_t magnitude, int mantissa, int bias)
{
    int shift = 23 - mantissa;
    uint32_t normal = (magnitude + (1u << (shift - 1)) - 1 + ((magnitude >> shift) & 1)) >> shift;
    uint32_t magic = (uint32_t)(127 + 1 - bias - mantissa + 23) << 23;
    uint32_t subnormal = bits_of(float_of(magnitude) + float_of(magic)) - magic;

    return magnitude < (uint32_t)(127 + 1 - bias) << 23
               ? subnormal
               : normal - ((uint32_t)(127 - bias) << mantissa);
}

static inline uint32_t encode_ieee(float x, int width, int mantissa, int bias)
{
    uint32_t magnitude = bits_of(x) & ~F32_SIGN, sign = bits_of(x) >> 31 << (width - 1);
    uint32_t inf = ((1u << (width - 1 - mantissa)) - 1) << mantissa;
    uint32_t number = encode_small(magnitude, mantissa, bias);
    uint32_t nan = inf | 1u << (mantissa - 1) | ((magnitude & 0x7FFFFFu) >> (23 - mantissa));

    number = number > inf ? inf : number;
    return sign | (magnitude > F32_INF ? nan : number);
}

static inline float decode_bf16(uint32_t code)
{
    return float_of(code << 16);
}

static inline uint32_t encode_bf16(float x)
{
    uint32_t u = bits_of(x), rounded = (u + 0x7FFFu + ((u >> 16) & 1)) >> 16;

    return (u & ~F32_SIGN) > F32_INF ? u >> 16 | 0x40u : rounded;
}

static inline float decode_f16(uint32_t code)
{
    return decode_ieee(code, 16, 10, 15);
}

static inline uint32_t encode_f16(float x)
{
    return encode_ieee(x, 16, 10, 15);
}

static inline float decode_e5m2(uint32_t code)
{
    return decode_ieee(code, 8, 2, 15);
}

static inline uint32_t encode_e5m2(float x)
{
    return encode_ieee(x, 8, 2, 15);
}

static inline float decode_e4m3(uint32_t code)
{
    float number = decode_small(code, 8, 3, 7);

    return (code & 0x7Fu) == 0x7Fu ? float_of(code >> 7 << 31 | F32_NAN) : number;
}

static inline uint32_t encode_e4m3(float x)
{
    uint32_t magnitude = bits_of(x) & ~F32_SIGN, number = encode_small(magnitude, 3, 7);

    /* 464 lies half way between 448, the largest number, and the code of NaN; it rounds to 448 */
    return bits_of(x) >> 31 << 7 | (magnitude > bits_of(464.0f) ? 0x7Fu : number);
}

/* wb_key_signed without a branch. */
static inline uint32_t key_by_value(float x)
{
    int32_t v = (int32_t)bits_of(x + 0.0f);

    return (uint32_t)(v ^ (v < 0 ? -1 : INT32_MIN));
}

/* --- f(x) ------------------------------------------------------------------------------------ */

static inline float element_neg(float x)
{
    return float_of(bits_of(x) ^ F32_SIGN);
}

static inline float element_abs(float x)
{
    return float_of(bits_of(x) & ~F32_SIGN);
}

static inline float element_sign(float x)
{
    float r = x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;

    return x == x ? r : float_of(F32_NAN);
}

static inline float element_sqrt(float x)
{
    return quiet(sqrtf(x));
}

static inline float element_sin(float x)
{
    return quiet((float)sin((double)x));
}

static inline float element_cos(float x)
{
    return quiet((float)cos((double)x));
}

static inline float element_acos(float x)
{
    return quiet((float)acos((double)x));
}

static inline float element_floor(float x)
{
    return quiet(floorf(x));
}

static inline float element_recip(float x)
{
    return quiet(1.0f / x);
}

static inline float element_is_finite(float x)
{
    return (bits_of(x) & ~F32_SIGN) < F32_INF ? 1.0f : 0.0f;
}

static inline float element_is_nan(float x)
{
    return x == x ? 0.0f : 1.0f;
}

/* e^x = 2^k e^r, |r| <= ln(2) / 2. The float32 range needs no more than [-104, 89]. */
static inline double exp_double(double x)
{
    const double to_integer = 0x1.8p52; /* adding it leaves the nearest integer in the low bits */
    double y = x < -104.0 ? -104.0 : x > 89.0 ? 89.0 : x;
    double shifted = y * 0x1.71547652b82fep0 + to_integer;
    double k = shifted - to_integer;
    double r = (y - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
    double p = 1.0 / 39916800;

    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return p * double_of((bits_of_double(shifted) + 1023) << 52);
}

static inline float element_exp(float x)
{
    float r = (float)exp_double((double)x);

    return x == x ? r : float_of(F32_NAN);
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh((m - 1) / (m + 1)). float32 denormals
 * are normal numbers in double. */
static inline double log_double(double x)
{
    const uint64_t half = 0x3FE6A09E667F3BCDu; /* sqrt(1/2) */
    const double to_double = 0x1.8p52;
    uint64_t shifted = bits_of_double(x) - half;
    double m = double_of((shifted & 0xFFFFFFFFFFFFFu) + half);
    /* the exponent, from -1022 on, as a double without a 64-bit conversion */
    double k = double_of(bits_of_double(to_double) + ((shifted + (1024ull << 52)) >> 52)) -
               to_double - 1024.0;
    double s = (m - 1.0) / (m + 1.0), s2 = s * s, p = 2.0 / 19;

    p = p * s2 + 2.0 / 17;
    p = p * s2 + 2.0 / 15;
    p = p * s2 + 2.0 / 13;
    p = p * s2 + 2.0 / 11;
    p = p * s2 + 2.0 / 9;
    p = p * s2 + 2.0 / 7;
    p = p * s2 + 2.0 / 5;
    p = p * s2 + 2.0 / 3;
    p = p * s2 + 2.0;
    return k * 0x1.62e42fefa39efp-1 + s * p;
}

static inline float element_log(float x)
{
    float r = (float)log_double((double)x);

    r = x == 0.0f ? float_of(F32_INF | F32_SIGN) : r;
    r = x > 0.0f || x == 0.0f ? r : float_of(F32_NAN);
    return bits_of(x) == F32_INF ? x : r;
}

/* (e^2x - 1) / (e^2x + 1), and the series where that would cancel. */
static inline float element_tanh(float x)
{
    double y = (double)x, y2 = y * y, e = exp_double(y + y), p = -1382.0 / 155925;
    double big = (e - 1.0) / (e + 1.0);
    double r;

    p = p * y2 + 62.0 / 2835;
    p = p * y2 - 17.0 / 315;
    p = p * y2 + 2.0 / 15;
    p = p * y2 - 1.0 / 3;
    r = y2 < 0x1p-10 ? y * (1.0 + y2 * p) : big; /* keeps -0 */
    return x == x ? (float)r : float_of(F32_NAN);
}

/* x times 1 or 0 by its bits: a NaN is made quiet, infinity times 0 is one, all else keeps its sign. */
static inline float keep_or_zero(float x, bool keep)
{
    uint32_t b = bits_of(x), key = b & ~F32_SIGN;
    uint32_t zero = key < F32_INF ? b & F32_SIGN : F32_NAN;
    uint32_t kept = key > F32_INF ? F32_NAN : b;

    return float_of(keep ? kept : zero);
}

/* --- f(x, y) --------------------------------------------------------------------------------- */

static inline float element_add(float x, float y)
{
    return quiet(x + y);
}

static inline float element_sub(float x, float y)
{
    return quiet(x - y);
}

static inline float element_mul(float x, float y)
{
    return quiet(x * y);
}

static inline float element_div(float x, float y)
{
    return quiet(x / y);
}

/* -0 < +0, so that min and max commute: equal numbers differ in the sign bit at most. */
static inline float element_min(float x, float y)
{
    float equal = x == y ? float_of(bits_of(x) | bits_of(y)) : float_of(F32_NAN);

    return x < y ? x : y < x ? y : equal;
}

static inline float element_max(float x, float y)
{
    float equal = x == y ? float_of(bits_of(x) & bits_of(y)) : float_of(F32_NAN);

    return x > y ? x : y > x ? y : equal;
}

static inline float element_pow(float x, float y)
{
    return quiet((float)pow((double)x, (double)y));
}

static inline float element_gt(float x, float y)
{
    return x > y ? 1.0f : 0.0f;
}

static inline float element_lt(float x, float y)
{
    return x < y ? 1.0f : 0.0f;
}

static inline float element_ge(float x, float y)
{
    return x >= y ? 1.0f : 0.0f;
}

static inline float element_le(float x, float y)
{
    return x <= y ? 1.0f : 0.0f;
}

static inline float element_eq(float x, float y)
{
    return x == y ? 1.0f : 0.0f;
}

/* A comparison like the others: 0 with NaN, unlike C's. */
static inline float element_ne(float x, float y)
{
    return x < y || x > y ? 1.0f : 0.0f;
}

/* --- random numbers -------------------------------------------------------------------------- */

static inline uint64_t splitmix64(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* [0, 1) in steps of 2^-52. */
static inline double fraction(uint64_t z)
{
    return double_of(0x3FF0000000000000u | z >> 12) - 1.0;
}

/* cos(2 pi u), u in [0, 1): quarter turns, and a rest of at most an eighth. */
static inline double cos_turn(double u)
{
    const double to_integer = 0x1.8p52;
    double shifted = u * 4.0 + to_integer,
           t = (u * 4.0 - (shifted - to_integer)) * 1.5707963267948966;
    uint64_t quarter = bits_of_double(shifted), sign = ((quarter + 1) & 2) << 62;
    double t2 = t * t, c = 1.0 / 479001600, s = 1.0 / 6227020800;

    c = c * t2 - 1.0 / 3628800;
    c = c * t2 + 1.0 / 40320;
    c = c * t2 - 1.0 / 720;
    c = c * t2 + 1.0 / 24;
    c = c * t2 - 0.5;
    c = c * t2 + 1.0;
    s = s * t2 - 1.0 / 39916800;
    s = s * t2 + 1.0 / 362880;
    s = s * t2 - 1.0 / 5040;
    s = s * t2 + 1.0 / 120;
    s = s * t2 - 1.0 / 6;
    s = (s * t2 + 1.0) * t;
    return double_of(bits_of_double((quarter & 1) != 0 ? s : c) ^ sign);
}

#endif
