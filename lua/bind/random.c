/* lua/bind/random.c - random tensors: a function of seed, model index, tensor name and element index. */
#include <stdio.h>

#include "lua/bind/internal.h"

/* What keys the stream: the tensor whose plugin function runs, else where like was read from, else the name given. */
static const char *stream_name(lua_State *L, const struct wb_node *like, int arg)
{
    struct wb_vm *vm = wb_vm_of(L);
    const char *name = NULL;

    if (!lua_isnoneornil(L, arg))
        name = luaL_checkstring(L, arg);
    else if (vm->name[0] != '\0')
        name = vm->name;
    else
        name = wb_node_source_name(like);
    if (name == NULL)
        wb_lua_fail(L, WB_EARG,
                    "random numbers are keyed by a tensor's name: give one as the last argument");
    return name;
}

static uint64_t optional_whole(lua_State *L, int arg)
{
    return lua_isnoneornil(L, arg) ? 0 : wb_lua_check_whole(L, arg);
}

static int uniform(lua_State *L) /* wb.uniform(like, seed[, model[, name]]) */
{
    struct wb_node *like = wb_lua_check_node(L, 1);
    uint64_t seed = wb_lua_check_whole(L, 2), model = optional_whole(L, 3);
    const char *name = stream_name(L, like, 4);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_uniform(wb_node_shape(like), seed, model, name, &err);
    return wb_lua_made(L, out, &err);
}

static int normal(lua_State *L)
{
    struct wb_node *like = wb_lua_check_node(L, 1);
    uint64_t seed = wb_lua_check_whole(L, 2), model = optional_whole(L, 3);
    const char *name = stream_name(L, like, 4);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_normal(wb_node_shape(like), seed, model, name, &err);
    return wb_lua_made(L, out, &err);
}

static int bernoulli(lua_State *L) /* wb.bernoulli(like, p, seed[, model[, name]]) */
{
    struct wb_node *like = wb_lua_check_node(L, 1);
    double p = luaL_checknumber(L, 2);
    uint64_t seed = wb_lua_check_whole(L, 3), model = optional_whole(L, 4);
    const char *name = stream_name(L, like, 5);
    struct wb_node **out = wb_lua_push_node(L);
    struct wb_err err;

    *out = wb_node_bernoulli(wb_node_shape(like), p, seed, model, name, &err);
    return wb_lua_made(L, out, &err);
}

/* core.name(text or nil): the tensor whose plugin function runs from now on. */
static int set_name(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);

    snprintf(vm->name, sizeof vm->name, "%s", luaL_optstring(L, 1, ""));
    return 0;
}

void wb_lua_open_random(lua_State *L)
{
    static const luaL_Reg core[] = {
        { "uniform", uniform }, { "normal", normal }, { "bernoulli", bernoulli },
        { "name", set_name },   { NULL, NULL },
    };

    luaL_setfuncs(L, core, 0);
}
