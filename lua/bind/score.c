/* lua/bind/score.c - wb.eval: what the command eval prints, as a table. */
#include <string.h>

#include "app/infer/score.h"
#include "lua/bind/subject.h"

/* core.eval(model, {path = or file =, window =, limit =}, "text", "tasks" or "images") */
static int eval(lua_State *L)
{
    static const char *const kind[] = { "text", "tasks", "images", NULL };
    struct wb_score_how how = { .kind = (enum wb_score_kind)luaL_checkoption(L, 3, NULL, kind) };
    struct wb_lua_subject *s = wb_lua_push_subject(L);
    struct wb_lua_figures *f = wb_lua_push_figures(L);
    struct wb_hash key = wb_lua_key(s, "eval", how.kind, 0);
    cJSON **json = wb_lua_push_json_owner(L);
    struct wb_err err;

    how.path = s->path;
    how.window = s->window;
    how.limit = s->limit;
    how.eval = s->how;
    if (wb_lua_recall(L, key, f)) {
        *json = cJSON_ParseWithLength(f->bytes, f->n);
    } else {
        *json = wb_score_model(s->model, &how, &err);
        if (*json == NULL)
            return wb_lua_subject_raise(L, s, &err);
        f->own = cJSON_PrintUnformatted(*json);
        if (f->own != NULL)
            wb_lua_keep(L, key, f->own, strlen(f->own));
    }
    wb_lua_push_json(L, *json);
    return 1;
}

void wb_lua_open_score(lua_State *L)
{
    static const luaL_Reg core[] = { { "eval", eval }, { NULL, NULL } };

    luaL_setfuncs(L, core, 0);
}
