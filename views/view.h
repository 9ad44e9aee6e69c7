/* views/view.h - a screen: a small private state and a table of functions.
 *
 * A view draws into a canvas, gets actions instead of keys, and polls its work; it never waits,
 * never touches the terminal and computes nothing itself (tui.md section 1, style.md section 8).
 * The table is its manual too: help and key hints are made from it. */
#ifndef WB_VIEWS_VIEW_H
#define WB_VIEWS_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/core/str.h"
#include "views/action.h"
#include "views/canvas.h"
#include "views/key.h"

struct wb_desk;

struct wb_view {
    const struct wb_view_ops *ops;
    void *state; /* zeroed, state_size bytes, before open */
    struct wb_desk *desk;
    int rows, cols; /* of the canvas it was last drawn in; set before draw */
    bool away;      /* another screen is shown: no time for new work; polled on coming back */
};

/* A key that a view takes itself while it is typed into (an editor), or a command of its own
 * (":metric NAME"; a view has one or the other): for its help. */
struct wb_key_doc {
    const char *keys, *doc;
};

struct wb_view_ops {
    const char *name;  /* of `:go NAME`, of key bindings and of the session file */
    const char *title; /* in the tabs */
    const char *doc;   /* one sentence at the top of its help */
    size_t state_size;
    const enum wb_action
        *actions;                /* those it handles, ends with WB_ACTION_NONE; order of the help */
    const enum wb_action *hints; /* the most useful ones, for the bottom row; ends the same way */
    const struct wb_key_doc *keys; /* NULL, or ends with a NULL field; typed keys */

    bool (*open)(struct wb_view *v, struct wb_err *err);
    void (*close)(struct wb_view *v); /* called after a failed open too */
    void (*draw)(const struct wb_view *v, struct wb_canvas *cv);
    /* false: nothing to do here (the frame may say so). count is 1 unless one was typed. */
    bool (*act)(struct wb_view *v, enum wb_action action, int count);
    /* May be NULL. A key before any binding; false: not taken. Typing into an editor, say. */
    bool (*key)(struct wb_view *v, const struct wb_event *event);
    /* May be NULL. Position relative to the view's canvas. */
    void (*mouse)(struct wb_view *v, const struct wb_mouse *mouse);
    /* After something finished or the desk changed; true: draw again. */
    bool (*poll)(struct wb_view *v);
    /* May be NULL. Come here and show this: a model's name, a tensor's, a line "12". */
    void (*show)(struct wb_view *v, const char *what);
    /* Left and right part of the status row. */
    void (*status)(const struct wb_view *v, struct wb_str *where, struct wb_str *position);
    /* May be NULL. Move to the next (direction 1), previous (-1) or nearest (0) match of a text. */
    bool (*search)(struct wb_view *v, const char *text, int direction);
    /* May be NULL. An action with an argument typed at `:`: "filter *.q_proj.*", "metric cosine",
     * "export map.svg". False: not one of mine. */
    bool (*command)(struct wb_view *v, const char *name, const char *argument);
    /* May be NULL. Is work of this view under way, that C-c would cancel? */
    bool (*busy)(const struct wb_view *v);
};

/* A new view on the heap, opened; NULL with err. */
struct wb_view *wb_view_new(const struct wb_view_ops *ops, struct wb_desk *desk,
                            struct wb_err *err);
void wb_view_free(struct wb_view *v); /* NULL is fine */

/* The screens in the order of their tabs; ends with NULL. */
extern const struct wb_view_ops *const wb_screens[];

#endif
