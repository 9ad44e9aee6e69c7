/* views/dump.c - a surface as text. */
#include "views/canvas.h"

#include <string.h>

static const struct wb_cell *cell_at(const struct wb_surface *s, int row, int col)
{
    return s->cell + (size_t)row * (size_t)s->cols + (size_t)col;
}

/* Add the line without the `filler` at its end. */
static void add_line(struct wb_str *out, const struct wb_str *line, char filler)
{
    size_t n = line->len;

    while (n > 0 && line->text[n - 1] == filler)
        n--;
    if (n > 0)
        wb_str_add_n(out, line->text, n);
    wb_str_add(out, "\n");
    out->failed = out->failed || line->failed;
}

static void dump_text(const struct wb_surface *s, struct wb_str *out)
{
    struct wb_str line = { 0 };

    for (int r = 0; r < s->rows; r++) {
        line.len = 0;
        for (int c = 0; c < s->cols; c++) {
            uint32_t ch = cell_at(s, r, c)->ch;
            char bytes[5];

            if (ch != 0)
                wb_str_add_n(&line, bytes, wb_char_encode(ch, bytes));
        }
        add_line(out, &line, ' ');
    }
    wb_str_free(&line);
}

static void dump_styles(const struct wb_surface *s, struct wb_str *out)
{
    struct wb_str line = { 0 };

    wb_str_add(out, "-- styles\n");
    for (int r = 0; r < s->rows; r++) {
        line.len = 0;
        for (int c = 0; c < s->cols; c++) {
            const struct wb_cell *cell = cell_at(s, r, c);
            char letter = wb_style_letter((enum wb_style)cell->style);

            wb_str_add_n(&line, cell->attrs != 0 ? "!" : &letter, 1);
        }
        add_line(out, &line, wb_style_letter(WB_STYLE_TEXT));
    }
    wb_str_free(&line);
}

static int find_colour(const struct wb_ramp *ramp, int32_t colour)
{
    for (int i = 0; i < ramp->steps; i++)
        if (ramp->colour[i] == colour)
            return i;
    return -1;
}

static char level_letter(const struct wb_theme *theme, int32_t colour)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    const struct wb_ramp *ramp = &theme->sequential;
    int step, most = (int)sizeof letters - 2;

    if (colour == WB_COLOUR_NONE)
        return ' ';
    step = find_colour(ramp, colour);
    if (step < 0) {
        ramp = &theme->diverging;
        step = find_colour(ramp, colour);
    }
    if (step < 0)
        return '~';
    return letters[ramp->steps - 1 <= most ? step : step * most / (ramp->steps - 1)];
}

/* The colour that fills the upper or the lower half of a cell; of a glyph on no background, that
 * of the glyph. */
static int32_t half_colour(const struct wb_cell *cell, bool upper)
{
    if (cell->ch == 0x2580 || cell->ch == 0x2584)
        return upper == (cell->ch == 0x2580) ? cell->fg : cell->bg;
    return cell->bg != WB_COLOUR_NONE ? cell->bg : cell->fg;
}

static bool any_colour(const struct wb_surface *s)
{
    for (size_t i = 0; i < (size_t)s->rows * (size_t)s->cols; i++)
        if (s->cell[i].fg != WB_COLOUR_NONE || s->cell[i].bg != WB_COLOUR_NONE)
            return true;
    return false;
}

static void dump_levels(const struct wb_surface *s, const struct wb_theme *theme,
                        struct wb_str *out)
{
    struct wb_str line = { 0 };

    wb_str_add(out, "-- levels\n");
    for (int half = 0; half < 2 * s->rows; half++) {
        line.len = 0;
        for (int c = 0; c < s->cols; c++) {
            int32_t colour = half_colour(cell_at(s, half / 2, c), half % 2 == 0);
            char letter = level_letter(theme, colour);

            wb_str_add_n(&line, &letter, 1);
        }
        add_line(out, &line, ' ');
    }
    wb_str_free(&line);
}

void wb_surface_dump(const struct wb_surface *s, const struct wb_theme *theme, bool styles,
                     struct wb_str *out)
{
    dump_text(s, out);
    if (!styles)
        return;
    dump_styles(s, out);
    if (any_colour(s))
        dump_levels(s, theme, out);
}
