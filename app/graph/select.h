/* app/graph/select.h - the exact k-th largest of tensors that are streamed, and where its ties
 * are cut.
 *
 * A probe of some ten thousand entries brackets the answer; one pass over everything counts what
 * lies above and at the ends of the bracket and lists the few keys inside. The counts prove
 * whether the answer is in the bracket; if it is not (or the list grew too long) two histogram
 * passes find it (merge.md 18.1) and a third counts its ties. */
#ifndef WB_GRAPH_SELECT_H
#define WB_GRAPH_SELECT_H

#include "app/graph/program.h"

#define WB_SELECT_ALL_TIES 9007199254740991.0 /* 2^53 - 1: behind every index */

struct wb_select;

/* For a SELECT node whose k is ready. list_max_keys bounds the keys listed at a time. NULL with
 * err. */
struct wb_select *wb_select_new(const struct wb_held_table *table, const struct wb_node *node,
                                uint64_t list_max_keys, struct wb_err *err);
void wb_select_free(struct wb_select *s); /* NULL is fine */
/* The pass it needs next: for each tensor of the node a drain, over this extent. */
enum wb_extent wb_select_extent(const struct wb_select *s);
struct wb_drain *wb_select_drain(struct wb_select *s, size_t i);
/* The pass was made. *done with the three values of the node, or another pass is needed. */
bool wb_select_advance(struct wb_select *s, struct wb_work *work, const struct wb_context *cx,
                       double value[3], bool *done, struct wb_err *err);
/* Nothing to select from, or k = 0: known without a pass. */
bool wb_select_trivial(const struct wb_select *s, double value[3]);

#endif
