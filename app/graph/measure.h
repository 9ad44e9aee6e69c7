/* app/graph/measure.h - histograms and Gram matrices gathered from chunks. */
#ifndef WB_GRAPH_MEASURE_H
#define WB_GRAPH_MEASURE_H

#include "app/graph/drain.h"

/* Behind the bins of a histogram, in this order. */
enum {
    WB_BIN_BELOW,
    WB_BIN_ABOVE,
    WB_BIN_ZERO,
    WB_BIN_NAN,
    WB_BIN_INF,
    WB_BIN_EXTRAS,
};

/* The drain of a histogram or Gram node whose operands are ready; owned. NULL without memory. */
struct wb_drain *wb_measure_drain(struct wb_held *held, const struct wb_held_table *table);
/* Sums of a span, and room for a chunk of each operand. NULL without memory; owned. */
double *wb_measure_span(const struct wb_drain *d);
void wb_measure_bins(struct wb_drain *d, size_t n, const float *x);
/* Operands come one after the other, all with the same chunk. */
void wb_measure_gram(const struct wb_drain *d, struct wb_drain_state *s, size_t n, const float *x);
/* What was gathered into the held value; sums of a sample are scaled to the whole. */
void wb_measure_finish(struct wb_drain *d, const struct wb_geometry *g);

#endif
