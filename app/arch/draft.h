/* app/arch/draft.h - families while they are being described, before they are compiled.
 *
 * A reader of family files fills drafts; finishing resolves what one takes from another (`like`),
 * gives patterns their stacks and adds everything to a set, in the order of the drafts. */
#ifndef WB_ARCH_DRAFT_H
#define WB_ARCH_DRAFT_H

#include "app/arch/arch.h"
#include "app/core/arena.h"

#define WB_DRAFT_PATTERNS 500
#define WB_DRAFT_STACKS 8
#define WB_DRAFT_KEYS 10

struct wb_draft {
    const char *path;                  /* of the file, for messages */
    const char *like;                  /* the family it builds on, or NULL */
    struct wb_family family;           /* pattern, stack and flags_json come from below */
    struct wb_family_pattern *pattern; /* room for WB_DRAFT_PATTERNS, family.patterns used */
    const char **dropped;              /* names taken out of what it builds on; as much room */
    size_t drops;
    struct wb_family_stack stack[WB_DRAFT_STACKS]; /* family.stacks used */
    const char *const *stack_at[WB_DRAFT_STACKS];  /* beginnings of the names that belong to it */
    cJSON *flags;
    bool has_tied; /* family.tied_default was said */
    int state;     /* 0: as read, 1: being resolved, 2: resolved */
};

/* Zero-initialised is empty. */
struct wb_drafts {
    struct wb_arena arena; /* strings of the drafts */
    struct wb_draft **draft;
    size_t count;
};

/* A new empty draft, borrowed; NULL without memory. */
struct wb_draft *wb_drafts_push(struct wb_drafts *drafts, const char *dir, const char *file);
/* The i-th key of a family: layers hidden heads kv_heads head_dim intermediate vocab experts
 * context tied. */
const char **wb_draft_key(struct wb_family *family, size_t i);
bool wb_drafts_finish(struct wb_drafts *drafts, struct wb_arch_set *set, struct wb_err *err);
void wb_drafts_free(struct wb_drafts *drafts);

#endif
