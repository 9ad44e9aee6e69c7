/* lua/bind/core.c - what our Lua code asks of the VM: the log, types, raising errors, the sandbox's own functions. */
#include <string.h>

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

/* core.script(where): what errors call the script when its line cannot be told: "run.lua:7: ". */
static int set_script(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);

    snprintf(vm->script, sizeof vm->script, "%s", luaL_optstring(L, 1, ""));
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
