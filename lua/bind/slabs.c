/* lua/bind/slabs.c - see slabs.h. Slabs are carved from the front and given back all at once. */
#include "lua/bind/slabs.h"

#include <stdbool.h>
#include <stdlib.h>

#define SLAB_BYTES ((size_t)65536)

struct wb_slab {
    struct wb_slab *next;
    max_align_t first[];
};

static size_t class_of(size_t size)
{
    return (size + WB_SLABS_STEP - 1) / WB_SLABS_STEP;
}

static bool grow(struct wb_slabs *slabs, uint64_t max_bytes)
{
    struct wb_slab *slab;

    if (slabs->bytes + SLAB_BYTES > max_bytes || (slab = malloc(SLAB_BYTES)) == NULL)
        return false;
    slab->next = slabs->slab;
    slabs->slab = slab;
    slabs->next = (char *)slab->first;
    slabs->left = SLAB_BYTES - offsetof(struct wb_slab, first);
    slabs->bytes += SLAB_BYTES;
    return true;
}

void *wb_slabs_get(struct wb_slabs *slabs, size_t size, uint64_t max_bytes)
{
    size_t class = class_of(size), bytes = class * WB_SLABS_STEP;
    void *block = slabs->spare[class];

    if (block != NULL) {
        slabs->spare[class] = *(void **)block;
        return block;
    }
    if (slabs->left < bytes && !grow(slabs, max_bytes))
        return NULL;
    block = slabs->next;
    slabs->next += bytes;
    slabs->left -= bytes;
    return block;
}

void wb_slabs_put(struct wb_slabs *slabs, void *block, size_t size)
{
    size_t class = class_of(size);

    *(void **)block = slabs->spare[class];
    slabs->spare[class] = block;
}

void wb_slabs_free(struct wb_slabs *slabs)
{
    for (struct wb_slab *slab = slabs->slab, *next; slab != NULL; slab = next) {
        next = slab->next;
        free(slab);
    }
    *slabs = (struct wb_slabs){ 0 };
}
