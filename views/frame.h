/* views/frame.h - what stands around the views: tabs, status, command line, toasts, help.
 *
 * Turns events into actions for the view that is shown and carries out what views ask of it. Knows
 * no terminal: the loop (or a script of keys) feeds events, draws into a surface, and sees to what
 * `want` says. Row 0 holds tabs and the summary of work, the last but one the status, the last one
 * the command line, the toast or key hints. */
#ifndef WB_VIEWS_FRAME_H
#define WB_VIEWS_FRAME_H

#include <stdbool.h>

#include "app/core/err.h"
#include "views/canvas.h"
#include "views/desk.h"
#include "views/key.h"
#include "views/keymap.h"
#include "views/line.h"
#include "views/theme.h"
#include "views/view.h"

#define WB_FRAME_ROWS_MIN 24
#define WB_FRAME_COLS_MIN 80
#define WB_SCREENS_MAX 16
#define WB_FRAME_BACK_MAX 32

/* What the last row is for. */
enum wb_frame_mode {
    WB_FRAME_PLAIN,   /* hints, or the toast */
    WB_FRAME_COMMAND, /* `:` */
    WB_FRAME_SEARCH,  /* `/` */
    WB_FRAME_ASK,     /* a question of a view */
};

/* What the owner of the terminal should do next; it resets what it has done. */
struct wb_frame_want {
    bool quit, suspend, repaint;
    int mouse;  /* 1: on, -1: off, 0: as it is */
    int crash;  /* a signal to raise (":debug crash"), to try the way out; 0: none */
    char *copy; /* owned: text for the clipboard */
    char *edit; /* owned: file for $EDITOR */
};

struct wb_frame {
    struct wb_desk *desk; /* borrowed */
    struct wb_theme theme;
    struct wb_keymap keymap;
    struct wb_surface surface; /* of the last draw */

    struct wb_view *screen[WB_SCREENS_MAX]; /* by place in wb_screens; opened when first shown */
    int screens, current;
    struct wb_view *overlay; /* help or messages over the screen; NULL: none */
    int back[WB_FRAME_BACK_MAX], backs;

    enum wb_frame_mode mode;
    struct wb_line *command, *search, *ask_line;
    struct wb_history *command_history, *search_history;
    struct wb_ask ask;
    char last_search[200];
    int count;            /* digits typed so far; 0: none */
    double count_until;   /* a single digit means a screen once this time is over */
    bool quitting;        /* the question whether to quit stands */
    double drawn_rate_at; /* when the summary of work was last worked out */
    struct wb_frame_want want;
};

/* Ready for events, the first screen shown. The desk and the theme are there already. NULL with
 * err. state_dir: where histories are kept; NULL: in memory alone. */
struct wb_frame *wb_frame_new(struct wb_desk *desk, const struct wb_theme *theme, bool keep_history,
                              struct wb_err *err);
void wb_frame_free(struct wb_frame *f); /* closes the views, not the desk */

/* Take in an event; always draw afterwards. */
void wb_frame_event(struct wb_frame *f, const struct wb_event *event);
/* Take in finished work; true: draw. */
bool wb_frame_poll(struct wb_frame *f);
/* Milliseconds until something changes by itself (a toast ends, a digit becomes a screen, progress
 * moves); -1: never. */
int wb_frame_timeout_ms(const struct wb_frame *f);
/* Draw into f->surface at this size. */
bool wb_frame_draw(struct wb_frame *f, int rows, int cols, struct wb_err *err);

/* The view that gets keys: the overlay, or the screen. */
struct wb_view *wb_frame_view(const struct wb_frame *f);
/* Show a screen by its name or number from 1; false: there is none. */
bool wb_frame_go(struct wb_frame *f, const char *name);
/* An action, as if its key was pressed. */
bool wb_frame_act(struct wb_frame *f, enum wb_action action, int count);
/* A line typed at `:`, without the colon (command.h). */
bool wb_frame_command(struct wb_frame *f, const char *line, struct wb_err *err);
void wb_frame_show_overlay(struct wb_frame *f, const struct wb_view_ops *ops);

/* The screen whose tab stands in this column of row 0; -1: none. */
int wb_frame_tab_at(const struct wb_frame *f, int col);
/* Draws the rows around the view (frame_draw.c). */
void wb_frame_draw_around(struct wb_frame *f, struct wb_canvas *cv);

#endif
