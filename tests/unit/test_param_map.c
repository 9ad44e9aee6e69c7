/* tests/unit/test_param_map.c - what parameters come to for each layer and role: every form, what
 * gave it, what matched nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lua/bind/param_map.h"
#include "lua/bind/script.h"
#include "tests/unit/lua_fixture.h"

#define LAYERS 4

struct fixture {
    struct lua_fixture lua;
    struct wb_script script;
    struct wb_param_map map;
};

/* A Llama of four layers, each with q, o and gate, and embeddings. */
static void make_model(struct lua_fixture *f, const char *name)
{
    char spec[2000] = "model.embed_tokens.weight:4,2=1";
    size_t n = strlen(spec);

    for (int l = 0; l < LAYERS; l++)
        n += (size_t)snprintf(spec + n, sizeof spec - n,
                              ";model.layers.%d.self_attn.q_proj.weight:2,2=1"
                              ";model.layers.%d.self_attn.o_proj.weight:2,2=1"
                              ";model.layers.%d.mlp.gate_proj.weight:2,2=1",
                              l, l, l);
    lua_fixture_model(f, name, "{\"model_type\":\"llama\",\"num_hidden_layers\":4}", spec);
}

static int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof f);
    lua_fixture_open(&f.lua);
    make_model(&f.lua, "a");
    make_model(&f.lua, "b");
    make_model(&f.lua, "c");
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wb_script_free(&f->script);
    wb_param_map_free(&f->map);
    lua_fixture_close(&f->lua);
    return 0;
}

/* The map of step `step` of a script made of what is given to the merge. */
static void map_script(struct fixture *f, const char *text, size_t step)
{
    wb_script_free(&f->script);
    wb_param_map_free(&f->map);
    if (!wb_script_run(f->lua.vm, "script.lua", text, strlen(text), NULL, 0, &f->script))
        fail_msg("%s", f->script.err.msg);
    if (!wb_vm_param_map(f->lua.vm, step, &f->map, &f->lua.err))
        fail_msg("%s", f->lua.err.msg);
}

static void map_merge(struct fixture *f, const char *params)
{
    char text[2000];

    snprintf(text, sizeof text,
             "local a, b, c = wb.open '%s/a', wb.open '%s/b', wb.open '%s/c'\n"
             "return wb.merge('task_arithmetic', {base = a, models = {b, c}, %s})",
             f->lua.dir, f->lua.dir, f->lua.dir, params);
    map_script(f, text, 0);
}

static const struct wb_param *param(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->map.params; i++)
        if (strcmp(f->map.param[i].name, name) == 0)
            return &f->map.param[i];
    fail_msg("there is no parameter %s", name);
    return NULL;
}

static size_t tensor(const struct fixture *f, int layer, const char *role)
{
    for (size_t i = 0; i < f->map.tensors; i++)
        if (f->map.tensor[i].layer == layer && strcmp(f->map.tensor[i].role, role) == 0)
            return i;
    fail_msg("there is no %s in layer %d", role, layer);
    return 0;
}

static const struct wb_param_value *value(const struct fixture *f, const char *name, size_t model,
                                          int layer, const char *role)
{
    return &param(f, name)->value[model * f->map.tensors + tensor(f, layer, role)];
}

static void check(const struct fixture *f, const char *name, size_t model, int layer,
                  const char *role, double want, const char *form)
{
    const struct wb_param_value *v = value(f, name, model, layer, role);
    const struct wb_param_tensor *t = &f->map.tensor[tensor(f, layer, role)];
    const struct wb_param_cell *cell =
        wb_param_cell(&f->map, param(f, name), model, t->row, t->column);

    if (fabs(v->number - want) > 1e-12 || strcmp(v->form, form) != 0)
        fail_msg("%s of %s in layer %d is %g by %s, not %g by %s", name, role, layer, v->number,
                 v->form, want, form);
    assert_true(fabs(strtod(v->text, NULL) - want) < 1e-9);
    assert_true(fabs(cell->value - want) < 1e-12 && cell->tensors == 1);
}

static void test_layout(void **state)
{
    struct fixture *f = *state;

    map_merge(f, "");
    assert_string_equal(f->map.method, "task_arithmetic");
    assert_int_equal(f->map.line, 2);
    assert_int_equal(f->map.tensors, 3 * LAYERS + 1);
    assert_int_equal(f->map.rows, LAYERS + 1);
    assert_int_equal(f->map.columns, 4);
    assert_string_equal(f->map.column[0], "q");
    assert_string_equal(f->map.column[1], "o");
    assert_string_equal(f->map.column[2], "gate");
    assert_string_equal(f->map.column[3], "embed");
    for (int l = 0; l < LAYERS; l++)
        assert_int_equal(f->map.row[l].layer, l);
    assert_int_equal(f->map.row[LAYERS].layer, -1);
    assert_int_equal(wb_param_cell(&f->map, param(f, "lambda"), 0, LAYERS, 0)->tensors, 0);
    assert_int_equal(param(f, "weight")->models, 2);
    assert_int_equal(param(f, "lambda")->models, 1);
    assert_false(param(f, "lambda")->varies);
    check(f, "lambda", 0, 2, "q", 1, "method's default");
    check(f, "weight", 1, -1, "embed", 1, "method's default");
    assert_true(param(f, "lambda")->declared ==
                (param(f, "lambda")->min < param(f, "lambda")->max));
    assert_int_equal(f->map.unmatcheds, 0);
}

static void test_forms(void **state)
{
    struct fixture *f = *state;

    map_merge(f, "lambda = 0.5, weight = {{0, 3}, {default = 0.1, roles = {q = 0.9, attn = {1, 4}},"
                 " ['*.3.mlp.*'] = 0.7, ['model.layers.1.mlp.gate_proj.weight'] = 0.6}}");
    check(f, "lambda", 0, 1, "o", 0.5, "value");
    for (int l = 0; l < LAYERS; l++)
        check(f, "weight", 0, l, "q", l, "list over depth"); /* 0 to 3 over four layers */
    check(f, "weight", 0, -1, "embed", 0, "list over depth");
    check(f, "weight", 1, 0, "q", 0.9, "roles.q");
    check(f, "weight", 1, 2, "o", 3, "roles.attn, list over depth");
    check(f, "weight", 1, 3, "gate", 0.7, "glob *.3.mlp.*");
    check(f, "weight", 1, 1, "gate", 0.6, "name model.layers.1.mlp.gate_proj.weight");
    check(f, "weight", 1, 0, "gate", 0.1, "default");
    assert_true(param(f, "weight")->varies);
    map_merge(f, "lambda = function(name, role, layer, layers) return (layer or 0) / layers end,"
                 "weight = {filter = 'x', value = 1} and {{filter = 'mlp', value = 2}, {filter = "
                 "'*', value = {0, 1}}}");
    check(f, "lambda", 0, 3, "gate", 0.75, "function");
    check(f, "weight", 0, 1, "gate", 2, "filter mlp");
    check(f, "weight", 1, 0, "q", 1, "filter *"); /* the list is one for each model */
    map_merge(f, "lambda = {roles = {q = 0.25}}");
    check(f, "lambda", 0, 0, "q", 0.25, "roles.q");
    check(f, "lambda", 0, 0, "o", 1, "method's default");
}

static void test_unmatched(void **state)
{
    static const struct {
        const char *param, *kind, *text, *nearest;
    } want[] = {
        { "include", "glob", "*.mlpp.*", "model.layers.0.mlp.gate_proj.weight" },
        { "lambda", "glob", "model.layers.9.self_attn.q_proj.weight",
          "model.layers.0.self_attn.q_proj.weight" },
        { "lambda", "role", "gat", "gate" },
        { "weight", "filter", "self_atn", "model.layers.0.self_attn.o_proj.weight" },
        { "weight", "role", "nothing_like_it", NULL },
    };
    struct fixture *f = *state;

    map_merge(
        f,
        "include = {'*', '*.mlpp.*'},"
        "lambda = {default = 1, roles = {gat = 0}, ['model.layers.9.self_attn.q_proj.weight'] = 2},"
        "weight = {{{filter = 'self_atn', value = 2}}, {roles = {nothing_like_it = 2}}}");
    for (size_t k = 0; k < sizeof want / sizeof want[0]; k++) {
        const struct wb_param_unmatched *u = NULL;

        for (size_t i = 0; i < f->map.unmatcheds; i++)
            if (strcmp(f->map.unmatched[i].text, want[k].text) == 0)
                u = &f->map.unmatched[i];
        if (u == NULL)
            fail_msg("%s is not told", want[k].text);
        assert_string_equal(u->param, want[k].param);
        assert_string_equal(u->kind, want[k].kind);
        if (want[k].nearest == NULL)
            assert_null(u->nearest);
        else if (u->nearest == NULL || strcmp(u->nearest, want[k].nearest) != 0)
            fail_msg("nearest to %s is %s", u->text, u->nearest == NULL ? "nothing" : u->nearest);
    }
    assert_int_equal(f->map.unmatcheds, sizeof want / sizeof want[0]);
}

/* Other kinds of steps and values; the function of a script may fail when it is asked again. */
static void test_kinds(void **state)
{
    struct fixture *f = *state;
    char text[1000];

    snprintf(text, sizeof text,
             "local a = wb.open '%s/a'\n"
             "local b = wb.merge('linear', {models = {a, a}})\n"
             "local n = 0\n"
             "local c = wb.merge('task_arithmetic', {base = a, models = {b}, lambda = function()\n"
             "  n = n + 1 if n > 13 then error 'enough' end return 1 end})\n"
             "return wb.compress('prune', c, {sparsity = {0, 0.6}})\n",
             f->lua.dir);
    map_script(f, text, 2);
    assert_string_equal(f->map.kind, "compress");
    check(f, "sparsity", 0, 1, "q", 0.2, "list over depth");
    assert_true(param(f, "sparsity")->declared);
    wb_param_map_free(&f->map);
    assert_true(wb_vm_param_map(f->lua.vm, 1, &f->map, &f->lua.err));
    assert_non_null(strstr(param(f, "lambda")->problem, "enough"));
    assert_null(param(f, "weight")->problem);
    wb_param_map_free(&f->map);
    assert_false(wb_vm_param_map(f->lua.vm, 3, &f->map, &f->lua.err));
    assert_int_equal(f->lua.err.code, WB_ENOTFOUND);
}

/* Choices and booleans have numbers, experts of one layer share a cell. */
static void test_cells(void **state)
{
    struct fixture *f = *state;
    char text[1500];

    lua_fixture_model(
        &f->lua, "moe",
        "{\"model_type\":\"mixtral\",\"num_hidden_layers\":1,\"num_local_experts\":2}",
        "model.layers.0.block_sparse_moe.experts.0.w1.weight:2,2=1;"
        "model.layers.0.block_sparse_moe.experts.1.w1.weight:2,2=1");
    snprintf(text, sizeof text,
             "local a = wb.open '%s/moe'\n"
             "return wb.merge('task_arithmetic', {base = a, models = {a}, "
             "lambda = {default = 0.5, ['*experts.1.*'] = 0.25}})",
             f->lua.dir);
    map_script(f, text, 0);
    assert_int_equal(f->map.tensors, 2);
    assert_int_equal(f->map.columns, 1);
    assert_int_equal(param(f, "lambda")->cell[0].tensors, 2);
    assert_true(isnan(param(f, "lambda")->cell[0].value));
    assert_true(param(f, "lambda")->cell[0].min == 0.25 && param(f, "lambda")->cell[0].max == 0.5);
    snprintf(text, sizeof text,
             "local a = wb.open '%s/a'\nreturn wb.merge('ties', {base = a, models = {a}, normalize "
             "= {roles = {q = false}}})",
             f->lua.dir);
    map_script(f, text, 0);
    assert_true(value(f, "normalize", 0, 0, "q")->number == 0);
    assert_true(value(f, "normalize", 0, 0, "o")->number == 1);
    assert_string_equal(value(f, "normalize", 0, 0, "o")->text, "true");
    assert_true(value(f, "definition", 0, 0, "o")->number == 0);
    assert_string_equal(value(f, "definition", 0, 0, "o")->text, "'mergekit'");
    assert_string_equal(param(f, "definition")->choice[1], "official");
    assert_true(param(f, "definition")->max == 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_layout), TEST(test_forms), TEST(test_unmatched),
        TEST(test_kinds),  TEST(test_cells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
