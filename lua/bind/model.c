/* lua/bind/model.c - models as Lua values: opening, looking, tensors by name and role. */
#include <stdlib.h>
#include <string.h>

#include "lua/bind/internal.h"

struct wb_model **wb_lua_push_model(lua_State *L)
{
    struct wb_model **slot =
        lua_newuserdatauv(L, sizeof *slot, 1); /* the user value keeps tables made of it */

    *slot = NULL;
    luaL_setmetatable(L, WB_LUA_MODEL);
    return slot;
}

static int model_close(lua_State *L)
{
    struct wb_model **slot = luaL_checkudata(L, 1, WB_LUA_MODEL);

    wb_model_unref(*slot);
    *slot = NULL;
    return 0;
}

struct wb_model *wb_lua_check_model(lua_State *L, int arg)
{
    struct wb_model **slot = luaL_testudata(L, arg, WB_LUA_MODEL);

    if (slot == NULL || *slot == NULL) {
        wb_lua_fail(L, WB_EARG, "a model was expected, not %s", luaL_typename(L, arg));
        return NULL; /* not reached */
    }
    return *slot;
}

static int equal(lua_State *L)
{
    struct wb_model **a = luaL_testudata(L, 1, WB_LUA_MODEL),
                    **b = luaL_testudata(L, 2, WB_LUA_MODEL);

    lua_pushboolean(L, a != NULL && b != NULL && *a == *b);
    return 1;
}

static int to_text(lua_State *L)
{
    struct wb_model **slot = luaL_checkudata(L, 1, WB_LUA_MODEL);

    lua_pushfstring(L, "model %s", *slot == NULL ? "(closed)" : wb_model_path(*slot));
    return 1;
}

/* core.open(path, lora or nil, scale) */
static int open_model(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);
    const char *path = luaL_checkstring(L, 1), *lora = luaL_optstring(L, 2, NULL);
    double scale = luaL_optnumber(L, 3, 1);
    struct wb_model **out = wb_lua_push_model(L);
    struct wb_err err;

    *out = lora == NULL ? wb_model_open(path, vm->opt.families, &err)
                        : wb_model_open_lora(path, lora, scale, vm->opt.families, &err);
    if (*out == NULL)
        return wb_lua_raise(L, &err);
    for (size_t i = 0; i < wb_model_source_count(*out); i++)
        if (!wb_vm_allow_read(vm, wb_ckpt_dir(wb_model_source(*out, i)), &err))
            return wb_lua_raise(L, &err);
    return 1;
}

/* core.unchanged(model): do its files still have the size and time they had? */
static int unchanged(lua_State *L)
{
    struct wb_model *m = wb_lua_check_model(L, 1);
    bool same = true;

    for (size_t i = 0; i < wb_model_source_count(m); i++)
        same = same && wb_ckpt_unchanged(wb_model_source(m, i));
    lua_pushboolean(L, same);
    return 1;
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, key);
}

/* Unknown (negative) numbers stay nil. */
static void set_number(lua_State *L, const char *key, int value)
{
    if (value < 0)
        return;
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void push_info(lua_State *L, const struct wb_entry *e)
{
    lua_createtable(L, 0, 14);
    set_text(L, "name", e->name);
    set_text(L, "role", e->role.role);
    set_text(L, "kind", e->role.kind);
    set_text(L, "stack", e->role.stack);
    set_text(L, "fused", e->role.fused);
    set_text(L, "tied_to", e->role.tied_to);
    set_text(L, "dtype", wb_dtype_name(wb_node_dtype(e->node)));
    set_number(L, "layer", e->role.layer);
    set_number(L, "expert", e->role.expert);
    set_flag(L, "transposed", e->role.transposed);
    set_flag(L, "computable", wb_dtype_computable(wb_node_dtype(e->node)));
    lua_pushinteger(L, (lua_Integer)wb_node_count(e->node));
    lua_setfield(L, -2, "count");
    wb_lua_push_shape(L, wb_node_shape(e->node));
    lua_setfield(L, -2, "shape");
}

static const struct wb_entry *check_entry(lua_State *L)
{
    struct wb_model *m = wb_lua_check_model(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const struct wb_entry *e = wb_model_find(m, name);

    if (e == NULL)
        wb_lua_fail(L, WB_ENOTFOUND, "%s has no tensor '%s'", wb_model_path(m), name);
    return e;
}

static int info(lua_State *L) /* m:info(name) */
{
    push_info(L, check_entry(L));
    return 1;
}

static int role(lua_State *L) /* m:role(name) -> role, layer */
{
    const struct wb_entry *e = check_entry(L);

    lua_pushstring(L, e->role.role);
    if (e->role.layer < 0)
        return 1;
    lua_pushinteger(L, e->role.layer);
    return 2;
}

static int has(lua_State *L)
{
    lua_pushboolean(L, wb_model_find(wb_lua_check_model(L, 1), luaL_checkstring(L, 2)) != NULL);
    return 1;
}

static int tensor(lua_State *L) /* m:tensor(name) */
{
    const struct wb_entry *e = check_entry(L);
    struct wb_node **out = wb_lua_push_node(L);

    *out = wb_node_ref(e->node);
    return 1;
}

static int find(lua_State *L) /* core.find(m, name) -> tensor or nil */
{
    const struct wb_entry *e = wb_model_find(wb_lua_check_model(L, 1), luaL_checkstring(L, 2));
    struct wb_node **out;

    if (e == NULL)
        return 0;
    out = wb_lua_push_node(L);
    *out = wb_node_ref(e->node);
    return 1;
}

/* The table `key` kept with the model at index 1, made by fill when it is asked for first. */
static int kept(lua_State *L, const char *key, void (*fill)(lua_State *, const struct wb_model *))
{
    const struct wb_model *m = wb_lua_check_model(L, 1);

    lua_settop(L, 1);
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, 1);
        lua_replace(L, 2);
    }
    if (lua_getfield(L, 2, key) != LUA_TNIL)
        return 1;
    fill(L, m);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, key);
    return 1;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp((*(const struct wb_entry *const *)a)->name,
                  (*(const struct wb_entry *const *)b)->name);
}

static void fill_entries(lua_State *L, const struct wb_model *m)
{
    size_t n = wb_model_count(m);
    const struct wb_entry **sorted = lua_newuserdatauv(L, (n + 1) * sizeof *sorted, 0);

    for (size_t i = 0; i < n; i++)
        sorted[i] = wb_model_entry(m, i);
    qsort(sorted, n, sizeof *sorted, compare_entries);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_info(L, sorted[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static int entries(
    lua_State *L) /* core.entries(m): infos in byte order of names; shared, not to be changed */
{
    return kept(L, "entries", fill_entries);
}

static void fill_store(lua_State *L, const struct wb_model *m)
{
    (void)m;
    lua_newtable(L);
}

static int store(lua_State *L) /* core.store(m): a table that lives as long as this value */
{
    return kept(L, "store", fill_store);
}

static void push_dims(lua_State *L, const struct wb_dims *d)
{
    lua_createtable(L, 0, 10);
    set_number(L, "layers", d->layers);
    set_number(L, "hidden", d->hidden);
    set_number(L, "heads", d->heads);
    set_number(L, "kv_heads", d->kv_heads);
    set_number(L, "head_dim", d->head_dim);
    set_number(L, "intermediate", d->intermediate);
    set_number(L, "vocab", d->vocab);
    set_number(L, "experts", d->experts);
    set_number(L, "context", d->context);
    set_flag(L, "tied_embeddings", d->tied_embeddings);
}

static bool push_field(lua_State *L, const struct wb_model *m, const char *key)
{
    if (strcmp(key, "family") == 0)
        lua_pushstring(L, wb_arch_family(wb_model_arch(m)));
    else if (strcmp(key, "layers") == 0)
        lua_pushinteger(L, wb_model_layers(m));
    else if (strcmp(key, "parameters") == 0)
        lua_pushinteger(L, (lua_Integer)wb_model_parameters(m));
    else if (strcmp(key, "config") == 0)
        wb_lua_push_json(L, wb_model_config(m));
    else if (strcmp(key, "has_config") == 0)
        lua_pushboolean(L, wb_model_has_config(m));
    else if (strcmp(key, "path") == 0)
        lua_pushstring(L, wb_model_path(m));
    else if (strcmp(key, "dims") == 0)
        push_dims(L, wb_arch_dims(wb_model_arch(m)));
    else
        return false;
    return true;
}

static int index_model(lua_State *L)
{
    const struct wb_model *m = wb_lua_check_model(L, 1);

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    if (lua_type(L, 2) == LUA_TSTRING && push_field(L, m, lua_tostring(L, 2)))
        return 1;
    return wb_lua_fail(L, WB_EARG, "a model has no '%s'", luaL_tolstring(L, 2, NULL));
}

static int new_index(lua_State *L)
{
    return wb_lua_fail(L, WB_EARG,
                       "models are values: m:with{…} and m:configure{…} give changed ones");
}

/* core.rename_layer(m, name, layer) -> the name with that number, nil when it has none */
static int rename_layer(lua_State *L)
{
    const struct wb_model *m = wb_lua_check_model(L, 1);
    char out[1024];

    if (!wb_arch_rename_layer(wb_model_arch(m), luaL_checkstring(L, 2),
                              (int)wb_lua_check_whole(L, 3), out, sizeof out))
        return 0;
    lua_pushstring(L, out);
    return 1;
}

static int warnings(lua_State *L) /* core.warnings(m) */
{
    const struct wb_model *m = wb_lua_check_model(L, 1);
    size_t n = wb_model_warning_count(m);

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, wb_model_warning(m, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int identity(lua_State *L) /* core.identity(m): its hash as text */
{
    char text[33];

    wb_hash_format(wb_model_hash(wb_lua_check_model(L, 1)), text);
    lua_pushstring(L, text);
    return 1;
}

/* core.steps(m): the JSON texts of what made it. */
static int steps(lua_State *L)
{
    const struct wb_model *m = wb_lua_check_model(L, 1);
    size_t n = wb_model_step_count(m);

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, wb_model_step(m, i)->json);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

void wb_lua_open_model(lua_State *L)
{
    static const luaL_Reg meta[] = {
        { "__gc", model_close },   { "__close", model_close },  { "__eq", equal },
        { "__tostring", to_text }, { "__newindex", new_index }, { NULL, NULL },
    };
    static const luaL_Reg method[] = {
        { "info", info }, { "role", role }, { "has", has }, { "tensor", tensor }, { NULL, NULL },
    };
    static const luaL_Reg core[] = {
        { "open", open_model },   { "unchanged", unchanged }, { "find", find },
        { "entries", entries },   { "store", store },         { "rename_layer", rename_layer },
        { "warnings", warnings }, { "identity", identity },   { "steps", steps },
        { NULL, NULL },
    };

    luaL_setfuncs(L, core, 0);
    luaL_newmetatable(L, WB_LUA_MODEL);
    luaL_setfuncs(L, meta, 0);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_newtable(L);
    luaL_setfuncs(L, method, 0);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, index_model, 1);
    lua_setfield(L, -3, "__index");
    lua_setfield(L, -3, "model_methods");
    lua_pop(L, 1);
}
