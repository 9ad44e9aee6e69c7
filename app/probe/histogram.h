/* app/probe/histogram.h - one tensor close up: how its values lie, dead rows, exact numbers.
 *
 * All of it reads through wb_evaluate, so an unwritten tensor of a pipeline does as well as one of
 * a file. how.cancel and how.progress work as there. */
#ifndef WB_PROBE_HISTOGRAM_H
#define WB_PROBE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/node.h"
#include "app/probe/weights.h"

#define WB_HISTOGRAM_BINS_MAX 512
#define WB_HISTOGRAM_DEAD_MAX 64
#define WB_SLICE_MAX 4096 /* entries of a slice */

struct wb_histogram_ask {
    size_t bins; /* 1 .. WB_HISTOGRAM_BINS_MAX */
    bool log;    /* bins of equal ratio over the magnitude, else of equal width over the value */
    double low,
        high;  /* range; low == high: [-absmax, absmax], or [absmax * 2^-24, absmax] of log */
    bool dead; /* look for dead rows and columns too; left out of a sample */
};

/* Rows (or columns) without a single entry that is finite and not 0. */
struct wb_dead {
    uint64_t count;   /* of them */
    uint64_t strange; /* of these, how many have entries that are not finite */
    uint64_t first[WB_HISTOGRAM_DEAD_MAX];
    size_t listed;
};

/* Counts of a sample are estimates for the whole tensor. */
struct wb_histogram {
    size_t bins;
    double low, high; /* bin i holds [low + i w, low + (i + 1) w), the last one high as well */
    double bin[WB_HISTOGRAM_BINS_MAX]; /* finite entries that are not 0 */
    double below, above;               /* of those, outside of the range */
    double zero, nan, inf, count;
    struct wb_weight_stats stats;
    bool sampled, has_dead; /* has_dead: two dimensions, and asked for */
    struct wb_dead row, column;
};

/* WB_ESHAPE for dtypes that cannot be computed with, WB_EARG for a bad range or number of bins. */
bool wb_histogram_compute(const struct wb_eval *how, struct wb_node *node,
                          const struct wb_histogram_ask *ask, struct wb_histogram *out,
                          struct wb_err *err);
/* Edge number i (0 .. bins) of the bins. */
double wb_histogram_edge(const struct wb_histogram *h, bool log, size_t i);

/* Rows and columns are those of app/graph/node.h: a row is all behind the first dimension; a tensor
 * of one dimension is a row. Ranges are [first, last). */
struct wb_slice {
    uint64_t row_first, row_last, column_first, column_last;
};

/* Values as the engine sees them (float32), row by row into value, which has room for all of the
 * slice, at most WB_SLICE_MAX. A tensor of a file is read there alone; of a computed one everything
 * is computed, in bounded memory. */
bool wb_slice_values(const struct wb_eval *how, struct wb_node *node, const struct wb_slice *slice,
                     double *value, struct wb_err *err);

#endif
