/* app/probe/places.h - where tensors stand in a grid of layers and roles. */
#ifndef WB_PROBE_PLACES_H
#define WB_PROBE_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/model.h"

/* Roles in the order in which a block computes. */
#define WB_ROLES_KNOWN 18
extern const char *const wb_role_order[WB_ROLES_KNOWN];

struct wb_place_row {
    const char *stack; /* "" where there is one only, and of the row of no layer */
    int layer;         /* -1: all tensors that belong to none; the last row */
};

struct wb_place {
    size_t row, column;
};

struct wb_places {
    struct wb_place_row *row; /* in order of stack and layer */
    size_t rows;
    const char **column; /* roles that occur: known ones in their order, then others as they come */
    size_t columns;
    struct wb_place *at; /* one an entry */
};

/* The grid that n entries make. Everything in the arena; roles and stacks borrowed from the
 * entries. */
bool wb_places_of(const struct wb_entry *const *entry, size_t n, struct wb_arena *arena,
                  struct wb_places *out, struct wb_err *err);

#endif
