/* lua/bind/subject.c */
#include "lua/bind/subject.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/core/io.h"

#define WB_LUA_SUBJECT "wb.subject"
#define WB_LUA_FIGURES "wb.figures"
#define OWN_CACHE_BYTES ((uint64_t)128 << 20)

/* The subject. */

static int close_subject(lua_State *L)
{
    struct wb_lua_subject *s = luaL_checkudata(L, 1, WB_LUA_SUBJECT);

    wb_windows_free(&s->windows);
    wb_net_close(s->net);
    wb_tokenizer_free(s->tokenizer);
    free(s->text);
    *s = (struct wb_lua_subject){ 0 };
    return 0;
}

/* A text or whole number of the options at 2; NULL, 0: not given. */
static const char *text_option(lua_State *L, const char *key)
{
    const char *text = lua_getfield(L, 2, key) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static size_t whole_option(lua_State *L, const char *key)
{
    size_t value = 0;

    if (lua_getfield(L, 2, key) != LUA_TNIL)
        value = (size_t)wb_lua_check_whole(L, -1);
    lua_pop(L, 1);
    return value;
}

static void read_text(lua_State *L, struct wb_lua_subject *s)
{
    const char *given;
    struct wb_err err;

    if (s->path != NULL && !wb_vm_may_read(wb_vm_of(L), s->path, &err))
        wb_lua_raise(L, &err);
    if (s->path != NULL && s->read) {
        s->text = wb_read_file(s->path, WB_TEXT_MAX_BYTES, &s->bytes, &err);
        if (s->text == NULL)
            wb_lua_raise(L, &err);
    } else if (s->path == NULL && lua_getfield(L, 2, "text") == LUA_TSTRING) {
        given = lua_tolstring(L, -1, &s->bytes);
        s->text = malloc(s->bytes + 1);
        if (s->text == NULL)
            wb_lua_fail(L, WB_ENOMEM, "no memory for a text");
        memcpy(s->text, given, s->bytes + 1);
    }
    lua_settop(L, 3); /* model, options, subject */
}

/* A file by its path, time and size. */
static struct wb_hash hash_stamp(const char *dir, const char *name)
{
    struct {
        char path[PATH_MAX];
        int64_t size, seconds, nanoseconds;
    } id;
    struct stat st;

    memset(&id, 0, sizeof id);
    if (snprintf(id.path, sizeof id.path, "%s%s%s", dir, name[0] == '\0' ? "" : "/", name) > 0 &&
        stat(id.path, &st) == 0) {
        id.size = (int64_t)st.st_size;
        id.seconds = (int64_t)st.st_mtim.tv_sec;
        id.nanoseconds = (int64_t)st.st_mtim.tv_nsec;
    }
    return wb_hash_bytes(&id, sizeof id);
}

/* A tokenizer is not part of its model's hash. */
static struct wb_hash hash_subject(const struct wb_lua_subject *s)
{
    const char *dir = wb_model_side_dir(s->model);
    struct {
        struct wb_hash model, text, tokenizer;
        uint64_t window, limit;
        char stack[64];
    } id;

    memset(&id, 0, sizeof id);
    id.model = wb_model_hash(s->model);
    if (s->text != NULL)
        id.text = wb_hash_bytes(s->text, s->bytes);
    else if (s->path != NULL)
        id.text = hash_stamp(s->path, "");
    if (dir != NULL && s->text != NULL)
        id.tokenizer = hash_stamp(dir, "tokenizer.json");
    id.window = s->window;
    id.limit = s->limit;
    snprintf(id.stack, sizeof id.stack, "%s", s->stack == NULL ? "" : s->stack);
    return wb_hash_bytes(&id, sizeof id);
}

struct wb_lua_subject *wb_lua_push_subject(lua_State *L)
{
    struct wb_model *model = wb_lua_check_model(L, 1);
    struct wb_lua_subject *s;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct wb_lua_subject){ .model = model };
    luaL_setmetatable(L, WB_LUA_SUBJECT);
    s->how = wb_lua_eval(L);
    s->stack = text_option(L, "stack");
    s->path = text_option(L, "path");
    s->read = s->path != NULL;
    if (!s->read)
        s->path = text_option(L, "file");
    s->window = whole_option(L, "window");
    s->limit = whole_option(L, "limit");
    read_text(L, s);
    s->known = hash_subject(s);
    return s;
}

int wb_lua_subject_raise(lua_State *L, const struct wb_lua_subject *s, struct wb_err *err)
{
    const char *path = wb_model_path(s->model);

    if (err->code != WB_ECANCELLED && strstr(err->msg, path) == NULL)
        wb_wrap(err, "%s", path);
    return wb_lua_raise(L, err);
}

void wb_lua_need_net(lua_State *L, struct wb_lua_subject *s)
{
    struct wb_err err;

    if (s->net == NULL)
        s->net = wb_net_open(s->model, s->stack, &s->how, &err);
    if (s->net == NULL)
        wb_lua_subject_raise(L, s, &err);
}

void wb_lua_need_tokenizer(lua_State *L, struct wb_lua_subject *s)
{
    struct wb_err err;

    if (s->tokenizer == NULL)
        s->tokenizer = wb_tokenizer_open(wb_model_side_dir(s->model), &err);
    if (s->tokenizer == NULL)
        wb_lua_subject_raise(L, s, &err);
}

void wb_lua_need_windows(lua_State *L, struct wb_lua_subject *s)
{
    struct wb_err err;

    if (s->windows.windows > 0)
        return;
    wb_lua_need_tokenizer(L, s);
    wb_lua_need_net(L, s);
    if (wb_windows_cut(s->tokenizer, wb_net_spec(s->net), s->text, s->bytes, s->window, s->limit,
                       &s->windows, &err))
        return;
    if (s->path != NULL)
        wb_wrap(&err, "%s", s->path);
    wb_lua_subject_raise(L, s, &err);
}

/* Figures. */

struct wb_hash wb_lua_key(const struct wb_lua_subject *s, const char *kind, int64_t a, int64_t b)
{
    struct {
        char kind[32];
        struct wb_hash known;
        int64_t a, b;
    } id;

    memset(&id, 0, sizeof id);
    snprintf(id.kind, sizeof id.kind, "%s", kind);
    id.known = s->known;
    id.a = a;
    id.b = b;
    return wb_hash_bytes(&id, sizeof id);
}

static int close_figures(lua_State *L)
{
    struct wb_lua_figures *f = luaL_checkudata(L, 1, WB_LUA_FIGURES);

    wb_cache_return(&f->cached);
    free(f->own);
    *f = (struct wb_lua_figures){ 0 };
    return 0;
}

struct wb_lua_figures *wb_lua_push_figures(lua_State *L)
{
    struct wb_lua_figures *f = lua_newuserdatauv(L, sizeof *f, 0);

    *f = (struct wb_lua_figures){ 0 };
    luaL_setmetatable(L, WB_LUA_FIGURES);
    return f;
}

/* Of the VM, always: the program's may be full of what a preview needs. */
static struct wb_cache *own_cache(lua_State *L)
{
    struct wb_vm *vm = wb_vm_of(L);

    if (vm->figures == NULL)
        vm->figures = wb_cache_new(OWN_CACHE_BYTES);
    return vm->figures; /* NULL: nothing is kept */
}

static struct wb_cache *shared_cache(lua_State *L)
{
    const struct wb_eval *how = wb_vm_of(L)->opt.eval;

    return how == NULL ? NULL : how->cache;
}

bool wb_lua_recall(lua_State *L, struct wb_hash key, struct wb_lua_figures *f)
{
    struct wb_cache *own = own_cache(L), *shared = shared_cache(L);

    if ((own == NULL || !wb_cache_borrow(own, key, &f->cached)) &&
        (shared == NULL || !wb_cache_borrow(shared, key, &f->cached)))
        return false;
    f->bytes = f->cached.bytes;
    f->n = f->cached.n;
    return true;
}

void *wb_lua_figures_room(lua_State *L, struct wb_lua_figures *f, size_t count, size_t size)
{
    f->own = calloc(count + 1, size);
    if (f->own == NULL)
        wb_lua_fail(L, WB_ENOMEM, "no memory for %zu figures", count);
    f->bytes = f->own;
    f->n = count * size;
    return f->own;
}

void wb_lua_keep(lua_State *L, struct wb_hash key, const void *bytes, size_t n)
{
    struct wb_cache *own = own_cache(L), *shared = shared_cache(L);

    if (own != NULL) {
        wb_cache_begin(own); /* what was kept before may go */
        wb_cache_put_bytes(own, key, bytes, n);
    }
    if (shared != NULL)
        wb_cache_put_bytes(shared, key, bytes, n);
}

void wb_lua_push_numbers(lua_State *L, const double *x, size_t n)
{
    lua_createtable(L, (int)n, 0);
    luaL_setmetatable(L, "wb.list");
    for (size_t i = 0; i < n; i++) {
        lua_pushnumber(L, x[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

void wb_lua_push_matrix(lua_State *L, const double *x, size_t rows, size_t columns)
{
    lua_createtable(L, (int)rows, 0);
    luaL_setmetatable(L, "wb.list");
    for (size_t i = 0; i < rows; i++) {
        wb_lua_push_numbers(L, x + i * columns, columns);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void close_with(lua_State *L, const char *type, lua_CFunction close)
{
    luaL_newmetatable(L, type);
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

void wb_lua_open_subject(lua_State *L)
{
    close_with(L, WB_LUA_SUBJECT, close_subject);
    close_with(L, WB_LUA_FIGURES, close_figures);
}
