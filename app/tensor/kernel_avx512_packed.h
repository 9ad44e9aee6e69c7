/* app/tensor/kernel_avx512_packed.h - AVX-512: kernels from and to packed bfloat16.
 *
 * Part of kernel_avx512.c, with its target and its helpers; needs no other kernel. */
#ifndef WB_TENSOR_KERNEL_AVX512_PACKED_H
#define WB_TENSOR_KERNEL_AVX512_PACKED_H

/* 16 packed elements. */
static inline __m512 widened(const void *src, size_t i)
{
    __m256i codes = _mm256_loadu_si256((const void *)((const char *)src + 2 * i));

    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16));
}

/* --- to bfloat16 ----------------------------------------------------------------------------- */

/* The codes of 16 numbers, in the upper halves of 32 bits. */
static inline __m512i codes_bf16(__m512 v, __m512i nan)
{
    __m512i u = _mm512_castps_si512(v);
    __m512i even = _mm512_and_epi32(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i up = _mm512_add_epi32(u, _mm512_add_epi32(even, _mm512_set1_epi32(0x7FFF)));

    return _mm512_mask_mov_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), nan);
}

/* A NaN becomes the one quiet NaN. */
static inline __m512i codes_quiet_bf16(__m512 v)
{
    return codes_bf16(v, _mm512_set1_epi32(F32_NAN));
}

/* A NaN keeps its sign and leading digits. */
static inline __m512i codes_kept_bf16(__m512 v)
{
    return codes_bf16(v, _mm512_or_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(0x400000)));
}

/* The upper halves of 32 numbers, together. */
static inline void store_codes(__m512i low, __m512i high, char *dst)
{
    const __m512i odd =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                         25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);

    _mm512_storeu_si512(dst, _mm512_permutex2var_epi16(low, odd, high));
}

static void narrow_bf16(size_t n, const float *x, void *dst)
{
    size_t i = 0;

    for (; n - i >= 32; i += 32)
        store_codes(codes_kept_bf16(_mm512_loadu_ps(x + i)),
                    codes_kept_bf16(_mm512_loadu_ps(x + i + 16)), (char *)dst + 2 * i);
    for (; i < n; i++)
        store16(dst, i, encode_bf16(x[i]));
}

/* Narrow VECTOR(i), 16 numbers, and ELEMENT(i), one. */
#define WRITE(name, params)                                                            \
    static void name params                                                            \
    {                                                                                  \
        const __m512 factor = _mm512_set1_ps(a);                                       \
        size_t i = 0;                                                                  \
                                                                                       \
        for (; n - i >= 32; i += 32)                                                   \
            store_codes(codes_quiet_bf16(VECTOR(i)), codes_quiet_bf16(VECTOR(i + 16)), \
                        (char *)dst + 2 * i);                                          \
        for (; i < n; i++)                                                             \
            store16(dst, i, encode_bf16(quiet(ELEMENT(i))));                           \
    }

#define VECTOR(i) _mm512_fmadd_ps(_mm512_loadu_ps(x + (i)), factor, _mm512_loadu_ps(z + (i)))
#define ELEMENT(i) fmaf(x[i], a, z[i])
WRITE(fma_narrow_bf16, (size_t n, const float *x, float a, const float *z, void *dst))
#undef VECTOR
#undef ELEMENT
#define VECTOR(i)                                                                     \
    _mm512_fmadd_ps(_mm512_sub_ps(widened(src, i), _mm512_loadu_ps(y + (i))), factor, \
                    _mm512_loadu_ps(z + (i)))
#define ELEMENT(i) fmaf(decode_bf16(load16(src, i)) - y[i], a, z[i])
WRITE(widen_sub_fma_narrow_bf16,
      (size_t n, const void *src, const float *y, float a, const float *z, void *dst))
#undef VECTOR
#undef ELEMENT
#define VECTOR(i)                                                                     \
    _mm512_fmadd_ps(_mm512_sub_ps(_mm512_loadu_ps(x + (i)), widened(src, i)), factor, \
                    _mm512_loadu_ps(z + (i)))
#define ELEMENT(i) fmaf(x[i] - decode_bf16(load16(src, i)), a, z[i])
WRITE(sub_widen_fma_narrow_bf16,
      (size_t n, const float *x, const void *src, float a, const float *z, void *dst))
#undef VECTOR
#undef ELEMENT
#define HAVE_FMA_NARROW_BF16

/* --- what is kept of a difference ------------------------------------------------------------ */

static inline __m512i digits_of(__m512 v)
{
    return _mm512_and_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MAX));
}

static void keep_above_one_by_one(size_t n, const char *src, const float *y, int32_t bound,
                                  float *out)
{
    for (size_t i = 0; i < n; i++) {
        float d = decode_bf16(load16(src, i)) - y[i];

        out[i] = keep_or_zero(d, (int32_t)wb_key_abs(quiet(d)) > bound);
    }
}

#define KEEP_VECTORS 4

/* Entries whose key is above the bound. Those that are not finite are rare, and done one by one. */
static void keep_above(size_t n, const char *src, const float *y, int32_t bound, float *out)
{
    const __m512i most = _mm512_set1_epi32(bound), sign = _mm512_set1_epi32(INT32_MIN);
    const __m512i finite = _mm512_set1_epi32((int32_t)F32_INF - 1);
    size_t i = 0;

    for (; n - i >= 16 * KEEP_VECTORS; i += 16 * KEEP_VECTORS) {
        __m512i d[KEEP_VECTORS], key[KEEP_VECTORS], greatest_key = _mm512_setzero_si512();

        for (size_t k = 0; k < KEEP_VECTORS; k++) {
            __m512 v = _mm512_sub_ps(widened(src, i + 16 * k), _mm512_loadu_ps(y + i + 16 * k));

            d[k] = _mm512_castps_si512(v);
            key[k] = digits_of(v);
            greatest_key = _mm512_max_epi32(greatest_key, key[k]);
        }
        if (_mm512_cmpgt_epi32_mask(greatest_key, finite) != 0) {
            keep_above_one_by_one(16 * KEEP_VECTORS, src + 2 * i, y + i, bound, out + i);
            continue;
        }
        for (size_t k = 0; k < KEEP_VECTORS; k++) {
            __mmask16 dropped = _mm512_cmple_epi32_mask(key[k], most);

            _mm512_storeu_si512(out + i + 16 * k, _mm512_mask_and_epi32(d[k], dropped, d[k], sign));
        }
    }
    keep_above_one_by_one(n - i, src + 2 * i, y + i, bound, out + i);
}

static void widen_sub_topkeep_bf16(size_t n, const void *src, const float *y, uint32_t threshold,
                                   uint64_t first, uint64_t last_tie, float *out)
{
    size_t ties = tie_count(n, first, last_tie);
    int32_t bound = threshold > INT32_MAX ? INT32_MAX : (int32_t)threshold; /* above every key */

    keep_above(ties, src, y, threshold > INT32_MAX ? bound : bound - 1, out);
    keep_above(n - ties, (const char *)src + 2 * ties, y + ties, bound, out + ties);
}
#define HAVE_WIDEN_SUB_TOPKEEP

#endif
