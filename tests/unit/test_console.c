/* tests/unit/test_console.c - the console: values, what stays between lines, errors, cancelling;
 * completion; wb's docs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "lua/bind/complete.h"
#include "lua/bind/console.h"
#include "tests/unit/lua_fixture.h"

struct fixture {
    struct lua_fixture lua;
    struct wb_model *one;
    struct wb_console_output out;
};

static int set_up(void **state)
{
    static struct fixture f;

    lua_fixture_open(&f.lua);
    f.one = wb_model_open("/nowhere", f.lua.set, &f.lua.err);
    assert_null(f.one);
    assert_true(lua_fixture_run(&f.lua, "return wb.open '$D/one'", NULL));
    f.one = wb_model_ref(f.lua.out.model);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wb_console_output_free(&f->out);
    wb_model_unref(f->one);
    lua_fixture_close(&f->lua);
    return 0;
}

static bool say(struct fixture *f, const char *text)
{
    struct wb_console_model model[] = { { "one", f->one }, { "two words", f->one } };
    struct wb_console_input in = { .text = text, .model = model, .models = 2, .result = f->one };

    wb_console_output_free(&f->out);
    return wb_vm_console(f->lua.vm, &in, &f->out, &f->lua.err);
}

static void check(struct fixture *f, const char *text, const char *shown)
{
    if (!say(f, text))
        fail_msg("%s: %s", text, f->lua.err.msg);
    assert_string_equal(f->out.text, shown);
}

static void test_values(void **state)
{
    static const char *const row[][2] = {
        { "1 + 1", "2" },
        { "= 0.1 + 0.2", "0.3" },
        { "nil", "nil" },
        { "1, nil, 'a\\n\"'", "1\nnil\n\"a\\n\\\"\"" },
        { "local x = 1", "" },
        { "{}", "{}" },
        { "{1, 2, {a = true}}", "{1, 2, {a = true}}" },
        { "{b = 1, a = 2, ['x y'] = 3, [10] = 4}", "{[10] = 4, a = 2, b = 1, [\"x y\"] = 3}" },
        { "{{{{{}}}}}", "{{{{…}}}}" },
        { "wb.null", "null" },
        { "wb.type(one) == 'model' and one == model and models['two words'] == one", "true" },
        { "one:tensor 'w'", "tensor w F32 [2, 2] {{1, 1}, {1, 1}}" },
        { "wb.fill({10, 10}, 1)", "tensor F32 [10, 10]" },
        { "one:tensor('w'):sum():value()", "4" },
        { "wb.knob('x', 3)", "3" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        check(f, row[i][0], row[i][1]);
    assert_true(say(f, "one"));
    assert_non_null(strstr(f->out.text, "4 parameters, 1 tensors"));
    assert_true(say(f, "wb.merge"));
    assert_non_null(strstr(f->out.text, "wb.merge(method"));
    check(f, "t = {} t.t = t return t", "{t = {… as above}}");
    assert_true(say(f, "local t = {} for i = 1, 1000 do t[i] = i end return t"));
    assert_non_null(strstr(f->out.text, "960 more"));
}

static void test_persistence(void **state)
{
    struct fixture *f = *state;

    check(f, "x = 5", "");
    check(f, "x + 1", "6");
    check(f, "t = one:tensor 'w' + 1", "");
    assert_true(
        lua_fixture_run(&f->lua, "return wb.open '$D/one'", NULL)); /* another call between */
    check(f, "t:sum():value()", "8");
    check(f, "function f(a) return a * 2 end", "");
    check(f, "f(x)", "10");
    check(f, "one = 1", ""); /* a name of the user's wins */
    check(f, "one", "1");
    check(f, "one = nil", "");
    check(f, "wb.type(one)", "\"model\"");
    assert_true(
        lua_fixture_run(&f->lua, "assert(x == nil and f == nil) return wb.open '$D/one'", NULL));
    check(f, "print(1, 'a') return 2", "2");
    assert_non_null(strstr(f->lua.log, "1\ta"));
}

static void test_incomplete(void **state)
{
    static const char *const open[] = { "for i = 1, 2 do", "wb.merge(", "x = {",
                                        "function f()",    "if x then", "1 +" };
    static const char *const wrong[] = { "for for", "x = = 1", "}", "return return" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        say(f, open[i]);
        if (!f->out.incomplete)
            fail_msg("'%s' is taken for complete: %s", open[i], f->out.text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(say(f, wrong[i]));
        assert_false(f->out.incomplete);
        assert_int_equal(f->lua.err.code, WB_ESCRIPT);
    }
    check(f, "for i = 1, 2 do\n y = i end", "");
    check(f, "y", "2");
}

static void test_errors(void **state)
{
    struct fixture *f = *state;

    assert_false(say(f, "function bad()\n  error 'mine'\nend\nbad()"));
    assert_string_equal(f->lua.err.msg, "console:2: mine");
    assert_non_null(strstr(f->out.text, "console:2: in "));
    assert_non_null(strstr(f->out.text, "console:4: in "));
    assert_null(strstr(f->out.text, "wb/console"));
    assert_false(say(f, "one:tensor 'none'"));
    assert_non_null(strstr(f->lua.err.msg, "no tensor 'none'"));
    assert_false(say(f, "io.open '/etc/passwd'"));
    assert_false(say(f, "error()"));
    check(f, "1", "1");
    atomic_store(&f->lua.cancel, true);
    assert_false(say(f, "while true do pcall(function() while true do end end) end"));
    assert_int_equal(f->lua.err.code, WB_ECANCELLED);
    atomic_store(&f->lua.cancel, false);
    check(f, "2", "2");
}

/* Comparisons and figures say what the commands say; their options are checked. */
static void test_probes(void **state)
{
    struct fixture *f = *state;

    check(f, "wb.compare(one, one).total", "{cosine = 1, relative_l2 = 0}");
    check(f, "wb.compare(one, one:map(function(t) return t * 2 end)).tensors[1].l2", "2");
    check(f, "wb.stats(one).tensors[1].l2, wb.stats(one, {match = 'w'}).tensors[1].shape",
          "2\n{2, 2}");
    assert_false(say(f, "wb.compare(one, one, {basis = one})"));
    assert_non_null(strstr(f->lua.err.msg, "base, match, sample"));
    assert_false(say(f, "wb.compare(one)"));
    assert_false(say(f, "wb.stats(one, {match = 'none*'})"));
    assert_non_null(strstr(f->lua.err.msg, "none of 1 tensors"));
}

/* Every public name has its line of documentation, and no line is about a name that is not
 * there. */
static void test_docs(void **state)
{
    struct fixture *f = *state;
    cJSON *data = wb_vm_complete_data(f->lua.vm, &f->lua.err);
    static const char *const list[] = { "wb", "model", "tensor" };
    const cJSON *e;

    assert_non_null(data);
    for (size_t i = 0; i < 3; i++)
        cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(data, list[i])) {
            const char *name = wb_json_text(e, "name", "");

            if (wb_json_text(e, "doc", "")[0] == '\0')
                fail_msg("%s %s has no line in lua/wb/docs.lua", list[i], name);
        }
    cJSON_Delete(data);
}

static bool has(const struct wb_completion *c, const char *text)
{
    for (size_t i = 0; i < c->items; i++)
        if (strcmp(c->item[i].text, text) == 0)
            return true;
    return false;
}

/* "|" is the cursor; want is offered and not is not; first is what a candidate replaces. */
static void test_complete(void **state)
{
    static const struct {
        const char *text, *want, *not, *typed;
    } row[] = {
        { "wb.|", "merge", "ties", "" },
        { "local m = wb.me|", "merge", "open", "me" },
        { "wb.merge(\"|", "ties", "prune", "" },
        { "wb.compress('pr|", "prune", "ties", "pr" },
        { "wb.merge(\"ties\", {base = b, |", "density", "share", "" },
        { "wb.merge(\"ties\", {base = b, den|", "density", "models", "den" },
        { "wb.merge(\"ties\", {voc|})", "vocab", "density", "voc" },
        { "wb.merge(\"ties\", {vocab = \"|", "base_rows", "ties", "" },
        { "local m = wb.open 'x' m:|", "names", "svd", "" },
        { "local m = wb.open 'x' m.|", "family", "names", "" },
        { "t:sv|", "svd", "names", "sv" },
        { "wb.knob('a', 1, {mi|", "min", "max", "mi" },
        { "local alpha = 1 return al|", "alpha", "wb", "al" },
        { "-- wb.|", NULL, "merge", NULL },
        { "print(\"wb.|", NULL, "merge", NULL },
        { "wb.open '$D/o|", "$D/one/", NULL, "$D/o" },
        { "|", NULL, "merge", "" },
        { "wb.merge(\"ties\", {density = 1}) wb.|", "open", "density", "" },
    };
    struct fixture *f = *state;
    cJSON *data = wb_vm_complete_data(f->lua.vm, &f->lua.err);

    assert_non_null(data);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct wb_completion c;
        char text[400], want[200], typed[200];
        const char *from[] = { row[i].text, row[i].want, row[i].typed };
        char *to[] = { text, want, typed };
        size_t cursor, n;

        for (int k = 0; k < 3; k++) {
            const char *at = from[k] == NULL ? NULL : strstr(from[k], "$D");

            snprintf(to[k], 200, "%.*s%s%s", at == NULL ? 200 : (int)(at - from[k]),
                     from[k] == NULL ? "" : from[k], at == NULL ? "" : f->lua.dir,
                     at == NULL ? "" : at + 2);
        }
        cursor = strcspn(text, "|");
        memmove(text + cursor, text + cursor + 1, strlen(text + cursor));
        n = strlen(text);
        assert_true(wb_complete_lua(data, text, n, cursor, &c, &f->lua.err));
        if (row[i].want != NULL && !has(&c, want))
            fail_msg("%s: %s is missing among %zu", row[i].text, want, c.items);
        if (row[i].not != NULL && has(&c, row[i].not ))
            fail_msg("%s: %s does not fit", row[i].text, row[i].not );
        if (row[i].typed != NULL) {
            assert_int_equal(c.last - c.first, strlen(typed));
            assert_memory_equal(text + c.first, typed, strlen(typed));
        }
        wb_completion_free(&c);
        assert_true(
            wb_complete_lua(NULL, text, n, cursor, &c, &f->lua.err)); /* nothing known yet */
        wb_completion_free(&c);
    }
    cJSON_Delete(data);
}

/* Any text cut anywhere, and any byte in it, is completed without harm. */
static void test_complete_anything(void **state)
{
    static const char text[] =
        "local b = wb.open \"x\" -- [[\nwb.merge('ties', {base = b, [[a]] = {\n"
        "m:t('a\\z\n', 0x1p-3, 1..2) }}) return ((b)) --[=[ wb. ]=] \"\\\xFF\\300\\x4";
    struct fixture *f = *state;
    cJSON *data = wb_vm_complete_data(f->lua.vm, &f->lua.err);

    for (size_t n = 0; n < sizeof text; n++) {
        struct wb_completion c;
        char *copy = malloc(n + 1); /* of just this size: reading behind it is found */

        memcpy(copy, text, n);
        assert_true(wb_complete_lua(data, copy, n, n, &c, &f->lua.err));
        assert_true(c.first <= c.last && c.last <= n);
        wb_completion_free(&c);
        free(copy);
    }
    cJSON_Delete(data);
}

static void test_complete_hub(void **state)
{
    struct fixture *f = *state;
    struct wb_completion c;
    char hub[200];

    snprintf(hub, sizeof hub, "%s/hub", f->lua.dir);
    lua_fixture_file(&f->lua, "hub/models--org--name/refs/main", "abc");
    lua_fixture_file(&f->lua, "hub/datasets--org--other/refs/main", "abc");
    setenv("HF_HUB_CACHE", hub, 1);
    assert_true(wb_complete_model("or", &c, &f->lua.err));
    assert_true(has(&c, "org/name"));
    assert_false(has(&c, "org/other"));
    wb_completion_free(&c);
    assert_true(wb_complete_model("x+or", &c, &f->lua.err));
    assert_true(has(&c, "org/name"));
    assert_int_equal(c.first, 2);
    wb_completion_free(&c);
    snprintf(hub, sizeof hub, "%s/hu", f->lua.dir);
    assert_true(wb_complete_path(hub, &c, &f->lua.err));
    assert_int_equal(c.items, 1);
    assert_string_equal(c.item[0].detail, "directory");
    wb_completion_free(&c);
    unsetenv("HF_HUB_CACHE");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_values),       TEST(test_persistence),
        TEST(test_incomplete),   TEST(test_errors),
        TEST(test_probes),       TEST(test_docs),
        TEST(test_complete),     TEST(test_complete_anything),
        TEST(test_complete_hub),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
