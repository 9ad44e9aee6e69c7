/* app/graph/draft.c - making a model: from another one, entry by entry, until it is frozen. */
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/graph/model_impl.h"

struct wb_model *wb_model_blank(const struct wb_arch_set *set, const char *path, struct wb_err *err)
{
    struct wb_model *m = calloc(1, sizeof *m);

    if (m == NULL) {
        wb_model_no_memory(err);
        return NULL;
    }
    atomic_init(&m->refs, 1);
    m->set = set;
    m->stem = "";
    m->path = wb_arena_strdup(&m->arena, path);
    m->config = cJSON_CreateObject();
    if (m->path != NULL && m->config != NULL && wb_model_index(m, err))
        return m;
    wb_model_no_memory(err);
    wb_model_unref(m);
    return NULL;
}

bool wb_model_add_source(struct wb_model *draft, struct wb_ckpt *ck, struct wb_err *err)
{
    for (size_t i = 0; i < draft->sources; i++)
        if (draft->source[i] == ck)
            return true;
    if (!wb_model_grow((void **)&draft->source, draft->sources, sizeof(struct wb_ckpt *)))
        return wb_model_no_memory(err);
    draft->source[draft->sources++] = wb_ckpt_ref(ck);
    return true;
}

static bool has_step(const struct wb_model *draft, const char *json)
{
    for (size_t i = 0; i < draft->steps; i++)
        if (strcmp(draft->step[i].json, json) == 0)
            return true;
    return false;
}

static bool copy_steps(struct wb_model *draft, const struct wb_model *from, struct wb_err *err)
{
    for (size_t i = 0; i < from->steps; i++) {
        if (has_step(draft, from->step[i].json)) /* inputs with a common ancestor */
            continue;
        if (!wb_model_add_step(draft, from->step[i].json, err))
            return false;
        for (size_t k = 0; k < from->step[i].notes; k++) {
            const struct wb_note *n = &from->step[i].note[k];

            if (!wb_model_add_note(draft, n->tensor, n->key, n->node, n->total, n->weight, err))
                return false;
        }
    }
    return true;
}

bool wb_model_add_sources(struct wb_model *draft, const struct wb_model *other, struct wb_err *err)
{
    for (size_t i = 0; i < other->sources; i++)
        if (!wb_model_add_source(draft, other->source[i], err))
            return false;
    for (size_t i = 0; i < other->warnings; i++)
        if (!wb_model_add_warning(draft, other->warning[i], err))
            return false;
    return copy_steps(draft, other, err);
}

static bool copy_all(struct wb_model *draft, const struct wb_model *from, struct wb_err *err)
{
    draft->stem = wb_arena_strdup(&draft->arena, from->stem);
    if (from->side_dir != NULL)
        draft->side_dir = wb_arena_strdup(&draft->arena, from->side_dir);
    if (draft->stem == NULL || (from->side_dir != NULL && draft->side_dir == NULL))
        return wb_model_no_memory(err);
    draft->has_config = from->has_config;
    if (!wb_model_set_config(draft, from->config, err) || !wb_model_add_sources(draft, from, err))
        return false;
    for (size_t i = 0; i < from->files; i++)
        if (!wb_model_add_file(draft, from->file[i].name, from->file[i].text, err))
            return false;
    for (size_t i = 0; i < from->count; i++)
        if (!wb_model_set(draft, from->entry[i].name, from->entry[i].node, err))
            return false;
    return true;
}

struct wb_model *wb_model_derive(const struct wb_model *from, struct wb_err *err)
{
    struct wb_model *draft = wb_model_blank(from->set, from->path, err);

    if (draft == NULL)
        return NULL;
    if (copy_all(draft, from, err))
        return draft;
    wb_model_unref(draft);
    return NULL;
}

bool wb_model_clear(struct wb_model *draft)
{
    for (size_t i = 0; i < draft->count; i++)
        wb_node_unref(draft->entry[i].node);
    draft->count = 0;
    return wb_model_index(draft, NULL);
}

bool wb_model_set(struct wb_model *draft, const char *name, struct wb_node *node,
                  struct wb_err *err)
{
    struct wb_entry *entry = (struct wb_entry *)wb_model_find(draft, name);

    if (entry != NULL) {
        wb_node_ref(node);
        wb_node_unref(entry->node);
        entry->node = node; /* a removed one keeps its place until the draft is frozen */
        return true;
    }
    if (node == NULL)
        return true;
    if (!wb_model_grow((void **)&draft->entry, draft->count, sizeof *draft->entry))
        return wb_model_no_memory(err);
    entry = &draft->entry[draft->count];
    *entry = (struct wb_entry){ .name = wb_arena_strdup(&draft->arena, name) };
    if (entry->name == NULL)
        return wb_model_no_memory(err);
    entry->node = wb_node_ref(node);
    draft->count++;
    if (2 * (draft->count + 1) > draft->slots)
        return wb_model_index(draft, err);
    return wb_model_index_add(draft);
}

bool wb_model_set_config(struct wb_model *draft, const cJSON *config, struct wb_err *err)
{
    cJSON *copy = cJSON_Duplicate(config, true);

    if (copy == NULL)
        return wb_model_no_memory(err);
    cJSON_Delete(draft->config);
    draft->config = copy;
    return true;
}

bool wb_model_set_stem(struct wb_model *draft, const char *stem, struct wb_err *err)
{
    draft->stem = wb_arena_strdup(&draft->arena, stem);
    return draft->stem != NULL || wb_model_no_memory(err);
}

bool wb_model_add_warning(struct wb_model *draft, const char *text, struct wb_err *err)
{
    char *copy;

    for (size_t i = 0; i < draft->warnings; i++)
        if (strcmp(draft->warning[i], text) == 0)
            return true;
    copy = wb_arena_strdup(&draft->arena, text);
    if (copy == NULL || !wb_model_grow((void **)&draft->warning, draft->warnings, sizeof(char *)))
        return wb_model_no_memory(err);
    draft->warning[draft->warnings++] = copy;
    return true;
}

bool wb_model_add_step(struct wb_model *draft, const char *json, struct wb_err *err)
{
    char *copy = wb_arena_strdup(&draft->arena, json);

    if (copy == NULL || !wb_model_grow((void **)&draft->step, draft->steps, sizeof *draft->step))
        return wb_model_no_memory(err);
    draft->step[draft->steps++] = (struct wb_step){ .json = copy };
    return true;
}

bool wb_model_add_note(struct wb_model *draft, const char *tensor, const char *key,
                       struct wb_node *node, enum wb_total total, double weight, struct wb_err *err)
{
    struct wb_step *step;
    struct wb_note note = { .tensor = wb_arena_strdup(&draft->arena, tensor),
                            .key = wb_arena_strdup(&draft->arena, key),
                            .total = total,
                            .weight = weight };

    if (draft->steps == 0)
        return wb_fail(err, WB_EARG, "a note without a step");
    if (wb_node_count(node) != 1)
        return wb_fail(err, WB_ESHAPE, "the note '%s' is not a single number", key);
    step = &draft->step[draft->steps - 1];
    if (note.tensor == NULL || note.key == NULL ||
        !wb_model_grow((void **)&step->note, step->notes, sizeof *step->note))
        return wb_model_no_memory(err);
    note.node = wb_node_ref(node);
    ((struct wb_note *)step->note)[step->notes++] = note;
    return true;
}

bool wb_model_add_file(struct wb_model *draft, const char *name, const char *text,
                       struct wb_err *err)
{
    struct wb_model_file file = { wb_arena_strdup(&draft->arena, name),
                                  wb_arena_strdup(&draft->arena, text) };

    if (file.name == NULL || file.text == NULL ||
        !wb_model_grow((void **)&draft->file, draft->files, sizeof *draft->file))
        return wb_model_no_memory(err);
    draft->file[draft->files++] = file;
    return true;
}

static void drop_removed(struct wb_model *draft)
{
    size_t kept = 0;

    for (size_t i = 0; i < draft->count; i++)
        if (draft->entry[i].node != NULL)
            draft->entry[kept++] = draft->entry[i];
    draft->count = kept;
}

bool wb_model_freeze(struct wb_model *draft, struct wb_err *err)
{
    const char **name;
    struct wb_shape *shape;
    bool ok = true;

    drop_removed(draft);
    name = calloc(draft->count + 1, sizeof *name);
    shape = calloc(draft->count + 1, sizeof *shape);
    if (name == NULL || shape == NULL || !wb_model_index(draft, err))
        ok = wb_model_no_memory(err);
    for (size_t i = 0; ok && i < draft->count; i++) {
        name[i] = draft->entry[i].name;
        shape[i] = *wb_node_shape(draft->entry[i].node);
    }
    if (ok) {
        wb_arch_unref(draft->arch);
        draft->arch = wb_arch_match(draft->set, draft->has_config ? draft->config : NULL, name,
                                    shape, draft->count, err);
        ok = draft->arch != NULL;
    }
    for (size_t i = 0; ok && i < draft->count; i++)
        wb_arch_role(draft->arch, name[i], &shape[i], &draft->entry[i].role);
    free(name);
    free(shape);
    draft->frozen = ok;
    return ok;
}
