/* tests/unit/test_lua_merge.c - what the wrappers add to every method: parameters over depth and role, vocabularies,
 * missing tensors, guards, whole-model reductions, reports and the manifest's entry. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "app/core/str.h"
#include "tests/unit/lua_fixture.h"

#define CONFIG(vocab)                                                            \
    "{\"model_type\": \"llama\", \"num_hidden_layers\": 3, \"hidden_size\": 2, " \
    "\"vocab_size\": " vocab ","                                                 \
    "\"intermediate_size\": 2, \"num_attention_heads\": 1, \"tie_word_embeddings\": false}"
#define LAYER(n, up, norm)                                             \
    "model.layers." n ".mlp.up_proj.weight:2,2=" up ";model.layers." n \
    ".self_attn.q_proj.weight:2,2=" up ";"                             \
    "model.layers." n ".input_layernorm.weight:2=" norm ";"
#define EMBED "model.embed_tokens.weight"
#define UP(n) "model.layers." n ".mlp.up_proj.weight"
#define Q(n) "model.layers." n ".self_attn.q_proj.weight"
#define NORM(n) "model.layers." n ".input_layernorm.weight"

/* A method that writes its parameter into every entry, and one on layers, one on whole models. */
static const char show[] =
    "return {name = 'show', kind = 'merge', doc = 'shows x', base = 'optional',\n"
    "params = {x = {7, min = -100, max = 100, doc = 'number'}, w = {1, per = 'model'}, b = "
    "{false}, key = {'', secret = true},\n"
    "c = {'a', choices = {'a', 'b'}}, n = {1, type = 'integer'}, need = {nil, type = 'number', doc "
    "= 'say need'}},\n"
    "tensor = function(t, p)\n"
    "  if p.c == 'b' then return t:fill(p.w[#p.w]) end\n"
    "  if p.b then return t:fill(#t.models * 10 + t.index[#t.index]) end\n"
    "  return t:fill(p.x) end}";
static const char global[] =
    "return {name = 'global', kind = 'merge', doc = 'whole-model reductions', base = 'required',\n"
    "params = {density = {0.5}, order = {false}, skip = {''}},\n"
    "tensor = function(t, p)\n"
    "  local out = t:zeros()\n"
    "  if t.name == p.skip then return t.base end\n"
    "  for i, m in ipairs(t.models) do\n"
    "    local d = m - t.base\n"
    "    local norm = d:norm('all')\n"
    "    out = out + d:top(p.density, 'all') * norm + d:count('all') * 1000\n"
    "    if p.order and t.layer == 1 then d:sum('all') end\n"
    "  end\n"
    "  return out end}";
static const char bylayer[] =
    "return {name = 'bylayer', kind = 'merge', doc = 'layers', base = 'none', params = {x = {1}},\n"
    "layer = function(l, p)\n"
    "  local up = l:models('up')\n"
    "  l:set('up', up[1] * p.x + up[2]) l:note('up', 'layer', l.layer)\n"
    "  if not pcall(l.set, l, 'up', wb.array{1}) then l:set('q', l:models('q')[2]) end end}";
static const char bymodel[] =
    "return {name = 'bymodel', kind = 'merge', doc = 'models', base = 'none', params = {x = {1}},\n"
    "model = function(ms, p, r) r:note('', 'count', #ms) r:warn 'careful'\n"
    "  return ms[1]:map(function(t, i) return t + p(i.name).x end) end}";

static void method_file(struct lua_fixture *f, const char *name, const char *text)
{
    char path[100];

    snprintf(path, sizeof path, "plugins/merge/%s.lua", name);
    lua_fixture_file(f, path, text);
}

static int set_up(void **state)
{
    static struct lua_fixture f;

    lua_fixture_open(&f);
    lua_fixture_model(&f, "base", CONFIG("3"),
                      EMBED ":3,2=1,2,3,4,5,6;" LAYER("0", "1", "1") LAYER("1", "1", "1")
                          LAYER("2", "1", "1"));
    lua_fixture_model(&f, "a", CONFIG("3"),
                      EMBED ":3,2=1,2,3,4,5,7;" LAYER("0", "2", "1") LAYER("1", "1,3,1,1", "1")
                          LAYER("2", "1", "1"));
    lua_fixture_model(&f, "b", CONFIG("3"),
                      EMBED ":3,2=1,2,3,4,5,6;" LAYER("0", "1", "1") LAYER("1", "-4", "2")
                          LAYER("2", "1", "1"));
    lua_fixture_model(&f, "long", CONFIG("4"),
                      EMBED ":4,2=1,2,3,4,5,6,9,9;" LAYER("0", "2", "1") LAYER("1", "1", "1")
                          LAYER("2", "1", "1"));
    lua_fixture_model(&f, "short", CONFIG("2"),
                      EMBED ":2,2=2,2,9,9;" LAYER("0", "1", "1") LAYER("1", "1", "1")
                          LAYER("2", "1", "1"));
    lua_fixture_model(&f, "less", CONFIG("3"),
                      EMBED ":3,2=1,2,3,4,5,6;" LAYER("0", "2", "1")
                          LAYER("1", "1", "1") "model.layers.2.mlp.up_proj.weight:2,2=1;model."
                                               "layers.2.self_attn.q_proj.weight:3,2=1");
    lua_fixture_model(&f, "bad", CONFIG("3"),
                      EMBED ":3,2=nan,2,3,4,5,6;" LAYER("0", "2", "1") LAYER("1", "1", "1")
                          LAYER("2", "1", "1"));
    method_file(&f, "show", show);
    method_file(&f, "global", global);
    method_file(&f, "bylayer", bylayer);
    method_file(&f, "bymodel", bymodel);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    lua_fixture_close(*state);
    return 0;
}

/* Run wb.merge(method, {base =, models = {a, b}, <rest>}). */
static bool merge(struct lua_fixture *f, const char *method, const char *rest)
{
    char text[1200];

    snprintf(
        text, sizeof text,
        "local function o(n) return wb.open('$D/' .. n) end\n"
        "local given = {base = o 'base', models = {o 'a', o 'b'}, %s}\n"
        "if given.base == 0 then given.base = nil end\nlocal m = wb.merge('%s', given)\nreturn m",
        rest, method);
    return lua_fixture_run(f, text, NULL);
}

static void must_merge(struct lua_fixture *f, const char *method, const char *rest)
{
    if (!merge(f, method, rest))
        fail_msg("%s: %s", rest, f->err.msg);
}

static void must_fail(struct lua_fixture *f, const char *method, const char *rest, const char *says)
{
    if (merge(f, method, rest))
        fail_msg("%s: no error, where \"%s\" was expected", rest, says);
    lua_fixture_says(f, says);
}

static double first(struct lua_fixture *f, const char *name)
{
    double value[8] = { 0 };
    const struct wb_entry *e = wb_model_find(f->out.model, name);

    assert_non_null(e);
    lua_fixture_tensor(f, name, value, (size_t)wb_node_count(e->node));
    return value[0];
}

static bool warned(const struct lua_fixture *f, const char *what)
{
    for (size_t i = 0; i < wb_model_warning_count(f->out.model); i++)
        if (strstr(wb_model_warning(f->out.model, i), what) != NULL)
            return true;
    return false;
}

static void test_parameter_forms(void **state)
{
    struct lua_fixture *f = *state;

    must_merge(f, "show", "x = 3");
    assert_true(first(f, UP("1")) == 3);
    must_merge(f, "show", "");
    assert_true(first(f, UP("1")) == 7);
    must_merge(f, "show", "x = {0, 10}"); /* over depth; what has no layer takes the first */
    assert_true(first(f, UP("0")) == 0 && first(f, UP("1")) == 5 && first(f, UP("2")) == 10 &&
                first(f, EMBED) == 0);
    must_merge(f, "show", "x = {0, 10, 40}");
    assert_true(first(f, UP("1")) == 10 && first(f, UP("2")) == 40);
    must_merge(f, "show",
               "x = {default = 1, roles = {q = 2, mlp = {4, 8}, norm = 9}, ['*.0.*'] = 5, "
               "['*.0.mlp*'] = 6, ['" UP("2") "'] = -1}");
    assert_true(first(f, EMBED) == 1 && first(f, Q("1")) == 2 && first(f, Q("0")) == 5 &&
                first(f, UP("0")) == 6 && first(f, UP("1")) == 6 && first(f, UP("2")) == -1 &&
                first(f, NORM("1")) == 9);
    must_merge(f, "show", "x = {roles = {embed = 2}}"); /* the rest has the method's default */
    assert_true(first(f, EMBED) == 2 && first(f, UP("0")) == 7);
    must_merge(f, "show",
               "x = function(name, role, layer, layers) return (layer or 50) + layers end");
    assert_true(first(f, EMBED) == 53 && first(f, UP("2")) == 5);
    must_merge(f, "show",
               "x = {{filter = 'q_proj', value = {1, 3}}, {filter = 'layers.1.', value = 20}, "
               "{value = 30}}");
    assert_true(first(f, Q("1")) == 2 && first(f, UP("1")) == 20 && first(f, UP("0")) == 30);
    must_merge(
        f, "show",
        "x = 1, b = {false, true}"); /* does not interpolate: the second's turn is the last layer */
    assert_true(first(f, UP("1")) == 1 && first(f, UP("2")) == 22);
    must_merge(f, "show", "c = 'b', w = {1, {5, 6, 7}}"); /* one for each model, each of any form */
    assert_true(first(f, UP("0")) == 5 && first(f, UP("2")) == 7);
    must_merge(f, "show", "c = 'b', w = {default = {1, 2}, roles = {up = {3, {4, 8}}}}");
    assert_true(first(f, Q("0")) == 2 && first(f, UP("1")) == 6);
    must_merge(f, "show",
               "c = 'b', w = function(name, role, layer, layers, model) return model end");
    assert_true(first(f, UP("1")) == 2);
}

static void test_parameter_errors(void **state)
{
    struct lua_fixture *f = *state;

    must_fail(f, "show", "x = 101",
              "parameter x of merge 'show' is 101; it has to be in [-100, 100]");
    must_fail(f, "show", "x = 101, y = 1", "merge 'show': 2 problems");
    must_fail(f, "show", "x = 101, y = 1", "parameter x is 101; it has to be in [-100, 100]");
    must_fail(f, "show", "x = 'five'", "is a number, not 'five'");
    must_fail(f, "show", "x = 0 / 0", "NaN");
    must_fail(f, "show", "x = {}", "length 0");
    must_fail(f, "show", "x = {1, 'a'}", "is a number");
    must_fail(f, "show", "x = function() return 1000 end", "for " EMBED);
    must_fail(f, "show", "x = {['*.1.*'] = 500}", "it has to be in");
    must_fail(f, "show", "b = 1", "is true or false, not 1");
    must_fail(f, "show", "c = 'd'", "the choices are 'a', 'b'");
    must_fail(f, "show", "n = 1.5", "whole number");
    must_fail(f, "show", "w = {1, 2, 3}", "has 3 values for 2 models");
    must_fail(f, "show", "lamda = 1",
              "no parameter 'lamda'; it has b, c, key, n, need, seed, w, x");
    must_fail(f, "show", "vocab = 'cut'", "vocab is 'cut'; the choices are");
    must_fail(f, "show", "include = 3", "list of patterns");
    must_fail(f, "show", "models = {}", "at least 1 model");
    must_fail(f, "show", "models = {3}", "models[1] is number");
    must_fail(f, "global", "base = 0", "needs a base model");
    must_fail(f, "bylayer", "", "takes no base");
    must_fail(f, "slerp", "", "model");
    assert_true(strncmp(f->err.msg, "script.lua:4: ", 14) == 0);
    must_merge(f, "show", "x = {default = 1, ['*.foo'] = 2, roles = {gate = 3}}");
    assert_true(warned(f, "parameter x: pattern '*.foo' matches no tensor") &&
                warned(f, "role 'gate' matches no tensor"));
}

static void test_include_exclude(void **state)
{
    struct lua_fixture *f = *state;

    must_merge(f, "show", "exclude = {'norm', '*.1.*'}");
    assert_true(first(f, NORM("0")) == 1 && first(f, UP("1")) == 1 && first(f, UP("0")) == 7);
    must_merge(f, "show", "include = 'mlp', exclude = {'zzz'}");
    assert_true(first(f, UP("0")) == 7 && first(f, Q("0")) == 1 &&
                warned(f, "exclude: pattern 'zzz' matches no tensor"));
    must_merge(f, "show", "include = {'" UP("0") "'}, rest_from = 2");
    assert_true(first(f, UP("0")) == 7 && first(f, UP("1")) == -4 && first(f, NORM("1")) == 2);
    must_merge(f, "show", "include = 'embed', rest_from = 'average'");
    assert_true(first(f, UP("0")) == 1.5 && first(f, NORM("1")) == 1.5);
    must_fail(f, "show", "rest_from = 3", "rest_from is");
}

static void test_vocabulary(void **state)
{
    struct lua_fixture *f = *state;
    double e[8];

    must_fail(f, "linear", "base = 0, models = {o 'a', o 'long'}",
              "the vocabularies differ: [3, 2] in");
    must_merge(f, "linear", "base = 0, models = {o 'a', o 'long'}, vocab = 'submatrix'");
    lua_fixture_tensor(f, EMBED, e, 6);
    assert_true(e[5] == 6.5 && warned(f, "cut to the 3 rows"));
    must_merge(f, "linear", "base = 0, models = {o 'a', o 'short'}, vocab = 'submatrix'");
    lua_fixture_tensor(f, EMBED, e, 4);
    assert_true(e[0] == 1.5 && e[3] == 6.5);
    assert_int_equal(cJSON_GetObjectItem(wb_model_config(f->out.model), "vocab_size")->valueint, 2);
    must_merge(f, "task_arithmetic",
               "models = {o 'short'}, vocab = 'base_rows'"); /* its missing rows are no change */
    lua_fixture_tensor(f, EMBED, e, 6);
    assert_true(e[0] == 2 && e[3] == 9 && e[4] == 5 && e[5] == 6);
    must_merge(f, "task_arithmetic", "models = {o 'long'}, vocab = 'base_rows'");
    lua_fixture_tensor(f, EMBED, e, 6);
    assert_true(e[5] == 6);
    must_merge(f, "task_arithmetic", "models = {o 'short'}, vocab = 'exclude'");
    lua_fixture_tensor(f, EMBED, e, 6);
    assert_true(e[3] == 4);
    must_fail(f, "task_arithmetic", "models = {o 'short'}, vocab = 'map'", "tokenizer.json");
    lua_fixture_file(f, "base/tokenizer.json",
                     "{\"model\": {\"vocab\": {\"x\": 0, \"y\": 1}}, \"added_tokens\": [{\"id\": "
                     "2, \"content\": \"z\"}]}");
    lua_fixture_file(f, "short/vocab.json", "{\"z\": 0, \"x\": 1}");
    must_merge(f, "task_arithmetic", "models = {o 'short'}, vocab = 'map'");
    lua_fixture_tensor(f, EMBED, e, 6);
    assert_true(e[0] == 9 && e[2] == 3 && e[3] == 4 && e[4] == 2 && e[5] == 2); /* x, y kept, z */
}

static void test_problems(void **state)
{
    struct lua_fixture *f = *state;
    bool shape = false, missing = false;

    must_fail(f, "linear", "base = 0, models = {o 'a', o 'less'}", "2 problems");
    assert_int_equal(f->out.problems, 2);
    for (size_t i = 0; i < f->out.problems; i++) {
        shape = shape || (strstr(f->out.problem[i], Q("2") ": [2, 2] in") != NULL &&
                          strstr(f->out.problem[i], "[3, 2] in") != NULL);
        missing = missing || (strstr(f->out.problem[i], NORM("2") " is not in") != NULL &&
                              strstr(f->out.problem[i], "/less") != NULL);
    }
    assert_true(shape && missing);
    must_merge(
        f, "show",
        "models = {o 'a', o 'less', o 'b'}, exclude = 'q', on_missing = 'skip_model', b = true");
    assert_true(first(f, NORM("2")) == 23 &&
                first(f, NORM("1")) == 33); /* two models, the last of them the third */
    assert_true(warned(f, NORM("2") " is not in"));
    must_fail(f, "linear", "base = 0, models = {o 'less', o 'a'}, exclude = {'q'}", "is not in");
    must_merge(f, "linear",
               "base = 0, models = {o 'less', o 'a'}, exclude = 'q', on_missing = 'skip_model'");
    assert_true(first(f, NORM("2")) == 1 && warned(f, "taken from"));
}

static void test_nonfinite(void **state)
{
    struct lua_fixture *f = *state;
    double e[6];
    struct wb_target target = { .value = e };

    must_merge(f, "task_arithmetic", "models = {o 'bad'}");
    target.node = wb_model_find(f->out.model, EMBED)->node;
    assert_false(wb_evaluate(&(struct wb_eval){ .threads = 1 }, &target, 1, NULL, &f->err));
    assert_int_equal(f->err.code, WB_ENUMERIC);
    lua_fixture_says(f, EMBED);
    lua_fixture_says(f, "/bad");
    must_merge(f, "task_arithmetic", "models = {o 'bad'}, on_nonfinite = 'base'");
    assert_true(first(f, EMBED) == 1);
    must_merge(f, "task_arithmetic", "models = {o 'bad'}, on_nonfinite = 'propagate'");
    assert_true(isnan(first(f, EMBED)));
    must_fail(f, "linear", "base = 0, on_nonfinite = 'base'", "needs a base");
}

/* norm of all deltas of a: sqrt(1 + 4 * 1 * 2 + 2 * 2 * 2); 36 entries. */
static void test_whole_model(void **state)
{
    struct lua_fixture *f = *state;
    double up[4], e[6], norm = sqrt(1 + 8 + 8), count = 11;

    must_merge(f, "global",
               "models = {o 'a'}, density = 1 / 36 * 2.5"); /* the 2 largest: the 2s of layer 1 */
    lua_fixture_tensor(f, UP("1"), up, 4);
    assert_true(fabs(up[1] - norm - 1000 * count) < 1e-2 && up[0] == 1000 * count);
    lua_fixture_tensor(f, UP("0"), up, 4);
    assert_true(up[0] == 1000 * count);
    must_merge(f, "global", "models = {o 'a'}, density = 3 / 36 + 1e-9"); /* ties: the lower name */
    lua_fixture_tensor(f, EMBED, e, 6);
    assert_true(first(f, UP("0")) == 1000 * count && e[0] == 1000 * count &&
                fabs(e[5] - norm - 1000 * count) < 1e-2);
}

static void test_whole_model_order(void **state)
{
    struct lua_fixture *f = *state;

    must_merge(f, "global",
               "models = {o 'a'}, skip = '" EMBED "'"); /* one that asks for nothing is left out */
    assert_true(first(f, EMBED) == 1 && first(f, UP("2")) == 10000);
    must_merge(f, "global", "models = {o 'a', o 'b'}");
    must_fail(f, "global", "models = {o 'a', o 'b'}, order = true", "ask in the same order");
}

static void test_forms(void **state)
{
    struct lua_fixture *f = *state;
    const struct wb_step *step;
    double up[4];

    must_merge(f, "bylayer", "base = 0, x = {1, 3}");
    lua_fixture_tensor(f, UP("1"), up, 4);
    assert_true(up[0] == 1 * 2 - 4 && up[1] == 3 * 2 - 4 && first(f, UP("2")) == 4 &&
                first(f, Q("1")) == -4);
    assert_true(first(f, NORM("1")) == 1); /* untouched: the first model's */
    must_merge(f, "bymodel", "base = 0, x = {roles = {up = 5}}");
    assert_true(first(f, UP("0")) == 7 && first(f, Q("0")) == 3 &&
                warned(f, "merge 'bymodel': careful"));
    step = wb_model_step(f->out.model, wb_model_step_count(f->out.model) - 1);
    assert_true(step->notes == 1 && strcmp(step->note[0].key, "count") == 0);
    must_fail(f, "bylayer", "base = 0, models = {o 'a'}", "layer 0: ");
}

static void test_step(void **state)
{
    struct lua_fixture *f = *state;
    const struct wb_step *step;
    struct wb_eval how = { .threads = 1 };
    size_t found = 0;

    must_merge(f, "show", "x = {0, 10}, key = 'hush', n = 3, seed = 9, exclude = 'norm'");
    assert_int_equal(wb_model_step_count(f->out.model), 1);
    step = wb_model_step(f->out.model, 0);
    assert_non_null(strstr(step->json, "\"key\":\"(secret)\""));
    assert_null(strstr(step->json, "hush"));
    assert_non_null(strstr(step->json, "\"seed\":9"));
    assert_non_null(strstr(step->json, "\"x\":[0,10]"));
    assert_non_null(
        strstr(step->json, "\"resolved\":{\"x\":{\"embed\":0,\"q\":[0,5,10],\"up\":[0,5,10]}}"));
    for (size_t i = 0; i < step->notes; i++) {
        const struct wb_note *n = &step->note[i];
        double value, want;

        if (strcmp(n->tensor, UP("1")) != 0)
            continue;
        want = strcmp(n->key, "base_norm") == 0              ? 2
               : strcmp(n->key, "delta_norm.1") == 0         ? 2
               : strcmp(n->key, "delta_norm.2") == 0         ? 10
               : strcmp(n->key, "changed_share.1") == 0      ? 0.25
               : strcmp(n->key, "merged_delta_norm") == 0    ? 8
               : strcmp(n->key, "merged_changed_share") == 0 ? 1
               : strcmp(n->key, "cosine.1.2") == 0           ? -0.5
               : strcmp(n->key, "sign_conflict_share") == 0  ? 0.25
               : strcmp(n->key, "changed_share.2") == 0      ? 1
                                                             : NAN;
        if (!wb_evaluate(&how, &(struct wb_target){ .node = n->node, .value = &value }, 1, NULL,
                         &f->err))
            fail_msg("%s", f->err.msg);
        if (!(fabs(value - want) < 1e-6))
            fail_msg("%s is %g, not %g", n->key, value, want);
        found++;
    }
    assert_int_equal(found, 9);
}

/* k copies of a model give it back, bit for bit. */
static void test_copies(void **state)
{
    static const char *const method[] = { "linear", "slerp", "nuslerp", "multislerp", "karcher" };
    struct lua_fixture *f = *state;

    for (size_t i = 0; i < sizeof method / sizeof method[0]; i++) {
        double e[6];

        must_merge(f, method[i],
                   i == 1 ? "base = o 'a', models = {o 'a'}, t = 0.3"
                          : "base = 0, models = {o 'a', o 'a'}");
        lua_fixture_tensor(f, EMBED, e, 6);
        if (!(e[0] == 1 && e[1] == 2 && e[2] == 3 && e[5] == 7))
            fail_msg("%s: %.17g %.17g %.17g", method[i], e[0], e[1], e[2]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_forms), cmocka_unit_test(test_parameter_errors),
        cmocka_unit_test(test_include_exclude), cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_problems),        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_whole_model),     cmocka_unit_test(test_whole_model_order),
        cmocka_unit_test(test_forms),           cmocka_unit_test(test_step),
        cmocka_unit_test(test_copies),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
