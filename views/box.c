/* views/box.c - panes. */
#include "views/box.h"

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
