/* lua/bind/param_map.c - the compiled parameters of a step, asked for every tensor.
 *
 * Values come from Lua, one list a parameter and model; cells are folded here. */
#include "lua/bind/param_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/bind/internal.h"

struct making {
    struct wb_param_map *map;
    size_t step;
    bool found;
};

static void *need(lua_State *L, void *p)
{
    if (p == NULL)
        wb_lua_fail(L, WB_ENOMEM, "no memory for a map of parameters");
    return p;
}

static void *get(lua_State *L, struct wb_param_map *map, size_t n, size_t size)
{
    return need(L, wb_arena_calloc(&map->arena, n + 1, size));
}

static const char *keep_text(lua_State *L, struct wb_param_map *map, int index)
{
    const char *text = lua_tostring(L, index);

    return text == NULL ? NULL : need(L, wb_arena_strdup(&map->arena, text));
}

static const char *text_field(lua_State *L, struct wb_param_map *map, const char *key,
                              const char *fallback)
{
    const char *text;

    lua_getfield(L, -1, key);
    text = keep_text(L, map, -1);
    lua_pop(L, 1);
    return text == NULL ? fallback : text;
}

static bool number_field(lua_State *L, const char *key, double *out)
{
    bool is;

    is = lua_getfield(L, -1, key) == LUA_TNUMBER;
    if (is)
        *out = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return is;
}

/* Tensors, rows and columns. */

/* Where the usual roles stand; the rest follows by name. */
static int role_rank(const char *role)
{
    static const char *const usual[] = {
        "attn_norm", "q", "k", "v", "qkv", "o", "mlp_norm", "gate", "up", "gate_up", "down",
    };

    for (int i = 0; i < (int)(sizeof usual / sizeof usual[0]); i++)
        if (strcmp(role, usual[i]) == 0)
            return i;
    return (int)(sizeof usual / sizeof usual[0]);
}

static int compare_roles(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int r = role_rank(x) - role_rank(y);

    return r != 0 ? r : strcmp(x, y);
}

static int compare_rows(const void *a, const void *b)
{
    const struct wb_param_row *x = a, *y = b;

    if ((x->layer < 0) != (y->layer < 0))
        return x->layer < 0 ? 1 : -1;
    if (strcmp(x->stack, y->stack) != 0)
        return strcmp(x->stack, y->stack);
    return x->layer - y->layer;
}

static void keep_tensors(lua_State *L, struct wb_param_map *map)
{
    size_t n = lua_rawlen(L, -1);

    map->tensor = get(L, map, n, sizeof *map->tensor);
    for (size_t i = 0; i < n; i++) {
        struct wb_param_tensor *t = &map->tensor[map->tensors++];
        double layer = -1;

        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        t->name = text_field(L, map, "name", "");
        t->role = text_field(L, map, "role", "");
        t->stack = text_field(L, map, "stack", "");
        number_field(L, "layer", &layer);
        t->layer = (int)layer;
        if (t->layer < 0)
            t->stack = "";
        lua_pop(L, 1);
    }
}

/* Sort n values and drop those that are alike; how many are left. */
static size_t unique(void *list, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    char *p = list;
    size_t kept = 0;

    qsort(list, n, size, compare);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || compare(p + (kept - 1) * size, p + i * size) != 0)
            memmove(p + kept++ * size, p + i * size, size);
    return kept;
}

static void lay_out(lua_State *L, struct wb_param_map *map)
{
    map->row = get(L, map, map->tensors, sizeof *map->row);
    map->column = get(L, map, map->tensors, sizeof *map->column);
    for (size_t i = 0; i < map->tensors; i++) {
        map->row[i] =
            (struct wb_param_row){ .stack = map->tensor[i].stack, .layer = map->tensor[i].layer };
        map->column[i] = map->tensor[i].role;
    }
    map->rows = unique(map->row, map->tensors, sizeof *map->row, compare_rows);
    map->columns = unique(map->column, map->tensors, sizeof *map->column, compare_roles);
    for (size_t i = 0; i < map->tensors; i++) {
        struct wb_param_tensor *t = &map->tensor[i];
        struct wb_param_row key = { .stack = t->stack, .layer = t->layer };
        const struct wb_param_row *row =
            bsearch(&key, map->row, map->rows, sizeof key, compare_rows);
        const char **column =
            bsearch(&t->role, map->column, map->columns, sizeof *column, compare_roles);

        t->row = (size_t)(row - map->row);
        t->column = (size_t)(column - map->column);
    }
}

/* Parameters. */

/* Text i of list `key` of the table at the top. Runs of one text are kept once: Lua's short strings
 * are one object. */
struct shared_text {
    const char *lua, *kept;
};

static const char *list_text(lua_State *L, struct wb_param_map *map, const char *key, size_t i,
                             struct shared_text *last)
{
    lua_getfield(L, -1, key);
    if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TSTRING) {
        lua_pop(L, 2);
        return "";
    }
    if (last->kept == NULL || lua_tostring(L, -1) != last->lua) {
        last->lua = lua_tostring(L, -1);
        last->kept = keep_text(L, map, -1);
    }
    lua_pop(L, 2);
    return last->kept;
}

static double list_number(lua_State *L, size_t i)
{
    double number = NAN;

    lua_getfield(L, -1, "numbers");
    if (lua_rawgeti(L, -1, (lua_Integer)i + 1) == LUA_TNUMBER)
        number = lua_tonumber(L, -1);
    lua_pop(L, 2);
    return number;
}

/* The values of one model are at the top. */
static void keep_values(lua_State *L, struct wb_param_map *map, struct wb_param *p, size_t model)
{
    struct wb_param_value *value = p->value + model * map->tensors;
    struct shared_text text = { 0 }, form = { 0 };
    bool same;

    lua_getfield(L, -1, "same");
    same = lua_toboolean(L, -1);
    lua_pop(L, 1);
    for (size_t i = 0; i < map->tensors; i++) {
        if (same && i > 0) {
            value[i] = value[0];
            continue;
        }
        value[i].number = list_number(L, i);
        value[i].text = list_text(L, map, "texts", i, &text);
        value[i].form = list_text(L, map, "forms", i, &form);
        if (strcmp(value[i].text, value[0].text) != 0)
            p->varies = true;
        if (!isnan(value[i].number))
            p->numbers = true;
    }
}

static void fold_cells(struct wb_param_map *map, struct wb_param *p)
{
    for (size_t m = 0; m < p->models; m++)
        for (size_t i = 0; i < map->tensors; i++) {
            const struct wb_param_tensor *t = &map->tensor[i];
            double x = p->value[m * map->tensors + i].number;
            struct wb_param_cell *c = &p->cell[(m * map->rows + t->row) * map->columns + t->column];

            if (c->tensors++ == 0) {
                c->value = c->min = c->max = x;
            } else {
                c->min = fmin(c->min, x);
                c->max = fmax(c->max, x);
                if (!(c->value == x))
                    c->value = NAN;
            }
        }
}

/* Bounds over the values where the method declares none. */
static void fold_bounds(struct wb_param_map *map, struct wb_param *p)
{
    double low = NAN, high = NAN;

    for (size_t i = 0; i < p->models * map->tensors; i++) {
        low = fmin(low, p->value[i].number);
        high = fmax(high, p->value[i].number);
    }
    p->min = isnan(low) ? 1 : low;
    p->max = isnan(high) ? 0 : high;
}

/* The spec is at the top. */
static void keep_spec(lua_State *L, struct wb_param_map *map, struct wb_param *p)
{
    const char *type = text_field(L, map, "type", "");
    bool low = number_field(L, "min", &p->min), high = number_field(L, "max", &p->max);

    p->doc = text_field(L, map, "doc", "");
    p->declared = low && high;
    if (strcmp(type, "boolean") == 0) {
        p->min = 0;
        p->max = 1;
        p->declared = true;
    }
    if (lua_getfield(L, -1, "choices") == LUA_TTABLE) {
        size_t n = lua_rawlen(L, -1);
        const char **choice = get(L, map, n, sizeof *choice);

        for (size_t i = 0; i < n; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i + 1);
            choice[i] = need(L, wb_arena_strdup(&map->arena, luaL_tolstring(L, -1, NULL)));
            lua_pop(L, 2);
        }
        p->choice = choice;
        p->min = 0;
        p->max = (double)n - 1;
        p->declared = n > 0;
    }
    lua_pop(L, 1);
}

/* The set is at index 2. */
static void keep_param(lua_State *L, struct wb_param_map *map, struct wb_param *p)
{
    lua_getfield(L, 2, "specs");
    lua_getfield(L, -1, p->name);
    keep_spec(L, map, p);
    lua_pop(L, 2);
    lua_getfield(L, 2, "map");
    lua_pushvalue(L, 2);
    lua_pushstring(L, p->name);
    lua_call(L, 2, 2);
    p->problem = keep_text(L, map, -1);
    lua_pop(L, 1);
    p->models = lua_rawlen(L, -1);
    p->value = get(L, map, p->models * map->tensors, sizeof *p->value);
    p->cell = get(L, map, p->models * map->rows * map->columns, sizeof *p->cell);
    for (size_t m = 0; m < p->models; m++) {
        lua_rawgeti(L, -1, (lua_Integer)m + 1);
        keep_values(L, map, p, m);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    fold_cells(map, p);
    if (!p->declared)
        fold_bounds(map, p);
}

static void keep_params(lua_State *L, struct wb_param_map *map)
{
    size_t n;

    lua_getfield(L, 2, "names");
    n = lua_rawlen(L, -1);
    map->param = get(L, map, n, sizeof *map->param);
    for (size_t i = 0; i < n; i++) {
        struct wb_param *p = &map->param[map->params];

        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        p->name = keep_text(L, map, -1);
        lua_pop(L, 1);
        keep_param(L, map, p);
        map->params++;
    }
    lua_pop(L, 1);
}

static void keep_unmatched(lua_State *L, struct wb_param_map *map)
{
    size_t n = lua_rawlen(L, -1);

    map->unmatched = get(L, map, n, sizeof *map->unmatched);
    for (size_t i = 0; i < n; i++) {
        struct wb_param_unmatched *u = &map->unmatched[i];

        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        u->param = text_field(L, map, "param", "");
        u->kind = text_field(L, map, "kind", "");
        u->text = text_field(L, map, "text", "");
        u->nearest = text_field(L, map, "nearest", NULL);
        map->unmatcheds++;
        lua_pop(L, 1);
    }
}

static int make(lua_State *L)
{
    struct making *k = lua_touserdata(L, 1);
    struct wb_param_map *map = k->map;
    double line = 0;

    wb_vm_push_function(L, "wb.outcome", "parameters");
    lua_pushinteger(L, (lua_Integer)k->step + 1);
    lua_call(L, 1, 3); /* 2: the set; 3: the step; 4: what matched nothing */
    if (lua_isnil(L, 2))
        return 0;
    k->found = true;
    keep_unmatched(L, map);
    lua_pop(L, 1);
    map->kind = text_field(L, map, "kind", "");
    map->method = text_field(L, map, "method", "");
    number_field(L, "line", &line);
    map->line = (int)line;
    lua_getfield(L, 2, "infos");
    lua_pushvalue(L, 2);
    lua_call(L, 1, 1);
    keep_tensors(L, map);
    lua_pop(L, 1);
    lay_out(L, map);
    keep_params(L, map);
    return 0;
}

bool wb_vm_param_map(struct wb_vm *vm, size_t step, struct wb_param_map *out, struct wb_err *err)
{
    struct making k = { .map = out, .step = step };
    bool ok;

    *out = (struct wb_param_map){ 0 };
    wb_vm_refill(vm);
    ok = wb_vm_protected(vm, make, &k, err);
    wb_vm_release(vm);
    if (ok && !k.found)
        ok = wb_fail(err, WB_ENOTFOUND, "the script has no step %zu with parameters", step + 1);
    if (!ok)
        wb_param_map_free(out);
    return ok;
}

void wb_param_map_free(struct wb_param_map *map)
{
    wb_arena_free(&map->arena);
    *map = (struct wb_param_map){ 0 };
}
