/* app/probe/delta.c - which tensors two models share, and one pass over them. */
#include "app/probe/delta.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"

/* Figures */

double wb_delta_l2(const struct wb_delta *d)
{
    return d->v[WB_PAIR_COUNT] > d->v[WB_PAIR_SKIPPED] ? sqrt(d->v[WB_PAIR_DD]) : NAN;
}

double wb_delta_relative_l2(const struct wb_delta *d)
{
    double l2 = wb_delta_l2(d);

    if (l2 == 0)
        return 0;
    return d->v[WB_PAIR_XX] > 0 ? l2 / sqrt(d->v[WB_PAIR_XX]) : NAN;
}

double wb_delta_cosine(const struct wb_delta *d)
{
    double norms = sqrt(d->v[WB_PAIR_XX]) * sqrt(d->v[WB_PAIR_YY]);

    if (!(norms > 0))
        return NAN;
    if (d->v[WB_PAIR_DD] == 0)
        return 1;
    return fmax(-1, fmin(1, d->v[WB_PAIR_XY] / norms));
}

double wb_delta_sign(const struct wb_delta *d)
{
    double pairs = d->v[WB_PAIR_COUNT] - d->v[WB_PAIR_SKIPPED];

    return pairs > 0 ? d->v[WB_PAIR_SAME_SIGN] / pairs : NAN;
}

double wb_delta_max_abs(const struct wb_delta *d)
{
    return d->v[WB_PAIR_COUNT] > d->v[WB_PAIR_SKIPPED] ? d->v[WB_PAIR_MAX_ABS] : NAN;
}

double wb_delta_get(const struct wb_delta *d, enum wb_delta_metric metric)
{
    switch (metric) {
    case WB_DELTA_COSINE:
        return wb_delta_cosine(d);
    case WB_DELTA_RELATIVE_L2:
        return wb_delta_relative_l2(d);
    case WB_DELTA_SIGN:
        return wb_delta_sign(d);
    }
    return NAN;
}

void wb_delta_add(struct wb_delta *total, const struct wb_delta *part)
{
    for (int i = 0; i < WB_PAIR_MAX_ABS; i++)
        total->v[i] += part->v[i];
    total->v[WB_PAIR_MAX_ABS] = fmax(total->v[WB_PAIR_MAX_ABS], part->v[WB_PAIR_MAX_ABS]);
}

/* Pairing */

struct pairing {
    const struct wb_model *a, *b, *base;
    struct wb_delta_list *list;
    struct wb_target *target; /* at most two a tensor */
    size_t targets;
    size_t *tensor;       /* of each target */
    struct wb_hash *hash; /* of each target that is written */
};

static bool matches(const char *match, const char *name)
{
    return match == NULL || wb_glob(match, name);
}

static bool fits(const struct wb_model *model, const struct wb_entry *a)
{
    const struct wb_entry *other = wb_model_find(model, a->name);

    return other != NULL && wb_shape_equal(wb_node_shape(other->node), wb_node_shape(a->node)) &&
           wb_dtype_computable(wb_node_dtype(other->node)) ==
               wb_dtype_computable(wb_node_dtype(a->node));
}

static bool init_lists(struct pairing *p, const char *match, struct wb_err *err)
{
    struct wb_delta_list *list = p->list;
    size_t n = wb_model_count(p->a), m = wb_model_count(p->b);

    list->tensor = wb_arena_calloc(&list->arena, n + 1, sizeof *list->tensor);
    list->only_a = wb_arena_calloc(&list->arena, n + 1, sizeof *list->only_a);
    list->only_b = wb_arena_calloc(&list->arena, m + 1, sizeof *list->only_b);
    list->mismatched = wb_arena_calloc(&list->arena, n + 1, sizeof *list->mismatched);
    if (list->tensor == NULL || list->only_a == NULL || list->only_b == NULL ||
        list->mismatched == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", n);
    for (size_t i = 0; i < n; i++) {
        const struct wb_entry *a = wb_model_entry(p->a, i), *b = wb_model_find(p->b, a->name);

        if (!matches(match, a->name))
            continue;
        if (b == NULL)
            list->only_a[list->only_as++] = a;
        else if (!fits(p->b, a) || (p->base != NULL && !fits(p->base, a)))
            list->mismatched[list->mismatches++] = a;
        else
            list->tensor[list->count++] = (struct wb_delta_tensor){
                .a = a,
                .b = b,
                .numbers = wb_dtype_computable(wb_node_dtype(a->node)),
                .alias = a->role.tied_to != NULL && wb_model_find(p->a, a->role.tied_to) != NULL,
            };
    }
    for (size_t i = 0; i < m; i++) {
        const struct wb_entry *b = wb_model_entry(p->b, i);

        if (matches(match, b->name) && wb_model_find(p->a, b->name) == NULL)
            list->only_b[list->only_bs++] = b;
    }
    return true;
}

static struct wb_node *minus_base(const struct pairing *p, const struct wb_entry *e,
                                  struct wb_err *err)
{
    if (p->base == NULL)
        return wb_node_ref(e->node);
    return wb_node_binary(WB_BINARY_sub, e->node, wb_model_find(p->base, e->name)->node, err);
}

static bool add_target(struct pairing *p, size_t tensor, struct wb_node *node, double *value)
{
    p->tensor[p->targets] = tensor;
    p->target[p->targets++] = (struct wb_target){
        .node = node,
        .group = tensor,
        .write = value == NULL,
        .dtype = wb_node_dtype(node),
    };
    p->target[p->targets - 1].value = value;
    return true;
}

static bool add_pair(struct pairing *p, size_t i, struct wb_err *err)
{
    struct wb_delta_tensor *t = &p->list->tensor[i];
    struct wb_node *x, *y, *pair = NULL;

    if (!t->numbers) /* the evaluator hashes what it writes */
        return add_target(p, i, wb_node_ref(t->a->node), NULL) &&
               add_target(p, i, wb_node_ref(t->b->node), NULL);
    x = minus_base(p, t->a, err);
    y = x == NULL ? NULL : minus_base(p, t->b, err);
    if (y != NULL)
        pair = wb_node_reduce(WB_REDUCE_PAIR_STATS, WB_AXIS_ALL, x, y, err);
    wb_node_unref(x);
    wb_node_unref(y);
    return pair != NULL ? add_target(p, i, pair, t->sum.v) : wb_wrap(err, "%s", t->a->name);
}

static bool sink_put(void *ctx, size_t target, uint64_t first, const void *bytes, size_t n,
                     struct wb_err *err)
{
    (void)ctx, (void)target, (void)first, (void)bytes, (void)n, (void)err;
    return true;
}

static bool sink_done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    struct pairing *p = ctx;

    (void)err;
    p->hash[target] = hash;
    return true;
}

static bool evaluate(struct pairing *p, const struct wb_eval *how, struct wb_err *err)
{
    struct wb_sink sink = { .ctx = p, .put = sink_put, .done = sink_done };
    size_t n = p->list->count;

    p->target = wb_arena_calloc(&p->list->arena, 2 * n + 1, sizeof *p->target);
    p->tensor = wb_arena_calloc(&p->list->arena, 2 * n + 1, sizeof *p->tensor);
    p->hash = wb_arena_calloc(&p->list->arena, 2 * n + 1, sizeof *p->hash);
    if (p->target == NULL || p->tensor == NULL || p->hash == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", n);
    for (size_t i = 0; i < n; i++)
        if (!add_pair(p, i, err))
            return false;
    if (!wb_evaluate(how, p->target, p->targets, &sink, err))
        return false;
    for (size_t t = 0; t + 1 < p->targets; t++) {
        struct wb_delta_tensor *tensor = &p->list->tensor[p->tensor[t]];

        if (p->target[t].write && p->tensor[t] == p->tensor[t + 1])
            tensor->same_bytes = wb_hash_equal(p->hash[t], p->hash[t + 1]) &&
                                 p->target[t].dtype == p->target[t + 1].dtype;
    }
    return true;
}

bool wb_delta_compare(const struct wb_eval *how, const struct wb_model *a, const struct wb_model *b,
                      const struct wb_model *base, const char *match, struct wb_delta_list *out,
                      struct wb_err *err)
{
    struct pairing p = { .a = a, .b = b, .base = base, .list = out };
    bool ok;

    *out = (struct wb_delta_list){ 0 };
    ok = init_lists(&p, match, err) && evaluate(&p, how, err);
    for (size_t i = 0; i < p.targets; i++)
        wb_node_unref(p.target[i].node);
    if (!ok)
        wb_delta_free(out);
    return ok;
}

void wb_delta_free(struct wb_delta_list *list)
{
    wb_arena_free(&list->arena);
    *list = (struct wb_delta_list){ 0 };
}
