/* app/arch/draft.c - from what family files say to families: inheritance, stacks, flags as text. */
#include "app/arch/draft.h"

#include <stdlib.h>
#include <string.h>

struct wb_draft *wb_drafts_push(struct wb_drafts *drafts, const char *dir, const char *file)
{
    struct wb_draft *d = wb_arena_alloc(&drafts->arena, sizeof *d);
    struct wb_draft **grown;

    if (d == NULL)
        return NULL;
    grown = realloc(drafts->draft, (drafts->count + 1) * sizeof(struct wb_draft *));
    if (grown == NULL)
        return NULL;
    drafts->draft = grown;
    d->path = wb_arena_printf(&drafts->arena, "%s/%s", dir, file);
    d->family.name = "";
    d->pattern = wb_arena_calloc(&drafts->arena, WB_DRAFT_PATTERNS, sizeof *d->pattern);
    d->dropped = wb_arena_calloc(&drafts->arena, WB_DRAFT_PATTERNS, sizeof *d->dropped);
    d->flags = cJSON_CreateObject();
    drafts->draft[drafts->count++] = d;
    return d->path != NULL && d->pattern != NULL && d->dropped != NULL && d->flags != NULL ? d
                                                                                           : NULL;
}

const char **wb_draft_key(struct wb_family *f, size_t i)
{
    const char **slot[WB_DRAFT_KEYS] = { &f->key_layers,   &f->key_hidden,   &f->key_heads,
                                         &f->key_kv_heads, &f->key_head_dim, &f->key_intermediate,
                                         &f->key_vocab,    &f->key_experts,  &f->key_context,
                                         &f->key_tied };

    return slot[i];
}

/* --- like --- */

/* A later draft goes first; a family may build on the one it replaces. */
static struct wb_draft *find(const struct wb_drafts *drafts, const char *name,
                             const struct wb_draft *but)
{
    for (size_t i = drafts->count; i-- > 0;)
        if (drafts->draft[i] != but && strcmp(drafts->draft[i]->family.name, name) == 0)
            return drafts->draft[i];
    return NULL;
}

static bool mentions(const struct wb_draft *d, const char *name)
{
    for (size_t i = 0; i < d->family.patterns; i++)
        if (strcmp(d->pattern[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < d->drops; i++)
        if (strcmp(d->dropped[i], name) == 0)
            return true;
    return false;
}

static bool inherit_patterns(struct wb_draft *d, const struct wb_draft *from, struct wb_err *err)
{
    for (size_t i = 0; i < from->family.patterns; i++) {
        if (mentions(d, from->pattern[i].name))
            continue;
        if (d->family.patterns == WB_DRAFT_PATTERNS)
            return wb_fail(err, WB_ESCRIPT, "%s: more than %d tensors", d->path, WB_DRAFT_PATTERNS);
        d->pattern[d->family.patterns++] = from->pattern[i];
    }
    return true;
}

static bool inherit_flags(struct wb_draft *d, const struct wb_draft *from, struct wb_err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, from->flags) {
        cJSON *copy;

        if (cJSON_GetObjectItemCaseSensitive(d->flags, item->string) != NULL)
            continue;
        copy = cJSON_Duplicate(item, true);
        if (copy == NULL || !cJSON_AddItemToObject(d->flags, item->string, copy)) {
            cJSON_Delete(copy);
            return wb_fail(err, WB_ENOMEM, "%s: no memory for the family", d->path);
        }
    }
    return true;
}

/* Everything the family does not say itself, but for what tells it apart: name, doc, model_types,
 * seen. */
static bool inherit(struct wb_draft *d, struct wb_draft *from, struct wb_err *err)
{
    for (size_t i = 0; i < WB_DRAFT_KEYS; i++)
        if (*wb_draft_key(&d->family, i) == NULL)
            *wb_draft_key(&d->family, i) = *wb_draft_key(&from->family, i);
    if (d->family.prefixes == NULL)
        d->family.prefixes = from->family.prefixes;
    if (d->family.stacks == 0) {
        memcpy(d->stack, from->stack, sizeof d->stack);
        memcpy(d->stack_at, from->stack_at, sizeof d->stack_at);
        d->family.stacks = from->family.stacks;
    }
    if (!d->has_tied)
        d->family.tied_default = from->family.tied_default;
    return inherit_patterns(d, from, err) && inherit_flags(d, from, err);
}

/* Every draft is entered once, so the recursion ends. */
static bool resolve(const struct wb_drafts *drafts, struct wb_draft *d, struct wb_err *err)
{
    struct wb_draft *from;

    if (d->state == 2)
        return true;
    if (d->state == 1)
        return wb_fail(err, WB_ESCRIPT, "%s: like = \"%s\" leads back to itself", d->path, d->like);
    d->state = 1;
    if (d->like != NULL) {
        from = find(drafts, d->like, d);
        if (from == NULL)
            return wb_fail(err, WB_ESCRIPT, "%s: like = \"%s\": no family has this name", d->path,
                           d->like);
        if (!resolve(drafts, from, err) || !inherit(d, from, err))
            return false;
    }
    d->state = 2;
    return true;
}

/* --- finishing --- */

static int compare_patterns(const void *a, const void *b)
{
    return strcmp(((const struct wb_family_pattern *)a)->name,
                  ((const struct wb_family_pattern *)b)->name);
}

/* The stack of a pattern: the one with the longest beginning. */
static const char *stack_of(const struct wb_draft *d, const char *name)
{
    const char *stack = "";
    size_t most = 0;

    for (size_t i = 0; i < d->family.stacks; i++)
        for (const char *const *at = d->stack_at[i]; *at != NULL; at++)
            if (strncmp(name, *at, strlen(*at)) == 0 && strlen(*at) > most) {
                most = strlen(*at);
                stack = d->stack[i].name;
            }
    return stack;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

/* Flags as text with sorted keys: a Lua table's own order changes from run to run. Owned. */
static char *flags_text(const cJSON *flags)
{
    size_t n = (size_t)cJSON_GetArraySize(flags), i = 0;
    const cJSON **item = calloc(n + 1, sizeof *item), *at;
    cJSON *sorted = cJSON_CreateObject();
    char *text = NULL;
    bool ok = item != NULL && sorted != NULL;

    if (ok) {
        cJSON_ArrayForEach(at, flags)
            item[i++] = at;
        qsort(item, n, sizeof *item, compare_items);
    }
    for (i = 0; ok && i < n; i++)
        ok = cJSON_AddItemToObject(sorted, item[i]->string, cJSON_Duplicate(item[i], true));
    if (ok)
        text = cJSON_PrintUnformatted(sorted);
    cJSON_Delete(sorted);
    free(item);
    return text;
}

static bool finish(struct wb_draft *d, struct wb_arch_set *set, struct wb_err *err)
{
    struct wb_family family = d->family;
    char *flags = flags_text(d->flags);
    bool ok = flags != NULL || wb_fail(err, WB_ENOMEM, "no memory for the family");

    qsort(d->pattern, family.patterns, sizeof *d->pattern, compare_patterns);
    for (size_t i = 0; i < family.patterns; i++)
        d->pattern[i].stack = stack_of(d, d->pattern[i].name);
    family.pattern = d->pattern;
    family.stack = d->stack;
    family.flags_json = flags;
    ok = ok && wb_arch_set_add(set, &family, err);
    if (!ok)
        wb_wrap(err, "%s", d->path);
    cJSON_free(flags);
    return ok;
}

bool wb_drafts_finish(struct wb_drafts *drafts, struct wb_arch_set *set, struct wb_err *err)
{
    for (size_t i = 0; i < drafts->count; i++)
        if (!resolve(drafts, drafts->draft[i], err))
            return false;
    for (size_t i = 0; i < drafts->count; i++)
        if (!finish(drafts->draft[i], set, err))
            return false;
    return true;
}

void wb_drafts_free(struct wb_drafts *drafts)
{
    for (size_t i = 0; i < drafts->count; i++)
        cJSON_Delete(drafts->draft[i]->flags);
    free(drafts->draft);
    wb_arena_free(&drafts->arena);
    *drafts = (struct wb_drafts){ 0 };
}
