/* lua/bind/console.c - the console's side of C: calls with a traceback, and tensors that outlive a
 * line. */
#include "lua/bind/console.h"

#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "lua/bind/internal.h"

#define TRACE_LEVELS_MAX 20

/* Tensors of the console live in places of their own, so that other calls into the VM do not close
 * them. */
static void swap_tensors(struct wb_vm *vm)
{
    struct wb_vm_tensors now = { vm->chunk, vm->chunks, vm->nodes, vm->call };

    vm->chunk = vm->console.chunk;
    vm->chunks = vm->console.chunks;
    vm->nodes = vm->console.nodes;
    vm->call = vm->console.call;
    vm->console = now;
}

void wb_vm_console_release(struct wb_vm *vm)
{
    swap_tensors(vm);
    wb_vm_release(vm);
    swap_tensors(vm);
}

/* Calls that raise: where they stood. */

static bool is_shown(const lua_Debug *ar)
{
    return ar->currentline > 0 && strncmp(ar->source, "=wb/", 4) != 0;
}

/* The message handler: keeps "\n  file:line: in function 'f'" for each level in the registry. */
static int keep_trace(lua_State *L)
{
    lua_Debug ar;
    luaL_Buffer b;
    int shown = 0;

    luaL_buffinit(L, &b);
    for (int level = 1; shown < TRACE_LEVELS_MAX && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sln", &ar);
        if (!is_shown(&ar))
            continue;
        lua_pushfstring(L, "\n  %s:%d: in ", ar.short_src, ar.currentline);
        luaL_addvalue(&b);
        if (ar.name != NULL)
            lua_pushfstring(L, "function '%s'", ar.name);
        else
            lua_pushstring(L, *ar.what == 'm' ? "the main chunk" : "a function");
        luaL_addvalue(&b);
        shown++;
    }
    luaL_pushresult(&b);
    lua_setfield(L, LUA_REGISTRYINDEX, "wb.trace");
    return 1;
}

/* core.traced(fn) -> true, results…; or false, message, trace */
static int traced(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushliteral(L, "");
    lua_setfield(L, LUA_REGISTRYINDEX, "wb.trace");
    lua_pushcfunction(L, keep_trace);
    lua_insert(L, 1);
    if (lua_pcall(L, 0, LUA_MULTRET, 1) == LUA_OK) {
        lua_pushboolean(L, true);
        lua_replace(L, 1);
        return lua_gettop(L);
    }
    lua_pushboolean(L, false);
    lua_insert(L, -2);
    lua_getfield(L, LUA_REGISTRYINDEX, "wb.trace");
    return 3;
}

void wb_lua_open_console(lua_State *L)
{
    lua_pushcfunction(L, traced);
    lua_setfield(L, -2, "traced");
}

/* Evaluation. */

struct evaluation {
    const struct wb_console_input *in;
    struct wb_console_output *out;
    bool failed;
    char message[500];
};

static void push_model(lua_State *L, struct wb_model *m, const char *name)
{
    *wb_lua_push_model(L) = wb_model_ref(m);
    lua_setfield(L, -2, name);
}

static int evaluate(lua_State *L)
{
    struct evaluation *e = lua_touserdata(L, 1);
    const char *text;

    wb_vm_push_function(L, "wb.console", "eval");
    lua_pushstring(L, e->in->text);
    lua_newtable(L);
    for (size_t i = 0; i < e->in->models; i++)
        push_model(L, e->in->model[i].model, e->in->model[i].name);
    if (e->in->result != NULL)
        push_model(L, e->in->result, "model");
    lua_call(L, 2, 1);
    lua_getfield(L, -1, "incomplete");
    e->out->incomplete = lua_toboolean(L, -1);
    lua_getfield(L, -2, "error");
    e->failed = lua_isstring(L, -1);
    text = lua_tostring(L, -1);
    if (e->failed) {
        snprintf(e->message, sizeof e->message, "%.*s", (int)strcspn(text, "\n"), text);
    } else {
        lua_getfield(L, -3, "text");
        text = luaL_optstring(L, -1, "");
    }
    e->out->text = strdup(text);
    return e->out->text == NULL ? wb_lua_fail(L, WB_ENOMEM, "no memory for what a line gave") : 0;
}

/* Close the tensors in variables when they have become many. */
static bool make_room(struct wb_vm *vm)
{
    if (vm->console.call == 0)
        vm->console.call = UINT64_MAX / 2; /* never that of another call */
    if (vm->console.nodes <= vm->cap_nodes / 2)
        return false;
    wb_vm_console_release(vm);
    return true;
}

static void say_closed(struct wb_console_output *out)
{
    struct wb_str text = { 0 };

    wb_str_printf(&text, "(tensors in variables took too much memory and were closed)%s%s",
                  out->text != NULL && out->text[0] != '\0' ? "\n" : "",
                  out->text != NULL ? out->text : "");
    if (text.failed) {
        wb_str_free(&text);
        return;
    }
    free(out->text);
    out->text = text.text;
}

bool wb_vm_console(struct wb_vm *vm, const struct wb_console_input *in,
                   struct wb_console_output *out, struct wb_err *err)
{
    struct evaluation e = { .in = in, .out = out };
    bool ok, closed;

    *out = (struct wb_console_output){ 0 };
    wb_vm_refill(vm);
    closed = make_room(vm);
    swap_tensors(vm);
    ok = wb_vm_protected(vm, evaluate, &e, err);
    swap_tensors(vm);
    if (ok && e.failed)
        ok = wb_fail(err, vm->code != WB_OK ? vm->code : WB_ESCRIPT, "%s", e.message);
    if (out->text == NULL && !ok)
        out->text = strdup(err->msg);
    if (closed)
        say_closed(out);
    return ok;
}

void wb_console_output_free(struct wb_console_output *out)
{
    free(out->text);
    *out = (struct wb_console_output){ 0 };
}
