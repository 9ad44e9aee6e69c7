/* app/tensor/kernel_avx512.c - AVX-512 F, BW, DQ, VL: 16 lanes in two registers of doubles. */
#include "app/tensor/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(                                                           \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,popcnt"))), \
    apply_to = function)
#else
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#pragma GCC target( \
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,popcnt,prefer-vector-width=512")
#endif

#define HAVE_NARROW_BF16

#include "app/tensor/kernel_lanes.h"
#include "app/tensor/kernel_loop.h"
#include "app/tensor/kernel_map.h"

#include "app/tensor/kernel_avx512_packed.h"

/* --- float16, sqrt --------------------------------------------------------------------------- */

static void widen_f16(size_t n, const void *src, float *out)
{
    size_t i = 0;

    for (; n - i >= 16; i += 16)
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256(
                                      (const void *)((const char *)src + 2 * i))));
    for (; i < n; i++)
        out[i] = decode_f16(load16(src, i));
}

static void narrow_f16(size_t n, const float *x, void *dst)
{
    size_t i = 0;

    for (; n - i >= 16; i += 16)
        _mm256_storeu_si256((void *)((char *)dst + 2 * i),
                            _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        store16(dst, i, encode_f16(x[i]));
}

/* By hand because of errno: compilers call sqrtf for what may be negative. */
static void unary_sqrt(size_t n, const float *x, float *out)
{
    size_t i = 0;

    for (; n - i >= 16; i += 16) {
        __m512 r = _mm512_sqrt_ps(_mm512_loadu_ps(x + i));
        __mmask16 nan = _mm512_cmp_ps_mask(r, r, _CMP_UNORD_Q);

        _mm512_storeu_ps(out + i, _mm512_mask_mov_ps(r, nan, _mm512_set1_ps(float_of(F32_NAN))));
    }
    for (; i < n; i++)
        out[i] = element_sqrt(x[i]);
}

/* --- sums ------------------------------------------------------------------------------------ */

/* Eight doubles a register, 16 lanes. */
struct lanes {
    __m512d a, b;
};

static inline struct lanes lanes_load(const double *lanes)
{
    return (struct lanes){ _mm512_loadu_pd(lanes), _mm512_loadu_pd(lanes + 8) };
}

static inline void lanes_put(struct lanes s, double *lanes)
{
    _mm512_storeu_pd(lanes, s.a);
    _mm512_storeu_pd(lanes + 8, s.b);
}

static inline struct lanes doubles(__m512 v)
{
    return (struct lanes){ _mm512_cvtps_pd(_mm512_castps512_ps256(v)),
                           _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)) };
}

static inline struct lanes doubles_at(const float *x)
{
    return (struct lanes){ _mm512_cvtps_pd(_mm256_loadu_ps(x)),
                           _mm512_cvtps_pd(_mm256_loadu_ps(x + 8)) };
}

static inline struct lanes lanes_add(struct lanes s, struct lanes v)
{
    return (struct lanes){ _mm512_add_pd(s.a, v.a), _mm512_add_pd(s.b, v.b) };
}

/* The product of two float32 numbers is exact in double: as a product and a sum. */
static inline struct lanes lanes_add_product(struct lanes s, struct lanes v, struct lanes w)
{
    return (struct lanes){ _mm512_fmadd_pd(v.a, w.a, s.a), _mm512_fmadd_pd(v.b, w.b, s.b) };
}

static inline __m512 magnitude(__m512 v)
{
    return _mm512_castsi512_ps(
        _mm512_and_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MAX)));
}

static void sum(size_t n, const float *x, double *lanes)
{
    struct lanes s = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        s = lanes_add(s, doubles_at(x + i));
    lanes_put(s, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)x[i];
    lanes_store(lanes, lanes);
}

static void sum_abs(size_t n, const float *x, double *lanes)
{
    struct lanes s = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        s = lanes_add(s, doubles(magnitude(_mm512_loadu_ps(x + i))));
    lanes_put(s, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)element_abs(x[i]);
    lanes_store(lanes, lanes);
}

static void sum_squares(size_t n, const float *x, double *lanes)
{
    struct lanes s = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES) {
        struct lanes v = doubles_at(x + i);

        s = lanes_add_product(s, v, v);
    }
    lanes_put(s, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)x[i] * (double)x[i];
    lanes_store(lanes, lanes);
}

static void dot(size_t n, const float *x, const float *y, double *lanes)
{
    struct lanes s = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        s = lanes_add_product(s, doubles_at(x + i), doubles_at(y + i));
    lanes_put(s, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)x[i] * (double)y[i];
    lanes_store(lanes, lanes);
}

/* --- statistics ------------------------------------------------------------------------------ */

static inline unsigned count_true(__mmask16 mask)
{
    return (unsigned)__builtin_popcount(mask);
}

static inline float least(__m512 v, float start)
{
    float part[WB_LANES];

    _mm512_storeu_ps(part, v);
    return least_of(part, WB_LANES, start);
}

static inline float greatest(__m512 v, float start)
{
    float part[WB_LANES];

    _mm512_storeu_ps(part, v);
    return greatest_of(part, WB_LANES, start);
}

static void stats_finite(size_t n, const float *x, struct wb_stats *acc, double lanes[2][WB_LANES])
{
    struct lanes s = lanes_load(lanes[0]), q = lanes_load(lanes[1]);
    __m512 low = _mm512_set1_ps(INFINITY), high = _mm512_set1_ps(-INFINITY);
    uint64_t zeros = 0;

    for (size_t i = 0; i < n; i += WB_LANES) {
        __m512 v = _mm512_loadu_ps(x + i);
        struct lanes d = doubles(v);

        s = lanes_add(s, d);
        q = lanes_add_product(q, d, d);
        zeros += count_true(_mm512_cmpeq_ps_mask(v, _mm512_setzero_ps()));
        low = _mm512_min_ps(low, v);
        high = _mm512_max_ps(high, v);
    }
    lanes_put(s, lanes[0]);
    lanes_put(q, lanes[1]);
    acc->zero += zeros;
    if (n > 0)
        extremes_add(acc, least(low, INFINITY), greatest(high, -INFINITY));
}

#include "app/tensor/kernel_avx512_pairs.h"
#include "app/tensor/kernel_tiles.h"

/* --- selection ------------------------------------------------------------------------------- */

static inline __m512i key_abs(__m512 v)
{
    return _mm512_castps_si512(magnitude(v));
}

static inline __m512i key_signed(__m512 v)
{
    __m512i u = _mm512_castps_si512(_mm512_add_ps(v, _mm512_setzero_ps()));
    __m512i flip = _mm512_or_epi32(_mm512_srai_epi32(u, 31), _mm512_set1_epi32(INT32_MIN));

    return _mm512_xor_epi32(u, flip);
}

/* Of 16 counters; each stays below 2^32 for every n that fits in memory at once. */
static inline uint64_t count_sum(__m512i v)
{
    __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(v));
    __m512i high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(v, 1));

    return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

/* As key_abs of the one quiet NaN where v, a result of arithmetic, is any. */
static inline __m512i key_abs_quiet(__m512 v)
{
    return _mm512_min_epi32(key_abs(v), _mm512_set1_epi32((int32_t)F32_NAN));
}

/* Without a branch: what lies inside the bracket is a few percent, too many to be foreseen. The
 * whole register is stored: the list has room for n, and used <= i. (Compressing right into memory
 * is many times slower on some processors.) */
#define BRACKET(name, params)                                                                      \
    static size_t name params                                                                      \
    {                                                                                              \
        const __m512i least_key = _mm512_set1_epi32((int32_t)low), one = _mm512_set1_epi32(1);     \
        const __m512i most_key = _mm512_set1_epi32((int32_t)high);                                 \
        __m512i over = _mm512_setzero_si512(), from_high = over, over_low = over, from_low = over; \
        uint64_t at_high, at_low;                                                                  \
        size_t i = 0, used = 0;                                                                    \
                                                                                                   \
        for (; n - i >= 16; i += 16) {                                                             \
            __m512i key = VECTOR(i);                                                               \
            __mmask16 high_up = _mm512_cmpge_epu32_mask(key, most_key);                            \
            __mmask16 above_low = _mm512_cmpgt_epu32_mask(key, least_key);                         \
            __mmask16 inside = (__mmask16)(above_low & ~high_up);                                  \
                                                                                                   \
            over = _mm512_mask_add_epi32(over, _mm512_cmpgt_epu32_mask(key, most_key), over, one); \
            from_high = _mm512_mask_add_epi32(from_high, high_up, from_high, one);                 \
            over_low = _mm512_mask_add_epi32(over_low, above_low, over_low, one);                  \
            from_low = _mm512_mask_add_epi32(from_low, _mm512_cmpge_epu32_mask(key, least_key),    \
                                             from_low, one);                                       \
            _mm512_storeu_si512(list + used, _mm512_maskz_compress_epi32(inside, key));            \
            used += count_true(inside);                                                            \
        }                                                                                          \
        at_high = count_sum(from_high) - count_sum(over);                                          \
        at_low = low == high ? 0 : count_sum(from_low) - count_sum(over_low);                      \
        counts->above += count_sum(over);                                                          \
        counts->at_high += at_high;                                                                \
        counts->at_low += at_low;                                                                  \
        for (; i < n; i++)                                                                         \
            bracket_element(ELEMENT(i), low, high, counts, list, &used);                           \
        return used;                                                                               \
    }

#define OF_FLOATS                                                                             \
    (size_t n, const float *x, uint32_t low, uint32_t high, struct wb_bracket_counts *counts, \
     uint32_t *list)

#define VECTOR(i) key_abs(_mm512_loadu_ps(x + (i)))
#define ELEMENT(i) wb_key_abs(x[i])
BRACKET(bracket_abs, OF_FLOATS)
#undef VECTOR
#undef ELEMENT
#define VECTOR(i) key_signed(_mm512_loadu_ps(x + (i)))
#define ELEMENT(i) key_by_value(x[i])
BRACKET(bracket_signed, OF_FLOATS)
#undef VECTOR
#undef ELEMENT
#define VECTOR(i) key_abs_quiet(_mm512_sub_ps(widened(src, i), _mm512_loadu_ps(y + (i))))
#define ELEMENT(i) wb_key_abs(element_sub(decode_bf16(load16(src, i)), y[i]))
BRACKET(widen_sub_bracket_bf16, (size_t n, const void *src, const float *y, uint32_t low,
                                 uint32_t high, struct wb_bracket_counts *counts, uint32_t *list))
#undef VECTOR
#undef ELEMENT
#define HAVE_WIDEN_SUB_BRACKET

#define KERNEL_TABLE wb_kernels_avx512
#define KERNEL_NAME "avx512"
#include "app/tensor/kernel_table.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#else

const struct wb_kernels wb_kernels_avx512 = { .name = NULL };

#endif
