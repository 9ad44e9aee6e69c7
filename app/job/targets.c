/* app/job/targets.c - from a model to what the evaluator is asked for. */
#include <stdlib.h>
#include <string.h>

#include "app/job/job.h"

struct named {
    const char *name;
    size_t entry;
};

bool wb_job_one_file(const char *out)
{
    static const char suffix[] = ".safetensors";
    size_t n = out == NULL ? 0 : strlen(out);

    return n >= sizeof suffix && strcmp(out + n - (sizeof suffix - 1), suffix) == 0;
}

const char *wb_job_stem(const struct wb_model *model)
{
    return wb_model_stem(model)[0] != '\0' ? wb_model_stem(model) : "model";
}

enum wb_dtype wb_job_dtype(const struct wb_run *run, const struct wb_node *node)
{
    enum wb_dtype own = wb_node_dtype(node);

    return run->has_dtype && wb_dtype_computable(own) ? run->dtype : own;
}

struct wb_out_tensor *wb_job_tensors(const struct wb_run *run, const struct wb_model *model,
                                     struct wb_arena *arena, struct wb_err *err)
{
    size_t n = wb_model_count(model);
    struct wb_out_tensor *tensor = wb_arena_calloc(arena, n + 1, sizeof *tensor);

    if (tensor == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", n);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const struct wb_entry *e = wb_model_entry(model, i);

        tensor[i] = (struct wb_out_tensor){
            .name = e->name,
            .dtype = wb_job_dtype(run, e->node),
            .shape = *wb_node_shape(e->node),
        };
    }
    return tensor;
}

size_t wb_job_note_count(const struct wb_model *model)
{
    size_t n = 0;

    for (size_t s = 0; s < wb_model_step_count(model); s++)
        n += wb_model_step(model, s)->notes;
    return n;
}

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Entry numbers by name: a note's place is beside the tensor that it is about. */
static struct named *sort_names(const struct wb_model *model, struct wb_arena *arena)
{
    size_t n = wb_model_count(model);
    struct named *named = wb_arena_calloc(arena, n + 1, sizeof *named);

    for (size_t i = 0; named != NULL && i < n; i++)
        named[i] = (struct named){ wb_model_entry(model, i)->name, i };
    if (named != NULL)
        qsort(named, n, sizeof *named, compare_named);
    return named;
}

static size_t find_named(const struct named *named, size_t n, const char *name)
{
    const struct named *hit =
        bsearch(&(struct named){ .name = name }, named, n, sizeof *named, compare_named);

    return hit == NULL ? n : hit->entry;
}

static void add(struct wb_job_targets *out, const struct wb_target *target, size_t entry)
{
    out->target[out->count] = *target;
    out->entry[out->count++] = entry;
}

/* Stable counting sort by group; groups are 0 .. groups. */
static bool sort_by_group(struct wb_job_targets *t, size_t groups, struct wb_arena *arena)
{
    size_t *at = wb_arena_calloc(arena, groups + 2, sizeof *at);
    struct wb_job_targets sorted = {
        .target = wb_arena_calloc(arena, t->count + 1, sizeof *sorted.target),
        .entry = wb_arena_calloc(arena, t->count + 1, sizeof *sorted.entry),
        .count = t->count,
    };

    if (at == NULL || sorted.target == NULL || sorted.entry == NULL)
        return false;
    for (size_t i = 0; i < t->count; i++)
        at[t->target[i].group + 1]++;
    for (size_t g = 0; g < groups; g++)
        at[g + 1] += at[g];
    for (size_t i = 0; i < t->count; i++) {
        size_t to = at[t->target[i].group]++;

        sorted.target[to] = t->target[i];
        sorted.entry[to] = t->entry[i];
    }
    *t = sorted;
    return true;
}

bool wb_job_targets(const struct wb_run *run, const struct wb_model *model, const bool *skip,
                    bool tensors, double *notes, struct wb_arena *arena, struct wb_job_targets *out,
                    struct wb_err *err)
{
    size_t n = wb_model_count(model), room = n + 1 + wb_job_note_count(model);
    struct named *named = notes == NULL ? NULL : sort_names(model, arena);

    *out = (struct wb_job_targets){ .target = wb_arena_calloc(arena, room, sizeof *out->target),
                                    .entry = wb_arena_calloc(arena, room, sizeof *out->entry) };
    if (out->target == NULL || out->entry == NULL || (notes != NULL && named == NULL))
        return wb_fail(err, WB_ENOMEM, "no memory for %zu targets", room);
    for (size_t i = 0; tensors && i < n; i++) {
        struct wb_node *node = wb_model_entry(model, i)->node;

        if (skip == NULL || !skip[i])
            add(out,
                &(struct wb_target){
                    .node = node, .group = i, .write = true, .dtype = wb_job_dtype(run, node) },
                i);
    }
    if (notes == NULL)
        return true;
    for (size_t s = 0; s < wb_model_step_count(model); s++) {
        const struct wb_step *step = wb_model_step(model, s);

        for (size_t k = 0; k < step->notes; k++)
            add(out,
                &(struct wb_target){ .node = step->note[k].node,
                                     .value = notes++,
                                     .group = find_named(named, n, step->note[k].tensor) },
                SIZE_MAX);
    }
    return sort_by_group(out, n + 1, arena) ||
           wb_fail(err, WB_ENOMEM, "no memory for %zu targets", room);
}
