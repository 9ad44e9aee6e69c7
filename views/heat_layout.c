/* views/heat_layout.c - where a heatmap puts what, and how the cursor moves on it. */
#include "views/heat.h"

#include <math.h>
#include <stdio.h>

#include "views/number.h"

enum { ZOOM_MAX = 8, LABEL_MAX = 20, NAME_ROWS = 9, CUT_MIN = 6 };

const char *wb_heat_label(const struct wb_heat_axis *axis, int i, char *out, size_t size)
{
    if (axis->label != NULL)
        return axis->label[i];
    snprintf(out, size, "%d", axis->first + i);
    return out;
}

static int longest_label(const struct wb_heat_axis *axis, int n)
{
    char text[16];
    int longest = 0;

    for (int i = 0; i < n; i++) {
        int width = wb_text_width(wb_heat_label(axis, i, text, sizeof text));

        longest = width > longest ? width : longest;
    }
    return longest;
}

float wb_heat_unit(const struct wb_heat *h, const struct wb_heat_layout *l, int unit_row,
                   int unit_col)
{
    int r1 = (unit_row + 1) * l->block, c1 = (unit_col + 1) * l->block, n = 0;
    double sum = 0;
    bool missing = false;

    if (l->block == 1)
        return h->value[(size_t)unit_row * (size_t)h->cols + (size_t)unit_col];
    for (int r = unit_row * l->block; r < r1 && r < h->rows; r++)
        for (int c = unit_col * l->block; c < c1 && c < h->cols; c++) {
            float v = h->value[(size_t)r * (size_t)h->cols + (size_t)c];

            missing = missing || wb_heat_is_missing(v);
            if (wb_heat_is_missing(v) || wb_heat_is_blank(v))
                continue;
            sum += v;
            n++;
        }
    if (n == 0)
        return missing ? wb_heat_missing() : wb_heat_blank();
    return (float)(sum / n);
}

/* ---- range ---- */

static void set_range(const struct wb_heat *h, struct wb_heat_layout *l)
{
    bool any = false;

    l->min = h->min;
    l->max = h->max;
    for (size_t i = 0; h->automatic && i < (size_t)h->rows * (size_t)h->cols; i++) {
        float v = h->value[i];

        if (!isfinite(v) || (h->self && i / (size_t)h->cols == i % (size_t)h->cols))
            continue;
        l->min = any && l->min < v ? l->min : v;
        l->max = any && l->max > v ? l->max : v;
        any = true;
    }
    if (any && l->min == l->max) /* equal values are at the bottom of some range */
        l->max += fmaxf(fabsf(l->max) * 1e-3f, 1e-6f);
    if (h->diverging && l->min < 0 && l->max > 0) {
        l->max = fmaxf(l->max, -l->min);
        l->min = -l->max;
    }
}

/* ---- sizes ---- */

/* Whole rows have no odd heights: 1, 2, 4, 6, … there. */
static int allowed_zoom(const struct wb_heat_layout *l, int zoom)
{
    zoom = zoom < 1 ? 1 : zoom > ZOOM_MAX ? ZOOM_MAX : zoom;
    return l->how == WB_HEAT_HALF || zoom == 1 ? zoom : zoom / 2 * 2;
}

static void set_zoom(const struct wb_heat *h, struct wb_heat_layout *l, int zoom)
{
    l->zoom = allowed_zoom(l, zoom);
    l->halves = l->how == WB_HEAT_HALF ? l->zoom : l->zoom < 2 ? 2 : l->zoom;
    if (h->stretch) {
        int wanted = longest_label(&h->col_axis, h->cols) + 1;
        int room = l->unit_cols > 0 ? l->map_cols / l->unit_cols : 1;

        wanted = wanted < 2 ? 2 : wanted > LABEL_MAX ? LABEL_MAX : wanted;
        l->width = wanted < room ? wanted : room < 1 ? 1 : room;
    } else {
        l->width = l->zoom;
    }
}

static void set_block(const struct wb_heat *h, struct wb_heat_layout *l, int block)
{
    l->block = block < 1 || h->stretch ? 1 : block;
    l->unit_rows = h->rows / l->block + (h->rows % l->block != 0);
    l->unit_cols = h->cols / l->block + (h->cols % l->block != 0);
}

static bool fits(const struct wb_heat *h, const struct wb_heat_layout *l)
{
    return (int64_t)l->unit_rows * l->halves <= 2 * l->map_rows &&
           (h->stretch || (int64_t)l->unit_cols * l->width <= l->map_cols);
}

/* The largest zoom at which all fits, else the smallest blocks that do at zoom 1. */
static void choose_zoom(const struct wb_heat *h, struct wb_heat_layout *l)
{
    int most = h->rows > h->cols ? h->rows : h->cols;

    set_block(h, l, 1);
    for (int zoom = ZOOM_MAX; zoom >= 1; zoom--) {
        set_zoom(h, l, zoom);
        if (fits(h, l))
            return;
    }
    for (int block = 2; !h->stretch && block <= most && !fits(h, l); block++)
        set_block(h, l, block);
}

static void apply_zoom(const struct wb_heat *h, struct wb_heat_layout *l, int zoom)
{
    if (zoom == 0) {
        choose_zoom(h, l);
        return;
    }
    set_block(h, l, -zoom);
    set_zoom(h, l, zoom);
}

/* Lines above the map: one, or as many as names need that are written downwards. */
static int label_rows(const struct wb_heat *h, const struct wb_heat_layout *l, int rows)
{
    int longest = longest_label(&h->col_axis, h->cols), most = rows / 3;

    if (!h->col_axis.names || l->width > longest || l->width >= CUT_MIN)
        return 1;
    longest = longest > NAME_ROWS ? NAME_ROWS : longest;
    return longest < most ? longest : most < 1 ? 1 : most;
}

/* The first unit shown of n when `fit` of them are: as asked for, the cursor's among them. */
static int first_shown(int wanted, int cursor, int n, int fit)
{
    if (cursor >= 0 && cursor < wanted)
        wanted = cursor;
    if (cursor >= 0 && cursor - wanted >= fit)
        wanted = cursor - fit + 1;
    if (wanted > n - fit)
        wanted = n - fit;
    return wanted < 0 ? 0 : wanted;
}

static int at_least_1(int n)
{
    return n < 1 ? 1 : n;
}

static void set_shown(const struct wb_heat *h, struct wb_heat_layout *l)
{
    int fit_rows = at_least_1(2 * l->map_rows / l->halves);
    int fit_cols = at_least_1(l->map_cols / l->width);

    l->top =
        first_shown(h->top / l->block, h->row < 0 ? -1 : h->row / l->block, l->unit_rows, fit_rows);
    l->left = first_shown(h->left / l->block, h->col < 0 ? -1 : h->col / l->block, l->unit_cols,
                          fit_cols);
    l->shown_rows = l->unit_rows < fit_rows ? l->unit_rows : fit_rows;
    l->shown_cols = l->unit_cols < fit_cols ? l->unit_cols : fit_cols;
}

void wb_heat_layout(const struct wb_heat *h, const struct wb_theme *theme, int rows, int cols,
                    struct wb_heat_layout *l)
{
    const struct wb_ramp *ramp = h->diverging ? &theme->diverging : &theme->sequential;
    int longest = longest_label(&h->row_axis, h->rows), most = cols / 4;

    *l = (struct wb_heat_layout){ 0 };
    l->how = ramp->by_glyph ? WB_HEAT_GLYPH : theme->half_blocks ? WB_HEAT_HALF : WB_HEAT_WHOLE;
    most = most > LABEL_MAX ? LABEL_MAX : at_least_1(most);
    l->label_cols = 2 + (longest < most ? longest : most);
    l->map_col = l->label_cols;
    l->map_cols = cols > l->map_col ? cols - l->map_col : 0;
    l->legend_row = rows >= 4 ? rows - 1 : -1;
    set_range(h, l);
    /* Labels take room, and how they are written depends on what zoom fits into the rest. */
    for (int lines = 1, pass = 0; pass < 2; pass++) {
        l->map_row = lines;
        l->map_rows = rows - lines - (l->legend_row >= 0);
        l->map_rows = l->map_rows < 0 ? 0 : l->map_rows;
        apply_zoom(h, l, h->zoom);
        lines = label_rows(h, l, rows);
        if (lines <= l->map_row)
            break;
    }
    set_shown(h, l);
}

/* ---- places and values ---- */

bool wb_heat_at(const struct wb_heat *h, const struct wb_heat_layout *l, int row, int col,
                int *cell_row, int *cell_col)
{
    int unit_row, unit_col;

    if (row < l->map_row || col < l->map_col || row >= l->map_row + l->map_rows ||
        col >= l->map_col + l->map_cols)
        return false;
    unit_row = 2 * (row - l->map_row) / l->halves;
    unit_col = (col - l->map_col) / l->width;
    if (unit_row >= l->shown_rows || unit_col >= l->shown_cols)
        return false;
    *cell_row = (l->top + unit_row) * l->block;
    *cell_col = (l->left + unit_col) * l->block;
    return *cell_row < h->rows && *cell_col < h->cols;
}

const char *wb_heat_text(const struct wb_heat *h, int row, int col, char *out, size_t size)
{
    float v;

    if (row < 0 || row >= h->rows || col < 0 || col >= h->cols)
        return "";
    v = h->value[(size_t)row * (size_t)h->cols + (size_t)col];
    if (wb_heat_is_blank(v))
        return "--";
    return wb_heat_is_missing(v) ? "not computed" : wb_number(out, size, (double)v);
}

/* ---- moving ---- */

static int clamp(int64_t v, int n)
{
    return v < 0 || n < 1 ? 0 : v >= n ? n - 1 : (int)v;
}

/* From blocks of 3 over 2 to zoom 1, 2, and so on; what would be chosen anyhow is 0. */
static void step_zoom(struct wb_heat *h, const struct wb_heat_layout *l, bool in)
{
    struct wb_heat_layout other = *l;
    int most = h->rows > h->cols ? h->rows : h->cols, chosen, now, next;

    now = l->block > 1 ? -l->block : l->zoom;
    if (now < 0)
        next = in ? (now == -2 ? 1 : now + 1) : now - 1;
    else if (in)
        next = allowed_zoom(l, now + (l->how == WB_HEAT_HALF || now == 1 ? 1 : 2));
    else
        next = now == 1 ? (h->stretch ? 1 : -2) : allowed_zoom(l, now - 1);
    if (next < 0 && -next > at_least_1(most / 2))
        next = now;
    choose_zoom(h, &other);
    chosen = other.block > 1 ? -other.block : other.zoom;
    h->zoom = next == chosen ? 0 : next;
}

static bool move(struct wb_heat *h, enum wb_action action, int64_t n,
                 const struct wb_heat_layout *l)
{
    int page = at_least_1(l->shown_rows - 1), half = at_least_1(l->shown_rows / 2);
    int64_t row = h->row < 0 ? 0 : h->row, col = h->col < 0 ? 0 : h->col, step = n * l->block;

    switch (action) {
    case WB_ACTION_UP:
        row -= step;
        break;
    case WB_ACTION_DOWN:
        row += step;
        break;
    case WB_ACTION_LEFT:
        col -= step;
        break;
    case WB_ACTION_RIGHT:
        col += step;
        break;
    case WB_ACTION_PAGE_UP:
        row -= step * page;
        break;
    case WB_ACTION_PAGE_DOWN:
        row += step * page;
        break;
    case WB_ACTION_HALF_UP:
        row -= step * half;
        break;
    case WB_ACTION_HALF_DOWN:
        row += step * half;
        break;
    case WB_ACTION_FIRST:
        row = n - 1;
        break;
    case WB_ACTION_LAST:
        row = n > 1 ? n - 1 : h->rows - 1;
        break;
    default:
        return false;
    }
    h->row = clamp(row, h->rows);
    h->col = clamp(col, h->cols);
    return true;
}

bool wb_heat_act(struct wb_heat *h, enum wb_action action, int count, const struct wb_theme *theme,
                 int rows, int cols)
{
    struct wb_heat_layout l;

    wb_heat_layout(h, theme, rows, cols, &l);
    if (action == WB_ACTION_ZOOM_IN || action == WB_ACTION_ZOOM_OUT)
        for (int i = 0; i < at_least_1(count) && i < 2 * ZOOM_MAX; i++) {
            step_zoom(h, &l, action == WB_ACTION_ZOOM_IN);
            wb_heat_layout(h, theme, rows, cols, &l);
        }
    else if (action == WB_ACTION_RANGE)
        h->automatic = !h->automatic;
    else if (!move(h, action, at_least_1(count), &l))
        return false;
    wb_heat_layout(h, theme, rows, cols, &l);
    h->top = l.top * l.block;
    h->left = l.left * l.block;
    return true;
}

bool wb_heat_mouse(struct wb_heat *h, struct wb_mouse mouse, const struct wb_theme *theme, int rows,
                   int cols)
{
    struct wb_heat_layout l;

    if (mouse.kind == WB_MOUSE_WHEEL_UP || mouse.kind == WB_MOUSE_WHEEL_DOWN)
        return wb_heat_act(h, mouse.kind == WB_MOUSE_WHEEL_UP ? WB_ACTION_UP : WB_ACTION_DOWN, 1,
                           theme, rows, cols);
    wb_heat_layout(h, theme, rows, cols, &l);
    return wb_heat_at(h, &l, mouse.row, mouse.col, &h->row, &h->col);
}
