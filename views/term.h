/* views/term.h - the terminal: shows a surface, tells of keys, gives the shell back unharmed.
 *
 * One at a time, and all calls from the thread that opened it. Between open and close nothing
 * else may read stdin or write to stdout; what other code writes to stderr is caught, given to
 * the log callback, and its tail repeated on stderr after the close. An idle terminal costs
 * nothing: no timer runs but the one that wb_term_read is asked for. */
#ifndef WB_VIEWS_TERM_H
#define WB_VIEWS_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "views/canvas.h"
#include "views/key.h"
#include "views/theme.h"

struct wb_term;

/* Zero-initialised: as the terminal and the environment say. */
struct wb_term_options {
    const char *color; /* "never", "16", "256", "direct"; NULL: not given */
    bool ascii;        /* no code point beyond 126, whatever the locale */
    bool no_mouse;     /* leave the mouse to the terminal */
    /* A line that was written to stderr, without its end; called within wb_term_read and
     * wb_term_close. */
    void (*log)(void *ctx, const char *line);
    void *log_ctx;
};

/* Take the terminal. Sets LC_CTYPE from the environment, nothing else of the locale. Owned by the
 * caller. WB_EARG, with the screen untouched: stdin or stdout is no terminal, TERM names none that
 * can show a screen, or color is none of the four. */
struct wb_term *wb_term_open(const struct wb_term_options *options, struct wb_err *err);
/* Give it back as it was; NULL is fine. exit and fatal signals do so too. */
void wb_term_close(struct wb_term *term);

enum wb_tier wb_term_tier(const struct wb_term *term);
/* The locale is not UTF-8, or the option was given. */
bool wb_term_ascii(const struct wb_term *term);
/* How many pairs of colours it shows at a time; a map of half blocks with k colours may need k*k.
 * What is beyond them has no colour. */
int wb_term_pairs(const struct wb_term *term);
void wb_term_size(const struct wb_term *term, int *rows, int *cols);

/* Show the surface: only what changed since the last call is sent. What lies outside of the
 * terminal is cut. WB_ENOMEM. */
bool wb_term_present(struct wb_term *term, const struct wb_surface *surface,
                     const struct wb_theme *theme, struct wb_err *err);

enum wb_term_news {
    WB_TERM_EVENT,   /* event is filled; WB_EVENT_NONE: the log got a line */
    WB_TERM_WAKE,    /* one of the wake descriptors can be read; the caller drains it */
    WB_TERM_TIMEOUT, /* timeout_ms went by */
    WB_TERM_END,     /* SIGTERM, SIGHUP or SIGINT came, or the terminal is gone: leave */
};
/* Wait for news: keys first, so that calls with timeout_ms 0 drain them. timeout_ms -1 waits as
 * long as it takes. wake: up to WB_TERM_WAKES_MAX descriptors, borrowed; -1 ones are left out.
 * Signals are taken here alone, so none is lost between two calls. A stop (SIGTSTP) and what
 * follows it is dealt with inside. */
#define WB_TERM_WAKES_MAX 8
enum wb_term_news wb_term_read(struct wb_term *term, int timeout_ms, const int *wake, size_t wakes,
                               struct wb_event *event);

/* Send the whole screen anew: something else wrote on it. */
void wb_term_repaint(struct wb_term *term);
/* Give the shell its terminal and stop the process group; returns, repainted, after SIGCONT. */
void wb_term_suspend(struct wb_term *term);
/* Lend the terminal to another program (an editor) and take it back, repainted. In between only
 * wb_term_enter and wb_term_close may be called. */
void wb_term_leave(struct wb_term *term);
void wb_term_enter(struct wb_term *term);

void wb_term_set_mouse(struct wb_term *term, bool on);
/* Put text on the user's clipboard (OSC 52); whether the terminal obeys cannot be told. WB_EARG:
 * more than WB_TERM_COPY_MAX bytes, or a terminal known not to have one. */
#define WB_TERM_COPY_MAX 65536
bool wb_term_copy(struct wb_term *term, const char *text, size_t n, struct wb_err *err);

#endif
