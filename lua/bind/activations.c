/* lua/bind/activations.c - wb.states and wb.gram: what goes through a model while it reads a text. */
#include <stdlib.h>
#include <string.h>

#include "app/probe/activations.h"
#include "app/probe/states.h"
#include "lua/bind/subject.h"

#define STATE_ROWS_DEFAULT 512
#define STATES_BYTES_MAX ((size_t)64 << 20)   /* all states are caught in one pass up to this */
#define GRAMS_BYTES_MAX ((uint64_t)128 << 20) /* of one pass, beyond the one asked for */

/* Figures of all states: a row of doubles, first these. */
enum { LAYERS, ROWS, ZERO_ROWS, NONFINITE_ROWS, HEAD };

static size_t states_count(size_t layers)
{
    size_t states = layers + 1;

    return HEAD + 3 * states * states + 2 * layers + states;
}

static void flatten_states(const struct wb_states *s, double *to)
{
    size_t layers = (size_t)s->layers, states = layers + 1;

    to[LAYERS] = s->layers;
    to[ROWS] = (double)s->rows;
    to[ZERO_ROWS] = (double)s->zero_rows;
    to[NONFINITE_ROWS] = (double)s->nonfinite_rows;
    to += HEAD;
    for (int i = 0; i < 3; i++, to += states * states)
        memcpy(to, s->matrix[i], states * states * sizeof *to);
    memcpy(to, s->influence, layers * sizeof *to);
    memcpy(to + layers, s->relative_step, layers * sizeof *to);
    memcpy(to + 2 * layers, s->norm, states * sizeof *to);
}

static void compute_states(lua_State *L, struct wb_lua_subject *s, size_t rows_max,
                           struct wb_lua_figures *f)
{
    struct wb_states states = { 0 };
    struct wb_rows rows;
    struct wb_err err;
    double *to;

    wb_lua_need_windows(L, s);
    to = wb_lua_figures_room(L, f, states_count((size_t)wb_net_spec(s->net)->layers), sizeof *to);
    rows = wb_windows_rows(&s->windows);
    if (!wb_states_run(s->net, &rows, rows_max, NULL, NULL, &states, &err))
        wb_lua_subject_raise(L, s, &err);
    flatten_states(&states, to);
    wb_states_free(&states);
}

static void set_whole(lua_State *L, const char *key, double value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

/* core.states(model, options, rows) -> {layers, rows, zero_rows, nonfinite_rows, cka, cosine,
 * angular, influence, relative_step, norm} */
static int states(lua_State *L)
{
    static const char *const metric[] = { "cka", "cosine", "angular" };
    size_t rows_max = (size_t)wb_lua_check_whole(L, 3), layers, count;
    struct wb_lua_subject *s = wb_lua_push_subject(L);
    struct wb_lua_figures *f = wb_lua_push_figures(L);
    struct wb_hash key = wb_lua_key(s, "states", (int64_t)rows_max, 0);
    const double *at;

    if (!wb_lua_recall(L, key, f)) {
        compute_states(L, s, rows_max, f);
        wb_lua_keep(L, key, f->bytes, f->n);
    }
    at = f->bytes;
    layers = (size_t)at[LAYERS];
    count = layers + 1;
    lua_newtable(L);
    set_whole(L, "layers", at[LAYERS]);
    set_whole(L, "rows", at[ROWS]);
    set_whole(L, "zero_rows", at[ZERO_ROWS]);
    set_whole(L, "nonfinite_rows", at[NONFINITE_ROWS]);
    at += HEAD;
    for (int i = 0; i < 3; i++, at += count * count) {
        wb_lua_push_matrix(L, at, count, count);
        lua_setfield(L, -2, metric[i]);
    }
    wb_lua_push_numbers(L, at, layers);
    lua_setfield(L, -2, "influence");
    wb_lua_push_numbers(L, at + layers, layers);
    lua_setfield(L, -2, "relative_step");
    wb_lua_push_numbers(L, at + 2 * layers, count);
    lua_setfield(L, -2, "norm");
    return 1;
}

/* The numbers of a model's equations, without opening it; its lists are gone. */
static struct wb_spec spec_of(lua_State *L, const struct wb_lua_subject *s)
{
    struct wb_arena arena = { 0 };
    struct wb_spec spec;
    struct wb_err err;
    bool ok = wb_spec_of(s->model, s->stack, &arena, &spec, &err);

    wb_arena_free(&arena);
    if (!ok)
        wb_lua_subject_raise(L, s, &err);
    return spec;
}

/* One state as float32 [rows, hidden]: a row of floats under a key of its own. */

struct catching {
    int first, states, wanted;
    size_t n, hidden;
};

/* All states in one pass while they are small, else the one. */
static struct catching plan_states(const struct wb_lua_subject *s, int wanted, size_t n)
{
    const struct wb_spec *spec = wb_net_spec(s->net);
    struct catching c = { .first = wanted,
                          .states = 1,
                          .wanted = wanted,
                          .n = n > 0 ? n : STATE_ROWS_DEFAULT,
                          .hidden = (size_t)spec->hidden };
    size_t rows = s->windows.start[s->windows.windows];

    if (c.n > rows)
        c.n = rows;
    if (c.n * c.hidden * sizeof(float) <= STATES_BYTES_MAX / ((size_t)spec->layers + 1)) {
        c.first = 0;
        c.states = spec->layers + 1;
    }
    return c;
}

/* The wanted state into f; every state that was caught is kept. */
static void catch_states(lua_State *L, struct wb_lua_subject *s, int wanted, size_t n,
                         struct wb_lua_figures *f)
{
    struct wb_rows rows;
    struct catching c;
    struct wb_err err;
    size_t size;
    float *all;

    wb_lua_need_windows(L, s);
    c = plan_states(s, wanted, n);
    size = c.n * c.hidden;
    all = wb_lua_figures_room(L, f, (size_t)c.states * size, sizeof *all);
    rows = wb_windows_rows(&s->windows);
    if (!wb_activations_states(s->net, &rows, c.first, c.states, c.n, all, &err))
        wb_lua_subject_raise(L, s, &err);
    for (int i = 0; i < c.states; i++)
        wb_lua_keep(L, wb_lua_key(s, "state", c.first + i, (int64_t)n), all + (size_t)i * size,
                    size * sizeof *all);
    f->bytes = all + (size_t)(wanted - c.first) * size;
    f->n = size * sizeof *all;
}

/* Float32 [rows, columns] as a tensor. */
static int push_floats(lua_State *L, const float *x, size_t rows, size_t columns)
{
    struct wb_shape shape = { .ndim = 2, .dim = { rows, columns } };
    struct wb_node **out = wb_lua_push_node(L);
    double *wide = malloc((rows * columns + 1) * sizeof *wide);
    struct wb_err err;

    for (size_t i = 0; wide != NULL && i < rows * columns; i++)
        wide[i] = (double)x[i];
    if (wide == NULL)
        wb_fail(&err, WB_ENOMEM, "no memory for %zu states", rows);
    else
        *out = wb_node_array(wide, &shape, &err);
    free(wide);
    return wb_lua_made(L, out, &err);
}

/* core.state(model, options, rows, state) -> tensor [rows, hidden] */
static int state(lua_State *L)
{
    size_t n = (size_t)wb_lua_check_whole(L, 3), hidden;
    uint64_t wanted = wb_lua_check_whole(L, 4);
    struct wb_lua_subject *s = wb_lua_push_subject(L);
    struct wb_lua_figures *f = wb_lua_push_figures(L);
    struct wb_spec spec = spec_of(L, s);

    if (wanted > (uint64_t)spec.layers)
        return wb_lua_fail(L, WB_EARG,
                           "%s: there is no state %llu: 0 is the embedding, %d the last",
                           wb_model_path(s->model), (unsigned long long)wanted, spec.layers);
    if (!wb_lua_recall(L, wb_lua_key(s, "state", (int64_t)wanted, (int64_t)n), f))
        catch_states(L, s, (int)wanted, n, f);
    hidden = (size_t)spec.hidden;
    return push_floats(L, f->bytes, f->n / sizeof(float) / hidden, hidden);
}

/* Gram matrices: kept by layer and input as rows, width, numbers. */

enum { GRAM_ROWS, GRAM_WIDTH, GRAM_HEAD };

struct taking {
    lua_State *L;
    const struct wb_lua_subject *s;
    struct wb_lua_figures *f; /* of the one asked for */
    int layer;
    const char *input;
    bool found, nonfinite, no_memory;
    uint64_t bytes;
};

static struct wb_hash gram_key(const struct wb_lua_subject *s, const char *input, int layer)
{
    char kind[32];

    snprintf(kind, sizeof kind, "gram %s", input);
    return wb_lua_key(s, kind, layer, 0);
}

/* Not in a protected call of its own: raises nothing. */
static bool take_gram(void *ctx, const struct wb_input_gram *g)
{
    struct taking *t = ctx;
    bool wanted = g->layer == t->layer && strcmp(g->input, t->input) == 0;
    size_t count = GRAM_HEAD + g->width * g->width;
    double *kept;

    if (!g->finite) {
        t->nonfinite = t->nonfinite || wanted;
        return !wanted;
    }
    kept = malloc(count * sizeof *kept);
    if (kept == NULL) {
        t->no_memory = true;
        return false;
    }
    kept[GRAM_ROWS] = (double)g->rows;
    kept[GRAM_WIDTH] = (double)g->width;
    memcpy(kept + GRAM_HEAD, g->value, g->width * g->width * sizeof *kept);
    wb_lua_keep(t->L, gram_key(t->s, g->input, g->layer), kept, count * sizeof *kept);
    t->bytes += count * sizeof *kept;
    if (wanted) {
        t->f->bytes = t->f->own = kept;
        t->f->n = count * sizeof *kept;
        t->found = true;
    } else {
        free(kept);
    }
    return g->layer == t->layer || t->bytes < GRAMS_BYTES_MAX;
}

static void compute_grams(lua_State *L, struct taking *t, struct wb_lua_subject *s)
{
    struct wb_rows rows;
    struct wb_err err;

    wb_lua_need_windows(L, s);
    rows = wb_windows_rows(&s->windows);
    if (!wb_activations_grams(s->net, &rows, t->layer, take_gram, t, &err))
        wb_lua_subject_raise(L, s, &err);
    if (t->nonfinite)
        wb_fail(&err, WB_ENUMERIC, "layer %d: what '%s' reads is not finite", t->layer, t->input);
    else if (t->no_memory)
        wb_fail(&err, WB_ENOMEM, "no memory for Gram matrices");
    else if (!t->found)
        wb_fail(&err, WB_ENOTFOUND, "layer %d: nothing reads '%s'", t->layer, t->input);
    else
        return;
    wb_lua_subject_raise(L, s, &err);
}

/* What the linear layer with that weight reads, as taps call it. */
static const char *input_of(lua_State *L, const struct wb_lua_subject *s, const struct wb_entry *e)
{
    struct wb_spec spec = spec_of(L, s);
    const char *input = e->role.layer < 0 ? NULL : wb_input_of_role(&spec, e->role.role);

    if (input == NULL)
        wb_lua_fail(L, WB_EARG,
                    "%s: tensor %s has the role '%s': a Gram matrix is of what the weight of a "
                    "linear layer within a block reads (q, k, v, qkv, o, gate, up, gate_up, down)",
                    wb_model_path(s->model), e->name, e->role.role);
    return input;
}

/* core.gram(model, options, name) -> tensor [in, in], rows */
static int gram(lua_State *L)
{
    const char *name = luaL_checkstring(L, 3);
    const struct wb_entry *e = wb_model_find(wb_lua_check_model(L, 1), name);
    struct taking t = { .L = L };
    struct wb_lua_subject *s;
    struct wb_node **out;
    struct wb_shape shape = { .ndim = 2 };
    const double *at;
    struct wb_err err;

    if (e == NULL)
        return wb_lua_fail(L, WB_ENOTFOUND, "%s has no tensor '%s'",
                           wb_model_path(wb_lua_check_model(L, 1)), name);
    s = wb_lua_push_subject(L);
    t.s = s;
    t.f = wb_lua_push_figures(L);
    t.layer = e->role.layer;
    t.input = input_of(L, s, e);
    if (!wb_lua_recall(L, gram_key(s, t.input, t.layer), t.f))
        compute_grams(L, &t, s);
    out = wb_lua_push_node(L);
    at = t.f->bytes;
    shape.dim[0] = shape.dim[1] = (uint64_t)at[GRAM_WIDTH];
    *out = wb_node_array(at + GRAM_HEAD, &shape, &err);
    if (*out == NULL)
        return wb_lua_raise(L, &err);
    lua_pushinteger(L, (lua_Integer)at[GRAM_ROWS]);
    return 2;
}

void wb_lua_open_activations(lua_State *L)
{
    static const luaL_Reg core[] = {
        { "states", states }, { "state", state }, { "gram", gram }, { NULL, NULL }
    };

    wb_lua_open_subject(L);
    luaL_setfuncs(L, core, 0);
}
