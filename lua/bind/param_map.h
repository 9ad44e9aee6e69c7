/* lua/bind/param_map.h - what every parameter of a step comes to for every layer and role.
 *
 * Worked out from the same compiled parameters the step ran with, when it is asked for. */
#ifndef WB_LUA_PARAM_MAP_H
#define WB_LUA_PARAM_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "lua/bind/vm.h"

/* A method that sees whole layers also has its parameters for each layer as such: a tensor without
 * a name and role. */
struct wb_param_tensor {
    const char *name, *role, *stack;
    int layer; /* within its stack; -1: none */
    size_t row, column;
};

struct wb_param_row {
    const char *stack; /* "" where there is one */
    int layer;         /* -1: all tensors outside of layers, the last row */
};

/* One value of one tensor. */
struct wb_param_value {
    double number;    /* a boolean as 0 or 1, a choice as its number from 0; NaN: neither */
    const char *text; /* as the script would write it: 0.3, true, 'sum' */
    const char *form; /* what gave it: "glob model.layers.3.*", "roles.mlp", "default" */
};

/* What a layer's tensors of one role have; more than one in models with experts. */
struct wb_param_cell {
    size_t tensors;         /* 0: there is none */
    double value, min, max; /* value: NaN where they differ */
};

/* A glob, role or filter of the script that matches no tensor. */
struct wb_param_unmatched {
    const char *param; /* or "include", "exclude" */
    const char *kind;  /* "glob", "role", "filter" */
    const char *text;
    const char *nearest; /* a name that exists and may be meant, or NULL */
};

struct wb_param {
    const char *name, *doc;
    double min, max; /* min > max: unbounded; else over values, where no bounds are declared */
    bool declared;   /* min and max are the method's bounds */
    const char *const *choice;    /* NULL-terminated, or NULL */
    size_t models;                /* 1, or one value for each model */
    bool varies;                  /* not one value everywhere */
    bool numbers;                 /* numbers, booleans or choices: cells mean something */
    const char *problem;          /* why values are missing (a function that fails), or NULL */
    struct wb_param_value *value; /* [models][tensors] */
    struct wb_param_cell *cell;   /* [models][rows][columns] */
};

struct wb_param_map {
    const char *kind, *method;
    int line;
    struct wb_param_tensor *tensor; /* in byte order of names, layers as such last */
    size_t tensors;
    struct wb_param_row *row; /* by stack and layer */
    size_t rows;
    const char **column; /* roles, in the order of a layer's usual use, then by name */
    size_t columns;
    struct wb_param *param; /* by name */
    size_t params;
    struct wb_param_unmatched *unmatched;
    size_t unmatcheds;
    struct wb_arena arena;
};

/* Of step number `step` (from 0) of the script this VM ran last. WB_ENOTFOUND: it has no such step,
 * or the step failed before its parameters were read. Free with wb_param_map_free, on failure
 * too. */
bool wb_vm_param_map(struct wb_vm *vm, size_t step, struct wb_param_map *out, struct wb_err *err);
void wb_param_map_free(struct wb_param_map *map);

static inline const struct wb_param_cell *wb_param_cell(const struct wb_param_map *map,
                                                        const struct wb_param *p, size_t model,
                                                        size_t row, size_t column)
{
    return &p->cell[(model * map->rows + row) * map->columns + column];
}

#endif
