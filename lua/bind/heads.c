/* lua/bind/heads.c - wb.attention: statistics of attention heads, and what one looks at. */
#include <stdlib.h>
#include <string.h>

#include "app/probe/heads.h"
#include "lua/bind/subject.h"

#define PATTERN_TOKENS_MAX 4096

/* Parts of the work; figures of each set of parts are kept together. */
enum { PART_TEXT = 1, PART_REPEATED = 2, PART_RETRIEVAL = 4, PART_WEIGHTS = 8, PART_ALL = 15 };
enum { PART_COMPOSITION = 16 }; /* slow: not of all */

/* Figures: a row of doubles, first these, then for each statistic whether it is there and its grid,
 * then roles and order, then the same for similarities of groups. */
enum { LAYERS, HEADS, GROUPS, ROWS, SAMPLED, HEAD };

static size_t flat_count(size_t layers, size_t heads, size_t groups)
{
    return HEAD + (WB_HEAD_STAT_COUNT + 2) * (1 + layers * heads) +
           2 * (1 + layers * groups * groups);
}

static double *flatten_grid(double *to, const double *grid, size_t n)
{
    *to++ = grid != NULL;
    if (grid != NULL)
        memcpy(to, grid, n * sizeof *to);
    return to + n;
}

/* order: scratch for layers * heads. */
static void flatten(const struct wb_heads *h, bool roles, int *order, double *to)
{
    size_t n = (size_t)h->layers * (size_t)h->heads,
           similar = (size_t)h->layers * (size_t)h->kv_heads * (size_t)h->kv_heads;

    to[LAYERS] = h->layers;
    to[HEADS] = h->heads;
    to[GROUPS] = h->kv_heads;
    to[ROWS] = (double)h->rows;
    to[SAMPLED] = h->sampled_vocabulary;
    to += HEAD;
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        to = flatten_grid(to, h->stat[i], n);
    *to++ = roles;
    for (size_t i = 0; roles && i < n; i++)
        to[i] = wb_heads_role(h, (int)i / h->heads, (int)i % h->heads);
    to += n;
    roles = h->stat[WB_HEAD_demand] != NULL && h->stat[WB_HEAD_reuse_mass] != NULL;
    *to++ = roles;
    if (roles)
        wb_heads_by_priority(h, order);
    for (size_t i = 0; roles && i < n; i++)
        to[i] = order[i];
    to = flatten_grid(to + n, h->group_similarity, similar);
    flatten_grid(to, h->group_similarity_v, similar);
}

static void compute(lua_State *L, struct wb_lua_subject *s, int parts, struct wb_heads_how *how,
                    struct wb_lua_figures *f)
{
    const struct wb_spec *spec;
    struct wb_heads heads = { 0 };
    struct wb_rows rows = { 0 };
    struct wb_err err;
    double *to;
    int *order;

    wb_lua_need_net(L, s);
    if ((parts & (PART_TEXT | PART_RETRIEVAL)) != 0) {
        wb_lua_need_windows(L, s);
        rows = wb_windows_rows(&s->windows);
    }
    how->text = (parts & PART_TEXT) != 0;
    how->repeated = (parts & PART_REPEATED) != 0;
    how->retrieval = (parts & PART_RETRIEVAL) != 0;
    how->weights = (parts & PART_WEIGHTS) != 0;
    how->composition = (parts & PART_COMPOSITION) != 0;
    spec = wb_net_spec(s->net);
    to = wb_lua_figures_room(
        L, f, flat_count((size_t)spec->layers, (size_t)spec->heads, (size_t)spec->kv_heads),
        sizeof *to);
    order =
        lua_newuserdatauv(L, ((size_t)spec->layers * (size_t)spec->heads + 1) * sizeof *order, 0);
    if (!wb_heads_run(s->net, rows.sequences > 0 ? &rows : NULL, how, &heads, &err))
        wb_lua_subject_raise(L, s, &err);
    flatten(&heads, parts == PART_ALL, order, to);
    wb_heads_free(&heads);
}

/* Pushing. */

static void set_whole(lua_State *L, const char *key, double value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

/* The grid at `at` as a field, when it is there; gives what is behind it. */
static const double *set_grid(lua_State *L, const char *key, const double *at, size_t rows,
                              size_t columns)
{
    if (at[0] != 0) {
        wb_lua_push_matrix(L, at + 1, rows, columns);
        lua_setfield(L, -2, key);
    }
    return at + 1 + rows * columns;
}

/* Names of the bits of a role, a list. */
static void push_role(lua_State *L, unsigned role)
{
    static const char *const name[] = { "previous", "induction", "sink",
                                        "local",    "retrieval", "dead" };
    lua_Integer n = 0;

    lua_createtable(L, 2, 0);
    luaL_setmetatable(L, "wb.list");
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++)
        if ((role & 1u << i) != 0) {
            lua_pushstring(L, name[i]);
            lua_rawseti(L, -2, ++n);
        }
}

static const double *set_roles(lua_State *L, const double *at, size_t layers, size_t heads)
{
    if (at[0] == 0)
        return at + 1 + layers * heads;
    at++;
    lua_createtable(L, (int)layers, 0);
    luaL_setmetatable(L, "wb.list");
    for (size_t l = 0; l < layers; l++) {
        lua_createtable(L, (int)heads, 0);
        luaL_setmetatable(L, "wb.list");
        for (size_t h = 0; h < heads; h++) {
            push_role(L, (unsigned)*at++);
            lua_rawseti(L, -2, (lua_Integer)h + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)l + 1);
    }
    lua_setfield(L, -2, "roles");
    return at;
}

/* {layer, head} of each in turn. */
static const double *set_order(lua_State *L, const double *at, size_t layers, size_t heads)
{
    if (at[0] == 0)
        return at + 1 + layers * heads;
    at++;
    lua_createtable(L, (int)(layers * heads), 0);
    luaL_setmetatable(L, "wb.list");
    for (size_t i = 0; i < layers * heads; i++, at++) {
        size_t place = (size_t)*at;

        wb_lua_push_numbers(L, NULL, 0);
        lua_pushinteger(L, (lua_Integer)(place / heads));
        lua_rawseti(L, -2, 1);
        lua_pushinteger(L, (lua_Integer)(place % heads));
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "priority");
    return at;
}

static void push_figures(lua_State *L, const double *at)
{
    size_t layers = (size_t)at[LAYERS], heads = (size_t)at[HEADS], groups = (size_t)at[GROUPS];

    lua_newtable(L);
    set_whole(L, "layers", at[LAYERS]);
    set_whole(L, "heads", at[HEADS]);
    set_whole(L, "kv_heads", at[GROUPS]);
    set_whole(L, "rows", at[ROWS]);
    lua_pushboolean(L, at[SAMPLED] != 0);
    lua_setfield(L, -2, "sampled_vocabulary");
    at += HEAD;
    lua_newtable(L);
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        at = set_grid(L, wb_head_stat_info((enum wb_head_stat)i)->name, at, layers, heads);
    lua_setfield(L, -2, "stats");
    at = set_roles(L, at, layers, heads);
    at = set_order(L, at, layers, heads);
    at = set_grid(L, "group_similarity_k", at, layers, groups * groups);
    set_grid(L, "group_similarity_v", at, layers, groups * groups);
}

/* core.heads(model, options, parts, top, local, seed) */
static int heads(lua_State *L)
{
    int parts = (int)luaL_checkinteger(L, 3) & (PART_ALL | PART_COMPOSITION);
    struct wb_heads_how how = { .top = (int)luaL_checkinteger(L, 4),
                                .local = (int)luaL_checkinteger(L, 5),
                                .seed = (uint64_t)luaL_checkinteger(L, 6) };
    struct wb_lua_subject *s = wb_lua_push_subject(L);
    struct wb_lua_figures *f = wb_lua_push_figures(L);
    char kind[32];
    struct wb_hash key;

    snprintf(kind, sizeof kind, "heads %d %d", parts, how.top);
    key = wb_lua_key(s, kind, how.local, (int64_t)how.seed);
    if (!wb_lua_recall(L, key, f)) {
        compute(L, s, parts, &how, f);
        wb_lua_keep(L, key, f->bytes, f->n);
    }
    push_figures(L, f->bytes);
    return 1;
}

/* core.head_stats() -> {name, doc, low, high, part} of each, in order */
static int head_stats(lua_State *L)
{
    lua_createtable(L, WB_HEAD_STAT_COUNT, 0);
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++) {
        const struct wb_head_stat_info *info = wb_head_stat_info((enum wb_head_stat)i);
        int part = info->pairs                                        ? PART_COMPOSITION
                   : info->weights                                    ? PART_WEIGHTS
                   : i == WB_HEAD_duplicate || i == WB_HEAD_induction ? PART_REPEATED
                   : i == WB_HEAD_retrieval                           ? PART_RETRIEVAL
                                                                      : PART_TEXT;

        lua_createtable(L, 0, 5);
        lua_pushstring(L, info->name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, info->doc);
        lua_setfield(L, -2, "doc");
        if (info->low < info->high) {
            lua_pushnumber(L, info->low);
            lua_setfield(L, -2, "low");
            lua_pushnumber(L, info->high);
            lua_setfield(L, -2, "high");
        }
        set_whole(L, "part", part);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* One head over a text. */

static void push_pieces(lua_State *L, const struct wb_lua_subject *s, const int32_t *id, size_t n)
{
    lua_createtable(L, (int)n, 0);
    luaL_setmetatable(L, "wb.list");
    for (size_t i = 0; i < n; i++) {
        const char *piece = wb_tokenizer_piece(s->tokenizer, id[i]);

        lua_pushstring(L, piece == NULL ? "?" : piece);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static uint64_t check_below(lua_State *L, const struct wb_lua_subject *s, const char *what,
                            uint64_t value, int limit)
{
    if (value >= (uint64_t)limit)
        wb_lua_fail(L, WB_EARG, "%s: there is no %s %llu: there are 0 to %d",
                    wb_model_path(s->model), what, (unsigned long long)value, limit - 1);
    return value;
}

/* core.pattern(model, {text =, stack =}, layer, head) -> tensor [n, n], {tokens} */
static int pattern(lua_State *L)
{
    uint64_t layer = wb_lua_check_whole(L, 3), head = wb_lua_check_whole(L, 4);
    struct wb_lua_subject *s = wb_lua_push_subject(L);
    const struct wb_spec *spec;
    struct wb_shape shape = { .ndim = 2 };
    struct wb_node **out;
    struct wb_lua_figures *f;
    struct wb_err err;
    double *wide;
    size_t n;

    s->limit = 1;
    wb_lua_need_windows(L, s);
    n = s->windows.start[1];
    if (n > PATTERN_TOKENS_MAX)
        return wb_lua_fail(L, WB_EARG, "a pattern of %zu tokens; at most %d are shown", n,
                           PATTERN_TOKENS_MAX);
    spec = wb_net_spec(s->net);
    check_below(L, s, "layer", layer, spec->layers);
    check_below(L, s, "head", head, spec->heads);
    out = wb_lua_push_node(L);
    f = wb_lua_push_figures(L);
    f->own = wb_heads_pattern(s->net, s->windows.token, n, (int)layer, (int)head, &err);
    if (f->own == NULL)
        return wb_lua_subject_raise(L, s, &err);
    wide = lua_newuserdatauv(L, n * n * sizeof *wide, 0);
    for (size_t i = 0; i < n * n; i++)
        wide[i] = (double)((const float *)f->own)[i];
    shape.dim[0] = shape.dim[1] = n;
    *out = wb_node_array(wide, &shape, &err);
    if (*out == NULL)
        return wb_lua_raise(L, &err);
    lua_pop(L, 2);
    push_pieces(L, s, s->windows.token, n);
    return 2;
}

void wb_lua_open_heads(lua_State *L)
{
    static const luaL_Reg core[] = {
        { "heads", heads }, { "head_stats", head_stats }, { "pattern", pattern }, { NULL, NULL }
    };

    luaL_setfuncs(L, core, 0);
}
