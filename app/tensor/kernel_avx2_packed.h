/* app/tensor/kernel_avx2_packed.h - AVX2: selection, and kernels right on packed elements.
 *
 * Part of kernel_avx2.c, with its target and its helpers. */
#ifndef WB_TENSOR_KERNEL_AVX2_PACKED_H
#define WB_TENSOR_KERNEL_AVX2_PACKED_H

/* --- selection ------------------------------------------------------------------------------- */

/* Keys with the top bit flipped, so that signed comparisons order them. */
static inline __m256i key_abs(__m256 v)
{
    return _mm256_or_si256(_mm256_castps_si256(v), _mm256_set1_epi32(INT32_MIN));
}

static inline __m256i key_signed(__m256 v)
{
    __m256i u = _mm256_castps_si256(_mm256_add_ps(v, _mm256_setzero_ps()));

    return _mm256_xor_si256(u, _mm256_srli_epi32(_mm256_srai_epi32(u, 31), 1));
}

/* For each set of eight: the numbers of its members, one a byte, in order. */
#define MEMBER(set, k)                                                    \
    ((uint64_t)(k) << 8 * __builtin_popcount((set) & ((1u << (k)) - 1)) & \
     -(uint64_t)((set) >> (k)&1))
#define MEMBERS(set)                                                                     \
    MEMBER(set, 0) | MEMBER(set, 1) | MEMBER(set, 2) | MEMBER(set, 3) | MEMBER(set, 4) | \
        MEMBER(set, 5) | MEMBER(set, 6) | MEMBER(set, 7)
#define FOUR(set) MEMBERS(set), MEMBERS(set + 1u), MEMBERS(set + 2u), MEMBERS(set + 3u)
#define SIXTEEN(set) FOUR(set), FOUR(set + 4u), FOUR(set + 8u), FOUR(set + 12u)
#define SIXTY_FOUR(set) SIXTEEN(set), SIXTEEN(set + 16u), SIXTEEN(set + 32u), SIXTEEN(set + 48u)
static const uint64_t members[256] = { SIXTY_FOUR(0u), SIXTY_FOUR(64u), SIXTY_FOUR(128u),
                                       SIXTY_FOUR(192u) };

/* The chosen of eight keys, packed to the front. */
static inline __m256i packed(__m256i keys, unsigned chosen)
{
    __m128i order = _mm_loadl_epi64((const void *)&members[chosen]);

    return _mm256_permutevar8x32_epi32(keys, _mm256_cvtepu8_epi32(order));
}

static inline unsigned mask_of(__m256i v)
{
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(v));
}

/* As key_abs of the one quiet NaN where v, a result of arithmetic, is any. */
static inline __m256i key_abs_quiet(__m256 v)
{
    return _mm256_min_epi32(key_abs(v), _mm256_set1_epi32((int32_t)(F32_NAN | F32_SIGN)));
}

/* Of 8 counters; each stays below 2^32 for every n that fits in memory at once. */
static inline uint64_t count_sum(__m256i v)
{
    uint32_t part[8];
    uint64_t total = 0;

    _mm256_storeu_si256((void *)part, v);
    for (int l = 0; l < 8; l++)
        total += part[l];
    return total;
}

/* Without a branch: what lies inside the bracket is a few percent, too many to be foreseen. A whole
 * register is stored: the list has room for n, and used <= i. */
#define BRACKET(name, params, vector_key, element_key)                                    \
    static size_t name params                                                             \
    {                                                                                     \
        const __m256i top = _mm256_set1_epi32(INT32_MIN);                                 \
        const __m256i least_key = _mm256_set1_epi32((int32_t)(low ^ F32_SIGN));           \
        const __m256i most_key = _mm256_set1_epi32((int32_t)(high ^ F32_SIGN));           \
        __m256i over = _mm256_setzero_si256(), at_high = over, at_low = over;             \
        size_t i = 0, used = 0;                                                           \
                                                                                          \
        for (; n - i >= 8; i += 8) {                                                      \
            __m256i key = vector_key(i);                                                  \
            __m256i above = _mm256_cmpgt_epi32(key, most_key);                            \
            __m256i is_high = _mm256_cmpeq_epi32(key, most_key);                          \
            __m256i above_low = _mm256_cmpgt_epi32(key, least_key);                       \
            unsigned inside =                                                             \
                mask_of(_mm256_andnot_si256(_mm256_or_si256(above, is_high), above_low)); \
                                                                                          \
            over = _mm256_sub_epi32(over, above);                                         \
            at_high = _mm256_sub_epi32(at_high, is_high);                                 \
            at_low = _mm256_sub_epi32(at_low, _mm256_cmpeq_epi32(key, least_key));        \
            _mm256_storeu_si256((void *)(list + used),                                    \
                                packed(_mm256_xor_si256(key, top), inside));              \
            used += (unsigned)__builtin_popcount(inside);                                 \
        }                                                                                 \
        counts->above += count_sum(over);                                                 \
        counts->at_high += count_sum(at_high);                                            \
        counts->at_low += low == high ? 0 : count_sum(at_low);                            \
        for (; i < n; i++)                                                                \
            bracket_element(element_key(i), low, high, counts, list, &used);              \
        return used;                                                                      \
    }

#define OF_FLOATS                                                                             \
    (size_t n, const float *x, uint32_t low, uint32_t high, struct wb_bracket_counts *counts, \
     uint32_t *list)
#define OF_PACKED                                                            \
    (size_t n, const void *src, const float *y, uint32_t low, uint32_t high, \
     struct wb_bracket_counts *counts, uint32_t *list)

#define VECTOR(i) key_abs(_mm256_loadu_ps(x + (i)))
#define ELEMENT(i) wb_key_abs(x[i])
BRACKET(bracket_abs, OF_FLOATS, VECTOR, ELEMENT)
#undef VECTOR
#undef ELEMENT
#define VECTOR(i) key_signed(_mm256_loadu_ps(x + (i)))
#define ELEMENT(i) key_by_value(x[i])
BRACKET(bracket_signed, OF_FLOATS, VECTOR, ELEMENT)
#undef VECTOR
#undef ELEMENT
#define VECTOR(i) key_abs_quiet(_mm256_sub_ps(widened(src, i), _mm256_loadu_ps(y + (i))))
#define ELEMENT(i) wb_key_abs(element_sub(decode_bf16(load16(src, i)), y[i]))
BRACKET(widen_sub_bracket_bf16, OF_PACKED, VECTOR, ELEMENT)
#undef VECTOR
#undef ELEMENT
#define HAVE_WIDEN_SUB_BRACKET

/* --- what is kept of a difference ------------------------------------------------------------ */

/* Entries whose key is above the bound. Those that are not finite are rare, and done one by one. */
static void keep_above(size_t n, const char *src, const float *y, int32_t bound, float *out)
{
    const __m256i most = _mm256_set1_epi32(bound), sign = _mm256_set1_epi32(INT32_MIN);
    const __m256i finite = _mm256_set1_epi32((int32_t)F32_INF - 1);
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m256 d = _mm256_sub_ps(widened(src, i), _mm256_loadu_ps(y + i));
        __m256i bits = _mm256_castps_si256(d), key = _mm256_andnot_si256(sign, bits);
        __m256i kept = _mm256_or_si256(_mm256_cmpgt_epi32(key, most), sign);

        _mm256_storeu_ps(out + i, _mm256_castsi256_ps(_mm256_and_si256(bits, kept)));
        if (mask_of(_mm256_cmpgt_epi32(key, finite)) != 0) {
            float part[8];

            _mm256_storeu_ps(part, d);
            for (int l = 0; l < 8; l++)
                out[i + (size_t)l] =
                    keep_or_zero(part[l], (int32_t)wb_key_abs(quiet(part[l])) > bound);
        }
    }
    for (; i < n; i++) {
        float d = decode_bf16(load16(src, i)) - y[i];

        out[i] = keep_or_zero(d, (int32_t)wb_key_abs(quiet(d)) > bound);
    }
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

/* --- statistics of packed pairs -------------------------------------------------------------- */

#define PACKED_TILE 2048 /* widened in the first-level cache; few enough for counters of 16 bits */

/* Of each 16 elements the even ones, then the odd ones: as far as it goes without moving anything
 * from one half of a register to the other. Sums stand in the same order. */
struct pair_tile {
    float x[PACKED_TILE], y[PACKED_TILE];
};

static inline size_t parted(size_t lane)
{
    return lane % 2 * (WB_LANES / 2) + lane / 2;
}

static void lanes_part(double lanes[4][WB_LANES], double to[4][WB_LANES])
{
    for (int k = 0; k < 4; k++)
        for (size_t l = 0; l < WB_LANES; l++)
            to[k][parted(l)] = lanes[k][l];
}

static void lanes_join(double from[4][WB_LANES], double lanes[4][WB_LANES])
{
    for (int k = 0; k < 4; k++)
        for (size_t l = 0; l < WB_LANES; l++)
            lanes[k][l] = from[k][parted(l)];
}

static inline __m256i codes_16(const char *p)
{
    return _mm256_loadu_si256((const void *)p);
}

static inline unsigned count_sum_16(__m256i v)
{
    return (unsigned)count_sum(_mm256_madd_epi16(v, _mm256_set1_epi16(1)));
}

static inline __m256 even_floats(__m256i codes)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(codes, 16));
}

static inline __m256 odd_floats(__m256i codes)
{
    return _mm256_castsi256_ps(_mm256_andnot_si256(_mm256_set1_epi32(0xFFFF), codes));
}

static inline void store_parted(__m256 even, __m256 odd, float *to)
{
    _mm256_storeu_ps(to, even);
    _mm256_storeu_ps(to + 8, odd);
}

/* Counts where zeros may be among the n pairs of codes. */
static void pair_counts_bf16(size_t n, const char *x, const char *y, struct wb_pair_stats *acc)
{
    const __m256i zero = _mm256_setzero_si256(), digits = _mm256_set1_epi16(0x7FFF);
    __m256i equal = zero, unlike_signs = zero;

    for (size_t i = 0; i < n; i += 16) {
        __m256i a = codes_16(x + 2 * i), b = codes_16(y + 2 * i);
        __m256i a_zero = _mm256_cmpeq_epi16(_mm256_and_si256(a, digits), zero);
        __m256i b_zero = _mm256_cmpeq_epi16(_mm256_and_si256(b, digits), zero);
        __m256i both = _mm256_and_si256(a_zero, b_zero), either = _mm256_or_si256(a_zero, b_zero);
        __m256i opposite = _mm256_srai_epi16(_mm256_xor_si256(a, b), 15);

        equal = _mm256_sub_epi16(equal, _mm256_or_si256(_mm256_cmpeq_epi16(a, b), both));
        unlike_signs = _mm256_sub_epi16(
            unlike_signs, _mm256_andnot_si256(both, _mm256_or_si256(either, opposite)));
    }
    acc->unequal = n - count_sum_16(equal);
    acc->same_sign = n - count_sum_16(unlike_signs);
}

/* Widen n pairs, a multiple of 16, into the tile; what needs no sums into acc. */
static void pair_open(size_t n, const char *x, const char *y, struct pair_tile *tile,
                      struct wb_pair_stats *acc)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i least_size = _mm256_set1_epi16(-1), equal = zero, opposite = zero;
    __m256 most = _mm256_setzero_ps();

    for (size_t i = 0; i < n; i += 16) {
        __m256i a = codes_16(x + 2 * i), b = codes_16(y + 2 * i);
        __m256 a_even = even_floats(a), a_odd = odd_floats(a);
        __m256 b_even = even_floats(b), b_odd = odd_floats(b);
        __m256 even = magnitude(_mm256_sub_ps(b_even, a_even));
        __m256 odd = magnitude(_mm256_sub_ps(b_odd, a_odd));
        __m256i sizes = _mm256_min_epu16(_mm256_add_epi16(a, a), _mm256_add_epi16(b, b));

        store_parted(a_even, a_odd, tile->x + i);
        store_parted(b_even, b_odd, tile->y + i);
        most = _mm256_max_ps(most, _mm256_max_ps(even, odd));
        least_size = _mm256_min_epu16(least_size, sizes);
        equal = _mm256_sub_epi16(equal, _mm256_cmpeq_epi16(a, b));
        opposite = _mm256_add_epi16(opposite, _mm256_srli_epi16(_mm256_xor_si256(a, b), 15));
    }
    acc->max_abs = greatest(most, 0);
    acc->unequal = n - count_sum_16(equal);
    acc->same_sign = n - count_sum_16(opposite);
    if (_mm256_movemask_epi8(_mm256_cmpeq_epi16(least_size, zero)) != 0)
        pair_counts_bf16(n, x, y, acc);
}

/* Was every x and y finite? Of squares nothing cancels. */
static bool pair_was_finite(double lanes[4][WB_LANES])
{
    double sum = 0;

    for (int l = 0; l < WB_LANES; l++)
        sum += lanes[0][l] + lanes[1][l];
    return sum < (double)INFINITY;
}

/* n: a multiple of WB_LANES, at most PACKED_TILE. false, and nothing done: not all are finite. */
static bool pair_tile_bf16(size_t n, const char *x, const char *y, struct wb_pair_stats *acc,
                           double sums[4][WB_LANES])
{
    struct wb_pair_stats part;
    struct pair_tile tile;
    double next[4][WB_LANES];

    pair_open(n, x, y, &tile, &part);
    memcpy(next, sums, sizeof next);
    pair_sums(n, tile.x, tile.y, 0, next);
    pair_sums(n, tile.x, tile.y, 8, next);
    if (!pair_was_finite(next))
        return false;
    memcpy(sums, next, sizeof next);
    acc->unequal += part.unequal;
    acc->same_sign += part.same_sign;
    acc->max_abs = part.max_abs > acc->max_abs ? part.max_abs : acc->max_abs;
    return true;
}

static void pair_stats_bf16(size_t n, const void *x, const void *y, struct wb_pair_stats *acc,
                            double lanes[4][WB_LANES])
{
    double sums[4][WB_LANES];

    lanes_part(lanes, sums);
    for (size_t start = 0; start < n; start += PACKED_TILE) {
        const char *a = (const char *)x + 2 * start, *b = (const char *)y + 2 * start;
        size_t len = n - start < PACKED_TILE ? n - start : PACKED_TILE;
        size_t i = len / WB_LANES * WB_LANES;

        if (!pair_tile_bf16(i, a, b, acc, sums))
            i = 0;
        for (; i < len; i++)
            pair_element(decode_bf16(load16(a, i)), decode_bf16(load16(b, i)), acc, sums,
                         parted(i % WB_LANES));
    }
    lanes_join(sums, lanes);
    pair_close(n, acc, lanes);
}
#define HAVE_PAIR_STATS_BF16

#endif
