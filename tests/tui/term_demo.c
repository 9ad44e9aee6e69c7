/* tests/tui/term_demo.c - the terminal and nothing else: echoes events, moves a cursor, crashes. */
#include "tests/tui/term_demo.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "views/canvas.h"
#include "views/term.h"

#define FIRST_LINE 3
#define COLOURS 8 /* of the map, each with each: 64 pairs */

struct demo {
    struct wb_term *term;
    struct wb_surface surface;
    struct wb_theme theme;
    char last[100], logged[100];
    int cursor, events, wakes;
    int map; /* 0: lines; else a map of colours from this one on */
    bool mouse, input_line;
    int wake[2];
};

static void on_log(void *ctx, const char *line)
{
    struct demo *d = ctx;

    snprintf(d->logged, sizeof d->logged, "%s", line);
}

static void draw_lines(struct demo *d, struct wb_canvas *cv)
{
    for (int row = FIRST_LINE; row < cv->rows; row++) {
        bool here = row - FIRST_LINE == d->cursor;

        wb_canvas_printf(cv, row, 0, here ? WB_STYLE_CURSOR : WB_STYLE_TEXT,
                         "%c %3d \xc3\xa4 \xe6\xbc\xa2\xe5\xad\x97|", here ? '>' : ' ',
                         row - FIRST_LINE);
        wb_canvas_put(cv, row, cv->cols - 1, WB_STYLE_ERROR, '!'); /* the last cell, too */
    }
}

/* Every pair of colours, one letter each. */
static void draw_map(struct demo *d, struct wb_canvas *cv)
{
    for (int fg = 0; fg < COLOURS; fg++)
        for (int bg = 0; bg < COLOURS; bg++)
            wb_canvas_put_coloured(cv, FIRST_LINE + fg, bg, d->map + fg, d->map + bg, 0,
                                   (uint32_t)('a' + bg));
}

static bool draw(struct demo *d, struct wb_err *err)
{
    struct wb_canvas cv;
    int rows, cols;

    wb_term_size(d->term, &rows, &cols);
    if (!wb_surface_resize(&d->surface, rows, cols, err))
        return false;
    cv = wb_canvas_of(&d->surface, &d->theme);
    wb_canvas_printf(&cv, 0, 0, WB_STYLE_TITLE, "demo %dx%d %s %s", cols, rows,
                     wb_tier_name(wb_term_tier(d->term)),
                     wb_term_ascii(d->term) ? "ascii" : "utf8");
    wb_canvas_printf(&cv, 1, 0, WB_STYLE_TEXT, "#%d wakes %d: %s.", d->events, d->wakes, d->last);
    wb_canvas_printf(&cv, 2, 0, WB_STYLE_WARNING, "log: %s", d->logged);
    if (d->map != 0)
        draw_map(d, &cv);
    else
        draw_lines(d, &cv);
    d->surface.cursor_row = -1;
    if (d->input_line)
        wb_canvas_cursor(&cv, 1, 5);
    return wb_term_present(d->term, &d->surface, &d->theme, err);
}

static void describe(struct demo *d, const struct wb_event *ev)
{
    static const char *const mouse[] = { "press", "double", "wheel-up", "wheel-down" };
    char name[32];

    if (ev->kind == WB_EVENT_NONE) /* the log got a line */
        return;
    d->events++;
    if (ev->kind == WB_EVENT_RESIZE)
        snprintf(d->last, sizeof d->last, "resize %dx%d", ev->cols, ev->rows);
    else if (ev->kind == WB_EVENT_MOUSE)
        snprintf(d->last, sizeof d->last, "%s %d,%d", mouse[ev->mouse.kind], ev->mouse.row,
                 ev->mouse.col);
    else
        snprintf(d->last, sizeof d->last, "%s %s", ev->kind == WB_EVENT_PASTE ? "paste" : "key",
                 wb_key_name(ev->key, name, sizeof name));
}

/* Deeper than any stack; volatile, so that it is not optimised away. */
static int overflow(volatile int depth)
{
    volatile char room[4096];

    room[0] = (char)depth;
    return depth < 0 ? 0 : overflow(depth + 1) + room[0];
}

static void lend(struct demo *d)
{
    char answer[20];

    wb_term_leave(d->term);
    printf("lent out\n");
    fflush(stdout);
    if (read(STDIN_FILENO, answer, sizeof answer) <= 0)
        snprintf(d->last, sizeof d->last, "nothing read");
    wb_term_enter(d->term);
}

/* false: q. */
static bool act(struct demo *d, uint32_t key)
{
    struct wb_err err;

    switch (key) {
    case 'q':
        return false;
    case 'j':
        d->cursor++;
        break;
    case 'k':
        d->cursor -= d->cursor > 0;
        break;
    case 'c':
        wb_term_copy(d->term, "copied \xc3\xa4", 9, &err);
        break;
    case 'e':
        lend(d);
        break;
    case 'i':
        d->input_line = !d->input_line;
        break;
    case 'm':
        d->mouse = !d->mouse;
        wb_term_set_mouse(d->term, d->mouse);
        break;
    case 'p':
        d->map = d->map == 0 ? 16 : d->map + COLOURS;
        break;
    case 'w':
        (void)!write(d->wake[1], "!", 1);
        break;
    case 'E':
        fprintf(stderr, "stray line %d\n", d->events);
        break;
    case 'X':
        exit(3);
    case 'S':
        raise(SIGSEGV);
        break;
    case 'A':
        abort();
    case 'O':
        d->cursor = overflow(1);
        break;
    default:
        break;
    }
    return true;
}

static void handle_key(struct demo *d, struct wb_key key, bool *more)
{
    if (key.mods == 0)
        *more = act(d, key.code);
    else if (key.mods == WB_MOD_CTRL && key.code == 'z')
        wb_term_suspend(d->term);
    else if (key.mods == WB_MOD_CTRL && key.code == 'l')
        wb_term_repaint(d->term);
}

static int loop(struct demo *d, struct wb_err *err)
{
    struct wb_event ev;
    bool more = true;
    char byte;

    while (more && draw(d, err)) {
        switch (wb_term_read(d->term, -1, &d->wake[0], 1, &ev)) {
        case WB_TERM_END:
            return 7;
        case WB_TERM_WAKE:
            d->wakes += read(d->wake[0], &byte, 1) == 1;
            break;
        case WB_TERM_TIMEOUT:
            return 9; /* none was asked for */
        case WB_TERM_EVENT:
            describe(d, &ev);
            if (ev.kind == WB_EVENT_KEY)
                handle_key(d, ev.key, &more);
            break;
        }
    }
    return more ? 1 : 0;
}

int term_demo(int argc, char **argv)
{
    struct wb_term_options options = { .log = on_log };
    static struct demo d;
    struct wb_err err = { .code = WB_OK };
    int status;

    for (int i = 1; i < argc; i++) {
        options.color = strncmp(argv[i], "--color=", 8) == 0 ? argv[i] + 8 : options.color;
        options.ascii |= strcmp(argv[i], "--ascii") == 0;
        options.no_mouse |= strcmp(argv[i], "--no-mouse") == 0;
    }
    options.log_ctx = &d;
    d.mouse = !options.no_mouse;
    d.term = pipe(d.wake) == 0 ? wb_term_open(&options, &err) : NULL;
    if (d.term == NULL) {
        fprintf(stderr, "demo: %s\n", err.msg);
        return err.code == WB_EARG ? 2 : 1;
    }
    wb_theme_init(&d.theme, wb_term_tier(d.term), wb_term_ascii(d.term));
    status = loop(&d, &err);
    wb_term_close(d.term);
    wb_surface_free(&d.surface);
    if (status == 1)
        fprintf(stderr, "demo: %s\n", err.msg);
    return status;
}
