/* lua/bind/slabs.h - small blocks for the Lua heap: size classes on free lists, so that making and collecting a
 * hundred thousand values costs little. Belongs to one thread. */
#ifndef WB_LUA_SLABS_H
#define WB_LUA_SLABS_H

#include <stddef.h>
#include <stdint.h>

#define WB_SLABS_MAX ((size_t)256) /* largest block kept here */
#define WB_SLABS_STEP ((size_t)16)

struct wb_slab;

/* Zero-initialised is empty and ready. */
struct wb_slabs {
    void *spare[WB_SLABS_MAX / WB_SLABS_STEP + 1]; /* by class: blocks given back */
    struct wb_slab *slab;                          /* the newest first */
    char *next;
    size_t left;
    uint64_t bytes; /* of all slabs */
};

/* Room for size bytes, 1 <= size <= WB_SLABS_MAX, aligned for any type; NULL when a new slab would take the slabs beyond
 * max_bytes, or memory is out. */
void *wb_slabs_get(struct wb_slabs *slabs, size_t size, uint64_t max_bytes);
void wb_slabs_put(struct wb_slabs *slabs, void *block, size_t size); /* the size it was got with */
void wb_slabs_free(struct wb_slabs *slabs);

#endif
