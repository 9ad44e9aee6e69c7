/* app/tensor/kernel_avx512_pairs.h - AVX-512: statistics of pairs, of floats and packed.
 *
 * A conversion to double takes one step from memory and three from a register (the halves of which
 * have to be brought into place first), so a packed tile is widened into a block in the first-level
 * cache and summed from there. A square of what is finite is finite in double: whether a tile was
 * finite all over shows in its sums, which are dropped if not.
 *
 * Part of kernel_avx512.c, with its target and its helpers. */
#ifndef WB_TENSOR_KERNEL_AVX512_PAIRS_H
#define WB_TENSOR_KERNEL_AVX512_PAIRS_H

#define PAIR_TILE 1024 /* a multiple of 32 */

/* Of each 32 elements the even ones, then the odd ones. */
struct pair_tile {
    float x[PAIR_TILE], y[PAIR_TILE];
};

struct pair_sums {
    struct lanes of[4];
};

/* max(|x|, |y|), neither a NaN. */
static inline __m512 max_magnitude(__m512 x, __m512 y)
{
    return _mm512_range_ps(x, y, 0xB);
}

/* The 16 elements of lanes 0 to 15 from `i` on; parted: the even ones of 32, then the odd ones. */
static inline struct lanes pair_lanes(const float *x, size_t i, bool parted)
{
    const float *a = parted ? x + (i & ~(size_t)31) + (i & 16) / 2 : x + i,
                *b = a + (parted ? 16 : 8);

    return (struct lanes){ _mm512_cvtps_pd(_mm256_loadu_ps(a)),
                           _mm512_cvtps_pd(_mm256_loadu_ps(b)) };
}

static inline void pair_add_16(const float *x, const float *y, size_t i, bool parted,
                               struct pair_sums *s)
{
    struct lanes a = pair_lanes(x, i, parted), b = pair_lanes(y, i, parted);
    struct lanes d = { _mm512_sub_pd(b.a, a.a), _mm512_sub_pd(b.b, a.b) };

    s->of[0] = lanes_add_product(s->of[0], a, a);
    s->of[1] = lanes_add_product(s->of[1], b, b);
    s->of[2] = lanes_add_product(s->of[2], a, b);
    s->of[3] = lanes_add_product(s->of[3], d, d);
}

/* Was every x and y finite? */
static inline bool pair_was_finite(const struct pair_sums *s)
{
    struct lanes all = lanes_add(s->of[0], s->of[1]);
    __m512d sum = _mm512_add_pd(all.a, all.b); /* of squares: nothing cancels */

    return _mm512_cmp_pd_mask(sum, _mm512_set1_pd((double)INFINITY), _CMP_LT_OQ) == 0xFF;
}

/* Bits where sign(x) != sign(y): one of them zero, or both not and opposite. */
static inline uint32_t unlike(uint32_t x_zero, uint32_t y_zero, uint32_t opposite)
{
    return (x_zero ^ y_zero) | (opposite & ~x_zero);
}

/* --- floats ---------------------------------------------------------------------------------- */

/* n: a multiple of WB_LANES, at most PAIR_TILE. false, and nothing done: not all are finite. */
static bool pair_tile_floats(size_t n, const float *x, const float *y, struct wb_pair_stats *acc,
                             double lanes[4][WB_LANES])
{
    __m512 most = _mm512_setzero_ps();
    uint64_t unequal = 0, opposite = 0;
    struct pair_sums sums;

    for (size_t i = 0; i < n; i += WB_LANES) {
        __m512 v = _mm512_loadu_ps(x + i), w = _mm512_loadu_ps(y + i), d = _mm512_sub_ps(w, v);
        __mmask16 x_zero = _mm512_cmpeq_ps_mask(v, _mm512_setzero_ps());
        __mmask16 y_zero = _mm512_cmpeq_ps_mask(w, _mm512_setzero_ps());
        __mmask16 signs = _mm512_movepi32_mask(_mm512_castps_si512(_mm512_xor_ps(v, w)));

        most = max_magnitude(most, d);
        unequal += count_true(_mm512_cmpneq_ps_mask(v, w));
        opposite += (unsigned)__builtin_popcount(unlike(x_zero, y_zero, signs));
    }
    for (int k = 0; k < 4; k++)
        sums.of[k] = lanes_load(lanes[k]);
    for (size_t i = 0; i < n; i += WB_LANES)
        pair_add_16(x, y, i, false, &sums);
    if (!pair_was_finite(&sums))
        return false;
    for (int k = 0; k < 4; k++)
        lanes_put(sums.of[k], lanes[k]);
    acc->unequal += unequal;
    acc->same_sign += n - opposite;
    acc->max_abs = greatest(most, acc->max_abs);
    return true;
}

static void pair_stats(size_t n, const float *x, const float *y, struct wb_pair_stats *acc,
                       double lanes[4][WB_LANES])
{
    for (size_t start = 0; start < n; start += PAIR_TILE) {
        const float *a = x + start, *b = y + start;
        size_t len = n - start < PAIR_TILE ? n - start : PAIR_TILE, i = len / WB_LANES * WB_LANES;

        if (!pair_tile_floats(i, a, b, acc, lanes))
            i = 0;
        for (; i < len; i++)
            pair_element(a[i], b[i], acc, lanes, i % WB_LANES);
    }
    pair_close(n, acc, lanes);
}
#define HAVE_PAIR_STATS

/* --- packed ---------------------------------------------------------------------------------- */

/* The even lanes and the odd ones. */
static inline struct lanes lanes_load_parted(const double *lanes)
{
    struct lanes s = lanes_load(lanes);
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);

    return (struct lanes){ _mm512_permutex2var_pd(s.a, even, s.b),
                           _mm512_permutex2var_pd(s.a, _mm512_add_epi64(even, _mm512_set1_epi64(1)),
                                                  s.b) };
}

static inline void lanes_put_parted(struct lanes s, double *lanes)
{
    const __m512i low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const __m512i high = _mm512_add_epi64(low, _mm512_set1_epi64(4));

    lanes_put((struct lanes){ _mm512_permutex2var_pd(s.a, low, s.b),
                              _mm512_permutex2var_pd(s.a, high, s.b) },
              lanes);
}

static inline void store_parted(__m512 even, __m512 odd, float *to)
{
    _mm512_storeu_ps(to, even);
    _mm512_storeu_ps(to + 16, odd);
}

/* Widen n pairs, a multiple of 32, into the tile; what needs no sums into acc. */
static inline void pair_open(size_t n, const char *x, const char *y, struct pair_tile *tile,
                             struct wb_pair_stats *acc)
{
    const __m512i digits = _mm512_set1_epi16(0x7FFF), upper = _mm512_set1_epi32(INT32_MIN >> 15);
    __m512 most[2] = { _mm512_setzero_ps(), _mm512_setzero_ps() };
    uint64_t equal = 0, opposite = 0;

    for (size_t i = 0; i < n; i += 32) {
        __m512i v = _mm512_loadu_si512(x + 2 * i), w = _mm512_loadu_si512(y + 2 * i);
        __m512 v_even = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
        __m512 w_even = _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
        __m512 v_odd = _mm512_castsi512_ps(_mm512_and_si512(v, upper));
        __m512 w_odd = _mm512_castsi512_ps(_mm512_and_si512(w, upper));
        __m512 even = _mm512_sub_ps(w_even, v_even), odd = _mm512_sub_ps(w_odd, v_odd);
        uint32_t x_zero = _mm512_testn_epi16_mask(v, digits);
        uint32_t y_zero = _mm512_testn_epi16_mask(w, digits);
        uint32_t signs = _mm512_movepi16_mask(_mm512_xor_si512(v, w));

        store_parted(v_even, v_odd, tile->x + i);
        store_parted(w_even, w_odd, tile->y + i);
        most[0] = max_magnitude(most[0], even);
        most[1] = max_magnitude(most[1], odd);
        equal += (unsigned)__builtin_popcount(_mm512_cmpeq_epi16_mask(v, w) | (x_zero & y_zero));
        opposite += (unsigned)__builtin_popcount(unlike(x_zero, y_zero, signs));
    }
    acc->unequal = n - equal;
    acc->same_sign = n - opposite;
    acc->max_abs = greatest(max_magnitude(most[0], most[1]), 0);
}

/* n: a multiple of 32, at most PAIR_TILE. false, and nothing done: not all are finite. */
static bool pair_tile_bf16(size_t n, const char *x, const char *y, struct wb_pair_stats *acc,
                           double lanes[4][WB_LANES])
{
    struct wb_pair_stats part;
    struct pair_tile tile;
    struct pair_sums sums;

    pair_open(n, x, y, &tile, &part);
    for (int k = 0; k < 4; k++)
        sums.of[k] = lanes_load_parted(lanes[k]);
    for (size_t i = 0; i < n; i += 32) {
        pair_add_16(tile.x, tile.y, i, true, &sums);
        pair_add_16(tile.x, tile.y, i + 16, true, &sums);
    }
    if (!pair_was_finite(&sums))
        return false;
    for (int k = 0; k < 4; k++)
        lanes_put_parted(sums.of[k], lanes[k]);
    acc->unequal += part.unequal;
    acc->same_sign += part.same_sign;
    acc->max_abs = part.max_abs > acc->max_abs ? part.max_abs : acc->max_abs;
    return true;
}

static void pair_stats_bf16(size_t n, const void *x, const void *y, struct wb_pair_stats *acc,
                            double lanes[4][WB_LANES])
{
    for (size_t start = 0; start < n; start += PAIR_TILE) {
        const char *a = (const char *)x + 2 * start, *b = (const char *)y + 2 * start;
        size_t len = n - start < PAIR_TILE ? n - start : PAIR_TILE, i = len / 32 * 32;

        if (!pair_tile_bf16(i, a, b, acc, lanes))
            i = 0;
        for (; i < len; i++)
            pair_element(decode_bf16(load16(a, i)), decode_bf16(load16(b, i)), acc, lanes,
                         i % WB_LANES);
    }
    pair_close(n, acc, lanes);
}
#define HAVE_PAIR_STATS_BF16

#endif
