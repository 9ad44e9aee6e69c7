/* app/graph/model.c - models as values: entries, roles, and what they were made of. */
#include "app/graph/model.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/arena.h"
#include "app/core/json.h"
#include "app/graph/model_impl.h"

struct wb_model *wb_model_ref(struct wb_model *m)
{
    if (m != NULL)
        atomic_fetch_add(&m->refs, 1);
    return m;
}

static void free_steps(struct wb_model *m)
{
    for (size_t i = 0; i < m->steps; i++) {
        for (size_t k = 0; k < m->step[i].notes; k++)
            wb_node_unref(m->step[i].note[k].node);
        free((void *)m->step[i].note);
    }
    free(m->step);
}

void wb_model_unref(struct wb_model *m)
{
    if (m == NULL || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    for (size_t i = 0; i < m->count; i++)
        wb_node_unref(m->entry[i].node);
    for (size_t i = 0; i < m->sources; i++)
        wb_ckpt_unref(m->source[i]);
    free_steps(m);
    free(m->entry);
    free(m->slot);
    free(m->source);
    free(m->warning);
    free(m->file);
    cJSON_Delete(m->config);
    wb_arch_unref(m->arch);
    wb_arena_free(&m->arena);
    free(m);
}

/* list grows by one when it is full: sizes are powers of two. */
bool wb_model_grow(void **list, size_t count, size_t size)
{
    void *more;

    if ((count & (count - 1)) != 0)
        return true;
    more = realloc(*list, (count == 0 ? 1 : 2 * count) * size);
    if (more == NULL)
        return false;
    *list = more;
    return true;
}

/* Names to entries. */

static size_t place(const struct wb_model *m, const char *name)
{
    size_t i = (size_t)wb_hash_bytes(name, strlen(name)).low & (m->slots - 1);

    while (m->slot[i] != 0 && strcmp(m->entry[m->slot[i] - 1].name, name) != 0)
        i = (i + 1) & (m->slots - 1);
    return i;
}

bool wb_model_index(struct wb_model *m, struct wb_err *err)
{
    size_t slots = 16;

    while (slots < 2 * (m->count + 1))
        slots *= 2;
    free(m->slot);
    m->slot = calloc(slots, sizeof *m->slot);
    if (m->slot == NULL)
        return wb_model_no_memory(err);
    m->slots = slots;
    for (size_t i = 0; i < m->count; i++)
        m->slot[place(m, m->entry[i].name)] = i + 1;
    return true;
}

bool wb_model_index_add(struct wb_model *m)
{
    m->slot[place(m, m->entry[m->count - 1].name)] = m->count;
    return true;
}

const struct wb_entry *wb_model_find(const struct wb_model *m, const char *name)
{
    size_t at = m->slots == 0 ? 0 : m->slot[place(m, name)];

    return at == 0 ? NULL : &m->entry[at - 1];
}

/* Reading. */

const char *wb_model_path(const struct wb_model *m)
{
    return m->path;
}

const struct wb_arch *wb_model_arch(const struct wb_model *m)
{
    return m->arch;
}

const cJSON *wb_model_config(const struct wb_model *m)
{
    return m->config;
}

bool wb_model_has_config(const struct wb_model *m)
{
    return m->has_config;
}

const char *wb_model_side_dir(const struct wb_model *m)
{
    return m->side_dir;
}

size_t wb_model_count(const struct wb_model *m)
{
    return m->count;
}

const struct wb_entry *wb_model_entry(const struct wb_model *m, size_t i)
{
    return &m->entry[i];
}

uint64_t wb_model_parameters(const struct wb_model *m)
{
    uint64_t total = 0;

    for (size_t i = 0; i < m->count; i++)
        if (m->entry[i].role.tied_to == NULL &&
            wb_dtype_computable(wb_node_dtype(m->entry[i].node)))
            total += wb_node_count(m->entry[i].node);
    return total;
}

uint64_t wb_model_bytes(const struct wb_model *m)
{
    uint64_t total = 0, bytes;

    for (size_t i = 0; i < m->count; i++)
        if (wb_shape_bytes(wb_node_shape(m->entry[i].node), wb_node_dtype(m->entry[i].node),
                           &bytes))
            total += bytes;
    return total;
}

int wb_model_layers(const struct wb_model *m)
{
    int layers = 0;

    for (size_t i = 0; i < m->count; i++)
        if (m->entry[i].role.layer >= layers)
            layers = m->entry[i].role.layer + 1;
    return layers;
}

struct wb_hash wb_model_hash(const struct wb_model *m)
{
    struct wb_hasher *hasher = wb_hasher_new();
    char *config = cJSON_PrintUnformatted(m->config);
    struct wb_hash hash = { 0, 0 };

    for (size_t i = 0; hasher != NULL && i < m->count; i++) {
        struct wb_hash node = wb_node_hash(m->entry[i].node);

        wb_hasher_add(hasher, m->entry[i].name, strlen(m->entry[i].name) + 1);
        wb_hasher_add(hasher, &node, sizeof node);
    }
    if (hasher != NULL && config != NULL)
        wb_hasher_add(hasher, config, strlen(config));
    if (hasher != NULL) {
        hash = wb_hasher_get(hasher);
        wb_hasher_free(hasher);
    }
    free(config);
    return hash;
}

size_t wb_model_source_count(const struct wb_model *m)
{
    return m->sources;
}

struct wb_ckpt *wb_model_source(const struct wb_model *m, size_t i)
{
    return m->source[i];
}

size_t wb_model_step_count(const struct wb_model *m)
{
    return m->steps;
}

const struct wb_step *wb_model_step(const struct wb_model *m, size_t i)
{
    return &m->step[i];
}

size_t wb_model_warning_count(const struct wb_model *m)
{
    return m->warnings;
}

const char *wb_model_warning(const struct wb_model *m, size_t i)
{
    return m->warning[i];
}

const char *wb_model_stem(const struct wb_model *m)
{
    return m->stem;
}

size_t wb_model_file_count(const struct wb_model *m)
{
    return m->files;
}

const char *wb_model_file(const struct wb_model *m, size_t i, const char **text)
{
    *text = m->file[i].text;
    return m->file[i].name;
}
