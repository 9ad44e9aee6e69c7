/* tests/unit/test_record.c - what was done becomes a script: it runs, prints the same figures, and
 * no name breaks it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lua/bind/console.h"
#include "lua/bind/literal.h"
#include "lua/bind/record.h"
#include "tests/unit/lua_fixture.h"

struct fixture {
    struct lua_fixture lua;
    struct wb_record *r;
    struct wb_str script;
    char path[2][200];
};

static int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof f);
    lua_fixture_open(&f.lua);
    lua_fixture_model(&f.lua, "a", NULL, "w:2,2=1;v:2=3");
    lua_fixture_model(&f.lua, "b", NULL, "w:2,2=1,2,3,4;v:2=3");
    snprintf(f.path[0], sizeof f.path[0], "%s/a", f.lua.dir);
    snprintf(f.path[1], sizeof f.path[1], "%s/b", f.lua.dir);
    f.r = wb_record_new();
    assert_non_null(f.r);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wb_str_free(&f->script);
    wb_record_free(f->r);
    lua_fixture_close(&f->lua);
    return 0;
}

static const char *script(struct fixture *f)
{
    wb_str_free(&f->script);
    assert_true(wb_record_script(f->r, &f->script, &f->lua.err));
    return f->script.text;
}

static void run(struct fixture *f, const char *text)
{
    if (!lua_fixture_run(&f->lua, text, NULL))
        fail_msg("%s\n%s", f->lua.err.msg, text);
}

static void test_figures(void **state)
{
    struct fixture *f = *state;
    char direct[16384], text[800];

    assert_true(wb_record_open(f->r, "a", f->path[0]));
    assert_true(wb_record_open(f->r, "b", f->path[1]));
    assert_true(wb_record_compare(f->r, "a", "b", NULL, "w*", false));
    assert_true(wb_record_compare(f->r, "b", "a", "a", NULL, false));
    assert_true(wb_record_stats(f->r, "b", NULL, false));
    assert_int_equal(wb_record_count(f->r), 5);
    snprintf(text, sizeof text,
             "local a, b = wb.open '%s', wb.open '%s'\n"
             "print('compare a b', wb.json(wb.compare(a, b, {match = 'w*'})))\n"
             "print('compare b a', wb.json(wb.compare(b, a, {base = a})))\n"
             "print('stats b', wb.json(wb.stats(b)))\nreturn a",
             f->path[0], f->path[1]);
    run(f, text);
    strcpy(direct, f->lua.log);
    assert_non_null(strstr(direct, "\"l2\":3.7416"));
    run(f, script(f));
    assert_string_equal(f->lua.log, direct);
    assert_string_equal(wb_model_path(f->lua.out.model), f->path[0]);
}

/* The knobs come with the values they had; the last pipeline is what the script returns. */
static void test_pipeline(void **state)
{
    struct fixture *f = *state;
    char text[800];
    struct wb_knob knob[] = {
        { .name = "x", .number = 0.25 },
        { .name = "on", .kind = WB_KNOB_BOOL, .number = 1 },
        { .name = "s \"q\"", .kind = WB_KNOB_TEXT, .text = "]]\n\\" },
        { .name = "key", .kind = WB_KNOB_TEXT, .text = "hush", .secret = true },
    };

    snprintf(text, sizeof text,
             "local x = wb.knob('x', 1) -- a comment at the end\n"
             "assert(wb.knob('on', false) and wb.knob('s \"q\"', '') == ']]\\n\\\\')\n"
             "assert(wb.knob('key', 'none', {secret = true}) == 'none')\n"
             "return wb.open('%s'):map(function(t) return t * x end) -- no line end",
             f->path[0]);
    assert_true(wb_record_pipeline(f->r, "return nil", 10, NULL, 0));
    wb_record_clear(f->r);
    assert_true(wb_record_comment(f->r, "looked at layers\nreturn 1"));
    assert_true(wb_record_pipeline(f->r, text, strlen(text), knob, 4));
    assert_null(strstr(script(f), "hush"));
    run(f, f->script.text);
    assert_int_equal(f->lua.out.knobs, 4);
    assert_true(f->lua.out.knob[0].number == 0.25);
    {
        double w[4];

        lua_fixture_tensor(&f->lua, "w", w, 4);
        assert_true(w[0] == 0.25);
    }
    assert_true(lua_fixture_run(&f->lua, f->script.text, "x=2")); /* and can still be turned */
    assert_true(f->lua.out.knob[0].number == 2);
}

/* The console runs it too. */
static void test_console(void **state)
{
    struct fixture *f = *state;
    struct wb_console_output out;
    struct wb_console_input in;

    assert_true(wb_record_open(f->r, "a", f->path[0]));
    assert_true(wb_record_stats(f->r, "a", NULL, true));
    in = (struct wb_console_input){ .text = script(f) };
    if (!wb_vm_console(f->lua.vm, &in, &out, &f->lua.err))
        fail_msg("%s", f->lua.err.msg);
    assert_non_null(strstr(out.text, "model /tmp/"));
    wb_console_output_free(&out);
}

/* Names and paths are whatever bytes they are; the same acts give the same text. */
static void test_hostile(void **state)
{
    static const char *const name[] = { "a\"]=1",   "a\nb",   "]] --[[", "\\",
                                        "\xff\x80", "1\0011", "$(x)",    "end" };
    struct fixture *f = *state;
    struct wb_str again = { 0 };

    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        char path[300];

        assert_true(wb_record_open(f->r, name[i], f->path[0]));
        assert_true(wb_record_compare(f->r, name[i], name[i], NULL, "*", true));
        assert_true(wb_record_comment(f->r, name[i]));
        /* A path that is not there: it must come back as it is, in the error. */
        snprintf(path, sizeof path, "/nowhere/%s", name[i]);
        {
            struct wb_str text = { 0 };

            wb_str_add(&text, "local path = ");
            wb_lua_quote(&text, path, strlen(path));
            wb_str_add(
                &text,
                "\nlocal ok, e = pcall(wb.open, path) assert(not ok and e:find(path, 1, true))\n"
                "return wb.open '$D/one'");
            run(f, text.text);
            wb_str_free(&text);
        }
        assert_true(wb_record_close(f->r, name[i]));
        assert_true(wb_record_open(f->r, name[i], f->path[1]));
    }
    run(f, script(f));
    assert_true(wb_record_script(f->r, &again, &f->lua.err));
    assert_string_equal(again.text, f->script.text);
    wb_str_free(&again);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_figures),
        TEST(test_pipeline),
        TEST(test_console),
        TEST(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
