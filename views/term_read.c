/* views/term_read.c - the terminal's events, and its clipboard. */
#include "views/term_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "views/stray.h"
#include "views/tty.h"

/* ---- events ---- */

static void take_signals(struct wb_term *t, unsigned came)
{
    if (came & WB_TTY_END)
        t->ended = true;
    if (t->ended)
        return;
    if (came & WB_TTY_STOP)
        wb_term_stop(t, false);
    else if (came & WB_TTY_CONTINUED)
        wb_term_retake(t);
    else if (came & WB_TTY_RESIZED) {
        wb_term_check_size(t);
        if (!t->resized) /* there and back: who knows what is left on the screen */
            wb_term_repaint(t);
    }
}

static void take_bytes(struct wb_term *t)
{
    unsigned char bytes[WB_INPUT_BYTES];
    size_t room = wb_input_room(&t->input);
    ssize_t n = read(STDIN_FILENO, bytes, room);

    if (n == 0 || (n < 0 && errno == EIO))
        t->ended = true; /* the line is down */
    if (n <= 0)
        return;
    wb_input_push(&t->input, bytes, (size_t)n);
    t->bytes_ms = wb_tty_now_ms();
    t->late = false;
}

/* An event that is at hand. A press outside of the screen is none: the window shrank. */
static bool next_event(struct wb_term *t, struct wb_event *ev)
{
    int64_t now = wb_tty_now_ms();
    bool logged;

    if (t->resized) {
        t->resized = false;
        *ev = (struct wb_event){ .kind = WB_EVENT_RESIZE, .rows = t->rows, .cols = t->cols };
        return true;
    }
    while (wb_input_next(&t->input, t->late, now, ev))
        if (ev->kind != WB_EVENT_MOUSE || (ev->mouse.row < t->rows && ev->mouse.col < t->cols))
            return true;
    *ev = (struct wb_event){ .kind = WB_EVENT_NONE };
    logged = t->logged;
    t->logged = false;
    return logged;
}

/* How long to wait: up to `until` (-1: for ever), or until an Esc is a key. */
static int wait_ms(const struct wb_term *t, int64_t until)
{
    int64_t now = wb_tty_now_ms(), wait = -1;

    if (until >= 0)
        wait = until > now ? until - now : 0;
    if (wb_input_waits(&t->input)) {
        int64_t escape = t->bytes_ms + t->escape_ms - now;

        escape = escape < 0 ? 0 : escape;
        wait = wait < 0 || escape < wait ? escape : wait;
    }
    return (int)wait;
}

/* One wait. true: a wake descriptor can be read. */
static bool wait_once(struct wb_term *t, int64_t until, const int *wake, size_t wakes)
{
    struct pollfd fd[2 + WB_TERM_WAKES_MAX + 1] = {
        { .fd = STDIN_FILENO, .events = POLLIN },
        { .fd = wb_stray_fd(), .events = POLLIN },
    };
    bool woken = false;
    unsigned came;
    int ready;

    for (size_t i = 0; i < wakes; i++)
        fd[2 + i] = (struct pollfd){ .fd = wake[i], .events = POLLIN };
    ready = wb_tty_wait(fd, 2 + wakes, wait_ms(t, until), &came);
    take_signals(t, came);
    if (ready <= 0 || fd[0].revents == 0) /* however long the bytes before took to deal with */
        t->late = wb_tty_now_ms() - t->bytes_ms >= t->escape_ms;
    if (ready <= 0)
        return false;
    if (fd[0].revents & POLLIN)
        take_bytes(t);
    else if (fd[0].revents != 0)
        t->ended = true;
    if (fd[1].revents != 0)
        t->logged |= wb_stray_read(t->options.log, t->options.log_ctx);
    for (size_t i = 0; i < wakes; i++)
        woken |= fd[2 + i].revents != 0;
    return woken;
}

enum wb_term_news wb_term_read(struct wb_term *t, int timeout_ms, const int *wake, size_t wakes,
                               struct wb_event *event)
{
    int64_t until = timeout_ms < 0 ? -1 : wb_tty_now_ms() + timeout_ms;
    bool woken = false, waited = false;

    assert(wakes <= WB_TERM_WAKES_MAX && !t->left);
    for (;;) {
        if (t->ended)
            return WB_TERM_END;
        if (next_event(t, event))
            return WB_TERM_EVENT;
        if (woken)
            return WB_TERM_WAKE;
        if (waited && until >= 0 && wb_tty_now_ms() >= until)
            return WB_TERM_TIMEOUT;
        woken = wait_once(t, until, wake, wakes);
        waited = true;
    }
}

/* ---- clipboard ---- */

static void add_base64(struct wb_str *out, const unsigned char *in, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i < 3 ? n - i : 3;
        unsigned v = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) |
                     (left > 2 ? (unsigned)in[i + 2] : 0);
        char four[4] = { digit[v >> 18], digit[v >> 12 & 63], '=', '=' };

        if (left > 1)
            four[2] = digit[v >> 6 & 63];
        if (left > 2)
            four[3] = digit[v & 63];
        wb_str_add_n(out, four, sizeof four);
    }
}

bool wb_term_copy(struct wb_term *t, const char *text, size_t n, struct wb_err *err)
{
    const char *name = getenv("TERM");
    struct wb_str out = { 0 };
    bool failed;

    if (n > WB_TERM_COPY_MAX)
        return wb_fail(err, WB_EARG, "%zu bytes are too many to copy, %d the most", n,
                       WB_TERM_COPY_MAX);
    if (!t->ansi || name == NULL || strncmp(name, "linux", 5) == 0 || strncmp(name, "vt", 2) == 0)
        return wb_fail(err, WB_EARG, "this terminal has no clipboard");
    wb_str_add(&out, "\033]52;c;");
    add_base64(&out, (const unsigned char *)text, n);
    wb_str_add(&out, "\a");
    failed = out.failed;
    if (!failed && !t->left)
        wb_tty_write(out.text, out.len);
    wb_str_free(&out);
    return !failed || wb_fail(err, WB_ENOMEM, "no memory to copy %zu bytes", n);
}
