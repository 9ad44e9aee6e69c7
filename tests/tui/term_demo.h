/* tests/tui/term_demo.h - a program with a screen, small enough to know what must stand on it. */
#ifndef WB_TESTS_TERM_DEMO_H
#define WB_TESTS_TERM_DEMO_H

/* Arguments: "--color=TIER", "--ascii", "--no-mouse". Row 0 tells of the terminal, row 1 of the
 * last event, row 2 of the last line on stderr; below are numbered lines, one of them under the
 * cursor. Ends with 0 after q, 2 when the terminal is refused, 7 when it was asked to end. */
int term_demo(int argc, char **argv);

#endif
