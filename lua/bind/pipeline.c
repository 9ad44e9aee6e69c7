/* lua/bind/pipeline.c - running scripts and listing plugins for the rest of the program. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "lua/bind/internal.h"

#define SCRIPT_BYTES_MAX ((size_t)16 << 20)

struct script {
    const char *name, *directory, *text;
    size_t n;
    const char *const *set;
    size_t sets;
    struct wb_pipeline *out;
    struct wb_arena *arena;
};

/* Strings and lists into the arena; NULL raises. */

static void *need(lua_State *L, void *p)
{
    if (p == NULL)
        wb_lua_fail(L, WB_ENOMEM, "no memory for the result of a script");
    return p;
}

static const char *keep_field(lua_State *L, struct wb_arena *arena, const char *key)
{
    const char *text = NULL;

    if (lua_getfield(L, -1, key) != LUA_TNIL)
        text = need(L, wb_arena_strdup(arena, luaL_tolstring(L, -1, NULL)));
    lua_settop(L, lua_gettop(L) - (text == NULL ? 1 : 2));
    return text;
}

static double number_field(lua_State *L, const char *key, double fallback)
{
    double value = fallback;

    if (lua_getfield(L, -1, key) == LUA_TNUMBER)
        value = lua_tonumber(L, -1);
    else if (lua_isboolean(L, -1))
        value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The list at the top as a NULL-terminated array. */
static const char *const *keep_list(lua_State *L, struct wb_arena *arena, size_t *n)
{
    const char **list;

    *n = lua_rawlen(L, -1);
    list = need(L, wb_arena_calloc(arena, *n + 1, sizeof *list));
    for (size_t i = 0; i < *n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        list[i] = need(L, wb_arena_strdup(arena, luaL_tolstring(L, -1, NULL)));
        lua_pop(L, 2);
    }
    return list;
}

static void keep_knob(lua_State *L, struct wb_arena *arena, struct wb_knob *k)
{
    size_t choices;
    const char *kind;

    k->name = keep_field(L, arena, "name");
    k->doc = keep_field(L, arena, "doc");
    kind = keep_field(L, arena, "kind");
    k->kind = strcmp(kind, "number") == 0    ? WB_KNOB_NUMBER
              : strcmp(kind, "boolean") == 0 ? WB_KNOB_BOOL
                                             : WB_KNOB_TEXT;
    if (k->kind == WB_KNOB_TEXT) {
        k->text = keep_field(L, arena, "value");
        k->text_fallback = keep_field(L, arena, "default");
    } else {
        k->number = number_field(L, "value", 0);
        k->fallback = number_field(L, "default", 0);
    }
    k->min = number_field(L, "min", -1e308);
    k->max = number_field(L, "max", 1e308);
    if (k->min == -1e308 && k->max == 1e308) {
        k->min = 1; /* min > max: unbounded */
        k->max = 0;
    }
    k->step = number_field(L, "step", 0);
    k->line = (int)number_field(L, "line", 0);
    lua_getfield(L, -1, "secret");
    k->secret = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (lua_getfield(L, -1, "choices") == LUA_TTABLE)
        k->choice = keep_list(L, arena, &choices);
    lua_pop(L, 1);
}

static void keep_knobs(lua_State *L, struct script *s)
{
    struct wb_pipeline *out = s->out;
    size_t n;
    cJSON **json;

    wb_vm_push_function(L, "wb.pipeline", "knobs");
    lua_call(L, 0, 1);
    n = lua_rawlen(L, -1);
    out->knob = need(L, wb_arena_calloc(s->arena, n + 1, sizeof *out->knob));
    for (; out->knobs < n; out->knobs++) {
        lua_rawgeti(L, -1, (lua_Integer)out->knobs + 1);
        keep_knob(L, s->arena, &out->knob[out->knobs]);
        lua_pop(L, 1);
    }
    json = wb_lua_push_json_owner(L);
    *json = need(L, cJSON_CreateObject());
    for (size_t i = 0; i < n; i++) {
        const struct wb_knob *k = &out->knob[i];
        cJSON *value = k->secret                   ? cJSON_CreateString("(secret)")
                       : k->kind == WB_KNOB_NUMBER ? cJSON_CreateNumber(k->number)
                       : k->kind == WB_KNOB_BOOL
                           ? cJSON_CreateBool(k->number != 0)
                           : cJSON_CreateString(k->text == NULL ? "" : k->text);

        if (value == NULL || !cJSON_AddItemToObject(*json, k->name, value)) {
            cJSON_Delete(value);
            need(L, NULL);
        }
    }
    out->knobs_json = need(L, cJSON_PrintUnformatted(*json));
    lua_pop(L, 2);
}

static int keep_rest(lua_State *L) /* knobs and problems, after success and failure alike */
{
    struct script *s = lua_touserdata(L, 1);

    keep_knobs(L, s);
    wb_vm_push_function(L, "wb.pipeline", "problems");
    lua_call(L, 0, 1);
    s->out->problem = keep_list(L, s->arena, &s->out->problems);
    return 0;
}

static int run_script(lua_State *L)
{
    struct script *s = lua_touserdata(L, 1);

    wb_vm_push_function(L, "wb.pipeline", "run");
    lua_pushstring(L, s->name);
    lua_pushlstring(L, s->text, s->n);
    lua_createtable(L, (int)s->sets, 0);
    for (size_t i = 0; i < s->sets; i++) {
        lua_pushstring(L, s->set[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushstring(L, s->directory);
    lua_call(L, 4, 1);
    s->out->model = wb_model_ref(wb_lua_check_model(L, -1));
    return 0;
}

static bool run(struct wb_vm *vm, struct script *s, struct wb_err *err)
{
    struct wb_err later;
    bool ok;

    s->arena = calloc(1, sizeof *s->arena);
    s->out->priv = s->arena;
    s->out->text = malloc(s->n + 1);
    if (s->arena == NULL || s->out->text == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a script");
    memcpy(s->out->text, s->text, s->n);
    s->out->text[s->n] = '\0';
    wb_vm_refill(vm);
    ok = wb_vm_protected(vm, run_script, s, err);
    wb_vm_refill(vm); /* a script that used up its time still has its knobs told */
    if (!wb_vm_protected(vm, keep_rest, s, &later))
        ok = ok ? wb_err_move(err, &later) : false;
    wb_vm_release(vm);
    return ok;
}

/* The directory of path, owned; NULL for a name without one. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? NULL : strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

bool wb_vm_pipeline_text(struct wb_vm *vm, const char *name, const char *text, size_t n,
                         const char *const *set, size_t sets, struct wb_pipeline *out,
                         struct wb_err *err)
{
    char *directory = directory_of(name);
    struct script s = { .name = name,
                        .directory = directory,
                        .text = text,
                        .n = n,
                        .set = set,
                        .sets = sets,
                        .out = out };
    bool ok;

    *out = (struct wb_pipeline){ 0 };
    ok = run(vm, &s, err);
    free(directory);
    if (!ok) {
        wb_model_unref(out->model);
        out->model = NULL;
    }
    return ok;
}

bool wb_vm_pipeline(struct wb_vm *vm, const char *path, const char *const *set, size_t sets,
                    struct wb_pipeline *out, struct wb_err *err)
{
    size_t n;
    char *text;
    bool ok;

    *out = (struct wb_pipeline){ 0 };
    text = wb_read_file(path, SCRIPT_BYTES_MAX, &n, err);
    if (text == NULL)
        return false;
    ok = wb_vm_pipeline_text(vm, path, text, n, set, sets, out, err);
    free(text);
    return ok;
}

void wb_pipeline_free(struct wb_pipeline *p)
{
    wb_model_unref(p->model);
    free(p->knobs_json);
    free(p->text);
    if (p->priv != NULL)
        wb_arena_free(p->priv);
    free(p->priv);
    *p = (struct wb_pipeline){ 0 };
}

/* Plugins. */

struct listing {
    cJSON *json; /* owned; what is built is here when an error is raised */
};

static int describe(lua_State *L)
{
    struct listing *out = lua_touserdata(L, 1);

    wb_vm_push_function(L, "wb.registry", "reload");
    lua_call(L, 0, 0);
    wb_vm_push_function(L, "wb.registry", "describe");
    lua_call(L, 0, 1);
    wb_lua_to_json(L, -1, &out->json);
    return 0;
}

cJSON *wb_vm_plugins(struct wb_vm *vm, struct wb_err *err)
{
    struct listing out = { NULL };

    wb_vm_refill(vm);
    if (wb_vm_protected(vm, describe, &out, err))
        return out.json;
    cJSON_Delete(out.json);
    return NULL;
}

static int reload(lua_State *L)
{
    bool *changed = lua_touserdata(L, 1);

    wb_vm_push_function(L, "wb.registry", "reload");
    lua_call(L, 0, 1);
    *changed = lua_toboolean(L, -1);
    return 0;
}

bool wb_vm_reload(struct wb_vm *vm, bool *changed, struct wb_err *err)
{
    *changed = false;
    wb_vm_refill(vm);
    return wb_vm_protected(vm, reload, changed, err);
}

struct check {
    const char *path;
    char *report;
    size_t passed, failed;
};

static int check_plugin(lua_State *L)
{
    struct check *c = lua_touserdata(L, 1);

    wb_vm_push_function(L, "wb.check", "run");
    lua_pushstring(L, c->path);
    lua_call(L, 1, 3);
    c->passed = (size_t)lua_tointeger(L, -2);
    c->failed = (size_t)lua_tointeger(L, -1);
    c->report = strdup(luaL_checkstring(L, -3));
    return c->report == NULL ? wb_lua_fail(L, WB_ENOMEM, "no memory for a report") : 0;
}

bool wb_vm_check_plugin(struct wb_vm *vm, const char *path, char **report, size_t *passed,
                        size_t *failed, struct wb_err *err)
{
    struct check c = { .path = path };
    bool ok;

    *report = NULL;
    *passed = *failed = 0;
    wb_vm_refill(vm);
    ok = wb_vm_protected(vm, check_plugin, &c, err);
    wb_vm_release(vm);
    if (!ok)
        return wb_wrap(err, "%s", path);
    *report = c.report;
    *passed = c.passed;
    *failed = c.failed;
    return true;
}
