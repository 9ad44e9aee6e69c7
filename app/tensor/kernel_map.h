/* app/tensor/kernel_map.h - kernels that are one loop over independent elements.
 *
 * The includer defines EACH(i, n), a loop whose iterations the compiler may reorder (out may be x),
 * and CALL_EACH(i, n), the same around calls that do not vectorise. These loops become vector code
 * by the compiler's hand in every table but the scalar one. */
#ifndef WB_TENSOR_KERNEL_MAP_H
#define WB_TENSOR_KERNEL_MAP_H

#include "app/tensor/kernel_element.h"

#define BLOCK 256 /* elements between one loop and the next over the same ones */

/* --- dtypes ---------------------------------------------------------------------------------- */

#define WIDEN(name, load)                                           \
    static void widen_##name(size_t n, const void *src, float *out) \
    {                                                               \
        EACH(i, n)                                                  \
        out[i] = decode_##name(load(src, i));                       \
    }
#define NARROW(name, store)                                        \
    static void narrow_##name(size_t n, const float *x, void *dst) \
    {                                                              \
        EACH(i, n)                                                 \
        store(dst, i, encode_##name(x[i]));                        \
    }
#define CONVERT(name, load, store) \
    WIDEN(name, load)              \
    NARROW(name, store)

WIDEN(bf16, load16)
#ifndef HAVE_NARROW_BF16 /* where a table has it by hand: compilers pack badly */
NARROW(bf16, store16)
#endif
CONVERT(e5m2, load8, store8)
CONVERT(e4m3, load8, store8)

static void widen_f32(size_t n, const void *src, float *out)
{
    if (n != 0 && src != out)
        memcpy(out, src, n * sizeof *out);
}

static void narrow_f32(size_t n, const float *x, void *dst)
{
    if (n != 0 && dst != x)
        memcpy(dst, x, n * sizeof *x);
}

static void widen_f64(size_t n, const void *src, float *out)
{
    EACH(i, n)
    {
        double v;

        memcpy(&v, (const char *)src + i * sizeof v, sizeof v);
        out[i] = (float)v;
    }
}

static void narrow_f64(size_t n, const float *x, void *dst)
{
    EACH(i, n)
    {
        double v = (double)x[i];

        memcpy((char *)dst + i * sizeof v, &v, sizeof v);
    }
}

/* --- f(x), f(x, y) --------------------------------------------------------------------------- */

#define UNARY(name, each)                                          \
    static void unary_##name(size_t n, const float *x, float *out) \
    {                                                              \
        each(i, n) out[i] = element_##name(x[i]);                  \
    }

UNARY(neg, EACH)
UNARY(abs, EACH)
UNARY(sign, EACH)
UNARY(exp, EACH)
UNARY(log, EACH)
UNARY(sin, CALL_EACH)
UNARY(cos, CALL_EACH)
UNARY(acos, CALL_EACH)
UNARY(tanh, EACH)
UNARY(floor, EACH)
UNARY(recip, EACH)
UNARY(is_finite, EACH)
UNARY(is_nan, EACH)

#define BINARY(name, each)                                                          \
    static void binary_##name(size_t n, const float *x, const float *y, float *out) \
    {                                                                               \
        each(i, n) out[i] = element_##name(x[i], y[i]);                             \
    }                                                                               \
    static void vs_##name(size_t n, const float *x, float y, float *out)            \
    {                                                                               \
        each(i, n) out[i] = element_##name(x[i], y);                                \
    }                                                                               \
    static void sv_##name(size_t n, float x, const float *y, float *out)            \
    {                                                                               \
        each(i, n) out[i] = element_##name(x, y[i]);                                \
    }

BINARY(add, EACH)
BINARY(sub, EACH)
BINARY(mul, EACH)
BINARY(div, EACH)
BINARY(min, EACH)
BINARY(max, EACH)
BINARY(pow, CALL_EACH)
BINARY(gt, EACH)
BINARY(lt, EACH)
BINARY(ge, EACH)
BINARY(le, EACH)
BINARY(eq, EACH)
BINARY(ne, EACH)

/* --- the rest of the element-wise kernels ---------------------------------------------------- */

static void fill(size_t n, float value, float *out)
{
    EACH(i, n)
    out[i] = value;
}

static void fma_vv(size_t n, const float *x, const float *y, const float *z, float *out)
{
    EACH(i, n)
    out[i] = quiet(fmaf(x[i], y[i], z[i]));
}

static void fma_vs(size_t n, const float *x, float a, const float *z, float *out)
{
    EACH(i, n)
    out[i] = quiet(fmaf(x[i], a, z[i]));
}

static void where(size_t n, const float *mask, const float *a, const float *b, float *out)
{
    EACH(i, n)
    {
        uint32_t yes = bits_of(a[i]), no = bits_of(b[i]);

        out[i] = float_of(bits_of(mask[i]) << 1 != 0 ? yes : no);
    }
}

static void lerp(size_t n, const float *x, const float *y, float w, float *out)
{
    if (w < 0.5f) {
        EACH(i, n)
        {
            float r = quiet(fmaf(w, y[i] - x[i], x[i]));

            out[i] = x[i] == y[i] ? x[i] : r;
        }
    } else {
        EACH(i, n)
        {
            float r = quiet(fmaf(w - 1.0f, y[i] - x[i], y[i]));

            out[i] = x[i] == y[i] ? x[i] : r;
        }
    }
}

static void clamp(size_t n, const float *x, float low, float high, float *out)
{
    EACH(i, n)
    out[i] = quiet(x[i] < low ? low : x[i] > high ? high : x[i]);
}

static void nan_to(size_t n, const float *x, float value, float *out)
{
    EACH(i, n)
    out[i] = (bits_of(x[i]) & ~F32_SIGN) < F32_INF ? x[i] : value;
}

/* --- random numbers -------------------------------------------------------------------------- */

static void uniform(size_t n, uint64_t stream, uint64_t first, float *out)
{
    EACH(i, n)
    out[i] = (float)(int32_t)(splitmix64(stream + first + i) >> 40) * 0x1p-24f;
}

/* u < p for u = k 2^-53 exactly when k < ceil(p 2^53): scaling by a power of two is exact. */
static void bernoulli(size_t n, uint64_t stream, uint64_t first, double p, float *out)
{
    double scaled = p >= 1.0 ? 0x1p53 : p > 0.0 ? ceil(p * 0x1p53) : 0.0;
    int64_t below = (int64_t)scaled;

    EACH(i, n)
    out[i] = (int64_t)(splitmix64(stream + first + i) >> 11) < below ? 1.0f : 0.0f;
}

/* Box-Muller in double. sqrt has its own loop: for its errno, compilers do not vectorise it. */
static void normal(size_t n, uint64_t stream, uint64_t first, float *out)
{
    double radius[BLOCK], wave[BLOCK];

    for (size_t start = 0; start < n; start += BLOCK) {
        size_t len = n - start < BLOCK ? n - start : BLOCK;

        EACH(i, len)
        {
            uint64_t index = 2 * (first + start + i);

            radius[i] = -2.0 * log_double(1.0 - fraction(splitmix64(stream + index)));
            wave[i] = cos_turn(fraction(splitmix64(stream + index + 1)));
        }
        CALL_EACH(i, len)
        out[start + i] = (float)(sqrt(radius[i]) * wave[i]);
    }
}

/* --- columns --------------------------------------------------------------------------------- */

static void column_sum(size_t n, const float *x, double *acc)
{
    EACH(i, n)
    acc[i] = quiet_double(acc[i] + (double)x[i]);
}

static void column_sum_squares(size_t n, const float *x, double *acc)
{
    EACH(i, n)
    acc[i] = quiet_double(acc[i] + (double)x[i] * (double)x[i]);
}

static void column_sum_abs(size_t n, const float *x, double *acc)
{
    EACH(i, n)
    acc[i] = quiet_double(acc[i] + (double)element_abs(x[i]));
}

static void column_dot(size_t n, const float *x, const float *y, double *acc)
{
    EACH(i, n)
    acc[i] = quiet_double(acc[i] + (double)x[i] * (double)y[i]);
}

/* --- integer reductions: any order gives the same -------------------------------------------- */

static uint64_t count_nonzero(size_t n, const float *x)
{
    uint64_t count = 0;

    for (size_t start = 0; start < n; start += BLOCK) {
        size_t len = n - start < BLOCK ? n - start : BLOCK;
        uint32_t part = 0;

        EACH(i, len)
        part += bits_of(x[start + i]) << 1 != 0;
        count += part;
    }
    return count;
}

/* Keys in the order of the numbers, as signed integers, -0 below +0; its own inverse. */
static inline int32_t ordered(int32_t v)
{
    return v ^ (v < 0 ? INT32_MAX : 0);
}

/* A zero is +0, whichever came. */
static float extreme(int32_t key, uint32_t absmax_bits)
{
    return absmax_bits > F32_INF ? float_of(F32_NAN) : float_of((uint32_t)ordered(key)) + 0.0f;
}

static void min(size_t n, const float *x, float *running)
{
    int32_t least = ordered((int32_t)bits_of(*running));
    uint32_t most = bits_of(*running) & ~F32_SIGN;

    EACH(i, n)
    {
        int32_t key = ordered((int32_t)bits_of(x[i]));
        uint32_t magnitude = bits_of(x[i]) & ~F32_SIGN;

        least = key < least ? key : least;
        most = magnitude > most ? magnitude : most;
    }
    *running = extreme(least, most);
}

static void max(size_t n, const float *x, float *running)
{
    int32_t greatest = ordered((int32_t)bits_of(*running));
    uint32_t most = bits_of(*running) & ~F32_SIGN;

    EACH(i, n)
    {
        int32_t key = ordered((int32_t)bits_of(x[i]));
        uint32_t magnitude = bits_of(x[i]) & ~F32_SIGN;

        greatest = key > greatest ? key : greatest;
        most = magnitude > most ? magnitude : most;
    }
    *running = extreme(greatest, most);
}

static void absmax(size_t n, const float *x, float *running)
{
    uint32_t most = bits_of(*running) & ~F32_SIGN;

    EACH(i, n)
    {
        uint32_t magnitude = bits_of(x[i]) & ~F32_SIGN;

        most = magnitude > most ? magnitude : most;
    }
    *running = quiet(float_of(most)); /* as an integer, a NaN is above infinity */
}

static size_t first_nonfinite(size_t n, const float *x)
{
    for (size_t start = 0; start < n; start += BLOCK) {
        size_t len = n - start < BLOCK ? n - start : BLOCK;
        uint32_t most = 0;

        EACH(i, len)
        {
            uint32_t magnitude = bits_of(x[start + i]) & ~F32_SIGN;

            most = magnitude > most ? magnitude : most;
        }
        for (size_t i = 0; most >= F32_INF && i < len; i++)
            if (!is_finite(x[start + i]))
                return start + i;
    }
    return n;
}

/* --- selection masks ------------------------------------------------------------------------- */

/* How many of the n elements from `first` on may be ties: those up to last_tie. */
static size_t tie_count(size_t n, uint64_t first, uint64_t last_tie)
{
    if (last_tie < first)
        return 0;
    return last_tie - first >= n ? n : (size_t)(last_tie - first) + 1;
}

#define TOPMASK(name, key)                                                         \
    static void name(size_t n, const float *x, uint32_t threshold, uint64_t first, \
                     uint64_t last_tie, float *out)                                \
    {                                                                              \
        size_t ties = tie_count(n, first, last_tie);                               \
                                                                                   \
        EACH(i, ties)                                                              \
        out[i] = key(x[i]) >= threshold ? 1.0f : 0.0f;                             \
        x += ties;                                                                 \
        out += ties;                                                               \
        n -= ties;                                                                 \
        EACH(i, n)                                                                 \
        out[i] = key(x[i]) > threshold ? 1.0f : 0.0f;                              \
    }

TOPMASK(topmask_abs, wb_key_abs)
TOPMASK(topmask_signed, key_by_value)

#endif
