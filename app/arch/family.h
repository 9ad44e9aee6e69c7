/* app/arch/family.h - one family compiled: its patterns as a tree of name components. */
#ifndef WB_ARCH_FAMILY_H
#define WB_ARCH_FAMILY_H

#include "app/arch/arch.h"
#include "app/core/arena.h"

/* Numbers in names and counts in configs beyond this are no layers: arrays are sized by them. */
#define WB_LAYERS_MAX 10000

struct wb_family_node; /* a component of the patterns */

struct wb_family_tree {
    struct wb_arena arena;   /* holds everything below */
    struct wb_family family; /* a copy */
    struct wb_family_node *root;
    const char *const *strip; /* NULL-terminated: the family's prefixes and the wrappers */
    bool has_head;            /* some pattern has the role lm_head */
};

/* Where a pattern met a name. */
struct wb_family_hit {
    const struct wb_family_pattern *pattern;
    bool bias; /* the ".bias" of the pattern */
    int layer; /* -1: none */
    int expert;
    size_t layer_at; /* offset of the layer number in the name */
};

/* Copy and compile; owned, NULL on failure. */
struct wb_family_tree *wb_family_compile(const struct wb_family *family, struct wb_err *err);
void wb_family_free(struct wb_family_tree *tree);
/* false: no pattern fits. About 0.2 us a name. */
bool wb_family_find(const struct wb_family_tree *tree, const char *name, struct wb_family_hit *hit);

/* A whole number without leading zeros, below WB_LAYERS_MAX; -1 otherwise. */
int wb_name_number(const char *text, size_t len);
/* Is the component one that marks the expert every token passes? */
bool wb_name_shared_expert(const char *text, size_t len);

const struct wb_family_tree *wb_arch_set_tree(const struct wb_arch_set *set, size_t i);

#endif
