/* app/probe/heads.h - what attention heads do: on a text, on repeated random tokens, and by their
 * weights alone (inspect I4 to I6).
 *
 * Every statistic is a layers x heads grid (of kv groups: layers x kv_heads), NaN where it does not
 * exist. */
#ifndef WB_PROBE_HEADS_H
#define WB_PROBE_HEADS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/infer/forward.h"

/* X(name, low, high, doc): statistics on a text. low, high: natural range, equal where there is
 * none. */
/* clang-format off */
#define WB_HEAD_TEXT_STATS(X)                                                             \
    X(entropy, 0, 0, "mean entropy of a query's weights, nats")                           \
    X(entropy_share, 0, 1, "entropy over ln of the keys seen")                            \
    X(effective, 0, 0, "mean exp(entropy): keys in effect")                               \
    X(max_weight, 0, 1, "mean largest weight of a query")                                 \
    X(distance, 0, 0, "mean distance to the keys, tokens")                                \
    X(local, 0, 1, "mass within 32 tokens")                                               \
    X(sink, 0, 1, "mass on the first token")                                              \
    X(sink4, 0, 1, "mass on the first four")                                              \
    X(previous, 0, 1, "weight on the token before")                                       \
    X(self, 0, 1, "weight on itself")                                                     \
    X(duplicate, 0, 1, "on repeated random tokens: weight on the same token before")      \
    X(induction, 0, 1, "on repeated random tokens: weight on what followed it")           \
    X(positional, 0, 1, "correlation with the mean over diagonals")                       \
    X(retrieval, 0, 0, "needle tokens copied from where it looks, a step (I5.1)")         \
    X(reuse, 0, 1, "overlap of the top keys with the layer below's (I5.3)")               \
    X(reuse_mass, 0, 1, "mass on the layer below's top keys")                             \
    X(demand, 0, 1, "mass later layers put on its top keys")                              \
    X(write_norm, 0, 0, "mean norm of what the head adds to the stream")
/* Statistics from weights alone. Compositions go a little below 0 where there is less than by
 * chance. */
#define WB_HEAD_WEIGHT_STATS(X)                                                           \
    X(q_norm, 0, 0, "Frobenius norm of the query rows")                                   \
    X(k_norm, 0, 0, "of the key rows (of its group)")                                     \
    X(v_norm, 0, 0, "of the value rows (of its group)")                                   \
    X(o_norm, 0, 0, "of the output columns")                                              \
    X(qk_norm, 0, 0, "Frobenius norm of the QK circuit")                                  \
    X(qk_spectral, 0, 0, "its largest singular value")                                    \
    X(qk_symmetric, 0, 1, "its symmetric share")                                          \
    X(ov_norm, 0, 0, "Frobenius norm of the OV circuit")                                  \
    X(ov_spectral, 0, 0, "its largest singular value")                                    \
    X(copying, -1, 1, "eigenvalues of the OV circuit between the vocabularies: sum over sum of " \
                      "magnitudes")                                                       \
    X(copying_residual, -1, 1, "the same of OV within the stream")                        \
    X(k_composition, 0, 1, "largest K-composition with an earlier head, baseline taken off") \
    X(q_composition, 0, 1, "of Q")                                                        \
    X(v_composition, 0, 1, "of V")                                                        \
    X(dead, 0, 1, "1: OV norm below a thousandth of the layer's median")
/* clang-format on */

enum wb_head_stat {
#define X(name, low, high, doc) WB_HEAD_##name,
    WB_HEAD_TEXT_STATS(X) WB_HEAD_WEIGHT_STATS(X)
#undef X
        WB_HEAD_STAT_COUNT
};

struct wb_head_stat_info {
    const char *name, *doc;
    double low, high;
    bool weights; /* from weights alone */
    bool pairs;   /* of those, the ones of every pair of layers: the part `composition` */
};
const struct wb_head_stat_info *wb_head_stat_info(enum wb_head_stat stat);
/* WB_HEAD_STAT_COUNT when there is none of that name. */
enum wb_head_stat wb_head_stat_find(const char *name);

/* What a head is, by the thresholds of inspect I4 (previous > 0.4, induction > 0.3, sink > 0.5,
 * local > 0.7) and I5 (retrieval > 0.1), as bits. */
enum wb_head_role {
    WB_HEAD_IS_PREVIOUS = 1,
    WB_HEAD_IS_INDUCTION = 2,
    WB_HEAD_IS_SINK = 4,
    WB_HEAD_IS_LOCAL = 8,
    WB_HEAD_IS_RETRIEVAL = 16,
    WB_HEAD_IS_DEAD = 32,
};

struct wb_heads {
    int layers, heads, kv_heads;
    double *stat[WB_HEAD_STAT_COUNT]; /* [layers, heads]; NULL: not computed */
    double *group_similarity; /* [layers, kv_heads, kv_heads] of k and of v (I6.5), or NULL */
    double *group_similarity_v;
    size_t rows;             /* positions of the text */
    bool sampled_vocabulary; /* copying from a sample of tokens */
    bool nonfinite; /* a weight of attention, or a weight of the model, was NaN or infinite:
                              * what came of it is NaN */
};

/* Rows that see too few keys to tell are left out of the means: those that see one of entropy_share,
 * previous and sink, those that see four of sink4, those that see no further than `local` of local.
 * reuse, reuse_mass and demand are of the last position of sequences longer than `top`; query heads
 * that share keys share them. Statistics of weights have the norm in front folded in (I6). */
struct wb_heads_how {
    bool text, repeated, weights, retrieval; /* which parts */
    bool composition; /* weights, and a large product for every pair of layers: minutes for billions
                       * of parameters */
    int top;          /* keys of a head's set (I5.3); 0: 32 */
    int local;        /* tokens; 0: 32 */
    uint64_t seed;    /* of random tokens and baselines */
    bool (*report)(void *ctx, const struct wb_heads *so_far); /* false cancels; may be NULL */
    void *ctx;
};

/* rows: windows of the text (NULL without `text`). Free with wb_heads_free. */
bool wb_heads_run(struct wb_net *net, const struct wb_rows *rows, const struct wb_heads_how *how,
                  struct wb_heads *out, struct wb_err *err);
void wb_heads_free(struct wb_heads *h);
unsigned wb_heads_role(const struct wb_heads *h, int layer, int head);
/* Heads in the order of their retrieval priority (1 - reuse_mass) demand, layer 0 first (I5.3):
 * order has room for layers * heads. */
void wb_heads_by_priority(const struct wb_heads *h, int *order);

/* Ablation: for every head the rise of the mean NLL of rows with that head silenced; layers * heads
 * passes. out [layers, heads]. */
bool wb_heads_ablate(struct wb_net *net, const struct wb_rows *rows,
                     bool (*report)(void *ctx, const double *so_far, size_t done), void *ctx,
                     double *out, struct wb_err *err);

/* Pieces of it, pure. */

/* Statistics of one row of softmaxed weights: position p sees keys first .. end - 1. */
struct wb_head_row {
    double entropy, max, distance, local, sink, sink4, previous, self;
};
struct wb_head_row wb_head_row_of(const float *weight, size_t p, size_t first, size_t end,
                                  size_t local);
/* Correlation of weights [n, n] with the mean over their diagonals, over what is seen (causal: keys
 * up to the own position); NaN where they do not vary. */
double wb_head_positional(const float *weight, size_t n, bool causal);
/* The k largest of n weights (of equals the first), by position in ascending order; NaN is never
 * among them. Gives how many there are. */
size_t wb_head_top(const float *weight, size_t n, size_t k, int32_t *out);
double wb_head_overlap(const int32_t *a, const int32_t *b, size_t k); /* share of k in both */
double wb_head_mass(const float *weight, const int32_t *set, size_t k);
/* Steps of decoding: at each the position looked at most and the token that was chosen. The needle
 * is prompt[first .. end - 1]. per_step: hits / length of the needle; set (may be NULL): different
 * tokens of the needle that were hit, of all its different ones. */
void wb_head_retrieval(const int32_t *prompt, size_t first, size_t end, const size_t *looked,
                       const int32_t *chosen, size_t steps, double *per_step, double *set);

/* The weights of one head over one sequence: [n, n], 0 where masked; n = positions. Owned (free). */
float *wb_heads_pattern(struct wb_net *net, const int32_t *token, size_t n, int layer, int head,
                        struct wb_err *err);

#endif
