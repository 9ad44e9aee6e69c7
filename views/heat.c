/* views/heat.c - drawing a heatmap. */
#include "views/heat.h"

#include <math.h>
#include <stdio.h>

enum { UPPER_HALF = 0x2580, LOWER_HALF = 0x2584, LEGEND_STEPS = 16 };

/* What a place on the map shows. */
enum kind { NOTHING, BLANK, VALUE, MISSING, NOT_A_NUMBER };
struct spot {
    enum kind kind;
    int32_t colour;
    uint32_t glyph;
    bool cursor;
};

struct pen {
    const struct wb_heat *h;
    const struct wb_heat_layout *l;
    const struct wb_ramp *ramp;
    struct wb_canvas map;
};

static const struct wb_ramp *ramp_of(const struct wb_heat *h, const struct wb_theme *theme)
{
    return h->diverging ? &theme->diverging : &theme->sequential;
}

static struct spot spot_of(const struct pen *p, int unit_row, int unit_col)
{
    const struct wb_heat_layout *l = p->l;
    struct spot s = { .colour = WB_COLOUR_NONE, .glyph = ' ' };
    float v;
    int step;

    if (unit_row >= l->top + l->shown_rows || unit_col >= l->left + l->shown_cols)
        return s;
    s.cursor = p->h->row >= 0 && p->h->col >= 0 && p->h->row / l->block == unit_row &&
               p->h->col / l->block == unit_col;
    v = wb_heat_unit(p->h, l, unit_row, unit_col);
    step = wb_ramp_step(p->ramp, v, l->min, l->max);
    if (step >= 0) {
        s.kind = VALUE;
        s.colour = p->ramp->colour[step];
        s.glyph = p->ramp->glyph[step];
    } else if (wb_heat_is_blank(v)) {
        s.kind = BLANK;
    } else if (wb_heat_is_missing(v)) {
        s.kind = MISSING;
        s.glyph = 'x';
    } else {
        s.kind = NOT_A_NUMBER;
        s.glyph = isnan(v) ? 'N' : '?'; /* '?': the range is empty */
    }
    return s;
}

/* 'x', 'N' and blank: outside of the ramp. */
static void draw_outside(struct pen *p, int row, int col, struct spot s)
{
    wb_canvas_put(&p->map, row, col, s.kind == NOT_A_NUMBER ? WB_STYLE_ERROR : WB_STYLE_DIM,
                  s.glyph);
    if (s.cursor)
        wb_canvas_add_attrs(&p->map, row, col, 1, WB_ATTR_BOLD | WB_ATTR_REVERSE);
}

/* One cell of the screen that belongs to one unit. */
static void draw_one(struct pen *p, int row, int col, struct spot s)
{
    unsigned attrs = s.cursor ? WB_ATTR_BOLD : 0;
    bool digit = s.glyph > ' ' && s.glyph < 0x7F;

    if (s.kind != VALUE)
        draw_outside(p, row, col, s);
    else if (p->l->how == WB_HEAT_GLYPH)
        wb_canvas_put_coloured(&p->map, row, col, s.colour, WB_COLOUR_NONE,
                               s.cursor && digit ? WB_ATTR_BOLD | WB_ATTR_REVERSE : attrs, s.glyph);
    else if (p->map.theme->ascii)
        wb_canvas_put_coloured(&p->map, row, col, wb_colour_contrast(s.colour), s.colour, attrs,
                               s.glyph);
    else
        wb_canvas_put_coloured(&p->map, row, col, WB_COLOUR_NONE, s.colour, attrs, ' ');
}

/* One cell of the screen between two units. A half that is missing stays on the background of the
 * screen; NaN takes the whole cell, it is to be seen. */
static void draw_halves(struct pen *p, int row, int col, struct spot up, struct spot down)
{
    unsigned attrs = up.cursor || down.cursor ? WB_ATTR_BOLD : 0;

    if (up.kind == NOT_A_NUMBER || down.kind == NOT_A_NUMBER) {
        struct spot s = up.kind == NOT_A_NUMBER ? up : down;

        s.cursor = up.cursor || down.cursor;
        draw_outside(p, row, col, s);
    } else if (up.kind != VALUE && down.kind != VALUE) {
        struct spot s = down.kind == MISSING ? down : up;

        s.cursor = up.cursor || down.cursor;
        draw_outside(p, row, col, s);
    } else if (up.kind == VALUE) {
        wb_canvas_put_coloured(&p->map, row, col, up.colour, down.colour, attrs, UPPER_HALF);
    } else {
        wb_canvas_put_coloured(&p->map, row, col, down.colour, WB_COLOUR_NONE, attrs, LOWER_HALF);
    }
}

static void draw_map(struct pen *p)
{
    const struct wb_heat_layout *l = p->l;
    int rows = (l->shown_rows * l->halves + 1) / 2, cols = l->shown_cols * l->width;

    for (int row = 0; row < rows && row < l->map_rows; row++)
        for (int col = 0; col < cols && col < l->map_cols; col++) {
            int unit_col = l->left + col / l->width;
            int above = l->top + 2 * row / l->halves, below = l->top + (2 * row + 1) / l->halves;
            struct spot up = spot_of(p, above, unit_col);

            if (above == below)
                draw_one(p, row, col, up);
            else
                draw_halves(p, row, col, up, spot_of(p, below, unit_col));
        }
}

/* Bold alone cannot be seen on a block of colour: brackets around the cell, or a cross in it. */
static void draw_cursor(struct pen *p)
{
    const struct wb_heat_layout *l = p->l;
    int unit_row = p->h->row / l->block, unit_col = p->h->col / l->block;
    int row = ((unit_row - l->top) * l->halves + 1) / 2, col = (unit_col - l->left) * l->width;
    struct spot s = spot_of(p, unit_row, unit_col);
    bool shade = l->how == WB_HEAT_GLYPH;
    int32_t fg, bg = shade ? WB_COLOUR_NONE : s.colour;

    if (s.kind != VALUE || (shade && s.glyph > ' ' && s.glyph < 0x7F))
        return;
    fg = shade ? WB_COLOUR_NONE : wb_colour_contrast(s.colour);
    if (l->halves < 2) /* two units share the cell */
        row = (unit_row - l->top) / 2;
    if (l->width == 1) {
        wb_canvas_put_coloured(&p->map, row, col, fg, bg, WB_ATTR_BOLD, '+');
        return;
    }
    wb_canvas_put_coloured(&p->map, row, col, fg, bg, WB_ATTR_BOLD, '[');
    wb_canvas_put_coloured(&p->map, row, col + l->width - 1, fg, bg, WB_ATTR_BOLD, ']');
}

/* ---- labels ---- */

/* Every how many places a label is shown: all of a few, else every 4th, 8th, … so that labels are
 * at least `need` apart when each place has `room`. */
static int tick_step(int n, int need, double room)
{
    int step = 4;

    if (n <= 8 && room >= need)
        return 1;
    while (step * room < need && step < n)
        step *= 2;
    return step;
}

/* The place within a unit whose label is due, or -1. */
static int tick_at(const struct wb_heat_axis *axis, int n, int unit, int block, int step)
{
    for (int i = unit * block; i < (unit + 1) * block && i < n; i++)
        if ((axis->label == NULL ? axis->first + i : i) % step == 0)
            return i;
    return -1;
}

static void draw_row_label(struct wb_canvas *cv, const struct pen *p, int unit, int i, bool cursor)
{
    const struct wb_heat_layout *l = p->l;
    int row = l->map_row + (unit - l->top) * l->halves / 2;
    enum wb_align align = p->h->row_axis.names ? WB_ALIGN_LEFT : WB_ALIGN_RIGHT;
    char text[16];

    wb_canvas_fit(cv, row, 1, l->label_cols - 2, align, WB_STYLE_DIM,
                  wb_heat_label(&p->h->row_axis, i, text, sizeof text));
    if (!cursor)
        return;
    wb_canvas_put(cv, row, 0, WB_STYLE_TEXT, '>');
    wb_canvas_restyle(cv, row, 1, l->label_cols - 2, WB_STYLE_TEXT);
    wb_canvas_add_attrs(cv, row, 1, l->label_cols - 2, WB_ATTR_REVERSE);
}

static void draw_row_labels(struct wb_canvas *cv, const struct pen *p)
{
    const struct wb_heat_layout *l = p->l;
    const struct wb_heat_axis *axis = &p->h->row_axis;
    int step = axis->names ? 1 : tick_step(p->h->rows, 1, (double)l->halves / 2 / l->block);

    for (int u = l->top; u < l->top + l->shown_rows; u++) {
        int i = tick_at(axis, p->h->rows, u, l->block, step);
        bool shared = l->halves == 1 && (u - l->top) % 2 == 1; /* the line of the unit above */

        if (i >= 0 && !(shared && axis->names))
            draw_row_label(cv, p, u, i, false);
    }
    if (p->h->row >= 0)
        draw_row_label(cv, p, p->h->row / l->block, p->h->row, true);
}

/* A name from top to bottom, one character a line, ending above the map. */
static void draw_down(struct wb_canvas *cv, const struct pen *p, int col, const char *name,
                      bool cursor)
{
    int lines = p->l->map_row, width;
    char text[256];
    const char *at = text;
    uint32_t ch;

    wb_text_fit(text, sizeof text, name, lines, cv->theme->ascii);
    for (int row = lines - wb_text_width(text); (ch = wb_text_next(&at, &width)) != 0; row++) {
        wb_canvas_put(cv, row, col, cursor ? WB_STYLE_TEXT : WB_STYLE_DIM, ch);
        if (cursor)
            wb_canvas_add_attrs(cv, row, col, 1, WB_ATTR_REVERSE);
    }
}

/* The label of a unit's column; within [*from, *end) it would cover the cursor's label. */
static void draw_col_label(struct wb_canvas *cv, const struct pen *p, int unit, int i, bool cursor,
                           int *from, int *end)
{
    const struct wb_heat_layout *l = p->l;
    int col = l->map_col + (unit - l->left) * l->width, width, room;
    char number[16];
    const char *label = wb_heat_label(&p->h->col_axis, i, number, sizeof number);

    if (p->h->col_axis.names && l->map_row > 1) {
        draw_down(cv, p, col, label, cursor);
        return;
    }
    room = !p->h->col_axis.names ? cv->cols - l->map_col : l->width > 1 ? l->width - 1 : 1;
    width = wb_text_width(label);
    width = width < room ? width : room;
    if (cursor && col + width > cv->cols)
        col = cv->cols - width;
    if (!cursor && (col + width > cv->cols || (col < *end + 1 && col + width + 1 > *from)))
        return;
    wb_canvas_fit(cv, 0, col, width, WB_ALIGN_LEFT, cursor ? WB_STYLE_TEXT : WB_STYLE_DIM, label);
    if (cursor) {
        wb_canvas_add_attrs(cv, 0, col, width, WB_ATTR_REVERSE);
        *from = col;
        *end = col + width;
    }
}

static void draw_col_labels(struct wb_canvas *cv, const struct pen *p)
{
    const struct wb_heat_layout *l = p->l;
    const struct wb_heat_axis *axis = &p->h->col_axis;
    int from = -2, end = -2, widest = 0, step, cursor = -1;
    char text[16];

    for (int i = 0; i < p->h->cols; i++) {
        int width = wb_text_width(wb_heat_label(axis, i, text, sizeof text));

        widest = width > widest ? width : widest;
    }
    step = axis->names ? 1 : tick_step(p->h->cols, widest + 1, (double)l->width / l->block);
    if (p->h->col >= 0) {
        cursor = p->h->col / l->block;
        draw_col_label(cv, p, cursor, p->h->col, true, &from, &end);
    }
    for (int u = l->left; u < l->left + l->shown_cols; u++) {
        int i = tick_at(axis, p->h->cols, u, l->block, step);

        if (i >= 0 && u != cursor)
            draw_col_label(cv, p, u, i, false, &from, &end);
    }
}

/* ---- legend ---- */

static int draw_ramp(struct wb_canvas *cv, int row, int col, const struct wb_ramp *ramp)
{
    int n = ramp->steps < LEGEND_STEPS ? ramp->steps : LEGEND_STEPS + ramp->steps % 2;

    for (int i = 0; i < n; i++) {
        int step = n < 2 ? 0 : (i * (ramp->steps - 1) + (n - 1) / 2) / (n - 1);
        int32_t colour = ramp->colour[step];

        if (ramp->by_glyph)
            wb_canvas_put_coloured(cv, row, col + i, colour, WB_COLOUR_NONE, 0, ramp->glyph[step]);
        else
            wb_canvas_put_coloured(cv, row, col + i, wb_colour_contrast(colour), colour, 0,
                                   cv->theme->ascii ? ramp->glyph[step] : ' ');
    }
    return n;
}

/* What occurs among the units shown. */
static void survey(const struct wb_heat *h, const struct wb_heat_layout *l, bool *missing,
                   bool *nan_seen)
{
    *missing = *nan_seen = false;
    for (int r = l->top; r < l->top + l->shown_rows; r++)
        for (int c = l->left; c < l->left + l->shown_cols; c++) {
            float v = wb_heat_unit(h, l, r, c);

            *missing = *missing || wb_heat_is_missing(v);
            *nan_seen = *nan_seen || (isnan(v) && !wb_heat_is_missing(v) && !wb_heat_is_blank(v));
        }
}

static int say_shown(struct wb_canvas *cv, int row, int col, const char *what, int first, int n,
                     int all)
{
    if (n >= all)
        return 0;
    return wb_canvas_printf(cv, row, col, WB_STYLE_DIM, "  %s %d-%d of %d", what, first + 1,
                            first + n, all);
}

int wb_heat_legend(struct wb_canvas *cv, int row, int col, const struct wb_heat *h,
                   const struct wb_heat_layout *l)
{
    double middle = ((double)l->min + (double)l->max) / 2;
    int at = col;
    bool missing, nan_seen;

    survey(h, l, &missing, &nan_seen);
    at += wb_canvas_printf(cv, row, at, WB_STYLE_TEXT, "%.4g [", (double)l->min);
    at += draw_ramp(cv, row, at, ramp_of(h, cv->theme));
    at +=
        wb_canvas_printf(cv, row, at, WB_STYLE_TEXT, "] %.4g  middle %.4g", (double)l->max, middle);
    at += wb_canvas_text(cv, row, at, h->automatic ? WB_STYLE_CHANGED : WB_STYLE_DIM,
                         h->automatic ? "  range auto" : "  range fixed");
    if (l->block > 1)
        at += wb_canvas_printf(cv, row, at, WB_STYLE_TEXT, "  mean of %dx%d", l->block, l->block);
    if (missing)
        at += wb_canvas_text(cv, row, at, WB_STYLE_DIM, "  x not computed");
    if (nan_seen)
        at += wb_canvas_text(cv, row, at, WB_STYLE_ERROR, "  N NaN");
    at += say_shown(cv, row, at, "rows", l->top * l->block, l->shown_rows * l->block, h->rows);
    at += say_shown(cv, row, at, "columns", l->left * l->block, l->shown_cols * l->block, h->cols);
    at += wb_canvas_text(cv, row, at, WB_STYLE_DIM, h->symmetric ? "  symmetric" : "");
    if (l->block == 1)
        at += wb_canvas_printf(cv, row, at, WB_STYLE_DIM, "  zoom %d", l->zoom);
    if (h->quantity != NULL)
        at += wb_canvas_printf(cv, row, at, WB_STYLE_TEXT, "  %s", h->quantity);
    return at - col;
}

void wb_heat_draw(struct wb_canvas *cv, const struct wb_heat *h)
{
    struct wb_heat_layout l;
    struct pen p;

    wb_heat_layout(h, cv->theme, cv->rows, cv->cols, &l);
    p = (struct pen){ h, &l, ramp_of(h, cv->theme),
                      wb_canvas_sub(cv, l.map_row, l.map_col, l.map_rows, l.map_cols) };
    if (h->rows < 1 || h->cols < 1)
        return;
    draw_map(&p);
    if (h->row >= 0 && h->col >= 0)
        draw_cursor(&p);
    draw_row_labels(cv, &p);
    draw_col_labels(cv, &p);
    if (l.legend_row >= 0)
        wb_heat_legend(cv, l.legend_row, 0, h, &l);
}
