/* app/arch/role.h - roles and kinds: what follows from a role, and what a bare name suggests. */
#ifndef WB_ARCH_ROLE_H
#define WB_ARCH_ROLE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/tensor/dtype.h"

#define WB_KINDS "embed lm_head norm bias linear conv pos buffer other"

bool wb_kind_valid(const char *kind);
/* The kind of a role, biases included; "other" for a role that is not one of ours. */
const char *wb_role_kind(const char *role);

/* What a name suggests when no pattern knows it. Static strings. */
struct wb_guess {
    const char *role; /* without ".bias"; "other" */
    const char *kind;
    const char *fused;
    bool bias, cross; /* cross: the role gets "cross_" in front */
};

/* tail: the name, or what follows the layer number when in_layer. shape may be NULL. */
struct wb_guess wb_role_guess(const char *tail, bool in_layer, const struct wb_shape *shape);

#endif
