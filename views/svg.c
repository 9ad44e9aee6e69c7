/* views/svg.c - a surface as an SVG picture: blocks and lines as shapes, the rest as text. */
#include "views/svg.h"

#include <string.h>

#include "views/canvas.h"

enum { CELL_W = 9, CELL_H = 18, FONT = 15, BASE = 14, MARGIN = 8 };

#define GROUND 0x14161Au

/* How a cell looks in the end: colours as 0xRRGGBB. */
struct paint {
    uint32_t fg, bg;
    unsigned attrs;
};

static const struct wb_cell *cell_at(const struct wb_surface *s, int row, int col)
{
    return s->cell + (size_t)row * (size_t)s->cols + (size_t)col;
}

static struct paint paint_of(const struct wb_cell *cell, const struct wb_theme *theme)
{
    const struct wb_look *look = &theme->look[cell->style];
    int32_t fg = cell->fg != WB_COLOUR_NONE ? cell->fg : look->fg;
    int32_t bg = cell->bg != WB_COLOUR_NONE ? cell->bg : look->bg;
    struct paint p = { wb_colour_rgb(fg), bg == WB_COLOUR_NONE ? GROUND : wb_colour_rgb(bg),
                       cell->attrs | look->attrs };

    if ((p.attrs & WB_ATTR_REVERSE) != 0)
        p = (struct paint){ p.bg, p.fg, p.attrs };
    return p;
}

static bool same_paint(struct paint a, struct paint b)
{
    return a.fg == b.fg && a.bg == b.bg && a.attrs == b.attrs;
}

/* A rectangle over part of a cell or of a run of cells; all in cells. */
static void add_rect(struct wb_str *out, int row, double col, double cols, double y, double h,
                     uint32_t colour, double opacity)
{
    wb_str_printf(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"#%06x\"",
                  MARGIN + col * CELL_W, MARGIN + (row + y) * CELL_H, cols * CELL_W, h * CELL_H,
                  (unsigned)colour);
    if (opacity < 1)
        wb_str_printf(out, " opacity=\"%g\"", opacity);
    wb_str_add(out, "/>\n");
}

/* Blocks, shades and straight lines as rectangles: fonts leave gaps between them. n cells of the
 * same. False: ch is no such character. */
static bool add_shape(struct wb_str *out, int row, int col, int n, uint32_t ch, uint32_t colour)
{
    if (ch == 0x2580) {
        add_rect(out, row, col, n, 0, 0.5, colour, 1);
    } else if (ch >= 0x2581 && ch <= 0x2588) {
        double h = (ch - 0x2580) / 8.0;

        add_rect(out, row, col, n, 1 - h, h, colour, 1);
    } else if (ch >= 0x2589 && ch <= 0x258F) {
        for (int i = 0; i < n; i++)
            add_rect(out, row, col + i, (0x2590 - ch) / 8.0, 0, 1, colour, 1);
    } else if (ch >= 0x2591 && ch <= 0x2593) {
        add_rect(out, row, col, n, 0, 1, colour, (ch - 0x2590) / 4.0);
    } else if (ch == 0x2500) {
        add_rect(out, row, col, n, 0.47, 0.06, colour, 1);
    } else if (ch == 0x2502) {
        for (int i = 0; i < n; i++)
            add_rect(out, row, col + i + 0.44, 0.12, 0, 1, colour, 1);
    } else {
        return false;
    }
    return true;
}

void wb_svg_add_char(struct wb_str *out, uint32_t ch)
{
    char bytes[5];

    if (ch == '<')
        wb_str_add(out, "&lt;");
    else if (ch == '>')
        wb_str_add(out, "&gt;");
    else if (ch == '&')
        wb_str_add(out, "&amp;");
    else if (ch == '"')
        wb_str_add(out, "&quot;");
    else
        wb_str_add_n(out, bytes, wb_char_encode(ch, bytes));
}

void wb_svg_add_text(struct wb_str *out, const char *text)
{
    uint32_t ch;
    int width;

    while ((ch = wb_text_next(&text, &width)) != 0)
        wb_svg_add_char(out, ch);
}

/* One word: n cells without a blank. Its length is given, so that any font keeps to the grid. */
static void add_word(struct wb_str *out, const struct wb_surface *s, int row, int col, int n,
                     struct paint p)
{
    wb_str_printf(out, "<text x=\"%d\" y=\"%d\" textLength=\"%d\" fill=\"#%06x\"%s%s%s>",
                  MARGIN + col * CELL_W, MARGIN + row * CELL_H + BASE, n * CELL_W, (unsigned)p.fg,
                  (p.attrs & WB_ATTR_BOLD) != 0 ? " font-weight=\"bold\"" : "",
                  (p.attrs & WB_ATTR_DIM) != 0 ? " opacity=\"0.6\"" : "",
                  (p.attrs & WB_ATTR_UNDERLINE) != 0 ? " text-decoration=\"underline\"" : "");
    for (int i = 0; i < n; i++)
        if (cell_at(s, row, col + i)->ch != 0)
            wb_svg_add_char(out, cell_at(s, row, col + i)->ch);
    wb_str_add(out, "</text>\n");
}

static bool is_word(uint32_t ch)
{
    return ch != ' ' && !(ch >= 0x2580 && ch <= 0x2593 && ch != 0x2590) && ch != 0x2500 &&
           ch != 0x2502;
}

/* Cells col .. end of a row, which look alike. */
static void add_run(struct wb_str *out, const struct wb_surface *s, int row, int col, int end,
                    struct paint p)
{
    if (p.bg != GROUND)
        add_rect(out, row, col, end - col, 0, 1, p.bg, 1);
    for (int c = col, next; c < end; c = next) {
        uint32_t ch = cell_at(s, row, c)->ch;

        next = c + 1;
        if (is_word(ch)) {
            while (next < end && is_word(cell_at(s, row, next)->ch))
                next++;
            add_word(out, s, row, c, next - c, p);
            continue;
        }
        while (next < end && cell_at(s, row, next)->ch == ch)
            next++;
        add_shape(out, row, c, next - c, ch, p.fg);
    }
}

static void add_head(struct wb_str *out, const struct wb_surface *s, const char *title)
{
    int width = s->cols * CELL_W + 2 * MARGIN, height = s->rows * CELL_H + 2 * MARGIN;

    wb_str_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "viewBox=\"0 0 %d %d\" font-size=\"%d\" "
                  "font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\">\n<title>",
                  width, height, width, height, FONT);
    wb_svg_add_text(out, title);
    wb_str_printf(out,
                  "</title>\n<rect width=\"%d\" height=\"%d\" rx=\"%d\" fill=\"#%06x\"/>\n"
                  "<g shape-rendering=\"crispEdges\">\n",
                  width, height, MARGIN, GROUND);
}

void wb_surface_svg(const struct wb_surface *s, const struct wb_theme *theme, const char *title,
                    struct wb_str *out)
{
    add_head(out, s, title);
    for (int r = 0; r < s->rows; r++)
        for (int c = 0, next; c < s->cols; c = next) {
            struct paint p = paint_of(cell_at(s, r, c), theme);

            for (next = c + 1; next < s->cols; next++)
                if (!same_paint(paint_of(cell_at(s, r, next), theme), p))
                    break;
            add_run(out, s, r, c, next, p);
        }
    wb_str_add(out, "</g>\n</svg>\n");
}
