/* tests/unit/test_lua_infer.c - wb.eval, wb.states, wb.gram, wb.attention, the probes over them and
 * drop_layers by what layers do, on a really trained model of eight layers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/core/str.h"
#include "tests/unit/lua_fixture.h"

#define ZOO "tests/data/zoo/"
#define ENGLISH ZOO "eval/english.txt"

/* What every script below begins with; a few windows are enough and quick. */
static const char start[] = "local base, text = wb.open '" ZOO "base', '" ENGLISH "'\n"
                            "local function near(a, b, within)\n"
                            "  if math.abs(a - b) > within * (1 + math.abs(b)) then error(('%.9g "
                            "is not %.9g'):format(a, b), 2) end\n"
                            "end\n"
                            "local function fails(what, fn, ...)\n"
                            "  local ok, message = pcall(fn, ...)\n"
                            "  if ok then error('no error; expected: ' .. what, 2) end\n"
                            "  if not tostring(message):find(what, 1, true) then error(message .. "
                            "' does not say ' .. what, 2) end\n"
                            "end\n";

static int set_up(void **state)
{
    static struct lua_fixture f;

    lua_fixture_open(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    lua_fixture_close(*state);
    return 0;
}

/* Run it; the script returns a model, or nothing. */
static void holds(struct lua_fixture *f, const char *text)
{
    struct wb_str all = { 0 };
    bool ok;

    wb_str_add(&all, start);
    wb_str_add(&all, text);
    if (strstr(text, "\nreturn ") == NULL)
        wb_str_add(&all, "\nreturn base");
    ok = lua_fixture_run(f, all.text, NULL);
    wb_str_free(&all);
    if (!ok)
        fail_msg("%s", f->err.msg);
}

static void fails(struct lua_fixture *f, const char *text, const char *what)
{
    struct wb_str all = { 0 };
    bool ok;

    wb_str_add(&all, start);
    wb_str_add(&all, text);
    ok = lua_fixture_run(f, all.text, NULL);
    wb_str_free(&all);
    assert_false(ok);
    lua_fixture_says(f, what);
}

/* Against figures of an independent implementation (1e-4: float32 arithmetic in another order). */
static void test_eval(void **state)
{
    holds(*state,
          "local golden = wb.parse_json(wb.read_text 'tests/data/goldens/zoo/golden.json')\n"
          "local e = wb.eval(base, {text = text, window = 127})\n"
          "near(e.nll, golden.llama.base.metrics.english_nll, 1e-4)\n"
          "near(e.perplexity, math.exp(e.nll), 1e-9)\n"
          "assert(e.tokens > 1000 and not e.nonfinite and e.nll_error > 0)\n"
          "local images = wb.eval(wb.open '" ZOO "vit-digits', {images = '" ZOO
          "eval/vit-digits.safetensors'})\n"
          "near(images.accuracy, golden.vit['vit-digits'].test_accuracy, 1e-6)\n"
          "assert(wb.eval(base, {tasks = '" ZOO "eval/math.jsonl', limit = 3}).items == 3)");
}

static void test_eval_refuses(void **state)
{
    struct lua_fixture *f = *state;

    lua_fixture_file(f, "latin1.txt", "caf\xe9 au lait");
    holds(
        f,
        "fails('takes one of text, tasks and images', wb.eval, base, {text = text, tasks = text})\n"
        "fails('needs one of text, tasks and images', wb.eval, base, {})\n"
        "fails(\"has no option 'txt'; it has images, limit, tasks, text, window\", wb.eval, base, "
        "{txt = text})\n"
        "fails('limit is a whole number', wb.eval, base, {text = text, limit = 1.5})\n"
        "fails('is a model, not string', wb.eval, 'base', {text = text})\n"
        "fails('scripts read below the working directory', wb.eval, base, {text = '/etc/passwd'})\n"
        "fails('scripts read below the working directory', wb.eval, base, {images = "
        "'/etc/passwd'})\n"
        "fails('no-such.txt', wb.eval, base, {text = 'no-such.txt'})");
    f->options.trust = true; /* to read what lies in a temporary directory */
    lua_fixture_restart(f);
    fails(f, "return wb.eval(base, {text = '$D/latin1.txt'})", "latin1.txt");
    lua_fixture_says(f, "script.lua:10: ");
    lua_fixture_says(f, ZOO "base");
    f->options.trust = false;
    lua_fixture_restart(f);
}

/* The figures follow from the states themselves, worked out here by the engine. */
static void test_states(void **state)
{
    holds(
        *state,
        "local s = wb.states(base, {text = text, limit = 1})\n"
        "assert(s.layers == 8 and s.rows == 256 and s.nonfinite_rows == 0)\n"
        "local cka, cosine, angular = s:matrix 'cka', s:matrix 'cosine', s:matrix 'angular'\n"
        "assert(#cka == 9 and #cka[9] == 9 and #s:influence() == 8 and #s:norm() == 9)\n"
        "for i = 0, 8 do\n"
        "  near(cka[i + 1][i + 1], 1, 1e-9) near(cka[i + 1][1], cka[1][i + 1], 1e-9)\n"
        "  local x = s[i]\n"
        "  assert(x:shape()[1] == 256 and x:shape()[2] == 128)\n"
        "  near(x:norm(2, 'row'):mean():value(), s:norm()[i + 1], 1e-5)\n"
        "  if i > 0 then\n"
        "    local c = x:cosine(s[i - 1], 'row')\n"
        "    near(c:mean():value(), cosine[i][i + 1], 1e-5)\n"
        "    near(s:influence()[i], 1 - c:mean():value(), 1e-5)\n"
        "    near((c:acos():mean() / math.pi):value(), angular[i][i + 1], 1e-5)\n"
        "  end\n"
        "end\n"
        "local few = wb.states(base, {text = text, limit = 1, rows = 7})[3]\n"
        "assert(few:shape()[1] == 7)\n"
        "near(few:rows(1, 2):sum():value(), s[3]:rows(36, 37):sum():value(), 1e-5)\n"
        "fails('there is no state 9: 0 is the embedding, 8 the last', function() return s[9] end)\n"
        "fails('states have no', function() return s.nothing end)\n"
        "fails('the metric is', s.matrix, s, 'euclid')\n"
        "fails('wb.states needs a text', wb.states, base)\n"
        "assert(tostring(s):find 'states of')");
}

/* Figures of an independent implementation on the same tokens: 8 windows of 127 and the first token. */
static void test_goldens(void **state)
{
    holds(*state,
          "local golden = wb.parse_json(wb.read_text "
          "'tests/data/goldens/zoo/golden.json').llama.base\n"
          "local o = {text = text, window = 127, limit = 8}\n"
          "local s, a = wb.states(base, o), wb.attention(base, o)\n"
          "assert(s.rows == 1024)\n"
          "local influence, cka, cosine = s:influence(), s:matrix 'cka', s:matrix 'cosine'\n"
          "local entropy, distance = a:stat 'entropy', a:stat 'distance'\n"
          "for l = 1, 8 do\n"
          "  near(influence[l], golden.block_influence[l], 1e-4)\n"
          "  near(cosine[l][l + 1], golden.block_cosine[l], 1e-4)\n"
          "  for i = 1, 9 do near(cka[l][i], golden.cka[l][i], 1e-4) end\n"
          "  for h = 1, 4 do\n"
          "    near(entropy[l][h], golden.attention_entropy_nats[l][h], 1e-4)\n"
          "    near(distance[l][h], golden.attention_distance[l][h], 1e-4)\n"
          "  end\n"
          "end");
}

/* What q reads is the normed embedding: its Gram matrix by hand. */
static void test_gram(void **state)
{
    holds(*state,
          "local o, name = {text = text, limit = 1}, 'model.layers.0.self_attn.q_proj.weight'\n"
          "local g, rows = wb.gram(base, name, o)\n"
          "local s = wb.states(base, o)\n"
          "assert(rows == s.rows and g:shape()[1] == 128 and g:shape()[2] == 128)\n"
          "local x = s[0]\n"
          "local scale = ((x * x):mean 'row' + base.config.rms_norm_eps):sqrt()\n"
          "local n = x / x:per_row(scale) * x:per_column(base:tensor "
          "'model.layers.0.input_layernorm.weight')\n"
          "local want = n:t():matmul(n)\n"
          "near(((g - want):norm() / want:norm()):value(), 0, 1e-5)\n"
          "local v = wb.gram(base, 'model.layers.0.self_attn.v_proj.weight', o)\n"
          "assert((v - g):absmax():value() == 0)\n"
          "local down = wb.gram(base, 'model.layers.7.mlp.down_proj.weight', o)\n"
          "assert(down:shape()[1] == 352 and (down - down:t()):absmax():value() == 0)\n"
          "fails('has the role', wb.gram, base, 'model.norm.weight', o)\n"
          "fails(\"has no tensor 'x'\", wb.gram, base, 'x', o)");
}

static void test_attention(void **state)
{
    holds(*state,
          "local a = wb.attention(base, {text = text, limit = 1})\n"
          "local entropy = a:stat 'entropy'\n"
          "assert(#entropy == 8 and #entropy[1] == 4 and a.layers == 8 and a.heads == 4 and "
          "a.kv_heads == 2)\n"
          "assert(a:stat('entropy', 7, 3) == entropy[8][4])\n"
          "for _, info in ipairs(a:names()) do\n"
          "  if info.low then\n"
          "    for _, row in ipairs(a:stat(info.name)) do\n"
          "      for _, x in ipairs(row) do\n"
          "        assert(x ~= x or x >= info.low - 1e-6 and x <= info.high + 1e-6, info.name)\n"
          "      end\n"
          "    end\n"
          "  end\n"
          "end\n"
          "local roles = a:roles()\n"
          "for l, row in ipairs(roles) do\n"
          "  for h, list in ipairs(row) do\n"
          "    local sink = false\n"
          "    for _, role in ipairs(list) do sink = sink or role == 'sink' end\n"
          "    assert(sink == (a:stat 'sink'[l][h] > 0.5))\n"
          "  end\n"
          "end\n"
          "assert(#a:priority() == 32)\n"
          "fails('attention has no statistic', a.stat, a, 'entropie')\n"
          "fails('has no head 4 in layer 0', a.stat, a, 'entropy', 0, 4)\n"
          "local w, tokens = a:pattern(2, 1, 'The old man looked at his wife')\n"
          "assert(w:shape()[1] == #tokens and #tokens > 5)\n"
          "local rows = w:sum 'row':value()\n"
          "for _, x in ipairs(rows) do near(x, 1, 1e-5) end\n"
          "assert(w:value()[1][2] == 0)\n"
          "fails('there is no head 4', a.pattern, a, 0, 4, 'x')\n"
          "local alone = wb.attention(base)\n"
          "assert(alone:stat('ov_norm', 0, 0) > 0)\n"
          "local alike = alone:group_similarity 'k'\n"
          "assert(#alike == 8 and #alike[1] == 2) near(alike[1][1][1], 1, 1e-6)\n"
          "fails('needs a text', alone.stat, alone, 'entropy')");
}

static void test_inspect(void **state)
{
    holds(
        *state,
        "local s = wb.inspect('states', base, {text = text, limit = 1, metric = 'cosine'})\n"
        "assert(s.metric == 'cosine' and #s.labels == 9 and #s.matrix == 9 and #s.influence == 8)\n"
        "local i = wb.inspect('influence', base, {text = text, limit = 1})\n"
        "assert(#i.layers == 8 and #i.order == 8)\n"
        "near(i.layers[3].influence, s.influence[3], 1e-12)\n"
        "for k = 2, 8 do assert(s.influence[i.order[k - 1] + 1] <= s.influence[i.order[k] + 1]) "
        "end\n"
        "local h = wb.inspect('heads', base, {text = text, limit = 1})\n"
        "assert(h.layers == 8 and #h.entropy == 8 and #h.roles[8] == 4 and #h.ov_norm == 8)\n"
        "local c = wb.inspect('circuits', base)\n"
        "assert(#c.copying == 8 and #c.group_k == 8 and c.dead_heads and c.copying_heads)\n"
        "near(c.ov_norm[2][3], h.ov_norm[2][3], 1e-9)\n"
        "wb.json(s) wb.json(i) wb.json(h) wb.json(c)\n"
        "fails(\"parameter text of inspect 'states'\", wb.inspect, 'states', base)\n"
        "fails('there is no inspect method', wb.inspect, 'state', base)");
}

static void test_drop(void **state)
{
    struct lua_fixture *f = *state;
    const struct wb_step *step;
    size_t scores = 0;

    holds(f, "for _, by in ipairs{'influence', 'angular', 'cka'} do\n"
             "  for count = 1, 5, 2 do\n"
             "    local m = wb.compress('drop_layers', base, {count = count, by = by, text = text, "
             "limit = 2})\n"
             "    assert(m.layers == 8 - count and m.config.num_hidden_layers == 8 - count, by)\n"
             "    assert(m:tensor 'model.layers.0.mlp.up_proj.weight' == base:tensor "
             "'model.layers.0.mlp.up_proj.weight')\n"
             "  end\n"
             "end\n"
             "fails('at least 3', wb.compress, 'drop_layers', base, {count = 6, by = 'cka', text = "
             "text})\n"
             "fails('needs a text', wb.compress, 'drop_layers', base, {count = 1, by = 'cka'})\n"
             "local least, at = math.huge, nil\n"
             "for l, x in ipairs(wb.states(base, {text = text, limit = 2}):influence()) do\n"
             "  if l > 1 and l < 8 and x < least then least, at = x, l - 1 end\n"
             "end\n"
             "local by_hand = wb.compress('drop_layers', base, {layers = {at}})\n"
             "local m = wb.compress('drop_layers', base, {count = 1, by = 'influence', text = "
             "text, limit = 2})\n"
             "for _, name in ipairs(m:names()) do assert(m:tensor(name) == by_hand:tensor(name), "
             "name) end\n"
             "\nreturn m");
    step = wb_model_step(f->out.model, wb_model_step_count(f->out.model) - 1);
    for (size_t i = 0; i < step->notes; i++)
        scores += strncmp(step->note[i].key, "influence.", 10) == 0;
    assert_int_equal(scores, 8);
}

/* A model that is not written, of which a figure decides shapes. */
static void test_unwritten(void **state)
{
    holds(*state, "local merged = wb.merge('linear', {models = {base, wb.open '" ZOO "german'}})\n"
                  "local m = wb.compress('drop_layers', merged, {count = 2, by = 'angular', text = "
                  "text, limit = 1})\n"
                  "local e = wb.eval(m, {text = text, limit = 2})\n"
                  "assert(m.layers == 6 and e.nll > 3 and e.nll < 9)\n"
                  "\nreturn m");
}

/* Weights that are not finite: flagged or refused, never a number. */
static void test_nan(void **state)
{
    holds(*state, "local name = 'model.layers.3.mlp.up_proj.weight'\n"
                  "local bad = base:with{[name] = base:tensor(name) * (0 / 0)}\n"
                  "local e = wb.eval(bad, {text = text, limit = 1})\n"
                  "assert(e.nonfinite and e.nll == nil and e.perplexity == nil)\n"
                  "assert(wb.states(bad, {text = text, limit = 1}).nonfinite_rows > 0)\n"
                  "fails('not finite', wb.compress, 'drop_layers', bad, {count = 1, by = "
                  "'influence', text = text, limit = 1})\n"
                  "fails('not finite', wb.gram, bad, 'model.layers.5.mlp.up_proj.weight', {text = "
                  "text, limit = 1})");
}

static void test_no_tokenizer(void **state)
{
    fails(*state, "return wb.eval(wb.open 'tests/data/infer/llama', {text = text})",
          "tokenizer.json");
    lua_fixture_says(*state, "tests/data/infer/llama");
    lua_fixture_says(*state, "script.lua:10: ");
}

/* Dropping the layers of least influence does less harm than dropping as many at random: better than
 * the mean over all choices there are. */
static void test_better_than_chance(void **state)
{
    holds(
        *state,
        "local function nll(m) return wb.eval(m, {text = text, window = 127, limit = 2}).nll end\n"
        "local function drop(...)\n"
        "  return nll(wb.compress('drop_layers', base, {layers = {...}, force = true}))\n"
        "end\n"
        "local sum, n = {0, 0}, {0, 0}\n"
        "for a = 0, 7 do\n"
        "  sum[1], n[1] = sum[1] + drop(a), n[1] + 1\n"
        "  for b = a + 1, 7 do sum[2], n[2] = sum[2] + drop(a, b), n[2] + 1 end\n"
        "end\n"
        "assert(n[1] == 8 and n[2] == 28)\n"
        "for count = 1, 2 do\n"
        "  local m = wb.compress('drop_layers', base, {count = count, by = 'influence', text = "
        "text, window = 127})\n"
        "  assert(nll(m) < sum[count] / n[count], ('%d: %.4f is not below %.4f'):format(count, "
        "nll(m),\n"
        "    sum[count] / n[count]))\n"
        "end");
}

/* The span with the smallest figure, as published figures have it. */
static void test_spans(void **state)
{
    struct lua_fixture *f = *state;

    lua_fixture_file(
        f, "plugins/inspect/span.lua",
        "local depth = require 'lib.depth'\n"
        "return {name = 'span', kind = 'inspect', doc = 'lib.depth',\n"
        "  params = {matrix = {type = 'list'}, count = {1}},\n"
        "  model = function(m, p)\n"
        "    local drop, all = depth.span(p.matrix, p.count, function(x) return x end)\n"
        "    return {drop = drop, all = all}\n"
        "  end}");
    holds(f,
          "local golden = wb.parse_json(wb.read_text 'tests/data/goldens/compress_layers.json')\n"
          "local want, matrix = golden.cases[1].expected, {}\n"
          "for i = 1, 8 do matrix[i] = {} end\n"
          "for n = 1, 3 do\n"
          "  for i, x in ipairs(want.angular_windows[tostring(n)]) do matrix[i][i + n] = x end\n"
          "end\n"
          "for n = 1, 3 do\n"
          "  local got, first = wb.inspect('span', base, {matrix = matrix, count = n}), "
          "want.best_start[tostring(n)]\n"
          "  for l = 0, 7 do assert((got.drop[l] or false) == (l >= first and l < first + n), n .. "
          "' ' .. l) end\n"
          "end");
}

/* A turned knob that changes nothing about the model finds everything where it was, in another state
 * of Lua too. */
static void test_kept(void **state)
{
    static const char script[] =
        "local share = wb.knob('share', 0.5)\n"
        "local s = wb.states(base, {text = text, limit = 1})\n"
        "local g = wb.gram(base, 'model.layers.2.mlp.down_proj.weight', {text = text, limit = 1})\n"
        "print(share, wb.eval(base, {text = text, limit = 1}).nll, s:influence()[3], "
        "s[4]:item(0):value(),\n"
        "  g:item(0):value(), wb.attention(base, {text = text, limit = 1}):stat('sink', 3, 1))";
    struct lua_fixture *f = *state;
    struct wb_eval how = { .threads = 2, .cache = wb_cache_new((uint64_t)64 << 20) };
    struct wb_cache_counts once, twice;
    char first[400];

    assert_non_null(how.cache);
    f->options.eval = &how;
    lua_fixture_restart(f);
    holds(f, script);
    snprintf(first, sizeof first, "%.399s", f->log);
    once = wb_cache_counts(how.cache);
    lua_fixture_restart(f);
    holds(f, script);
    assert_string_equal(f->log, first);
    twice = wb_cache_counts(how.cache);
    assert_int_equal(twice.misses, once.misses);
    assert_int_equal(twice.entries, once.entries);
    assert_true(twice.hits > once.hits);
    f->options.eval = NULL;
    lua_fixture_restart(f);
    wb_cache_free(how.cache);
}

static void test_cancelled(void **state)
{
    struct lua_fixture *f = *state;

    atomic_store(&f->cancel, true);
    fails(f, "wb.states(base, {text = text}):influence()\nreturn base", "");
    assert_int_equal(f->err.code, WB_ECANCELLED);
    atomic_store(&f->cancel, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eval),         cmocka_unit_test(test_eval_refuses),
        cmocka_unit_test(test_states),       cmocka_unit_test(test_gram),
        cmocka_unit_test(test_goldens),      cmocka_unit_test(test_attention),
        cmocka_unit_test(test_inspect),      cmocka_unit_test(test_drop),
        cmocka_unit_test(test_unwritten),    cmocka_unit_test(test_nan),
        cmocka_unit_test(test_no_tokenizer), cmocka_unit_test(test_better_than_chance),
        cmocka_unit_test(test_spans),        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_cancelled),
    };

    return cmocka_run_group_tests_name("wb.eval, wb.states, wb.gram, wb.attention", tests, set_up,
                                       tear_down);
}
