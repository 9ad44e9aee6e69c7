/* app/arch/infer.h - stacks of layers found in tensor names alone. */
#ifndef WB_ARCH_INFER_H
#define WB_ARCH_INFER_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"

#define WB_STEMS_MAX 32

/* What stands in front of a layer number: "model.layers.". */
struct wb_stem {
    const char *text;
    size_t len;
    char stack[16];
    int layers; /* 1 + the highest number seen */
};

struct wb_stems {
    struct wb_stem item[WB_STEMS_MAX];
    size_t count;
};

/* Where a name stands in the stacks. */
struct wb_place {
    const struct wb_stem *stem; /* NULL: in none */
    int layer, expert;          /* -1: none */
    size_t layer_at;            /* offset of the layer number */
    const char *tail;           /* what follows the number; the whole name outside the stacks */
};

/* Note that name[0..layer_at) is followed by a layer's number. The stem text is copied. */
void wb_stems_note(struct wb_stems *stems, struct wb_arena *arena, const char *name,
                   size_t layer_at, int layer, const char *stack);
/* Find stacks in names that no noted stem covers: a number that varies, with modules behind it.
 * Stacks get names of their own when there are several, or when `others` (a known family has the
 * main one). */
void wb_stems_discover(struct wb_stems *stems, struct wb_arena *arena, const char *const *name,
                       size_t count, bool others);
struct wb_place wb_stems_find(const struct wb_stems *stems, const char *name);

#endif
