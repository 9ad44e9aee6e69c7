/* tests/tui/driven.c - starting the demo and looking at it. */
#include "tests/tui/driven.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

/* Only in a build with sanitizers. */
extern void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

bool driven_sanitized(void)
{
    return __sanitizer_set_report_fd != NULL;
}

void driven_start_as(struct pty *p, int rows, int cols, const char *const *env, const char *option)
{
    const char *argv[] = { "/proc/self/exe", DRIVEN_DEMO, option, NULL };
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    assert_true(n > 0);
    self[n] = '\0';
    argv[0] = self;
    pty_start(p, &(struct pty_options){ .argv = argv, .env = env, .rows = rows, .cols = cols });
}

void driven_start(struct pty *p, int rows, int cols)
{
    driven_start_as(p, rows, cols, NULL, NULL);
    pty_wait_text(p, "log:");
}

void driven_wait_up(struct pty *p)
{
    pty_wait_mode(p, &p->vt.alternate, true);
    pty_wait_mode(p, &p->vt.mouse, true);
    pty_wait_mode(p, &p->vt.paste, true);
    pty_wait_mode(p, &p->vt.cursor, false);
}

void driven_wait_lines(struct pty *p, int rows, int cols, int cursor)
{
    char want[400];

    for (int row = DRIVEN_LINES_FROM; row < rows; row++) {
        int line = row - DRIVEN_LINES_FROM;

        snprintf(want, sizeof want, "%c %3d \xc3\xa4 \xe6\xbc\xa2\xe5\xad\x97|%*s!",
                 line == cursor ? '>' : ' ', line, cols - 14, "");
        pty_wait_row(p, row, want);
    }
}

void driven_expect_plain(struct pty *p)
{
    if (p->vt.alternate || !p->vt.cursor || p->vt.mouse || p->vt.mouse_sgr || p->vt.paste ||
        p->vt.keypad || p->vt.cursor_keys)
        pty_fail(p, "the terminal was not made a plain one again");
    if (!pty_settings_restored(p))
        pty_fail(p, "the terminal's settings are not those of before");
}
