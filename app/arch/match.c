/* app/arch/match.c - telling a model's family, and asking it about names. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/arch/model.h"
#include "app/arch/role.h"
#include "app/core/json.h"

/* The tensors of one model. */
struct tensors {
    const char *const *name;
    const struct wb_shape *shape; /* may be NULL */
    size_t count;
};

/* --- telling the family by the config --- */

static bool family_has_type(const struct wb_family *f, const char *type)
{
    for (const char *const *t = f->model_types; *t != NULL; t++)
        if (strcmp(*t, type) == 0)
            return true;
    return false;
}

static const struct wb_family_tree *by_model_type(const struct wb_arch_set *set,
                                                  const cJSON *config)
{
    const char *type = config != NULL ? wb_json_text(config, "model_type", NULL) : NULL;

    for (size_t i = 0; type != NULL && i < wb_arch_set_count(set); i++)
        if (family_has_type(&wb_arch_set_tree(set, i)->family, type))
            return wb_arch_set_tree(set, i);
    return NULL;
}

/* Length of the part of a class name that spells model_type ("GPTNeoX" for "gpt_neox"); 0 when it
 * does not. What follows must be the usual rest of a class name, so that Gemma3n is no Gemma3. */
static size_t class_spells(const char *class, const char *type)
{
    static const char *const rest[] = { "For",     "Model", "LMHead", "DoubleHeads",
                                        "Encoder", "Text",  "Vision" };
    const char *c = class;

    for (const char *t = type; *t != '\0'; t++) {
        if (*t == '_' || *t == '-')
            continue;
        if (tolower((unsigned char)*c) != tolower((unsigned char)*t))
            return 0;
        c++;
    }
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        if (strncmp(c, rest[i], strlen(rest[i])) == 0)
            return (size_t)(c - class);
    return *c == '\0' ? (size_t)(c - class) : 0;
}

static const struct wb_family_tree *by_class(const struct wb_arch_set *set, const cJSON *config)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(config, "architectures");
    const cJSON *first = cJSON_IsArray(list) ? cJSON_GetArrayItem(list, 0) : NULL;
    const struct wb_family_tree *best = NULL;
    size_t most = 0;

    if (first == NULL || !cJSON_IsString(first))
        return NULL;
    for (size_t i = 0; i < wb_arch_set_count(set); i++) {
        const struct wb_family_tree *tree = wb_arch_set_tree(set, i);

        for (const char *const *t = tree->family.model_types; *t != NULL; t++) {
            size_t n = class_spells(first->valuestring, *t);

            if (n > most) {
                most = n;
                best = tree;
            }
        }
    }
    return best;
}

static const struct wb_family_tree *by_config(const struct wb_arch_set *set, const cJSON *config)
{
    static const char *const inner[] = { "text_config", "language_config", "llm_config" };
    const struct wb_family_tree *tree = by_model_type(set, config);

    for (size_t i = 0; tree == NULL && i < sizeof inner / sizeof *inner; i++)
        tree = by_model_type(set, cJSON_GetObjectItemCaseSensitive(config, inner[i]));
    return tree != NULL ? tree : by_class(set, config);
}

/* --- telling the family by the tensors --- */

/* Does a shape meet "rows<cols", "rows>cols", "rows=N" or "cols=N"? */
static bool shape_meets(const struct wb_shape *s, const char *rule)
{
    if (s == NULL || s->ndim != 2)
        return false;
    if (strcmp(rule, "rows<cols") == 0)
        return s->dim[0] < s->dim[1];
    if (strcmp(rule, "rows>cols") == 0)
        return s->dim[0] > s->dim[1];
    if (strncmp(rule, "rows=", 5) == 0)
        return s->dim[0] == strtoull(rule + 5, NULL, 10);
    return strncmp(rule, "cols=", 5) == 0 && s->dim[1] == strtoull(rule + 5, NULL, 10);
}

static bool seen_holds(const char *rule, const struct tensors *ts)
{
    bool absent = rule[0] == '!';
    const char *space = strchr(rule += absent, ' ');
    char text[100];

    snprintf(text, sizeof text, "%.*s",
             (int)(space != NULL ? space - rule : (ptrdiff_t)strlen(rule)), rule);
    for (size_t i = 0; i < ts->count; i++)
        if (strstr(ts->name[i], text) != NULL &&
            (space == NULL || shape_meets(ts->shape != NULL ? &ts->shape[i] : NULL, space + 1)))
            return !absent;
    return absent;
}

/* Names that the family's patterns know; *strange counts names in layers that they do not. */
static size_t coverage(const struct wb_family_tree *tree, const struct tensors *ts, size_t *strange)
{
    size_t known = 0;

    *strange = 0;
    for (size_t i = 0; i < ts->count; i++) {
        struct wb_family_hit hit;

        if (wb_family_find(tree, ts->name[i], &hit))
            known++;
        else if (strpbrk(ts->name[i], "0123456789") != NULL &&
                 strcmp(wb_role_guess(ts->name[i], true, NULL).role, "buffer") != 0)
            (*strange)++;
    }
    return known;
}

/* The family whose `seen` entries all hold and whose patterns know the most names, all but a few of
 * those in layers; on a tie the one that asks for more. */
static const struct wb_family_tree *by_names(const struct wb_arch_set *set,
                                             const struct tensors *ts)
{
    const struct wb_family_tree *best = NULL;
    size_t most = 0, most_rules = 0;

    for (size_t i = 0; i < wb_arch_set_count(set); i++) {
        const struct wb_family_tree *tree = wb_arch_set_tree(set, i);
        const char *const *rule = tree->family.seen;
        size_t known, strange, rules = 0;

        while (rule[rules] != NULL && seen_holds(rule[rules], ts))
            rules++;
        if (rules == 0 || rule[rules] != NULL)
            continue;
        known = coverage(tree, ts, &strange);
        if (strange > 2 && strange > known / 25)
            continue;
        if (known > most || (known == most && rules > most_rules)) {
            best = tree;
            most = known;
            most_rules = rules;
        }
    }
    return best;
}

static void tell_family(struct wb_arch *arch, const struct wb_arch_set *set, const cJSON *config,
                        const struct tensors *ts)
{
    const struct wb_family_tree *said = by_config(set, config);
    const char *type = config != NULL ? wb_json_text(config, "model_type", NULL) : NULL;
    size_t strange;

    arch->tree = said;
    if (ts->count == 0 || (said != NULL && coverage(said, ts, &strange) >= (ts->count + 3) / 4))
        return;
    arch->tree = by_names(set, ts);
    arch->guessed = arch->tree != NULL;
    if (said != NULL)
        wb_arch_note_add(arch, "config.json says %s, but few tensors are named so",
                         said->family.name);
    else if (type != NULL)
        wb_arch_note_add(arch, "the model_type \"%.60s\" is not known", type);
    if (arch->guessed)
        wb_arch_note_add(arch, "told by its tensor names: %s", arch->tree->family.name);
}

/* --- the public face --- */

void wb_arch_note_add(struct wb_arch *arch, const char *fmt, ...)
{
    size_t used = strlen(arch->note);
    va_list ap;

    if (used > 0 && used + 3 < sizeof arch->note)
        used += (size_t)snprintf(arch->note + used, sizeof arch->note - used, "; ");
    va_start(ap, fmt);
    vsnprintf(arch->note + used, sizeof arch->note - used, fmt, ap);
    va_end(ap);
}

struct wb_arch *wb_arch_match(const struct wb_arch_set *set, const cJSON *config,
                              const char *const *name, const struct wb_shape *shape, size_t count,
                              struct wb_err *err)
{
    struct wb_arch *arch = calloc(1, sizeof *arch);
    struct tensors ts = { name, shape, count };

    if (arch == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for the architecture");
        return NULL;
    }
    atomic_init(&arch->refs, 1);
    tell_family(arch, set, config, &ts);
    for (size_t i = 0; arch->tree != NULL && i < count; i++) {
        struct wb_family_hit hit;

        if (wb_family_find(arch->tree, name[i], &hit) && hit.layer >= 0)
            wb_stems_note(&arch->stems, &arch->arena, name[i], hit.layer_at, hit.layer,
                          hit.pattern->stack);
    }
    wb_stems_discover(&arch->stems, &arch->arena, name, count, arch->tree != NULL);
    wb_dims_fill(arch, config, name, shape, count);
    return arch;
}

struct wb_arch *wb_arch_ref(struct wb_arch *arch)
{
    atomic_fetch_add(&arch->refs, 1);
    return arch;
}

void wb_arch_unref(struct wb_arch *arch)
{
    if (arch == NULL || atomic_fetch_sub(&arch->refs, 1) != 1)
        return;
    wb_arena_free(&arch->arena);
    free(arch);
}

const char *wb_arch_family(const struct wb_arch *arch)
{
    return arch->tree != NULL ? arch->tree->family.name : "unknown";
}

bool wb_arch_known(const struct wb_arch *arch)
{
    return arch->tree != NULL;
}

bool wb_arch_guessed(const struct wb_arch *arch)
{
    return arch->guessed;
}

const struct wb_dims *wb_arch_dims(const struct wb_arch *arch)
{
    return &arch->dims;
}

const char *wb_arch_note(const struct wb_arch *arch)
{
    return arch->note[0] != '\0' ? arch->note : NULL;
}

const char *wb_arch_flags_json(const struct wb_arch *arch)
{
    const char *flags = arch->tree != NULL ? arch->tree->family.flags_json : NULL;

    return flags != NULL ? flags : "{}";
}

int wb_arch_stack_layers(const struct wb_arch *arch, const char *stack)
{
    int most = 0;

    for (size_t i = 0; i < arch->stems.count; i++)
        if (strcmp(arch->stems.item[i].stack, stack) == 0 && arch->stems.item[i].layers > most)
            most = arch->stems.item[i].layers;
    return most;
}

/* --- names --- */

static void role_of_hit(const struct wb_family_hit *hit, struct wb_role *out)
{
    const struct wb_family_pattern *p = hit->pattern;

    snprintf(out->role, sizeof out->role, "%s%s", p->role, hit->bias ? ".bias" : "");
    snprintf(out->stack, sizeof out->stack, "%s", p->stack);
    snprintf(out->kind, sizeof out->kind, "%s",
             hit->bias && strcmp(p->kind, "norm") != 0 ? "bias" : p->kind);
    out->layer = hit->layer;
    out->expert = hit->expert;
    out->transposed = p->transposed && !hit->bias;
    out->fused = p->fused;
}

static void role_of_guess(const struct wb_arch *arch, const char *name,
                          const struct wb_shape *shape, struct wb_role *out)
{
    struct wb_place place = wb_stems_find(&arch->stems, name);
    struct wb_guess g = wb_role_guess(place.tail, place.stem != NULL, shape);
    bool known = strcmp(g.role, "other") != 0;

    snprintf(out->role, sizeof out->role, "%s%s%s", g.cross ? "cross_" : "", g.role,
             g.bias && known ? ".bias" : "");
    snprintf(out->stack, sizeof out->stack, "%s", place.stem != NULL ? place.stem->stack : "");
    snprintf(out->kind, sizeof out->kind, "%s", g.kind);
    out->layer = place.layer;
    out->expert = place.expert;
    out->fused = g.fused;
}

static bool same_matrix(const struct wb_shape *a, const struct wb_shape *b)
{
    return a->ndim == 2 && b->ndim == 2 && a->dim[0] == b->dim[0] && a->dim[1] == b->dim[1];
}

/* The embedding that this tensor is an alias of. A copy of another shape is a tensor of its own. */
static const char *alias_of(const struct wb_arch *arch, const char *name,
                            const struct wb_shape *shape, const struct wb_role *role)
{
    bool head = strcmp(role->role, "lm_head") == 0 && arch->dims.tied_embeddings;
    bool copy = strcmp(role->role, "embed") == 0 && role->stack[0] != '\0' && !arch->embed_in_stack;

    if (arch->embed == NULL || !(head || copy) || strcmp(name, arch->embed) == 0)
        return NULL;
    return shape == NULL || same_matrix(shape, &arch->embed_shape) ? arch->embed : NULL;
}

void wb_arch_role(const struct wb_arch *arch, const char *name, const struct wb_shape *shape,
                  struct wb_role *out)
{
    struct wb_family_hit hit;

    *out = (struct wb_role){ .layer = -1, .expert = WB_EXPERT_NONE };
    if (arch->tree != NULL && wb_family_find(arch->tree, name, &hit))
        role_of_hit(&hit, out);
    else
        role_of_guess(arch, name, shape, out);
    out->tied_to = alias_of(arch, name, shape, out);
}

bool wb_arch_rename_layer(const struct wb_arch *arch, const char *name, int layer, char *out,
                          size_t size)
{
    struct wb_family_hit hit;
    struct wb_place place;
    size_t at, len;
    int n;

    if (arch->tree != NULL && wb_family_find(arch->tree, name, &hit)) {
        if (hit.layer < 0)
            return false;
        at = hit.layer_at;
    } else {
        place = wb_stems_find(&arch->stems, name);
        if (place.stem == NULL)
            return false;
        at = place.layer_at;
    }
    len = strcspn(name + at, ".");
    n = snprintf(out, size, "%.*s%d%s", (int)at, name, layer, name + at + len);
    return n >= 0 && (size_t)n < size;
}
