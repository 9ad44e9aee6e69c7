/* app/tensor/kernel_fused.h - kernels that follow each other often, in one loop: the same bits
 * as one after the other.
 *
 * Each intermediate result is rounded and its NaN made quiet as the single kernels do. */
#ifndef WB_TENSOR_KERNEL_FUSED_H
#define WB_TENSOR_KERNEL_FUSED_H

#include "app/tensor/kernel_map.h"

static void widen_sub_bf16(size_t n, const void *src, const float *y, float *out)
{
    EACH(i, n)
    out[i] = element_sub(decode_bf16(load16(src, i)), y[i]);
}

static void widen_sub_fma_bf16(size_t n, const void *src, const float *y, float a, const float *z,
                               float *out)
{
    EACH(i, n)
    out[i] = quiet(fmaf(element_sub(decode_bf16(load16(src, i)), y[i]), a, z[i]));
}

static void sub_widen_bf16(size_t n, const float *x, const void *src, float *out)
{
    EACH(i, n)
    out[i] = element_sub(x[i], decode_bf16(load16(src, i)));
}

static void sub_widen_fma_bf16(size_t n, const float *x, const void *src, float a, const float *z,
                               float *out)
{
    EACH(i, n)
    out[i] = quiet(fmaf(element_sub(x[i], decode_bf16(load16(src, i))), a, z[i]));
}

/* Against anything but -0 the equal case of max is `low` itself. */
static void mul_max(size_t n, const float *x, const float *y, float low, float *out)
{
    if (bits_of(low) == F32_SIGN || low != low) {
        EACH(i, n)
        out[i] = element_max(element_mul(x[i], y[i]), low);
        return;
    }
    EACH(i, n)
    {
        float v = x[i] * y[i];
        float r = v > low ? v : low;

        out[i] = v == v ? r : float_of(F32_NAN);
    }
}

static void add_gt(size_t n, const float *z, const float *x, float y, float *out)
{
    EACH(i, n)
    out[i] = element_add(z[i], element_gt(x[i], y));
}

#define TOPKEEP(name, key)                                                         \
    static void name(size_t n, const float *x, uint32_t threshold, uint64_t first, \
                     uint64_t last_tie, float *out)                                \
    {                                                                              \
        size_t ties = tie_count(n, first, last_tie);                               \
                                                                                   \
        EACH(i, ties)                                                              \
        out[i] = keep_or_zero(x[i], key(x[i]) >= threshold);                       \
        x += ties;                                                                 \
        out += ties;                                                               \
        n -= ties;                                                                 \
        EACH(i, n)                                                                 \
        out[i] = keep_or_zero(x[i], key(x[i]) > threshold);                        \
    }

TOPKEEP(topkeep_abs, wb_key_abs)
TOPKEEP(topkeep_signed, key_by_value)

/* A difference of which the largest magnitudes are kept. */
#ifndef HAVE_WIDEN_SUB_TOPKEEP
static void widen_sub_topkeep_bf16(size_t n, const void *src, const float *y, uint32_t threshold,
                                   uint64_t first, uint64_t last_tie, float *out)
{
    size_t ties = tie_count(n, first, last_tie);
    const char *p = src;

    EACH(i, ties)
    {
        float d = decode_bf16(load16(p, i)) - y[i];

        out[i] = keep_or_zero(d, wb_key_abs(quiet(d)) >= threshold);
    }
    p += 2 * ties;
    y += ties;
    out += ties;
    n -= ties;
    EACH(i, n)
    {
        float d = decode_bf16(load16(p, i)) - y[i];

        out[i] = keep_or_zero(d, wb_key_abs(quiet(d)) > threshold);
    }
}
#endif

/* The number of operands is a constant of each loop, so that it vectorises. */
#define OF_MANY(loop, k) \
    switch (k) {         \
    case 1:              \
        loop(1) break;   \
    case 2:              \
        loop(2) break;   \
    case 3:              \
        loop(3) break;   \
    case 4:              \
        loop(4) break;   \
    case 5:              \
        loop(5) break;   \
    case 6:              \
        loop(6) break;   \
    case 7:              \
        loop(7) break;   \
    default:             \
        loop(8) break;   \
    }

/* A NaN stays one from sum to sum, so it is made quiet once. */
static void sum_of(size_t n, size_t k, const float *const *x, float *out)
{
#define LOOP(count)                       \
    EACH(i, n)                            \
    {                                     \
        float total = x[0][i];            \
                                          \
        for (int j = 1; j < (count); j++) \
            total += x[j][i];             \
        out[i] = quiet(total);            \
    }
    OF_MANY(LOOP, k)
#undef LOOP
}

/* max(v, low) but for the sign of a zero, for a low that is no NaN; a NaN stays as it is. */
static inline float at_least(float v, float low)
{
    return low > v ? low : v;
}

/* low is not -0. With +0 no zero is negative, which shows in the sum of such zeros alone. */
static void tally(size_t n, size_t k, const float *const *x, const float *y, float low, float than,
                  float *sum, float *above)
{
    const float start = low == 0.0f ? 0.0f : -0.0f; /* -0 + x is x */

#define LOOP(count)                                  \
    EACH(i, n)                                       \
    {                                                \
        float first = at_least(x[0][i] * y[i], low); \
        float total = start + first;                 \
        int number = first > than;                   \
                                                     \
        for (int j = 1; j < (count); j++) {          \
            float v = at_least(x[j][i] * y[i], low); \
                                                     \
            total += v;                              \
            number += v > than;                      \
        }                                            \
        sum[i] = quiet(total);                       \
        above[i] = (float)number;                    \
    }
    OF_MANY(LOOP, k)
#undef LOOP
}

static void mul_div_max(size_t n, const float *x, const float *y, const float *z, float low,
                        float *out)
{
    if (low > 0.0f) { /* zeros apart */
        EACH(i, n)
        out[i] = quiet(x[i] * y[i] / at_least(z[i], low));
        return;
    }
    EACH(i, n)
    out[i] = element_div(element_mul(x[i], y[i]), element_max(z[i], low));
}

#define STEP(name)                                                                              \
    static void step_##name(size_t n, const float *x, float y, float yes, float no, float *out) \
    {                                                                                           \
        EACH(i, n)                                                                              \
        out[i] = element_##name(x[i], y) != 0.0f ? yes : no;                                    \
    }

STEP(gt)
STEP(lt)
STEP(ge)
STEP(le)
STEP(eq)
STEP(ne)
#undef STEP

#ifndef HAVE_FMA_NARROW_BF16
static void fma_narrow_bf16(size_t n, const float *x, float a, const float *z, void *dst)
{
    EACH(i, n)
    store16(dst, i, encode_bf16(quiet(fmaf(x[i], a, z[i]))));
}

static void widen_sub_fma_narrow_bf16(size_t n, const void *src, const float *y, float a,
                                      const float *z, void *dst)
{
    EACH(i, n)
    store16(dst, i, encode_bf16(quiet(fmaf(decode_bf16(load16(src, i)) - y[i], a, z[i]))));
}

static void sub_widen_fma_narrow_bf16(size_t n, const float *x, const void *src, float a,
                                      const float *z, void *dst)
{
    EACH(i, n)
    store16(dst, i, encode_bf16(quiet(fmaf(x[i] - decode_bf16(load16(src, i)), a, z[i]))));
}
#endif

/* Through a block that stays in the first-level cache, where a table has nothing better. */
#ifndef HAVE_WIDEN_SUB_BRACKET
static size_t widen_sub_bracket_bf16(size_t n, const void *src, const float *y, uint32_t low,
                                     uint32_t high, struct wb_bracket_counts *counts,
                                     uint32_t *list)
{
    float part[BLOCK];
    size_t used = 0;

    for (size_t start = 0; start < n; start += BLOCK) {
        size_t len = n - start < BLOCK ? n - start : BLOCK;

        widen_sub_bf16(len, (const char *)src + 2 * start, y + start, part);
        used += bracket_abs(len, part, low, high, counts, list + used);
    }
    return used;
}
#endif

#ifndef HAVE_PAIR_STATS_BF16
static void pair_stats_bf16(size_t n, const void *x, const void *y, struct wb_pair_stats *acc,
                            double lanes[4][WB_LANES])
{
    float a[BLOCK], b[BLOCK];

    for (size_t start = 0; start < n; start += BLOCK) { /* BLOCK is a multiple of WB_LANES */
        size_t len = n - start < BLOCK ? n - start : BLOCK;

        widen_bf16(len, (const char *)x + 2 * start, a);
        widen_bf16(len, (const char *)y + 2 * start, b);
        pair_stats(len, a, b, acc, lanes);
    }
}
#endif

/* Are the magnitudes of n 16-bit codes all below `limit`, the code of infinity? */
static bool below_16(size_t n, const void *src, uint32_t limit)
{
    uint32_t most = 0;

    for (size_t start = 0; start < n; start += BLOCK) {
        size_t len = n - start < BLOCK ? n - start : BLOCK;
        uint16_t part = 0;

        EACH(i, len)
        {
            uint16_t code = (uint16_t)(load16(src, start + i) & 0x7FFF);

            part = code > part ? code : part;
        }
        most = part > most ? part : most;
    }
    return most < limit;
}

static bool finite_bf16(size_t n, const void *src)
{
    return below_16(n, src, 0x7F80);
}

static bool finite_f16(size_t n, const void *src)
{
    return below_16(n, src, 0x7C00);
}

static bool finite_f32(size_t n, const void *src)
{
    const char *p = src;
    float part[BLOCK];

    for (size_t start = 0; start < n; start += BLOCK) {
        size_t len = n - start < BLOCK ? n - start : BLOCK;

        memcpy(part, p + start * sizeof part[0], len * sizeof part[0]);
        if (first_nonfinite(len, part) < len)
            return false;
    }
    return true;
}

#endif
