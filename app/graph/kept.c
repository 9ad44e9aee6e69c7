/* app/graph/kept.c - a stretch of one mapping for every job, a place in it for every tile. */
#include "app/graph/kept.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "app/graph/node_impl.h"

/* Between tensors: tiles that are read together must not compete for one set of a cache. */
#define PAD_BYTES ((size_t)320)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define STRETCHES_MAX 256
#define SHARE_MIN (1.0 / 3) /* of its bytes that a job must find room for */

enum { TILE_EMPTY, TILE_CLAIMED, TILE_FILLED };

struct wb_kept_pool {
    uint8_t *mapping, *bytes; /* bytes: from the first huge page on */
    size_t size;
    const struct wb_kept *kept[STRETCHES_MAX]; /* in order of place */
    size_t count;
};

struct wb_kept_pool *wb_kept_pool_new(size_t bytes)
{
    struct wb_kept_pool *pool;
    void *mapping;

    if (bytes == 0 || bytes > SIZE_MAX - HUGE_PAGE_BYTES)
        return NULL;
    pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    mapping = mmap(NULL, bytes + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) {
        free(pool);
        return NULL;
    }
    pool->mapping = mapping;
    pool->bytes =
        pool->mapping + (HUGE_PAGE_BYTES - (uintptr_t)mapping % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    pool->size = bytes;
    madvise(pool->bytes, bytes, MADV_HUGEPAGE); /* a hint */
    return pool;
}

void wb_kept_pool_free(struct wb_kept_pool *pool)
{
    if (pool == NULL)
        return;
    munmap(pool->mapping, pool->size + HUGE_PAGE_BYTES);
    free(pool);
}

/* Number `i` among the stretches would be the first gap of at least `want` bytes; else the largest
 * one. What is used first is what is used again: few pages are touched. */
static size_t find_gap(const struct wb_kept_pool *pool, size_t want, size_t *from, size_t *room)
{
    size_t at = 0, best = 0;

    *room = 0;
    for (size_t i = 0; i <= pool->count && *room < want; i++) {
        size_t end = i < pool->count ? pool->kept[i]->from : pool->size;

        if (end - at > *room) {
            best = i;
            *from = at;
            *room = end - at;
        }
        if (i < pool->count)
            at = end + pool->kept[i]->bytes;
    }
    return best;
}

static size_t element_bytes(const struct wb_node *source)
{
    const struct wb_tensor_info *info = wb_ckpt_info(source->u.source.ck, source->u.source.tensor);

    return source->count == 0 ? 0 : (size_t)(info->bytes / source->count);
}

/* How many tiles of a tensor fit into a share of the room, and what they take. */
static size_t place(struct wb_kept_tensor *t, const struct wb_node *source, double share)
{
    const struct wb_tensor_info *info = wb_ckpt_info(source->u.source.ck, source->u.source.tensor);
    struct wb_geometry g = wb_geometry_of(&source->shape, WB_EXTENT_ALL);
    size_t size = element_bytes(source), bytes;

    t->source = source;
    if (size == 0 || info->bytes != source->count * size)
        return 0; /* parts of bytes */
    t->tile_bytes = (size_t)(g.units_per_tile * g.unit) * size;
    t->tiles = share >= 1 ? g.tiles : (size_t)((double)info->bytes * share / (double)t->tile_bytes);
    bytes = t->tiles < g.tiles ? t->tiles * t->tile_bytes : (size_t)info->bytes;
    return t->tiles == 0 ? 0 : ((bytes + 63) & ~(size_t)63) + PAD_BYTES;
}

static uint64_t wanted(const struct wb_node *const *source, size_t count)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += wb_ckpt_info(source[i]->u.source.ck, source[i]->u.source.tensor)->bytes + 64 +
                 PAD_BYTES;
    return bytes;
}

static void set_places(struct wb_kept *kept, const struct wb_node *const *source, size_t count,
                       double share, uint8_t *at)
{
    for (size_t i = 0; i < count; i++) {
        struct wb_kept_tensor *t = &kept->tensor[i];
        const struct wb_node *n = source[i];
        size_t bytes = place(t, n, share);

        t->bytes =
            wb_clear_of(wb_ckpt_info(n->u.source.ck, n->u.source.tensor)->offset, at + kept->bytes);
        kept->bytes += bytes;
    }
}

static bool set_states(struct wb_kept *kept)
{
    size_t tiles = 0;

    for (size_t i = 0; i < kept->tensors; i++)
        tiles += kept->tensor[i].tiles;
    kept->filled = calloc(tiles + 1, sizeof *kept->filled);
    if (kept->filled == NULL)
        return false;
    tiles = 0;
    for (size_t i = 0; i < kept->tensors; i++) {
        kept->tensor[i].filled = kept->filled + tiles;
        tiles += kept->tensor[i].tiles;
    }
    return tiles > 0;
}

struct wb_kept *wb_kept_new(struct wb_kept_pool *pool, const struct wb_node *const *source,
                            size_t count)
{
    uint64_t bytes = wanted(source, count);
    struct wb_kept *kept;
    size_t number, from = 0, room, overhead = count * (64 + PAD_BYTES);

    if (pool == NULL || count == 0 || pool->count == STRETCHES_MAX)
        return NULL;
    number = find_gap(pool, bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX, &from, &room);
    if (room <= overhead || (double)(room - overhead) < SHARE_MIN * (double)bytes)
        return NULL;
    kept = calloc(1, sizeof *kept);
    if (kept == NULL)
        return NULL;
    kept->from = from;
    kept->tensors = count;
    kept->tensor = calloc(count, sizeof *kept->tensor);
    if (kept->tensor != NULL)
        set_places(kept, source, count,
                   room >= bytes ? 1 : (double)(room - overhead) / (double)bytes,
                   pool->bytes + kept->from);
    if (kept->tensor == NULL || !set_states(kept)) {
        free(kept->filled);
        free(kept->tensor);
        free(kept);
        return NULL;
    }
    memmove(pool->kept + number + 1, pool->kept + number,
            (pool->count - number) * sizeof(struct wb_kept *));
    pool->kept[number] = kept;
    pool->count++;
    return kept;
}

void wb_kept_free(struct wb_kept_pool *pool, struct wb_kept *kept)
{
    size_t i = 0;

    if (kept == NULL)
        return;
    while (pool->kept[i] != kept)
        i++;
    memmove(pool->kept + i, pool->kept + i + 1, (pool->count - i - 1) * sizeof(struct wb_kept *));
    pool->count--;
    free(kept->filled);
    free(kept->tensor);
    free(kept);
}

struct wb_kept_tensor *wb_kept_find(const struct wb_kept *kept, const struct wb_node *source,
                                    const struct wb_geometry *geometry)
{
    for (size_t i = 0; kept != NULL && i < kept->tensors; i++) {
        struct wb_kept_tensor *t = &kept->tensor[i];

        if (t->source == source && t->tiles > 0 && geometry->count == source->count &&
            t->tile_bytes == geometry->units_per_tile * geometry->unit * element_bytes(source))
            return t;
    }
    return NULL;
}

uint8_t *wb_kept_claim(struct wb_kept_tensor *t, size_t tile, bool *filled)
{
    unsigned char state = TILE_EMPTY;

    if (tile >= t->tiles)
        return NULL;
    *filled = false;
    if (!atomic_compare_exchange_strong(&t->filled[tile], &state, TILE_CLAIMED)) {
        if (state == TILE_CLAIMED)
            return NULL;
        *filled = true;
    }
    return t->bytes + tile * t->tile_bytes;
}

void wb_kept_done(struct wb_kept_tensor *t, size_t tile, bool ok)
{
    atomic_store(&t->filled[tile], ok ? TILE_FILLED : TILE_EMPTY);
}

uint8_t *wb_clear_of(uint64_t from, uint8_t *dst)
{
    uint64_t ahead = ((uint64_t)(uintptr_t)dst - from) % 4096;

    return ahead > 0 && ahead < WB_TILE_SHIFT ? dst + WB_TILE_SHIFT : dst;
}
