/* app/graph/held.h - values that are kept during an evaluation, and the arithmetic among them.
 *
 * One entry for each distinct held node (by structural hash). SMALL values are doubles, BUFFERs
 * are float32. */
#ifndef WB_GRAPH_HELD_H
#define WB_GRAPH_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/graph/dense.h"
#include "app/graph/node.h"

struct wb_sampled;
struct wb_select;

struct wb_held {
    struct wb_node *node; /* borrowed from the targets */
    bool ready, unknown;  /* unknown: a sample cannot tell; small values are NaN, buffers missing */
    bool cached;          /* came from, or went into, the cache */
    double *f64;          /* SMALL: count of them */
    float *f32;           /* BUFFER */
    struct wb_mat part[3];      /* results of a decomposition until their PART nodes take them */
    struct wb_select *select;   /* a selection in progress */
    struct wb_sampled *sampled; /* the same on a sample */
    size_t job, users;          /* the job that computes it; jobs that still need it */
    size_t used_by;             /* 1 + the last job that was counted in users */
    unsigned level;             /* passes over data, within its job, until it is there */
    struct wb_held **dep;       /* held values it needs at once; owned */
    size_t deps;
};

struct wb_held_slot {
    uint64_t low; /* of the node's hash: a look at another entry's memory saved */
    struct wb_held *held;
};

/* By hash. Grows; entries are stable in memory. */
struct wb_held_table {
    struct wb_held_slot *slot; /* open addressing */
    size_t size, count;
};

/* The entry of a node, NULL when there is none. */
struct wb_held *wb_held_find(const struct wb_held_table *table, const struct wb_node *node);
/* A new entry; NULL when memory is out. */
struct wb_held *wb_held_add(struct wb_held_table *table, struct wb_node *node);
void wb_held_table_free(struct wb_held_table *table);
/* Drop the values, keep the entry. */
void wb_held_drop(struct wb_held *held);

/* Does the node's value follow from held values alone (true), or does it stream over its inputs? */
bool wb_held_is_local(const struct wb_node *node);
/* Compute such a node; everything it needs is ready. */
bool wb_held_compute(const struct wb_held_table *table, struct wb_held *held, struct wb_err *err);
/* Bytes that holding it takes, working memory of dense algebra included. */
uint64_t wb_held_bytes(const struct wb_node *node);

#endif
