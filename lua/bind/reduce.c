/* lua/bind/reduce.c - reductions, selections, small arrays, and reading values out of the graph. */
#include <stdlib.h>
#include <string.h>

#include "lua/bind/internal.h"

static enum wb_axis check_axis(lua_State *L, int arg)
{
    static const char *const name[] = { "whole", "row", "column", NULL };
    const char *text;

    if (lua_isnoneornil(L, arg))
        return WB_AXIS_ALL;
    text = lua_tostring(L, arg);
    for (int i = 0; text != NULL && name[i] != NULL; i++)
        if (strcmp(name[i], text) == 0)
            return (enum wb_axis)i;
    wb_lua_fail(L, WB_EARG, "'%s' is not an axis; write \"row\", \"column\" or \"all\"",
                luaL_tolstring(L, arg, NULL));
    return WB_AXIS_ALL;
}

/* core.reduce(op, axis, a[, b]) */
static int reduce(lua_State *L)
{
    static const char *const name[] = { "sum",   "sum_abs",    "sum_squares", "dot",
                                        "min",   "max",        "absmax",      "count",
                                        "stats", "pair_stats", NULL };
    enum wb_reduce op = (enum wb_reduce)luaL_checkoption(L, 1, NULL, name);
    enum wb_axis axis = check_axis(L, 2);
    struct wb_node *a = wb_lua_check_node(L, 3), *b = NULL, **out;
    struct wb_err err;

    if (op == WB_REDUCE_DOT || op == WB_REDUCE_PAIR_STATS)
        b = wb_lua_check_node(L, 4);
    out = wb_lua_push_node(L);
    *out = wb_node_reduce(op, axis, a, b, &err);
    return wb_lua_made(L, out, &err);
}

/* A number or a tensor as an owned node; the caller has checked that it is one of them. */
static struct wb_node *number_node(lua_State *L, int arg, struct wb_err *err)
{
    struct wb_node *node = wb_lua_test_node(L, arg);

    return node != NULL ? wb_node_ref(node) : wb_node_scalar(lua_tonumber(L, arg), err);
}

static void check_scalar(lua_State *L, int arg)
{
    if (wb_lua_test_node(L, arg) == NULL && lua_type(L, arg) != LUA_TNUMBER)
        wb_lua_fail(L, WB_EARG, "a number was expected, not %s", luaL_typename(L, arg));
}

/* core.select({tensors}, k, by_value) */
static int select_list(lua_State *L)
{
    bool by_value = lua_toboolean(L, 3);
    struct wb_node **list, **out, *k;
    struct wb_err err;
    size_t n;

    check_scalar(L, 2);
    lua_settop(L, 3);
    list = wb_lua_check_nodes(L, 1, &n);
    out = wb_lua_push_node(L);
    k = number_node(L, 2, &err);
    if (k != NULL)
        *out = wb_node_select(list, n, k, by_value, &err);
    wb_node_unref(k);
    return wb_lua_made(L, out, &err);
}

static int top(lua_State *L) /* core.top(t, select, position) */
{
    struct wb_node *a = wb_lua_check_node(L, 1), *select = wb_lua_check_node(L, 2);
    uint64_t position = wb_lua_check_whole(L, 3);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_top(a, select, (size_t)position, &err);
    return wb_lua_made(L, out, &err);
}

static int select_rows(lua_State *L) /* core.select_rows(t, k, by_value) */
{
    struct wb_node *a = wb_lua_check_node(L, 1), **out, *k;
    bool by_value = lua_toboolean(L, 3);
    struct wb_err err;

    check_scalar(L, 2);
    out = wb_lua_push_node(L);
    k = number_node(L, 2, &err);
    if (k != NULL)
        *out = wb_node_select_rows(a, k, by_value, &err);
    wb_node_unref(k);
    return wb_lua_made(L, out, &err);
}

static int top_rows(lua_State *L) /* core.top_rows(t, select) */
{
    struct wb_node *a = wb_lua_check_node(L, 1), *select = wb_lua_check_node(L, 2);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_top_rows(a, select, &err);
    return wb_lua_made(L, out, &err);
}

static int item(lua_State *L) /* t:item(i) */
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    uint64_t i = wb_lua_check_whole(L, 2);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_item(a, i, &err);
    return wb_lua_made(L, out, &err);
}

static int pack(lua_State *L) /* wb.pack({numbers or 0-d tensors}, {dims}) */
{
    struct wb_shape shape;
    struct wb_node **list, **out;
    struct wb_err err;
    size_t n;

    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        shape = (struct wb_shape){ .ndim = 1, .dim = { lua_rawlen(L, 1) } };
    else
        wb_lua_check_shape(L, 2, &shape);
    list = wb_lua_check_nodes(L, 1, &n);
    out = wb_lua_push_node(L);
    *out = wb_node_pack(list, n, &shape, &err);
    return wb_lua_made(L, out, &err);
}

/* Constants: numbers and nested tables. */

static int scalar(lua_State *L) /* wb.scalar(x) */
{
    double value = luaL_checknumber(L, 1);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_scalar(value, &err);
    return wb_lua_made(L, out, &err);
}

/* The shape of the nested table at the top of the stack, by its first elements. */
static void measure(lua_State *L, struct wb_shape *shape)
{
    int top_before = lua_gettop(L);

    *shape = (struct wb_shape){ 0 };
    lua_pushvalue(L, -1);
    while (lua_istable(L, -1)) {
        if (shape->ndim == WB_DIMS_MAX)
            wb_lua_fail(L, WB_ESHAPE, "a table nested deeper than %d", WB_DIMS_MAX);
        shape->dim[shape->ndim++] = lua_rawlen(L, -1);
        if (lua_rawlen(L, -1) == 0)
            break;
        luaL_checkstack(L, 2, NULL);
        lua_rawgeti(L, -1, 1);
    }
    lua_settop(L, top_before);
}

static double *collect(lua_State *L, const struct wb_shape *shape, int depth, double *to)
{
    if (depth == shape->ndim) {
        if (lua_type(L, -1) != LUA_TNUMBER)
            wb_lua_fail(L, WB_EARG, "an array holds %s where a number belongs",
                        luaL_typename(L, -1));
        *to = lua_tonumber(L, -1);
        return to + 1;
    }
    if (!lua_istable(L, -1) || lua_rawlen(L, -1) != shape->dim[depth])
        wb_lua_fail(L, WB_ESHAPE, "an array whose rows are not of one length");
    for (uint64_t i = 1; i <= shape->dim[depth]; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        to = collect(L, shape, depth + 1, to);
        lua_pop(L, 1);
    }
    return to;
}

static int array(lua_State *L) /* wb.array{{1, 2}, {3, 4}} */
{
    struct wb_shape shape;
    struct wb_node **out;
    struct wb_err err;
    uint64_t count;
    double *value;

    lua_settop(L, 1);
    measure(L, &shape);
    luaL_checkstack(L, WB_DIMS_MAX + 4, NULL);
    if (!wb_shape_count(&shape, &count) || count > (uint64_t)1 << 28)
        return wb_lua_fail(L, WB_ESHAPE, "an array of too many numbers");
    out = wb_lua_push_node(L);
    value = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *value, 0);
    lua_pushvalue(L, 1);
    collect(L, &shape, 0, value);
    *out = wb_node_array(value, &shape, &err);
    lua_settop(L, 2);
    return wb_lua_made(L, out, &err);
}

/* Values. */

static void push_nested(lua_State *L, const struct wb_shape *shape, int depth, const double **from)
{
    if (depth == shape->ndim) {
        lua_pushnumber(L, *(*from)++);
        return;
    }
    luaL_checkstack(L, 3, NULL);
    lua_createtable(L, (int)shape->dim[depth], 0);
    for (uint64_t i = 1; i <= shape->dim[depth]; i++) {
        push_nested(L, shape, depth + 1, from);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
}

struct wb_eval wb_lua_eval(lua_State *L)
{
    const struct wb_vm *vm = wb_vm_of(L);
    struct wb_eval how = { 0 };

    if (vm->opt.eval != NULL)
        how = *vm->opt.eval;
    how.sample = false;
    if (how.cancel == NULL)
        how.cancel = vm->opt.cancel;
    return how;
}

static int value(lua_State *L) /* t:value() -> number or nested table */
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    struct wb_eval how = wb_lua_eval(L);
    uint64_t count = wb_node_count(a);
    struct wb_target target = { .node = a };
    struct wb_err err;
    const double *from;

    if (count > WB_VM_VALUE_MAX)
        return wb_lua_fail(L, WB_EARG, "value() gives at most %llu numbers, this tensor has %llu",
                           (unsigned long long)WB_VM_VALUE_MAX, (unsigned long long)count);
    target.value = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *target.value, 0);
    if (!wb_evaluate(&how, &target, 1, NULL, &err))
        return wb_lua_raise(L, &err);
    from = target.value;
    push_nested(L, wb_node_shape(a), 0, &from);
    return 1;
}

/* core.values{t, …}: the same for several at once, a list. */
static int values(lua_State *L)
{
    struct wb_eval how = wb_lua_eval(L);
    struct wb_target *target;
    struct wb_node **list;
    struct wb_err err;
    const double *from;
    size_t n;

    lua_settop(L, 1);
    list = wb_lua_check_nodes(L, 1, &n);
    target = lua_newuserdatauv(L, (n + 1) * sizeof *target, 0);
    lua_createtable(L, (int)n, 0); /* keeps the memory of the values */
    for (size_t i = 0; i < n; i++) {
        if (wb_node_count(list[i]) > WB_VM_VALUE_MAX)
            return wb_lua_fail(L, WB_EARG, "a tensor of more than %llu numbers",
                               (unsigned long long)WB_VM_VALUE_MAX);
        target[i] = (struct wb_target){ .node = list[i], .group = i };
        target[i].value =
            lua_newuserdatauv(L, (size_t)(wb_node_count(list[i]) + 1) * sizeof(double), 0);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    if (n > 0 && !wb_evaluate(&how, target, n, NULL, &err))
        return wb_lua_raise(L, &err);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        from = target[i].value;
        push_nested(L, wb_node_shape(list[i]), 0, &from);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

void wb_lua_open_reduce(lua_State *L)
{
    static const luaL_Reg core[] = {
        { "reduce", reduce },     { "select", select_list },
        { "top", top },           { "select_rows", select_rows },
        { "top_rows", top_rows }, { "pack", pack },
        { "scalar", scalar },     { "array", array },
        { "values", values },     { NULL, NULL },
    };
    static const luaL_Reg method[] = { { "item", item }, { "value", value }, { NULL, NULL } };

    luaL_setfuncs(L, core, 0);
    lua_getfield(L, -1, "tensor_methods");
    luaL_setfuncs(L, method, 0);
    lua_pop(L, 1);
}
