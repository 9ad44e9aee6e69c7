/* tests/unit/test_line.c - the input line by scripted keys, its history and its completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "tests/unit/draw.h"
#include "tests/unit/keys.h"
#include "views/line.h"

static enum wb_line_result play(struct wb_line *line, const char *script)
{
    enum wb_line_result result = WB_LINE_USED;
    struct wb_event event;
    bool pasting = false;

    while (next_event(&script, &event, &pasting))
        result = wb_line_event(line, &event);
    return result;
}

/* After the keys the line reads so, the cursor at the bar. */
static void check_keys(const char *script, const char *want)
{
    struct wb_line *line = wb_line_new(NULL, NULL);
    char got[300];
    size_t at;

    assert_non_null(line);
    wb_line_start(line, ":", "");
    play(line, script);
    at = wb_line_cursor(line);
    snprintf(got, sizeof got, "%.*s|%s", (int)at, wb_line_text(line), wb_line_text(line) + at);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s", script, got);
    wb_line_free(line);
}

static void test_editing(void **state)
{
    (void)state;
    check_keys("abc<Left><Left>x", "ax|bc");
    check_keys("abc<C-a>x<C-e>y", "xabcy|");
    check_keys("abc<Home><Right><Del>", "a|c");
    check_keys("open zoo/base<C-w>", "open |");
    check_keys("open zoo/base<C-w><C-y><C-y>", "open zoo/basezoo/base|");
    check_keys("open zoo<M-b><C-k>", "open |");
    check_keys("open zoo<C-Left><C-u>", "|zoo");
    check_keys("open zoo<C-u><C-y>", "open zoo|");
    check_keys("a b<C-Left><C-Left><C-Right>", "a| b");
    check_keys("\xC3\xA9\xE6\xBC\xA2<Backspace>", "\xC3\xA9|");
    check_keys("e\xCC\x81x<Left><Left>", "|ex"); /* keys of no column are not typed alone */
    check_keys("\va\nb\tc\v", "a b c|");
    check_keys("<C-l>a<F5><Up>", "a|");
}

static void test_results(void **state)
{
    struct wb_line *line = wb_line_new(NULL, NULL);

    (void)state;
    wb_line_start(line, ":", "go");
    assert_int_equal(play(line, "<Left>"), WB_LINE_USED);
    assert_int_equal(play(line, "x"), WB_LINE_CHANGED);
    assert_int_equal(play(line, "<F5>"), WB_LINE_UNUSED);
    assert_int_equal(play(line, "<Enter>"), WB_LINE_TAKEN);
    assert_string_equal(wb_line_text(line), "gxo");
    assert_int_equal(play(line, "<Esc>"), WB_LINE_LEFT);
    wb_line_start(line, ":", "a");
    assert_int_equal(play(line, "<Backspace>"), WB_LINE_CHANGED);
    assert_int_equal(play(line, "<Backspace>"), WB_LINE_LEFT);
    for (int i = 0; i < WB_LINE_MAX + 10; i++)
        play(line, "x");
    assert_int_equal(strlen(wb_line_text(line)), WB_LINE_MAX);
    wb_line_free(line);
}

static void test_history_keys(void **state)
{
    struct wb_history *h = wb_history_open(NULL);
    struct wb_line *line = wb_line_new(h, NULL);

    (void)state;
    wb_history_add(h, "open a");
    wb_history_add(h, "merge");
    wb_history_add(h, "open b");
    wb_history_add(h, "");
    wb_history_add(h, " secret");
    assert_int_equal(wb_history_count(h), 3);
    wb_line_start(line, ":", "");
    play(line, "<Up>");
    assert_string_equal(wb_line_text(line), "open b");
    play(line, "<Up><Up><Up>");
    assert_string_equal(wb_line_text(line), "open a");
    play(line, "<Down><Down><Down><Down>");
    assert_string_equal(wb_line_text(line), "");
    play(line, "op<Up>");
    assert_string_equal(wb_line_text(line), "open b");
    play(line, "<Up>"); /* by what was typed */
    assert_string_equal(wb_line_text(line), "open a");
    play(line, "<Down><Down>");
    assert_string_equal(wb_line_text(line), "op");
    play(line, "zz<Up>");
    assert_string_equal(wb_line_text(line), "opzz");
    wb_line_free(line);
    wb_history_free(h);
}

static void test_history_file(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char folder[200], path[300], name[40];
    struct wb_history *h;
    struct wb_err err;
    struct stat st;

    (void)state;
    snprintf(folder, sizeof folder, "%s/history-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/deep/er/command_history", folder);
    h = wb_history_open(path);
    assert_non_null(h);
    for (int i = 0; i < WB_HISTORY_MAX + 20; i++) {
        snprintf(name, sizeof name, "line %d", i);
        wb_history_add(h, name);
    }
    wb_history_add(h, "line 500"); /* moves to the end */
    assert_true(wb_history_save(h, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    wb_history_free(h);
    h = wb_history_open(path);
    assert_int_equal(wb_history_count(h), WB_HISTORY_MAX);
    assert_string_equal(wb_history_at(h, 0), "line 20");
    assert_string_equal(wb_history_at(h, WB_HISTORY_MAX - 1), "line 500");
    assert_string_equal(wb_history_at(h, WB_HISTORY_MAX - 2), "line 1019");
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(wb_history_save(h, &err)); /* written anew: nobody else's again */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    wb_history_free(h);
    assert_true(wb_remove_tree(folder, &err));
    h = wb_history_open("/dev/null/no/history");
    assert_non_null(h);
    wb_history_add(h, "x");
    assert_false(wb_history_save(h, &err));
    wb_history_free(h);
}

static void test_history_path(void **state)
{
    char *path;

    (void)state;
    setenv("XDG_STATE_HOME", "/state", 1);
    path = wb_history_path("command");
    assert_string_equal(path, "/state/weightbench/command_history");
    free(path);
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/home/me", 1);
    path = wb_history_path("command");
    assert_string_equal(path, "/home/me/.local/state/weightbench/command_history");
    free(path);
    unsetenv("HOME");
    assert_null(wb_history_path("command"));
}

static void offer(void *user, const char *text, size_t at, size_t *from, struct wb_complete *out)
{
    (void)user;
    while (*from > 0 && text[*from - 1] != ' ')
        --*from;
    (void)at;
    if (*from == 0) {
        wb_complete_add(out, "open", "command", "open a model");
        wb_complete_add(out, "options", "command", "show the options");
        wb_complete_add(out, "quit", "command", "leave");
    } else {
        wb_complete_add(out, "zoo/base", "path", NULL);
        wb_complete_add(out, "zoo/basic", "path", NULL);
    }
}

static const struct wb_line_completer completer = { offer, NULL };

static void test_completion(void **state)
{
    struct wb_line *line = wb_line_new(NULL, &completer);

    (void)state;
    wb_line_start(line, ":", "");
    play(line, "q<Tab>"); /* the only one */
    assert_string_equal(wb_line_text(line), "quit");
    wb_line_start(line, ":", "");
    play(line, "o<Tab>"); /* as far as all agree */
    assert_string_equal(wb_line_text(line), "op");
    play(line, "t<Tab>"); /* the list follows the typing */
    assert_string_equal(wb_line_text(line), "options");
    wb_line_start(line, ":", "open z");
    play(line, "<Tab>");
    assert_string_equal(wb_line_text(line), "open zoo/bas");
    play(line, "<Down><Down>");
    assert_int_equal(play(line, "<Enter>"), WB_LINE_CHANGED); /* what was chosen */
    assert_string_equal(wb_line_text(line), "open zoo/basic");
    assert_int_equal(play(line, "<Enter>"), WB_LINE_TAKEN);
    wb_line_start(line, ":", "open z");
    assert_int_equal(play(line, "<Tab><Enter>"), WB_LINE_TAKEN); /* nothing was chosen */
    wb_line_start(line, ":", "open z");
    assert_int_equal(play(line, "<Tab><Esc>"), WB_LINE_USED);
    assert_int_equal(play(line, "<Esc>"), WB_LINE_LEFT);
    wb_line_free(line);
}

static void check_drawn(const struct wb_line *line, int cols, const char *want, int cursor)
{
    struct wb_surface s = { 0 };
    struct wb_theme theme;
    struct wb_canvas cv;
    struct wb_str out = { 0 };

    wb_theme_init(&theme, WB_TIER_MONO, true);
    assert_true(wb_surface_resize(&s, 5, cols, NULL));
    cv = wb_canvas_of(&s, &theme);
    wb_line_draw(line, &cv, 4, true);
    wb_surface_dump(&s, &theme, false, &out);
    assert_string_equal(out.text, want);
    assert_int_equal(s.cursor_row, 4);
    assert_int_equal(s.cursor_col, cursor);
    wb_str_free(&out);
    wb_surface_free(&s);
}

static void test_drawing(void **state)
{
    struct wb_line *line = wb_line_new(NULL, &completer);

    (void)state;
    wb_line_start(line, ":", "open z");
    check_drawn(line, 30, "\n\n\n\n:open z\n", 7);
    play(line, "<Tab><Down>");
    check_drawn(line, 30,
                "\n      >zoo/base   path\n       zoo/basic  path\n                  1/2\n"
                ":open zoo/bas\n",
                13);
    wb_line_start(line, ":", "0123456789abcdef");
    check_drawn(line, 10, "\n\n\n\n:89abcdef\n", 9);
    play(line, "<Home>");
    check_drawn(line, 10, "\n\n\n\n:012345678\n", 1);
    wb_line_free(line);
}

/* Whatever is typed, the line stays sound; sizes down to nothing are drawn. */
static void test_random_keys(void **state)
{
    static const char *const key[] = { "<Left>", "<C-w>", "<Tab>",       "<Up>",   "<Down>",
                                       "<C-y>",  "<C-k>", "<Backspace>", "<Home>", "\xE6\xBC\xA2",
                                       "o",      " ",     "<Esc>" };
    struct wb_history *h = wb_history_open(NULL);
    struct wb_line *line = wb_line_new(h, &completer);
    struct wb_theme theme;

    (void)state;
    wb_theme_init(&theme, WB_TIER_MONO, false);
    wb_line_start(line, ":", "");
    for (int i = 0; i < 20000; i++) {
        struct wb_surface s = { 0 };
        struct wb_canvas cv;

        play(line, key[rng() % (sizeof key / sizeof key[0])]);
        assert_true(wb_line_cursor(line) <= strlen(wb_line_text(line)));
        if (rng() % 50 == 0)
            wb_history_add(h, wb_line_text(line));
        if (rng() % 10 != 0)
            continue;
        assert_true(wb_surface_resize(&s, (int)(rng() % 5), (int)(rng() % 12), NULL));
        cv = wb_canvas_of(&s, &theme);
        wb_line_draw(line, &cv, (int)(rng() % 5), true);
        wb_surface_free(&s);
    }
    wb_line_free(line);
    wb_history_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_editing),      cmocka_unit_test(test_results),
        cmocka_unit_test(test_history_keys), cmocka_unit_test(test_history_file),
        cmocka_unit_test(test_history_path), cmocka_unit_test(test_completion),
        cmocka_unit_test(test_drawing),      cmocka_unit_test(test_random_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
