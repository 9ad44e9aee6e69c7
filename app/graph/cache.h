/* app/graph/cache.h - what the evaluator keeps between evaluations (wb_cache of eval.h, from the
 * inside). */
#ifndef WB_GRAPH_CACHE_H
#define WB_GRAPH_CACHE_H

#include "app/core/hash.h"
#include "app/graph/eval.h"

/* An evaluation begins. What it uses or adds is not dropped before it ends, so that of a round of
 * work larger than the cache a part stays, in place of each entry pushing out the one needed next. */
void wb_cache_begin(struct wb_cache *cache);

/* Copy n bytes kept under key into dst; false when they are not there (a miss) or of another
 * length. */
bool wb_cache_get_bytes(struct wb_cache *cache, struct wb_hash key, void *dst, size_t n);
/* Keep a copy; drops the least recently used when full. Out of memory, or no room: nothing is
 * kept. */
void wb_cache_put_bytes(struct wb_cache *cache, struct wb_hash key, const void *bytes, size_t n);

/* Bytes read in place. Empty (all zero) after wb_cache_return. */
struct wb_cached {
    const void *bytes; /* aligned to 16; borrowed until wb_cache_return */
    size_t n;
    struct wb_cache_item *item;
};

/* What is kept under key; false when it is not there (a miss). Also valid once the cache has
 * dropped it, but not after wb_cache_free. */
bool wb_cache_borrow(struct wb_cache *cache, struct wb_hash key, struct wb_cached *out);
void wb_cache_return(struct wb_cached *cached); /* the empty value is fine */

#endif
