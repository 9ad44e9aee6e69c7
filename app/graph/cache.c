/* app/graph/cache.c - bytes by hash, least recently used ones dropped first. */
#include "app/graph/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a power of two */

struct item {
    struct item *next; /* in the bucket */
    struct item *newer, *older;
    struct wb_hash key;
    size_t n;
    _Alignas(16) unsigned char bytes[];
};

struct wb_cache {
    pthread_mutex_t lock;
    struct item *bucket[BUCKETS];
    struct item *newest, *oldest;
    uint64_t max_bytes;
    struct wb_cache_counts counts;
};

struct wb_cache *wb_cache_new(uint64_t max_bytes)
{
    struct wb_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    pthread_mutex_init(&cache->lock, NULL);
    cache->max_bytes = max_bytes;
    return cache;
}

static void unlink_item(struct wb_cache *cache, struct item *item)
{
    *(item->newer == NULL ? &cache->newest : &item->newer->older) = item->older;
    *(item->older == NULL ? &cache->oldest : &item->older->newer) = item->newer;
}

static void link_newest(struct wb_cache *cache, struct item *item)
{
    item->newer = NULL;
    item->older = cache->newest;
    *(cache->newest == NULL ? &cache->oldest : &cache->newest->newer) = item;
    cache->newest = item;
}

static void drop(struct wb_cache *cache, struct item *item)
{
    struct item **at = &cache->bucket[item->key.low & (BUCKETS - 1)];

    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    unlink_item(cache, item);
    cache->counts.bytes -= item->n;
    cache->counts.entries--;
    free(item);
}

static struct item *find(struct wb_cache *cache, struct wb_hash key)
{
    struct item *item = cache->bucket[key.low & (BUCKETS - 1)];

    while (item != NULL && !wb_hash_equal(item->key, key))
        item = item->next;
    return item;
}

bool wb_cache_get_bytes(struct wb_cache *cache, struct wb_hash key, void *dst, size_t n)
{
    struct item *item;
    bool hit;

    pthread_mutex_lock(&cache->lock);
    item = find(cache, key);
    hit = item != NULL && item->n == n;
    if (hit) {
        memcpy(dst, item->bytes, n);
        unlink_item(cache, item);
        link_newest(cache, item);
        cache->counts.hits++;
    } else {
        cache->counts.misses++;
    }
    pthread_mutex_unlock(&cache->lock);
    return hit;
}

void wb_cache_put_bytes(struct wb_cache *cache, struct wb_hash key, const void *bytes, size_t n)
{
    struct item *item, *old, *next;

    if (n > cache->max_bytes / 4 || (item = malloc(sizeof *item + n)) == NULL)
        return;
    item->key = key;
    item->n = n;
    memcpy(item->bytes, bytes, n);
    pthread_mutex_lock(&cache->lock);
    old = find(cache, key);
    if (old != NULL)
        drop(cache, old);
    for (old = cache->oldest; old != NULL && cache->counts.bytes + n > cache->max_bytes;
         old = next) {
        next = old->newer;
        drop(cache, old);
    }
    item->next = cache->bucket[key.low & (BUCKETS - 1)];
    cache->bucket[key.low & (BUCKETS - 1)] = item;
    link_newest(cache, item);
    cache->counts.bytes += n;
    cache->counts.entries++;
    pthread_mutex_unlock(&cache->lock);
}

void wb_cache_clear(struct wb_cache *cache)
{
    struct item *item, *newer;

    pthread_mutex_lock(&cache->lock);
    item = cache->oldest;
    memset(cache->bucket, 0, sizeof cache->bucket);
    cache->oldest = cache->newest = NULL;
    cache->counts.bytes = cache->counts.entries = 0;
    for (; item != NULL; item = newer) {
        newer = item->newer;
        free(item);
    }
    pthread_mutex_unlock(&cache->lock);
}

void wb_cache_free(struct wb_cache *cache)
{
    if (cache == NULL)
        return;
    wb_cache_clear(cache);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

struct wb_cache_counts wb_cache_counts(struct wb_cache *cache)
{
    struct wb_cache_counts counts;

    pthread_mutex_lock(&cache->lock);
    counts = cache->counts;
    pthread_mutex_unlock(&cache->lock);
    return counts;
}
