/* lua/bind/json.c - JSON to Lua and back. Keys are written sorted; null inside a list is wb.null. */
#include "app/core/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/bind/internal.h"

#define OWNER "wb.json"
#define TEXT_OWNER "wb.text"
#define DEPTH_MAX 100
static const char null_key; /* its address in the registry: wb.null */

static int free_json(lua_State *L)
{
    cJSON **slot = luaL_checkudata(L, 1, OWNER);

    cJSON_Delete(*slot);
    *slot = NULL;
    return 0;
}

cJSON **wb_lua_push_json_owner(lua_State *L)
{
    cJSON **slot = lua_newuserdatauv(L, sizeof *slot, 0);

    *slot = NULL;
    luaL_setmetatable(L, OWNER);
    return slot;
}

static int free_text(lua_State *L)
{
    char **slot = luaL_checkudata(L, 1, TEXT_OWNER);

    free(*slot);
    *slot = NULL;
    return 0;
}

char **wb_lua_push_text_owner(lua_State *L)
{
    char **slot = lua_newuserdatauv(L, sizeof *slot, 0);

    *slot = NULL;
    luaL_setmetatable(L, TEXT_OWNER);
    return slot;
}

static void push_number(lua_State *L, double value)
{
    if (value == floor(value) && fabs(value) < 0x1p53)
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushnumber(L, value);
}

void wb_lua_push_json(lua_State *L, const cJSON *value)
{
    const cJSON *item;
    lua_Integer i = 0;

    luaL_checkstack(L, 4, "JSON nested too deep");
    if (cJSON_IsString(value)) {
        lua_pushstring(L, value->valuestring);
    } else if (cJSON_IsNumber(value)) {
        push_number(L, value->valuedouble);
    } else if (cJSON_IsBool(value)) {
        lua_pushboolean(L, cJSON_IsTrue(value));
    } else if (cJSON_IsArray(value)) {
        lua_newtable(L);
        luaL_setmetatable(L, "wb.list");
        cJSON_ArrayForEach(item, value) {
            wb_lua_push_json(L, item);
            lua_rawseti(L, -2, ++i);
        }
    } else if (cJSON_IsObject(value)) {
        lua_newtable(L);
        cJSON_ArrayForEach(item, value) {
            if (cJSON_IsNull(item))
                continue;
            wb_lua_push_json(L, item);
            lua_setfield(L, -2, item->string);
        }
    } else {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
    }
}

/* Encoding: every value is hung into its parent before its contents are looked at, so that an error on the way
 * leaves nothing behind that the root's owner does not free. */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of the table at the top, sorted, in a userdata that is pushed above it; the table keeps the strings. */
static const char **push_sorted_keys(lua_State *L, size_t *n)
{
    const char **key;
    size_t i = 0;

    *n = 0;
    for (lua_pushnil(L); lua_next(L, -2) != 0; ++*n) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            wb_lua_fail(L, WB_EARG, "the keys of a JSON object are strings, not %s",
                        luaL_typename(L, -1));
    }
    key = lua_newuserdatauv(L, (*n + 1) * sizeof *key, 0);
    for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1))
        key[i++] = lua_tostring(L, -2);
    qsort(key, *n, sizeof *key, compare);
    return key;
}

static bool is_list(lua_State *L)
{
    bool list = lua_rawlen(L, -1) > 0;

    if (!list && luaL_getmetafield(L, -1, "__name") != LUA_TNIL) {
        list = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "wb.list") == 0;
        lua_pop(L, 1);
    }
    return list;
}

static cJSON *hang(lua_State *L, cJSON *parent, const char *key, cJSON *item)
{
    if (item == NULL || !(key == NULL ? cJSON_AddItemToArray(parent, item)
                                      : cJSON_AddItemToObject(parent, key, item))) {
        cJSON_Delete(item);
        wb_lua_fail(L, WB_ENOMEM, "no memory for JSON");
    }
    return item;
}

static bool is_null(lua_State *L)
{
    bool same;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

/* Hang the value at the top of the stack into parent: under key, or as the next of a list. */
static void encode(lua_State *L, cJSON *parent, const char *key, int depth)
{
    cJSON *item;

    luaL_checkstack(L, 6, "a table nested too deep");
    if (depth > DEPTH_MAX)
        wb_lua_fail(L, WB_EARG, "a table nested deeper than %d for JSON (or in itself)", DEPTH_MAX);
    if (lua_type(L, -1) == LUA_TSTRING) {
        hang(L, parent, key, cJSON_CreateString(lua_tostring(L, -1)));
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        hang(L, parent, key,
             isfinite(lua_tonumber(L, -1)) ? cJSON_CreateNumber(lua_tonumber(L, -1))
                                           : cJSON_CreateNull());
    } else if (lua_isboolean(L, -1)) {
        hang(L, parent, key, cJSON_CreateBool(lua_toboolean(L, -1)));
    } else if (lua_isnil(L, -1) || is_null(L)) {
        hang(L, parent, key, cJSON_CreateNull());
    } else if (!lua_istable(L, -1)) {
        wb_lua_fail(L, WB_EARG, "JSON cannot hold %s", luaL_typename(L, -1));
    } else if (is_list(L)) {
        item = hang(L, parent, key, cJSON_CreateArray());
        for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, -1); i <= n; i++) {
            lua_rawgeti(L, -1, i);
            encode(L, item, NULL, depth + 1);
            lua_pop(L, 1);
        }
    } else {
        size_t n;
        const char **name = push_sorted_keys(L, &n);

        item = hang(L, parent, key, cJSON_CreateObject());
        for (size_t i = 0; i < n; i++) {
            lua_getfield(L, -2, name[i]);
            encode(L, item, name[i], depth + 1);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
}

void wb_lua_to_json(lua_State *L, int arg, cJSON **slot)
{
    cJSON *root;

    arg = lua_absindex(L, arg);
    *slot = cJSON_CreateArray();
    if (*slot == NULL)
        wb_lua_fail(L, WB_ENOMEM, "no memory for JSON");
    lua_pushvalue(L, arg);
    encode(L, *slot, NULL, 0);
    lua_pop(L, 1);
    root = cJSON_DetachItemFromArray(*slot, 0);
    cJSON_Delete(*slot);
    *slot = root;
}

static int to_text(lua_State *L) /* wb.json(value[, indented]) */
{
    cJSON **json;
    char **text;

    luaL_checkany(L, 1);
    lua_settop(L, 2);
    json = wb_lua_push_json_owner(L);
    wb_lua_to_json(L, 1, json);
    text = wb_lua_push_text_owner(L);
    *text = lua_toboolean(L, 2) ? cJSON_Print(*json) : cJSON_PrintUnformatted(*json);
    if (*text == NULL)
        return wb_lua_fail(L, WB_ENOMEM, "no memory for JSON");
    lua_pushstring(L, *text);
    return 1;
}

static int from_text(lua_State *L) /* wb.parse_json(text) */
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    cJSON **json = wb_lua_push_json_owner(L);
    struct wb_err err;

    *json = wb_json_parse(text, n, &err);
    if (*json == NULL)
        return wb_lua_raise(L, &err);
    wb_lua_push_json(L, *json);
    return 1;
}

/* wb.array_of{…}: a list, also when it is empty. */
static int array_of(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, "wb.list");
    return 1;
}

static int null_text(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

static void owner_type(lua_State *L, const char *name, lua_CFunction close)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void wb_lua_open_json(lua_State *L)
{
    static const luaL_Reg core[] = {
        { "json", to_text },
        { "parse_json", from_text },
        { "array_of", array_of },
        { NULL, NULL },
    };

    owner_type(L, OWNER, free_json);
    owner_type(L, TEXT_OWNER, free_text);
    luaL_newmetatable(L, "wb.list"); /* marks lists, so that an empty one stays one */
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    luaL_setfuncs(L, core, 0);
    lua_newuserdatauv(L, 0, 0);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, null_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
    lua_setfield(L, -2, "null");
}
