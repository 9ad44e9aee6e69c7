/* lua/bind/files.c - what Lua reads: modules and plugins for ourselves, texts for scripts within bounds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/core/str.h"
#include "lua/bind/internal.h"

#define SCRIPT_BYTES_MAX ((size_t)16 << 20)
#define TEXT_BYTES_MAX ((size_t)256 << 20)

/* Where scripts may read. */

static bool below(const char *path, const char *dir)
{
    size_t n = dir == NULL ? 0 : strlen(dir);

    if (n == 0)
        return false;
    if (strcmp(dir, "/") == 0)
        return true;
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool below_real(const char *path, const char *dir)
{
    char *real = realpath(dir, NULL);
    bool ok = below(path, real);

    free(real);
    return ok;
}

bool wb_vm_may_read(struct wb_vm *vm, const char *path, struct wb_err *err)
{
    const char *data = getenv("XDG_DATA_HOME");
    char own[PATH_MAX], *real;
    bool ok = vm->opt.trust;

    real = realpath(path, NULL);
    if (real == NULL)
        return wb_fail_errno(err, "%s", path);
    ok = ok || below(real, vm->work_dir) || below_real(real, vm->opt.share_dir);
    if (!ok && data != NULL && snprintf(own, sizeof own, "%s/weightbench", data) < (int)sizeof own)
        ok = below_real(real, own);
    for (size_t i = 0; !ok && i < vm->read_dirs; i++)
        ok = below(real, vm->read_dir[i]);
    free(real);
    return ok || wb_fail(err, WB_EARG,
                         "%s: scripts read below the working directory, the data directories "
                         "and the models they open, nowhere else",
                         path);
}

bool wb_vm_allow_read(struct wb_vm *vm, const char *dir, struct wb_err *err)
{
    char *real = realpath(dir, NULL), **more;

    if (real == NULL)
        return true; /* nothing to read there */
    for (size_t i = 0; i < vm->read_dirs; i++)
        if (strcmp(vm->read_dir[i], real) == 0) {
            free(real);
            return true;
        }
    more = realloc(vm->read_dir, (vm->read_dirs + 1) * sizeof *more);
    if (more == NULL) {
        free(real);
        return wb_fail(err, WB_ENOMEM, "no memory for a path");
    }
    vm->read_dir = more;
    vm->read_dir[vm->read_dirs++] = real;
    return true;
}

/* A whole file on the stack. */
static int push_file(lua_State *L, const char *path, size_t max)
{
    char **text = wb_lua_push_text_owner(L);
    struct wb_err err;
    size_t n;

    *text = wb_read_file(path, max, &n, &err);
    if (*text == NULL)
        return wb_lua_raise(L, &err);
    lua_pushlstring(L, *text, n);
    lua_remove(L, -2);
    return 1;
}

static int read_text(lua_State *L) /* wb.read_text(path) */
{
    const char *path = luaL_checkstring(L, 1);
    struct wb_err err;

    if (!wb_vm_may_read(wb_vm_of(L), path, &err))
        return wb_lua_raise(L, &err);
    return push_file(L, path, TEXT_BYTES_MAX);
}

/* core.exists(path) */
static int exists(lua_State *L)
{
    struct stat st;

    lua_pushboolean(L, stat(luaL_checkstring(L, 1), &st) == 0);
    return 1;
}

/* Loading code. */

static int load_text(
    lua_State *L) /* core.load(text, chunk name, environment) -> function, or nil and the error */
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n), *name = luaL_checkstring(L, 2);

    if (luaL_loadbufferx(L, text, n, name, wb_vm_of(L)->opt.trust ? NULL : "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (!lua_isnoneornil(L, 3)) {
        lua_pushvalue(L, 3);
        if (lua_setupvalue(L, -2, 1) == NULL)
            lua_pop(L, 1);
    }
    return 1;
}

static int load_file(lua_State *L) /* core.load_file(path, chunk name, environment) */
{
    push_file(L, luaL_checkstring(L, 1), SCRIPT_BYTES_MAX);
    lua_replace(L, 1);
    return load_text(L);
}

/* Plugin files. */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **name;
    size_t n;
};

static void names_free(struct names *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->name[i]);
    free(list->name);
    *list = (struct names){ 0 };
}

/* Names in dir that end in ".lua", sorted; a directory that is not there has none. */
static bool list_lua(const char *dir, struct names *out)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    bool ok = true;

    while (ok && d != NULL && (e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name);
        char **more;

        if (n < 5 || e->d_name[0] == '.' || strcmp(e->d_name + n - 4, ".lua") != 0)
            continue;
        more = realloc(out->name, (out->n + 1) * sizeof *more);
        ok = more != NULL;
        if (ok) {
            out->name = more;
            ok = (out->name[out->n] = strdup(e->d_name)) != NULL;
            out->n += ok;
        }
    }
    if (d != NULL)
        closedir(d);
    if (out->n > 1)
        qsort(out->name, out->n, sizeof *out->name, compare_names);
    return ok;
}

static void set_text(lua_State *L, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
}

static void set_whole(lua_State *L, const char *key, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static bool push_stamp(lua_State *L, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    lua_createtable(L, 0, 6);
    set_text(L, "path", path);
    set_whole(L, "mtime", (lua_Integer)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    set_whole(L, "size", (lua_Integer)st.st_size);
    return true;
}

static int stamp(lua_State *L) /* core.stamp(path) -> {path, mtime, size} or nil */
{
    return push_stamp(L, luaL_checkstring(L, 1)) ? 1 : 0;
}

static int free_names(lua_State *L)
{
    names_free(luaL_checkudata(L, 1, "wb.names"));
    return 0;
}

/* core.plugin_files() -> {path, file, kind, root, own, mtime, size} of each; directories in order, then kinds, then names */
static int plugin_files(lua_State *L)
{
    static const char *const kind[] = { "compress", "inspect", "merge", "protect", NULL };
    struct wb_vm *vm = wb_vm_of(L);
    char dir[PATH_MAX], path[PATH_MAX + 300];
    struct names *list;
    lua_Integer count = 0;

    lua_newtable(L);
    list = lua_newuserdatauv(L, sizeof *list, 0);
    *list = (struct names){ 0 };
    luaL_setmetatable(L, "wb.names");
    for (size_t i = 0; vm->plugin_dir[i] != NULL; i++)
        for (const char *const *k = kind; *k != NULL; k++) {
            names_free(list);
            if (snprintf(dir, sizeof dir, "%s/%s", vm->plugin_dir[i], *k) >= (int)sizeof dir)
                continue;
            if (!list_lua(dir, list))
                return wb_lua_fail(L, WB_ENOMEM, "no memory for the names of plugins");
            for (size_t j = 0; j < list->n; j++) {
                snprintf(path, sizeof path, "%s/%s", dir, list->name[j]);
                if (!push_stamp(L, path))
                    continue;
                set_text(L, "file", list->name[j]);
                set_text(L, "kind", *k);
                set_text(L, "root", vm->plugin_dir[i]);
                lua_pushboolean(L, i > 0);
                lua_setfield(L, -2, "own");
                lua_rawseti(L, -3, ++count);
            }
        }
    lua_pop(L, 1);
    return 1;
}

static int glob(lua_State *L) /* wb.glob(pattern, name) */
{
    lua_pushboolean(L, wb_glob(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
    return 1;
}

/* The vocabulary in the directory of a model: token -> id, from tokenizer.json or vocab.json. */

static void add_vocabulary(lua_State *L, const cJSON *object)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
        if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 1e9) {
            lua_pushinteger(L, (lua_Integer)item->valuedouble);
            lua_setfield(L, -2, item->string);
        }
}

static void add_unigram(lua_State *L, const cJSON *list)
{
    const cJSON *item, *token;
    lua_Integer id = 0;

    cJSON_ArrayForEach(item, list) {
        token = cJSON_GetArrayItem(item, 0);
        if (cJSON_IsString(token)) {
            lua_pushinteger(L, id);
            lua_setfield(L, -2, token->valuestring);
        }
        id++;
    }
}

static void push_tokenizer(lua_State *L, const cJSON *json)
{
    const cJSON *vocab, *item, *id, *text;

    lua_newtable(L);
    vocab =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "model"), "vocab");
    if (cJSON_IsArray(vocab))
        add_unigram(L, vocab);
    else
        add_vocabulary(L, vocab != NULL ? vocab : json);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "added_tokens")) {
        id = cJSON_GetObjectItemCaseSensitive(item, "id");
        text = cJSON_GetObjectItemCaseSensitive(item, "content");
        if (cJSON_IsNumber(id) && id->valuedouble >= 0 && id->valuedouble < 1e9 &&
            cJSON_IsString(text)) {
            lua_pushinteger(L, (lua_Integer)id->valuedouble);
            lua_setfield(L, -2, text->valuestring);
        }
    }
}

static int vocabulary(lua_State *L) /* core.vocabulary(model) -> {token = id} or nil */
{
    static const char *const file[] = { "tokenizer.json", "vocab.json", NULL };
    const char *dir = wb_model_side_dir(wb_lua_check_model(L, 1));
    char path[PATH_MAX];
    struct wb_err err;

    for (const char *const *f = file; dir != NULL && *f != NULL; f++) {
        cJSON **json;

        if (snprintf(path, sizeof path, "%s/%s", dir, *f) >= (int)sizeof path || !wb_is_file(path))
            continue;
        json = wb_lua_push_json_owner(L);
        *json = wb_json_parse_file(path, TEXT_BYTES_MAX, &err);
        if (*json == NULL)
            return wb_lua_raise(L, &err);
        push_tokenizer(L, *json);
        return 1;
    }
    return 0;
}

void wb_lua_open_files(lua_State *L)
{
    static const luaL_Reg core[] = {
        { "read_text", read_text }, { "exists", exists },         { "load", load_text },
        { "load_file", load_file }, { "stamp", stamp },           { "plugin_files", plugin_files },
        { "glob", glob },           { "vocabulary", vocabulary }, { NULL, NULL },
    };

    luaL_newmetatable(L, "wb.names");
    lua_pushcfunction(L, free_names);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, core, 0);
}
