/* lua/bind/script.c - a run of a script with everything that the screens show of it. */
#include "lua/bind/script.h"

#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "lua/bind/internal.h"

/* Lua's short name of a chunk "@name": at most this many characters, the tail of a longer one. */
#define CHUNK_NAME_MAX 59

struct gathering {
    struct wb_script *out;
};

static void *need(lua_State *L, void *p)
{
    if (p == NULL)
        wb_lua_fail(L, WB_ENOMEM, "no memory for the result of a script");
    return p;
}

/* Field `key` of the table at the top as text in the arena, "" where there is none. */
static const char *text_field(lua_State *L, struct wb_arena *arena, const char *key)
{
    const char *text = "";

    if (lua_getfield(L, -1, key) == LUA_TSTRING)
        text = need(L, wb_arena_strdup(arena, lua_tostring(L, -1)));
    lua_pop(L, 1);
    return text;
}

static int whole_field(lua_State *L, const char *key)
{
    int value;

    lua_getfield(L, -1, key);
    value = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool flag_field(lua_State *L, const char *key)
{
    bool value;

    lua_getfield(L, -1, key);
    value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* An owned reference, NULL where the field is none. */
static struct wb_model *model_field(lua_State *L, const char *key)
{
    struct wb_model **slot;
    struct wb_model *m = NULL;

    lua_getfield(L, -1, key);
    slot = luaL_testudata(L, -1, WB_LUA_MODEL);
    if (slot != NULL && *slot != NULL)
        m = wb_model_ref(*slot);
    lua_pop(L, 1);
    return m;
}

/* The list in field `key` of the table at the top, left on the stack; its length. */
static size_t list_field(lua_State *L, const char *key)
{
    lua_getfield(L, -1, key);
    luaL_checktype(L, -1, LUA_TTABLE);
    return lua_rawlen(L, -1);
}

static void keep_opened(lua_State *L, struct wb_script *out)
{
    size_t n = list_field(L, "opened");

    out->opened = need(L, wb_arena_calloc(&out->arena, n + 1, sizeof *out->opened));
    for (size_t i = 0; i < n; i++) {
        struct wb_opened *o = &out->opened[i];
        const char *role;

        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        o->path = text_field(L, &out->arena, "path");
        o->name = text_field(L, &out->arena, "name");
        role = text_field(L, &out->arena, "role");
        o->role = strcmp(role, "base") == 0     ? WB_OPENED_BASE
                  : strcmp(role, "parent") == 0 ? WB_OPENED_PARENT
                                                : WB_OPENED_OTHER;
        o->parent = whole_field(L, "parent");
        o->line = whole_field(L, "line");
        o->model = model_field(L, "model");
        out->openeds += o->model != NULL;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void keep_warnings(lua_State *L, struct wb_script *out, struct wb_script_step *s)
{
    size_t n = list_field(L, "warnings");
    const char **list = need(L, wb_arena_calloc(&out->arena, n + 1, sizeof *list));

    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        list[i] = need(L, wb_arena_strdup(&out->arena, luaL_tolstring(L, -1, NULL)));
        lua_pop(L, 2);
    }
    s->warning = list;
    s->warnings = n;
    lua_pop(L, 1);
}

static void keep_steps(lua_State *L, struct wb_script *out)
{
    size_t n = list_field(L, "steps");

    out->step = need(L, wb_arena_calloc(&out->arena, n + 1, sizeof *out->step));
    for (size_t i = 0; i < n; i++) {
        struct wb_script_step *s = &out->step[i];
        const cJSON *json = cJSON_GetArrayItem(out->json, (int)i);

        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        s->kind = text_field(L, &out->arena, "kind");
        s->method = text_field(L, &out->arena, "method");
        s->line = whole_field(L, "line");
        s->params = cJSON_GetObjectItemCaseSensitive(json, "params");
        s->values = cJSON_GetObjectItemCaseSensitive(json, "values");
        s->resolved = cJSON_GetObjectItemCaseSensitive(json, "resolved");
        keep_warnings(L, out, s);
        s->model = model_field(L, "result");
        out->steps++;
        s->done = s->model != NULL;
        if (s->done && wb_model_step_count(s->model) > 0) {
            const struct wb_step *last = wb_model_step(s->model, wb_model_step_count(s->model) - 1);

            s->note = last->note;
            s->notes = last->notes;
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void keep_findings(lua_State *L, struct wb_script *out)
{
    size_t n = list_field(L, "findings");

    /* One more for the error itself. */
    out->finding = need(L, wb_arena_calloc(&out->arena, n + 1, sizeof *out->finding));
    for (size_t i = 0; i < n; i++) {
        struct wb_finding *f = &out->finding[out->findings++];

        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        f->error = flag_field(L, "error");
        f->line = whole_field(L, "line");
        f->tensor = text_field(L, &out->arena, "tensor");
        f->text = text_field(L, &out->arena, "text");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int gather(lua_State *L)
{
    struct gathering *g = lua_touserdata(L, 1);

    wb_vm_push_function(L, "wb.outcome", "gather");
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "figures");
    wb_lua_to_json(L, -1, &g->out->json);
    lua_pop(L, 1);
    keep_opened(L, g->out);
    keep_steps(L, g->out);
    keep_findings(L, g->out);
    return 0;
}

/* The error as a finding, first of all, unless the steps' problems say it already. */
static void add_error(struct wb_script *out)
{
    struct wb_finding *f = out->finding;

    if (out->findings > 0 && f[0].error)
        return;
    if (f == NULL)
        f = out->finding = wb_arena_calloc(&out->arena, 1, sizeof *f);
    if (f == NULL)
        return; /* err says it */
    memmove(f + 1, f, out->findings * sizeof *f);
    out->findings++;
    f[0] = (struct wb_finding){ .error = true,
                                .line = out->err_line,
                                .tensor = "",
                                .text = wb_arena_strdup(&out->arena, out->err.msg) };
    if (f[0].text == NULL)
        f[0].text = "no memory";
}

bool wb_script_run(struct wb_vm *vm, const char *name, const char *text, size_t n,
                   const char *const *set, size_t sets, struct wb_script *out)
{
    struct gathering g = { .out = out };
    struct wb_err later;
    double start = wb_now_seconds();
    bool gathered;

    *out = (struct wb_script){ 0 };
    out->ok = wb_vm_pipeline_text(vm, name, text, n, set, sets, &out->pipeline, &out->err);
    wb_vm_refill(vm);
    gathered = wb_vm_protected(vm, gather, &g, &later);
    wb_vm_release(vm);
    if (!gathered && out->ok)
        out->ok = wb_err_move(&out->err, &later);
    if (!out->ok) {
        out->err_line = wb_script_line(out->err.msg, name);
        if (out->err.code != WB_ECANCELLED)
            add_error(out);
    }
    out->seconds = wb_now_seconds() - start;
    return out->ok;
}

void wb_script_free(struct wb_script *s)
{
    for (size_t i = 0; i < s->openeds; i++)
        wb_model_unref(s->opened[i].model);
    for (size_t i = 0; i < s->steps; i++)
        wb_model_unref(s->step[i].model);
    wb_pipeline_free(&s->pipeline);
    cJSON_Delete(s->json);
    wb_arena_free(&s->arena);
    *s = (struct wb_script){ 0 };
}

int wb_script_line(const char *message, const char *name)
{
    size_t n = strlen(name);
    const char *at = message;
    char *end;
    long line;

    if (n > CHUNK_NAME_MAX) { /* "..." and the tail */
        name += n - (CHUNK_NAME_MAX - 3);
        n = CHUNK_NAME_MAX - 3;
    }
    while (n > 0 && (at = strstr(at, name)) != NULL) {
        at += n;
        if (at[0] != ':' || at[1] < '0' || at[1] > '9')
            continue;
        line = strtol(at + 1, &end, 10);
        if (*end == ':' && line > 0 && line < 1 << 30)
            return (int)line;
    }
    return 0;
}
