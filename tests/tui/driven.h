/* tests/tui/driven.h - the demo on a terminal, for tests of the terminal layer. */
#ifndef WB_TESTS_DRIVEN_H
#define WB_TESTS_DRIVEN_H

#include "tests/tui/pty.h"

#define DRIVEN_DEMO "demo"  /* first argument: be the demo, not the tests */
#define DRIVEN_LINES_FROM 3 /* the demo's first numbered line */

/* Start the demo: this program again. option: one argument, or NULL. */
void driven_start_as(struct pty *p, int rows, int cols, const char *const *env, const char *option);
/* The same with nothing special, and wait for its screen. */
void driven_start(struct pty *p, int rows, int cols);
/* Wait until the screen is up: alternate, without a cursor, mouse and paste on. */
void driven_wait_up(struct pty *p);
/* Wait until all numbered lines stand there, and line `cursor` is marked. */
void driven_wait_lines(struct pty *p, int rows, int cols, int cursor);
/* Fail unless the terminal is as the shell had it. */
void driven_expect_plain(struct pty *p);
/* The tests run under a sanitizer, which takes fatal signals for its report. */
bool driven_sanitized(void);

#endif
