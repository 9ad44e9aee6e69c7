/* lua/bind/vm.c - one sandboxed Lua state: its memory, its time, and calls into it.
 *
 * DESIGN. A VM belongs to one thread at a time. The allocator counts bytes against a cap; a count hook looks at
 * the cancel flag and the instruction budget every 1000 instructions, and once it raises it comes back at
 * every instruction, so that no pcall outlives it. The state never holds what a script must not have: io,
 * debug, package and the rest are not opened (but under trust), so nothing can leak them. Lua code of
 * ours (lua/wb) runs in the state's globals; scripts and plugins get fresh environments (lua/wb/sandbox.lua). */
#include "lua/bind/vm.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "lua/bind/internal.h"

#define MEMORY_DEFAULT ((uint64_t)512 << 20)
#define INSTRUCTIONS_DEFAULT ((uint64_t)2000000000)
#define NODE_BYTES 256 /* about what one lazy tensor takes outside of the Lua heap */
#define GC_PAUSE \
    400 /* per cent: a script builds a graph once and ends, most of what it makes stays */
#define MODULE_BYTES_MAX ((size_t)4 << 20)

#ifndef WB_SHARE_DIR
#define WB_SHARE_DIR "/usr/local/share/weightbench"
#endif

static void hook(lua_State *L, lua_Debug *ar);

/* The sanitizer sees only what malloc hands out: there every block is its own. */
static bool is_small(size_t size)
{
#ifdef __SANITIZE_ADDRESS__
    return size == 0;
#else
    return size <= WB_SLABS_MAX;
#endif
}

static uint64_t room(const struct wb_vm *vm)
{
    uint64_t used = vm->large_bytes + vm->slabs.bytes;

    return used < vm->cap_bytes ? vm->cap_bytes - used : 0;
}

static void *get_block(struct wb_vm *vm, size_t size)
{
    void *block;

    if (is_small(size))
        return wb_slabs_get(&vm->slabs, size, vm->slabs.bytes + room(vm));
    if (size > room(vm))
        return NULL;
    block = malloc(size);
    if (block != NULL)
        vm->large_bytes += size;
    return block;
}

static void put_block(struct wb_vm *vm, void *block, size_t size)
{
    if (block != NULL && is_small(size)) {
        wb_slabs_put(&vm->slabs, block, size);
    } else if (block != NULL) {
        free(block);
        vm->large_bytes -= size;
    }
}

/* A large block that changes its size but stays large. */
static void *resize_block(struct wb_vm *vm, void *ptr, size_t old, size_t size)
{
    void *out;

    if (size > old && size - old > room(vm))
        return NULL;
    out = realloc(ptr, size);
    if (out == NULL)
        return size <= old ? ptr : NULL; /* shrinking must not fail */
    vm->large_bytes = vm->large_bytes - old + size;
    return out;
}

static void *allocate(void *ctx, void *ptr, size_t old, size_t size)
{
    struct wb_vm *vm = ctx;
    void *out;

    if (ptr == NULL)
        old = 0; /* a type tag */
    if (size == 0) {
        put_block(vm, ptr, old);
        return NULL;
    }
    if (size > old && ++vm->allocations > vm->fail_after && vm->fail_after > 0)
        return NULL;
    if (ptr != NULL && !is_small(old) && !is_small(size))
        return resize_block(vm, ptr, old, size);
    out = get_block(vm, size);
    if (out == NULL && size <= old && is_small(size) && !is_small(old))
        out = wb_slabs_get(&vm->slabs, size,
                           UINT64_MAX); /* shrinking must not fail: a slab beyond the cap */
    if (out == NULL)
        return ptr != NULL && size <= old ? ptr : NULL;
    if (ptr != NULL) {
        memcpy(out, ptr, size < old ? size : old);
        put_block(vm, ptr, old);
    }
    return out;
}

/* Raise the reason once more; the text is that of the first time, with the script's line. */
static void stop(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);

    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    if (vm->trip_text[0] == '\0') {
        wb_lua_where(L);
        snprintf(
            vm->trip_text, sizeof vm->trip_text, "%.150s%s", lua_tostring(L, -1),
            vm->trip == WB_TRIP_CANCEL
                ? "cancelled"
                : "the script ran for more instructions than it may; is there an endless loop?");
    }
    lua_pushstring(L, vm->trip_text);
    lua_error(L);
}

static void hook(lua_State *L, lua_Debug *ar)
{
    struct wb_vm *vm = wb_vm_of(L);

    (void)ar;
    vm->spent += WB_VM_HOOK_STEP;
    if (vm->trip == WB_TRIP_NONE && vm->opt.cancel != NULL && atomic_load(vm->opt.cancel))
        vm->trip = WB_TRIP_CANCEL;
    if (vm->trip == WB_TRIP_NONE && vm->spent > vm->cap_instructions)
        vm->trip = WB_TRIP_INSTRUCTIONS;
    if (vm->trip != WB_TRIP_NONE)
        stop(L);
}

void wb_vm_refill(struct wb_vm *vm)
{
    wb_vm_release(vm);
    vm->spent = vm->nodes_beside = 0;
    vm->trip = WB_TRIP_NONE;
    vm->code = WB_OK;
    vm->return_line = 0;
    vm->name[0] = vm->trip_text[0] = vm->script[0] = '\0';
    lua_sethook(vm->L, hook, LUA_MASKCOUNT, WB_VM_HOOK_STEP);
}

/* Calls and errors. */

static bool is_ours(const lua_Debug *ar)
{
    return strncmp(ar->source, "=wb/", 4) == 0;
}

void wb_lua_where(lua_State *L)
{
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && !is_ours(&ar)) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushstring(L, wb_vm_of(L)->script);
}

int wb_lua_raise(lua_State *L, const struct wb_err *err)
{
    struct wb_vm *vm = wb_vm_of(L);

    vm->code = err->code;
    snprintf(vm->code_text, sizeof vm->code_text, "%.100s", err->msg);
    wb_lua_where(L);
    lua_pushstring(L, err->msg);
    lua_concat(L, 2);
    lua_error(L);
    __builtin_unreachable(); /* Lua's header does not say so */
}

int wb_lua_fail(lua_State *L, enum wb_code code, const char *fmt, ...)
{
    struct wb_err err = { .code = code };
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.msg, sizeof err.msg, fmt, ap);
    va_end(ap);
    wb_lua_raise(L, &err);
}

/* Error objects that are no strings become one. */
static int message(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TSTRING) {
        luaL_tolstring(L, 1, NULL);
        return 1;
    }
    return 1;
}

static enum wb_code code_of(const struct wb_vm *vm, int status, const char *text)
{
    if (vm->trip == WB_TRIP_CANCEL)
        return WB_ECANCELLED;
    if (status == LUA_ERRMEM)
        return WB_ENOMEM;
    if (vm->code != WB_OK && strstr(text, vm->code_text) != NULL)
        return vm->code;
    return WB_ESCRIPT;
}

bool wb_vm_call(struct wb_vm *vm, int nargs, int nresults, struct wb_err *err)
{
    lua_State *L = vm->L;
    int base = lua_gettop(L) - nargs, status;
    const char *text;

    lua_pushcfunction(L, message);
    lua_insert(L, base);
    status = lua_pcall(L, nargs, nresults, base);
    lua_remove(L, base);
    if (status == LUA_OK)
        return true;
    text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error without a text";
    if (status == LUA_ERRMEM)
        text = "the script needs more memory than it may have";
    wb_fail(err, code_of(vm, status, text), "%s", text);
    lua_settop(L, base - 1);
    return false;
}

bool wb_vm_protected(struct wb_vm *vm, lua_CFunction body, void *arg, struct wb_err *err)
{
    if (!lua_checkstack(vm->L, 10))
        return wb_fail(err, WB_ENOMEM, "no memory for the Lua stack");
    lua_pushcfunction(vm->L, body);
    lua_pushlightuserdata(vm->L, arg);
    return wb_vm_call(vm, 1, 0, err);
}

/* Modules of lua/wb. */

static bool module_path(const struct wb_vm *vm, const char *module, char *path, size_t size)
{
    const char *name = strcmp(module, "wb") == 0 ? "init" : module + 3;

    if (strcmp(module, "wb") != 0 && strncmp(module, "wb.", 3) != 0)
        return false;
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0' || *name == '\0')
        return false;
    return snprintf(path, size, "%s/lua/wb/%s.lua", vm->opt.share_dir, name) < (int)size;
}

static int load_module(lua_State *L, const char *module)
{
    struct wb_vm *vm = wb_vm_of(L);
    char path[PATH_MAX], chunk[100];
    char **text;
    size_t n;
    struct wb_err err;

    if (!module_path(vm, module, path, sizeof path))
        return wb_lua_fail(L, WB_ENOTFOUND, "there is no module '%s'", module);
    snprintf(chunk, sizeof chunk, "=wb/%s", strrchr(path, '/') + 1);
    text = wb_lua_push_text_owner(L);
    *text = wb_read_file(path, MODULE_BYTES_MAX, &n, &err);
    if (*text == NULL)
        return wb_lua_raise(L, &err);
    if (luaL_loadbufferx(L, *text, n, chunk, "t") != LUA_OK)
        return lua_error(L);
    lua_remove(L, -2);
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    return 1;
}

/* require of our own Lua code: modules of lua/wb alone. */
static int require_own(lua_State *L)
{
    const char *module = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, "wb.loaded");
    if (lua_getfield(L, 2, module) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    load_module(L, module);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, true);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, module);
    return 1;
}

void wb_vm_push_function(lua_State *L, const char *module, const char *name)
{
    lua_pushcfunction(L, require_own);
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

/* Setting up. */

static void keep_only(lua_State *L, const char *library, const char *const *drop)
{
    lua_getglobal(L, library);
    for (; *drop != NULL; drop++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *drop);
    }
    lua_pop(L, 1);
}

static void open_libraries(lua_State *L, bool trust)
{
    static const luaL_Reg safe[] = {
        { LUA_GNAME, luaopen_base },        { LUA_TABLIBNAME, luaopen_table },
        { LUA_STRLIBNAME, luaopen_string }, { LUA_MATHLIBNAME, luaopen_math },
        { LUA_UTF8LIBNAME, luaopen_utf8 },  { LUA_COLIBNAME, luaopen_coroutine },
        { LUA_OSLIBNAME, luaopen_os },      { NULL, NULL },
    };
    static const luaL_Reg full[] = {
        { LUA_LOADLIBNAME, luaopen_package },
        { LUA_IOLIBNAME, luaopen_io },
        { LUA_DBLIBNAME, luaopen_debug },
        { NULL, NULL },
    };
    static const char *const base_drop[] = { "dofile",         "loadfile", "load",
                                             "collectgarbage", "require",  NULL };
    static const char *const string_drop[] = { "dump", NULL };
    static const char *const os_drop[] = { "execute",   "exit",    "getenv",   "remove", "rename",
                                           "setlocale", "tmpname", "difftime", NULL };

    for (const luaL_Reg *lib = safe; lib->name != NULL; lib++) {
        luaL_requiref(L, lib->name, lib->func, 1);
        lua_pop(L, 1);
    }
    if (trust) {
        for (const luaL_Reg *lib = full; lib->name != NULL; lib++) {
            luaL_requiref(L, lib->name, lib->func, 1);
            lua_pop(L, 1);
        }
        return;
    }
    keep_only(L, LUA_GNAME, base_drop);
    keep_only(L, LUA_STRLIBNAME, string_drop);
    keep_only(L, LUA_OSLIBNAME, os_drop);
}

static int set_up(lua_State *L)
{
    struct wb_vm *vm = lua_touserdata(L, 1);

    open_libraries(L, vm->opt.trust);
    lua_pushliteral(L, ""); /* getmetatable("") gives away the string library */
    lua_getmetatable(L, -1);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, "wb.loaded");
    lua_newtable(L); /* core */
    wb_lua_open_tensor(L);
    wb_lua_open_random(L);
    wb_lua_open_reduce(L);
    wb_lua_open_shape(L);
    wb_lua_open_model(L);
    wb_lua_open_draft(L);
    wb_lua_open_json(L);
    wb_lua_open_files(L);
    wb_lua_open_keys(L);
    wb_lua_open_notes(L);
    wb_lua_open_console(L);
    wb_lua_open_probe(L);
    wb_lua_open_score(L);
    wb_lua_open_activations(L);
    wb_lua_open_heads(L);
    wb_lua_open_core(L);
    lua_setfield(L, -2, "wb.core");
    lua_pop(L, 1);
    if (vm->opt.trust) { /* scripts may want the real one too */
        lua_getglobal(L, "require");
        lua_setfield(L, LUA_REGISTRYINDEX, "wb.require");
    }
    lua_pushcfunction(L, require_own);
    lua_setglobal(L, "require");
    lua_pushcfunction(L, require_own);
    lua_pushliteral(L, "wb");
    lua_call(L, 1, 0);
    return 0;
}

static bool copy_plugin_dirs(struct wb_vm *vm)
{
    const char *const *given = vm->opt.plugin_dirs;
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    size_t n = 0;

    while (given != NULL && given[n] != NULL)
        n++;
    vm->plugin_dir = wb_arena_calloc(&vm->arena, n + 3, sizeof *vm->plugin_dir);
    if (vm->plugin_dir == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((vm->plugin_dir[i] = wb_arena_strdup(&vm->arena, given[i])) == NULL)
            return false;
    if (given != NULL)
        return true;
    vm->plugin_dir[0] = wb_arena_printf(&vm->arena, "%s/plugins", vm->opt.share_dir);
    if (data != NULL && data[0] == '/')
        vm->plugin_dir[1] = wb_arena_printf(&vm->arena, "%s/weightbench/plugins", data);
    else if (home != NULL && home[0] == '/')
        vm->plugin_dir[1] =
            wb_arena_printf(&vm->arena, "%s/.local/share/weightbench/plugins", home);
    return vm->plugin_dir[0] != NULL;
}

static bool copy_options(struct wb_vm *vm, const struct wb_vm_options *options)
{
    vm->opt = *options;
    vm->cap_bytes = options->memory_bytes > 0 ? options->memory_bytes : MEMORY_DEFAULT;
    vm->cap_instructions = options->instructions > 0 ? options->instructions : INSTRUCTIONS_DEFAULT;
    vm->cap_nodes = vm->cap_bytes / NODE_BYTES;
    vm->opt.share_dir = wb_arena_strdup(&vm->arena, options->share_dir != NULL ? options->share_dir
                                                                               : wb_share_dir());
    vm->work_dir = realpath(".", NULL);
    return vm->opt.share_dir != NULL && copy_plugin_dirs(vm);
}

struct wb_vm *wb_vm_new(const struct wb_vm_options *options, struct wb_err *err)
{
    struct wb_vm *vm = calloc(1, sizeof *vm);

    if (vm == NULL || !copy_options(vm, options)) {
        wb_fail(err, WB_ENOMEM, "no memory for a Lua state");
        wb_vm_free(vm);
        return NULL;
    }
    vm->L = lua_newstate(allocate, vm);
    if (vm->L == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a Lua state");
        wb_vm_free(vm);
        return NULL;
    }
    *(struct wb_vm **)lua_getextraspace(vm->L) = vm;
    lua_gc(vm->L, LUA_GCINC, GC_PAUSE, 0, 0);
    wb_vm_refill(vm);
    if (!wb_vm_protected(vm, set_up, vm, err)) {
        wb_wrap(err, "%s/lua/wb", vm->opt.share_dir);
        wb_vm_free(vm);
        return NULL;
    }
    return vm;
}

void wb_vm_free(struct wb_vm *vm)
{
    if (vm == NULL)
        return;
    if (vm->L != NULL) {
        lua_sethook(vm->L, NULL, 0, 0);
        lua_close(vm->L);
    }
    wb_vm_release(vm);
    wb_vm_console_release(vm);
    wb_cache_free(vm->figures);
    wb_slabs_free(&vm->slabs);
    for (size_t i = 0; i < vm->read_dirs; i++)
        free(vm->read_dir[i]);
    free(vm->read_dir);
    free(vm->work_dir);
    explicit_bzero(&vm->master, sizeof vm->master);
    wb_arena_free(&vm->arena);
    free(vm);
}

const char *wb_share_dir(void)
{
    static char dir[PATH_MAX];
    const char *given = getenv("WEIGHTBENCH_SHARE");
    char probe[PATH_MAX + 16];
    ssize_t n;
    char *slash;

    if (given != NULL && given[0] != '\0')
        return given;
    n = readlink("/proc/self/exe", dir, sizeof dir - 1);
    if (n > 0) {
        dir[n] = '\0';
        slash = strrchr(dir, '/');
        if (slash != NULL && slash != dir) {
            *slash = '\0';
            snprintf(probe, sizeof probe, "%s/lua/wb", dir);
            if (wb_is_dir(probe))
                return dir;
        }
    }
    return WB_SHARE_DIR;
}
