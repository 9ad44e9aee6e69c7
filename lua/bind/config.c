/* lua/bind/config.c - a small Lua state of its own runs the file; its table is copied out with
 * every entry checked. */
#include "lua/bind/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "app/core/io.h"
#include "app/core/nearest.h"
#include "app/core/str.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define HEAP_BYTES_MAX ((size_t)16 << 20)
#define INSTRUCTIONS_MAX 10000000
#define ENTRIES_MAX 4096 /* of one table */
#define TEXT_BYTES_MAX ((size_t)4096)
#define CHUNK "config.lua" /* what Lua calls it; errors have the whole path in front */

struct reading {
    struct wb_config *c;
    const struct wb_config_names *names;
    const char *text;
    size_t n, heap_bytes;
    struct wb_err *err;
    bool said; /* err is filled; the Lua error only unwinds */
};

static struct reading *reading_of(lua_State *L)
{
    return *(struct reading **)lua_getextraspace(L);
}

static void *allocate(void *ctx, void *ptr, size_t old, size_t size)
{
    struct reading *r = ctx;
    void *out;

    if (ptr == NULL)
        old = 0;
    if (size == 0) {
        free(ptr);
        r->heap_bytes -= old;
        return NULL;
    }
    if (size > old && r->heap_bytes + (size - old) > HEAP_BYTES_MAX)
        return NULL;
    out = realloc(ptr, size);
    if (out == NULL)
        return size <= old ? ptr : NULL;
    r->heap_bytes = r->heap_bytes - old + size;
    return out;
}

/* Once over the limit it comes back at every instruction: no pcall outlives it. */
static void hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    luaL_error(L, "the file runs for too long; is there an endless loop?");
}

/* Fill err and unwind. */
static int complain(lua_State *L, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int complain(lua_State *L, const char *fmt, ...)
{
    struct reading *r = reading_of(L);
    char text[800];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    wb_fail(r->err, WB_EARG, "%s", text);
    r->said = true;
    lua_pushliteral(L, "said");
    return lua_error(L);
}

static void *need(lua_State *L, void *p)
{
    if (p == NULL)
        luaL_error(L, "no memory");
    return p;
}

/* The string at the top, kept. where: what errors call it. */
static const char *keep_text(lua_State *L, const char *where)
{
    struct reading *r = reading_of(L);
    const char *text;
    size_t n;

    if (lua_type(L, -1) != LUA_TSTRING)
        complain(L, "%s is a string, not a %s", where, luaL_typename(L, -1));
    text = lua_tolstring(L, -1, &n);
    if (n > TEXT_BYTES_MAX || memchr(text, '\0', n) != NULL)
        complain(L, "%s is a string of %zu bytes; at most %zu, none of them 0", where, n,
                 TEXT_BYTES_MAX);
    return need(L, wb_arena_strdup(&r->c->arena, text));
}

/* "a, b, c", cut to size. */
static const char *list_names(const char *const *names, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; names[i] != NULL && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? ", " : "", names[i]);
    return out;
}

/* Is it one of the names? Fails with those there are. names NULL: anything goes. */
static void check_name(lua_State *L, const char *const *names, const char *name, const char *what)
{
    struct wb_nearest near = { .word = name };
    char all[600];

    if (names == NULL)
        return;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0)
            return;
        wb_nearest_try(&near, names[i]);
    }
    if (near.best != NULL)
        complain(L, "there is no %s '%.100s'; did you mean '%s'?", what, name, near.best);
    complain(L, "there is no %s '%.100s'; there are %s", what, name,
             list_names(names, all, sizeof all));
}

/* Field `key` of the table at index 1 on top of the stack: a table, or nothing (then false). */
static bool push_table(lua_State *L, const char *key)
{
    int type = lua_getfield(L, 1, key);

    if (type == LUA_TTABLE)
        return true;
    if (type != LUA_TNIL)
        complain(L, "%s is a table, not a %s", key, luaL_typename(L, -1));
    lua_pop(L, 1);
    return false;
}

/* Entries of the table at the top, all of whose keys must be strings. */
static size_t count_entries(lua_State *L, const char *where)
{
    size_t n = 0;

    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING)
            complain(L, "%s has an entry without a name", where);
        if (++n > ENTRIES_MAX)
            complain(L, "%s has more than %d entries", where, ENTRIES_MAX);
        lua_pop(L, 1);
    }
    return n;
}

/* The key of the pair at the top, kept; its value stays at the top. */
static const char *keep_key(lua_State *L, const char *where)
{
    const char *key;

    lua_pushvalue(L, -2);
    key = keep_text(L, where);
    lua_pop(L, 1);
    return key;
}

/* theme */

static int compare_styles(const void *a, const void *b)
{
    return strcmp(((const struct wb_config_style *)a)->style,
                  ((const struct wb_config_style *)b)->style);
}

static void read_theme(lua_State *L, struct reading *r)
{
    struct wb_config *c = r->c;
    char where[200];

    if (!push_table(L, "theme"))
        return;
    c->style = need(L, wb_arena_calloc(&c->arena, count_entries(L, "theme") + 1, sizeof *c->style));
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        struct wb_config_style *s = &c->style[c->styles];

        s->style = keep_key(L, "a name in theme");
        check_name(L, r->names == NULL ? NULL : r->names->style, s->style, "style");
        snprintf(where, sizeof where, "theme.%.100s", s->style);
        s->look = keep_text(L, where);
        c->styles++;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    qsort(c->style, c->styles, sizeof *c->style, compare_styles);
}

/* keys */

static int compare_keys(const void *a, const void *b)
{
    const struct wb_config_key *x = a, *y = b;
    int r = strcmp(x->view, y->view);

    return r != 0 ? r : strcmp(x->key, y->key);
}

/* The table of one view is at the top. */
static void read_view(lua_State *L, struct reading *r, const char *view)
{
    struct wb_config *c = r->c;
    char where[300];

    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        struct wb_config_key *k = &c->key[c->keys];

        k->view = view;
        k->key = keep_key(L, "a key in keys");
        snprintf(where, sizeof where, "keys.%.100s[\"%.100s\"]", view, k->key);
        k->action = NULL;
        if (!lua_isboolean(L, -1) || lua_toboolean(L, -1)) {
            if (lua_type(L, -1) != LUA_TSTRING)
                complain(L, "%s is the name of an action, or false, not a %s", where,
                         luaL_typename(L, -1));
            k->action = keep_text(L, where);
            check_name(L, r->names == NULL ? NULL : r->names->action, k->action, "action");
        }
        c->keys++;
        lua_pop(L, 1);
    }
}

/* Number of keys in all views; the table of views is at the top. */
static size_t count_keys(lua_State *L)
{
    size_t n = 0;

    count_entries(L, "keys");
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -1) != LUA_TTABLE)
            complain(L, "keys.%.100s is a table {[\"C-g\"] = \"action\"}, not a %s",
                     lua_tostring(L, -2), luaL_typename(L, -1));
        n += count_entries(L, "a table in keys");
        if (n > ENTRIES_MAX)
            complain(L, "keys has more than %d entries", ENTRIES_MAX);
        lua_pop(L, 1);
    }
    return n;
}

static void read_keys(lua_State *L, struct reading *r)
{
    struct wb_config *c = r->c;
    const char *view;

    if (!push_table(L, "keys"))
        return;
    c->key = need(L, wb_arena_calloc(&c->arena, count_keys(L) + 1, sizeof *c->key));
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        view = keep_key(L, "a view in keys");
        if (strcmp(view, "all") != 0)
            check_name(L, r->names == NULL ? NULL : r->names->view, view, "view");
        read_view(L, r, view);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    qsort(c->key, c->keys, sizeof *c->key, compare_keys);
}

/* options: each reads the value at the top. */

static const char *keep_choice(lua_State *L, const char *where, const char *const *choice)
{
    const char *text = keep_text(L, where);
    char all[300];

    for (size_t i = 0; choice[i] != NULL; i++)
        if (strcmp(choice[i], text) == 0)
            return text;
    complain(L, "%s is '%.100s'; the values are %s", where, text,
             list_names(choice, all, sizeof all));
    return NULL;
}

static enum wb_config_flag read_flag(lua_State *L, const char *where)
{
    if (!lua_isboolean(L, -1))
        complain(L, "%s is true or false, not a %s", where, luaL_typename(L, -1));
    return lua_toboolean(L, -1) ? WB_CONFIG_ON : WB_CONFIG_OFF;
}

/* "4GiB", or a number of bytes. */
static uint64_t read_bytes(lua_State *L, const char *where)
{
    struct wb_err err;
    uint64_t bytes = 0;

    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) >= 1 && lua_tonumber(L, -1) < 0x1p62)
        return (uint64_t)lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TSTRING)
        complain(L, "%s is a size, \"4GiB\"", where);
    if (!wb_parse_bytes(lua_tostring(L, -1), &bytes, &err))
        complain(L, "%s: %.300s", where, err.msg);
    if (bytes == 0)
        complain(L, "%s is a size above 0", where);
    return bytes;
}

static int read_whole(lua_State *L, const char *where, int max)
{
    lua_Integer value = lua_tointeger(L, -1);

    if (!lua_isinteger(L, -1) || value < 1 || value > max)
        complain(L, "%s is a whole number from 1 to %d", where, max);
    return (int)value;
}

static void read_option(lua_State *L, struct wb_config *c, const char *key)
{
    static const char *const color[] = { "auto", "never", "16", "256", "direct", NULL };
    static const char *const colormap[] = { "viridis", "grey", NULL };
    static const char *const known[] = { "ascii",    "behaviour", "cache", "color",
                                         "colormap", "memory",    "mouse", "preview",
                                         "session",  "threads",   NULL };
    char where[200];

    snprintf(where, sizeof where, "options.%.100s", key);
    check_name(L, known, key, "option");
    if (strcmp(key, "ascii") == 0)
        c->ascii = read_flag(L, where);
    else if (strcmp(key, "mouse") == 0)
        c->mouse = read_flag(L, where);
    else if (strcmp(key, "session") == 0)
        c->session = read_flag(L, where);
    else if (strcmp(key, "behaviour") == 0)
        c->behaviour = read_flag(L, where);
    else if (strcmp(key, "preview") == 0)
        c->preview = read_flag(L, where);
    else if (strcmp(key, "color") == 0)
        c->color = keep_choice(L, where, color);
    else if (strcmp(key, "colormap") == 0)
        c->colormap = keep_choice(L, where, colormap);
    else if (strcmp(key, "threads") == 0)
        c->threads = read_whole(L, where, 1024);
    else if (strcmp(key, "memory") == 0)
        c->memory_bytes = read_bytes(L, where);
    else if (strcmp(key, "cache") == 0)
        c->cache_bytes = read_bytes(L, where);
}

static void read_options(lua_State *L, struct reading *r)
{
    if (!push_table(L, "options"))
        return;
    count_entries(L, "options");
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        read_option(L, r->c, keep_key(L, "a name in options"));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* A list of texts. */
static size_t read_list(lua_State *L, struct reading *r, const char *name, const char *const **out)
{
    const char **list;
    size_t n;
    char where[40];

    if (!push_table(L, name))
        return 0;
    n = lua_rawlen(L, -1);
    if (n > ENTRIES_MAX)
        complain(L, "%s has more than %d entries", name, ENTRIES_MAX);
    list = need(L, wb_arena_calloc(&r->c->arena, n + 1, sizeof *list));
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        snprintf(where, sizeof where, "%s[%zu]", name, i + 1);
        list[i] = keep_text(L, where);
        lua_pop(L, 1);
    }
    *out = list;
    lua_pop(L, 1);
    return n;
}

/* The whole. */

static void open_libraries(lua_State *L)
{
    static const luaL_Reg lib[] = {
        { LUA_GNAME, luaopen_base },        { LUA_TABLIBNAME, luaopen_table },
        { LUA_STRLIBNAME, luaopen_string }, { LUA_MATHLIBNAME, luaopen_math },
        { LUA_UTF8LIBNAME, luaopen_utf8 },  { NULL, NULL },
    };
    static const char *const drop[] = { "dofile",         "loadfile", "load", "setmetatable",
                                        "collectgarbage", "print",    "warn", NULL };

    for (const luaL_Reg *l = lib; l->name != NULL; l++) {
        luaL_requiref(L, l->name, l->func, 1);
        lua_pop(L, 1);
    }
    for (const char *const *name = drop; *name != NULL; name++) {
        lua_pushnil(L);
        lua_setglobal(L, *name);
    }
}

static int read_all(lua_State *L)
{
    static const char *const known[] = { "eval", "keys", "options", "startup", "theme", NULL };
    struct reading *r = reading_of(L);

    open_libraries(L);
    if (luaL_loadbufferx(L, r->text, r->n, "@" CHUNK, "t") != LUA_OK)
        return lua_error(L);
    lua_sethook(L, hook, LUA_MASKCOUNT, INSTRUCTIONS_MAX);
    lua_call(L, 0, 1);
    lua_sethook(L, NULL, 0, 0);
    if (lua_type(L, 1) != LUA_TTABLE)
        return complain(L,
                        "the file returns a table {theme =, keys =, options =, startup =}, not %s",
                        lua_isnil(L, 1) ? "nothing" : luaL_typename(L, 1));
    count_entries(L, "the table");
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
        check_name(L, known, lua_tostring(L, -2), "field");
        lua_pop(L, 1);
    }
    read_theme(L, r);
    read_keys(L, r);
    read_options(L, r);
    r->c->startups = read_list(L, r, "startup", &r->c->startup);
    r->c->evals = read_list(L, r, "eval", &r->c->eval);
    return 0;
}

static bool run(struct reading *r)
{
    lua_State *L = lua_newstate(allocate, r);
    const char *text;
    int status;

    if (L == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for a Lua state");
    *(struct reading **)lua_getextraspace(L) = r;
    lua_pushcfunction(L, read_all); /* a light C function: takes no memory */
    status = lua_pcall(L, 0, 0, 0);
    if (status == LUA_ERRMEM)
        wb_fail(r->err, WB_ENOMEM, "needs more than %zu bytes of memory", HEAP_BYTES_MAX);
    else if (status != LUA_OK && !r->said) {
        text = lua_tostring(L, -1);
        wb_fail(r->err, WB_ESCRIPT, "%s", text == NULL ? "an error without a text" : text);
    }
    lua_sethook(L, NULL, 0, 0);
    lua_close(L);
    return status == LUA_OK;
}

static void empty(struct wb_config *c)
{
    *c = (struct wb_config){ .ascii = WB_CONFIG_UNSET,
                             .mouse = WB_CONFIG_UNSET,
                             .session = WB_CONFIG_UNSET,
                             .preview = WB_CONFIG_UNSET,
                             .behaviour = WB_CONFIG_UNSET };
}

/* "DIR/config.lua: …"; Lua's own texts begin with "config.lua:LINE:". */
static bool say_where(const char *path, struct wb_err *err)
{
    size_t n = strlen(CHUNK);
    char text[sizeof err->msg];

    if (strncmp(err->msg, CHUNK ":", n + 1) != 0 || !isdigit((unsigned char)err->msg[n + 1]))
        return wb_wrap(err, "%s", path);
    snprintf(text, sizeof text, "%s", err->msg + n);
    return wb_fail(err, err->code, "%.400s%.500s", path, text);
}

bool wb_config_path(char *out, size_t size)
{
    const char *dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n;

    if (dir != NULL && dir[0] == '/')
        n = snprintf(out, size, "%s/weightbench/config.lua", dir);
    else if (home != NULL && home[0] == '/')
        n = snprintf(out, size, "%s/.config/weightbench/config.lua", home);
    else
        return false;
    return n > 0 && (size_t)n < size;
}

bool wb_config_read(const char *path, const struct wb_config_names *names, struct wb_config *out,
                    struct wb_err *err)
{
    struct reading r = { .c = out, .names = names, .err = err };
    struct wb_err room;
    char *text;
    bool ok;

    empty(out);
    if (err == NULL)
        r.err = err = &room;
    text = wb_read_file(path, FILE_BYTES_MAX, &r.n, err);
    if (text == NULL)
        return err->code == WB_ENOTFOUND;
    r.text = text;
    out->path = wb_arena_strdup(&out->arena, path);
    ok = out->path == NULL ? wb_fail(err, WB_ENOMEM, "no memory for the config") : run(&r);
    free(text);
    if (!ok) {
        say_where(path, err);
        wb_config_free(out);
    }
    return ok;
}

void wb_config_free(struct wb_config *c)
{
    wb_arena_free(&c->arena);
    empty(c);
}
