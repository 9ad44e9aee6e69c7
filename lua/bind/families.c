/* lua/bind/families.c - Lua tables under lua/arch -> struct wb_family.
 *
 * Every file runs in a state of its own that has no libraries, a memory budget and an instruction
 * limit, and is converted there under one pcall; what it says is copied into an arena, so that a
 * longjmp loses nothing. The fields are described in lua/arch/README.md. */
#include "lua/bind/families.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/arch/draft.h"
#include "app/core/io.h"

#define MEMORY_MAX (16u << 20)
#define INSTRUCTIONS_MAX 1000000
#define FILE_MAX_BYTES (1u << 20)
#define DEPTH_MAX 16

/* What the protected conversion works on. */
struct reading {
    struct wb_drafts *drafts;
    struct wb_draft *to;
    const char *text;
    size_t len, memory;
};

/* --- a state without anything --- */

static void *limited_alloc(void *ud, void *ptr, size_t before, size_t after)
{
    struct reading *r = ud;
    size_t old = ptr != NULL ? before : 0;
    void *made;

    if (after == 0) {
        free(ptr);
        r->memory -= old;
        return NULL;
    }
    if (after > old && after - old > MEMORY_MAX - r->memory)
        return NULL;
    made = realloc(ptr, after);
    if (made != NULL)
        r->memory += after - old;
    return made;
}

static void too_long(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "Sl", ar);
    luaL_error(L, "%s:%d: the file runs for more than %d instructions", ar->short_src,
               ar->currentline, INSTRUCTIONS_MAX);
}

/* --- reading fields; all of these raise --- */

static struct reading *reading_of(lua_State *L)
{
    return *(struct reading **)lua_getextraspace(L);
}

static void *need(lua_State *L, void *ptr)
{
    if (ptr == NULL)
        luaL_error(L, "no memory for the family");
    return ptr;
}

static const char *keep(lua_State *L, int index)
{
    return need(L, wb_arena_strdup(&reading_of(L)->drafts->arena, lua_tostring(L, index)));
}

/* A text field of the table on top; NULL when it is nil. */
static const char *text_field(lua_State *L, const char *key)
{
    const char *text = NULL;
    int type = lua_getfield(L, -1, key);

    if (type != LUA_TNIL && type != LUA_TSTRING)
        luaL_error(L, "%s is a %s, not a string", key, lua_typename(L, type));
    if (type == LUA_TSTRING)
        text = keep(L, -1);
    lua_pop(L, 1);
    return text;
}

/* The list of strings on top (a single string counts as one), NULL-terminated. */
static const char *const *list_here(lua_State *L, const char *what)
{
    size_t n = lua_isstring(L, -1) ? 1 : lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
    const char **list =
        need(L, wb_arena_calloc(&reading_of(L)->drafts->arena, n + 1, sizeof *list));

    if (lua_type(L, -1) == LUA_TSTRING) {
        list[0] = keep(L, -1);
        return list;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "%s is a %s, not a list of strings", what, luaL_typename(L, -1));
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TSTRING)
            luaL_error(L, "%s: entry %d is a %s, not a string", what, (int)i + 1,
                       luaL_typename(L, -1));
        list[i] = keep(L, -1);
        lua_pop(L, 1);
    }
    return list;
}

static const char *const *list_field(lua_State *L, const char *key)
{
    const char *const *list = NULL;

    if (lua_getfield(L, -1, key) != LUA_TNIL)
        list = list_here(L, key);
    lua_pop(L, 1);
    return list;
}

/* Call fn for every key of the table on top; keys must be strings. Order is the table's own. */
static void each_key(lua_State *L, const char *what,
                     void (*fn)(lua_State *L, const char *key, void *ctx), void *ctx)
{
    luaL_checkstack(L, 8, "too deep");
    if (!lua_istable(L, -1))
        luaL_error(L, "%s is a %s, not a table", what, luaL_typename(L, -1));
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "%s has a key that is a %s, not a string", what, luaL_typename(L, -2));
        fn(L, lua_tostring(L, -2), ctx);
        lua_pop(L, 1);
    }
}

/* --- tensors --- */

struct walk {
    const char *above; /* "layers.{n}.mlp." */
    int depth;
};

static void read_tensor(lua_State *L, const char *key, void *ctx)
{
    const struct walk *w = ctx;
    struct wb_draft *to = reading_of(L)->to;
    struct wb_arena *arena = &reading_of(L)->drafts->arena;
    char *path = need(L, wb_arena_printf(arena, "%s%s", w->above, key));
    size_t len = strlen(path);

    if (len > 7 && strcmp(path + len - 7, ".weight") == 0)
        path[len - 7] = '\0'; /* goes without saying */
    if (to->family.patterns == WB_DRAFT_PATTERNS || to->drops == WB_DRAFT_PATTERNS)
        luaL_error(L, "more than %d tensors", WB_DRAFT_PATTERNS);
    if (lua_type(L, -1) == LUA_TSTRING) {
        to->pattern[to->family.patterns++] =
            (struct wb_family_pattern){ .name = path, .role = keep(L, -1) };
    } else if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
        to->dropped[to->drops++] = path;
    } else if (lua_istable(L, -1) && w->depth < DEPTH_MAX) {
        struct walk below = { need(L, wb_arena_printf(arena, "%s.", path)), w->depth + 1 };

        each_key(L, path, read_tensor, &below);
    } else {
        luaL_error(L, "tensors: %s is a %s, not a role (a string), a module (a table) or false",
                   path, luaL_typename(L, -1));
    }
}

static void read_tensors(lua_State *L)
{
    struct walk top = { "", 0 };

    if (lua_getfield(L, -1, "tensors") != LUA_TNIL)
        each_key(L, "tensors", read_tensor, &top);
    lua_pop(L, 1);
}

/* --- what is said by role --- */

static void set_transposed(lua_State *L, const char *role, size_t *found)
{
    struct wb_draft *to = reading_of(L)->to;

    for (size_t i = 0; i < to->family.patterns; i++)
        if (strcmp(to->pattern[i].role, role) == 0) {
            to->pattern[i].transposed = true;
            ++*found;
        }
}

static void read_transposed(lua_State *L)
{
    const char *const *role = list_field(L, "transposed");

    for (; role != NULL && *role != NULL; role++) {
        size_t found = 0;

        set_transposed(L, *role, &found);
        if (found == 0)
            luaL_error(L, "transposed: no tensor has the role \"%s\"", *role);
    }
}

/* fused = {qkv = "qkv_heads"}, kinds = {["cls.bias"] = "bias"}: a role or a name -> text. */
struct by_role {
    const char *what;
    bool fused;
};

static void set_by_role(lua_State *L, const char *key, void *ctx)
{
    const struct by_role *by = ctx;
    struct wb_draft *to = reading_of(L)->to;
    const char *value;
    size_t found = 0;

    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s: %s is a %s, not a string", by->what, key, luaL_typename(L, -1));
    value = keep(L, -1);
    for (size_t i = 0; i < to->family.patterns; i++) {
        struct wb_family_pattern *p = &to->pattern[i];

        if (strcmp(p->role, key) != 0 && strcmp(p->name, key) != 0)
            continue;
        *(by->fused ? &p->fused : &p->kind) = value;
        found++;
    }
    if (found == 0)
        luaL_error(L, "%s: no tensor has the name or the role \"%s\"", by->what, key);
}

static void read_by_role(lua_State *L, struct by_role by)
{
    if (lua_getfield(L, -1, by.what) != LUA_TNIL)
        each_key(L, by.what, set_by_role, &by);
    lua_pop(L, 1);
}

/* --- stacks, keys, flags --- */

static void read_stacks(lua_State *L)
{
    struct wb_draft *to = reading_of(L)->to;
    size_t n;

    if (lua_getfield(L, -1, "stacks") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "stacks is a %s, not a list of tables", luaL_typename(L, -1));
    n = lua_rawlen(L, -1);
    if (n > WB_DRAFT_STACKS)
        luaL_error(L, "more than %d stacks", WB_DRAFT_STACKS);
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TTABLE)
            luaL_error(L, "stacks: entry %d is a %s, not a table", (int)i + 1,
                       luaL_typename(L, -1));
        to->stack[i].name = text_field(L, "name");
        to->stack[i].key_layers = text_field(L, "layers");
        to->stack_at[i] = list_field(L, "at");
        if (to->stack[i].name == NULL || to->stack[i].key_layers == NULL || to->stack_at[i] == NULL)
            luaL_error(L, "stacks: entry %d needs name, at and layers", (int)i + 1);
        lua_pop(L, 1);
    }
    to->family.stacks = n;
    lua_pop(L, 1);
}

/* The fields of keys, in the order of struct wb_family. */
static const char *const key_names[WB_DRAFT_KEYS] = { "layers",   "hidden",   "heads",
                                                      "kv_heads", "head_dim", "intermediate",
                                                      "vocab",    "experts",  "context",
                                                      "tied" };

static void read_key(lua_State *L, const char *key, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < WB_DRAFT_KEYS; i++)
        if (strcmp(key, key_names[i]) == 0) {
            if (lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L, "keys: %s is a %s, not a string", key, luaL_typename(L, -1));
            *wb_draft_key(&reading_of(L)->to->family, i) = keep(L, -1);
            return;
        }
    luaL_error(
        L,
        "keys: \"%s\" is not one of layers, hidden, heads, kv_heads, head_dim, intermediate, "
        "vocab, experts, context, tied",
        key);
}

static void read_flag(lua_State *L, const char *key, void *ctx)
{
    cJSON *flags = ctx, *made = NULL;

    if (lua_isboolean(L, -1))
        made = cJSON_AddBoolToObject(flags, key, lua_toboolean(L, -1));
    else if (lua_type(L, -1) == LUA_TNUMBER)
        made = cJSON_AddNumberToObject(flags, key, lua_tonumber(L, -1));
    else if (lua_type(L, -1) == LUA_TSTRING)
        made = cJSON_AddStringToObject(flags, key, lua_tostring(L, -1));
    else
        luaL_error(L, "forward: %s is a %s, not a string, number or boolean", key,
                   luaL_typename(L, -1));
    need(L, made);
}

static void check_field(lua_State *L, const char *key, void *ctx)
{
    static const char *const known[] = { "name",         "doc",    "like",    "model_types",
                                         "prefixes",     "seen",   "tensors", "transposed",
                                         "fused",        "kinds",  "stacks",  "keys",
                                         "tied_default", "forward" };

    (void)ctx;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(key, known[i]) == 0)
            return;
    luaL_error(
        L,
        "\"%s\" is not a field of a family (name, doc, like, model_types, prefixes, seen, tensors, "
        "transposed, fused, kinds, stacks, keys, tied_default, forward)",
        key);
}

static void read_family(lua_State *L)
{
    struct wb_draft *to = reading_of(L)->to;

    each_key(L, "the family", check_field, NULL);
    to->family.name = text_field(L, "name");
    if (to->family.name == NULL || to->family.name[0] == '\0')
        luaL_error(L, "the family has no name");
    to->family.doc = text_field(L, "doc");
    to->like = text_field(L, "like");
    to->family.model_types = list_field(L, "model_types");
    to->family.prefixes = list_field(L, "prefixes");
    to->family.seen = list_field(L, "seen");
    read_tensors(L);
    if (to->family.patterns == 0 && to->like == NULL)
        luaL_error(L, "the family has no tensors");
    read_transposed(L);
    read_by_role(L, (struct by_role){ "fused", true });
    read_by_role(L, (struct by_role){ "kinds", false });
    read_stacks(L);
    if (lua_getfield(L, -1, "keys") != LUA_TNIL)
        each_key(L, "keys", read_key, NULL);
    if (lua_getfield(L, -2, "tied_default") != LUA_TNIL) {
        to->family.tied_default = lua_toboolean(L, -1);
        to->has_tied = true;
    }
    if (lua_getfield(L, -3, "forward") != LUA_TNIL)
        each_key(L, "forward", read_flag, to->flags);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* The protected part: run the chunk and convert what it returns. */
static int run_file(lua_State *L)
{
    struct reading *r = reading_of(L);

    lua_pushfstring(L, "@%s", base_name(r->to->path));
    if (luaL_loadbufferx(L, r->text, r->len, lua_tostring(L, -1), "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "the file returns a %s, not a table", luaL_typename(L, -1));
    read_family(L);
    return 0;
}

/* "dir/file.lua:3: what Lua says", or "dir/file.lua: what we say". */
static bool fail_with(const char *path, const char *msg, struct wb_err *err)
{
    const char *name = base_name(path);
    size_t len = strlen(name);

    if (msg == NULL)
        msg = "an error that is not a text";
    if (strncmp(msg, name, len) == 0 && msg[len] == ':')
        return wb_fail(err, WB_ESCRIPT, "%s%s", path, msg + len);
    return wb_fail(err, WB_ESCRIPT, "%s: %s", path, msg);
}

static bool read_text(struct wb_drafts *drafts, struct wb_draft *to, const char *text, size_t len,
                      struct wb_err *err)
{
    struct reading r = { .drafts = drafts, .to = to, .text = text, .len = len };
    lua_State *L = lua_newstate(limited_alloc, &r);
    bool ok;

    if (L == NULL)
        return wb_fail(err, WB_ENOMEM, "%s: no memory for a Lua state", to->path);
    *(struct reading **)lua_getextraspace(L) = &r;
    lua_sethook(L, too_long, LUA_MASKCOUNT, INSTRUCTIONS_MAX);
    lua_pushcfunction(L, run_file);
    ok = lua_pcall(L, 0, 0, 0) == LUA_OK ||
         fail_with(to->path, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL, err);
    lua_close(L);
    return ok;
}

/* --- files --- */

static int is_lua(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool read_file(struct wb_drafts *drafts, const char *dir, const char *name,
                      struct wb_err *err)
{
    struct wb_draft *to = wb_drafts_push(drafts, dir, name);
    char *text;
    size_t len;
    bool ok;

    if (to == NULL)
        return wb_fail(err, WB_ENOMEM, "%s/%s: no memory", dir, name);
    text = wb_read_file(to->path, FILE_MAX_BYTES, &len, err);
    ok = text != NULL && read_text(drafts, to, text, len, err);
    free(text);
    return ok;
}

static bool read_dir(struct wb_drafts *drafts, const char *dir, struct wb_err *err)
{
    struct dirent **entry;
    int n = scandir(dir, &entry, is_lua, compare_names);
    bool ok = true;

    if (n < 0)
        return errno == ENOENT || wb_fail_errno(err, "%s", dir);
    for (int i = 0; i < n; i++) {
        ok = ok && read_file(drafts, dir, entry[i]->d_name, err);
        free(entry[i]);
    }
    free(entry);
    return ok;
}

bool wb_families_load(struct wb_arch_set *set, const char *const *dirs, size_t n,
                      struct wb_err *err)
{
    struct wb_drafts drafts = { 0 };
    bool ok = true;

    for (size_t i = 0; ok && i < n; i++)
        ok = read_dir(&drafts, dirs[i], err);
    ok = ok && wb_drafts_finish(&drafts, set, err);
    wb_drafts_free(&drafts);
    return ok;
}
