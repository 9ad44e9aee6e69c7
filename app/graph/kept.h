/* app/graph/kept.h - packed elements that stay in memory from one pass of a job to the next.
 *
 * A job that goes over its sources more than once keeps the tiles of the first pass, as many as
 * it was given room for: later passes read no file. One piece of memory serves all jobs at work.
 * It holds copies alone, so that no result depends on what is kept. */
#ifndef WB_GRAPH_KEPT_H
#define WB_GRAPH_KEPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/graph/geometry.h"
#include "app/graph/node.h"

/* The first tiles of one tensor. */
struct wb_kept_tensor {
    const struct wb_node *source; /* borrowed from the job */
    uint8_t *bytes;
    size_t tile_bytes;    /* from one tile to the next */
    size_t tiles;         /* those that have a place */
    atomic_uchar *filled; /* by tile; owned by the job's struct wb_kept */
};

/* The tensors of one job. */
struct wb_kept {
    size_t from, bytes; /* its stretch of the pool */
    size_t tensors;
    struct wb_kept_tensor *tensor;
    atomic_uchar *filled;
};

/* Memory for all jobs at work; made and freed by one thread, shared under its owner's lock. */
struct wb_kept_pool;

/* `bytes` of address space, touched as it is used. NULL: there is none, and nothing is kept. */
struct wb_kept_pool *wb_kept_pool_new(size_t bytes);
void wb_kept_pool_free(struct wb_kept_pool *pool); /* NULL is fine */
/* Places for as much of the sources as there is room for. NULL: nothing is kept. Owned. */
struct wb_kept *wb_kept_new(struct wb_kept_pool *pool, const struct wb_node *const *source,
                            size_t count);
void wb_kept_free(struct wb_kept_pool *pool, struct wb_kept *kept); /* NULL is fine */
/* What is kept of a source when its tiles are cut as `geometry` says; NULL: nothing. Borrowed. */
struct wb_kept_tensor *wb_kept_find(const struct wb_kept *kept, const struct wb_node *source,
                                    const struct wb_geometry *geometry);

/* The place of a tile; NULL: it has none, or another thread is filling it. Unless *filled the caller
 * fills it and says wb_kept_done. */
uint8_t *wb_kept_claim(struct wb_kept_tensor *tensor, size_t tile, bool *filled);
/* ok = false: the bytes did not come, whoever is next may try. */
void wb_kept_done(struct wb_kept_tensor *tensor, size_t tile, bool ok);

/* `dst`, or WB_TILE_SHIFT bytes behind, for bytes that are copied from place `from` of a file.
 * Processors copy four times slower to a place just ahead of the source modulo 4096, where every
 * load waits for the store before it. */
#define WB_TILE_SHIFT 64
uint8_t *wb_clear_of(uint64_t from, uint8_t *dst);

#endif
