/* app/probe/delta.h - two models tensor by tensor: how far apart, and in which direction.
 *
 * Everything comes from sums over pairs of entries (x of A, y of B), which add up over tensors:
 * a layer's figures are exact, not means of its tensors'. Pairs where one is not finite are left
 * out and counted. */
#ifndef WB_PROBE_DELTA_H
#define WB_PROBE_DELTA_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

/* In the order of WB_REDUCE_PAIR_STATS. */
enum wb_pair_field {
    WB_PAIR_COUNT,
    WB_PAIR_SKIPPED,
    WB_PAIR_SAME_SIGN, /* zeros agree with zeros alone */
    WB_PAIR_UNEQUAL,
    WB_PAIR_XX,
    WB_PAIR_YY,
    WB_PAIR_XY,
    WB_PAIR_DD, /* of (y - x)^2 */
    WB_PAIR_MAX_ABS,
    WB_PAIR_FIELDS
};

struct wb_delta {
    double v[WB_PAIR_FIELDS];
};

enum wb_delta_metric { WB_DELTA_COSINE, WB_DELTA_RELATIVE_L2, WB_DELTA_SIGN };

/* Figures; NaN for 0/0 and where no pair was counted. */
double wb_delta_l2(const struct wb_delta *d);
double wb_delta_relative_l2(const struct wb_delta *d); /* |y - x| / |x|, 0 when nothing differs */
double wb_delta_cosine(const struct wb_delta *d);      /* 1 when nothing differs and x is not 0 */
double wb_delta_sign(const struct wb_delta *d);        /* share of pairs of one sign */
double wb_delta_max_abs(const struct wb_delta *d);
double wb_delta_get(const struct wb_delta *d, enum wb_delta_metric metric);
void wb_delta_add(struct wb_delta *total, const struct wb_delta *part);

struct wb_delta_tensor {
    const struct wb_entry *a, *b; /* borrowed from the models */
    bool numbers;    /* sum is there; else the dtype can only be compared byte by byte */
    bool same_bytes; /* of those */
    bool alias;      /* another name of a tensor that is compared as well: counted once */
    struct wb_delta sum;
};

/* One line of an aggregate: the tensors of one layer. */
struct wb_delta_layer {
    const char *stack; /* "", "encoder", … */
    int layer;         /* -1: all tensors that belong to none */
    struct wb_delta sum;
};

struct wb_delta_list {
    struct wb_delta_tensor *tensor; /* in the order of A */
    size_t count;
    const struct wb_entry **only_a, **only_b,
        **mismatched; /* mismatched: entries of A with another shape in B (or base) */
    size_t only_as, only_bs, mismatches;
    struct wb_arena arena;
};

/* Compare every tensor the models share, each read once. match: a glob over names, NULL for all.
 * base: compare A - base with B - base (a tensor that base lacks is a mismatch); NULL: A with B.
 * Free with wb_delta_free. */
bool wb_delta_compare(const struct wb_eval *how, const struct wb_model *a, const struct wb_model *b,
                      const struct wb_model *base, const char *match, struct wb_delta_list *out,
                      struct wb_err *err);
void wb_delta_free(struct wb_delta_list *list);

/* Sums per layer, in order of stack and layer, what belongs to no layer last; in the list's
 * arena. NULL without memory. */
struct wb_delta_layer *wb_delta_layers(struct wb_delta_list *list, size_t *count);
/* Sum over all tensors. */
struct wb_delta wb_delta_total(const struct wb_delta_list *list);

/* A grid of sums: a row a layer, a column a role. Cells without a pair give NaN. */
struct wb_delta_grid {
    const struct wb_delta_layer *row;
    size_t rows;
    const char **column;
    size_t columns;
    struct wb_delta *cell; /* rows * columns */
};
bool wb_delta_grid(struct wb_delta_list *list, struct wb_delta_grid *out, struct wb_err *err);

#endif
