/* tests/unit/test_edit_script.c - steps put into a pipeline's text and knobs written back: the
 * text, and that it runs. */
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
#include "lua/bind/edit.h"
#include "lua/bind/lex.h"
#include "lua/bind/script.h"
#include "tests/unit/lua_fixture.h"

struct fixture {
    struct lua_fixture lua;
    cJSON *plugins;
};

static int set_up(void **state)
{
    static struct fixture f;

    lua_fixture_open(&f.lua);
    f.plugins = wb_vm_plugins(f.lua.vm, &f.lua.err);
    assert_non_null(f.plugins);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    cJSON_Delete(f->plugins);
    lua_fixture_close(&f->lua);
    return 0;
}

static const cJSON *plugin(const struct fixture *f, const char *name)
{
    const cJSON *p;

    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(f->plugins, "plugins"))
        if (strcmp(wb_json_text(p, "name", ""), name) == 0)
            return p;
    fail_msg("there is no plugin %s", name);
    return NULL;
}

/* The text with the edit made, owned. */
static char *apply(const char *text, size_t n, const struct wb_text_edit *edit)
{
    size_t more = strlen(edit->text);
    char *out = malloc(n - (edit->last - edit->first) + more + 1);

    memcpy(out, text, edit->first);
    memcpy(out + edit->first, edit->text, more);
    memcpy(out + edit->first + more, text + edit->last, n - edit->last);
    out[n - (edit->last - edit->first) + more] = '\0';
    return out;
}

static char *insert(struct fixture *f, const char *text, const cJSON *p)
{
    struct wb_text_edit edit;
    char *out;

    if (!wb_edit_insert_step(text, strlen(text), p, &edit, &f->lua.err))
        fail_msg("%s\n%s", f->lua.err.msg, text);
    out = apply(text, strlen(text), &edit);
    wb_text_edit_free(&edit);
    return out;
}

static void runs(struct fixture *f, const char *text, size_t steps)
{
    struct wb_script s;

    if (!wb_script_run(f->lua.vm, "script.lua", text, strlen(text), NULL, 0, &s))
        fail_msg("%s\n%s", s.err.msg, text);
    assert_int_equal(s.steps, steps);
    assert_string_equal(s.step[steps - 1].method, "prune");
    assert_int_equal(s.pipeline.model == s.step[steps - 1].model, 1);
    wb_script_free(&s);
}

static void test_text(void **state)
{
    static const struct {
        const char *before, *after; /* up to the parameters */
    } row[] = {
        { "local m = wb.open 'x'\nreturn m\n",
          "local m = wb.open 'x'\nreturn wb.compress(\"prune\", m, {\n" },
        { "return wb.open 'x' -- done\n",
          "local opened = wb.open 'x'\nreturn wb.compress(\"prune\", opened, {\n" },
        { "return wb.merge('ties', {\n  models = {a}})",
          "local merged = wb.merge('ties', {\n  models = {a}})\nreturn wb.compress(\"prune\", "
          "merged, {\n" },
        { "local merged = 1\nreturn wb.merge('ties', {});",
          "local merged = 1\nlocal merged2 = wb.merge('ties', {})\nreturn wb.compress(\"prune\", "
          "merged2, {\n" },
        { "local function f(m) return m end\nif x then return y end\nreturn (f(a)):with{}",
          "local function f(m) return m end\nif x then return y end\n"
          "local model = (f(a)):with{}\nreturn wb.compress(\"prune\", model, {\n" },
        { "local s = 'return x' --[[ return y ]]\nreturn z",
          "local s = 'return x' --[[ return y ]]\n"
          "return wb.compress(\"prune\", z, {\n" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char *out = insert(f, row[i].before, plugin(f, "prune"));

        if (strncmp(out, row[i].after, strlen(row[i].after)) != 0)
            fail_msg("%s\nis not\n%s", out, row[i].after);
        free(out);
    }
}

/* What stands behind the return stays; comments name ranges; the line is where the step begins. */
static void test_details(void **state)
{
    struct fixture *f = *state;
    const char *text = "local m = wb.open 'x'\nreturn wb.stack{\n  {model = m}} -- all of it\n";
    struct wb_text_edit edit;
    char *out;

    assert_true(wb_edit_insert_step(text, strlen(text), plugin(f, "prune"), &edit, &f->lua.err));
    assert_int_equal(edit.line, 4);
    out = apply(text, strlen(text), &edit);
    assert_non_null(strstr(out, "}) -- all of it\n"));
    assert_non_null(strstr(out, "  sparsity = 0.5, -- 0 to 1: share of"));
    assert_non_null(strstr(out, "  rule = \"exact\", -- \"exact\" | \"official\": "));
    free(out);
    wb_text_edit_free(&edit);
    out = insert(f, "return x", plugin(f, "permute"));
    assert_non_null(strstr(out, "key = wb.knob(\"key\", \"change me\", {secret = true})"));
    free(out);
    assert_false(wb_edit_insert_step("x = 1", 5, plugin(f, "prune"), &edit, &f->lua.err));
    assert_false(wb_edit_insert_step("", 0, plugin(f, "prune"), &edit, &f->lua.err));
    assert_false(wb_edit_insert_step("return", 6, plugin(f, "prune"), &edit, &f->lua.err));
    assert_int_equal(f->lua.err.code, WB_EARG);
}

static char *read_all(const char *path)
{
    struct wb_err err;
    char *text = wb_read_file(path, 1 << 20, NULL, &err);

    if (text == NULL)
        fail_msg("%s", err.msg);
    return text;
}

/* Every method put behind the bundled pipeline gives a script that loads; pruning twice runs. */
static void test_demo(void **state)
{
    struct fixture *f = *state;
    char *text = read_all("tests/data/demo/pipeline.lua"),
         *once = insert(f, text, plugin(f, "prune")), *twice = insert(f, once, plugin(f, "prune"));
    const cJSON *p;

    runs(f, once, 2);
    runs(f, twice, 3);
    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(f->plugins, "plugins")) {
        char *out;
        struct wb_script s;
        const char *name = wb_json_text(p, "name", "");

        if (strcmp(wb_json_text(p, "kind", ""), "inspect") == 0)
            continue;
        out = insert(f, text, p);
        wb_script_run(f->lua.vm, "script.lua", out, strlen(out), NULL, 0, &s);
        /* What a method must be told and cannot guess is all that may be missing. */
        if (!s.ok && strcmp(name, "stack") != 0 && strcmp(name, "lora_extract") != 0)
            fail_msg("%s\n%s", s.err.msg, out);
        assert_true(s.steps >= 1);
        wb_script_free(&s);
        free(out);
    }
    free(text);
    free(once);
    free(twice);
}

/* Every pipeline in the README goes on with a step. */
static void test_readme(void **state)
{
    struct fixture *f = *state;
    char *text = read_all("README.md"), *at = text, *end;
    size_t seen = 0;

    while ((at = strstr(at, "```lua\n")) != NULL && (end = strstr(at += 7, "\n```")) != NULL) {
        char *out;

        *end = '\0';
        if (strstr(at, "wb.open") != NULL && strstr(at, "trimmed_mean") == NULL) {
            struct wb_script s;

            wb_script_run(f->lua.vm, "script.lua", at, strlen(at), NULL, 0, &s);
            if (!s.ok)
                fail_msg("%s", s.err.msg);
            out = insert(f, at, plugin(f, "prune"));
            runs(f, out, s.steps + 1);
            wb_script_free(&s);
            free(out);
            seen++;
        }
        at = end + 1;
    }
    assert_true(seen >= 2);
    free(text);
}

static void test_knob(void **state)
{
    static const struct {
        const char *before;
        struct wb_knob knob;
        const char *after; /* NULL: refused */
    } row[] = {
        { "wb.knob(\"a\", 0.3, {min = 0})",
          { .name = "a", .number = 0.25 },
          "wb.knob(\"a\", 0.25, {min = 0})" },
        { "wb.knob('a', -1)", { .name = "a", .number = 0.1 }, "wb.knob('a', 0.1)" },
        { "x = wb . knob ( [[a]] , --[[ was 2 ]] 3 --[[ now ]])",
          { .name = "a", .number = -1e-7 },
          "x = wb . knob ( [[a]] , --[[ was 2 ]] -1e-07 --[[ now ]])" },
        { "wb.knob('b', 1) wb.knob('a', 1)",
          { .name = "a", .number = 2 },
          "wb.knob('b', 1) wb.knob('a', 2)" },
        { "wb.knob('a', true)",
          { .name = "a", .kind = WB_KNOB_BOOL, .number = 0 },
          "wb.knob('a', false)" },
        { "wb.knob('a', 'x', {})",
          { .name = "a", .kind = WB_KNOB_TEXT, .text = "q\"\n\0011" },
          "wb.knob('a', \"q\\\"\\n\\0011\", {})" },
        { "-- wb.knob('a', 1)\nwb.knob(\"\\x61\", 2)",
          { .name = "a", .number = 3 },
          "-- wb.knob('a', 1)\nwb.knob(\"\\x61\", 3)" },
        { "wb.knob('a', 1 + 2)", { .name = "a", .number = 3 }, NULL },
        { "wb.knob('a', x)", { .name = "a", .number = 3 }, NULL },
        { "wb.knob(name, 1)", { .name = "a", .number = 3 }, NULL },
        { "wb.knob('a', 1) wb.knob('a', 1)", { .name = "a", .number = 3 }, NULL },
        { "s = \"wb.knob('a', 1)\"", { .name = "a", .number = 3 }, NULL },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct wb_text_edit edit;
        bool ok =
            wb_edit_knob(row[i].before, strlen(row[i].before), &row[i].knob, &edit, &f->lua.err);
        char *out = ok ? apply(row[i].before, strlen(row[i].before), &edit) : NULL;

        if (ok != (row[i].after != NULL) || (ok && strcmp(out, row[i].after) != 0))
            fail_msg("%s gives %s", row[i].before, ok ? out : f->lua.err.msg);
        free(out);
        wb_text_edit_free(&edit);
    }
}

/* A number written back is the number that was turned to. */
static void test_numbers(void **state)
{
    static const double number[] = {
        0, 1, 0.1, 1.0 / 3, 1e300, 5e-324, -2.5, 123456789.123, 0.30000000000000004
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof number / sizeof number[0]; i++) {
        struct wb_knob knob = { .name = "a", .number = number[i] };
        struct wb_text_edit edit;

        assert_true(wb_edit_knob("wb.knob('a', 7)", 15, &knob, &edit, &f->lua.err));
        assert_true(strtod(edit.text, NULL) == number[i]);
        assert_int_equal(edit.first, 13);
        assert_int_equal(edit.last, 14);
        wb_text_edit_free(&edit);
    }
}

/* The tokens of any text, cut anywhere, lie one behind the other and cover all that is no blank. */
static void test_tokens(void **state)
{
    static const char text[] =
        "#!x\nlocal a<const> = 0x1p-3 .. 1.5e+3 // ... [==[ ]=] ]==] --[[ c\n ]] 'q\\'\\\n' "
        "\"\\z  \n x\" ~= :: \x80 -- end\n[[open";

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        char *copy = malloc(n + 1);
        struct wb_lex lex;
        struct wb_token t;
        size_t at = 0;

        memcpy(copy, text, n);
        wb_lex_init(&lex, copy, n);
        at = lex.at;
        do {
            t = wb_lex_next(&lex);
            for (; at < t.first; at++)
                assert_non_null(strchr(" \n", copy[at]));
            assert_true(t.last <= n && (t.kind == WB_TOKEN_END || t.last > t.first));
            at = t.last;
        } while (t.kind != WB_TOKEN_END);
        assert_int_equal(at, n);
        free(copy);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_text), TEST(test_details), TEST(test_demo),   TEST(test_readme),
        TEST(test_knob), TEST(test_numbers), TEST(test_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
