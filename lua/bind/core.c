/* lua/bind/core.c - what our Lua code asks of the VM: the log, types, raising errors, the sandbox's own functions. */
#include <string.h>

#include "app/core/nearest.h"
#include "lua/bind/internal.h"

static int write_log(lua_State *L) /* core.log(line) */
{
    struct wb_vm *vm = wb_vm_of(L);

    if (vm->opt.log != NULL)
        vm->opt.log(vm->opt.log_ctx, luaL_checkstring(L, 1));
    return 0;
}

static int type_of(lua_State *L) /* core.type(x): "tensor", "model", or Lua's */
{
    if (luaL_testudata(L, 1, WB_LUA_TENSOR) != NULL)
        lua_pushliteral(L, "tensor");
    else if (luaL_testudata(L, 1, WB_LUA_MODEL) != NULL)
        lua_pushliteral(L, "model");
    else
        lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

/* core.fail(text[, plain]): an error of the user's making: with the script's line, unless plain. */
static int fail(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);
    const char *text = luaL_checkstring(L, 1);

    if (vm->code == WB_OK ||
        strstr(text, vm->code_text) == NULL) { /* else an error of before in a longer text */
        vm->code = WB_EARG;
        snprintf(vm->code_text, sizeof vm->code_text, "%.100s", text);
    }
    if (lua_toboolean(L, 2)) {
        lua_settop(L, 1);
        return lua_error(L);
    }
    wb_lua_where(L);
    lua_pushvalue(L, 1);
    lua_concat(L, 2);
    return lua_error(L);
}

/* core.script(where, name, line): what errors call the script when its line cannot be told, "run.lua:7: ", the name it was
 * loaded with and the line of its only return, which a tail call loses; 0 with several. */
static int set_script(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);

    snprintf(vm->script, sizeof vm->script, "%s", luaL_optstring(L, 1, ""));
    vm->return_line = (int)luaL_optinteger(L, 3, 0);
    lua_settop(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, "wb.script");
    return 0;
}

static int where(lua_State *L) /* core.where(): "file:line" of the script, or "" */
{
    size_t n;
    const char *text;

    wb_lua_where(L);
    text = lua_tolstring(L, -1, &n);
    lua_pushlstring(L, text, n > 2 ? n - 2 : 0);
    return 1;
}

static int push_nearest(lua_State *L, void (*try)(struct wb_nearest *, const char *))
{
    struct wb_nearest near = { .word = luaL_checkstring(L, 1) };

    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TSTRING; i++) {
        try(&near, lua_tostring(L, -1));
        lua_pop(L, 1); /* the list keeps it */
    }
    lua_pushstring(L, near.best);
    return 1;
}

/* core.nearest(word, {names}): the one that is probably meant, or nil. */
static int nearest(lua_State *L)
{
    return push_nearest(L, wb_nearest_try);
}

static int nearest_pattern(
    lua_State *L) /* core.nearest_pattern(glob, {names}): the same for a glob */
{
    return push_nearest(L, wb_nearest_try_glob);
}

/* core.line(): the line of the script that is at work, 0 when it cannot be told. */
static int line(lua_State *L)
{
    const char *name;
    lua_Debug ar;

    lua_getfield(L, LUA_REGISTRYINDEX, "wb.script");
    name = lua_tostring(L, -1);
    for (int level = 0; name != NULL && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && ar.source[0] == '@' && strcmp(ar.source + 1, name) == 0) {
            lua_pushinteger(L, ar.currentline);
            return 1;
        }
    }
    lua_pushinteger(L, wb_vm_of(L)->return_line);
    return 1;
}

/* The sandbox's setmetatable: the real one is upvalue 1. Finalizers would run without the hook. */
static int safe_setmetatable(lua_State *L)
{
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        lua_rawget(L, 2);
        if (!lua_isnil(L, -1))
            return wb_lua_fail(L, WB_ESCRIPT, "scripts cannot set a finalizer (__gc)");
        lua_pop(L, 1);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* core.string_index(t): what methods of strings, s:rep(…), are looked up in from now on. */
static int set_string_index(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "__index");
    return 0;
}

/* Under trust: the real require behind ours. */
static int system_require(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    if (lua_getfield(L, LUA_REGISTRYINDEX, "wb.require") == LUA_TNIL)
        return wb_lua_fail(L, WB_ENOTFOUND, "there is no module '%s'", lua_tostring(L, 1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

void wb_lua_open_core(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);
    static const luaL_Reg core[] = {
        { "log", write_log },
        { "type", type_of },
        { "fail", fail },
        { "where", where },
        { "line", line },
        { "nearest", nearest },
        { "nearest_pattern", nearest_pattern },
        { "script", set_script },
        { "string_index", set_string_index },
        { "require", system_require },
        { NULL, NULL },
    };

    luaL_setfuncs(L, core, 0);
    lua_getglobal(L, "setmetatable");
    lua_pushcclosure(L, safe_setmetatable, 1);
    lua_setfield(L, -2, "setmetatable");
    lua_pushboolean(L, vm->opt.trust);
    lua_setfield(L, -2, "trust");
    lua_pushstring(L, vm->opt.share_dir);
    lua_setfield(L, -2, "share_dir");
    lua_createtable(L, 2, 0);
    for (lua_Integer i = 0; vm->plugin_dir[i] != NULL; i++) {
        lua_pushstring(L, vm->plugin_dir[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "plugin_dirs");
}
