/* lua/bind/notes.c - the figures that every merge reports (merge.md 0.8), as lazy nodes; in C because it is done for
 * every tensor of every run of a script, whether or not anyone looks. */
#include <stdio.h>

#include "lua/bind/internal.h"

#define MODELS_MAX 64
#define PAIRS_MAX 3 /* models up to which the cosine of every pair is reported */

/* Building stops at the first failure; what was made is released at the end. */
struct maker {
    struct wb_node *made[16 * MODELS_MAX + 64];
    size_t n;
    bool ok;
    struct wb_model *draft;
    const char *tensor;
    double count;
    struct wb_err err;
};

static struct wb_node *own(struct maker *k, struct wb_node *node)
{
    if (node == NULL || k->n == sizeof k->made / sizeof k->made[0]) {
        if (k->ok && node != NULL)
            wb_fail(&k->err, WB_EARG, "too many models for a report");
        k->ok = false;
        wb_node_unref(node);
        return NULL;
    }
    k->made[k->n++] = node;
    return node;
}

static struct wb_node *binary(struct maker *k, enum wb_binary op, struct wb_node *a,
                              struct wb_node *b)
{
    return k->ok ? own(k, wb_node_binary(op, a, b, &k->err)) : NULL;
}

static struct wb_node *reduce(struct maker *k, enum wb_reduce op, struct wb_node *a,
                              struct wb_node *b)
{
    return k->ok ? own(k, wb_node_reduce(op, WB_AXIS_ALL, a, b, &k->err)) : NULL;
}

static struct wb_node *root(struct maker *k, struct wb_node *a)
{
    return k->ok ? own(k, wb_node_unary(WB_UNARY_sqrt, a, &k->err)) : NULL;
}

static struct wb_node *scalar(struct maker *k, double value)
{
    return k->ok ? own(k, wb_node_scalar(value, &k->err)) : NULL;
}

static void note(struct maker *k, const char *key, struct wb_node *node, enum wb_total total)
{
    if (k->ok)
        k->ok = wb_model_add_note(k->draft, k->tensor, key, node, total, k->count, &k->err);
}

static void note_model(struct maker *k, const char *key, size_t i, struct wb_node *node,
                       enum wb_total total)
{
    char text[64];

    snprintf(text, sizeof text, "%s.%zu", key, i + 1);
    note(k, text, node, total);
}

static struct wb_node *norm(struct maker *k, struct wb_node *a)
{
    return root(k, reduce(k, WB_REDUCE_SUM_SQUARES, a, NULL));
}

/* The share of the entries of a that are not 0. */
static struct wb_node *share(struct maker *k, struct wb_node *a, struct wb_node *per_entry)
{
    return binary(k, WB_BINARY_mul, reduce(k, WB_REDUCE_COUNT, a, NULL), per_entry);
}

static void pair_cosines(struct maker *k, struct wb_node *const *delta,
                         struct wb_node *const *length, size_t n, struct wb_node *tiny)
{
    char key[64];

    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            struct wb_node *both =
                binary(k, WB_BINARY_max, binary(k, WB_BINARY_mul, length[i], length[j]), tiny);

            snprintf(key, sizeof key, "cosine.%zu.%zu", i + 1, j + 1);
            note(k, key,
                 binary(k, WB_BINARY_div, reduce(k, WB_REDUCE_DOT, delta[i], delta[j]), both),
                 WB_TOTAL_MEAN);
        }
}

/* Of many models: the mean over pairs weighted by the products of their norms, from the norm of the sum alone:
 * (|sum d|^2 - sum |d|^2) / ((sum |d|)^2 - sum |d|^2). */
static void mean_cosine(struct maker *k, struct wb_node *const *delta,
                        struct wb_node *const *length, size_t n, struct wb_node *tiny)
{
    struct wb_node *sum = delta[0], *lengths = length[0],
                   *squares = binary(k, WB_BINARY_mul, length[0], length[0]);

    for (size_t i = 1; i < n; i++) {
        sum = binary(k, WB_BINARY_add, sum, delta[i]);
        lengths = binary(k, WB_BINARY_add, lengths, length[i]);
        squares = binary(k, WB_BINARY_add, squares, binary(k, WB_BINARY_mul, length[i], length[i]));
    }
    sum = binary(k, WB_BINARY_sub, reduce(k, WB_REDUCE_SUM_SQUARES, sum, NULL), squares);
    lengths = binary(k, WB_BINARY_sub, binary(k, WB_BINARY_mul, lengths, lengths), squares);
    note(k, "mean_cosine", binary(k, WB_BINARY_div, sum, binary(k, WB_BINARY_max, lengths, tiny)),
         WB_TOTAL_MEAN);
}

/* Entries that some model raised and another lowered. */
static void conflicts(struct maker *k, struct wb_node *const *delta, size_t n, struct wb_node *zero,
                      struct wb_node *per_entry)
{
    struct wb_node *low = delta[0], *high = delta[0];

    for (size_t i = 1; i < n; i++) {
        low = binary(k, WB_BINARY_min, low, delta[i]);
        high = binary(k, WB_BINARY_max, high, delta[i]);
    }
    low = binary(k, WB_BINARY_lt, low, zero);
    high = binary(k, WB_BINARY_gt, high, zero);
    note(k, "sign_conflict_share", share(k, binary(k, WB_BINARY_mul, low, high), per_entry),
         WB_TOTAL_MEAN);
}

static void with_base(struct maker *k, struct wb_node *base, struct wb_node *const *model, size_t n,
                      struct wb_node *merged)
{
    struct wb_node *delta[MODELS_MAX], *length[MODELS_MAX], *change;
    struct wb_node *per_entry = scalar(k, 1 / k->count), *zero = scalar(k, 0),
                   *tiny = scalar(k, 1e-300);

    note(k, "base_norm", norm(k, base), WB_TOTAL_NORM);
    for (size_t i = 0; i < n; i++) {
        delta[i] = binary(k, WB_BINARY_sub, model[i], base);
        length[i] = k->ok ? norm(k, delta[i]) : NULL;
        note_model(k, "delta_norm", i, length[i], WB_TOTAL_NORM);
        note_model(k, "changed_share", i, k->ok ? share(k, delta[i], per_entry) : NULL,
                   WB_TOTAL_MEAN);
    }
    change = binary(k, WB_BINARY_sub, merged, base);
    note(k, "merged_delta_norm", k->ok ? norm(k, change) : NULL, WB_TOTAL_NORM);
    note(k, "merged_changed_share", k->ok ? share(k, change, per_entry) : NULL, WB_TOTAL_MEAN);
    if (!k->ok || n < 2)
        return;
    if (n <= PAIRS_MAX)
        pair_cosines(k, delta, length, n, tiny);
    else
        mean_cosine(k, delta, length, n, tiny);
    if (k->ok)
        conflicts(k, delta, n, zero, per_entry);
}

static void without_base(struct maker *k, struct wb_node *const *model, size_t n,
                         struct wb_node *merged)
{
    struct wb_node *length[MODELS_MAX], *tiny = scalar(k, 1e-300);

    for (size_t i = 0; i < n; i++) {
        length[i] = k->ok ? norm(k, model[i]) : NULL;
        note_model(k, "norm", i, length[i], WB_TOTAL_NORM);
    }
    note(k, "merged_norm", k->ok ? norm(k, merged) : NULL, WB_TOTAL_NORM);
    if (k->ok && n > 1 && n <= PAIRS_MAX)
        pair_cosines(k, model, length, n, tiny);
    else if (k->ok && n > 1)
        mean_cosine(k, model, length, n, tiny);
}

/* core.merge_notes(draft, name, base or nil, {models}, merged) */
static int merge_notes(lua_State *L)
{
    struct wb_model **draft = luaL_checkudata(L, 1, WB_LUA_DRAFT);
    struct maker k; /* its list of nodes is long: not cleared for every tensor */
    struct wb_node *base = lua_isnoneornil(L, 3) ? NULL : wb_lua_check_node(L, 3);
    struct wb_node *merged = wb_lua_check_node(L, 5), **model;
    struct wb_vm *vm = wb_vm_of(L);
    size_t n;

    k.n = 0;
    k.ok = true;
    k.draft = *draft;
    k.tensor = luaL_checkstring(L, 2);
    lua_settop(L, 5);
    model = wb_lua_check_nodes(L, 4, &n);
    k.count = (double)wb_node_count(merged);
    if (*draft == NULL || n == 0 || n > MODELS_MAX || k.count == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!wb_shape_equal(wb_node_shape(model[i]), wb_node_shape(merged)))
            return 0;
    if (base != NULL && wb_shape_equal(wb_node_shape(base), wb_node_shape(merged)))
        with_base(&k, base, model, n, merged);
    else if (base == NULL)
        without_base(&k, model, n, merged);
    vm->nodes_beside += k.n;
    for (size_t i = 0; i < k.n; i++)
        wb_node_unref(k.made[i]);
    return k.ok ? 0 : wb_lua_raise(L, &k.err);
}

void wb_lua_open_notes(lua_State *L)
{
    static const luaL_Reg core[] = { { "merge_notes", merge_notes }, { NULL, NULL } };

    luaL_setfuncs(L, core, 0);
}
