/* tests/tui/test_screens.c - what stands on every screen at three sizes, and every size there is.
 *
 * Whole screens, frame and all, on the bundled models. The expected ones are
 * tests/data/screens/ui-NAME-SIZE.txt; WB_GOLDEN=1 writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/tui/desk_state.h"
#include "tests/tui/golden_screen.h"
#include "tests/unit/screen.h"
#include "views/screens.h"

static struct view_fixture fixture;

static int setup(void **state)
{
    (void)state;
    view_fixture_open(&fixture, 24, 80);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    view_fixture_close(&fixture);
    return 0;
}

static void is_sound(void)
{
    struct screen s = { .surface = fixture.frame->surface, .theme = fixture.frame->theme };

    screen_is_sound(&s);
}

static bool matches_file(const char *name)
{
    struct wb_str dump = { 0 };
    bool same;

    is_sound();
    wb_surface_dump(&fixture.frame->surface, &fixture.frame->theme, false, &dump);
    same = golden_screen_is(dump.text, name, fixture.rows, fixture.cols);
    if (!same)
        print_error("ui-%s at %dx%d is now:\n%s", name, fixture.cols, fixture.rows, dump.text);
    wb_str_free(&dump);
    return same;
}

static void matches_at_all_sizes(const char *name)
{
    static const int size[][2] = { { 24, 80 }, { 40, 120 }, { 60, 200 } };
    int wrong = 0;

    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        fixture.rows = size[i][0];
        fixture.cols = size[i][1];
        view_fixture_settle(&fixture); /* the first one tells the view its size */
        view_fixture_settle(&fixture);
        wrong += !matches_file(name);
    }
    assert_int_equal(wrong, 0);
}

static void go(const char *screen)
{
    assert_true(wb_frame_go(fixture.frame, screen));
    view_fixture_settle(&fixture);
    fixture.frame->desk->messages.toast = 0;
}

/* ---- the screens ---- */

static void test_screens(void **state)
{
    (void)state;
    desk_state_make(&fixture, "pipeline");
    for (int i = 0; wb_screens[i] != NULL; i++) {
        if (strcmp(wb_screens[i]->name, "run") == 0)
            continue;
        go(wb_screens[i]->name);
        matches_at_all_sizes(wb_screens[i]->name);
    }
}

/* Everything says what to do first. */
static void test_empty_screens(void **state)
{
    char name[60];

    (void)state;
    view_fixture_settle(&fixture);
    for (int i = 0; wb_screens[i] != NULL; i++) {
        go(wb_screens[i]->name);
        snprintf(name, sizeof name, "empty-%s", wb_screens[i]->name);
        assert_true(matches_file(name));
    }
}

static void test_failed_screens(void **state)
{
    static const char *const screens[] = { "models", "tensors", "pipeline", "problems" };
    char name[60];

    (void)state;
    desk_state_make(&fixture, "failed");
    for (size_t i = 0; i < sizeof screens / sizeof screens[0]; i++) {
        go(screens[i]);
        snprintf(name, sizeof name, "failed-%s", screens[i]);
        assert_true(matches_file(name));
    }
}

static void test_run(void **state)
{
    (void)state;
    desk_state_make(&fixture, "ran");
    go("run");
    matches_at_all_sizes("run");
}

static void test_editing(void **state)
{
    (void)state;
    desk_state_make(&fixture, "pipeline");
    go("pipeline");
    view_fixture_keys(&fixture, "e<C-End>local x = wb.mer");
    matches_at_all_sizes("editing");
}

static void test_knob_turned(void **state)
{
    (void)state;
    desk_state_make(&fixture, "pipeline");
    go("pipeline");
    view_fixture_command(&fixture, "knob density 0.3");
    matches_at_all_sizes("turned");
}

static void test_help(void **state)
{
    (void)state;
    desk_state_make(&fixture, "models");
    go("models");
    view_fixture_keys(&fixture, "?");
    matches_at_all_sizes("help");
}

static void test_command_line(void **state)
{
    (void)state;
    desk_state_make(&fixture, "models");
    go("models");
    view_fixture_keys(&fixture, ":re<Tab>");
    matches_at_all_sizes("command");
}

static void test_log(void **state)
{
    (void)state;
    desk_state_make(&fixture, "failed");
    view_fixture_keys(&fixture, ":nonsense<Enter>L");
    matches_at_all_sizes("log");
}

/* Colours are not everything: without them, and without more than ASCII. */
static void test_plain(void **state)
{
    char name[60];

    (void)state;
    wb_theme_init(&fixture.theme, WB_TIER_MONO, true);
    fixture.frame->theme = fixture.theme;
    desk_state_make(&fixture, "pipeline");
    for (int i = 0; wb_screens[i] != NULL; i++) {
        go(wb_screens[i]->name);
        snprintf(name, sizeof name, "ascii-%s", wb_screens[i]->name);
        assert_true(matches_file(name));
    }
}

/* ---- sizes ---- */

static void draw_at(int rows, int cols)
{
    fixture.rows = rows;
    fixture.cols = cols;
    if (!wb_frame_draw(fixture.frame, rows, cols, &fixture.err))
        fail_msg("%s", fixture.err.msg);
    is_sound();
}

/* Draw, and draw again after keys met that size. */
static void live_at(int rows, int cols)
{
    char needs[60];

    draw_at(rows, cols);
    if (rows < WB_FRAME_ROWS_MIN || cols < WB_FRAME_COLS_MIN) {
        snprintf(needs, sizeof needs, "needs 80x24, has %dx%d", cols, rows);
        if (cols > 40)
            view_fixture_shows(&fixture, needs);
    } else {
        view_fixture_keys(&fixture, "<Tab><PgDn><Down>G");
        is_sound();
        view_fixture_keys(&fixture, "g");
    }
    is_sound();
}

static void test_all_sizes(void **state)
{
    static const int size[][2] = { { 20, 60 },  { 24, 79 },   { 23, 80 },  { 24, 80 },  { 25, 99 },
                                   { 30, 100 }, { 24, 119 },  { 24, 120 }, { 80, 240 }, { 24, 240 },
                                   { 80, 80 },  { 1, 1 },     { 2, 200 },  { 60, 159 }, { 60, 160 },
                                   { 34, 81 },  { 24, 1000 }, { 300, 100 } };

    (void)state;
    desk_state_make(&fixture, "ran");
    for (int i = 0; wb_screens[i] != NULL; i++) {
        go(wb_screens[i]->name);
        for (size_t k = 0; k < sizeof size / sizeof size[0]; k++)
            live_at(size[k][0], size[k][1]);
        draw_at(24, 80);
    }
    view_fixture_keys(&fixture, "<Esc>?");
    for (size_t k = 0; k < sizeof size / sizeof size[0]; k++)
        draw_at(size[k][0], size[k][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_screens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_screens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_screens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_editing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_knob_turned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_help, setup, teardown),
        cmocka_unit_test_setup_teardown(test_command_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_sizes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
