/* tests/tui/test_workbench_life.c - the real program's life: stops, ends, sessions that come back,
 * and the config file. */
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
#include <unistd.h>

#include "app/core/io.h"
#include "tests/tui/driven_workbench.h"

#define BASE "tests/data/zoo/base"
#define ALL BASE " tests/data/zoo/math tests/data/demo/pipeline.lua"
#define SESSION "$D/state/weightbench/session.json"
#define CONFIG "$D/config/weightbench/config.lua"

/* Only in a build with sanitizers. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

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

static void start_all(void)
{
    bench_start(&b, 24, 80, ALL);
    pty_wait_text(&b.p, "no problems");
}

/* ---- stops and ends ---- */

static void expect_stopped_and_back(void)
{
    static const char noise[] = "$ fg\r\n";

    pty_wait_stop(&b.p);
    while (pty_pump(&b.p, 0))
        ;
    bench_expect_plain(&b);
    assert_true(vt_feed(&b.p.vt, noise, strlen(noise)));
    pty_continue(&b.p);
    pty_wait_mode(&b.p, &b.p.vt.alternate, true);
    pty_wait_mode(&b.p, &b.p.vt.mouse, true);
    pty_wait_mode(&b.p, &b.p.vt.paste, true);
    bench_wait_golden(&b, "pipeline");
    bench_go(&b, "models");
    bench_go(&b, "pipeline");
}

static void test_suspend(void **state)
{
    (void)state;
    start_all();
    pty_type(&b.p, "\032");
    expect_stopped_and_back();
    pty_signal(&b.p, SIGTSTP); /* from outside */
    expect_stopped_and_back();
    pty_signal(&b.p, SIGSTOP); /* nobody is asked; the screen is whole again afterwards */
    pty_wait_stop(&b.p);
    pty_continue(&b.p);
    bench_go(&b, "models");
    bench_go(&b, "pipeline");
    bench_wait_golden(&b, "pipeline");
    bench_quit(&b);
}

static void expect_end(int number)
{
    start_all();
    pty_signal(&b.p, number);
    pty_wait_end(&b.p);
    bench_expect_plain(&b);
    assert_true(bench_exists(&b, SESSION));
}

static void test_terminated(void **state)
{
    (void)state;
    expect_end(SIGTERM);
    expect_end(SIGHUP);
    expect_end(SIGINT);
}

/* In the middle of a run: it is taken back like a cancelled one. */
static void test_terminated_in_a_run(void **state)
{
    (void)state;
    start_all();
    bench_command(&b, "run $D/merged");
    pty_wait_text(&b.p, "elapsed");
    pty_signal(&b.p, SIGTERM);
    pty_wait_end(&b.p);
    bench_expect_plain(&b);
    if (bench_exists(&b, "$D/merged")) /* it was quicker */
        assert_true(bench_exists(&b, "$D/merged/weightbench.json"));
}

static void test_crash(void **state)
{
    (void)state;
    if (__sanitizer_set_report_fd != NULL) {
        print_message("not under a sanitizer: it takes the signals for its report\n");
        skip();
    }
    start_all();
    bench_command(&b, "debug crash");
    assert_int_equal(pty_wait_end(&b.p), 1000 + SIGSEGV);
    bench_expect_plain(&b);
}

/* ---- the session ---- */

static void test_killed(void **state)
{
    (void)state;
    start_all();
    bench_command(&b, "rename math sums");
    bench_command(&b, "knob density 0.25");
    pty_wait_text(&b.p, "* was 0.8");
    pty_type(&b.p, "e" BENCH_END_OF_TEXT "\r-- not saved");
    bench_wait_file(&b, SESSION, "-- not saved"); /* without a key more */
    bench_escape(&b);
    bench_go(&b, "tensors");
    bench_wait_file(&b, SESSION, "\"screen\":\t\"tensors\"");
    pty_signal(&b.p, SIGKILL);
    assert_int_equal(pty_wait_end(&b.p), 1000 + SIGKILL);

    bench_start(&b, 24, 80, "");
    pty_wait_text(&b.p, "[2 Tensors]");
    pty_wait_text(&b.p, "Tensors > base");
    bench_go(&b, "models");
    pty_wait_text(&b.p, "sums");
    pty_wait_text(&b.p, "1/2");
    bench_go(&b, "pipeline");
    pty_wait_text(&b.p, "pipeline.lua *");
    pty_wait_text(&b.p, "0.25 * was 0.8");
    pty_type(&b.p, "e" BENCH_END_OF_TEXT);
    pty_wait_text(&b.p, "-- not saved");
    pty_type(&b.p, "\033u"); /* M-u: what was restored can be undone */
    pty_wait_no_text(&b.p, "-- not saved");
    bench_escape(&b);
    bench_quit(&b);
}

/* Models and the script's file are gone; what was typed is not. */
static void test_things_gone(void **state)
{
    struct wb_err err;

    (void)state;
    bench_copy_model(&b, "math");
    bench_write(&b, "$D/own.lua", "return wb.open '" BASE "'\n");
    bench_start(&b, 24, 80, BASE " $D/math $D/own.lua");
    pty_wait_text(&b.p, "no problems");
    pty_type(&b.p, "e" BENCH_END_OF_TEXT "-- mine alone");
    bench_wait_file(&b, SESSION, "-- mine alone");
    pty_signal(&b.p, SIGKILL);
    pty_wait_end(&b.p);
    assert_true(wb_remove_tree(bench_path(&b, "$D/math"), &err));
    assert_int_equal(unlink(bench_path(&b, "$D/own.lua")), 0);

    bench_start(&b, 24, 80, "");
    pty_wait_text(&b.p, "[5 Pipeline]");
    pty_wait_text(&b.p, "-- mine alone");
    bench_go(&b, "models");
    pty_wait_text(&b.p, "math !");
    pty_wait_text(&b.p, "llama");
    pty_type(&b.p, "L");
    pty_wait_text(&b.p, "the pipeline of the last session");
    bench_escape(&b);
    bench_quit(&b);
}

static void test_broken_session(void **state)
{
    struct wb_err err;

    (void)state;
    assert_true(wb_make_dirs(bench_path(&b, "$D/state/weightbench"), &err));
    bench_write(&b, SESSION, "{ \"models\": [ {");
    bench_start(&b, 24, 80, "");
    pty_wait_text(&b.p, "not valid JSON"); /* the rest may be cut: the path is long */
    bench_quit(&b);
    bench_wait_file(&b, SESSION, "{ \"models\": [ {"); /* as it was */
    bench_write(&b, SESSION,
                "{\"version\":1,\"screen\":7,\"models\":{\"x\":[null]},\"pipeline\":{\"path\":[],"
                "\"text\":5,\"turned\":[{\"knobs\":[1,\"=\",\"a\"]}],\"settings\":\"no\"}}");
    bench_start(&b, 24, 80, "");
    pty_wait_text(&b.p, "[1 Models]");
    bench_quit(&b);
}

/* Histories outlive the program too. */
static void test_history(void **state)
{
    (void)state;
    start_all();
    bench_command(&b, "knob strength 0.9");
    pty_wait_text(&b.p, "* was 0.6");
    bench_quit(&b);
    bench_start(&b, 24, 80, BASE);
    pty_wait_text(&b.p, "1/1");
    pty_type(&b.p, ":kn\033[A\033[A");
    pty_wait_text(&b.p, ":knob strength 0.9");
    bench_escape(&b);
    bench_escape(&b);
    bench_quit(&b);
}

static void test_no_session(void **state)
{
    (void)state;
    bench_start(&b, 24, 80, "--no-session " ALL);
    pty_wait_text(&b.p, "no problems");
    bench_quit(&b);
    assert_false(bench_exists(&b, "$D/state"));
}

/* ---- the config file ---- */

static void write_config(const char *text)
{
    struct wb_err err;

    assert_true(wb_make_dirs(bench_path(&b, "$D/config/weightbench"), &err));
    bench_write(&b, CONFIG, text);
}

static void test_config(void **state)
{
    (void)state;
    write_config("return {\n"
                 "  theme = {title = \"bold red\"},\n"
                 "  keys = {all = {[\"F5\"] = \"messages\"}, models = {o = \"sort\", j = false}},\n"
                 "  options = {mouse = false, colormap = \"grey\"},\n"
                 "  startup = {\"go tensors\"},\n"
                 "}\n");
    bench_start(&b, 24, 80, "tests/data/zoo/base tests/data/zoo/math");
    pty_wait_text(&b.p, "[2 Tensors]");
    assert_false(b.p.vt.mouse);
    bench_go(&b, "models");
    pty_wait_text(&b.p, "1/2");
    pty_type(&b.p, "j");
    pty_wait_text(&b.p, "does nothing here");
    pty_type(&b.p, "o");
    pty_wait_text(&b.p, "NAME\u25b2");
    pty_type(&b.p, "\033[15~"); /* F5 */
    pty_wait_text(&b.p, "Log");
    pty_type(&b.p, "q?");
    pty_wait_text(&b.p, "o s "); /* help tells of it */
    pty_type(&b.p, "q");
    bench_quit(&b);
    bench_start(&b, 24, 80, "--no-config tests/data/zoo/base");
    pty_wait_text(&b.p, "[1 Models]");
    pty_wait_mode(&b.p, &b.p.vt.mouse, true);
    bench_quit(&b);
}

/* Refused with the place, and the terminal never touched. */
static void refused(const char *config, const char *complaint)
{
    write_config(config);
    bench_start(&b, 24, 200, BASE);
    assert_int_not_equal(pty_wait_end(&b.p), 0);
    if (!pty_shows(&b.p, complaint) || !pty_shows(&b.p, "config.lua"))
        pty_fail(&b.p, complaint);
    bench_expect_plain(&b);
}

static void test_config_errors(void **state)
{
    (void)state;
    refused("return {", "config.lua:1");
    refused("error('mine')", "mine");
    refused("return {theme = {nobody = 'red'}}", "nobody");
    refused("return {theme = {title = 'redd'}}", "redd");
    refused("return {keys = {all = {['Hyper-x'] = 'help'}}}", "Hyper-x");
    refused("return {keys = {all = {x = 'nothing-like-it'}}}", "nothing-like-it");
    refused("return {keys = {nowhere = {x = 'help'}}}", "nowhere");
    refused("return {options = {colour = 'never'}}", "colour");
    refused("return {startup = {'nothing-like-it'}}", "nothing-like-it");
    refused("while true do end", "config.lua");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_suspend, setup, teardown),
        cmocka_unit_test_setup_teardown(test_terminated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_terminated_in_a_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_things_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_history, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_errors, setup, teardown),
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
