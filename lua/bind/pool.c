/* lua/bind/pool.c - see pool.h. Slabs are carved from the front and given back all at once. */
#include "lua/bind/pool.h"

#include <stdbool.h>
#include <stdlib.h>

#define SLAB_BYTES ((size_t)65536)

struct wb_pool_slab {
    struct wb_pool_slab *next;
    max_align_t first[];
};

static size_t class_of(size_t size)
{
    return (size + WB_POOL_STEP - 1) / WB_POOL_STEP;
}

static bool grow(struct wb_pool *pool, uint64_t max_bytes)
{
    struct wb_pool_slab *slab;

    if (pool->bytes + SLAB_BYTES > max_bytes || (slab = malloc(SLAB_BYTES)) == NULL)
        return false;
    slab->next = pool->slab;
    pool->slab = slab;
    pool->next = (char *)slab->first;
    pool->left = SLAB_BYTES - offsetof(struct wb_pool_slab, first);
    pool->bytes += SLAB_BYTES;
    return true;
}

void *wb_pool_get(struct wb_pool *pool, size_t size, uint64_t max_bytes)
{
    size_t class = class_of(size), bytes = class * WB_POOL_STEP;
    void *block = pool->spare[class];

    if (block != NULL) {
        pool->spare[class] = *(void **)block;
        return block;
    }
    if (pool->left < bytes && !grow(pool, max_bytes))
        return NULL;
    block = pool->next;
    pool->next += bytes;
    pool->left -= bytes;
    return block;
}

void wb_pool_put(struct wb_pool *pool, void *block, size_t size)
{
    size_t class = class_of(size);

    *(void **)block = pool->spare[class];
    pool->spare[class] = block;
}

void wb_pool_free(struct wb_pool *pool)
{
    for (struct wb_pool_slab *slab = pool->slab, *next; slab != NULL; slab = next) {
        next = slab->next;
        free(slab);
    }
    *pool = (struct wb_pool){ 0 };
}
