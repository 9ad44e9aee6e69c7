/* app/graph/node.h - lazy tensors: what to compute, not yet computed.
 *
 * A node is an immutable, reference-counted value with a shape, a dtype (what it would be
 * written as) and a structural hash. It lives in one of three domains, which follow from how it
 * was made:
 *
 *   STREAM  any size; evaluated tile by tile in float32, never whole in memory
 *   SMALL   reductions, constants and arithmetic among them; float64, kept
 *   BUFFER  results of dense algebra and of wb_node_hold; float32, whole in memory, counts against
 *           the budget
 *
 * Arithmetic of SMALL values alone is done in float64; as soon as a STREAM or BUFFER takes part
 * it is a float32 stream, with SMALL operands rounded to float32. Operands have equal shapes, or
 * one of them is 0-d (a scalar). Every constructor borrows its arguments and gives an owned
 * reference, or NULL with err: WB_ESHAPE for shapes that do not fit, WB_EARG for bad values. */
#ifndef WB_GRAPH_NODE_H
#define WB_GRAPH_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/core/hash.h"
#include "app/store/ckpt.h"
#include "app/tensor/dtype.h"
#include "app/tensor/kernels.h"

enum wb_domain { WB_STREAM, WB_SMALL, WB_BUFFER };
enum wb_axis {
    WB_AXIS_ALL,
    WB_AXIS_ROW,
    WB_AXIS_COLUMN
}; /* ROW: one value for each row (the first dimension) */
enum wb_reduce {
    WB_REDUCE_SUM,
    WB_REDUCE_SUM_ABS,
    WB_REDUCE_SUM_SQUARES,
    WB_REDUCE_DOT, /* two operands */
    WB_REDUCE_MIN,
    WB_REDUCE_MAX,
    WB_REDUCE_ABSMAX,
    WB_REDUCE_COUNT, /* of entries that are not 0 */
    WB_REDUCE_STATS, /* axis ALL: SMALL [9]: count nan inf zero sum sum_squares min max absmax */
    WB_REDUCE_PAIR_STATS, /* the same, two operands: count skipped same_sign unequal
                             xx yy xy dd max_abs */
};

struct wb_node;

struct wb_node *wb_node_ref(struct wb_node *node);
void wb_node_unref(struct wb_node *node); /* NULL is fine */

const struct wb_shape *wb_node_shape(const struct wb_node *node);
uint64_t wb_node_count(const struct wb_node *node);
enum wb_dtype wb_node_dtype(const struct wb_node *node);
enum wb_domain wb_node_domain(const struct wb_node *node);
struct wb_hash wb_node_hash(const struct wb_node *node);
/* Name of the tensor the node was read from (through `as`, views and guards), NULL for computed
 * ones. */
const char *wb_node_source_name(const struct wb_node *node);
/* The value of a 0-d constant; false for anything that needs evaluation. */
bool wb_node_constant(const struct wb_node *node, double *value);

/* Leaves. `model` is what errors call the model (copied). */
struct wb_node *wb_node_source(struct wb_ckpt *ck, size_t tensor, const char *model,
                               struct wb_err *err);
struct wb_node *wb_node_scalar(double value, struct wb_err *err);
struct wb_node *wb_node_array(const double *value, const struct wb_shape *shape,
                              struct wb_err *err);
struct wb_node *wb_node_fill(const struct wb_shape *shape, double value, struct wb_err *err);
/* Random streams, a function of seed, model index, tensor name and element index (merge.md
 * 18.7). */
struct wb_node *wb_node_uniform(const struct wb_shape *shape, uint64_t seed, uint64_t model,
                                const char *name, struct wb_err *err);
struct wb_node *wb_node_normal(const struct wb_shape *shape, uint64_t seed, uint64_t model,
                               const char *name, struct wb_err *err);
struct wb_node *wb_node_bernoulli(const struct wb_shape *shape, double p, uint64_t seed,
                                  uint64_t model, const char *name, struct wb_err *err);

/* Elementwise. */
struct wb_node *wb_node_unary(enum wb_unary op, struct wb_node *a, struct wb_err *err);
struct wb_node *wb_node_binary(enum wb_binary op, struct wb_node *a, struct wb_node *b,
                               struct wb_err *err);
struct wb_node *wb_node_where(struct wb_node *mask, struct wb_node *a, struct wb_node *b,
                              struct wb_err *err); /* mask != 0 ? a : b */
/* a + w (b - a), exact at w = 0 and 1 and where a == b; w is 0-d. */
struct wb_node *wb_node_lerp(struct wb_node *a, struct wb_node *b, struct wb_node *w,
                             struct wb_err *err);
struct wb_node *wb_node_fma(struct wb_node *a, struct wb_node *s, struct wb_node *c,
                            struct wb_err *err); /* a * s + c rounded once; s is 0-d */
struct wb_node *wb_node_clamp(struct wb_node *a, double low, double high, struct wb_err *err);
struct wb_node *wb_node_nan_to(struct wb_node *a, double value, struct wb_err *err);
/* Round every element to dtype (and back). */
struct wb_node *wb_node_cast(struct wb_node *a, enum wb_dtype dtype, struct wb_err *err);
/* The same values, to be written as dtype unless the run says otherwise; nothing is rounded
 * before. */
struct wb_node *wb_node_as(struct wb_node *a, enum wb_dtype dtype, struct wb_err *err);
/* The same values; evaluation fails with WB_ENUMERIC naming tensor, model, first flat index and
 * count when one is not finite. */
struct wb_node *wb_node_guard(struct wb_node *a, const char *model, const char *tensor,
                              struct wb_err *err);
/* v has one value a row (column): spread over shape, which has at least 2 dimensions (column:
 * the last). */
struct wb_node *wb_node_per_row(struct wb_node *v, const struct wb_shape *shape,
                                struct wb_err *err);
struct wb_node *wb_node_per_column(struct wb_node *v, const struct wb_shape *shape,
                                   struct wb_err *err);

/* Reductions: SMALL; 0-d, or [rows], or [columns]. A row is everything behind the first
 * dimension. b is NULL but for the two-operand ones. */
struct wb_node *wb_node_reduce(enum wb_reduce op, enum wb_axis axis, struct wb_node *a,
                               struct wb_node *b, struct wb_err *err);

/* How the entries of a are spread: SMALL [bins + 5] = entries in each bin, then below and above all
 * bins, zeros, NaN, infinities; a bin holds finite entries that are not 0. Bin i is
 * [low + i w, low + (i + 1) w), the last one has high too; log: the same of log2 |entry| between
 * log2 low and log2 high. low and high are 0-d. bins: 1 .. 1024. */
struct wb_node *wb_node_histogram(struct wb_node *a, struct wb_node *low, struct wb_node *high,
                                  uint64_t bins, bool log, struct wb_err *err);
/* Sums of products of n tensors (1 .. 512) of one shape, each with each, in one pass: SMALL [n, n].
 * An entry that is not finite spreads. */
struct wb_node *wb_node_gram(struct wb_node *const *a, size_t n, struct wb_err *err);

/* Selection. The k-th largest key (k from 1) among all entries of the n tensors a[] together, by
 * magnitude or (by_value) signed value: SMALL [3] = value, list position and flat index of the
 * last entry equal to it that belongs to the k largest (ties: lower position first, then lower
 * flat index). k is 0-d and clamped to [0, entries]; 0 selects nothing: value +inf. */
struct wb_node *wb_node_select(struct wb_node *const *a, size_t n, struct wb_node *k, bool by_value,
                               struct wb_err *err);
/* Mask of the entries of a that wb_node_select chose; a is its tensor number `position`. */
struct wb_node *wb_node_top(struct wb_node *a, struct wb_node *select, size_t position,
                            struct wb_err *err);
/* The same within each row: SMALL [rows, 2] = value, last column; and the mask. k as above
 * (0-d). */
struct wb_node *wb_node_select_rows(struct wb_node *a, struct wb_node *k, bool by_value,
                                    struct wb_err *err);
struct wb_node *wb_node_top_rows(struct wb_node *a, struct wb_node *select, struct wb_err *err);

/* SMALL arrays. item: element i (flat) of a SMALL value, 0-d. pack: 0-d values into one array of
 * that shape. */
struct wb_node *wb_node_item(struct wb_node *a, uint64_t i, struct wb_err *err);
struct wb_node *wb_node_pack(struct wb_node *const *a, size_t n, const struct wb_shape *shape,
                             struct wb_err *err);

/* Views: rows and columns picked, shape changed. They cost nothing on a tensor of a file and
 * hold anything else. Ranges are [first, last). idx: n numbers below the dimension; the result
 * has n rows (columns). */
struct wb_node *wb_node_rows(struct wb_node *a, uint64_t first, uint64_t last, struct wb_err *err);
struct wb_node *wb_node_columns(struct wb_node *a, uint64_t first, uint64_t last,
                                struct wb_err *err);
struct wb_node *wb_node_gather_rows(struct wb_node *a, const uint64_t *idx, size_t n,
                                    struct wb_err *err);
struct wb_node *wb_node_gather_columns(struct wb_node *a, const uint64_t *idx, size_t n,
                                       struct wb_err *err);
/* The same with indices that are computed: idx is SMALL [n] (an assignment, say). Held. */
struct wb_node *wb_node_gather_rows_by(struct wb_node *a, struct wb_node *idx, struct wb_err *err);
struct wb_node *wb_node_gather_columns_by(struct wb_node *a, struct wb_node *idx,
                                          struct wb_err *err);
struct wb_node *wb_node_reshape(struct wb_node *a, const struct wb_shape *shape,
                                struct wb_err *err);
struct wb_node *wb_node_transpose(struct wb_node *a, struct wb_err *err); /* 2-d; held */
struct wb_node *wb_node_cat(struct wb_node *const *a, size_t n, int axis,
                            struct wb_err *err); /* held */
struct wb_node *wb_node_hold(struct wb_node *a, struct wb_err *err);

/* Dense algebra on 2-d operands (app/graph/dense.h). Results are BUFFERs, or SMALL when every
 * operand is. */
struct wb_node *wb_node_matmul(struct wb_node *a, struct wb_node *b, struct wb_err *err);
/* out: u (m, r), s (r) SMALL, vt (r, n); r = rank cut to min(m, n), all of it for rank 0. All
 * three owned. */
bool wb_node_svd(struct wb_node *a, uint64_t rank, struct wb_node *out[3], struct wb_err *err);
bool wb_node_qr(struct wb_node *a, struct wb_node *out[2], struct wb_err *err); /* q, r */
bool wb_node_eigh(struct wb_node *a, struct wb_node *out[2],
                  struct wb_err *err); /* values SMALL, vectors */
struct wb_node *wb_node_inverse(struct wb_node *a, struct wb_err *err);
struct wb_node *wb_node_solve(struct wb_node *a, struct wb_node *b, struct wb_err *err);
struct wb_node *wb_node_least_squares(struct wb_node *a, struct wb_node *b, double ridge,
                                      struct wb_err *err);
struct wb_node *wb_node_assignment(struct wb_node *weight,
                                   struct wb_err *err); /* SMALL [n]: column of each row */

#endif
