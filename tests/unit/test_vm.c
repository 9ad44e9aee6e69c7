/* tests/unit/test_vm.c - the sandbox and its limits, pipelines, knobs, plugins, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "app/core/parallel.h"
#include "lua/bind/internal.h"
#include "tests/unit/lua_fixture.h"

#define ONE "\nreturn wb.open '$D/one'"

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

/* What must be out of reach: each expression is nil, false or an error. */
static void test_sandbox(void **state)
{
    static const char *const escape[] = {
        "string.dump",
        "('').dump",
        "string.dump(print)",
        "load('\\27Lua')",
        "getmetatable('')",
        "getmetatable('').__index",
        "debug",
        "io",
        "os.execute",
        "os.getenv",
        "os.remove",
        "os.exit",
        "package",
        "dofile",
        "loadfile",
        "collectgarbage",
        "require 'wb.core'",
        "require 'os'",
        "require '../x'",
        "_G.io",
        "_G.debug",
        "getmetatable(wb.scalar(1))",
        "getmetatable(wb.null)",
        "setmetatable({}, {__gc = function() end})",
        "wb.read_text '/etc/passwd'",
        "wb.read_text '/proc/self/environ'",
        "wb.read_text '$D/../../etc/passwd'",
        "table.move({}, 1, 1e15, 2)",
        "table.concat(setmetatable({}, {__len = function() return 1e15 end}))",
        "string.rep('x', 1e10)",
        "wb.eval()",
        "wb.states()",
        "wb.gram()",
        "wb.attention()",
    };
    struct lua_fixture *f = *state;
    char text[600];

    for (size_t i = 0; i < sizeof escape / sizeof escape[0]; i++) {
        snprintf(text, sizeof text,
                 "local ok, x = pcall(function() return (%s) end) assert(not ok or not x)" ONE,
                 escape[i]);
        if (!lua_fixture_run(f, text, NULL))
            fail_msg("%s: %s", escape[i], f->err.msg);
    }
}

/* What one file does to its environment is not seen by the next. */
static void test_environments(void **state)
{
    struct lua_fixture *f = *state;

    assert_true(lua_fixture_run(f,
                                "string.format, wb.merge, leak, table.insert = nil, 1, 2, nil\n"
                                "load('leak2 = 3')() assert(leak2 == 3)" ONE,
                                NULL));
    assert_true(lua_fixture_run(
        f,
        "assert(leak == nil and leak2 == nil and string.format and table.insert)\n"
        "assert(type(wb.merge) == 'function' and require 'wb' == wb and _G.wb == wb)\n"
        "assert(#('').rep('', 1e15) == 0 and load('return ...', 'n', 't', {})(4) == 4)\n"
        "local n = 0 for k in pairs{b = 1, a = 1, [1] = 1} do n = n + 1 print(k) end" ONE,
        NULL));
    assert_string_equal(f->log, "1\na\nb\n");
    assert_false(lua_fixture_run(f, "local x = y.z" ONE, NULL));
    lua_fixture_says(f, "script.lua:1:");
    assert_int_equal(f->err.code, WB_ESCRIPT);
}

static void test_limits(void **state)
{
    static const char *const endless[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return pcall(f) end while true do f() end",
        "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() "
        "end",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) while true do "
        "pcall(function() return t[1] end) end",
        "repeat until xpcall(function() while true do end end, function() while true do end end) "
        "== 7",
        "for _ = 1, math.huge do string.rep('x', 10) end",
    };
    struct lua_fixture *f = *state;
    char text[400];

    f->options.instructions = 3000000;
    lua_fixture_restart(f);
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        snprintf(text, sizeof text, "%s" ONE, endless[i]);
        assert_false(lua_fixture_run(f, text, NULL));
        lua_fixture_says(f, "endless loop");
        assert_int_equal(f->err.code, WB_ESCRIPT);
    }
    assert_true(lua_fixture_run(f, ONE, NULL)); /* and the VM goes on */
    f->options.instructions = 0;
}

static void test_memory(void **state)
{
    static const char *const bomb[] = {
        "local t = {} for i = 1, 1e9 do t[i] = {i} end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = wb.scalar(1) end",
        "local t = {} for i = 1, 1e8 do t[i] = coroutine.create(print) end",
    };
    struct lua_fixture *f = *state;
    char text[400];

    f->options.memory_bytes = (uint64_t)16 << 20;
    lua_fixture_restart(f);
    for (size_t i = 0; i < sizeof bomb / sizeof bomb[0]; i++) {
        snprintf(text, sizeof text, "do %s end" ONE, bomb[i]);
        assert_false(lua_fixture_run(f, text, NULL));
        assert_true(f->err.code == WB_ENOMEM || f->err.code == WB_ESCRIPT);
        snprintf(text, sizeof text, "local ok, e = pcall(function() %s end) assert(not ok)" ONE,
                 bomb[i]);
        assert_true(lua_fixture_run(f, text, NULL) || f->err.code == WB_ENOMEM);
    }
    assert_true(lua_fixture_run(f, ONE, NULL));
    f->options.memory_bytes = 0;
}

struct race {
    struct lua_fixture *f;
    bool ok;
    double seconds;
};

static void run_or_cancel(void *ctx, int worker)
{
    struct race *r = ctx;
    double start = wb_now_seconds();

    if (worker == 1) {
        usleep(50000);
        atomic_store(&r->f->cancel, true);
        return;
    }
    r->ok =
        lua_fixture_run(r->f, "while true do pcall(function() while true do end end) end", NULL);
    r->seconds = wb_now_seconds() - start;
}

static void test_cancel(void **state)
{
    struct race r = { .f = *state };

    wb_parallel(2, run_or_cancel, &r);
    atomic_store(&r.f->cancel, false);
    assert_false(r.ok);
    assert_int_equal(r.f->err.code, WB_ECANCELLED);
    assert_true(r.seconds < 2);
    assert_true(lua_fixture_run(r.f, ONE, NULL));
}

static void test_trust(void **state)
{
    struct lua_fixture *f = *state;

    f->options.trust = true;
    lua_fixture_restart(f);
    if (!lua_fixture_run(
            f,
            "assert(io.open and os.getenv and debug.traceback and string.dump(function() end))\n"
            "assert(require 'wb' == wb and wb.read_text '/proc/self/cmdline')" ONE,
            NULL))
        fail_msg("%s", f->err.msg);
    f->options.trust = false;
    lua_fixture_restart(f);
}

/* A secret one reaches the script and no record of it. */
static void test_secret_knob(void **state)
{
    static const char script[] = "local k = wb.knob('key', '', {secret = true})\nprint(k)" ONE;
    struct lua_fixture *f = *state;

    assert_true(lua_fixture_run(f, script, "key=hunter2"));
    assert_string_equal(f->log, "hunter2\n");
    assert_string_equal(f->out.knobs_json, "{\"key\":\"(secret)\"}");
}

static void test_knobs(void **state)
{
    static const char script[] =
        "local d = wb.knob('density', 0.3, {min = 0, max = 1, step = 0.05, doc = 'kept'})\n"
        "local b = wb.knob('on', true)\n"
        "local m = wb.knob('mode', 'a', {choices = {'a', 'b'}})\n"
        "print(d, b, m)" ONE;
    struct lua_fixture *f = *state;

    assert_true(lua_fixture_run(f, script, "density=0.5"));
    assert_string_equal(f->log, "0.5\ttrue\ta\n");
    assert_int_equal(f->out.knobs, 3);
    assert_string_equal(f->out.knobs_json, "{\"density\":0.5,\"on\":true,\"mode\":\"a\"}");
    assert_true(f->out.knob[0].kind == WB_KNOB_NUMBER && f->out.knob[0].number == 0.5 &&
                f->out.knob[0].fallback == 0.3 && f->out.knob[0].max == 1 &&
                f->out.knob[0].step == 0.05);
    assert_string_equal(f->out.knob[0].doc, "kept");
    assert_true(f->out.knob[1].kind == WB_KNOB_BOOL && f->out.knob[1].number == 1 &&
                f->out.knob[1].min > f->out.knob[1].max);
    assert_string_equal(f->out.knob[2].choice[1], "b");
    assert_string_equal(f->out.knob[2].text_fallback, "a");
    assert_true(lua_fixture_run(f, script, "on=off"));
    assert_string_equal(f->log, "0.3\tfalse\ta\n");

    assert_false(lua_fixture_run(f, script, "density=2"));
    lua_fixture_says(f, "in [0, 1]");
    assert_int_equal(f->out.knobs, 0); /* it was the first that failed */
    assert_false(lua_fixture_run(f, script, "density=x"));
    lua_fixture_says(f, "is a number");
    assert_false(lua_fixture_run(f, script, "mode=c"));
    lua_fixture_says(f, "'a', 'b'");
    assert_int_equal(f->out.knobs, 2);
    assert_false(lua_fixture_run(f, script, "dens=1"));
    lua_fixture_says(f, "no knob 'dens'; it has 'density', 'on', 'mode'");
    assert_int_equal(f->err.code, WB_EARG);
    assert_false(lua_fixture_run(f, script, "nonsense"));
    assert_false(lua_fixture_run(f, "wb.knob('a', 1) wb.knob('a', 2)" ONE, NULL));
    lua_fixture_says(f, "declared twice");
    assert_false(lua_fixture_run(f, "wb.knob('a', {})" ONE, NULL));
    assert_false(lua_fixture_run(f, "wb.knob('a', 5, {max = 4})" ONE, NULL));
}

static void test_scripts(void **state)
{
    struct lua_fixture *f = *state;

    assert_false(lua_fixture_run(f, "return 4", NULL));
    lua_fixture_says(f, "a pipeline returns a model, this one returned number");
    assert_false(lua_fixture_run(f, "", NULL));
    lua_fixture_says(f, "returned nothing");
    assert_false(lua_fixture_run(f, "return (", NULL));
    lua_fixture_says(f, "script.lua:1:");
    assert_false(lua_fixture_run(f, "\n\nreturn wb.open 'nowhere/at-all'", NULL));
    lua_fixture_says(f, "script.lua:3:");
    lua_fixture_says(f, "nowhere/at-all");
    assert_false(lua_fixture_run(f, "return wb.open('$D/one', {adapter = 'x'})", NULL));
    lua_fixture_says(f, "it has lora, scale");
    assert_false(lua_fixture_run(f, "local m = wb.open '$D/one' m.x = 1", NULL));
    lua_fixture_says(f, "models are values");
    assert_false(lua_fixture_run(f, "local m = wb.open '$D/one' return m.nothing", NULL));
    lua_fixture_says(f, "a model has no 'nothing'");
    assert_false(lua_fixture_run(f, "error({})", NULL)); /* an error object that is no string */
    assert_false(lua_fixture_run(f, "return wb.merge('ties', 3)", NULL));
    assert_false(lua_fixture_run(f, "return wb.merge('tis', {})", NULL));
    lua_fixture_says(f, "there is no merge method 'tis'; there are");
}

/* Relative paths: the working directory, else beside the script; read_text in the directory of an opened model. */
static void test_paths(void **state)
{
    struct lua_fixture *f = *state;
    struct wb_pipeline out;
    struct wb_err err;
    char path[200];

    lua_fixture_file(f, "script.lua", "local m = wb.open 'one' return m");
    snprintf(path, sizeof path, "%s/script.lua", f->dir);
    if (!wb_vm_pipeline(f->vm, path, NULL, 0, &out, &err))
        fail_msg("%s", err.msg);
    assert_string_equal(out.text, "local m = wb.open 'one' return m");
    wb_pipeline_free(&out);
    assert_true(
        lua_fixture_run(f, "wb.open '$D/one' print(wb.read_text '$D/one/config.json')" ONE, NULL));
    assert_string_equal(f->log, "{}\n");
    assert_false(lua_fixture_run(f, "print(wb.read_text '$D/script.lua')" ONE, NULL));
    lua_fixture_says(f, "nowhere else");
}

static void test_models(void **state)
{
    static const char script[] =
        "local m = wb.open '$D/llama'\n"
        "assert(m.family == 'llama' and m.layers == 2 and m.config.model_type == 'llama' and "
        "m.dims.hidden == 2)\n"
        "assert(m.parameters == 4 * 2 + 2 * (4 * 2 + 1 * 2) , m.parameters)\n"
        "assert(#m:names '*.up_proj.weight' == 2 and m:has 'model.embed_tokens.weight' and not "
        "m:has 'x')\n"
        "local role, layer = m:role 'model.layers.1.mlp.up_proj.weight'\n"
        "assert(role == 'up' and layer == 1 and select('#', m:role 'model.embed_tokens.weight') == "
        "1)\n"
        "assert(m:layer(0).up:shape()[1] == 4 and m:layer_names(1).up == "
        "'model.layers.1.mlp.up_proj.weight')\n"
        "assert(m:info('model.embed_tokens.weight').kind == 'embed')\n"
        "local n = m:map(function(t, i) return i.layer == 1 and t * 2 or nil end, {roles = "
        "'mlp'})\n"
        "n = n:with{extra = wb.array{1, 2}, ['model.layers.0.mlp.up_proj.weight'] = "
        "false}:configure{a = {b = 1}, width = 3}\n"
        "assert(not n:has 'model.layers.0.mlp.up_proj.weight' and n.config.a.b == 1 and "
        "n.config.width == 3)\n"
        "assert(m:has 'model.layers.0.mlp.up_proj.weight' and m.config.a == nil)\n"
        "local only = m:only{x = wb.array{1}}:stem 'adapter_model':file('adapter_config.json', "
        "'{}')\n"
        "assert(#only:names() == 1)\n"
        "local kept = m:keep_layers{1}\n"
        "assert(kept.layers == 1 and kept.config.num_hidden_layers == 1)\n"
        "local deep = wb.stack{{model = m, layers = {0, 2}}, {model = n, layers = {1, 2}, scale = "
        "{roles = {norm = 3}, default = 1}}}\n"
        "assert(deep.layers == 3 and deep.config.num_hidden_layers == 3)\n"
        "return deep";
    struct lua_fixture *f = *state;
    double up[8], norm[2];

    if (!lua_fixture_run(f, script, NULL))
        fail_msg("%s", f->err.msg);
    lua_fixture_tensor(f, "model.layers.2.mlp.up_proj.weight", up, 8);
    assert_true(up[0] == 4 && up[7] == 4);
    lua_fixture_tensor(f, "model.layers.2.input_layernorm.weight", norm, 2);
    assert_true(norm[0] == 3);
    assert_false(lua_fixture_run(
        f, "local m = wb.open '$D/llama' return wb.stack{{model = m, layers = {0, 3}}}", NULL));
    lua_fixture_says(f, "which has 2");
    assert_false(
        lua_fixture_run(f, "local m = wb.open '$D/llama' return m:tensor 'no.such'", NULL));
    lua_fixture_says(f, "has no tensor 'no.such'");
    assert_false(lua_fixture_run(f, "local m = wb.open '$D/llama' return m:with{x = 3}", NULL));
    lua_fixture_says(f, "'x' is number, not a tensor");
    assert_false(lua_fixture_run(f, "local m = wb.open '$D/llama' return m:layer(7)", NULL));
    lua_fixture_says(f, "no layer 7");
    assert_false(lua_fixture_run(
        f, "local m = wb.open '$D/llama' return m:map(function(t) return t + wb.array{1} end)",
        NULL));
    lua_fixture_says(f, "m:map: model.embed_tokens.weight:");
}

/* Plugins: found, listed, replaced by the user's, reloaded, checked. */
static void test_plugins(void **state)
{
    struct lua_fixture *f = *state;
    struct wb_err err;
    cJSON *json;
    bool changed, found = false;
    const cJSON *p;
    char path[200], *report;
    size_t passed, failed;

    lua_fixture_file(f, "plugins/lib/half.lua", "return function(x) return x * 0.5 end");
    lua_fixture_file(f, "plugins/compress/halve.lua",
                     "local half = require 'lib.half'\n"
                     "return {name = 'halve', kind = 'compress', doc = 'half of it', params = {n = "
                     "{1, type = 'integer', min = 0}},\n"
                     "tensor = function(t, p) local x = t.tensor for _ = 1, p.n do x = half(x) end "
                     "return x end,\n"
                     "tests = {{name = 'once', model = {w = {2, 4}}, expect = {w = {1, 2}}},\n"
                     "{name = 'wrong', model = {w = {2}}, expect = {w = {5}}}, {name = 'range', "
                     "model = {w = {2}}, params = {n = -1}, error = 'from 0 on'}}}");
    lua_fixture_file(f, "plugins/compress/broken.lua", "return {name = 'broken'");
    json = wb_vm_plugins(f->vm, &err);
    assert_non_null(json);
    cJSON_ArrayForEach(p, cJSON_GetObjectItem(json, "plugins"))
        if (strcmp(cJSON_GetObjectItem(p, "name")->valuestring, "halve") == 0) {
            const cJSON *n = cJSON_GetObjectItem(cJSON_GetObjectItem(p, "params"), "n");

            found = cJSON_GetObjectItem(n, "default")->valuedouble == 1 &&
                    strcmp(cJSON_GetObjectItem(n, "type")->valuestring, "integer") == 0;
        }
    assert_true(found);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "errors")), 1);
    cJSON_Delete(json);
    assert_true(wb_vm_reload(f->vm, &changed, &err));
    assert_false(changed);

    snprintf(path, sizeof path, "%s/plugins/compress/halve.lua", f->dir);
    if (!wb_vm_check_plugin(f->vm, path, &report, &passed, &failed, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(passed, 2);
    assert_int_equal(failed, 1);
    assert_non_null(strstr(report, "FAIL wrong: w is {2}, not {5}") != NULL
                        ? report
                        : strstr(report, "FAIL wrong: w is {1}, not {5}"));
    free(report);

    lua_fixture_file(f, "plugins/lib/half.lua",
                     "return function(x) return x * 0.25 end -- changed");
    assert_true(wb_vm_reload(f->vm, &changed, &err)); /* what a plugin was loaded with counts */
    assert_true(changed);
    assert_true(lua_fixture_run(f, "return wb.compress('halve', wb.open '$D/one')", NULL));
    {
        double w[4];

        lua_fixture_tensor(f, "w", w, 4);
        assert_true(w[0] == 0.25);
    }
    assert_false(lua_fixture_run(f, "return wb.compress('broken', wb.open '$D/one')", NULL));
    lua_fixture_says(f, "broken.lua");
    assert_false(
        lua_fixture_run(f, "return wb.compress('halve', wb.open '$D/one', {m = 1})", NULL));
    lua_fixture_says(f, "no parameter 'm'; it has n, seed");
}

static void test_plugin_tables(void **state)
{
    static const struct {
        const char *table, *says;
    } bad[] = {
        { "3", "returns a table, not number" },
        { "{name = 'x', kind = 'merge'}", "no doc" },
        { "{name = 'x', kind = 'merg', doc = ''}",
          "kind is one of compress, inspect, merge, protect" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = 1}",
          "tensor is a function, not a number" },
        { "{name = 'x', kind = 'merge', doc = ''}", "exactly one of the functions" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, layer = print}",
          "exactly one of the functions" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, wrong = 1}",
          "unknown field 'wrong'" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, params = {a = 3}}",
          "parameter a is described by a table" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, params = {a = {}}}",
          "needs a default or a type" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, params = {a = {3, max = 2}}}",
          "its default is 3" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, params = {a = {3, maxi = 2}}}",
          "unknown field 'maxi'" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, base = 'yes'}",
          "base is \"required\"" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, models = {least = 2}}",
          "models is {min" },
        { "{name = 'x', kind = 'merge', doc = '', tensor = print, tests = {}}, io.open('x')",
          "index a nil value" },
    };
    struct lua_fixture *f = *state;
    char text[400], path[200], *report;
    size_t passed, failed;
    struct wb_err err;

    snprintf(path, sizeof path, "%s/other/x.lua", f->dir);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "return %s", bad[i].table);
        lua_fixture_file(f, "other/x.lua", text);
        assert_false(wb_vm_check_plugin(f->vm, path, &report, &passed, &failed, &err));
        if (strstr(err.msg, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].table, err.msg);
    }
}

/* Allocations that fail from the k-th on, and heaps of every size: an error, never a crash or a leak. */
static void test_allocations(void **state)
{
    static const char script[] =
        "local k = wb.knob('k', 0.5)\nlocal a, b = wb.open '$D/llama', wb.open '$D/llama2'\n"
        "return wb.merge('ties', {base = a, models = {b, b}, density = {default = k, roles = {up = "
        "0.3}}})";
    struct lua_fixture *f = *state;
    unsigned failures = 0;
    uint64_t k = 1;
    bool ok = false;

    for (uint64_t bytes = 4096; bytes < (uint64_t)4 << 20; bytes += bytes / 8) {
        f->options.memory_bytes = bytes;
        wb_vm_free(f->vm);
        f->vm = wb_vm_new(&f->options, &f->err);
        if (f->vm == NULL || !lua_fixture_run(f, script, NULL))
            failures++;
    }
    assert_true(failures > 3);
    f->options.memory_bytes = 0;
    for (; !ok && k < 1000000; k += 1 + k / 16) {
        lua_fixture_restart(f);
        f->vm->fail_after = f->vm->allocations + k;
        ok = lua_fixture_run(f, script, NULL);
        if (!ok)
            assert_int_equal(f->err.code, WB_ENOMEM);
        f->vm->fail_after = 0;
        assert_true(lua_fixture_run(f, script, NULL)); /* and the VM is whole again */
    }
    assert_true(ok);
}

static int set_up_models(void **state)
{
    static const char config[] = "{\"model_type\": \"llama\", \"num_hidden_layers\": 2, "
                                 "\"hidden_size\": 2, \"vocab_size\": 4, \"intermediate_size\": 4, "
                                 "\"num_attention_heads\": 1, \"tie_word_embeddings\": true}";
    static const char spec[] =
        "model.embed_tokens.weight:4,2=1,2,3,4;"
        "model.layers.0.mlp.up_proj.weight:4,2=1;model.layers.0.input_layernorm.weight:2=1;"
        "model.layers.1.mlp.up_proj.weight:4,2=2;model.layers.1.input_layernorm.weight:2=1";
    static const char spec2[] =
        "model.embed_tokens.weight:4,2=1,2,3,5;"
        "model.layers.0.mlp.up_proj.weight:4,2=1,3;model.layers.0.input_layernorm.weight:2=1;"
        "model.layers.1.mlp.up_proj.weight:4,2=2;model.layers.1.input_layernorm.weight:2=1,2";

    set_up(state);
    lua_fixture_model(*state, "llama", config, spec);
    lua_fixture_model(*state, "llama2", config, spec2);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sandbox),       cmocka_unit_test(test_environments),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_cancel),        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_knobs),         cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_secret_knob),
        cmocka_unit_test(test_models),        cmocka_unit_test(test_plugins),
        cmocka_unit_test(test_plugin_tables), cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, set_up_models, tear_down);
}
