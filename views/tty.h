/* views/tty.h - the terminal below curses: signals, waiting, and the way back to the shell.
 *
 * THREADS. Held by the thread that draws. The signals that matter to a screen are blocked in it
 * but for the wait, so that they interrupt nothing else; none is lost, whichever thread gets it. */
#ifndef WB_VIEWS_TTY_H
#define WB_VIEWS_TTY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

enum wb_tty_signal {
    WB_TTY_RESIZED = 1,   /* SIGWINCH */
    WB_TTY_STOP = 2,      /* SIGTSTP: someone asks us to stop */
    WB_TTY_CONTINUED = 4, /* SIGCONT: we were stopped without being asked */
    WB_TTY_END = 8,       /* SIGTERM, SIGHUP, SIGINT */
};

/* Remember the terminal's settings and, from now on, restore them however the program ends: exit
 * and fatal signals write the bytes of wb_tty_set_way_back first. Under a sanitizer, whose reports
 * of fatal signals are worth more, exit only. */
bool wb_tty_hold(struct wb_err *err);
/* Let go: signals as before wb_tty_hold. Settings are not touched. */
void wb_tty_release(void);
/* What makes this terminal a plain one again; copied, at most WB_TTY_WAY_BACK_MAX bytes. */
#define WB_TTY_WAY_BACK_MAX 400
void wb_tty_set_way_back(const char *bytes, size_t n);

/* The screen is ours (true), or lent out: then no signal is blocked, SIGTSTP stops us, SIGINT and
 * SIGQUIT, which are meant for the borrower, do nothing here, WB_TTY_END is kept for the next
 * wait, and nothing is restored at the end. */
void wb_tty_set_ours(bool ours);
/* Stop this process (or its whole group) as SIGTSTP does by default, while lent out; returns when
 * it goes on, at once when nobody could continue it. */
void wb_tty_stop(bool group);

/* poll, with the signals let in; -1 timeout: none. fds has room for one more. Gives what poll gives
 * (the one more counts), and what came since the last call in *signals (enum wb_tty_signal, added
 * up). */
int wb_tty_wait(struct pollfd *fds, size_t n, int timeout_ms, unsigned *signals);

int64_t wb_tty_now_ms(void); /* a steady clock */
/* All of it to stdout; false when the terminal is gone. */
bool wb_tty_write(const char *bytes, size_t n);
/* The window's size; false: unknown. */
bool wb_tty_size(int *rows, int *cols);

#endif
