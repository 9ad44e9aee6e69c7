/* lua/bind/probe.c - wb.compare and wb.stats: what the commands diff and tensors --stats print, as
 * tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "app/probe/delta.h"
#include "app/probe/weights.h"
#include "lua/bind/internal.h"

#define WB_LUA_DELTA "wb.delta"

static int free_delta(lua_State *L)
{
    wb_delta_free(luaL_checkudata(L, 1, WB_LUA_DELTA));
    return 0;
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

/* What JSON calls null is a gap here. */
static void set_number(lua_State *L, const char *key, double value)
{
    if (isnan(value))
        return;
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void new_list(lua_State *L)
{
    lua_newtable(L);
    luaL_setmetatable(L, "wb.list");
}

static void append(lua_State *L)
{
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* Figures of a tensor that cannot be computed with: nothing changed, or something did. */
static struct wb_delta sum_of(const struct wb_delta_tensor *t)
{
    struct wb_delta d = { { 0 } };

    if (t->numbers)
        return t->sum;
    if (t->same_bytes) {
        d.v[WB_PAIR_COUNT] = d.v[WB_PAIR_SAME_SIGN] = (double)wb_node_count(t->a->node);
        d.v[WB_PAIR_XX] = d.v[WB_PAIR_YY] = d.v[WB_PAIR_XY] = 1;
    }
    return d;
}

static void set_pair(lua_State *L, const struct wb_delta *d)
{
    set_number(L, "relative_l2", wb_delta_relative_l2(d));
    set_number(L, "cosine", wb_delta_cosine(d));
}

static void push_tensors(lua_State *L, const struct wb_delta_list *list)
{
    new_list(L);
    for (size_t i = 0; i < list->count; i++) {
        struct wb_delta d = sum_of(&list->tensor[i]);

        lua_newtable(L);
        set_text(L, "name", list->tensor[i].a->name);
        set_pair(L, &d);
        set_number(L, "l2", wb_delta_l2(&d));
        set_number(L, "sign_agreement", wb_delta_sign(&d));
        set_number(L, "max_abs", wb_delta_max_abs(&d));
        append(L);
    }
}

/* The layers into field "layers", what belongs to none into "non_layer" of the table at the top. */
static void set_layers(lua_State *L, struct wb_delta_list *list)
{
    size_t n = 0;
    const struct wb_delta_layer *row = wb_delta_layers(list, &n);

    if (row == NULL)
        wb_lua_fail(L, WB_ENOMEM, "no memory for layers");
    new_list(L);
    for (size_t i = 0; i < n; i++) {
        lua_newtable(L);
        set_pair(L, &row[i].sum);
        if (row[i].layer < 0) {
            lua_setfield(L, -3, "non_layer");
            continue;
        }
        lua_pushinteger(L, row[i].layer);
        lua_setfield(L, -2, "layer");
        if (row[i].stack[0] != '\0')
            set_text(L, "stack", row[i].stack);
        append(L);
    }
    lua_setfield(L, -2, "layers");
}

static void set_names(lua_State *L, const char *key, const struct wb_entry *const *entry, size_t n)
{
    new_list(L);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, entry[i]->name);
        append(L);
    }
    lua_setfield(L, -2, key);
}

/* core.compare(a, b, base or nil, match or nil, sample) */
static int compare(lua_State *L)
{
    struct wb_model *a = wb_lua_check_model(L, 1), *b = wb_lua_check_model(L, 2),
                    *base = lua_isnoneornil(L, 3) ? NULL : wb_lua_check_model(L, 3);
    const char *match = luaL_optstring(L, 4, NULL);
    struct wb_eval how = wb_lua_eval(L);
    struct wb_delta_list *list;
    struct wb_delta total;
    struct wb_err err;

    how.sample = lua_toboolean(L, 5);
    list = lua_newuserdatauv(L, sizeof *list, 0);
    *list = (struct wb_delta_list){ 0 };
    luaL_setmetatable(L, WB_LUA_DELTA);
    if (!wb_delta_compare(&how, a, b, base, match, list, &err))
        return wb_lua_raise(L, &err);
    lua_newtable(L);
    push_tensors(L, list);
    lua_setfield(L, -2, "tensors");
    set_layers(L, list);
    total = wb_delta_total(list);
    lua_newtable(L);
    set_pair(L, &total);
    lua_setfield(L, -2, "total");
    set_names(L, "only_a", list->only_a, list->only_as);
    set_names(L, "only_b", list->only_b, list->only_bs);
    set_names(L, "mismatched", list->mismatched, list->mismatches);
    return 1;
}

/* Entries whose name matches, into scratch memory on the stack. */
static const struct wb_entry **pick(lua_State *L, const struct wb_model *m, const char *match,
                                    size_t *n)
{
    const struct wb_entry **list = lua_newuserdatauv(L, (wb_model_count(m) + 1) * sizeof *list, 0);

    *n = 0;
    for (size_t i = 0; i < wb_model_count(m); i++)
        if (match == NULL || wb_glob(match, wb_model_entry(m, i)->name))
            list[(*n)++] = wb_model_entry(m, i);
    if (*n == 0 && match != NULL)
        wb_lua_fail(L, WB_ENOTFOUND, "%s: none of %zu tensors matches '%s'", wb_model_path(m),
                    wb_model_count(m), match);
    return list;
}

static void push_stats(lua_State *L, const struct wb_entry *e, const struct wb_weight_stats *s)
{
    uint64_t bytes = 0;

    lua_newtable(L);
    set_text(L, "name", e->name);
    set_text(L, "role", e->role.role);
    if (e->role.layer >= 0) {
        lua_pushinteger(L, e->role.layer);
        lua_setfield(L, -2, "layer");
    }
    set_text(L, "dtype", wb_dtype_name(wb_node_dtype(e->node)));
    wb_lua_push_shape(L, wb_node_shape(e->node));
    lua_setfield(L, -2, "shape");
    wb_shape_bytes(wb_node_shape(e->node), wb_node_dtype(e->node), &bytes);
    lua_pushinteger(L, (lua_Integer)bytes);
    lua_setfield(L, -2, "bytes");
    set_number(L, "mean", s->mean);
    set_number(L, "std", s->std);
    set_number(L, "absmax", s->absmax);
    set_number(L, "l2", s->l2);
    set_number(L, "sparsity", s->sparsity);
    set_number(L, "nan", s->nan);
    set_number(L, "inf", s->inf);
}

/* core.stats(model, match or nil, sample) */
static int stats(lua_State *L)
{
    struct wb_model *m = wb_lua_check_model(L, 1);
    const char *match = luaL_optstring(L, 2, NULL);
    struct wb_eval how = wb_lua_eval(L);
    struct wb_weight_stats *figures;
    const struct wb_entry **entry;
    struct wb_err err;
    size_t n;

    how.sample = lua_toboolean(L, 3);
    entry = pick(L, m, match, &n);
    figures = lua_newuserdatauv(L, (n + 1) * sizeof *figures, 0);
    if (!wb_weights_stats(&how, entry, n, figures, &err))
        return wb_lua_raise(L, &err);
    lua_newtable(L);
    new_list(L);
    for (size_t i = 0; i < n; i++) {
        push_stats(L, entry[i], &figures[i]);
        append(L);
    }
    lua_setfield(L, -2, "tensors");
    return 1;
}

void wb_lua_open_probe(lua_State *L)
{
    static const luaL_Reg core[] = { { "compare", compare }, { "stats", stats }, { NULL, NULL } };

    luaL_newmetatable(L, WB_LUA_DELTA);
    lua_pushcfunction(L, free_delta);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, core, 0);
}
