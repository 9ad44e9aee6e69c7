/* app/probe/difference.c - which tensors of two models differ: hashes of bytes, or values. */
#include <stdlib.h>
#include <string.h>

#include "app/probe/delta.h"
#include "app/probe/relation.h"

struct finder {
    const struct wb_model *a, *b;
    struct wb_difference_list *list;
    struct wb_target *target;
    size_t targets;
    struct wb_hash *hash;           /* of targets that are written */
    double (*pair)[WB_PAIR_FIELDS]; /* of targets that are not */
    size_t *tensor;                 /* of each target */
};

static bool put(void *ctx, size_t target, uint64_t first, const void *bytes, size_t n,
                struct wb_err *err)
{
    (void)ctx, (void)target, (void)first, (void)bytes, (void)n, (void)err;
    return true;
}

static bool done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    struct finder *f = ctx;

    (void)err;
    f->hash[target] = hash;
    return true;
}

static void add_bytes(struct finder *f, size_t tensor, struct wb_node *node)
{
    f->tensor[f->targets] = tensor;
    f->target[f->targets++] = (struct wb_target){
        .node = wb_node_ref(node), .group = tensor, .write = true, .dtype = wb_node_dtype(node)
    };
}

static bool add_values(struct finder *f, size_t tensor, struct wb_node *a, struct wb_node *b,
                       struct wb_err *err)
{
    struct wb_node *pair = wb_node_reduce(WB_REDUCE_PAIR_STATS, WB_AXIS_ALL, a, b, err);

    if (pair == NULL)
        return false;
    f->tensor[f->targets] = tensor;
    f->target[f->targets] =
        (struct wb_target){ .node = pair, .group = tensor, .value = f->pair[f->targets] };
    f->targets++;
    return true;
}

/* Sort a tensor of A into its kind, or ask for what it takes to tell. */
static bool look_at(struct finder *f, size_t i, struct wb_err *err)
{
    const struct wb_entry *a = wb_model_entry(f->a, i), *b = wb_model_find(f->b, a->name);
    struct wb_difference *d = &f->list->tensor[i];
    enum wb_dtype dtype = wb_node_dtype(a->node);

    *d = (struct wb_difference){ .name = a->name, .kind = WB_DIFFERENT };
    if (b == NULL)
        d->kind = WB_ONLY_A;
    else if (!wb_shape_equal(wb_node_shape(a->node), wb_node_shape(b->node)))
        d->kind = WB_RESHAPED;
    else if (wb_hash_equal(wb_node_hash(a->node), wb_node_hash(b->node)))
        d->kind = WB_SAME_SOURCE;
    else if (dtype == wb_node_dtype(b->node)) {
        add_bytes(f, i, a->node);
        add_bytes(f, i, b->node);
    } else if (wb_dtype_computable(dtype) && wb_dtype_computable(wb_node_dtype(b->node))) {
        return add_values(f, i, a->node, b->node, err);
    }
    return true;
}

static void judge(struct finder *f)
{
    for (size_t t = 0; t < f->targets; t++) {
        struct wb_difference *d = &f->list->tensor[f->tensor[t]];

        if (f->target[t].write && t + 1 < f->targets && f->tensor[t + 1] == f->tensor[t]) {
            if (wb_hash_equal(f->hash[t], f->hash[t + 1]))
                d->kind = WB_SAME_BYTES;
        } else if (!f->target[t].write && f->pair[t][WB_PAIR_UNEQUAL] == 0 &&
                   f->pair[t][WB_PAIR_SKIPPED] == 0) {
            d->kind = WB_SAME_VALUES;
        }
    }
    for (size_t i = 0; i < f->list->count; i++)
        f->list->kinds[f->list->tensor[i].kind]++;
}

static bool room(struct finder *f, struct wb_err *err)
{
    struct wb_arena *arena = &f->list->arena;
    size_t n = wb_model_count(f->a), all = n + wb_model_count(f->b) + 1;

    f->list->tensor = wb_arena_calloc(arena, all, sizeof *f->list->tensor);
    f->target = wb_arena_calloc(arena, 2 * n + 1, sizeof *f->target);
    f->hash = wb_arena_calloc(arena, 2 * n + 1, sizeof *f->hash);
    f->pair = wb_arena_calloc(arena, 2 * n + 1, sizeof *f->pair);
    f->tensor = wb_arena_calloc(arena, 2 * n + 1, sizeof *f->tensor);
    return (f->list->tensor != NULL && f->target != NULL && f->hash != NULL && f->pair != NULL &&
            f->tensor != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", all);
}

bool wb_difference_find(const struct wb_eval *how, const struct wb_model *a,
                        const struct wb_model *b, struct wb_difference_list *out,
                        struct wb_err *err)
{
    struct finder f = { .a = a, .b = b, .list = out };
    struct wb_sink sink = { .ctx = &f, .put = put, .done = done };
    bool ok;

    *out = (struct wb_difference_list){ 0 };
    ok = room(&f, err);
    for (; ok && out->count < wb_model_count(a); out->count++)
        ok = look_at(&f, out->count, err);
    for (size_t i = 0; ok && i < wb_model_count(b); i++)
        if (wb_model_find(a, wb_model_entry(b, i)->name) == NULL)
            out->tensor[out->count++] =
                (struct wb_difference){ wb_model_entry(b, i)->name, WB_ONLY_B };
    ok = ok && wb_evaluate(how, f.target, f.targets, &sink, err);
    if (ok)
        judge(&f);
    for (size_t t = 0; t < f.targets; t++)
        wb_node_unref(f.target[t].node);
    if (!ok)
        wb_difference_free(out);
    return ok;
}

void wb_difference_free(struct wb_difference_list *list)
{
    wb_arena_free(&list->arena);
    *list = (struct wb_difference_list){ 0 };
}
