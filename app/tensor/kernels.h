/* app/tensor/kernels.h - everything that touches elements in bulk, behind one table.
 *
 * The scalar table is the definition; every other gives the same bits for every length, alignment
 * and value. A NaN result is always the quiet NaN 0x7FC00000 (in doubles 0x7FF8000000000000),
 * whatever NaN went in, except in `abs`, `neg` and copies, which only touch the sign, and in
 * conversions. Element-wise arithmetic is IEEE float32, round to nearest even, denormals kept,
 * nothing fused but what says so. A reduction has WB_LANES double lanes: element i of the row it is
 * given belongs to lane i % WB_LANES, and wb_lanes_fold folds them; callers that feed one row in
 * pieces cut it at multiples of WB_LANES.
 *
 * Masks are float32 1.0 and 0.0. x, y, z and out may be the same array, or must not overlap. */
#ifndef WB_TENSOR_KERNELS_H
#define WB_TENSOR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "app/tensor/dtype.h"

#define WB_LANES 16
#define WB_MANY 8 /* operands of a kernel that takes a list, at most */

/* X(name): out = f(x). Functions without an exact IEEE definition (exp, log, …, pow) are computed
 * through double and rounded once, the same code in every table. sign(0) = 0, sign(NaN) = NaN. */
/* clang-format off */
#define WB_UNARY_OPS(X)                                                                  \
    X(neg)                                                                               \
    X(abs) X(sign) X(sqrt) X(exp) X(log) X(sin) X(cos) X(acos) X(tanh) X(floor) X(recip) \
        X(is_finite) X(is_nan)
/* clang-format on */

/* X(name): out = f(x, y). min and max give NaN when either is NaN, and take -0 for less than +0;
 * comparisons with NaN give 0, ne too. div is IEEE. pow is C's. */
/* clang-format off */
#define WB_BINARY_OPS(X) \
    X(add) X(sub) X(mul) X(div) X(min) X(max) X(pow) X(gt) X(lt) X(ge) X(le) X(eq) X(ne)
/* clang-format on */

enum wb_unary {
#define X(name) WB_UNARY_##name,
    WB_UNARY_OPS(X)
#undef X
        WB_UNARY_COUNT
};

enum wb_binary {
#define X(name) WB_BINARY_##name,
    WB_BINARY_OPS(X)
#undef X
        WB_BINARY_COUNT
};

/* What one pass of statistics over a row or tile gathers; combined with wb_stats_add. NaN values
 * are counted and enter nothing else; infinities are counted and enter only min, max and absmax. */
struct wb_stats {
    uint64_t count, nan, inf, zero; /* count: all */
    double sum, sum_squares;        /* of the finite ones */
    float min, max, absmax;         /* of all but NaN; +inf, -inf, 0 when there are none; no -0 */
};

/* One pass over two arrays: everything `diff` and `similarity` print. Pairs where either is not
 * finite are counted in `count` and `skipped` and enter nothing else. same_sign: sign(x) ==
 * sign(y), zeros agree with zeros. unequal: as numbers, -0 == +0. */
struct wb_pair_stats {
    uint64_t count, skipped, same_sign, unequal;
    double xx, yy, xy, dd; /* sums of x^2, y^2, xy, (y - x)^2; y - x formed in double */
    float max_abs;         /* of y - x */
};

/* Order-preserving keys of float32 values for selection: wb_key_abs orders by magnitude (the sign
 * bit cleared), wb_key_signed by value (IEEE bits, all flipped when negative, else the sign bit
 * flipped). -0 == +0 in both (wb_key_signed adds +0 first); NaN sorts above infinity (by value and
 * with the sign bit set: below -infinity). */
static inline uint32_t wb_key_abs(float x)
{
    union {
        float f;
        uint32_t u;
    } v = { x };

    return v.u & 0x7FFFFFFFu;
}

static inline uint32_t wb_key_signed(float x)
{
    union {
        float f;
        uint32_t u;
    } v = { x + 0.0f };

    return v.u & 0x80000000u ? ~v.u : v.u | 0x80000000u;
}

static inline float wb_key_signed_value(uint32_t key)
{
    union {
        uint32_t u;
        float f;
    } v = { key & 0x80000000u ? key & 0x7FFFFFFFu : ~key };

    return v.f;
}

static inline float wb_key_abs_value(uint32_t key)
{
    union {
        uint32_t u;
        float f;
    } v = { key };

    return v.f;
}

/* How the keys of a tile lie against a bracket [low, high]. */
struct wb_bracket_counts {
    uint64_t above, at_high, at_low; /* key > high; key == high; key == low (0 when low == high) */
};

struct wb_kernels {
    const char *name; /* "scalar", "avx2", "avx512", "neon" */

    /* Exact widening of n packed elements at src (any alignment) to float32 (F64 rounds to nearest
     * even); round-to-nearest-even narrowing the other way. NULL where the dtype cannot be computed
     * with. Too large becomes infinity; in F8_E4M3, which has none, NaN (above 464, half way
     * between the largest number and the next). A NaN keeps its sign and the leading bits of its
     * payload and becomes quiet, as processors do it; widening BF16 copies bits, quiet or not. */
    void (*widen[WB_DTYPE_COUNT])(size_t n, const void *src, float *out);
    void (*narrow[WB_DTYPE_COUNT])(size_t n, const float *x, void *dst);

    void (*unary[WB_UNARY_COUNT])(size_t n, const float *x, float *out);
    void (*binary[WB_BINARY_COUNT])(size_t n, const float *x, const float *y, float *out);
    /* x op scalar, scalar op y */
    void (*binary_vs[WB_BINARY_COUNT])(size_t n, const float *x, float y, float *out);
    void (*binary_sv[WB_BINARY_COUNT])(size_t n, float x, const float *y, float *out);

    void (*fill)(size_t n, float value, float *out);
    /* fmaf(x, y, z), fmaf(x, a, z) */
    void (*fma_vv)(size_t n, const float *x, const float *y, const float *z, float *out);
    void (*fma_vs)(size_t n, const float *x, float a, const float *z, float *out);
    /* mask != 0 ? a : b */
    void (*where)(size_t n, const float *mask, const float *a, const float *b, float *out);
    /* x + w (y - x), exact at w = 0, w = 1 and where x == y: w < 0.5 ? fmaf(w, y - x, x)
     * : fmaf(w - 1, y - x, y), with the equal case giving x. */
    void (*lerp)(size_t n, const float *x, const float *y, float w, float *out);
    /* NaN stays NaN */
    void (*clamp)(size_t n, const float *x, float low, float high, float *out);
    /* NaN and infinities become value */
    void (*nan_to)(size_t n, const float *x, float value, float *out);

    /* Counter-based random numbers (merge.md 18.7): element i of the array has flat index k = first
     * + i and the draw z(k) = splitmix64(stream + k); `stream` is the mixed key of seed, model and
     * tensor name (wb_random_stream). uniform: (z >> 40) 2^-24 in [0, 1). bernoulli: 1.0 where
     * (z >> 11) 2^-53 < p, else 0.0. normal: Box-Muller in double on z(2 k) and z(2 k + 1). */
    void (*uniform)(size_t n, uint64_t stream, uint64_t first, float *out);
    void (*bernoulli)(size_t n, uint64_t stream, uint64_t first, double p, float *out);
    void (*normal)(size_t n, uint64_t stream, uint64_t first, float *out);

    /* Add n elements to lanes (WB_LANES doubles, the caller's). Products are formed in double. */
    void (*sum)(size_t n, const float *x, double *lanes);
    void (*sum_abs)(size_t n, const float *x, double *lanes);
    void (*sum_squares)(size_t n, const float *x, double *lanes);
    void (*dot)(size_t n, const float *x, const float *y, double *lanes);
    /* Running extremes over what was there before (start with +inf, -inf, 0); NaN makes it NaN and
     * stays; a zero comes out as +0. */
    void (*min)(size_t n, const float *x, float *running);
    void (*max)(size_t n, const float *x, float *running);
    void (*absmax)(size_t n, const float *x, float *running);
    uint64_t (*count_nonzero)(size_t n, const float *x); /* NaN counts */
    /* Columns: acc[i] += x[i], x[i]^2, |x[i]|, x[i] y[i] in double. */
    void (*column_sum)(size_t n, const float *x, double *acc);
    void (*column_sum_squares)(size_t n, const float *x, double *acc);
    void (*column_sum_abs)(size_t n, const float *x, double *acc);
    void (*column_dot)(size_t n, const float *x, const float *y, double *acc);

    void (*stats)(size_t n, const float *x, struct wb_stats *acc, double lanes[2][WB_LANES]);
    void (*pair_stats)(size_t n, const float *x, const float *y, struct wb_pair_stats *acc,
                       double lanes[4][WB_LANES]);

    /* Selection. Keys are those above, of |x| or of x. bracket: counts against [low, high], low <=
     * high, are added to *counts, and the keys strictly inside (low < key < high) are appended at
     * list (room for n, all of which may be written), in order; returns how many. */
    size_t (*bracket_abs)(size_t n, const float *x, uint32_t low, uint32_t high,
                          struct wb_bracket_counts *counts, uint32_t *list);
    size_t (*bracket_signed)(size_t n, const float *x, uint32_t low, uint32_t high,
                             struct wb_bracket_counts *counts, uint32_t *list);
    /* out = 1.0 where key > threshold, or key == threshold and first + i <= last_tie; else 0.0. */
    void (*topmask_abs)(size_t n, const float *x, uint32_t threshold, uint64_t first,
                        uint64_t last_tie, float *out);
    void (*topmask_signed)(size_t n, const float *x, uint32_t threshold, uint64_t first,
                           uint64_t last_tie, float *out);
    /* Index of the first element that is not finite, n when all are finite. */
    size_t (*first_nonfinite)(size_t n, const float *x);
    /* Are n packed elements all finite? NULL for some dtypes. */
    bool (*finite[WB_DTYPE_COUNT])(size_t n, const void *src);

    /* Fused pairs, the same bits as one kernel after the other. NULL for some dtypes. */
    /* src - y */
    void (*widen_sub[WB_DTYPE_COUNT])(size_t n, const void *src, const float *y, float *out);
    void (*widen_sub_fma[WB_DTYPE_COUNT])(size_t n, const void *src, const float *y, float a,
                                          const float *z, float *out); /* fmaf(src - y, a, z) */
    /* x - src */
    void (*sub_widen[WB_DTYPE_COUNT])(size_t n, const float *x, const void *src, float *out);
    void (*sub_widen_fma[WB_DTYPE_COUNT])(size_t n, const float *x, const void *src, float a,
                                          const float *z, float *out); /* fmaf(x - src, a, z) */
    /* max(x y, low) */
    void (*mul_max)(size_t n, const float *x, const float *y, float low, float *out);
    /* z + (x > y) */
    void (*add_gt)(size_t n, const float *z, const float *x, float y, float *out);
    /* d times its topmask_abs, for d = src - y */
    void (*widen_sub_topkeep[WB_DTYPE_COUNT])(size_t n, const void *src, const float *y,
                                              uint32_t threshold, uint64_t first, uint64_t last_tie,
                                              float *out);
    /* x[0] + x[1] + ..., 1 <= k <= WB_MANY of them, from the left */
    void (*sum_of)(size_t n, size_t k, const float *const *x, float *out);
    /* Of the k values max(x[j] y, low), from the left: their sum, and how many are > than (as a
     * float32). low is neither NaN nor -0; sum and above do not overlap. */
    void (*tally)(size_t n, size_t k, const float *const *x, const float *y, float low, float than,
                  float *sum, float *above);
    /* x op y ? yes : no. NULL for what is no comparison. */
    void (*step[WB_BINARY_COUNT])(size_t n, const float *x, float y, float yes, float no,
                                  float *out);
    /* x y / max(z, low) */
    void (*mul_div_max)(size_t n, const float *x, const float *y, const float *z, float low,
                        float *out);
    /* fmaf(x, a, z), narrowed */
    void (*fma_narrow[WB_DTYPE_COUNT])(size_t n, const float *x, float a, const float *z,
                                       void *dst);
    /* fmaf(src - y, a, z) and fmaf(x - src, a, z), narrowed to the dtype of src */
    void (*widen_sub_fma_narrow[WB_DTYPE_COUNT])(size_t n, const void *src, const float *y, float a,
                                                 const float *z, void *dst);
    void (*sub_widen_fma_narrow[WB_DTYPE_COUNT])(size_t n, const float *x, const void *src, float a,
                                                 const float *z, void *dst);
    /* bracket_abs of src - y */
    size_t (*widen_sub_bracket[WB_DTYPE_COUNT])(size_t n, const void *src, const float *y,
                                                uint32_t low, uint32_t high,
                                                struct wb_bracket_counts *counts, uint32_t *list);
    /* pair_stats of two packed arrays */
    void (*pair_stats_packed[WB_DTYPE_COUNT])(size_t n, const void *x, const void *y,
                                              struct wb_pair_stats *acc, double lanes[4][WB_LANES]);
    /* x times its topmask */
    void (*topkeep_abs)(size_t n, const float *x, uint32_t threshold, uint64_t first,
                        uint64_t last_tie, float *out);
    void (*topkeep_signed)(size_t n, const float *x, uint32_t threshold, uint64_t first,
                           uint64_t last_tie, float *out);
};

/* The best table for this machine, chosen once; WB_KERNELS=scalar|avx2|avx512|neon forces one (an
 * unknown or unsupported name is ignored with the best taken; see wb_kernels_forced_error). */
const struct wb_kernels *wb_kernels(void);
/* Every table this machine can run, scalar first; *count of them. Borrowed, static. */
const struct wb_kernels *const *wb_kernels_all(size_t *count);
/* NULL, or what is wrong with the value of WB_KERNELS. */
const char *wb_kernels_forced_error(void);
/* Use this table from now on (tests, benchmarks); not while work is running. */
void wb_kernels_use(const struct wb_kernels *table);

double wb_lanes_fold(const double lanes[WB_LANES]);
/* Start, fold in the lanes, and combine (in index order) statistics. */
void wb_stats_start(struct wb_stats *s, double lanes[2][WB_LANES]);
void wb_stats_finish(struct wb_stats *s, double lanes[2][WB_LANES]);
void wb_stats_add(struct wb_stats *total, const struct wb_stats *part);
void wb_pair_stats_start(struct wb_pair_stats *s, double lanes[4][WB_LANES]);
void wb_pair_stats_finish(struct wb_pair_stats *s, double lanes[4][WB_LANES]);

/* The stream key of (seed, model index, tensor name): merge.md 18.7. */
uint64_t wb_random_stream(uint64_t seed, uint64_t model, const char *tensor_name);

#endif
