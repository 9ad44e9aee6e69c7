/* lua/bind/draft.c - making a model from another, for the Lua side: derive, change, freeze. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "lua/bind/internal.h"

static struct wb_model *check_draft(lua_State *L)
{
    struct wb_model **slot = luaL_checkudata(L, 1, WB_LUA_DRAFT);

    if (*slot == NULL)
        wb_lua_fail(L, WB_EARG, "this draft is a model already");
    return *slot;
}

static int draft_close(lua_State *L)
{
    struct wb_model **slot = luaL_checkudata(L, 1, WB_LUA_DRAFT);

    wb_model_unref(*slot);
    *slot = NULL;
    return 0;
}

static int derive(lua_State *L) /* core.derive(m) -> draft */
{
    struct wb_model *from = wb_lua_check_model(L, 1);
    struct wb_model **slot = lua_newuserdatauv(L, sizeof *slot, 0);
    struct wb_err err;

    *slot = NULL;
    luaL_setmetatable(L, WB_LUA_DRAFT);
    *slot = wb_model_derive(from, &err);
    return *slot == NULL ? wb_lua_raise(L, &err) : 1;
}

static int done(lua_State *L, bool ok, const struct wb_err *err)
{
    if (!ok)
        return wb_lua_raise(L, err);
    lua_settop(L, 1);
    return 1;
}

static int clear(lua_State *L)
{
    struct wb_err err = { .code = WB_ENOMEM, .msg = "no memory for a model" };

    return done(L, wb_model_clear(check_draft(L)), &err);
}

static int set(lua_State *L) /* d:set(name, tensor or nil) */
{
    struct wb_model *d = check_draft(L);
    const char *name = luaL_checkstring(L, 2);
    struct wb_node *node = lua_isnoneornil(L, 3) ? NULL : wb_lua_check_node(L, 3);
    struct wb_err err;

    if (name[0] == '\0')
        return wb_lua_fail(L, WB_EARG, "a tensor needs a name");
    return done(L, wb_model_set(d, name, node, &err), &err);
}

/* d:set_as(name, tensor, like): tensor under that name, to be written as the dtype of like. */
static int set_as(lua_State *L)
{
    struct wb_model *d = check_draft(L);
    const char *name = luaL_checkstring(L, 2);
    struct wb_node *node = wb_lua_check_node(L, 3), *like = wb_lua_check_node(L, 4), *typed;
    struct wb_err err;
    bool ok;

    if (!wb_dtype_computable(wb_node_dtype(like)) || !wb_dtype_computable(wb_node_dtype(node)))
        return done(L, wb_model_set(d, name, node, &err), &err);
    typed = wb_node_as(node, wb_node_dtype(like), &err);
    ok = typed != NULL && wb_model_set(d, name, typed, &err);
    wb_node_unref(typed);
    return done(L, ok, &err);
}

/* d:configure(changes): keys of config.json replaced. */
static int configure(lua_State *L)
{
    struct wb_model *d = check_draft(L);
    cJSON **changes = wb_lua_push_json_owner(L), **config = wb_lua_push_json_owner(L);
    const cJSON *item;
    struct wb_err err;
    bool ok = true;

    wb_lua_to_json(L, 2, changes);
    *config = cJSON_Duplicate(wb_model_config(d), true);
    if (!cJSON_IsObject(*changes) && cJSON_GetArraySize(*changes) > 0)
        return wb_lua_fail(L, WB_EARG, "configure takes a table of keys and values");
    ok = *config != NULL;
    cJSON_ArrayForEach(item, *changes) {
        cJSON *copy = cJSON_Duplicate(item, true);

        ok = ok && copy != NULL;
        if (copy == NULL)
            break;
        if (cJSON_GetObjectItemCaseSensitive(*config, item->string) != NULL)
            ok = cJSON_ReplaceItemInObjectCaseSensitive(*config, item->string, copy) && ok;
        else
            ok = cJSON_AddItemToObject(*config, item->string, copy) && ok;
    }
    if (!ok)
        return wb_lua_fail(L, WB_ENOMEM, "no memory for a config");
    return done(L, wb_model_set_config(d, *config, &err), &err);
}

/* d:config_layers(model, {its layer numbers, in their new order}) */
static int config_layers(lua_State *L)
{
    struct wb_model *d = check_draft(L), *from = wb_lua_check_model(L, 2);
    cJSON **config;
    struct wb_err err;
    size_t n;
    int *source;

    luaL_checktype(L, 3, LUA_TTABLE);
    n = lua_rawlen(L, 3);
    config = wb_lua_push_json_owner(L);
    source = lua_newuserdatauv(L, (n + 1) * sizeof *source, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 3, (lua_Integer)i + 1);
        source[i] = (int)wb_lua_check_whole(L, -1);
        lua_pop(L, 1);
    }
    if (!wb_model_has_config(d))
        return done(L, true, NULL);
    *config = cJSON_Duplicate(wb_model_config(d), true);
    if (*config == NULL)
        return wb_lua_fail(L, WB_ENOMEM, "no memory for a config");
    if (!wb_arch_config_layers(wb_model_arch(from), *config, source, (int)n, &err))
        return wb_lua_raise(L, &err);
    return done(L, wb_model_set_config(d, *config, &err), &err);
}

static int stem(lua_State *L)
{
    struct wb_model *d = check_draft(L);
    struct wb_err err;

    return done(L, wb_model_set_stem(d, luaL_checkstring(L, 2), &err), &err);
}

static int add_sources(lua_State *L)
{
    struct wb_model *d = check_draft(L), *other = wb_lua_check_model(L, 2);
    struct wb_err err;

    return done(L, wb_model_add_sources(d, other, &err), &err);
}

static int add_warning(lua_State *L)
{
    struct wb_model *d = check_draft(L);
    struct wb_err err;

    return done(L, wb_model_add_warning(d, luaL_checkstring(L, 2), &err), &err);
}

static int add_file(lua_State *L) /* d:file(name, text): a plain file name */
{
    struct wb_model *d = check_draft(L);
    const char *name = luaL_checkstring(L, 2), *text = luaL_checkstring(L, 3);
    struct wb_err err;

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
        return wb_lua_fail(L, WB_EARG, "'%s' is not a plain file name", name);
    return done(L, wb_model_add_file(d, name, text, &err), &err);
}

static int add_step(lua_State *L) /* d:step(table) */
{
    struct wb_model *d = check_draft(L);
    cJSON **json = wb_lua_push_json_owner(L);
    char **text = wb_lua_push_text_owner(L);
    struct wb_err err;

    wb_lua_to_json(L, 2, json);
    *text = cJSON_PrintUnformatted(*json);
    if (*text == NULL)
        return wb_lua_fail(L, WB_ENOMEM, "no memory for JSON");
    return done(L, wb_model_add_step(d, *text, &err), &err);
}

static int add_note(
    lua_State *L) /* d:note(tensor, key, 0-d tensor or number, total or nil, weight) */
{
    static const char *const name[] = { "none", "sum", "norm", "mean", "max", NULL };
    struct wb_model *d = check_draft(L);
    const char *tensor = luaL_checkstring(L, 2), *key = luaL_checkstring(L, 3);
    struct wb_node *node = wb_lua_test_node(L, 4), *made = NULL;
    enum wb_total total = (enum wb_total)luaL_checkoption(L, 5, "none", name);
    double weight = luaL_optnumber(L, 6, 1);
    struct wb_err err;
    bool ok;

    if (node == NULL && lua_type(L, 4) != LUA_TNUMBER)
        return wb_lua_fail(L, WB_EARG, "the figure of a note is a number or a 0-d tensor, not %s",
                           luaL_typename(L, 4));
    if (node != NULL && wb_node_count(node) != 1)
        return wb_lua_fail(L, WB_ESHAPE, "the figure '%s' of a note is a number, not a tensor",
                           key);
    if (node == NULL)
        made = wb_node_scalar(lua_tonumber(L, 4), &err);
    else if (wb_node_shape(node)->ndim > 0 || wb_node_domain(node) != WB_SMALL)
        made = wb_node_reduce(WB_REDUCE_SUM, WB_AXIS_ALL, node, NULL, &err);
    else
        made = wb_node_ref(node);
    ok = made != NULL && wb_model_add_note(d, tensor, key, made, total, weight, &err);
    wb_node_unref(made);
    return done(L, ok, &err);
}

static int freeze(lua_State *L) /* d:freeze() -> model */
{
    struct wb_model *d = check_draft(L), **slot = lua_touserdata(L, 1), **out;
    struct wb_err err;

    out = wb_lua_push_model(L);
    if (!wb_model_freeze(d, &err))
        return wb_lua_raise(L, &err);
    *out = d;
    *slot = NULL;
    return 1;
}

/* Models in memory, for the tests in plugins: F32 tensors in a file that is gone once it is open. */

static bool write_flat(int fd, const struct wb_str *header, const float *data, size_t n,
                       struct wb_err *err)
{
    uint8_t raw[8];

    for (int i = 0; i < 8; i++)
        raw[i] = (uint8_t)((uint64_t)header->len >> 8 * i);
    return wb_pwrite(fd, raw, 8, 0, err) && wb_pwrite(fd, header->text, header->len, 8, err) &&
           wb_pwrite(fd, data, n * sizeof *data, 8 + header->len, err);
}

/* core.memory(header JSON, {all numbers}) -> model */
static int memory_model(lua_State *L)
{
    struct wb_str header = { 0 };
    const char *json = luaL_checkstring(L, 1);
    char path[] = "/tmp/weightbench-XXXXXX.safetensors";
    size_t n;
    float *data;
    struct wb_model **out;
    struct wb_err err;
    bool ok;
    int fd;

    luaL_checktype(L, 2, LUA_TTABLE);
    n = lua_rawlen(L, 2);
    data = lua_newuserdatauv(L, (n + 1) * sizeof *data, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        data[i] = (float)lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    out = wb_lua_push_model(L);
    fd = mkstemps(path, 12);
    if (fd < 0) {
        wb_fail_errno(&err, "%s", path);
        return wb_lua_raise(L, &err);
    }
    wb_str_add(&header, json);
    while (header.len % 8 != 0 && !header.failed)
        wb_str_add(&header, " ");
    ok = !header.failed ? write_flat(fd, &header, data, n, &err)
                        : wb_fail(&err, WB_ENOMEM, "no memory for a header");
    wb_str_free(&header);
    close(fd);
    if (ok)
        *out = wb_model_open(path, wb_vm_of(L)->opt.families, &err);
    unlink(path);
    return ok && *out != NULL ? 1 : wb_lua_raise(L, &err);
}

void wb_lua_open_draft(lua_State *L)
{
    static const luaL_Reg method[] = {
        { "__gc", draft_close },
        { "clear", clear },
        { "set", set },
        { "set_as", set_as },
        { "configure", configure },
        { "config_layers", config_layers },
        { "stem", stem },
        { "sources", add_sources },
        { "warning", add_warning },
        { "file", add_file },
        { "step", add_step },
        { "note", add_note },
        { "freeze", freeze },
        { NULL, NULL },
    };
    static const luaL_Reg core[] = { { "derive", derive },
                                     { "memory", memory_model },
                                     { NULL, NULL } };

    luaL_setfuncs(L, core, 0);
    luaL_newmetatable(L, WB_LUA_DRAFT);
    luaL_setfuncs(L, method, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
