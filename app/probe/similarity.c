/* app/probe/similarity.c - which tensors are each other's counterparts, and their products.
 *
 * A slot is a name (of layers: with the number taken out) and a shape; its members are the items
 * that have such a tensor. All products among the members of a slot come from one pass. */
#include "app/probe/similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "app/probe/places.h"

#define NAME_MAX_BYTES 512

struct member {
    const char *key; /* the name without its layer */
    const struct wb_entry *entry;
    size_t item, role, order;
    struct wb_node *node; /* owned */
};

/* Members first .. first + count of one key and shape. */
struct slot {
    size_t first, count;
    double *gram; /* count * count */
};

struct work {
    struct wb_pairwise *out;
    const struct wb_model *base;
    const char *match;
    struct member *member;
    size_t members;
    struct slot *slot;
    size_t slots;
    struct wb_arena arena; /* scratch */
    struct wb_err *err;
};

static bool no_memory(struct work *w)
{
    return wb_fail(w->err, WB_ENOMEM, "no memory to compare weights");
}

/* Is the tensor one to compare? Of a base: does it have the tensor too? */
static bool counts(const struct work *w, const struct wb_model *m, const struct wb_entry *e)
{
    const struct wb_entry *base = w->base == NULL ? NULL : wb_model_find(w->base, e->name);

    if (!wb_dtype_computable(wb_node_dtype(e->node)) ||
        (w->match != NULL && !wb_glob(w->match, e->name)) ||
        (e->role.tied_to != NULL && wb_model_find(m, e->role.tied_to) != NULL))
        return false;
    return w->base == NULL || (base != NULL && wb_dtype_computable(wb_node_dtype(base->node)) &&
                               wb_shape_equal(wb_node_shape(base->node), wb_node_shape(e->node)));
}

static bool add_member(struct work *w, const struct wb_entry *e, const char *key, size_t item)
{
    struct member *m = &w->member[w->members];

    *m = (struct member){ .key = key, .entry = e, .item = item, .order = w->members };
    m->node = w->base == NULL ? wb_node_ref(e->node)
                              : wb_node_binary(WB_BINARY_sub, e->node,
                                               wb_model_find(w->base, e->name)->node, w->err);
    if (m->node == NULL)
        return wb_wrap(w->err, "%s", e->name);
    w->members++;
    return true;
}

static int compare_shapes(const struct wb_shape *a, const struct wb_shape *b)
{
    if (a->ndim != b->ndim)
        return a->ndim < b->ndim ? -1 : 1;
    for (int i = 0; i < a->ndim; i++)
        if (a->dim[i] != b->dim[i])
            return a->dim[i] < b->dim[i] ? -1 : 1;
    return 0;
}

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    if (order == 0)
        order = compare_shapes(wb_node_shape(x->node), wb_node_shape(y->node));
    if (order == 0)
        order = (x->item > y->item) - (x->item < y->item);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static bool one_slot(const struct member *a, const struct member *b)
{
    return strcmp(a->key, b->key) == 0 &&
           wb_shape_equal(wb_node_shape(a->node), wb_node_shape(b->node));
}

static bool make_slots(struct work *w)
{
    qsort(w->member, w->members, sizeof *w->member, compare_members);
    w->slot = wb_arena_calloc(&w->arena, w->members + 1, sizeof *w->slot);
    if (w->slot == NULL)
        return no_memory(w);
    for (size_t i = 0; i < w->members; i++) {
        struct slot *last = w->slots > 0 ? &w->slot[w->slots - 1] : NULL;

        if (last == NULL || !one_slot(&w->member[last->first], &w->member[i]))
            w->slot[w->slots++] = (struct slot){ .first = i, .count = 1 };
        else
            last->count++;
    }
    return true;
}

/* Roles of the members, in the order of a block; each member's number. */
static bool list_roles(struct work *w)
{
    const struct wb_entry **entry = wb_arena_calloc(&w->arena, w->members + 1, sizeof *entry);
    struct wb_places places;

    if (entry == NULL)
        return no_memory(w);
    for (size_t i = 0; i < w->members; i++)
        entry[i] = w->member[i].entry;
    if (!wb_places_of(entry, w->members, &w->out->arena, &places, w->err))
        return false;
    w->out->role = places.column;
    w->out->roles = places.columns;
    for (size_t i = 0; i < w->members; i++)
        w->member[i].role = places.at[i].column;
    return true;
}

static bool ask(struct work *w, struct slot *s, struct wb_target *target, size_t group)
{
    struct wb_node **node = wb_arena_calloc(&w->arena, s->count, sizeof *node);

    s->gram = wb_arena_calloc(&w->arena, s->count * s->count, sizeof *s->gram);
    if (node == NULL || s->gram == NULL)
        return no_memory(w);
    for (size_t i = 0; i < s->count; i++)
        node[i] = w->member[s->first + i].node;
    *target = (struct wb_target){ .node = wb_node_gram(node, s->count, w->err),
                                  .group = group,
                                  .value = s->gram };
    return target->node != NULL || wb_wrap(w->err, "%s", w->member[s->first].entry->name);
}

static void add_up(const struct work *w, const struct slot *s)
{
    size_t n = w->out->items;

    for (size_t i = 0; i < s->count; i++)
        for (size_t j = 0; j < s->count; j++) {
            const struct member *x = &w->member[s->first + i], *y = &w->member[s->first + j];
            size_t at = (x->role * n + x->item) * n + y->item;

            w->out->dot[at] += s->gram[i * s->count + j];
            w->out->norm[at] += s->gram[i * s->count + i];
            w->out->shared[at]++;
        }
}

static bool evaluate(struct work *w, const struct wb_eval *how)
{
    struct wb_target *target = wb_arena_calloc(&w->arena, w->slots + 1, sizeof *target);
    size_t targets = 0;
    bool ok = target != NULL || no_memory(w);

    for (size_t i = 0; ok && i < w->slots; i++) {
        if (w->slot[i].count < 2) {
            w->out->alone++;
            continue;
        }
        ok = ask(w, &w->slot[i], &target[targets], i);
        targets += ok;
    }
    ok = ok && wb_evaluate(how, target, targets, NULL, w->err);
    for (size_t i = 0; ok && i < w->slots; i++)
        if (w->slot[i].gram != NULL)
            add_up(w, &w->slot[i]);
    for (size_t t = 0; t < targets; t++)
        wb_node_unref(target[t].node);
    return ok;
}

static bool begin(struct work *w, size_t items, size_t members)
{
    *w->out = (struct wb_pairwise){ .items = items };
    if (items > WB_PAIRWISE_ITEMS_MAX)
        return wb_fail(w->err, WB_EARG, "%zu to compare with each other, more than %d", items,
                       WB_PAIRWISE_ITEMS_MAX);
    w->out->item = wb_arena_calloc(&w->out->arena, items + 1, sizeof *w->out->item);
    w->member = wb_arena_calloc(&w->arena, members + 1, sizeof *w->member);
    return (w->out->item != NULL && w->member != NULL) || no_memory(w);
}

/* ok: the members are there. */
static bool finish(struct work *w, const struct wb_eval *how, bool ok)
{
    size_t cells;

    ok = ok && make_slots(w) && list_roles(w);
    if (ok) {
        cells = w->out->roles * w->out->items * w->out->items;
        w->out->dot = wb_arena_calloc(&w->out->arena, cells + 1, sizeof *w->out->dot);
        w->out->norm = wb_arena_calloc(&w->out->arena, cells + 1, sizeof *w->out->norm);
        w->out->shared = wb_arena_calloc(&w->out->arena, cells + 1, sizeof *w->out->shared);
        ok = w->out->dot != NULL && w->out->norm != NULL && w->out->shared != NULL;
        ok = ok || no_memory(w);
    }
    ok = ok && evaluate(w, how);
    for (size_t i = 0; i < w->members; i++)
        wb_node_unref(w->member[i].node);
    wb_arena_free(&w->arena);
    if (!ok)
        wb_pairwise_free(w->out);
    return ok;
}

/* Layers. */

static size_t find_item(const struct wb_pairwise *p, const struct wb_role *role)
{
    size_t i = 0;

    while (i < p->items &&
           (p->item[i].layer != role->layer || strcmp(p->item[i].stack, role->stack) != 0))
        i++;
    return i;
}

static bool list_layers(struct work *w, const struct wb_model *m)
{
    size_t n = wb_model_count(m);
    const struct wb_entry **entry = wb_arena_calloc(&w->arena, n + 1, sizeof *entry);
    struct wb_places places;

    if (entry == NULL)
        return no_memory(w);
    for (size_t i = 0; i < n; i++)
        entry[i] = wb_model_entry(m, i);
    if (!wb_places_of(entry, n, &w->arena, &places, w->err))
        return false;
    if (places.rows > 0 && places.row[places.rows - 1].layer < 0)
        places.rows--;
    if (!begin(w, places.rows, n))
        return false;
    for (size_t i = 0; i < places.rows; i++)
        w->out->item[i] = (struct wb_pairwise_item){ places.row[i].stack, places.row[i].layer };
    return true;
}

static bool add_layer_tensor(struct work *w, const struct wb_model *m, const struct wb_entry *e)
{
    char name[NAME_MAX_BYTES];
    const char *key;

    if (!wb_arch_rename_layer(wb_model_arch(m), e->name, 0, name, sizeof name))
        return true;
    /* layers of an encoder and a decoder are not each other's counterparts, as their names say */
    key = wb_arena_printf(&w->arena, "%s", name);
    return key != NULL ? add_member(w, e, key, find_item(w->out, &e->role)) : no_memory(w);
}

bool wb_similarity_layers(const struct wb_eval *how, const struct wb_model *model,
                          const struct wb_model *base, const char *match, struct wb_pairwise *out,
                          struct wb_err *err)
{
    struct work w = { .out = out, .base = base, .match = match, .err = err };
    bool ok;

    *out = (struct wb_pairwise){ 0 };
    ok = list_layers(&w, model);
    for (size_t i = 0; ok && i < wb_model_count(model); i++) {
        const struct wb_entry *e = wb_model_entry(model, i);

        if (e->role.layer >= 0 && counts(&w, model, e))
            ok = add_layer_tensor(&w, model, e);
    }
    return finish(&w, how, ok);
}

/* Models. */

bool wb_similarity_models(const struct wb_eval *how, struct wb_model *const *model, size_t models,
                          const struct wb_model *base, const char *match, struct wb_pairwise *out,
                          struct wb_err *err)
{
    struct work w = { .out = out, .base = base, .match = match, .err = err };
    size_t members = 0;
    bool ok;

    *out = (struct wb_pairwise){ 0 };
    for (size_t k = 0; k < models; k++)
        members += wb_model_count(model[k]);
    ok = begin(&w, models, members);
    for (size_t k = 0; ok && k < models; k++) {
        out->item[k] = (struct wb_pairwise_item){ "", (int)k };
        for (size_t i = 0; ok && i < wb_model_count(model[k]); i++) {
            const struct wb_entry *e = wb_model_entry(model[k], i);

            if (counts(&w, model[k], e))
                ok = add_member(&w, e, e->name, k);
        }
    }
    return finish(&w, how, ok);
}

void wb_pairwise_free(struct wb_pairwise *p)
{
    wb_arena_free(&p->arena);
    *p = (struct wb_pairwise){ 0 };
}

double wb_pairwise_get(const struct wb_pairwise *p, enum wb_pairwise_metric metric, size_t role,
                       size_t i, size_t j)
{
    size_t first = role == WB_ALL_ROLES ? 0 : role, n = p->items;
    size_t last = role == WB_ALL_ROLES ? p->roles : role + 1;
    double dot = 0, xx = 0, yy = 0, dd;

    for (size_t r = first; r < last; r++) {
        dot += p->dot[(r * n + i) * n + j];
        xx += p->norm[(r * n + i) * n + j];
        yy += p->norm[(r * n + j) * n + i];
    }
    if (isnan(dot) || !(xx > 0) || (metric == WB_PAIRWISE_COSINE && !(yy > 0)))
        return NAN;
    dd = xx + yy - 2 * dot; /* 0, not nearly 0, where both are the same */
    if (metric == WB_PAIRWISE_RELATIVE_L2)
        return sqrt(dd > 0 ? dd : 0) / sqrt(xx);
    return dot == xx && dot == yy ? 1 : fmax(-1, fmin(1, dot / (sqrt(xx) * sqrt(yy))));
}
