/* views/box.h - panes: a window cut into parts, each with a title. */
#ifndef WB_VIEWS_BOX_H
#define WB_VIEWS_BOX_H

#include <stdbool.h>

#include "views/canvas.h"
#include "views/key.h"

/* Part of a window: its place in it and its size; without rows it is not shown. */
struct wb_rect {
    int row, col, rows, cols;
};

struct wb_canvas wb_rect_window(const struct wb_canvas *cv, const struct wb_rect *r);
/* What is below its first lines (a title). */
struct wb_rect wb_rect_below(struct wb_rect r, int lines);
/* Is it within? at: the same event, its place relative to the part. */
bool wb_rect_hit(const struct wb_rect *r, const struct wb_mouse *event, struct wb_mouse *at);

/* Draw the title row of a pane, bold with focus and dim without; gives the rest of the window. */
struct wb_canvas wb_pane_begin(struct wb_canvas *cv, const char *title, bool focused);
/* A short text at the right of the title row: a position, "~ refining". Called after wb_pane_begin,
 * with the same canvas; left out where it would meet the title. */
void wb_pane_note(struct wb_canvas *cv, const char *title, const char *note);

/* Cut a window in two with a border line between them: `cols` columns left (at least 0), the line,
 * the rest right. Without room for both, the right one has no columns and there is no line. */
void wb_pane_split(struct wb_canvas *cv, int cols, struct wb_canvas *left, struct wb_canvas *right);
/* The same top and bottom, without a line: title rows tell panes apart. */
void wb_pane_stack(struct wb_canvas *cv, int rows, struct wb_canvas *top, struct wb_canvas *bottom);

#endif
