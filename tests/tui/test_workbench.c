/* tests/tui/test_workbench.c - the real program on a pseudo-terminal: what stands on its screens
 * at three sizes, resizes, mouse, pastes, and terminals of all kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tui/driven_workbench.h"
#include "views/screens.h"

#define MODELS "tests/data/zoo/base tests/data/zoo/math"
#define ALL MODELS " tests/data/demo/pipeline.lua"

static struct bench b;

static int setup(void **state)
{
    (void)state;
    bench_open(&b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_close(&b);
    return 0;
}

/* ---- the screens ---- */

/* Those of test_screens, but for real. */
static void screens_at(int rows, int cols)
{
    bench_start(&b, rows, cols, ALL);
    pty_wait_text(&b.p, "no problems");
    for (int i = 0; wb_screens[i] != NULL; i++) {
        if (strcmp(wb_screens[i]->name, "run") == 0)
            continue;
        bench_go(&b, wb_screens[i]->name);
        bench_wait_golden(&b, wb_screens[i]->name);
    }
    bench_quit(&b);
}

static void test_screens_80x24(void **state)
{
    (void)state;
    screens_at(24, 80);
}

static void test_screens_120x40(void **state)
{
    (void)state;
    screens_at(40, 120);
}

static void test_screens_200x60(void **state)
{
    (void)state;
    screens_at(60, 200);
}

static void test_resize(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    for (int i = 0; wb_screens[i] != NULL; i++) {
        const char *name = wb_screens[i]->name;

        bench_go(&b, name);
        pty_resize(&b.p, 20, 60);
        pty_wait_row(&b.p, 0, "needs 80x24, has 60x20");
        pty_resize(&b.p, 80, 240);
        pty_wait_text(&b.p, " weightbench ");
        pty_resize(&b.p, 24, 80);
        if (strcmp(name, "run") != 0)
            bench_wait_golden(&b, name);
    }
    pty_resize(&b.p, 1, 1);
    pty_resize(&b.p, 24, 80);
    pty_wait_text(&b.p, "Con");
    bench_quit(&b);
}

/* ---- input ---- */

static void test_keys(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, MODELS);
    pty_wait_text(&b.p, "1/2");
    pty_type(&b.p, "j");
    pty_wait_text(&b.p, "2/2");
    pty_type(&b.p, "\033[A"); /* Up */
    pty_wait_text(&b.p, "1/2");
    pty_type(&b.p, "2"); /* a digit alone is a screen after a while */
    pty_wait_text(&b.p, "[2 Tensors]");
    pty_type(&b.p, "10j");
    pty_wait_text(&b.p, "11/83");
    pty_type(&b.p, "/norm\r");
    pty_wait_text(&b.p, "norm.weight");
    pty_type(&b.p, "?");
    pty_wait_text(&b.p, "Help");
    pty_type(&b.p, "q");
    pty_wait_text(&b.p, "[2 Tensors]");
    pty_type(&b.p, ":renam\t\r"); /* completed to something, which then wants more */
    pty_wait_text(&b.p, "it is  :rename");
    pty_type(&b.p, "Q");
    assert_int_equal(pty_wait_end(&b.p), 0);
    bench_expect_plain(&b);
}

static void test_mouse(void **state)
{
    int row, col;

    (void)state;
    bench_start(&b, 24, 80, ALL);
    row = bench_find(&b, "1Mod", &col);
    assert_int_equal(row, 0);
    bench_mouse(&b, 0, 0, col + 1);
    pty_wait_text(&b.p, "[1 Models]");
    row = bench_find(&b, "   math", &col);
    bench_mouse(&b, 0, row, col + 4);
    pty_wait_text(&b.p, "2/2");
    bench_mouse(&b, 0, 1, col + 4); /* a title sorts */
    pty_wait_text(&b.p, "NAME\u25b2");
    bench_go(&b, "tensors");
    pty_wait_text(&b.p, "1/83");
    bench_mouse(&b, 65, 10, 10);
    pty_wait_no_text(&b.p, "> - outside of layers");
    bench_go(&b, "pipeline");
    pty_wait_text(&b.p, "no problems");
    row = bench_find(&b, "density  [", &col);
    bench_mouse(&b, 0, row, col + 12); /* near the left end of the slider */
    pty_wait_no_text(&b.p, "]       0.8");
    pty_wait_text(&b.p, "* was 0.8");
    pty_type(&b.p, "u");
    pty_wait_text(&b.p, "]       0.8");
    bench_command(&b, "set mouse off");
    pty_wait_mode(&b.p, &b.p.vt.mouse, false);
    bench_command(&b, "set mouse on");
    pty_wait_mode(&b.p, &b.p.vt.mouse, true);
    bench_quit(&b);
}

/* What is pasted is text, whatever keys it would be. */
static void test_paste(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    pty_type(&b.p, "e" BENCH_END_OF_TEXT "\r\033[200~-- q Q :quit!\n-- two\033[201~");
    pty_wait_text(&b.p, "-- q Q :quit!");
    pty_wait_text(&b.p, "-- two");
    bench_escape(&b);
    pty_wait_no_text(&b.p, "typing: Esc leaves");
    pty_type(&b.p, "\033[200~Q\033[201~"); /* where nothing can be typed it does nothing */
    bench_go(&b, "models");
    bench_quit(&b);
}

/* ---- terminals ---- */

static void expect_no_colours(void)
{
    for (int i = 0; i < b.p.vt.rows * b.p.vt.cols; i++) {
        assert_int_equal(b.p.vt.cell[i].fg, VT_DEFAULT);
        assert_int_equal(b.p.vt.cell[i].bg, VT_DEFAULT);
    }
}

static void test_no_color(void **state)
{
    (void)state;
    b.env[0] = "NO_COLOR=1";
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    for (int i = 0; wb_screens[i] != NULL; i++) {
        bench_go(&b, wb_screens[i]->name);
        expect_no_colours();
    }
    bench_quit(&b);
}

static void expect_ascii(void)
{
    for (size_t i = 0; i < b.p.bytes.len; i++)
        if ((unsigned char)b.p.bytes.text[i] >= 0x80)
            fail_msg("byte %zu of what was sent is %02x", i, (unsigned char)b.p.bytes.text[i]);
}

static void plain_screens(const char *words)
{
    bench_start(&b, 40, 120, words);
    pty_wait_text(&b.p, "no problems");
    for (int i = 0; wb_screens[i] != NULL; i++)
        bench_go(&b, wb_screens[i]->name);
    bench_quit(&b);
    expect_ascii();
}

static void test_ascii(void **state)
{
    (void)state;
    plain_screens("--ascii " ALL);
}

static void test_locale_c(void **state)
{
    (void)state;
    b.env[0] = "LC_ALL=C";
    plain_screens(ALL);
}

static void refused(const char *term)
{
    b.env[0] = term;
    bench_start(&b, 24, 80, ALL);
    assert_int_equal(pty_wait_end(&b.p), 2);
    assert_true(pty_shows(&b.p, "weightbench help"));
    bench_expect_plain(&b);
}

static void test_dumb(void **state)
{
    (void)state;
    refused("TERM=dumb");
    refused("TERM=");
    refused("TERM=nobody-has-this");
}

static void test_terminals(void **state)
{
    static const char *const terms[] = { "TERM=screen-256color", "TERM=xterm", "TERM=linux",
                                         "TERM=vt100" };

    (void)state;
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        b.env[0] = terms[i];
        bench_start(&b, 24, 80, ALL);
        pty_wait_text(&b.p, "no problems");
        bench_go(&b, "parameters");
        bench_go(&b, "models");
        pty_wait_text(&b.p, "1/2");
        bench_quit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_screens_80x24, setup, teardown),
        cmocka_unit_test_setup_teardown(test_screens_120x40, setup, teardown),
        cmocka_unit_test_setup_teardown(test_screens_200x60, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mouse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paste, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_color, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ascii, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locale_c, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dumb, setup, teardown),
        cmocka_unit_test_setup_teardown(test_terminals, setup, teardown),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
