/* lua/bind/shape.c - shapes and lists of tensors as Lua tables; views and dense algebra. */
#include <string.h>

#include "lua/bind/internal.h"

void wb_lua_push_shape(lua_State *L, const struct wb_shape *shape)
{
    lua_createtable(L, shape->ndim, 0);
    for (int i = 0; i < shape->ndim; i++) {
        lua_pushinteger(L, (lua_Integer)shape->dim[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

void wb_lua_check_shape(lua_State *L, int arg, struct wb_shape *shape)
{
    size_t n;

    if (!lua_istable(L, arg))
        wb_lua_fail(L, WB_EARG, "a shape (a list of dimensions) was expected, not %s",
                    luaL_typename(L, arg));
    n = lua_rawlen(L, arg);
    if (n > WB_DIMS_MAX)
        wb_lua_fail(L, WB_ESHAPE, "a shape of %llu dimensions", (unsigned long long)n);
    *shape = (struct wb_shape){ .ndim = (int)n };
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i + 1);
        shape->dim[i] = wb_lua_check_whole(L, -1);
        lua_pop(L, 1);
    }
}

/* Numbers in the list become 0-d tensors that the pushed table keeps. */
struct wb_node **wb_lua_check_nodes(lua_State *L, int arg, size_t *n)
{
    struct wb_node **list;
    int keep;

    if (!lua_istable(L, arg))
        wb_lua_fail(L, WB_EARG, "a list of tensors was expected, not %s", luaL_typename(L, arg));
    *n = lua_rawlen(L, arg);
    list = lua_newuserdatauv(L, (*n + 1) * sizeof *list, 1);
    lua_newtable(L);
    keep = lua_gettop(L);
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i + 1);
        if (lua_type(L, -1) == LUA_TNUMBER) {
            double number = lua_tonumber(L, -1);
            struct wb_node **out;
            struct wb_err err;

            lua_pop(L, 1);
            out = wb_lua_push_node(L);
            *out = wb_node_scalar(number, &err);
            wb_lua_made(L, out, &err);
        }
        list[i] = wb_lua_check_node(L, -1);
        lua_rawseti(L, keep, (lua_Integer)i + 1); /* also when the list changes meanwhile */
    }
    lua_setiuservalue(L, -2, 1);
    return list;
}

/* Views. */

static int range(lua_State *L,
                 struct wb_node *(*make)(struct wb_node *, uint64_t, uint64_t, struct wb_err *))
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    uint64_t first = wb_lua_check_whole(L, 2), last = wb_lua_check_whole(L, 3);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    if (last < first)
        return wb_lua_fail(L, WB_EARG, "a range from %llu to %llu", (unsigned long long)first,
                           (unsigned long long)last);
    *out = make(a, first, last, &err);
    return wb_lua_made(L, out, &err);
}

static int rows(lua_State *L) /* t:rows(first, last): 0-based, last exclusive */
{
    return range(L, wb_node_rows);
}

static int columns(lua_State *L)
{
    return range(L, wb_node_columns);
}

struct gather {
    struct wb_node *(*list)(struct wb_node *, const uint64_t *, size_t, struct wb_err *);
    struct wb_node *(*by)(struct wb_node *, struct wb_node *, struct wb_err *);
};

static int gather(lua_State *L, const struct gather *g)
{
    struct wb_node *a = wb_lua_check_node(L, 1), *by = wb_lua_test_node(L, 2), **out;
    uint64_t *idx;
    struct wb_err err;
    size_t n;

    lua_settop(L, 2);
    if (by != NULL) {
        out = wb_lua_push_node(L);
        *out = g->by(a, by, &err);
        return wb_lua_made(L, out, &err);
    }
    if (!lua_istable(L, 2))
        return wb_lua_fail(L, WB_EARG, "a list of indices or a tensor was expected, not %s",
                           luaL_typename(L, 2));
    n = lua_rawlen(L, 2);
    idx = lua_newuserdatauv(L, (n + 1) * sizeof *idx, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        idx[i] = wb_lua_check_whole(L, -1);
        lua_pop(L, 1);
    }
    out = wb_lua_push_node(L);
    *out = g->list(a, idx, n, &err);
    return wb_lua_made(L, out, &err);
}

static int gather_rows(lua_State *L)
{
    return gather(L, &(struct gather){ wb_node_gather_rows, wb_node_gather_rows_by });
}

static int gather_columns(lua_State *L)
{
    return gather(L, &(struct gather){ wb_node_gather_columns, wb_node_gather_columns_by });
}

static int reshape(lua_State *L)
{
    struct wb_node *a = wb_lua_check_node(L, 1), **out;
    struct wb_shape shape;
    struct wb_err err;

    wb_lua_check_shape(L, 2, &shape);
    out = wb_lua_push_node(L);
    *out = wb_node_reshape(a, &shape, &err);
    return wb_lua_made(L, out, &err);
}

static int one(lua_State *L, struct wb_node *(*make)(struct wb_node *, struct wb_err *))
{
    struct wb_node *a = wb_lua_check_node(L, 1), **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = make(a, &err);
    return wb_lua_made(L, out, &err);
}

static int two(lua_State *L,
               struct wb_node *(*make)(struct wb_node *, struct wb_node *, struct wb_err *))
{
    struct wb_node *a = wb_lua_check_node(L, 1), *b = wb_lua_check_node(L, 2);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = make(a, b, &err);
    return wb_lua_made(L, out, &err);
}

static int transpose(lua_State *L)
{
    return one(L, wb_node_transpose);
}

static int hold(lua_State *L)
{
    return one(L, wb_node_hold);
}

static int cat(lua_State *L) /* wb.cat(list, axis) */
{
    uint64_t axis = wb_lua_check_whole(L, 2);
    struct wb_node **list, **out;
    struct wb_err err;
    size_t n;

    list = wb_lua_check_nodes(L, 1, &n);
    out = wb_lua_push_node(L);
    *out = wb_node_cat(list, n, axis > 1 ? 2 : (int)axis, &err);
    return wb_lua_made(L, out, &err);
}

/* Dense algebra. */

static int matmul(lua_State *L)
{
    return two(L, wb_node_matmul);
}

static int solve(lua_State *L)
{
    return two(L, wb_node_solve);
}

static int inverse(lua_State *L)
{
    return one(L, wb_node_inverse);
}

static int assignment(lua_State *L)
{
    return one(L, wb_node_assignment);
}

static int least_squares(lua_State *L) /* a:least_squares(b[, ridge]) */
{
    struct wb_node *a = wb_lua_check_node(L, 1), *b = wb_lua_check_node(L, 2), **out;
    double ridge = luaL_optnumber(L, 3, 0);
    struct wb_err err;

    out = wb_lua_push_node(L);
    *out = wb_node_least_squares(a, b, ridge, &err);
    return wb_lua_made(L, out, &err);
}

/* Push n owners and let make fill them. */
static int several(lua_State *L, int n,
                   bool (*make)(struct wb_node *, struct wb_node **, struct wb_err *))
{
    struct wb_node *a = wb_lua_check_node(L, 1), **slot[3], *out[3] = { NULL };
    struct wb_err err;

    for (int i = 0; i < n; i++)
        slot[i] = wb_lua_push_node(L);
    if (!make(a, out, &err))
        return wb_lua_raise(L, &err);
    for (int i = 0; i < n; i++)
        *slot[i] = out[i];
    return n;
}

static int svd(lua_State *L) /* t:svd([rank]) -> u, s, vt */
{
    struct wb_node *a = wb_lua_check_node(L, 1), **slot[3], *out[3] = { NULL };
    uint64_t rank = lua_isnoneornil(L, 2) ? 0 : wb_lua_check_whole(L, 2);
    struct wb_err err;

    for (int i = 0; i < 3; i++)
        slot[i] = wb_lua_push_node(L);
    if (!wb_node_svd(a, rank, out, &err))
        return wb_lua_raise(L, &err);
    for (int i = 0; i < 3; i++)
        *slot[i] = out[i];
    return 3;
}

static int qr(lua_State *L)
{
    return several(L, 2, wb_node_qr);
}

static int eigh(lua_State *L)
{
    return several(L, 2, wb_node_eigh);
}

void wb_lua_open_shape(lua_State *L)
{
    static const luaL_Reg method[] = {
        { "rows", rows },
        { "columns", columns },
        { "gather_rows", gather_rows },
        { "gather_columns", gather_columns },
        { "reshape", reshape },
        { "t", transpose },
        { "hold", hold },
        { "matmul", matmul },
        { "svd", svd },
        { "qr", qr },
        { "eigh", eigh },
        { "inverse", inverse },
        { "solve", solve },
        { "least_squares", least_squares },
        { NULL, NULL },
    };
    static const luaL_Reg core[] = { { "cat", cat }, { "assignment", assignment }, { NULL, NULL } };

    luaL_setfuncs(L, core, 0);
    lua_getfield(L, -1, "tensor_methods");
    luaL_setfuncs(L, method, 0);
    lua_pop(L, 1);
}
