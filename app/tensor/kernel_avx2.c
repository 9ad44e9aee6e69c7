/* app/tensor/kernel_avx2.c - AVX2, FMA, F16C, BMI2: 16 lanes in four registers of doubles. */
#include "app/tensor/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi2,popcnt"))), \
                             apply_to = function)
#else
#pragma GCC optimize("O3", "no-math-errno", "no-trapping-math")
#pragma GCC target("avx2,fma,f16c,bmi2,popcnt")
#endif

#define HAVE_NARROW_BF16
#include "app/tensor/kernel_lanes.h"
#include "app/tensor/kernel_loop.h"
#include "app/tensor/kernel_map.h"

/* Four doubles a register, 16 lanes. */
struct lanes {
    __m256d v[4];
};

static inline struct lanes lanes_load(const double *lanes)
{
    return (struct lanes){ { _mm256_loadu_pd(lanes), _mm256_loadu_pd(lanes + 4),
                             _mm256_loadu_pd(lanes + 8), _mm256_loadu_pd(lanes + 12) } };
}

static inline void lanes_put(const struct lanes *a, double *lanes)
{
    for (int r = 0; r < 4; r++)
        _mm256_storeu_pd(lanes + 4 * r, a->v[r]);
}

static inline __m256d four(const float *x)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(x));
}

/* --- bfloat16 -------------------------------------------------------------------------------- */

/* The codes of eight numbers, one in each 32 bits; of NaNs the one given. */
static inline __m256i codes_bf16(__m256 v, __m256i nan)
{
    __m256i u = _mm256_castps_si256(v);
    __m256i even = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    __m256i up = _mm256_add_epi32(u, _mm256_add_epi32(even, _mm256_set1_epi32(0x7FFF)));
    __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));

    return _mm256_blendv_epi8(_mm256_srli_epi32(up, 16), nan, is_nan);
}

static inline void store_codes(__m256i low, __m256i high, char *dst)
{
    __m256i both = _mm256_packus_epi32(low, high); /* four of each in turn */

    _mm256_storeu_si256((void *)dst, _mm256_permute4x64_epi64(both, 0xD8));
}

/* A NaN keeps its sign and leading digits. */
static inline __m256i codes_kept_bf16(__m256 v)
{
    __m256i code = _mm256_srli_epi32(_mm256_castps_si256(v), 16);

    return codes_bf16(v, _mm256_or_si256(code, _mm256_set1_epi32(0x40)));
}

static void narrow_bf16(size_t n, const float *x, void *dst)
{
    size_t i = 0;

    for (; n - i >= 16; i += 16)
        store_codes(codes_kept_bf16(_mm256_loadu_ps(x + i)),
                    codes_kept_bf16(_mm256_loadu_ps(x + i + 8)), (char *)dst + 2 * i);
    for (; i < n; i++)
        store16(dst, i, encode_bf16(x[i]));
}

/* Eight packed elements. */
static inline __m256 widened(const void *src, size_t i)
{
    __m128i codes = _mm_loadu_si128((const void *)((const char *)src + 2 * i));

    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(codes), 16));
}

/* Narrow VECTOR(i), eight numbers, and ELEMENT(i), one. */
#define WRITE(name, params)                                                         \
    static void name params                                                         \
    {                                                                               \
        const __m256i nan = _mm256_set1_epi32(F32_NAN >> 16);                       \
        const __m256 factor = _mm256_set1_ps(a);                                    \
        size_t i = 0;                                                               \
                                                                                    \
        for (; n - i >= 16; i += 16)                                                \
            store_codes(codes_bf16(VECTOR(i), nan), codes_bf16(VECTOR(i + 8), nan), \
                        (char *)dst + 2 * i);                                       \
        for (; i < n; i++)                                                          \
            store16(dst, i, encode_bf16(quiet(ELEMENT(i))));                        \
    }

#define VECTOR(i) _mm256_fmadd_ps(_mm256_loadu_ps(x + (i)), factor, _mm256_loadu_ps(z + (i)))
#define ELEMENT(i) fmaf(x[i], a, z[i])
WRITE(fma_narrow_bf16, (size_t n, const float *x, float a, const float *z, void *dst))
#undef VECTOR
#undef ELEMENT
#define VECTOR(i)                                                                     \
    _mm256_fmadd_ps(_mm256_sub_ps(widened(src, i), _mm256_loadu_ps(y + (i))), factor, \
                    _mm256_loadu_ps(z + (i)))
#define ELEMENT(i) fmaf(decode_bf16(load16(src, i)) - y[i], a, z[i])
WRITE(widen_sub_fma_narrow_bf16,
      (size_t n, const void *src, const float *y, float a, const float *z, void *dst))
#undef VECTOR
#undef ELEMENT
#define VECTOR(i)                                                                     \
    _mm256_fmadd_ps(_mm256_sub_ps(_mm256_loadu_ps(x + (i)), widened(src, i)), factor, \
                    _mm256_loadu_ps(z + (i)))
#define ELEMENT(i) fmaf(x[i] - decode_bf16(load16(src, i)), a, z[i])
WRITE(sub_widen_fma_narrow_bf16,
      (size_t n, const float *x, const void *src, float a, const float *z, void *dst))
#undef VECTOR
#undef ELEMENT
#define HAVE_FMA_NARROW_BF16

/* --- float16, sqrt --------------------------------------------------------------------------- */

static void widen_f16(size_t n, const void *src, float *out)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(
            out + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)((const char *)src + 2 * i))));
    for (; i < n; i++)
        out[i] = decode_f16(load16(src, i));
}

static void narrow_f16(size_t n, const float *x, void *dst)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8)
        _mm_storeu_si128((void *)((char *)dst + 2 * i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        store16(dst, i, encode_f16(x[i]));
}

/* By hand because of errno: compilers call sqrtf for what may be negative. */
static void unary_sqrt(size_t n, const float *x, float *out)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m256 r = _mm256_sqrt_ps(_mm256_loadu_ps(x + i));
        __m256 nan = _mm256_cmp_ps(r, r, _CMP_UNORD_Q);

        _mm256_storeu_ps(out + i, _mm256_blendv_ps(r, _mm256_set1_ps(float_of(F32_NAN)), nan));
    }
    for (; i < n; i++)
        out[i] = element_sqrt(x[i]);
}

/* --- sums ------------------------------------------------------------------------------------ */

static void sum(size_t n, const float *x, double *lanes)
{
    struct lanes a = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        for (int r = 0; r < 4; r++)
            a.v[r] = _mm256_add_pd(a.v[r], four(x + i + 4 * r));
    lanes_put(&a, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)x[i];
    lanes_store(lanes, lanes);
}

static void sum_abs(size_t n, const float *x, double *lanes)
{
    const __m256d sign = _mm256_set1_pd(-0.0);
    struct lanes a = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        for (int r = 0; r < 4; r++)
            a.v[r] = _mm256_add_pd(a.v[r], _mm256_andnot_pd(sign, four(x + i + 4 * r)));
    lanes_put(&a, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)element_abs(x[i]);
    lanes_store(lanes, lanes);
}

static void sum_squares(size_t n, const float *x, double *lanes)
{
    struct lanes a = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        for (int r = 0; r < 4; r++) {
            __m256d v = four(x + i + 4 * r);

            a.v[r] = _mm256_fmadd_pd(v, v, a.v[r]); /* exact product: as a product and a sum */
        }
    lanes_put(&a, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)x[i] * (double)x[i];
    lanes_store(lanes, lanes);
}

static void dot(size_t n, const float *x, const float *y, double *lanes)
{
    struct lanes a = lanes_load(lanes);
    size_t i = 0;

    for (; n - i >= WB_LANES; i += WB_LANES)
        for (int r = 0; r < 4; r++)
            a.v[r] = _mm256_fmadd_pd(four(x + i + 4 * r), four(y + i + 4 * r), a.v[r]);
    lanes_put(&a, lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += (double)x[i] * (double)y[i];
    lanes_store(lanes, lanes);
}

/* --- statistics ------------------------------------------------------------------------------ */

static inline __m256 magnitude(__m256 v)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
}

static inline unsigned count_true(__m256 a, __m256 b)
{
    return (unsigned)__builtin_popcount(
        (unsigned)(_mm256_movemask_ps(a) << 8 | _mm256_movemask_ps(b)));
}

static inline float least(__m256 v, float start)
{
    float part[8];

    _mm256_storeu_ps(part, v);
    return least_of(part, 8, start);
}

static inline float greatest(__m256 v, float start)
{
    float part[8];

    _mm256_storeu_ps(part, v);
    return greatest_of(part, 8, start);
}

static void stats_finite(size_t n, const float *x, struct wb_stats *acc, double lanes[2][WB_LANES])
{
    const __m256 zero = _mm256_setzero_ps();
    struct lanes s = lanes_load(lanes[0]), q = lanes_load(lanes[1]);
    __m256 low = _mm256_set1_ps(INFINITY), high = _mm256_set1_ps(-INFINITY);
    uint64_t zeros = 0;

    for (size_t i = 0; i < n; i += WB_LANES) {
        __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);

        for (int r = 0; r < 4; r++) {
            __m256d v = four(x + i + 4 * r);

            s.v[r] = _mm256_add_pd(s.v[r], v);
            q.v[r] = _mm256_fmadd_pd(v, v, q.v[r]);
        }
        zeros += count_true(_mm256_cmp_ps(a, zero, _CMP_EQ_OQ), _mm256_cmp_ps(b, zero, _CMP_EQ_OQ));
        low = _mm256_min_ps(low, _mm256_min_ps(a, b));
        high = _mm256_max_ps(high, _mm256_max_ps(a, b));
    }
    lanes_put(&s, lanes[0]);
    lanes_put(&q, lanes[1]);
    acc->zero += zeros;
    if (n > 0)
        extremes_add(acc, least(low, INFINITY), greatest(high, -INFINITY));
}

/* Sign bits where sign(x) != sign(y): one of them zero, or both not and opposite. */
static inline __m256 unlike(__m256 x, __m256 y)
{
    __m256 x_zero = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_EQ_OQ);
    __m256 y_zero = _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_EQ_OQ);

    return _mm256_or_ps(_mm256_xor_ps(x_zero, y_zero),
                        _mm256_andnot_ps(x_zero, _mm256_xor_ps(x, y)));
}

/* Eight lanes of sixteen: with all of them, accumulators would not fit into the registers. */
static void pair_sums(size_t n, const float *x, const float *y, int lane, double lanes[4][WB_LANES])
{
    __m256d sum[4][2];

    for (int k = 0; k < 4; k++)
        for (int u = 0; u < 2; u++)
            sum[k][u] = _mm256_loadu_pd(lanes[k] + lane + 4 * u);
    for (size_t i = (size_t)lane; i < n; i += WB_LANES)
        for (int u = 0; u < 2; u++) {
            __m256d a = four(x + i + 4 * u), b = four(y + i + 4 * u), d = _mm256_sub_pd(b, a);

            sum[0][u] = _mm256_fmadd_pd(a, a, sum[0][u]);
            sum[1][u] = _mm256_fmadd_pd(b, b, sum[1][u]);
            sum[2][u] = _mm256_fmadd_pd(a, b, sum[2][u]);
            sum[3][u] = _mm256_fmadd_pd(d, d, sum[3][u]);
        }
    for (int k = 0; k < 4; k++)
        for (int u = 0; u < 2; u++)
            _mm256_storeu_pd(lanes[k] + lane + 4 * u, sum[k][u]);
}

static void pair_counts(size_t n, const float *x, const float *y, struct wb_pair_stats *acc)
{
    __m256 most = _mm256_setzero_ps();
    uint64_t unequal = 0, opposite = 0;

    for (size_t i = 0; i < n; i += WB_LANES) {
        __m256 x0 = _mm256_loadu_ps(x + i), x1 = _mm256_loadu_ps(x + i + 8);
        __m256 y0 = _mm256_loadu_ps(y + i), y1 = _mm256_loadu_ps(y + i + 8);
        __m256 d0 = magnitude(_mm256_sub_ps(y0, x0)), d1 = magnitude(_mm256_sub_ps(y1, x1));

        unequal +=
            count_true(_mm256_cmp_ps(x0, y0, _CMP_NEQ_OQ), _mm256_cmp_ps(x1, y1, _CMP_NEQ_OQ));
        opposite += count_true(unlike(x0, y0), unlike(x1, y1));
        most = _mm256_max_ps(most, _mm256_max_ps(d0, d1));
    }
    acc->unequal += unequal;
    acc->same_sign += n - opposite;
    acc->max_abs = greatest(most, acc->max_abs);
}

static void pair_finite(size_t n, const float *x, const float *y, struct wb_pair_stats *acc,
                        double lanes[4][WB_LANES])
{
    pair_sums(n, x, y, 0, lanes);
    pair_sums(n, x, y, 8, lanes);
    pair_counts(n, x, y, acc);
}

#include "app/tensor/kernel_tiles.h"

#include "app/tensor/kernel_avx2_packed.h"

#define KERNEL_TABLE wb_kernels_avx2
#define KERNEL_NAME "avx2"
#include "app/tensor/kernel_table.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#else

const struct wb_kernels wb_kernels_avx2 = { .name = NULL };

#endif
