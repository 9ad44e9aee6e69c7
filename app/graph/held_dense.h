/* app/graph/held_dense.h - dense nodes: from held operands through app/graph/dense.h to held
 * results. */
#ifndef WB_GRAPH_HELD_DENSE_H
#define WB_GRAPH_HELD_DENSE_H

#include "app/graph/held.h"

/* Matrices of up to this many entries together are computed in double, larger ones in float32. */
#define WB_DENSE_F64_MAX ((uint64_t)1 << 18)

bool wb_held_dense(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err);

#endif
