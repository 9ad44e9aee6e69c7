/* views/table.c - a table that scrolls. */
#include "views/table.h"

#include <stdio.h>

enum { COLUMNS_MAX = 32, GAP = 2, WHEEL_ROWS = 3 };

/* Where columns stand in a window; width 0: left out. */
struct layout {
    int at[COLUMNS_MAX], width[COLUMNS_MAX];
    int gutter; /* cursor sign, mark, blank */
    int cols;   /* without the scroll bar */
    bool bar;
};

static int header_rows(const struct wb_table *t)
{
    return t->no_header ? 0 : 1;
}

static int least_width(const struct wb_table_column *c)
{
    return c->width > 0 ? c->width : wb_text_width(c->title) + 1; /* 1: the sign of the order */
}

/* Columns that all shown ones need at least. */
static int needed(const struct wb_table *t, const struct layout *l, int n)
{
    int sum = l->gutter;

    for (int i = 0; i < n; i++)
        if (l->width[i] > 0)
            sum += l->width[i] + (sum > l->gutter ? GAP : 0);
    return t->columns == 0 ? 0 : sum;
}

/* Leave out the column of highest priority, the last of equals. False: all left must stay. */
static bool drop_column(const struct wb_table *t, struct layout *l, int n)
{
    int worst = -1;

    for (int i = 0; i < n; i++)
        if (l->width[i] > 0 && t->column[i].priority > 0 &&
            (worst < 0 || t->column[i].priority >= t->column[worst].priority))
            worst = i;
    if (worst >= 0)
        l->width[worst] = 0;
    return worst >= 0;
}

static void spread(const struct wb_table *t, struct layout *l, int n, int room)
{
    int shares = 0;

    for (int i = 0; i < n; i++)
        shares += l->width[i] > 0 ? t->column[i].flex : 0;
    for (int i = 0; i < n && room > 0 && shares > 0; i++)
        if (l->width[i] > 0 && t->column[i].flex > 0) {
            int more = room * t->column[i].flex / shares;

            l->width[i] += more;
            room -= more;
            shares -= t->column[i].flex;
        }
}

static struct layout lay_out(const struct wb_table *t, int rows, int cols)
{
    struct layout l = { .gutter = t->marked != NULL ? 3 : 2 };
    int n = t->columns < COLUMNS_MAX ? t->columns : COLUMNS_MAX, at = l.gutter;

    l.bar = t->rows > wb_table_page(t, rows) && cols > l.gutter + 2;
    l.cols = l.bar ? cols - 2 : cols;
    for (int i = 0; i < n; i++)
        l.width[i] = least_width(&t->column[i]);
    while (needed(t, &l, n) > l.cols && drop_column(t, &l, n))
        ;
    spread(t, &l, n, l.cols - needed(t, &l, n));
    for (int i = 0; i < n; i++) {
        l.at[i] = at;
        at += l.width[i] > 0 ? l.width[i] + GAP : 0;
    }
    return l;
}

/* ---- drawing ---- */

static void draw_header(const struct wb_table *t, const struct layout *l, struct wb_canvas *cv)
{
    wb_canvas_fill(cv, 0, 0, 1, l->cols, WB_STYLE_HEADER, ' ');
    for (int i = 0; i < t->columns && i < COLUMNS_MAX; i++) {
        const struct wb_table_column *c = &t->column[i];
        const char *sign = "";
        char title[512], text[520];

        if (l->width[i] <= 0)
            continue;
        if (i == t->sort && cv->theme->ascii)
            sign = t->reverse ? "v" : "^";
        else if (i == t->sort)
            sign = t->reverse ? "\u25BC" : "\u25B2";
        wb_text_fit(title, sizeof title, c->title, l->width[i] - (*sign != '\0'), cv->theme->ascii);
        snprintf(text, sizeof text, "%s%s", title, sign);
        wb_canvas_fit(cv, 0, l->at[i], l->width[i], c->align, WB_STYLE_HEADER, text);
    }
}

static void draw_cell(const struct wb_table *t, const struct layout *l, struct wb_canvas *cv,
                      int line, size_t row, int column, enum wb_style line_style)
{
    struct wb_table_cell cell = { .style = WB_STYLE_TEXT };
    bool plain = line_style == WB_STYLE_TEXT;
    unsigned kept = WB_ATTR_BOLD | WB_ATTR_UNDERLINE;

    t->cell(t->user, row, column, &cell);
    wb_canvas_fit(cv, line, l->at[column], l->width[column], t->column[column].align,
                  plain ? cell.style : line_style, cell.longer != NULL ? cell.longer : cell.text);
    if (!plain)
        wb_canvas_add_attrs(cv, line, l->at[column], l->width[column],
                            cv->theme->look[cell.style].attrs & kept);
}

static void draw_row(const struct wb_table *t, const struct layout *l, struct wb_canvas *cv,
                     int line, size_t row, bool focused)
{
    bool under = row == t->cursor;
    enum wb_style style = !under ? WB_STYLE_TEXT : focused ? WB_STYLE_CURSOR : WB_STYLE_CURSOR_DIM;

    wb_canvas_fill(cv, line, 0, 1, l->cols, style, ' ');
    if (under)
        wb_canvas_put(cv, line, 0, style, '>');
    if (t->marked != NULL && t->marked(t->user, row))
        wb_canvas_put(cv, line, 1, under ? style : WB_STYLE_MARK, '*');
    for (int i = 0; i < t->columns && i < COLUMNS_MAX; i++)
        if (l->width[i] > 0)
            draw_cell(t, l, cv, line, row, i, style);
}

static void draw_bar(const struct wb_table *t, struct wb_canvas *cv, size_t top, size_t page)
{
    int head = header_rows(t), lines = cv->rows - head;
    int first = (int)((double)top / (double)t->rows * lines);
    int size = (int)((double)page / (double)t->rows * lines);

    size = size < 1 ? 1 : size;
    if (top + page >= t->rows || first + size > lines)
        first = lines - size;
    wb_canvas_vline(cv, head, cv->cols - 1, lines);
    wb_canvas_fill(cv, head + first, cv->cols - 1, size, 1, WB_STYLE_DIM, 0x2588);
}

void wb_table_draw(const struct wb_table *t, struct wb_canvas *cv, bool focused)
{
    struct layout l = lay_out(t, cv->rows, cv->cols);
    int head = header_rows(t);
    size_t page = wb_table_page(t, cv->rows), top = wb_table_top(t, page);
    struct wb_canvas rows = wb_canvas_sub(cv, 0, 0, cv->rows, l.cols);

    if (head > 0)
        draw_header(t, &l, &rows);
    if (t->rows == 0 && t->empty != NULL)
        wb_canvas_text(&rows, head, l.gutter, WB_STYLE_DIM, t->empty);
    for (size_t i = 0; i < page && top + i < t->rows; i++)
        draw_row(t, &l, &rows, head + (int)i, top + i, focused);
    if (l.bar)
        draw_bar(t, cv, top, page);
}

/* ---- moving ---- */

size_t wb_table_page(const struct wb_table *t, int rows)
{
    int page = rows - header_rows(t);

    return page < 1 ? 1 : (size_t)page;
}

size_t wb_table_top(const struct wb_table *t, size_t page)
{
    size_t top = t->top, most;

    page = page < 1 ? 1 : page;
    most = t->rows > page ? t->rows - page : 0;
    if (t->cursor < top)
        top = t->cursor;
    else if (t->cursor - top >= page)
        top = t->cursor - page + 1;
    return top < most ? top : most;
}

void wb_table_set_rows(struct wb_table *t, size_t rows)
{
    t->rows = rows;
    if (t->cursor >= rows)
        t->cursor = rows == 0 ? 0 : rows - 1;
}

void wb_table_select(struct wb_table *t, size_t row, size_t page)
{
    t->cursor = row;
    wb_table_set_rows(t, t->rows);
    t->top = wb_table_top(t, page);
}

static size_t minus(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

/* Move the cursor by n rows; a page takes the rows shown along. */
static void move(struct wb_table *t, bool down, size_t n, bool scroll, size_t page)
{
    size_t last = minus(t->rows, 1), most = minus(t->rows, page);

    n = n < t->rows ? n : t->rows;
    t->cursor = down ? t->cursor + n : minus(t->cursor, n);
    t->cursor = t->cursor < last ? t->cursor : last;
    if (scroll) {
        t->top = down ? t->top + n : minus(t->top, n);
        t->top = t->top < most ? t->top : most;
    }
    t->top = wb_table_top(t, page);
}

bool wb_table_act(struct wb_table *t, enum wb_action action, int count, size_t page)
{
    size_t times = count < 1 ? 1 : (size_t)count;
    size_t step = page > 2 ? page - 1 : 1, half = page > 2 ? page / 2 : 1;

    wb_table_select(t, t->cursor, page);
    switch (action) {
    case WB_ACTION_UP:
    case WB_ACTION_DOWN:
        move(t, action == WB_ACTION_DOWN, times, false, page);
        return true;
    case WB_ACTION_PAGE_UP:
    case WB_ACTION_PAGE_DOWN:
        move(t, action == WB_ACTION_PAGE_DOWN, times * step, true, page);
        return true;
    case WB_ACTION_HALF_UP:
    case WB_ACTION_HALF_DOWN:
        move(t, action == WB_ACTION_HALF_DOWN, times * half, true, page);
        return true;
    case WB_ACTION_FIRST:
        wb_table_select(t, times - 1, page);
        return true;
    case WB_ACTION_LAST:
        wb_table_select(t, count <= 1 ? minus(t->rows, 1) : times - 1, page);
        return true;
    default:
        return false;
    }
}

bool wb_table_sort_act(struct wb_table *t, enum wb_action action)
{
    if (action == WB_ACTION_SORT && t->columns > 0) {
        t->sort = (t->sort + 1) % t->columns;
        t->reverse = false;
        return true;
    }
    if (action == WB_ACTION_SORT_REVERSE) {
        t->reverse = !t->reverse;
        return true;
    }
    return false;
}

/* ---- mouse ---- */

static enum wb_table_hit wheel(struct wb_table *t, bool down, size_t page)
{
    size_t top = wb_table_top(t, page), most = minus(t->rows, page), last;

    t->top = down ? top + WHEEL_ROWS : minus(top, WHEEL_ROWS);
    t->top = t->top < most ? t->top : most;
    last = t->top + page - 1;
    t->cursor = t->cursor < t->top ? t->top : t->cursor > last ? last : t->cursor;
    wb_table_set_rows(t, t->rows);
    return t->top == top ? WB_TABLE_NOTHING : WB_TABLE_SCROLLED;
}

static enum wb_table_hit click_title(struct wb_table *t, const struct layout *l, int col)
{
    for (int i = 0; i < t->columns && i < COLUMNS_MAX; i++)
        if (l->width[i] > 0 && col >= l->at[i] && col < l->at[i] + l->width[i]) {
            t->reverse = t->sort == i && !t->reverse;
            t->sort = i;
            return WB_TABLE_SORTED;
        }
    return WB_TABLE_NOTHING;
}

enum wb_table_hit wb_table_mouse(struct wb_table *t, struct wb_mouse mouse, int rows, int cols)
{
    struct layout l = lay_out(t, rows, cols);
    int head = header_rows(t);
    size_t page = wb_table_page(t, rows), row;

    if (mouse.row < 0 || mouse.row >= rows || mouse.col < 0 || mouse.col >= cols)
        return WB_TABLE_NOTHING;
    if (mouse.kind == WB_MOUSE_WHEEL_UP || mouse.kind == WB_MOUSE_WHEEL_DOWN)
        return wheel(t, mouse.kind == WB_MOUSE_WHEEL_DOWN, page);
    if (mouse.row < head)
        return click_title(t, &l, mouse.col);
    row = (size_t)(mouse.row - head);
    if (l.bar && mouse.col == cols - 1) {
        wb_table_select(t, page < 2 ? 0 : row * (t->rows - 1) / (page - 1), page);
        return WB_TABLE_SCROLLED;
    }
    row += wb_table_top(t, page);
    if (row >= t->rows)
        return WB_TABLE_NOTHING;
    wb_table_select(t, row, page);
    return mouse.kind == WB_MOUSE_DOUBLE ? WB_TABLE_OPENED : WB_TABLE_SELECTED;
}

bool wb_table_search(struct wb_table *t, size_t page, int direction, const char *text,
                     bool (*matches)(const void *user, size_t row, const char *text),
                     const void *user)
{
    size_t n = t->rows, at = t->cursor;

    for (size_t i = direction == 0 ? 0 : 1; n > 0 && i <= n; i++) {
        size_t row = direction < 0 ? (at + n - i % n) % n : (at + i) % n;

        if (matches(user, row, text)) {
            wb_table_select(t, row, page);
            return true;
        }
    }
    return false;
}
