/* tests/unit/test_config.c - the config file: what it may say, and errors that name file, line or
 * key and what is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "lua/bind/config.h"

struct fixture {
    char dir[40], path[80];
    struct wb_config c;
    struct wb_err err;
};

static const char *const styles[] = { "error", "title", NULL };
static const char *const views[] = { "tensors", "models", NULL };
static const char *const actions[] = { "run", "sort", NULL };
static const struct wb_config_names names = { styles, views, actions };

static int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof f);
    strcpy(f.dir, "/tmp/wb-config-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof f.path, "%s/config.lua", f.dir);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wb_config_free(&f->c);
    assert_true(wb_remove_tree(f->dir, &f->err));
    return 0;
}

static bool read_text(struct fixture *f, const char *text, size_t n)
{
    wb_config_free(&f->c);
    assert_true(wb_write_file(f->path, text, n, &f->err));
    return wb_config_read(f->path, &names, &f->c, &f->err);
}

static void test_all(void **state)
{
    static const char text[] =
        "local dark = 'bold red'\n"
        "return {\n"
        "  theme = {title = '#ff8700', error = dark},\n"
        "  keys = {tensors = {o = 'sort'}, all = {['C-g'] = 'run', x = false}},\n"
        "  options = {color = 'never', ascii = true, mouse = false, colormap = 'grey', threads = "
        "3,\n"
        "             memory = '2GiB', cache = 1000, session = true, behaviour = false},\n"
        "  eval = {'a.txt', 'b.jsonl'},\n"
        "  startup = {'set mouse off', 'open x'},\n"
        "}\n";
    struct fixture *f = *state;

    if (!read_text(f, text, strlen(text)))
        fail_msg("%s", f->err.msg);
    assert_string_equal(f->c.path, f->path);
    assert_int_equal(f->c.styles, 2);
    assert_string_equal(f->c.style[0].style, "error");
    assert_string_equal(f->c.style[0].look, "bold red");
    assert_int_equal(f->c.keys, 3);
    assert_string_equal(f->c.key[0].view, "all");
    assert_string_equal(f->c.key[0].key, "C-g");
    assert_string_equal(f->c.key[0].action, "run");
    assert_null(f->c.key[1].action);
    assert_string_equal(f->c.key[2].view, "tensors");
    assert_string_equal(f->c.color, "never");
    assert_string_equal(f->c.colormap, "grey");
    assert_int_equal(f->c.ascii, WB_CONFIG_ON);
    assert_int_equal(f->c.mouse, WB_CONFIG_OFF);
    assert_int_equal(f->c.session, WB_CONFIG_ON);
    assert_int_equal(f->c.preview, WB_CONFIG_UNSET);
    assert_int_equal(f->c.behaviour, WB_CONFIG_OFF);
    assert_int_equal(f->c.evals, 2);
    assert_string_equal(f->c.eval[1], "b.jsonl");
    assert_int_equal(f->c.threads, 3);
    assert_true(f->c.memory_bytes == (uint64_t)2 << 30);
    assert_true(f->c.cache_bytes == 1000);
    assert_int_equal(f->c.startups, 2);
    assert_string_equal(f->c.startup[1], "open x");
}

static void test_none(void **state)
{
    struct fixture *f = *state;

    assert_true(wb_config_read(f->path, &names, &f->c, &f->err));
    assert_null(f->c.path);
    assert_int_equal(f->c.mouse, WB_CONFIG_UNSET);
    assert_true(read_text(f, "return {}", 9));
    assert_non_null(f->c.path);
    assert_int_equal(f->c.keys + f->c.styles + f->c.startups, 0);
}

/* Each error begins with the file, and says where in it and what would be right. */
static void test_errors(void **state)
{
    static const struct {
        const char *text, *says;
    } row[] = {
        { "return {\n  theme = {\n", ":3: unexpected symbol near <eof>" },
        { "\nx.y = 1", ":2: attempt to index" },
        { "return 1", "returns a table" },
        { "", "not nothing" },
        { "return {them = {}}", "did you mean 'theme'?" },
        { "return {[1] = 2}", "without a name" },
        { "return {theme = 1}", "theme is a table, not a number" },
        { "return {theme = {eror = 'red'}}", "no style 'eror'; did you mean 'error'?" },
        { "return {theme = {zzzzzz = 'red'}}", "there are error, title" },
        { "return {theme = {error = 1}}", "theme.error is a string, not a number" },
        { "return {theme = {error = 'a\\0b'}}", "theme.error is a string of 3 bytes" },
        { "return {keys = {all = 1}}", "keys.all is a table" },
        { "return {keys = {tensor = {}}}", "did you mean 'tensors'?" },
        { "return {keys = {all = {x = 'rnu'}}}", "did you mean 'run'?" },
        { "return {keys = {all = {x = true}}}",
          "keys.all[\"x\"] is the name of an action, or false" },
        { "return {options = {colour = 'never'}}", "did you mean 'color'?" },
        { "return {options = {nothing = 1}}", "ascii, behaviour, cache, color, colormap, memory" },
        { "return {options = {color = 'red'}}", "auto, never, 16, 256, direct" },
        { "return {options = {ascii = 1}}", "options.ascii is true or false" },
        { "return {options = {threads = 0}}", "a whole number from 1 to 1024" },
        { "return {options = {threads = 1.5}}", "a whole number" },
        { "return {options = {memory = 'lots'}}", "options.memory: " },
        { "return {options = {memory = -1}}", "options.memory is a size" },
        { "return {startup = {1}}", "startup[1] is a string" },
        { "return {eval = {'a.txt', 1}}", "eval[2] is a string" },
        { "while true do end", "endless loop" },
        { "while true do pcall(function() while true do end end) end", "endless loop" },
        { "local t = {} for i = 1, 1e9 do t[i] = i end", "memory" },
        { "return {theme = {error = ('x'):rep(5000)}}", "5000 bytes" },
        { "error {}", "without a text" },
        { "io.open 'x'", ":1: attempt to index" },
        { "load 'x'", ":1: attempt to call" },
        { "require 'wb'", ":1: attempt to call" },
        { "\033Lua", "binary" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        assert_false(read_text(f, row[i].text, strlen(row[i].text)));
        if (strstr(f->err.msg, row[i].says) == NULL ||
            strncmp(f->err.msg, f->path, strlen(f->path)) != 0)
            fail_msg("%s: %s", row[i].text, f->err.msg);
        assert_int_equal(f->c.keys + f->c.styles, 0);
    }
}

static void test_bounds(void **state)
{
    struct fixture *f = *state;
    static const char many[] =
        "local t = {} for i = 1, 5000 do t['k' .. i] = false end return {keys = {all = t}}";
    char *big = malloc(2 << 20);

    assert_false(read_text(f, many, strlen(many)));
    assert_non_null(strstr(f->err.msg, "4096"));
    memset(big, '-', 2 << 20);
    assert_false(read_text(f, big, 2 << 20));
    assert_non_null(strstr(f->err.msg, "more than the"));
    free(big);
}

static void test_path(void **state)
{
    char path[100], small[10];

    (void)state;
    setenv("HOME", "/h", 1);
    unsetenv("XDG_CONFIG_HOME");
    assert_true(wb_config_path(path, sizeof path));
    assert_string_equal(path, "/h/.config/weightbench/config.lua");
    setenv("XDG_CONFIG_HOME", "/x", 1);
    assert_true(wb_config_path(path, sizeof path));
    assert_string_equal(path, "/x/weightbench/config.lua");
    setenv("XDG_CONFIG_HOME", "relative", 1);
    assert_true(wb_config_path(path, sizeof path));
    assert_string_equal(path, "/h/.config/weightbench/config.lua");
    assert_false(wb_config_path(small, sizeof small));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_all), TEST(test_none), TEST(test_errors), TEST(test_bounds), TEST(test_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
