/* app/probe/weights.h - figures of single tensors: mean, spread, norm, zeros, NaN. */
#ifndef WB_PROBE_WEIGHTS_H
#define WB_PROBE_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"

/* NaN where a figure does not exist: no entries, or a dtype that cannot be computed with. */
struct wb_weight_stats {
    double mean, std; /* of the finite entries; std with 1/n */
    double absmax;    /* of all but NaN */
    double l2;        /* of the finite entries */
    double sparsity;  /* share of entries that are exactly 0 */
    double nan, inf;  /* how many */
};

/* From a WB_REDUCE_STATS. */
struct wb_weight_stats wb_weight_figures(const double v[9]);

/* out[i] belongs to entry[i]; every tensor is read once. */
bool wb_weights_stats(const struct wb_eval *how, const struct wb_entry *const *entry, size_t count,
                      struct wb_weight_stats *out, struct wb_err *err);

#endif
