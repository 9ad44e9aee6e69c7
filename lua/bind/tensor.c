/* lua/bind/tensor.c - tensors as Lua values: life, arithmetic, everything elementwise, random numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/bind/internal.h"

/* Life. Finalizers of a hundred thousand values would cost more than making them. So the references belong to the
 * VM, which drops them all when the call into Lua is over; a value knows its place among them and the call it
 * was made in, and is closed afterwards. */

#define CHUNK 4096 /* places are handed out from chunks that never move */

struct tensor {
    struct wb_node **place;
    uint64_t call;
};

static struct wb_node **take_place(struct wb_vm *vm)
{
    size_t chunk = (size_t)(vm->nodes / CHUNK);
    struct wb_node ***more;

    if (chunk == vm->chunks) {
        more = realloc(vm->chunk, (chunk + 1) * sizeof *more);
        if (more == NULL)
            return NULL;
        vm->chunk = more;
        vm->chunk[chunk] = calloc(CHUNK, sizeof **more);
        if (vm->chunk[chunk] == NULL)
            return NULL;
        vm->chunks++;
    }
    return &vm->chunk[chunk][vm->nodes++ % CHUNK];
}

void wb_vm_release(struct wb_vm *vm)
{
    for (uint64_t i = 0; i < vm->nodes; i++)
        wb_node_unref(vm->chunk[i / CHUNK][i % CHUNK]);
    for (size_t i = 0; i < vm->chunks; i++)
        free(vm->chunk[i]);
    free(vm->chunk);
    vm->chunk = NULL;
    vm->chunks = 0;
    vm->nodes = 0;
    vm->call++;
}

struct wb_node **wb_lua_push_node(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);
    struct tensor *t;

    if (vm->nodes + vm->nodes_beside >= vm->cap_nodes)
        wb_lua_fail(L, WB_ENOMEM, "the script makes more than %llu tensors",
                    (unsigned long long)vm->cap_nodes);
    t = lua_newuserdatauv(L, sizeof *t, 0);
    *t = (struct tensor){ .call = vm->call };
    luaL_setmetatable(L, WB_LUA_TENSOR);
    t->place = take_place(vm);
    if (t->place == NULL)
        wb_lua_fail(L, WB_ENOMEM, "no memory for a tensor");
    return t->place;
}

struct wb_node *wb_lua_test_node(lua_State *L, int arg)
{
    struct tensor *t = luaL_testudata(L, arg, WB_LUA_TENSOR);

    return t == NULL || t->call != wb_vm_of(L)->call || t->place == NULL ? NULL : *t->place;
}

struct wb_node *wb_lua_check_node(lua_State *L, int arg)
{
    struct wb_node *node = wb_lua_test_node(L, arg);

    if (node == NULL && luaL_testudata(L, arg, WB_LUA_TENSOR) != NULL)
        wb_lua_fail(L, WB_EARG,
                    "a tensor of an earlier run was kept; tensors live as long as the run");
    if (node == NULL)
        wb_lua_fail(L, WB_EARG, "a tensor was expected, not %s", luaL_typename(L, arg));
    return node;
}

int wb_lua_made(lua_State *L, struct wb_node *const *out, const struct wb_err *err)
{
    return *out == NULL ? wb_lua_raise(L, err) : 1;
}

uint64_t wb_lua_check_whole(lua_State *L, int arg)
{
    lua_Number x = lua_tonumber(L, arg);

    if (lua_type(L, arg) != LUA_TNUMBER || !(x >= 0 && x < 0x1p63) || x != floor(x))
        wb_lua_fail(L, WB_EARG, "a whole number from 0 on was expected, not %s",
                    luaL_tolstring(L, arg, NULL));
    return lua_isinteger(L, arg) ? (uint64_t)lua_tointeger(L, arg) : (uint64_t)x;
}

static double check_number(lua_State *L, int arg)
{
    if (lua_type(L, arg) != LUA_TNUMBER)
        wb_lua_fail(L, WB_EARG, "a number was expected, not %s", luaL_typename(L, arg));
    return lua_tonumber(L, arg);
}

static enum wb_dtype check_dtype(lua_State *L, int arg)
{
    const char *name = lua_tostring(L, arg);
    enum wb_dtype dtype = WB_DTYPE_F32;

    if (name == NULL || !wb_dtype_parse(name, &dtype))
        wb_lua_fail(L, WB_EARG, "'%s' is not a dtype; write f32, bf16, f16 …",
                    luaL_tolstring(L, arg, NULL));
    return dtype;
}

/* Operands: a tensor, or a number that becomes a 0-d one. check makes nothing, so it may raise. */
struct operand {
    struct wb_node *node; /* borrowed, NULL for a number */
    double number;
};

static struct operand check_operand(lua_State *L, int arg)
{
    struct operand o = { .node = wb_lua_test_node(L, arg) };

    if (o.node != NULL)
        return o;
    if (lua_type(L, arg) != LUA_TNUMBER)
        wb_lua_fail(L, WB_EARG, "a tensor or a number was expected, not %s", luaL_typename(L, arg));
    o.number = lua_tonumber(L, arg);
    return o;
}

/* An owned reference. */
static struct wb_node *take(const struct operand *o, struct wb_err *err)
{
    return o->node != NULL ? wb_node_ref(o->node) : wb_node_scalar(o->number, err);
}

/* Unary and binary operations: the operation is upvalue 1. */

static int unary(lua_State *L)
{
    struct wb_node *a = wb_lua_check_node(L, 1), **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_unary((enum wb_unary)lua_tointeger(L, lua_upvalueindex(1)), a, &err);
    return wb_lua_made(L, out, &err);
}

static int binary_of(lua_State *L, enum wb_binary op)
{
    struct operand a = check_operand(L, 1), b = check_operand(L, 2);
    struct wb_node **out = wb_lua_push_node(L), *x, *y = NULL;
    struct wb_err err;

    x = take(&a, &err);
    if (x != NULL)
        y = take(&b, &err);
    if (y != NULL)
        *out = wb_node_binary(op, x, y, &err);
    wb_node_unref(x);
    wb_node_unref(y);
    return wb_lua_made(L, out, &err);
}

static int binary(lua_State *L)
{
    return binary_of(L, (enum wb_binary)lua_tointeger(L, lua_upvalueindex(1)));
}

/* A metamethod: upvalue 2 is its name, for what is no tensor but knows what to do with one (wb.over). */
static int arithmetic(lua_State *L)
{
    if (lua_istable(L, 2) &&
        luaL_getmetafield(L, 2, lua_tostring(L, lua_upvalueindex(2))) != LUA_TNIL) {
        lua_insert(L, 1);
        lua_settop(L, 3);
        lua_call(L, 2, 1);
        return 1;
    }
    lua_settop(L, 2);
    return binary(L);
}

static int equal(lua_State *L)
{
    lua_pushboolean(L, wb_lua_test_node(L, 1) == wb_lua_test_node(L, 2));
    return 1;
}

/* Other elementwise operations. */

static int three_operands(lua_State *L, struct wb_node *(*make)(struct wb_node *, struct wb_node *,
                                                                struct wb_node *, struct wb_err *))
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    struct operand second = check_operand(L, 2), third = check_operand(L, 3);
    struct wb_node **out = wb_lua_push_node(L), *x, *y = NULL;
    struct wb_err err;

    x = take(&second, &err);
    if (x != NULL)
        y = take(&third, &err);
    if (y != NULL)
        *out = make(a, x, y, &err);
    wb_node_unref(x);
    wb_node_unref(y);
    return wb_lua_made(L, out, &err);
}

static int where(lua_State *L) /* mask:where(a, b) */
{
    return three_operands(L, wb_node_where);
}

static int lerp(lua_State *L) /* t:lerp(u, w) */
{
    return three_operands(L, wb_node_lerp);
}

static int fma_scalar(lua_State *L) /* t:fma(s, c): t * s + c */
{
    return three_operands(L, wb_node_fma);
}

static int clamp(lua_State *L)
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    double low = check_number(L, 2), high = check_number(L, 3);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_clamp(a, low, high, &err);
    return wb_lua_made(L, out, &err);
}

static int nan_to(lua_State *L)
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    double value = check_number(L, 2);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_nan_to(a, value, &err);
    return wb_lua_made(L, out, &err);
}

static int cast(lua_State *L)
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    enum wb_dtype dtype = check_dtype(L, 2);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_cast(a, dtype, &err);
    return wb_lua_made(L, out, &err);
}

static int as(lua_State *L)
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    enum wb_dtype dtype = check_dtype(L, 2);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_as(a, dtype, &err);
    return wb_lua_made(L, out, &err);
}

static int guard(lua_State *L) /* t:guard(model, tensor) */
{
    struct wb_node *a = wb_lua_check_node(L, 1);
    const char *model = luaL_checkstring(L, 2), *tensor = luaL_checkstring(L, 3);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_guard(a, model, tensor, &err);
    return wb_lua_made(L, out, &err);
}

/* v spread over the shape of t. A vector (or number) t is one row: its row value is a 0-d v. */
static int spread(lua_State *L, bool row)
{
    struct wb_node *t = wb_lua_check_node(L, 1);
    struct operand v = check_operand(L, 2);
    const struct wb_shape *shape = wb_node_shape(t);
    struct wb_node **out, *value;
    struct wb_err err;

    if (shape->ndim < 2 && !row && v.node != NULL && wb_shape_equal(wb_node_shape(v.node), shape)) {
        lua_settop(L, 2); /* the columns of the one row */
        return 1;
    }
    out = wb_lua_push_node(L);
    value = take(&v, &err);
    if (value == NULL)
        return wb_lua_raise(L, &err);
    if (shape->ndim >= 2 && wb_node_shape(value)->ndim > 0) {
        *out = row ? wb_node_per_row(value, shape, &err) : wb_node_per_column(value, shape, &err);
    } else if (wb_node_count(value) == 1) {
        struct wb_node *ones = wb_node_fill(shape, 1, &err);
        struct wb_node *one = NULL;

        if (ones != NULL && wb_node_shape(value)->ndim > 0)
            one = wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ALL, value, NULL, &err);
        else if (ones != NULL)
            one = wb_node_ref(value);
        if (one != NULL)
            *out = wb_node_binary(WB_BINARY_mul, ones, one, &err);
        wb_node_unref(one);
        wb_node_unref(ones);
    } else {
        char text[128];

        wb_fail(&err, WB_ESHAPE, "%llu values for a tensor of shape %s, which is one row",
                (unsigned long long)wb_node_count(value),
                wb_shape_format(shape, text, sizeof text));
    }
    wb_node_unref(value);
    return wb_lua_made(L, out, &err);
}

static int per_row(lua_State *L)
{
    return spread(L, true);
}

static int per_column(lua_State *L)
{
    return spread(L, false);
}

static int fill_like(lua_State *L, double value)
{
    struct wb_node *a = wb_lua_check_node(L, 1), **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_fill(wb_node_shape(a), value, &err);
    return wb_lua_made(L, out, &err);
}

static int zeros(lua_State *L)
{
    return fill_like(L, 0);
}

static int ones(lua_State *L)
{
    return fill_like(L, 1);
}

static int fill(lua_State *L)
{
    return fill_like(L, check_number(L, 2));
}

static int core_fill(lua_State *L) /* core.fill({dims}, x) */
{
    struct wb_shape shape;
    double value = check_number(L, 2);
    struct wb_node **out;
    struct wb_err err;

    wb_lua_check_shape(L, 1, &shape);
    out = wb_lua_push_node(L);
    *out = wb_node_fill(&shape, value, &err);
    return wb_lua_made(L, out, &err);
}

/* What a tensor says of itself. */

static int shape_of(lua_State *L)
{
    wb_lua_push_shape(L, wb_node_shape(wb_lua_check_node(L, 1)));
    return 1;
}

static int dtype_of(lua_State *L)
{
    lua_pushstring(L, wb_dtype_name(wb_node_dtype(wb_lua_check_node(L, 1))));
    return 1;
}

static int name_of(lua_State *L)
{
    lua_pushstring(L, wb_node_source_name(wb_lua_check_node(L, 1)));
    return 1;
}

static int count_all(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)wb_node_count(wb_lua_check_node(L, 1)));
    return 1;
}

/* core.dims(t): number of dimensions, rows, columns (a vector is one row). */
static int dims(lua_State *L)
{
    const struct wb_shape *s = wb_node_shape(wb_lua_check_node(L, 1));
    uint64_t rows = s->ndim >= 2 ? s->dim[0] : 1, columns = 1;

    for (int i = s->ndim >= 2 ? 1 : 0; i < s->ndim; i++)
        columns *= s->dim[i];
    lua_pushinteger(L, s->ndim);
    lua_pushinteger(L, (lua_Integer)rows);
    lua_pushinteger(L, (lua_Integer)columns);
    return 3;
}

static int same_shape(lua_State *L)
{
    lua_pushboolean(L, wb_shape_equal(wb_node_shape(wb_lua_check_node(L, 1)),
                                      wb_node_shape(wb_lua_check_node(L, 2))));
    return 1;
}

static int constant(
    lua_State *L) /* core.constant(x): the number of a constant, nil for what needs evaluation */
{
    struct wb_node *node = wb_lua_test_node(L, 1);
    double value;

    if (node == NULL || wb_node_shape(node)->ndim > 0 || !wb_node_constant(node, &value))
        return 0;
    lua_pushnumber(L, value);
    return 1;
}

static int to_text(lua_State *L)
{
    struct wb_node *node = wb_lua_test_node(L, 1);
    const char *name = node == NULL ? NULL : wb_node_source_name(node);
    char text[160];

    if (node == NULL) {
        lua_pushliteral(L, "tensor (closed)");
        return 1;
    }
    lua_pushfstring(L, "tensor %s%s%s %s", name == NULL ? "" : name, name == NULL ? "" : " ",
                    wb_dtype_name(wb_node_dtype(node)),
                    wb_shape_format(wb_node_shape(node), text, sizeof text));
    return 1;
}

/* t.something that is no method: an error with a name is better than a nil that is called. */
static int no_method(lua_State *L)
{
    return wb_lua_fail(L, WB_EARG, "a tensor has no '%s'", luaL_tolstring(L, 2, NULL));
}

static void add_operations(lua_State *L)
{
    static const struct {
        const char *name;
        enum wb_unary op;
    } one[] = {
#define X(name) { #name, WB_UNARY_##name },
        WB_UNARY_OPS(X)
#undef X
    };
    static const struct {
        const char *name;
        enum wb_binary op;
    } two[] = {
        { "pow", WB_BINARY_pow }, { "gt", WB_BINARY_gt },        { "lt", WB_BINARY_lt },
        { "ge", WB_BINARY_ge },   { "le", WB_BINARY_le },        { "eq", WB_BINARY_eq },
        { "ne", WB_BINARY_ne },   { "min_with", WB_BINARY_min }, { "max_with", WB_BINARY_max },
    };

    for (size_t i = 0; i < sizeof one / sizeof one[0]; i++) {
        lua_pushinteger(L, (lua_Integer)one[i].op);
        lua_pushcclosure(L, unary, 1);
        lua_setfield(L, -2, one[i].name);
    }
    for (size_t i = 0; i < sizeof two / sizeof two[0]; i++) {
        lua_pushinteger(L, (lua_Integer)two[i].op);
        lua_pushcclosure(L, binary, 1);
        lua_setfield(L, -2, two[i].name);
    }
}

static void add_metamethods(lua_State *L)
{
    static const struct {
        const char *event;
        enum wb_binary op;
    } two[] = {
        { "__add", WB_BINARY_add }, { "__sub", WB_BINARY_sub }, { "__mul", WB_BINARY_mul },
        { "__div", WB_BINARY_div }, { "__pow", WB_BINARY_pow },
    };

    for (size_t i = 0; i < sizeof two / sizeof two[0]; i++) {
        lua_pushinteger(L, (lua_Integer)two[i].op);
        lua_pushstring(L, two[i].event);
        lua_pushcclosure(L, arithmetic, 2);
        lua_setfield(L, -2, two[i].event);
    }
    lua_pushinteger(L, WB_UNARY_neg);
    lua_pushcclosure(L, unary, 1);
    lua_setfield(L, -2, "__unm");
}

/* Gives core the methods (Lua adds to them) and the constructors. */
void wb_lua_open_tensor(lua_State *L)
{
    static const luaL_Reg meta[] = {
        { "__eq", equal },
        { "__tostring", to_text },
        { NULL, NULL },
    };
    static const luaL_Reg method[] = {
        { "where", where },
        { "lerp", lerp },
        { "fma", fma_scalar },
        { "clamp", clamp },
        { "nan_to", nan_to },
        { "cast", cast },
        { "as", as },
        { "guard", guard },
        { "per_row", per_row },
        { "per_column", per_column },
        { "zeros", zeros },
        { "ones", ones },
        { "fill", fill },
        { "shape", shape_of },
        { "dtype", dtype_of },
        { "name", name_of },
        { "count_all", count_all },
        { NULL, NULL },
    };
    static const luaL_Reg core[] = {
        { "fill", core_fill },    { "dims", dims }, { "same_shape", same_shape },
        { "constant", constant }, { NULL, NULL },
    };

    luaL_setfuncs(L, core, 0);
    luaL_newmetatable(L, WB_LUA_TENSOR);
    luaL_setfuncs(L, meta, 0);
    add_metamethods(L);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_newtable(L); /* methods */
    luaL_setfuncs(L, method, 0);
    add_operations(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, no_method);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__index");
    lua_setfield(L, -3, "tensor_methods");
    lua_pop(L, 1);
}
