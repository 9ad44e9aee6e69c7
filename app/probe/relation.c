/* app/probe/relation.c - what headers tell about two models, and in a sentence. */
#include "app/probe/relation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"

/* The first tensor that one of them lacks, or that has another shape. */
struct oddity {
    const struct wb_entry *missing, *extra, *reshaped;
};

static void compare(const struct wb_entry *a, const struct wb_entry *b, struct wb_relation *out,
                    struct oddity *odd)
{
    if (b == NULL) {
        out->only++;
        if (odd->extra == NULL)
            odd->extra = a;
        return;
    }
    out->named++;
    if (!wb_shape_equal(wb_node_shape(a->node), wb_node_shape(b->node))) {
        if (odd->reshaped == NULL)
            odd->reshaped = a;
        return;
    }
    out->shaped++;
    out->typed += wb_node_dtype(a->node) == wb_node_dtype(b->node);
    out->same += wb_hash_equal(wb_node_hash(a->node), wb_node_hash(b->node));
}

/* "model.layers.22" of a name in layer 22, into out; the whole name where it has no such part. */
static const char *layer_name(const struct wb_entry *e, char *out, size_t size)
{
    char number[16];
    const char *at = e->name;
    size_t n = (size_t)snprintf(number, sizeof number, "%d", e->role.layer);

    snprintf(out, size, "%s", e->name);
    while (e->role.layer >= 0 && (at = strstr(at, number)) != NULL) {
        bool starts = at == e->name || at[-1] == '.' || at[-1] == '_';

        if (starts && (at[n] == '.' || at[n] == '_' || at[n] == '\0')) {
            snprintf(out, size, "%.*s", (int)(at + n - e->name), e->name);
            break;
        }
        at++;
    }
    return out;
}

/* The tensor of a layer that A lacks (has alone): of the lowest layer, not the first in the file. */
static const struct wb_entry *lowest_layer(const struct wb_model *of, const struct wb_model *lacks,
                                           const struct wb_entry *first)
{
    const struct wb_entry *best = first;

    for (size_t i = 0; i < wb_model_count(of); i++) {
        const struct wb_entry *e = wb_model_entry(of, i);

        if (e->role.layer >= 0 && wb_model_find(lacks, e->name) == NULL &&
            (best == NULL || best->role.layer < 0 || e->role.layer < best->role.layer))
            best = e;
    }
    return best;
}

static void say_layers(const struct wb_model *a, const struct wb_model *b, const char *name,
                       const struct oddity *odd, struct wb_relation *out)
{
    bool fewer = out->layers < out->other_layers;
    const struct wb_entry *e =
        fewer ? lowest_layer(b, a, odd->missing) : lowest_layer(a, b, odd->extra);
    char where[200];

    if (e == NULL)
        snprintf(out->says, sizeof out->says, "%d layers, %s has %d", out->layers, name,
                 out->other_layers);
    else
        snprintf(out->says, sizeof out->says, "%d layers, %s has %d: %s is %s", out->layers, name,
                 out->other_layers, layer_name(e, where, sizeof where),
                 fewer ? "missing" : "only here");
}

static void say_shape(const struct wb_model *b, const char *name, const struct wb_entry *e,
                      struct wb_relation *out)
{
    char here[128], there[128];

    snprintf(out->says, sizeof out->says, "%zu of %zu shapes as %s: %.100s is %s, there %s",
             out->shaped, out->tensors, name, e->name,
             wb_shape_format(wb_node_shape(e->node), here, sizeof here),
             wb_shape_format(wb_node_shape(wb_model_find(b, e->name)->node), there, sizeof there));
}

static void say_names(const char *name, const struct oddity *odd, struct wb_relation *out)
{
    const struct wb_entry *e = odd->missing != NULL ? odd->missing : odd->extra;

    snprintf(out->says, sizeof out->says, "%zu of %zu shapes as %s: %.200s is %s", out->shaped,
             out->tensors, name, e->name, odd->missing != NULL ? "missing" : "only here");
}

static void say_fitting(const char *name, struct wb_relation *out)
{
    size_t n = (size_t)snprintf(out->says, sizeof out->says, "shapes as %s, %zu of %zu", name,
                                out->shaped, out->tensors);

    if (n < sizeof out->says && out->same == out->tensors)
        snprintf(out->says + n, sizeof out->says - n, ", the same bytes");
    else if (n < sizeof out->says && out->typed < out->shaped)
        snprintf(out->says + n, sizeof out->says - n, ", %zu of another dtype",
                 out->shaped - out->typed);
}

void wb_relation_of(const struct wb_model *a, const struct wb_model *b, const char *full_name,
                    struct wb_relation *out)
{
    const char *family = wb_arch_family(wb_model_arch(a)), *other;
    struct oddity odd = { 0 };
    char name[120];

    other = wb_arch_family(wb_model_arch(b));
    snprintf(name, sizeof name, "%s", full_name);
    *out = (struct wb_relation){ .same_family = strcmp(family, other) == 0,
                                 .tensors = wb_model_count(a),
                                 .other_tensors = wb_model_count(b),
                                 .layers = wb_model_layers(a),
                                 .other_layers = wb_model_layers(b) };
    for (size_t i = 0; i < out->tensors; i++) {
        const struct wb_entry *e = wb_model_entry(a, i);

        compare(e, wb_model_find(b, e->name), out, &odd);
    }
    for (size_t i = 0; i < out->other_tensors; i++) {
        const struct wb_entry *e = wb_model_entry(b, i);

        if (wb_model_find(a, e->name) != NULL)
            continue;
        out->other_only++;
        if (odd.missing == NULL)
            odd.missing = e;
    }
    if (!out->same_family && out->named == 0)
        snprintf(out->says, sizeof out->says, "%.60s, %s is %.60s: no name in common", family, name,
                 other);
    else if (out->layers != out->other_layers)
        say_layers(a, b, name, &odd, out);
    else if (odd.reshaped != NULL)
        say_shape(b, name, odd.reshaped, out);
    else if (odd.missing != NULL || odd.extra != NULL)
        say_names(name, &odd, out);
    else
        say_fitting(name, out);
}

/* Where a model comes from. */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

static bool same_name(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || strcmp(last_part(a), last_part(b)) == 0;
}

const char *wb_relation_base_name(const struct wb_model *model)
{
    static const char *const key[] = { "base_model_name_or_path", "_name_or_path" };

    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
        const char *name = wb_json_text(wb_model_config(model), key[i], "");

        if (name[0] != '\0' && !same_name(name, wb_model_path(model)))
            return name;
    }
    return NULL;
}

static bool same_files(const struct wb_ckpt *a, const struct wb_ckpt *b)
{
    if (wb_ckpt_file_count(a) != wb_ckpt_file_count(b))
        return false;
    for (size_t i = 0; i < wb_ckpt_file_count(a); i++) {
        const struct wb_ckpt_file *x = wb_ckpt_file(a, i), *y = wb_ckpt_file(b, i);

        if (x->device != y->device || x->inode != y->inode || x->mtime_ns != y->mtime_ns)
            return false;
    }
    return true;
}

/* Was model opened as other with adapters over it? */
static bool is_under(const struct wb_model *model, const struct wb_model *other)
{
    return wb_model_source_count(model) > 1 && wb_model_source_count(other) == 1 &&
           same_files(wb_model_source(model, 0), wb_model_source(other, 0));
}

static bool looks_like_base(const struct wb_model *model, const struct wb_model *other)
{
    const char *name = last_part(wb_model_path(other));
    size_t n = strlen(name);
    struct wb_relation r;

    while (n > 0 && name[n - 1] == '/')
        n--;
    if (n < 4 || strncmp(name + n - 4, "base", 4) != 0)
        return false;
    wb_relation_of(model, other, "", &r);
    return r.same_family && r.shaped == r.tensors && r.other_only == 0 && r.same < r.tensors;
}

int wb_relation_base(const struct wb_model *model, struct wb_model *const *other, size_t others)
{
    const char *name = wb_relation_base_name(model);

    for (size_t i = 0; name != NULL && i < others; i++)
        if (other[i] != NULL && other[i] != model && same_name(name, wb_model_path(other[i])))
            return (int)i;
    for (size_t i = 0; i < others; i++)
        if (other[i] != NULL && other[i] != model && is_under(model, other[i]))
            return (int)i;
    for (size_t i = 0; i < others; i++)
        if (other[i] != NULL && other[i] != model && looks_like_base(model, other[i]))
            return (int)i;
    return -1;
}
