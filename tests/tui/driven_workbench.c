/* tests/tui/driven_workbench.c - starting the program and looking at it. */
#include "tests/tui/driven_workbench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "tests/tui/golden_screen.h"

#define WORDS_MAX 40
#define FILE_BYTES_MAX ((size_t)64 << 20)

void bench_open(struct bench *b)
{
    *b = (struct bench){ .dir = "/tmp/wb-bench-XXXXXX" };
    assert_non_null(mkdtemp(b->dir));
}

void bench_close(struct bench *b)
{
    struct wb_err err;

    pty_free(&b->p);
    if (b->dir[0] != '\0' && !wb_remove_tree(b->dir, &err))
        print_error("%s\n", err.msg);
    b->dir[0] = '\0';
}

const char *bench_path(const struct bench *b, const char *text)
{
    static char buffer[6][2000];
    static int next;
    char *out = buffer[next++ % 6];
    size_t n = 0;

    while (*text != '\0' && n + sizeof b->dir < sizeof buffer[0])
        if (strncmp(text, "$D", 2) == 0) {
            n += (size_t)snprintf(out + n, sizeof buffer[0] - n, "%s", b->dir);
            text += 2;
        } else {
            out[n++] = *text++;
        }
    out[n] = '\0';
    return out;
}

void bench_start(struct bench *b, int rows, int cols, const char *words)
{
    const char *argv[WORDS_MAX] = { getenv("WEIGHTBENCH") };
    const char *env[16] = { bench_path(b, "HOME=$D"), bench_path(b, "XDG_CONFIG_HOME=$D/config"),
                            bench_path(b, "XDG_STATE_HOME=$D/state") };
    char *copy = strdup(bench_path(b, words));
    size_t n = 1, e = 3;

    pty_free(&b->p);
    if (argv[0] == NULL)
        argv[0] = "./weightbench";
    assert_non_null(copy);
    if (!b->behaviour) /* which takes longer than what the tests are about */
        argv[n++] = "--no-behaviour";
    for (char *word = strtok(copy, " "); word != NULL && n + 1 < WORDS_MAX;
         word = strtok(NULL, " "))
        argv[n++] = word;
    env[e++] = "WEIGHTBENCH_SHARE=."; /* no path of this machine on the screens */
    for (size_t i = 0; b->env[i] != NULL && e + 1 < 16; i++)
        env[e++] = b->env[i];
    pty_start(&b->p, &(struct pty_options){ .argv = argv, .env = env, .rows = rows, .cols = cols });
    free(copy);
}

void bench_write(const struct bench *b, const char *path, const char *text)
{
    struct wb_err err;

    if (!wb_write_file(bench_path(b, path), text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

char *bench_read(const struct bench *b, const char *path)
{
    struct wb_err err;

    return wb_read_file(bench_path(b, path), FILE_BYTES_MAX, NULL, &err);
}

bool bench_exists(const struct bench *b, const char *path)
{
    return access(bench_path(b, path), F_OK) == 0;
}

void bench_copy_model(const struct bench *b, const char *name)
{
    static const char *const files[] = { "config.json", "model.safetensors" };
    struct wb_err err;
    char from[300], to[300];

    snprintf(to, sizeof to, "%s/%s", b->dir, name);
    if (!wb_make_dirs(to, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *bytes;
        size_t n;

        snprintf(from, sizeof from, "tests/data/zoo/%s/%s", name, files[i]);
        snprintf(to, sizeof to, "%s/%s/%s", b->dir, name, files[i]);
        bytes = wb_read_file(from, FILE_BYTES_MAX, &n, &err);
        if (bytes == NULL || !wb_write_file(to, bytes, n, &err))
            fail_msg("%s", err.msg);
        free(bytes);
    }
}

void bench_escape(struct bench *b)
{
    pty_type(&b->p, BENCH_ESC);
    usleep(100 * 1000); /* far more than ESCDELAY */
    pty_pump(&b->p, 0);
}

void bench_command(struct bench *b, const char *line)
{
    pty_type(&b->p, ":");
    pty_type(&b->p, bench_path(b, line));
    pty_type(&b->p, "\r");
}

void bench_go(struct bench *b, const char *screen)
{
    char line[60], tab[8];

    snprintf(line, sizeof line, "go %s", screen);
    bench_command(b, line);
    snprintf(tab, sizeof tab, "%c%.2s", screen[0] - 'a' + 'A', screen + 1);
    while (pty_pump(&b->p, 20))
        ;
    for (int i = 0; i < 100; i++) { /* the tab in brackets, whatever its number */
        struct wb_str row = { 0 };
        const char *open;
        bool there;

        vt_row(&b->p.vt, 0, &row);
        open = row.text == NULL ? NULL : strchr(row.text, '[');
        there = open != NULL &&
                strncmp(open + 1 + strspn(open + 1, "0123456789 "), tab, strlen(tab)) == 0;
        wb_str_free(&row);
        if (there)
            return;
        pty_pump(&b->p, 100);
    }
    pty_fail(&b->p, screen);
}

void bench_mouse(struct bench *b, int button, int row, int col)
{
    char bytes[60];

    snprintf(bytes, sizeof bytes, "\033[<%d;%d;%dM", button, col + 1, row + 1);
    pty_type(&b->p, bytes);
    if (button < 64) {
        snprintf(bytes, sizeof bytes, "\033[<%d;%d;%dm", button, col + 1, row + 1);
        pty_type(&b->p, bytes);
    }
}

/* Column of a byte of a row: all that is looked for stands behind one-column characters. */
static int column_of(const char *row, const char *at)
{
    int col = 0;

    for (; row < at; row++)
        col += ((unsigned char)*row & 0xc0) != 0x80;
    return col;
}

int bench_find(struct bench *b, const char *text, int *col)
{
    pty_wait_text(&b->p, text);
    for (int r = 0; r < b->p.vt.rows; r++) {
        struct wb_str row = { 0 };
        const char *at;

        vt_row(&b->p.vt, r, &row);
        at = row.text == NULL ? NULL : strstr(row.text, text);
        if (at != NULL && col != NULL)
            *col = column_of(row.text, at);
        wb_str_free(&row);
        if (at != NULL)
            return r;
    }
    pty_fail(&b->p, text);
}

void bench_wait_golden(struct bench *b, const char *name)
{
    bool same = false;

    for (int waited = 0; !same; waited++) {
        struct wb_str dump = { 0 };

        vt_dump(&b->p.vt, &dump);
        same = golden_screen_is(dump.text, name, b->p.vt.rows, b->p.vt.cols);
        wb_str_free(&dump);
        if (!same && waited > PTY_PATIENCE_MS / 100)
            pty_fail(&b->p, name);
        if (!same)
            pty_pump(&b->p, 100);
    }
}

void bench_wait_file(struct bench *b, const char *path, const char *text)
{
    for (int waited = 0; waited < PTY_PATIENCE_MS / 20; waited++) {
        char *now = bench_read(b, path);
        bool there = now != NULL && strstr(now, text) != NULL;

        free(now);
        if (there)
            return;
        pty_pump(&b->p, 20);
    }
    pty_fail(&b->p, path);
}

void bench_expect_plain(struct bench *b)
{
    const struct vt *vt = &b->p.vt;

    if (vt->alternate || !vt->cursor || vt->mouse || vt->mouse_sgr || vt->paste || vt->keypad ||
        vt->cursor_keys)
        pty_fail(&b->p, "the terminal was not made a plain one again");
    if (!pty_settings_restored(&b->p))
        pty_fail(&b->p, "the terminal's settings are not those of before");
}

void bench_quit(struct bench *b)
{
    bench_escape(b);
    bench_escape(b);
    bench_command(b, "quit!");
    assert_int_equal(pty_wait_end(&b->p), 0);
    bench_expect_plain(b);
}
