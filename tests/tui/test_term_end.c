/* tests/tui/test_term_end.c - how the shell gets its terminal back: stops, ends, crashes, and what
 * was written to stderr meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/tui/driven.h"
#include "tests/tui/term_demo.h"

static struct pty p; /* one at a time; freed by the teardown, also after a failure */

static int teardown(void **state)
{
    (void)state;
    pty_free(&p);
    return 0;
}

static void expect_stopped_and_back(void)
{
    pty_wait_stop(&p);
    while (pty_pump(&p, 0))
        ;
    driven_expect_plain(&p);
    assert_true(vt_feed(&p.vt, "$ fg\r\n", 6));
    pty_continue(&p);
    driven_wait_up(&p);
    driven_wait_lines(&p, 24, 80, 0);
    pty_type(&p, "ix");
    pty_wait_text(&p, "key x.");
    pty_wait_mode(&p, &p.vt.cursor, true);
    pty_type(&p, "iy");
    pty_wait_text(&p, "key y.");
    pty_wait_mode(&p, &p.vt.cursor, false);
}

static void test_suspend(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    for (int times = 0; times < 2; times++) {
        pty_type(&p, "\032");
        expect_stopped_and_back();
    }
    pty_signal(&p, SIGTSTP); /* from outside */
    expect_stopped_and_back();
    pty_type(&p, "q");
    assert_int_equal(pty_wait_end(&p), 0);
    driven_expect_plain(&p);
}

/* Nothing can be prepared for SIGSTOP; but what comes after it. */
static void test_stop_unasked(void **state)
{
    static const char noise[] = "\033[?1049l\033[?2004lnoise";

    (void)state;
    driven_start(&p, 24, 80);
    pty_signal(&p, SIGSTOP);
    pty_wait_stop(&p);
    assert_int_equal(tcsetattr(p.fd, TCSANOW, &p.before), 0); /* as a shell does */
    assert_true(vt_feed(&p.vt, noise, strlen(noise)));
    pty_continue(&p);
    driven_wait_up(&p);
    pty_type(&p, "x");
    pty_wait_text(&p, "key x.");
    driven_wait_lines(&p, 24, 80, 0);
    assert_false(pty_settings_restored(&p));
}

static void test_resized_while_stopped(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    pty_type(&p, "\032");
    pty_wait_stop(&p);
    pty_resize(&p, 30, 100);
    pty_continue(&p);
    pty_wait_text(&p, "resize 100x30.");
    driven_wait_lines(&p, 30, 100, 0);
}

static void test_lend(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    pty_type(&p, "e");
    pty_wait_text(&p, "lent out");
    driven_expect_plain(&p);
    pty_type(&p, "a line\n");
    pty_wait_text(&p, "#1 wakes 0: key e.");
    driven_wait_up(&p);
    driven_wait_lines(&p, 24, 80, 0);
    pty_type(&p, "x");
    pty_wait_text(&p, "key x.");
}

static void expect_end(const char *keys, int number, int status)
{
    size_t mark;

    driven_start(&p, 24, 80);
    mark = pty_mark(&p);
    if (keys != NULL)
        pty_type(&p, keys);
    else
        pty_signal(&p, number);
    assert_int_equal(pty_wait_end(&p), status);
    pty_wait_bytes(&p, mark, "\033[?1049l");
    pty_wait_bytes(&p, mark, "\033[?25h");
    driven_expect_plain(&p);
    pty_free(&p);
}

static void test_ends(void **state)
{
    (void)state;
    expect_end("q", 0, 0);
    expect_end(NULL, SIGTERM, 7);
    expect_end(NULL, SIGHUP, 7);
    expect_end(NULL, SIGINT, 7);
    expect_end("X", 0, 3); /* exit, somewhere */
}

static void test_crashes(void **state)
{
    (void)state;
    if (driven_sanitized()) {
        print_message("not under a sanitizer: it takes the signals for its report\n");
        skip();
    }
    expect_end("S", 0, 1000 + SIGSEGV);
    expect_end("A", 0, 1000 + SIGABRT);
    expect_end("O", 0, 1000 + SIGSEGV); /* no stack left */
    expect_end(NULL, SIGBUS, 1000 + SIGBUS);
    expect_end(NULL, SIGQUIT, 1000 + SIGQUIT);
}

/* The line goes down: nothing to restore, but no loop either. */
static void test_hang_up(void **state)
{
    int report;

    (void)state;
    driven_start(&p, 24, 80);
    close(p.fd);
    p.fd = open("/dev/null", O_RDWR);
    report = p.report;
    while (!p.ended) {
        struct {
            char what;
            int value;
        } r;

        assert_int_equal(read(report, &r, sizeof r), sizeof r);
        p.ended = r.what == 'X';
        p.status = r.value;
    }
    assert_int_equal(p.status, 7);
}

/* ---- stderr ---- */

static void test_stderr(void **state)
{
    size_t mark;

    (void)state;
    driven_start(&p, 24, 80);
    pty_type(&p, "E");
    pty_wait_text(&p, "log: stray line 1");
    driven_wait_lines(&p, 24, 80, 0);
    pty_type(&p, "E");
    pty_wait_text(&p, "log: stray line 2");
    mark = pty_mark(&p);
    pty_type(&p, "q");
    assert_int_equal(pty_wait_end(&p), 0);
    pty_wait_bytes(&p, mark, "\033[?1049l");
    assert_true(pty_shows(&p, "stray line 1\nstray line 2")); /* the tail, on the shell's screen */
}

static void test_stderr_of_a_crash(void **state)
{
    (void)state;
    if (driven_sanitized()) {
        print_message("not under a sanitizer: it takes the signals for its report\n");
        skip();
    }
    driven_start(&p, 24, 80);
    pty_type(&p, "ES");
    assert_int_equal(pty_wait_end(&p), 1000 + SIGSEGV);
    assert_true(pty_shows(&p, "stray line 1"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_suspend, teardown),
        cmocka_unit_test_teardown(test_stop_unasked, teardown),
        cmocka_unit_test_teardown(test_resized_while_stopped, teardown),
        cmocka_unit_test_teardown(test_lend, teardown),
        cmocka_unit_test_teardown(test_ends, teardown),
        cmocka_unit_test_teardown(test_crashes, teardown),
        cmocka_unit_test_teardown(test_hang_up, teardown),
        cmocka_unit_test_teardown(test_stderr, teardown),
        cmocka_unit_test_teardown(test_stderr_of_a_crash, teardown),
    };

    if (argc > 1 && strcmp(argv[1], DRIVEN_DEMO) == 0)
        return term_demo(argc - 1, argv + 1);
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
