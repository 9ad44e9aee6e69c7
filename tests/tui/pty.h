/* tests/tui/pty.h - a program on a terminal of its own: keys in, the screen out.
 *
 * The program runs as a job of a small shell, so that it can be stopped and continued. All waits
 * end after PTY_PATIENCE_MS with the screen in the message; a failure ends the cmocka test. */
#ifndef WB_TESTS_PTY_H
#define WB_TESTS_PTY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#include "tests/tui/vt.h"

#define PTY_PATIENCE_MS 60000 /* far more than a busy machine under a sanitizer needs */

struct pty {
    struct vt vt;
    struct wb_str bytes; /* all that the program has sent */
    int fd;              /* the terminal's other side */
    pid_t job;           /* the program */
    bool stopped, ended;
    int status;            /* ended: exit status, or 1000 + signal */
    struct termios before; /* the settings before the program ran */

    pid_t shell;
    int report, control; /* from the shell, to it */
};

struct pty_options {
    const char *const *argv; /* NULL-terminated; argv[0] is the path */
    const char *const *env;  /* "NAME=value", or "NAME" to leave it out; NULL-terminated, or NULL */
    int rows, cols;
};

/* Start it. Unless env says else: TERM=xterm-256color, LC_ALL=C.UTF-8, and nothing of the user's
 * that changes how screens look. */
void pty_start(struct pty *p, const struct pty_options *options);
/* End what still runs, free everything; a zeroed one is fine. */
void pty_free(struct pty *p);

void pty_type(struct pty *p, const char *keys);
void pty_send(struct pty *p, const void *bytes, size_t n);
void pty_resize(struct pty *p, int rows, int cols);
void pty_signal(struct pty *p, int number); /* to the program */

/* Take what the program sends, for up to wait_ms; false: nothing came. */
bool pty_pump(struct pty *p, int wait_ms);
/* Wait until the screen shows text within a row, or no longer does. */
void pty_wait_text(struct pty *p, const char *text);
void pty_wait_no_text(struct pty *p, const char *text);
/* Wait until a mode of the terminal (one of vt's) is on or off. */
void pty_wait_mode(struct pty *p, const bool *mode, bool on);
/* Wait until the cursor shows, and stands there. */
void pty_wait_cursor(struct pty *p, int row, int col);
/* Wait until bytes [from, ...) hold a piece of them. */
void pty_wait_bytes(struct pty *p, size_t from, const char *piece);
void pty_wait_stop(struct pty *p);
void pty_continue(struct pty *p); /* as fg does */
/* Wait until it ended and all was read; gives the status. */
int pty_wait_end(struct pty *p);

bool pty_shows(const struct pty *p, const char *text);
/* How many bytes came so far: take it before, and subtract. */
size_t pty_mark(const struct pty *p);
/* Type and give the milliseconds until the first byte came back. */
double pty_latency_ms(struct pty *p, const char *keys);
/* The terminal's settings are those of before the program. */
bool pty_settings_restored(const struct pty *p);
/* Wait until row `row` reads so. */
void pty_wait_row(struct pty *p, int row, const char *text);
/* Wait until a cell has these colours (see vt.h). */
void pty_wait_colours(struct pty *p, int row, int col, int32_t fg, int32_t bg);
/* End the test with the screen in the message. */
_Noreturn void pty_fail(const struct pty *p, const char *what);

#endif
