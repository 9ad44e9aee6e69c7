/* views/heat_svg.c - drawing a heatmap as SVG. */
#include "views/heat_svg.h"

#include <math.h>
#include <stdio.h>

#include "views/number.h"
#include "views/svg.h"

enum {
    MARGIN = 16,
    FONT = 11,
    TITLE_FONT = 15,
    LINE = 18,
    MAP_SIDE = 880, /* at most, of a map without numbers */
    NUMBERS_MAX = 400,
    TIPS_MAX = 4096,
    LABEL_SIDE = 12, /* a label needs that much */
    LABEL_CHARS = 28,
    LEGEND_STEPS = 65,
    LEGEND_STEP = 4,
};

/* Of the fonts asked for, on average. */
#define CHAR_WIDTH 6.4

#define INK 0x222222u
#define FAINT 0x777777u
#define MISSING_GROUND 0xEDEDEDu
#define NAN_INK 0xB00020u

struct pen {
    const struct wb_heat *h;
    struct wb_str *out;
    struct wb_theme theme;
    const struct wb_ramp *ramp;
    struct wb_heat_layout range; /* for its min and max */
    bool numbers, tips;
    double cell_w, cell_h, map_x, map_y;
    double width, height;
};

static float value_at(const struct pen *p, int row, int col)
{
    return p->h->value[(size_t)row * (size_t)p->h->cols + (size_t)col];
}

static uint32_t colour_of_step(const struct pen *p, int step)
{
    return wb_colour_rgb(p->ramp->colour[step]);
}

/* ---- text ---- */

enum anchor { START, MIDDLE, END };

static void text(struct pen *p, double x, double y, enum anchor anchor, uint32_t colour,
                 const char *more, const char *words)
{
    static const char *const names[] = { "start", "middle", "end" };

    wb_str_printf(p->out, "<text x=\"%g\" y=\"%g\" text-anchor=\"%s\" fill=\"#%06x\"%s>", x, y,
                  names[anchor], (unsigned)colour, more);
    wb_svg_add_text(p->out, words);
    wb_str_add(p->out, "</text>\n");
}

static double text_width(const char *words)
{
    return wb_text_width(words) * CHAR_WIDTH;
}

static const char *label_of(const struct wb_heat_axis *axis, int i, char *out, size_t size)
{
    char number[16];

    return wb_text_fit(out, size, wb_heat_label(axis, i, number, sizeof number), LABEL_CHARS,
                       false);
}

static double longest_label(const struct wb_heat_axis *axis, int n)
{
    double longest = 0;
    char out[128];

    for (int i = 0; i < n; i++)
        longest = fmax(longest, text_width(label_of(axis, i, out, sizeof out)));
    return longest;
}

/* Every how many cells a label has room. */
static int label_step(double side)
{
    int step = 1;

    while (step * side < LABEL_SIDE && step < 1 << 16)
        step *= 2;
    return step;
}

/* ---- cells ---- */

static void tip(struct pen *p, int row, int col)
{
    char row_name[128], col_name[128], number[32];

    if (!p->tips) {
        wb_str_add(p->out, "/>\n");
        return;
    }
    wb_str_add(p->out, "><title>");
    wb_svg_add_text(p->out, label_of(&p->h->row_axis, row, row_name, sizeof row_name));
    wb_str_add(p->out, " : ");
    wb_svg_add_text(p->out, label_of(&p->h->col_axis, col, col_name, sizeof col_name));
    wb_str_printf(p->out, "  %s</title></rect>\n",
                  wb_heat_text(p->h, row, col, number, sizeof number));
}

static void rect(struct pen *p, int row, int col, int cols, uint32_t fill)
{
    wb_str_printf(p->out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"#%06x\"",
                  p->map_x + col * p->cell_w, p->map_y + row * p->cell_h, cols * p->cell_w,
                  p->cell_h, (unsigned)fill);
    tip(p, row, col);
}

/* What a cell looks like: a step of the ramp, or one of these. */
enum { NOT_A_NUMBER = -1, MISSING = -2, BLANK = -3 };

static int look_of(const struct pen *p, int row, int col)
{
    float v = value_at(p, row, col);
    int step = wb_ramp_step(p->ramp, v, p->range.min, p->range.max);

    if (wb_heat_is_blank(v))
        return BLANK;
    if (wb_heat_is_missing(v))
        return MISSING;
    return step < 0 ? NOT_A_NUMBER : step;
}

static void sign(struct pen *p, int row, int col, uint32_t colour, const char *words)
{
    text(p, p->map_x + (col + 0.5) * p->cell_w, p->map_y + (row + 0.5) * p->cell_h + FONT * 0.35,
         MIDDLE, colour, "", words);
}

static void number(struct pen *p, int row, int col, int step)
{
    uint32_t ink = wb_colour_rgb(wb_colour_contrast(p->ramp->colour[step]));
    char words[32];

    sign(p, row, col, ink, wb_number(words, sizeof words, (double)value_at(p, row, col)));
}

static void cells(struct pen *p, int row, int col, int cols, int look)
{
    if (look == BLANK)
        return;
    rect(p, row, col, cols,
         look >= 0         ? colour_of_step(p, look)
         : look == MISSING ? MISSING_GROUND
                           : 0xFFFFFFu);
    if (look >= 0 && p->numbers)
        number(p, row, col, look);
    else if (look < 0 && cols == 1 && p->cell_w >= 6 && p->cell_h >= 8)
        sign(p, row, col, look == MISSING ? FAINT : NAN_INK, look == MISSING ? "x" : "N");
}

static void draw_map(struct pen *p)
{
    wb_str_add(p->out, "<g shape-rendering=\"crispEdges\">\n");
    for (int r = 0; r < p->h->rows; r++)
        for (int c = 0, next; c < p->h->cols; c = next) {
            int look = look_of(p, r, c);

            next = c + 1;
            while (!p->tips && next < p->h->cols && look_of(p, r, next) == look)
                next++;
            cells(p, r, c, next - c, look);
        }
    wb_str_add(p->out, "</g>\n");
}

/* ---- labels ---- */

static void draw_labels(struct pen *p)
{
    int step = label_step(p->cell_h);
    bool upright = longest_label(&p->h->col_axis, p->h->cols) + 4 > p->cell_w;
    char words[128], turn[80];

    for (int r = 0; r < p->h->rows; r += step)
        text(p, p->map_x - 6, p->map_y + (r + 0.5) * p->cell_h + FONT * 0.35, END, INK, "",
             label_of(&p->h->row_axis, r, words, sizeof words));
    step = upright ? label_step(p->cell_w) : 1;
    for (int c = 0; c < p->h->cols; c += step) {
        double x = p->map_x + (c + 0.5) * p->cell_w, y = p->map_y - 6;

        label_of(&p->h->col_axis, c, words, sizeof words);
        if (!upright) {
            text(p, x, y, MIDDLE, INK, "", words);
            continue;
        }
        x += FONT * 0.35;
        snprintf(turn, sizeof turn, " transform=\"rotate(-90 %g %g)\"", x, y);
        text(p, x, y, START, INK, turn, words);
    }
}

static void draw_titles(struct pen *p, const struct wb_heat_picture *picture)
{
    double y = MARGIN + TITLE_FONT;
    char more[80];

    snprintf(more, sizeof more, " font-size=\"%d\" font-weight=\"bold\"", TITLE_FONT);
    if (picture->title != NULL) {
        text(p, MARGIN, y, START, INK, more, picture->title);
        y += LINE;
    }
    if (picture->note != NULL)
        text(p, MARGIN, y, START, FAINT, "", picture->note);
    if (picture->col_title != NULL)
        text(p, p->map_x + p->h->cols * p->cell_w, p->map_y + p->h->rows * p->cell_h + FONT + 4,
             END, FAINT, "", picture->col_title);
    if (picture->row_title != NULL)
        text(p, p->map_x - 6, p->map_y + p->h->rows * p->cell_h + FONT + 4, END, FAINT, "",
             picture->row_title);
}

/* ---- legend ---- */

/* Does some cell look so? */
static bool occurs(const struct pen *p, int look)
{
    for (int r = 0; r < p->h->rows; r++)
        for (int c = 0; c < p->h->cols; c++)
            if (look_of(p, r, c) == look)
                return true;
    return false;
}

static const char *legend_words(const struct pen *p, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s%s%s", p->h->quantity == NULL ? "" : p->h->quantity,
             p->h->automatic ? ", range of the values" : "", p->h->symmetric ? ", symmetric" : "",
             occurs(p, MISSING) ? ", x not computed" : "",
             occurs(p, NOT_A_NUMBER) ? ", N not a number" : "");
    return out;
}

static void draw_legend(struct pen *p)
{
    double y = p->height - MARGIN - FONT - 2 - 12, width = LEGEND_STEPS * LEGEND_STEP;
    double middle = ((double)p->range.min + (double)p->range.max) / 2;
    char words[200];

    wb_str_add(p->out, "<g shape-rendering=\"crispEdges\">\n");
    for (int i = 0; i < LEGEND_STEPS; i++)
        wb_str_printf(p->out,
                      "<rect x=\"%d\" y=\"%g\" width=\"%d\" height=\"12\" fill=\"#%06x\"/>\n",
                      MARGIN + i * LEGEND_STEP, y, LEGEND_STEP,
                      (unsigned)colour_of_step(p, i * (p->ramp->steps - 1) / (LEGEND_STEPS - 1)));
    wb_str_add(p->out, "</g>\n");
    text(p, MARGIN + width + 12, y + 10, START, INK, "", legend_words(p, words, sizeof words));
    snprintf(words, sizeof words, "%.4g", (double)p->range.min);
    text(p, MARGIN, y + 12 + FONT + 2, START, INK, "", words);
    snprintf(words, sizeof words, "%.4g", middle);
    text(p, MARGIN + width / 2, y + 12 + FONT + 2, MIDDLE, INK, "", words);
    snprintf(words, sizeof words, "%.4g", (double)p->range.max);
    text(p, MARGIN + width, y + 12 + FONT + 2, END, INK, "", words);
}

/* ---- sizes ---- */

static void set_sizes(struct pen *p, const struct wb_heat_picture *picture)
{
    const struct wb_heat *h = p->h;
    int longest = h->rows > h->cols ? h->rows : h->cols;
    int64_t cells_all = (int64_t)h->rows * h->cols;
    double above;
    char words[200];

    p->numbers = cells_all <= NUMBERS_MAX && h->cols <= NUMBERS_MAX / 16;
    p->tips = cells_all <= TIPS_MAX;
    p->cell_w = p->cell_h = fmin(24, fmax(2, floor(MAP_SIDE / fmax(longest, 1))));
    if (h->stretch && !p->numbers) {
        p->cell_w = fmin(40, fmax(2, floor(MAP_SIDE / fmax(h->cols, 1))));
        p->cell_h = fmin(24, fmax(2, floor(MAP_SIDE / fmax(h->rows, 1))));
    }
    if (p->numbers) {
        p->cell_w = 10 * CHAR_WIDTH;
        p->cell_h = 24;
    }
    above = longest_label(&h->col_axis, h->cols);
    above = above + 4 > p->cell_w ? above + 6 : LINE;
    p->map_x = MARGIN +
               fmax(longest_label(&h->row_axis, h->rows),
                    picture->row_title == NULL ? 0 : text_width(picture->row_title)) +
               8;
    p->map_y = MARGIN + above + LINE * ((picture->title != NULL) + (picture->note != NULL)) + 8;
    p->width =
        fmax(p->map_x + h->cols * p->cell_w, MARGIN + LEGEND_STEPS * LEGEND_STEP + 12 +
                                                 text_width(legend_words(p, words, sizeof words)));
    if (picture->title != NULL) /* bold and larger */
        p->width = fmax(p->width, MARGIN + text_width(picture->title) * 1.5);
    if (picture->note != NULL)
        p->width = fmax(p->width, MARGIN + text_width(picture->note));
    p->width += MARGIN;
    p->height = p->map_y + h->rows * p->cell_h + 2 * LINE + 12 + FONT + 2 + MARGIN;
}

void wb_heat_svg(const struct wb_heat_picture *picture, struct wb_str *out)
{
    struct pen p = { .h = picture->heat, .out = out };

    wb_theme_init(&p.theme, WB_TIER_DIRECT, false);
    wb_theme_set_colormap(&p.theme, picture->colormap);
    p.ramp = p.h->diverging ? &p.theme.diverging : &p.theme.sequential;
    wb_heat_layout(p.h, &p.theme, 50, 200, &p.range);
    set_sizes(&p, picture);
    wb_str_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
                  "viewBox=\"0 0 %g %g\" font-size=\"%d\" "
                  "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n<title>",
                  p.width, p.height, p.width, p.height, FONT);
    wb_svg_add_text(out, picture->title == NULL ? "" : picture->title);
    wb_str_printf(out, "</title>\n<rect width=\"%g\" height=\"%g\" fill=\"#ffffff\"/>\n", p.width,
                  p.height);
    draw_titles(&p, picture);
    draw_labels(&p);
    draw_map(&p);
    draw_legend(&p);
    wb_str_add(out, "</svg>\n");
}
