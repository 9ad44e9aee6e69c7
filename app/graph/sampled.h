/* app/graph/sampled.h - selecting on a sample: the k-th largest of what is looked at, with k in
 * proportion, and where its ties are cut. The values are those that select.h gives for all. */
#ifndef WB_GRAPH_SAMPLED_H
#define WB_GRAPH_SAMPLED_H

#include "app/graph/program.h"

struct wb_sampled;

/* For a SELECT node whose k is ready. NULL with err. */
struct wb_sampled *wb_sampled_new(const struct wb_held_table *table, const struct wb_node *node,
                                  struct wb_cache *cache, struct wb_err *err);
void wb_sampled_free(struct wb_sampled *s); /* NULL is fine */
/* Known without a pass: nothing to select, or the cache has all that is needed. */
bool wb_sampled_known(const struct wb_sampled *s);
/* Else: what it needs of tensor i of the node, over its sample; NULL: nothing. Borrowed. */
struct wb_drain *wb_sampled_drain(struct wb_sampled *s, size_t i);
/* The three values of the node; the pass was made, or none was needed. */
bool wb_sampled_finish(struct wb_sampled *s, double value[3], struct wb_err *err);

#endif
