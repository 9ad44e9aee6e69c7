/* views/canvas.c - the grid of cells that views draw into.
 *
 * Every cell is written by set_cell, which keeps the one rule of the grid: a wide character and
 * its right half (ch 0) stand side by side or not at all. */
#include "views/canvas.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096 /* bytes of a formatted line: 1000 columns and more */

static const struct wb_cell blank = { ' ', WB_STYLE_TEXT, 0, WB_COLOUR_NONE, WB_COLOUR_NONE };

bool wb_surface_resize(struct wb_surface *s, int rows, int cols, struct wb_err *err)
{
    size_t n = 0;
    struct wb_cell *cell;

    if (rows < 0 || cols < 0 ||
        __builtin_mul_overflow((size_t)rows, (size_t)cols * sizeof *cell, &n))
        return wb_fail(err, WB_EARG, "a screen of %d rows and %d columns", rows, cols);
    cell = malloc(n == 0 ? sizeof *cell : n);
    if (cell == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a screen of %d rows and %d columns", rows,
                       cols);
    free(s->cell);
    *s = (struct wb_surface){ cell, rows, cols, -1, 0 };
    for (size_t i = 0; i < (size_t)rows * (size_t)cols; i++)
        cell[i] = blank;
    return true;
}

void wb_surface_free(struct wb_surface *s)
{
    free(s->cell);
    *s = (struct wb_surface){ 0 };
}

struct wb_canvas wb_canvas_of(struct wb_surface *s, const struct wb_theme *theme)
{
    return (struct wb_canvas){ s, theme, 0, 0, s->rows, s->cols };
}

/* The part of [at, at + n) within [0, size), for n < 0 to the end. */
static void clip(int *at, int *n, int size)
{
    int64_t first = *at, end = *n < 0 ? size : first + *n;

    first = first < 0 ? 0 : first > size ? size : first;
    end = end > size ? size : end;
    *at = (int)first;
    *n = end > first ? (int)(end - first) : 0;
}

struct wb_canvas wb_canvas_sub(const struct wb_canvas *cv, int row, int col, int rows, int cols)
{
    struct wb_canvas sub = *cv;

    rows = rows < 0 ? 0 : rows;
    cols = cols < 0 ? 0 : cols;
    clip(&row, &rows, cv->rows);
    clip(&col, &cols, cv->cols);
    sub.row += row;
    sub.col += col;
    sub.rows = rows;
    sub.cols = cols;
    return sub;
}

static bool inside(const struct wb_canvas *cv, int row, int col)
{
    return row >= 0 && row < cv->rows && col >= 0 && col < cv->cols;
}

static struct wb_cell *cell_at(const struct wb_canvas *cv, int row, int col)
{
    const struct wb_surface *s = cv->surface;

    return s->cell + (size_t)(cv->row + row) * (size_t)s->cols + (size_t)(cv->col + col);
}

static struct wb_cell plain(enum wb_style style, uint32_t ch)
{
    return (struct wb_cell){ ch, (uint8_t)style, 0, WB_COLOUR_NONE, WB_COLOUR_NONE };
}

/* Write a cell of the window and blank the other half of a wide character that stood there. */
static void set_cell(struct wb_canvas *cv, int row, int col, struct wb_cell cell)
{
    struct wb_cell *at = cell_at(cv, row, col);

    if (at->ch == 0 && cv->col + col > 0)
        at[-1].ch = ' ';
    if (cv->col + col + 1 < cv->surface->cols && at[1].ch == 0)
        at[1].ch = ' ';
    *at = cell;
}

/* A wide character and its right half, both inside. */
static void set_wide(struct wb_canvas *cv, int row, int col, struct wb_cell cell)
{
    struct wb_cell right = cell;

    right.ch = 0;
    set_cell(cv, row, col, cell); /* each blanks what the other one replaces */
    set_cell(cv, row, col + 1, plain(WB_STYLE_TEXT, ' '));
    cell_at(cv, row, col)[0] = cell;
    cell_at(cv, row, col)[1] = right;
}

/* A character at a place that may lie outside; gives its columns. */
static int put(struct wb_canvas *cv, int row, int col, struct wb_cell cell)
{
    int width = wb_char_width(cell.ch);
    bool replaced = cv->theme->ascii && cell.ch > 126, left, right;

    if (width < 0)
        cell.ch = '?';
    width = width < 0 ? 1 : width;
    if (width == 0 || col < -1 || col >= cv->cols)
        return width;
    left = inside(cv, row, col);
    right = width == 2 && inside(cv, row, col + 1);
    if (left && right && !replaced) {
        set_wide(cv, row, col, cell);
        return width;
    }
    if (replaced)
        cell.ch = wb_char_ascii(cell.ch);
    else if (width == 2)
        cell.ch = left ? '>' : '<';
    if (left)
        set_cell(cv, row, col, cell);
    if (right)
        set_cell(cv, row, col + 1, cell);
    return width;
}

void wb_canvas_put(struct wb_canvas *cv, int row, int col, enum wb_style style, uint32_t ch)
{
    put(cv, row, col, plain(style, ch));
}

void wb_canvas_put_coloured(struct wb_canvas *cv, int row, int col, int32_t fg, int32_t bg,
                            unsigned attrs, uint32_t ch)
{
    put(cv, row, col, (struct wb_cell){ ch, WB_STYLE_TEXT, (uint8_t)attrs, fg, bg });
}

int wb_canvas_text(struct wb_canvas *cv, int row, int col, enum wb_style style, const char *text)
{
    int at = col, width;
    uint32_t ch;

    while (at < cv->cols && (ch = wb_text_next(&text, &width)) != 0)
        at += put(cv, row, at, plain(style, ch));
    at = at > cv->cols ? cv->cols : at;
    return at > col ? at - col : 0;
}

int wb_canvas_printf(struct wb_canvas *cv, int row, int col, enum wb_style style, const char *fmt,
                     ...)
{
    char text[TEXT_MAX];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return n < 0 ? 0 : wb_canvas_text(cv, row, col, style, text);
}

void wb_canvas_fit(struct wb_canvas *cv, int row, int col, int width, enum wb_align align,
                   enum wb_style style, const char *text)
{
    char fitted[TEXT_MAX];
    int pad;

    if (align == WB_ALIGN_TEXT)
        wb_text_cut(fitted, sizeof fitted, text, width, cv->theme->ascii);
    else
        wb_text_fit(fitted, sizeof fitted, text, width, cv->theme->ascii);
    pad = width - wb_text_width(fitted);
    wb_canvas_fill(cv, row, col, 1, width < 0 ? 0 : width, style, ' ');
    wb_canvas_text(cv, row, col + (align == WB_ALIGN_RIGHT ? pad : 0), style, fitted);
}

void wb_canvas_restyle(struct wb_canvas *cv, int row, int col, int cols, enum wb_style style)
{
    clip(&col, &cols, cv->cols);
    for (int c = col; c < col + cols && inside(cv, row, c); c++) {
        struct wb_cell *cell = cell_at(cv, row, c);

        *cell = plain(style, cell->ch);
    }
}

void wb_canvas_add_attrs(struct wb_canvas *cv, int row, int col, int cols, unsigned attrs)
{
    clip(&col, &cols, cv->cols);
    for (int c = col; c < col + cols && inside(cv, row, c); c++)
        cell_at(cv, row, c)->attrs |= (uint8_t)attrs;
}

void wb_canvas_fill(struct wb_canvas *cv, int row, int col, int rows, int cols, enum wb_style style,
                    uint32_t ch)
{
    int width = wb_char_width(ch);

    clip(&row, &rows, cv->rows);
    clip(&col, &cols, cv->cols);
    for (int r = row; r < row + rows && width != 0; r++)
        for (int c = col; c < col + cols; c += width == 2 ? 2 : 1)
            wb_canvas_put(cv, r, c, style, ch);
}

void wb_canvas_clear(struct wb_canvas *cv)
{
    wb_canvas_fill(cv, 0, 0, cv->rows, cv->cols, WB_STYLE_TEXT, ' ');
}

void wb_canvas_hline(struct wb_canvas *cv, int row, int col, int cols)
{
    wb_canvas_fill(cv, row, col, 1, cols, WB_STYLE_BORDER, 0x2500);
}

void wb_canvas_vline(struct wb_canvas *cv, int row, int col, int rows)
{
    wb_canvas_fill(cv, row, col, rows, 1, WB_STYLE_BORDER, 0x2502);
}

void wb_canvas_cursor(struct wb_canvas *cv, int row, int col)
{
    if (!inside(cv, row, col))
        return;
    cv->surface->cursor_row = cv->row + row;
    cv->surface->cursor_col = cv->col + col;
}

int wb_canvas_wrap(struct wb_canvas *cv, int row, int col, enum wb_style style, const char *text)
{
    int at = col;

    while (*text != '\0' && row < cv->rows) {
        size_t n = strcspn(text, " \n");
        char word[200];
        int width;

        snprintf(word, sizeof word, "%.*s", (int)n, text);
        width = wb_text_width(word);
        if (at > col && at + width >= cv->cols) {
            row++;
            at = col;
        }
        wb_canvas_text(cv, row, at, style, word);
        at += width + 1;
        if (text[n] == '\n') {
            row++;
            at = col;
        }
        text += n + (text[n] != '\0');
    }
    return row + 1;
}
