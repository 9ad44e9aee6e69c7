/* tests/tui/test_workbench_work.c - the real program when things go wrong and while they take long:
 * broken files, broken scripts, loops without end, files that vanish, runs that are cancelled. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/io.h"
#include "tests/tui/driven_workbench.h"

#define BASE "tests/data/zoo/base"
#define ALL BASE " tests/data/zoo/math tests/data/demo/pipeline.lua"

/* Enough steps that a run takes seconds anywhere. */
#define LONG_SCRIPT                                                                        \
    "local base, math = wb.open 'tests/data/zoo/base', wb.open 'tests/data/zoo/math'\n"    \
    "local m = math\n"                                                                     \
    "for i = 1, 40 do\n"                                                                   \
    "  m = wb.merge('ties', {base = base, models = {m, math}, density = 0.3 + i / 100})\n" \
    "end\n"                                                                                \
    "return m\n"

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

/* Still there, and quick with it. */
static void expect_alive(void)
{
    bench_go(&b, "models");
    bench_go(&b, "pipeline");
}

/* ---- models ---- */

static void test_bad_model(void **state)
{
    (void)state;
    bench_write(&b, "$D/bad.safetensors", "this is no checkpoint at all, is it?");
    bench_start(&b, 24, 80, "$D/bad.safetensors " BASE);
    pty_wait_text(&b.p, "bad !");
    pty_wait_text(&b.p, "failed");
    pty_wait_text(&b.p, "llama");
    pty_type(&b.p, "L"); /* told once */
    pty_wait_text(&b.p, "1/1");
    pty_type(&b.p, "q\r"); /* and opened: nothing to see, nothing broken */
    pty_wait_text(&b.p, "could not be");
    expect_alive();
    bench_quit(&b);
}

static void test_open_completes(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, "tests/data/zoo/math");
    pty_wait_text(&b.p, "1/1");
    pty_type(&b.p, "o");
    pty_wait_text(&b.p, "Open model:");
    pty_type(&b.p, "tests/data/zoo/ba\t");
    pty_wait_text(&b.p, "Open model: " BASE);
    bench_escape(&b);
    bench_quit(&b);
}

static void test_model_changes(void **state)
{
    (void)state;
    bench_copy_model(&b, "math");
    bench_start(&b, 24, 80, BASE " $D/math");
    pty_wait_text(&b.p, "2 models");
    pty_type(&b.p, "j");
    pty_wait_text(&b.p, "2/2");
    bench_copy_model(&b, "math"); /* other files under the same names */
    pty_wait_text(&b.p, "(changed)");
    pty_type(&b.p, "\005"); /* C-e reads it anew */
    pty_wait_no_text(&b.p, "(changed)");
    bench_quit(&b);
}

static void test_model_vanishes(void **state)
{
    struct wb_err err;

    (void)state;
    bench_copy_model(&b, "math");
    bench_start(&b, 40, 120, BASE " $D/math");
    pty_wait_text(&b.p, "2 models");
    bench_command(&b, "model math base");
    pty_wait_text(&b.p, "shapes as base, 74 of 74"); /* both are open by now */
    assert_true(wb_remove_tree(bench_path(&b, "$D/math"), &err));
    bench_go(&b, "tensors");
    pty_type(&b.p, "c");            /* all values, now */
    pty_wait_no_text(&b.p, " ~0."); /* what is open stays so */
    bench_go(&b, "models");
    pty_wait_text(&b.p, "(changed)");
    pty_type(&b.p, "\005");
    pty_wait_text(&b.p, "of the hub (name");
    expect_alive();
    bench_quit(&b);
}

/* The weights become shorter than the header says, while they are used. */
static void test_model_truncated(void **state)
{
    (void)state;
    bench_copy_model(&b, "math");
    bench_start(&b, 40, 120, BASE " $D/math");
    pty_wait_text(&b.p, "2 models");
    assert_int_equal(truncate(bench_path(&b, "$D/math/model.safetensors"), 20000), 0);
    bench_command(&b, "model math base");
    bench_go(&b, "tensors");
    pty_type(&b.p, "c");
    pty_pump(&b.p, 300);
    expect_alive();
    bench_quit(&b);
}

/* ---- scripts ---- */

static void test_script_error(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    pty_type(&b.p, "e" BENCH_END_OF_TEXT "local x = (");
    pty_wait_text(&b.p, "! line 15");
    pty_wait_text(&b.p, "! 15 local x = (");
    pty_type(&b.p, "\025"); /* C-u takes it away */
    pty_wait_text(&b.p, "no problems");
    pty_type(&b.p, "\033[A\033[A\rwb.merge()"); /* another kind, and another line */
    pty_wait_text(&b.p, "! line 14");
    bench_escape(&b);
    bench_go(&b, "problems");
    pty_wait_text(&b.p, "1 error,");
    pty_type(&b.p, "\r");
    pty_wait_text(&b.p, "[5 Pipeline]");
    bench_quit(&b);
}

static void test_endless_loop(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    pty_type(&b.p, "e\033[1;5H"
                   "while true do end ");
    pty_wait_text(&b.p, "while true do end");
    bench_escape(&b);
    pty_wait_no_text(&b.p, "typing: Esc leaves");
    for (int i = 0; i < 3; i++) { /* all else works */
        bench_go(&b, "models");
        pty_type(&b.p, "j");
        pty_wait_text(&b.p, "2/2");
        pty_type(&b.p, "k");
        pty_wait_text(&b.p, "1/2");
        bench_go(&b, "pipeline");
    }
    pty_type(&b.p, "\003");
    pty_wait_text(&b.p, "cancelled");
    pty_type(&b.p, "e\033[1;5H\013"); /* C-k: the line is gone, and the next run works */
    pty_wait_text(&b.p, "no problems");
    bench_escape(&b);
    bench_quit(&b);
}

/* Work goes on in a C function that no hook interrupts; quitting must not wait for ever. */
static void test_quit_from_loop(void **state)
{
    (void)state;
    bench_write(&b, "$D/loop.lua", "while true do end\n");
    bench_start(&b, 24, 80, BASE " $D/loop.lua");
    pty_wait_text(&b.p, "while true do end");
    bench_quit(&b);
}

static void test_loop_in_console(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, BASE);
    pty_wait_text(&b.p, "1/1");
    bench_command(&b, "lua while true do end");
    pty_wait_text(&b.p, "> while true do end");
    bench_escape(&b);
    bench_go(&b, "models");
    bench_go(&b, "console");
    pty_type(&b.p, "\003");
    pty_wait_text(&b.p, "cancelled");
    bench_command(&b, "lua 6 * 7");
    pty_wait_text(&b.p, "42");
    bench_quit(&b);
}

/* ---- what models do ---- */

static void test_playground(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, BASE " tests/data/zoo/math");
    pty_wait_text(&b.p, "1/2");
    bench_go(&b, "play");
    pty_wait_text(&b.p, "p continues the prompt");
    bench_command(&b, "tokens 12");
    pty_type(&b.p, "eThe old man\rlooked at his wife");
    pty_wait_text(&b.p, "M-Enter writes");
    pty_type(&b.p, BENCH_ESC "\r");
    pty_wait_text(&b.p, "12 tokens");
    pty_type(&b.p, "\t\t");
    pty_wait_text(&b.p, "TOKEN 12 of 12");
    pty_type(&b.p, "g");
    pty_wait_text(&b.p, "token 1/12");
    pty_type(&b.p, "y");
    pty_wait_text(&b.p, "copied");
    bench_command(&b, "export $D/t.json");
    bench_wait_file(&b, "$D/t.json", "first_logprob");
    bench_command(&b, "tokens 1000"); /* and leave in the middle of it */
    pty_type(&b.p, "p");
    pty_wait_text(&b.p, " tokens");
    bench_quit(&b);
}

static void test_behaviour(void **state)
{
    (void)state;
    bench_write(&b, "$D/english.txt",
                "It was a short letter, as all his letters were. He wrote that he was not ill, "
                "but that he was no longer well.\n");
    b.behaviour = true;
    bench_start(&b, 24, 80, "tests/data/demo/pipeline.lua");
    pty_wait_text(&b.p, "english");
    pty_type(&b.p, "vA"); /* none of the bundled ones: they take a while */
    pty_wait_text(&b.p, "0 of 5 on");
    bench_escape(&b);
    bench_command(&b, "eval $D/english.txt window=16");
    pty_wait_text(&b.p, "english-2 ");
    pty_wait_text(&b.p, "no job");
    bench_command(&b, "knob density 0.5");
    pty_wait_text(&b.p, "density 0.8 -> 0.5");
    pty_wait_text(&b.p, "no job");
    bench_command(&b, "mode behaviour");
    pty_type(&b.p, "\t");
    pty_wait_text(&b.p, "result");
    bench_quit(&b);
    bench_start(&b, 24, 80, ""); /* the session knows them */
    pty_wait_text(&b.p, "english-2 ");
    b.behaviour = false;
    bench_quit(&b);
}

/* ---- runs ---- */

static void test_run(void **state)
{
    char *text;

    (void)state;
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    bench_command(&b, "run $D/merged");
    pty_wait_text(&b.p, "o opens the result");
    assert_true(bench_exists(&b, "$D/merged/model.safetensors"));
    pty_type(&b.p, "o");
    pty_wait_text(&b.p, "merged");
    pty_wait_text(&b.p, "3/3");
    bench_go(&b, "run"); /* once more: it is there, and stays */
    text = bench_read(&b, "$D/merged/weightbench.json");
    bench_command(&b, "run $D/merged");
    pty_wait_text(&b.p, "! failed");
    {
        char *now = bench_read(&b, "$D/merged/weightbench.json");

        assert_non_null(text);
        assert_string_equal(now, text);
        free(now);
    }
    free(text);
    bench_quit(&b);
}

static void test_cancel(void **state)
{
    struct stat before, after;

    (void)state;
    bench_write(&b, "$D/long.lua", LONG_SCRIPT);
    bench_start(&b, 24, 80, BASE " $D/long.lua");
    pty_wait_text(&b.p, "ties");
    bench_command(&b, "run $D/merged");
    pty_wait_text(&b.p, "elapsed");
    assert_int_equal(stat(bench_path(&b, "$D"), &before), 0);
    pty_type(&b.p, "\003");
    pty_wait_text(&b.p, "was not written");
    pty_wait_text(&b.p, "! cancelled, nothing was written");
    assert_false(bench_exists(&b, "$D/merged"));
    bench_command(&b, "run $D/merged");
    pty_wait_no_text(&b.p, "cancelled, nothing");
    pty_type(&b.p, "Q"); /* asks */
    pty_wait_text(&b.p, "Quit? (y/n)");
    pty_type(&b.p, "n");
    pty_wait_no_text(&b.p, "Quit? (y/n)");
    pty_type(&b.p, "Qy");
    assert_int_equal(pty_wait_end(&b.p), 0);
    bench_expect_plain(&b);
    assert_false(bench_exists(&b, "$D/merged"));
    assert_int_equal(stat(bench_path(&b, "$D"), &after), 0);
    assert_int_equal(after.st_nlink, before.st_nlink); /* no directory is left beside it */
}

/* ---- what can be kept ---- */

static void test_external_editor(void **state)
{
    (void)state;
    bench_write(&b, "$D/editor", "#!/bin/sh\necho '-- from outside' >>\"$1\"\nsleep 0.2\n");
    assert_int_equal(chmod(bench_path(&b, "$D/editor"), 0700), 0);
    b.env[0] = bench_path(&b, "EDITOR=$D/editor");
    b.env[1] = "VISUAL";
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    pty_type(&b.p, "E");
    pty_wait_mode(&b.p, &b.p.vt.alternate, false);
    pty_wait_mode(&b.p, &b.p.vt.alternate, true);
    pty_wait_text(&b.p, "pipeline.lua *");
    pty_type(&b.p, "e" BENCH_END_OF_TEXT);
    pty_wait_text(&b.p, "-- from outside");
    bench_escape(&b);
    bench_quit(&b);
}

static void test_editor_fails(void **state)
{
    (void)state;
    b.env[0] = "EDITOR=/no/such/editor";
    b.env[1] = "VISUAL";
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    pty_type(&b.p, "E");
    pty_wait_text(&b.p, "did not end well");
    bench_quit(&b);
}

/* weightbench with these words, without a terminal; "$D" as ever. */
static int run_program(const char *words)
{
    const char *program = getenv("WEIGHTBENCH");
    struct wb_str line = { 0 };
    int status;

    wb_str_printf(&line, "WEIGHTBENCH_SHARE=. %s %s >%s 2>&1",
                  program != NULL ? program : "./weightbench", bench_path(&b, words),
                  bench_path(&b, "$D/output"));
    status = system(line.text);
    wb_str_free(&line);
    if (status != 0)
        print_error("%s\n", bench_read(&b, "$D/output"));
    return status;
}

/* What was done on the screens, done again by what was recorded: the same bytes. */
static void test_record(void **state)
{
    char *first, *second;
    size_t n, m;
    struct wb_err err;

    (void)state;
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    bench_command(&b, "knob density 0.35"); /* and run, before the script can have run */
    bench_command(&b, "run $D/merged");
    pty_wait_text(&b.p, "o opens the result");
    bench_command(&b, "record $D/record.lua");
    bench_wait_file(&b, "$D/record.lua", "0.35");
    bench_quit(&b);
    assert_int_equal(run_program("run $D/record.lua -o $D/again"), 0);
    first = wb_read_file(bench_path(&b, "$D/merged/model.safetensors"), 1 << 26, &n, &err);
    second = wb_read_file(bench_path(&b, "$D/again/model.safetensors"), 1 << 26, &m, &err);
    assert_non_null(first);
    assert_non_null(second);
    assert_int_equal(n, m);
    assert_memory_equal(first, second, n);
    free(first);
    free(second);
}

static void test_screenshot(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
    bench_command(&b, "screenshot $D/s.txt");
    bench_wait_file(&b, "$D/s.txt", "[5 Pipeline]");
    bench_command(&b, "screenshot $D/s.svg");
    bench_wait_file(&b, "$D/s.svg", "</svg>");
    bench_quit(&b);
}

static void test_read_only(void **state)
{
    static const char *const lines[] = { "run $D/out", "write", "write! $D/w.lua",
                                         "record $D/r.lua", "screenshot $D/s.txt" };

    (void)state;
    bench_write(&b, "$D/p.lua", "return wb.open '" BASE "'\n");
    bench_start(&b, 24, 80, "--read-only --no-session " BASE " $D/p.lua");
    pty_wait_text(&b.p, "no problems");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        bench_command(&b, lines[i]);
        pty_wait_text(&b.p, "read-only");
        pty_type(&b.p, "\014"); /* any key takes the message away */
        pty_wait_no_text(&b.p, "read-only");
    }
    bench_quit(&b);
    assert_false(bench_exists(&b, "$D/out"));
    assert_false(bench_exists(&b, "$D/w.lua"));
    assert_false(bench_exists(&b, "$D/s.txt"));
    assert_false(bench_exists(&b, "$D/state"));
    assert_false(bench_exists(&b, "$D/config"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_completes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model_vanishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_script_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quit_from_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loop_in_console, setup, teardown),
        cmocka_unit_test_setup_teardown(test_playground, setup, teardown),
        cmocka_unit_test_setup_teardown(test_behaviour, setup, teardown),
        cmocka_unit_test_setup_teardown(test_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_external_editor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_editor_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_screenshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
