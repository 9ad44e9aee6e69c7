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

/* x times 1 or 0 by its bits: a NaN is made quiet, infinity times 0 is one, all else keeps its sign. */
static inline float keep_or_zero(float x, bool keep)
{
    uint32_t b = bits_of(x), key = b & ~F32_SIGN;
    uint32_t zero = key < F32_INF ? b & F32_SIGN : F32_NAN;
    uint32_t kept = key > F32_INF ? F32_NAN : b;

    return float_of(keep ? kept : zero);
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
