/* app/graph/cache.h - what the evaluator keeps between evaluations (wb_cache of eval.h, from the
 * inside). */
#ifndef WB_GRAPH_CACHE_H
#define WB_GRAPH_CACHE_H

#include "app/core/hash.h"
#include "app/graph/eval.h"

/* Copy n bytes kept under key into dst; false when they are not there (a miss) or of another
 * length. */
bool wb_cache_get_bytes(struct wb_cache *cache, struct wb_hash key, void *dst, size_t n);
/* Keep a copy; drops the least recently used when full. Out of memory: nothing is kept. */
void wb_cache_put_bytes(struct wb_cache *cache, struct wb_hash key, const void *bytes, size_t n);

#endif
