/* tests/tui/test_term.c - the terminal layer on real (pseudo-)terminals: what stands on the
 * screen, what comes of keys, and what is sent. How it ends is test_term_end.c's.
 *
 * The program driven is this one, started again as term_demo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tui/driven.h"
#include "tests/tui/term_demo.h"

#define FULL_PAINT_MAX (16 * 1024) /* bytes; the budgets of a slow link */
#define CURSOR_MOVE_MAX 1024

static struct pty p; /* one at a time; freed by the teardown, also after a failure */

static int teardown(void **state)
{
    (void)state;
    pty_free(&p);
    return 0;
}

static void start_term(const char *term, const char *more)
{
    const char *env[] = { term, more, NULL };

    driven_start_as(&p, 24, 80, env, NULL);
    pty_wait_text(&p, "log:");
}

/* ---- the screen ---- */

static void test_sizes(void **state)
{
    static const int size[][2] = { { 24, 80 }, { 40, 120 }, { 60, 200 }, { 5, 20 } };
    char want[100];

    (void)state;
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        driven_start(&p, size[i][0], size[i][1]);
        snprintf(want, sizeof want, "demo %dx%d 256 ut", size[i][1], size[i][0]);
        pty_wait_text(&p, want);
        driven_wait_lines(&p, size[i][0], size[i][1], 0);
        driven_wait_up(&p);
        pty_type(&p, "q");
        assert_int_equal(pty_wait_end(&p), 0);
        driven_expect_plain(&p);
        pty_free(&p);
    }
}

static void test_resize(void **state)
{
    static const int size[][2] = { { 10, 40 }, { 60, 200 }, { 1, 1 }, { 24, 80 }, { 30, 100 } };
    char want[100];

    (void)state;
    driven_start(&p, 24, 80);
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        pty_resize(&p, size[i][0], size[i][1]);
        if (size[i][0] < DRIVEN_LINES_FROM)
            continue; /* the next one comes at once */
        snprintf(want, sizeof want, "resize %dx%d.", size[i][1], size[i][0]);
        pty_wait_text(&p, want);
        driven_wait_lines(&p, size[i][0], size[i][1], 0);
    }
    for (int cols = 60; cols <= 90; cols++) /* a window being dragged */
        pty_resize(&p, 24, cols);
    pty_wait_text(&p, "resize 90x24.");
    driven_wait_lines(&p, 24, 90, 0);
}

static void test_repaint(void **state)
{
    static const char noise[] = "\033[5;1Hnoise\033[10;20Hnoise\033[?25h";

    (void)state;
    driven_start(&p, 24, 80);
    assert_true(vt_feed(&p.vt, noise, strlen(noise)));
    assert_true(pty_shows(&p, "noise"));
    pty_type(&p, "\014");
    pty_wait_text(&p, "key C-l.");
    driven_wait_lines(&p, 24, 80, 0);
    assert_false(pty_shows(&p, "noise"));
}

static void test_cursor(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    assert_false(p.vt.cursor);
    pty_type(&p, "i");
    pty_wait_text(&p, "key i.");
    pty_wait_cursor(&p, 1, 5);
    pty_type(&p, "ij");
    pty_wait_text(&p, "key j.");
    pty_wait_mode(&p, &p.vt.cursor, false);
}

/* ---- input ---- */

static void test_keys(void **state)
{
    static const struct {
        const char *bytes, *name;
    } key[] = {
        { "a", "a" },
        { "\xc3\xa4", "\xc3\xa4" },
        { "\xe6\xbc\xa2", "\xe6\xbc\xa2" },
        { "\004", "C-d" },
        { "\003", "C-c" },
        { "\021", "C-q" },
        { "\023", "C-s" },
        { "\034", "C-\\" },
        { "\t", "Tab" },
        { "\r", "Enter" },
        { "\n", "C-j" },
        { "\177", "Backspace" },
        { " ", "Space" },
        { "\033x", "M-x" },
        { "\033", "Esc" },
        { "\033OA", "Up" },
        { "\033[A", "Up" },
        { "\033OH", "Home" },
        { "\033[6~", "PgDn" },
        { "\033[3~", "Del" },
        { "\033[Z", "S-Tab" },
        { "\033OP", "F1" },
        { "\033[24~", "F12" },
        { "\033[1;5C", "C-Right" },
        { "\033[1;2A", "S-Up" },
        { "\033[1;3B", "M-Down" },
    };
    char want[100];

    (void)state;
    driven_start(&p, 24, 80);
    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
        pty_type(&p, key[i].bytes);
        snprintf(want, sizeof want, "#%zu wakes 0: key %s.", i + 1, key[i].name);
        pty_wait_text(&p, want);
    }
}

/* As fast as they come: none is lost, and the order stays. */
static void test_many_keys(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    for (int i = 0; i < 500; i++)
        pty_type(&p, "j\033[A\xc3\xa4k");
    pty_wait_text(&p, "#2000 wakes 0: key k.");
}

static void test_mouse(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    driven_wait_up(&p);
    assert_true(p.vt.mouse_sgr);
    pty_type(&p, "\033[<0;11;5M\033[<0;11;5m");
    pty_wait_text(&p, "#1 wakes 0: press 4,10.");
    pty_type(&p, "\033[<64;80;24M");
    pty_wait_text(&p, "#2 wakes 0: wheel-up 23,79.");
    pty_type(&p, "\033[<65;1;1M");
    pty_wait_text(&p, "#3 wakes 0: wheel-down 0,0.");
    pty_type(&p, "\033[<0;81;1M\033[<0;1;25M\033[<2;1;1Mj"); /* outside, another button */
    pty_wait_text(&p, "#4 wakes 0: key j.");
    pty_type(&p, "m");
    pty_wait_text(&p, "key m.");
    assert_false(p.vt.mouse || p.vt.mouse_sgr);
    pty_free(&p);
    driven_start_as(&p, 24, 80, NULL, "--no-mouse");
    pty_wait_text(&p, "log:");
    assert_false(p.vt.mouse || p.vt.mouse_sgr);
}

static void test_paste(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    driven_wait_up(&p);
    pty_type(&p, "\033[200~q\003\xc3\xa4\033[201~");
    pty_wait_text(&p, "#2 wakes 0: paste \xc3\xa4.");
    pty_type(&p, "\033[200~q\r\033[201~x");
    pty_wait_text(&p, "#5 wakes 0: key x.");
}

static void test_wake(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    pty_type(&p, "w");
    pty_wait_text(&p, "#1 wakes 1: key w.");
    pty_type(&p, "wjw");
    pty_wait_text(&p, "#4 wakes 3: key w.");
}

/* ESCDELAY is the user's: an Esc, and within it the rest of a sequence. */
static void test_escape_delay(void **state)
{
    (void)state;
    start_term("TERM=xterm-256color", "ESCDELAY=60000");
    driven_wait_lines(&p, 24, 80, 0);
    pty_type(&p, "\033");
    while (pty_pump(&p, 200))
        ;
    pty_type(&p, "[");
    while (pty_pump(&p, 200))
        ;
    assert_true(pty_shows(&p, "#0 wakes 0: ."));
    pty_type(&p, "B");
    pty_wait_text(&p, "#1 wakes 0: key Down.");
}

/* ---- terminals ---- */

static bool is_coloured(void)
{
    for (int row = 0; row < p.vt.rows; row++)
        for (int col = 0; col < p.vt.cols; col++) {
            const struct vt_cell *c = vt_at(&p.vt, row, col);

            if (c->fg != VT_DEFAULT || c->bg != VT_DEFAULT)
                return true;
        }
    return false;
}

static void expect_tier(const char *term, const char *env, const char *option, const char *tier)
{
    const char *list[] = { term, env, NULL };
    char want[100];

    driven_start_as(&p, 24, 80, list, option);
    snprintf(want, sizeof want, "demo 80x24 %s utf8", tier);
    pty_wait_text(&p, want);
    pty_type(&p, "jj");
    pty_wait_text(&p, "#2 wakes 0: key j.");
    driven_wait_lines(&p, 24, 80, 2);
    if (is_coloured() != (strcmp(tier, "mono") != 0))
        pty_fail(&p, "colours");
    pty_type(&p, "q");
    assert_int_equal(pty_wait_end(&p), 0);
    assert_true(p.vt.cursor && !p.vt.alternate && pty_settings_restored(&p));
    pty_free(&p);
}

static void test_tiers(void **state)
{
    (void)state;
    expect_tier("TERM=xterm-256color", NULL, NULL, "256");
    expect_tier("TERM=xterm-256color", "COLORTERM=truecolor", NULL, "256");
    expect_tier("TERM=screen-256color", NULL, NULL, "256");
    expect_tier("TERM=tmux-256color", NULL, NULL, "256");
    expect_tier("TERM=xterm", NULL, NULL, "16");
    expect_tier("TERM=linux", NULL, NULL, "16");
    expect_tier("TERM=vt100", NULL, NULL, "mono");
    expect_tier("TERM=xterm-256color", "NO_COLOR=1", NULL, "mono");
    expect_tier("TERM=xterm-256color", "NO_COLOR=", NULL, "256");
    expect_tier("TERM=xterm-256color", NULL, "--color=never", "mono");
    expect_tier("TERM=xterm-256color", NULL, "--color=16", "16");
    expect_tier("TERM=xterm-256color", "NO_COLOR=1", "--color=256", "256");
    expect_tier("TERM=xterm", NULL, "--color=direct", "16"); /* no more than there is */
}

/* Where ncurses-term is not installed, an entry of the test's own. */
static void test_direct_colour(void **state)
{
    static const char entry[] =
        "wb-direct|direct colour,\n\tRGB, colors#0x1000000, pairs#0x10000, ccc@, initc@, oc@,\n"
        "\tsetab=\\E[%?%p1%{8}%<%t4%p1%d%e48:2::%p1%{65536}%/%d:%p1%{256}%/%{255}%&%d:%p1%{255}%&"
        "%d%;m,\n"
        "\tsetaf=\\E[%?%p1%{8}%<%t3%p1%d%e38:2::%p1%{65536}%/%d:%p1%{256}%/%{255}%&%d:%p1%{255}%&"
        "%d%;m,\n\tuse=xterm-256color,\n";
    const char *tmp = getenv("TMPDIR");
    char dir[200], path[220], command[600];
    FILE *f;

    (void)state;
    snprintf(dir, sizeof dir, "%.150s/wb-direct-%d", tmp != NULL ? tmp : "/tmp", (int)getpid());
    snprintf(path, sizeof path, "%s/src", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(entry, f);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof command, "tic -x -o '%s' '%s'", dir, path);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "TERMINFO=%s", dir);
    expect_tier("TERM=wb-direct", path, NULL, "direct");
    expect_tier("TERM=wb-direct", path, "--color=256", "256");
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
}

static void expect_refused(const char *term, const char *what)
{
    const char *env[] = { term, NULL };

    driven_start_as(&p, 24, 200, env, NULL);
    assert_int_equal(pty_wait_end(&p), 2);
    if (!pty_shows(&p, what) || !pty_shows(&p, "weightbench help"))
        pty_fail(&p, what);
    assert_null(memchr(p.bytes.text, '\033', p.bytes.len)); /* the screen was left alone */
    driven_expect_plain(&p);
    pty_free(&p);
}

static void test_refused(void **state)
{
    (void)state;
    expect_refused("TERM=dumb", "TERM=dumb cannot show");
    expect_refused("TERM=unknown", "TERM=unknown cannot show");
    expect_refused("TERM", "TERM= cannot show");
    expect_refused("TERM=no-such-thing", "TERM=no-such-thing is not known");
    driven_start_as(&p, 24, 200, NULL, "--color=many");
    assert_int_equal(pty_wait_end(&p), 2);
    assert_true(pty_shows(&p, "never, 16, 256, direct, not 'many'"));
}

/* Output into a pipe: the error, and not a byte of a screen. */
static void test_no_terminal(void **state)
{
    char out[500] = "";
    int end[2], status;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(end), 0);
    pid = fork();
    if (pid == 0) {
        dup2(end[1], STDOUT_FILENO);
        dup2(end[1], STDERR_FILENO);
        close(end[0]);
        execl("/proc/self/exe", "test_term", DRIVEN_DEMO, (char *)NULL);
        _exit(127);
    }
    close(end[1]);
    while ((got = read(end[0], out + n, sizeof out - 1 - n)) > 0)
        n += (size_t)got;
    close(end[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    assert_non_null(strstr(out, "needs a terminal"));
    assert_null(strchr(out, '\033'));
}

static void expect_ascii(const char *env, const char *option)
{
    const char *list[] = { env, NULL };

    driven_start_as(&p, 24, 80, list, option);
    pty_wait_text(&p, "demo 80x24 256 ascii");
    for (size_t i = 0; i < p.bytes.len; i++)
        assert_true((unsigned char)p.bytes.text[i] < 0x80);
    pty_wait_text(&p, "> ");
    pty_free(&p);
}

static void test_ascii(void **state)
{
    (void)state;
    expect_ascii("LC_ALL=C", NULL);
    expect_ascii("LC_ALL=C.UTF-8", "--ascii");
}

/* A map of 64 pairs, and another, and another: on a terminal with 64 (one of them its own) a
 * cell may lose its colour, but never its letter; on a large one none loses anything. */
static void test_pairs_run_out(void **state)
{
    static const char *const term[] = { "TERM=linux", "TERM=xterm-256color" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        start_term(term[i], NULL);
        for (int times = 1; times <= 12; times++) {
            char want[40];

            pty_type(&p, "p");
            snprintf(want, sizeof want, "#%d wakes 0: key p.", times);
            pty_wait_text(&p, want);
            for (int fg = 0; fg < 8; fg++)
                pty_wait_row(&p, DRIVEN_LINES_FROM + fg, "abcdefgh");
            for (int fg = 0; fg < 8 && i == 1; fg++)
                for (int bg = 0; bg < 8; bg++)
                    pty_wait_colours(&p, DRIVEN_LINES_FROM + fg, bg, 8 + 8 * times + fg,
                                     8 + 8 * times + bg);
        }
        pty_free(&p);
    }
}

/* ---- bytes ---- */

static void test_bytes(void **state)
{
    size_t mark, most = 0;
    char want[40];

    (void)state;
    driven_start(&p, 60, 200);
    driven_wait_lines(&p, 60, 200, 0);
    print_message("first paint at 200x60: %zu bytes\n", pty_mark(&p));
    assert_true(pty_mark(&p) < FULL_PAINT_MAX);
    for (int i = 1; i <= 20; i++) {
        mark = pty_mark(&p);
        pty_type(&p, "j");
        snprintf(want, sizeof want, "#%d wakes 0: key j.", i);
        pty_wait_text(&p, want);
        driven_wait_lines(&p, 60, 200, i);
        if (pty_mark(&p) - mark > most)
            most = pty_mark(&p) - mark;
    }
    print_message("a cursor move: at most %zu bytes\n", most);
    assert_true(most < CURSOR_MOVE_MAX);
    while (pty_pump(&p, 300)) /* what follows the last cell */
        ;
    assert_false(pty_pump(&p, 1000)); /* idle: nothing at all */
}

static void test_copy(void **state)
{
    (void)state;
    driven_start(&p, 24, 80);
    pty_type(&p, "c");
    pty_wait_text(&p, "key c.");
    assert_string_equal(p.vt.clipboard.text, "Y29waWVkIMOk");
    driven_wait_lines(&p, 24, 80, 0);
    pty_free(&p);
    start_term("TERM=linux", NULL);
    pty_type(&p, "c");
    pty_wait_text(&p, "key c.");
    assert_null(p.vt.clipboard.text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_sizes, teardown),
        cmocka_unit_test_teardown(test_resize, teardown),
        cmocka_unit_test_teardown(test_repaint, teardown),
        cmocka_unit_test_teardown(test_cursor, teardown),
        cmocka_unit_test_teardown(test_keys, teardown),
        cmocka_unit_test_teardown(test_many_keys, teardown),
        cmocka_unit_test_teardown(test_mouse, teardown),
        cmocka_unit_test_teardown(test_paste, teardown),
        cmocka_unit_test_teardown(test_wake, teardown),
        cmocka_unit_test_teardown(test_escape_delay, teardown),
        cmocka_unit_test_teardown(test_tiers, teardown),
        cmocka_unit_test_teardown(test_direct_colour, teardown),
        cmocka_unit_test_teardown(test_refused, teardown),
        cmocka_unit_test_teardown(test_no_terminal, teardown),
        cmocka_unit_test_teardown(test_ascii, teardown),
        cmocka_unit_test_teardown(test_pairs_run_out, teardown),
        cmocka_unit_test_teardown(test_bytes, teardown),
        cmocka_unit_test_teardown(test_copy, teardown),
    };

    if (argc > 1 && strcmp(argv[1], DRIVEN_DEMO) == 0)
        return term_demo(argc - 1, argv + 1);
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
