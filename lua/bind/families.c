/* lua/bind/families.c - Lua tables under lua/arch -> struct wb_family.
 *
 * Every file runs in a state of its own that has no libraries, a memory budget and an instruction limit, and
 * is converted there under one pcall; what it says is copied into an arena, so that a longjmp loses
 * nothing. When all files are read, `like` is resolved and the families are compiled. The fields are
 * described in lua/arch/README.md. */
#include "lua/bind/families.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/arena.h"
#include "app/core/io.h"
#include "app/core/str.h"

#define MEMORY_MAX (16u << 20)
#define INSTRUCTIONS_MAX 1000000
#define FILE_MAX_BYTES (1u << 20)
#define DEPTH_MAX 16
#define PATTERNS_MAX 500
#define STACKS_MAX 8

/* The prefixes of pattern names that belong to a stack. */
struct stack_at {
    const char *name;
    const char *const *at; /* NULL-terminated */
};

/* One file as read. Everything is in the arena of the load. */
struct source {
    const char *path;
    const char *like;
    struct wb_family family;
    struct wb_family_pattern *pattern;
    const char **dropped; /* names an heir takes out of what it builds on */
    size_t drops;
    struct wb_family_stack stack[STACKS_MAX];
    struct stack_at at[STACKS_MAX];
    cJSON *flags;
    bool has_tied;
    int state; /* 0: as read, 1: being resolved, 2: resolved */
};

struct load {
    struct wb_arena arena;
    struct source **source;
    size_t count;
};

/* What the protected conversion works on. */
struct reading {
    struct load *load;
    struct source *to;
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
    (void)ar;
    luaL_error(L, "the file runs for more than %d instructions", INSTRUCTIONS_MAX);
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
    return need(L, wb_arena_strdup(&reading_of(L)->load->arena, lua_tostring(L, index)));
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
    const char **list = need(L, wb_arena_calloc(&reading_of(L)->load->arena, n + 1, sizeof *list));

    if (lua_type(L, -1) == LUA_TSTRING) {
        list[0] = keep(L, -1);
        return list;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "%s is a %s, not a list of strings", what, luaL_typename(L, -1));
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TSTRING)
            luaL_error(L, "%s: entry %d is a %s, not a string", what, (int)i + 1, luaL_typename(L, -1));
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
static void each_key(lua_State *L, const char *what, void (*fn)(lua_State *L, const char *key, void *ctx),
                     void *ctx)
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
    struct source *to = reading_of(L)->to;
    struct wb_arena *arena = &reading_of(L)->load->arena;
    const char *path = need(L, wb_arena_printf(arena, "%s%s", w->above, key));

    if (to->family.patterns == PATTERNS_MAX || to->drops == PATTERNS_MAX)
        luaL_error(L, "more than %d tensors", PATTERNS_MAX);
    if (lua_type(L, -1) == LUA_TSTRING) {
        to->pattern[to->family.patterns++] = (struct wb_family_pattern){ .name = path, .role = keep(L, -1) };
    } else if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
        to->dropped[to->drops++] = path;
    } else if (lua_istable(L, -1) && w->depth < DEPTH_MAX) {
        struct walk below = { need(L, wb_arena_printf(arena, "%s.", path)), w->depth + 1 };

        each_key(L, path, read_tensor, &below);
    } else {
        luaL_error(L, "tensors: %s is a %s, not a role (a string), a module (a table) or false", path,
                   luaL_typename(L, -1));
    }
}

static int compare_patterns(const void *a, const void *b)
{
    return strcmp(((const struct wb_family_pattern *)a)->name, ((const struct wb_family_pattern *)b)->name);
}

static void read_tensors(lua_State *L)
{
    struct source *to = reading_of(L)->to;
    struct wb_arena *arena = &reading_of(L)->load->arena;
    struct walk top = { "", 0 };

    to->pattern = need(L, wb_arena_calloc(arena, PATTERNS_MAX, sizeof *to->pattern));
    to->dropped = need(L, wb_arena_calloc(arena, PATTERNS_MAX, sizeof *to->dropped));
    if (lua_getfield(L, -1, "tensors") != LUA_TNIL)
        each_key(L, "tensors", read_tensor, &top);
    lua_pop(L, 1);
    qsort(to->pattern, to->family.patterns, sizeof *to->pattern, compare_patterns);
}

/* --- what is said by role --- */

static void set_transposed(lua_State *L, const char *role, size_t *found)
{
    struct source *to = reading_of(L)->to;

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
    struct source *to = reading_of(L)->to;
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
    struct source *to = reading_of(L)->to;
    size_t n;

    if (lua_getfield(L, -1, "stacks") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "stacks is a %s, not a list of tables", luaL_typename(L, -1));
    n = lua_rawlen(L, -1);
    if (n > STACKS_MAX)
        luaL_error(L, "more than %d stacks", STACKS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TTABLE)
            luaL_error(L, "stacks: entry %d is a %s, not a table", (int)i + 1, luaL_typename(L, -1));
        to->stack[i].name = to->at[i].name = text_field(L, "name");
        to->stack[i].key_layers = text_field(L, "layers");
        to->at[i].at = list_field(L, "at");
        if (to->stack[i].name == NULL || to->stack[i].key_layers == NULL || to->at[i].at == NULL)
            luaL_error(L, "stacks: entry %d needs name, at and layers", (int)i + 1);
        lua_pop(L, 1);
    }
    to->family.stacks = n;
    lua_pop(L, 1);
}

/* The fields of keys, in the order of struct wb_family. */
static const char *const key_names[] = { "layers", "hidden", "heads", "kv_heads", "head_dim", "intermediate",
                                         "vocab", "experts", "context", "tied" };
#define KEYS (sizeof key_names / sizeof *key_names)

static const char **key_slot(struct wb_family *f, size_t i)
{
    const char **slot[KEYS] = { &f->key_layers, &f->key_hidden, &f->key_heads, &f->key_kv_heads,
                                &f->key_head_dim, &f->key_intermediate, &f->key_vocab, &f->key_experts,
                                &f->key_context, &f->key_tied };

    return slot[i];
}

static void read_key(lua_State *L, const char *key, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(key, key_names[i]) == 0) {
            if (lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L, "keys: %s is a %s, not a string", key, luaL_typename(L, -1));
            *key_slot(&reading_of(L)->to->family, i) = keep(L, -1);
            return;
        }
    luaL_error(L, "keys: \"%s\" is not one of layers, hidden, heads, kv_heads, head_dim, intermediate, "
               "vocab, experts, context, tied", key);
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
        luaL_error(L, "forward: %s is a %s, not a string, number or boolean", key, luaL_typename(L, -1));
    need(L, made);
}

static void check_field(lua_State *L, const char *key, void *ctx)
{
    static const char *const known[] = { "name", "doc", "like", "model_types", "prefixes", "seen", "tensors",
                                         "transposed", "fused", "kinds", "stacks", "keys", "tied_default",
                                         "forward" };

    (void)ctx;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(key, known[i]) == 0)
            return;
    luaL_error(L, "\"%s\" is not a field of a family (name, doc, like, model_types, prefixes, seen, tensors, "
               "transposed, fused, kinds, stacks, keys, tied_default, forward)", key);
}

static void read_family(lua_State *L)
{
    struct source *to = reading_of(L)->to;

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

static bool read_text(struct load *load, struct source *to, const char *text, size_t len, struct wb_err *err)
{
    struct reading r = { .load = load, .to = to, .text = text, .len = len };
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

/* --- like --- */

/* A later directory goes first; a family may build on the one it replaces. */
static struct source *source_named(struct load *load, const char *name, const struct source *but)
{
    for (size_t i = load->count; i-- > 0;)
        if (load->source[i] != but && strcmp(load->source[i]->family.name, name) == 0)
            return load->source[i];
    return NULL;
}

static bool has_pattern(const struct source *s, const char *name)
{
    for (size_t i = 0; i < s->family.patterns; i++)
        if (strcmp(s->pattern[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < s->drops; i++)
        if (strcmp(s->dropped[i], name) == 0)
            return true;
    return false;
}

static bool inherit_flags(struct source *s, const struct source *from, struct wb_err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, from->flags) {
        cJSON *copy;

        if (cJSON_GetObjectItemCaseSensitive(s->flags, item->string) != NULL)
            continue;
        copy = cJSON_Duplicate(item, true);
        if (copy == NULL || !cJSON_AddItemToObject(s->flags, item->string, copy)) {
            cJSON_Delete(copy);
            return wb_fail(err, WB_ENOMEM, "%s: no memory for the family", s->path);
        }
    }
    return true;
}

/* Everything the family does not say itself, but for what tells it apart: name, doc, model_types, seen. */
static bool inherit(struct source *s, const struct source *from, struct wb_err *err)
{
    size_t own = s->family.patterns;

    for (size_t i = 0; i < from->family.patterns; i++) {
        if (has_pattern(s, from->pattern[i].name))
            continue;
        if (s->family.patterns == PATTERNS_MAX)
            return wb_fail(err, WB_ESCRIPT, "%s: more than %d tensors", s->path, PATTERNS_MAX);
        s->pattern[s->family.patterns++] = from->pattern[i];
    }
    if (own != s->family.patterns)
        qsort(s->pattern, s->family.patterns, sizeof *s->pattern, compare_patterns);
    for (size_t i = 0; i < KEYS; i++)
        if (*key_slot(&s->family, i) == NULL)
            *key_slot(&s->family, i) = *key_slot((struct wb_family *)(uintptr_t)&from->family, i);
    if (s->family.prefixes == NULL)
        s->family.prefixes = from->family.prefixes;
    if (s->family.stacks == 0) {
        memcpy(s->stack, from->stack, sizeof s->stack);
        memcpy(s->at, from->at, sizeof s->at);
        s->family.stacks = from->family.stacks;
    }
    if (!s->has_tied)
        s->family.tied_default = from->family.tied_default;
    return inherit_flags(s, from, err);
}

static bool resolve(struct load *load, struct source *s, struct wb_err *err)
{
    struct source *from;

    if (s->state == 2 || s->like == NULL) {
        s->state = 2;
        return true;
    }
    if (s->state == 1)
        return wb_fail(err, WB_ESCRIPT, "%s: like = \"%s\" leads back to itself", s->path, s->like);
    s->state = 1;
    from = source_named(load, s->like, s);
    if (from == NULL)
        return wb_fail(err, WB_ESCRIPT, "%s: like = \"%s\": no family has this name", s->path, s->like);
    if (!resolve(load, from, err) || !inherit(s, from, err))
        return false;
    s->state = 2;
    return true;
}

/* --- files --- */

/* The stack of a pattern: the one with the longest beginning. */
static const char *stack_of(const struct source *s, const char *name)
{
    const char *stack = "";
    size_t most = 0;

    for (size_t i = 0; i < s->family.stacks; i++)
        for (const char *const *at = s->at[i].at; *at != NULL; at++)
            if (strncmp(name, *at, strlen(*at)) == 0 && strlen(*at) > most) {
                most = strlen(*at);
                stack = s->at[i].name;
            }
    return stack;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

/* Flags as text with sorted keys: a table's own order changes from run to run. */
static char *flags_text(const cJSON *flags)
{
    size_t n = (size_t)cJSON_GetArraySize(flags), i = 0;
    const cJSON **item = calloc(n + 1, sizeof *item), *at;
    cJSON *sorted = cJSON_CreateObject();
    char *text = NULL;
    bool ok = item != NULL && sorted != NULL;

    if (ok)
        cJSON_ArrayForEach(at, flags)
            item[i++] = at;
    if (ok)
        qsort(item, n, sizeof *item, compare_items);
    for (i = 0; ok && i < n; i++) {
        cJSON *copy = cJSON_Duplicate(item[i], true);

        ok = copy != NULL && cJSON_AddItemToObject(sorted, item[i]->string, copy);
    }
    if (ok)
        text = cJSON_PrintUnformatted(sorted);
    cJSON_Delete(sorted);
    free(item);
    return text;
}

static bool add(struct wb_arch_set *set, struct source *s, struct wb_err *err)
{
    struct wb_family family = s->family;
    char *flags = flags_text(s->flags);
    bool ok = flags != NULL || wb_fail(err, WB_ENOMEM, "no memory for the family");

    for (size_t i = 0; i < family.patterns; i++)
        s->pattern[i].stack = stack_of(s, s->pattern[i].name);
    family.pattern = s->pattern;
    family.stack = s->stack;
    family.flags_json = flags;
    ok = ok && wb_arch_set_add(set, &family, err);
    if (!ok)
        wb_wrap(err, "%s", s->path);
    free(flags);
    return ok;
}

static int is_lua(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 4, ".lua") == 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static struct source *source_new(struct load *load, const char *dir, const char *name)
{
    struct source **grown = realloc(load->source, (load->count + 1) * sizeof *grown);
    struct source *to = wb_arena_alloc(&load->arena, sizeof *to);

    load->source = grown != NULL ? grown : load->source;
    if (grown == NULL || to == NULL)
        return NULL;
    to->path = wb_arena_printf(&load->arena, "%s/%s", dir, name);
    to->family.name = "";
    to->flags = cJSON_CreateObject();
    load->source[load->count++] = to;
    return to->path != NULL && to->flags != NULL ? to : NULL;
}

static bool read_file(struct load *load, const char *dir, const char *name, struct wb_err *err)
{
    struct source *to = source_new(load, dir, name);
    char *text;
    size_t len;
    bool ok;

    if (to == NULL)
        return wb_fail(err, WB_ENOMEM, "%s/%s: no memory", dir, name);
    text = wb_read_file(to->path, FILE_MAX_BYTES, &len, err);
    ok = text != NULL && read_text(load, to, text, len, err);
    free(text);
    return ok;
}

static bool read_dir(struct load *load, const char *dir, struct wb_err *err)
{
    struct dirent **entry;
    int n = scandir(dir, &entry, is_lua, compare_names);
    bool ok = true;

    if (n < 0)
        return errno == ENOENT || wb_fail_errno(err, "%s", dir);
    for (int i = 0; i < n; i++) {
        ok = ok && read_file(load, dir, entry[i]->d_name, err);
        free(entry[i]);
    }
    free(entry);
    return ok;
}

bool wb_families_load(struct wb_arch_set *set, const char *const *dirs, size_t n, struct wb_err *err)
{
    struct load load = { 0 };
    bool ok = true;

    for (size_t i = 0; ok && i < n; i++)
        ok = read_dir(&load, dirs[i], err);
    for (size_t i = 0; ok && i < load.count; i++)
        ok = resolve(&load, load.source[i], err);
    for (size_t i = 0; ok && i < load.count; i++)
        ok = add(set, load.source[i], err);
    for (size_t i = 0; i < load.count; i++)
        cJSON_Delete(load.source[i]->flags);
    free(load.source);
    wb_arena_free(&load.arena);
    return ok;
}
