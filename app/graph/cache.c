/* app/graph/cache.c - bytes by hash, least recently used ones dropped first.
 *
 * An entry is counted: the table holds one reference, every borrower another. */
#include "app/graph/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN ((size_t)4096) /* a power of two */

struct wb_cache_item {
    struct wb_cache_item *next; /* in the bucket */
    struct wb_cache_item *newer, *older;
    struct wb_hash key;
    size_t n;
    uint64_t round; /* of its last use */
    _Atomic unsigned refs;
    _Alignas(16) unsigned char bytes[];
};

struct wb_cache {
    pthread_mutex_t lock;
    struct wb_cache_item **bucket;
    size_t buckets;
    struct wb_cache_item *newest, *oldest;
    uint64_t max_bytes, round;
    struct wb_cache_counts counts;
};

struct wb_cache *wb_cache_new(uint64_t max_bytes)
{
    struct wb_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    cache->bucket = calloc(BUCKETS_MIN, sizeof *cache->bucket);
    if (cache->bucket == NULL) {
        free(cache);
        return NULL;
    }
    cache->buckets = BUCKETS_MIN;
    pthread_mutex_init(&cache->lock, NULL);
    cache->max_bytes = max_bytes;
    return cache;
}

/* What an entry of n bytes takes. */
static size_t room_of(size_t n)
{
    return (sizeof(struct wb_cache_item) + n + 15) & ~(size_t)15;
}

static void unref(struct wb_cache_item *item)
{
    if (atomic_fetch_sub_explicit(&item->refs, 1, memory_order_acq_rel) == 1)
        free(item);
}

static struct wb_cache_item **bucket_of(const struct wb_cache *cache, struct wb_hash key)
{
    return &cache->bucket[key.low & (cache->buckets - 1)];
}

static void unlink_item(struct wb_cache *cache, struct wb_cache_item *item)
{
    *(item->newer == NULL ? &cache->newest : &item->newer->older) = item->older;
    *(item->older == NULL ? &cache->oldest : &item->older->newer) = item->newer;
}

static void link_newest(struct wb_cache *cache, struct wb_cache_item *item)
{
    item->newer = NULL;
    item->older = cache->newest;
    *(cache->newest == NULL ? &cache->oldest : &cache->newest->newer) = item;
    cache->newest = item;
}

static void drop(struct wb_cache *cache, struct wb_cache_item *item)
{
    struct wb_cache_item **at = bucket_of(cache, item->key);

    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    unlink_item(cache, item);
    cache->counts.bytes -= room_of(item->n);
    cache->counts.entries--;
    unref(item);
}

/* Without memory the chains grow longer. */
static void grow(struct wb_cache *cache)
{
    size_t old = cache->buckets;
    struct wb_cache_item **from = cache->bucket, **bigger = calloc(old * 2, sizeof *bigger);

    if (bigger == NULL)
        return;
    cache->bucket = bigger;
    cache->buckets = old * 2;
    for (size_t i = 0; i < old; i++)
        for (struct wb_cache_item *item = from[i], *next; item != NULL; item = next) {
            struct wb_cache_item **at = bucket_of(cache, item->key);

            next = item->next;
            item->next = *at;
            *at = item;
        }
    free(from);
}

static struct wb_cache_item *find(const struct wb_cache *cache, struct wb_hash key)
{
    struct wb_cache_item *item = *bucket_of(cache, key);

    while (item != NULL && !wb_hash_equal(item->key, key))
        item = item->next;
    return item;
}

/* Under the lock: what is kept under key, now the newest; NULL is a miss. n: its length, 0: any. */
static struct wb_cache_item *use(struct wb_cache *cache, struct wb_hash key, size_t n)
{
    struct wb_cache_item *item = find(cache, key);

    if (item == NULL || (n > 0 && item->n != n)) {
        cache->counts.misses++;
        return NULL;
    }
    unlink_item(cache, item);
    link_newest(cache, item);
    item->round = cache->round;
    cache->counts.hits++;
    return item;
}

void wb_cache_begin(struct wb_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->round++;
    pthread_mutex_unlock(&cache->lock);
}

bool wb_cache_get_bytes(struct wb_cache *cache, struct wb_hash key, void *dst, size_t n)
{
    struct wb_cache_item *item;

    pthread_mutex_lock(&cache->lock);
    item = use(cache, key, n);
    if (item != NULL)
        memcpy(dst, item->bytes, n);
    pthread_mutex_unlock(&cache->lock);
    return item != NULL;
}

bool wb_cache_borrow(struct wb_cache *cache, struct wb_hash key, struct wb_cached *out)
{
    struct wb_cache_item *item;

    pthread_mutex_lock(&cache->lock);
    item = use(cache, key, 0);
    if (item != NULL)
        atomic_fetch_add_explicit(&item->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&cache->lock);
    *out = (struct wb_cached){ .item = item };
    if (item == NULL)
        return false;
    out->bytes = item->bytes;
    out->n = item->n;
    return true;
}

void wb_cache_return(struct wb_cached *cached)
{
    if (cached->item != NULL)
        unref(cached->item);
    *cached = (struct wb_cached){ .item = NULL };
}

/* Under the lock: drop the oldest until so many bytes fit; false when what is in use takes the
 * room. */
static bool make_room(struct wb_cache *cache, size_t bytes)
{
    struct wb_cache_item *item = cache->oldest, *newer;

    for (; cache->counts.bytes + bytes > cache->max_bytes; item = newer) {
        if (item == NULL || item->round == cache->round)
            return false;
        newer = item->newer;
        drop(cache, item);
    }
    return true;
}

void wb_cache_put_bytes(struct wb_cache *cache, struct wb_hash key, const void *bytes, size_t n)
{
    struct wb_cache_item *item, *old, **at;

    if (n > cache->max_bytes / 4 || (item = malloc(room_of(n))) == NULL)
        return;
    item->key = key;
    item->n = n;
    atomic_init(&item->refs, 1);
    memcpy(item->bytes, bytes, n);
    pthread_mutex_lock(&cache->lock);
    old = find(cache, key);
    if (old != NULL)
        drop(cache, old);
    if (!make_room(cache, room_of(n))) {
        pthread_mutex_unlock(&cache->lock);
        free(item);
        return;
    }
    if (cache->counts.entries >= cache->buckets)
        grow(cache);
    item->round = cache->round;
    at = bucket_of(cache, key);
    item->next = *at;
    *at = item;
    link_newest(cache, item);
    cache->counts.bytes += room_of(n);
    cache->counts.entries++;
    pthread_mutex_unlock(&cache->lock);
}

void wb_cache_clear(struct wb_cache *cache)
{
    struct wb_cache_item *item, *newer;

    pthread_mutex_lock(&cache->lock);
    item = cache->oldest;
    memset(cache->bucket, 0, cache->buckets * sizeof *cache->bucket);
    cache->oldest = cache->newest = NULL;
    cache->counts.bytes = cache->counts.entries = 0;
    for (; item != NULL; item = newer) {
        newer = item->newer;
        unref(item);
    }
    pthread_mutex_unlock(&cache->lock);
}

void wb_cache_free(struct wb_cache *cache)
{
    if (cache == NULL)
        return;
    wb_cache_clear(cache);
    pthread_mutex_destroy(&cache->lock);
    free(cache->bucket);
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
