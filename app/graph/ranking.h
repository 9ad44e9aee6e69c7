/* app/graph/ranking.h - the entries of a stream's sample in order of their keys.
 *
 * Finding one k-th largest is cheaper than sorting, but a knob that turns k asks again and again:
 * a ranking answers every k at once, so it is what the cache of results keeps. */
#ifndef WB_GRAPH_RANKING_H
#define WB_GRAPH_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/graph/cache.h"

struct wb_ranking_body;

/* Zeroed when there is none yet. */
struct wb_ranking {
    const struct wb_ranking_body *body; /* owned, or borrowed from the cache */
    size_t bytes;
    void *owned;
    struct wb_cached cached;
};

/* Rank n keys (by position: key[i] belongs to entry i). The largest key comes first, equal ones by
 * position. n at most 2^32. */
bool wb_ranking_build(struct wb_ranking *r, const uint32_t *key, size_t n, struct wb_err *err);
void wb_ranking_free(struct wb_ranking *r);

/* Through the cache (may be NULL). */
bool wb_ranking_recall(struct wb_ranking *r, struct wb_cache *cache, struct wb_hash name, size_t n);
void wb_ranking_keep(const struct wb_ranking *r, struct wb_cache *cache, struct wb_hash name);

/* Entries with a key of at least this. */
size_t wb_ranking_count(const struct wb_ranking *r, uint32_t key);
/* The position of the entry of rank i, from 0. */
size_t wb_ranking_position(const struct wb_ranking *r, size_t i);

#endif
