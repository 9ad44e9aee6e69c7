/* views/box.c - panes. */
#include "views/box.h"

struct wb_canvas wb_rect_window(const struct wb_canvas *cv, const struct wb_rect *r)
{
    return wb_canvas_sub(cv, r->row, r->col, r->rows, r->cols);
}

struct wb_rect wb_rect_below(struct wb_rect r, int lines)
{
    r.row += lines;
    r.rows -= lines;
    return r;
}

bool wb_rect_hit(const struct wb_rect *r, const struct wb_mouse *event, struct wb_mouse *at)
{
    *at = *event;
    at->row -= r->row;
    at->col -= r->col;
    return at->row >= 0 && at->row < r->rows && at->col >= 0 && at->col < r->cols;
}

struct wb_canvas wb_pane_begin(struct wb_canvas *cv, const char *title, bool focused)
{
    wb_canvas_fit(cv, 0, 0, cv->cols, WB_ALIGN_LEFT, focused ? WB_STYLE_TITLE : WB_STYLE_TITLE_DIM,
                  title);
    return wb_canvas_sub(cv, 1, 0, cv->rows - 1, cv->cols);
}

void wb_pane_note(struct wb_canvas *cv, const char *title, const char *note)
{
    int width = wb_text_width(note);

    if (wb_text_width(title) + 2 + width <= cv->cols)
        wb_canvas_text(cv, 0, cv->cols - width, WB_STYLE_TITLE_DIM, note);
}

void wb_pane_split(struct wb_canvas *cv, int cols, struct wb_canvas *left, struct wb_canvas *right)
{
    cols = cols < 0 ? 0 : cols;
    *left = wb_canvas_sub(cv, 0, 0, cv->rows, cols);
    *right = wb_canvas_sub(cv, 0, cols < cv->cols ? cols + 1 : cols, cv->rows, cv->cols);
    if (right->cols > 0)
        wb_canvas_vline(cv, 0, cols, cv->rows);
    else
        *left = *cv;
}

void wb_pane_stack(struct wb_canvas *cv, int rows, struct wb_canvas *top, struct wb_canvas *bottom)
{
    rows = rows < 0 ? 0 : rows;
    *top = wb_canvas_sub(cv, 0, 0, rows, cv->cols);
    *bottom = wb_canvas_sub(cv, rows, 0, cv->rows, cv->cols);
}
