/* views/tensors_draw.c - the table of tensors, and the one under the cursor close up. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/core/str.h"
#include "views/box.h"
#include "views/chart.h"
#include "views/desk.h"
#include "views/number.h"
#include "views/view_tensors.h"

#define DETAIL_COLS 100 /* from here on the detail pane stands beside the list */
#define VALUE_COLS 11
#define VALUES_FROM 7 /* rows of the detail above the values */

const struct wb_table_column wb_tensors_columns[TENSORS_COLUMNS] = {
    [TENSORS_NAME] = { .title = "NAME", .width = 20, .flex = 1 },
    [TENSORS_ROLE] = { .title = "ROLE", .width = 9, .priority = 5 },
    [TENSORS_SHAPE] = { .title = "SHAPE", .width = 14 },
    [TENSORS_DTYPE] = { .title = "DTYPE", .width = 6, .priority = 4 },
    [TENSORS_SIZE] = { .title = "SIZE", .width = 8, .align = WB_ALIGN_RIGHT, .priority = 2 },
    [TENSORS_STD] = { .title = "STD", .width = 10, .align = WB_ALIGN_RIGHT, .priority = 3 },
    [TENSORS_ABSMAX] = { .title = "ABSMAX", .width = 9, .align = WB_ALIGN_RIGHT, .priority = 6 },
    [TENSORS_ZEROS] = { .title = "ZEROS", .width = 6, .align = WB_ALIGN_RIGHT, .priority = 7 },
    [TENSORS_ODD] = { .title = "FLAG", .width = 6, .align = WB_ALIGN_RIGHT, .priority = 1 },
};

/* Cells */

static void group_cell(const struct tensors *s, const struct tensors_row *r, int column,
                       struct wb_table_cell *cell)
{
    const struct wb_entry *e = wb_model_entry(s->model, r->entry);
    const struct tensors_row *next = r + 1;
    bool folded = next == s->row + s->table.rows || next->group;
    char name[64];

    cell->style = WB_STYLE_TITLE_DIM;
    if (column == TENSORS_NAME)
        snprintf(cell->text, sizeof cell->text, "%s %s", folded ? "+" : "-",
                 wb_tensors_group_name(e, name, sizeof name));
    else if (column == TENSORS_SHAPE)
        snprintf(cell->text, sizeof cell->text, "%zu tensors", r->members);
    else if (column == TENSORS_SIZE)
        wb_format_bytes(cell->text, sizeof cell->text, (double)r->bytes);
}

/* The name without what its group says already. */
static const char *short_name(const struct wb_entry *e)
{
    char number[20];
    const char *at = e->name;
    size_t n;

    if (e->role.layer < 0)
        return e->name;
    snprintf(number, sizeof number, "%d.", e->role.layer);
    n = strlen(number);
    while ((at = strstr(at, number)) != NULL) {
        if (at == e->name || at[-1] == '.')
            return at + n;
        at++;
    }
    return e->name;
}

static void stats_cell(const struct tensors *s, size_t entry, int column,
                       struct wb_table_cell *cell)
{
    const struct wb_weight_stats *w = &s->figures->stats[entry];
    uint8_t grade = s->figures->grade[entry];
    const char *about = grade == TENSORS_SAMPLED ? "~" : "";
    char number[30];

    if (grade == TENSORS_NONE) {
        cell->style = WB_STYLE_DIM;
        if (wb_dtype_computable(wb_node_dtype(wb_model_entry(s->model, entry)->node)))
            snprintf(cell->text, sizeof cell->text, "%s", column == TENSORS_ODD ? "" : "..");
        return;
    }
    if (column == TENSORS_STD)
        snprintf(cell->text, sizeof cell->text, "%s%s", about,
                 wb_number(number, sizeof number, w->std));
    else if (column == TENSORS_ABSMAX)
        snprintf(cell->text, sizeof cell->text, "%s%s", about,
                 wb_number(number, sizeof number, w->absmax));
    else if (column == TENSORS_ZEROS)
        wb_number_percent(cell->text, sizeof cell->text, w->sparsity);
    else if (w->nan > 0 || w->inf > 0)
        snprintf(cell->text, sizeof cell->text, "! %s", w->nan > 0 ? "NaN" : "Inf");
    else if (w->sparsity == 1)
        snprintf(cell->text, sizeof cell->text, "! zero");
    if (w->nan > 0 || w->inf > 0 || w->sparsity == 1)
        cell->style = WB_STYLE_ERROR;
}

void wb_tensors_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct tensors *s = user;
    const struct tensors_row *r = &s->row[row];
    const struct wb_entry *e = wb_model_entry(s->model, r->entry);
    enum wb_dtype dtype = wb_node_dtype(e->node);

    if (r->group) {
        group_cell(s, r, column, cell);
        return;
    }
    switch (column) {
    case TENSORS_NAME:
        snprintf(cell->text, sizeof cell->text, "%s%s", s->table.sort < 0 ? "  " : "",
                 s->table.sort < 0 ? short_name(e) : e->name);
        break;
    case TENSORS_ROLE:
        cell->longer = e->role.role;
        cell->style = WB_STYLE_DIM;
        break;
    case TENSORS_SHAPE:
        wb_shape_format(wb_node_shape(e->node), cell->text, sizeof cell->text);
        break;
    case TENSORS_DTYPE:
        snprintf(cell->text, sizeof cell->text, "%s", wb_dtype_name(dtype));
        break;
    case TENSORS_SIZE:
        wb_format_bytes(cell->text, sizeof cell->text,
                        (double)wb_node_count(e->node) * wb_dtype_bits(dtype) / 8);
        break;
    default:
        stats_cell(s, r->entry, column, cell);
        break;
    }
}

/* The detail pane */

static void draw_place(struct wb_canvas *cv, int row, const struct wb_entry *e)
{
    char shape[80], size[30];

    wb_canvas_printf(
        cv, row, 1, WB_STYLE_TEXT, "%s %s   %s   role %s%s%s",
        wb_dtype_name(wb_node_dtype(e->node)),
        wb_shape_format(wb_node_shape(e->node), shape, sizeof shape),
        wb_format_bytes(size, sizeof size,
                        (double)wb_node_count(e->node) * wb_dtype_bits(wb_node_dtype(e->node)) / 8),
        e->role.role, e->role.tied_to != NULL ? "   tied to " : "",
        e->role.tied_to != NULL ? e->role.tied_to : "");
}

static void draw_stats(struct wb_canvas *cv, int row, const struct wb_weight_stats *w,
                       const char *about)
{
    char mean[20], std[20], absmax[20], l2[20], zeros[20];

    wb_canvas_printf(cv, row, 1, WB_STYLE_TEXT, "%smean %s   sd %s   |max| %s", about,
                     wb_number(mean, sizeof mean, w->mean), wb_number(std, sizeof std, w->std),
                     wb_number(absmax, sizeof absmax, w->absmax));
    wb_canvas_printf(cv, row + 1, 1, WB_STYLE_TEXT, "%snorm %s   zeros %s", about,
                     wb_number(l2, sizeof l2, w->l2),
                     wb_number_percent(zeros, sizeof zeros, w->sparsity));
    if (w->nan > 0 || w->inf > 0)
        wb_canvas_printf(cv, row + 1, 34, WB_STYLE_ERROR, "! NaN %.0f   Inf %.0f", w->nan, w->inf);
    else
        wb_canvas_text(cv, row + 1, 34, WB_STYLE_DIM, "NaN 0   Inf 0");
}

static int draw_dead(struct wb_canvas *cv, int row, const char *what, const struct wb_dead *d)
{
    int col;

    if (d->count == 0)
        return row;
    col = 1 + wb_canvas_printf(cv, row, 1, WB_STYLE_ERROR, "! %" PRIu64 " dead %s%s:", d->count,
                               what, d->count == 1 ? "" : "s");
    for (size_t i = 0; i < d->listed && col < cv->cols - 8; i++)
        col += wb_canvas_printf(cv, row, col, WB_STYLE_ERROR, " %" PRIu64, d->first[i]);
    if (d->listed < d->count)
        wb_canvas_text(cv, row, cv->cols - 4, WB_STYLE_ERROR, " ...");
    return row + 1;
}

static void draw_histogram(const struct tensors *s, struct wb_canvas *cv)
{
    const struct wb_histogram *h = &s->close.histogram;
    uint64_t count[WB_HISTOGRAM_BINS_MAX];
    struct wb_histogram_chart chart = { .count = count,
                                        .bins = h->bins,
                                        .min = h->low,
                                        .max = h->high,
                                        .below = (uint64_t)h->below,
                                        .above = (uint64_t)h->above,
                                        .nan = (uint64_t)h->nan,
                                        .log = true };

    for (size_t i = 0; i < h->bins; i++)
        count[i] = (uint64_t)(h->bin[i] + 0.5);
    if (s->mode == TENSORS_LOG_HISTOGRAM) { /* bins of equal ratio: labelled by their powers of 2 */
        chart.min = log2(h->low);
        chart.max = log2(h->high);
    }
    wb_histogram_draw(cv, &chart);
}

static void draw_values(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct tensors *s = v->state;
    const struct wb_slice *at = &s->close.at;
    uint64_t columns = at->column_last - at->column_first;

    if (!s->close.slice_known) {
        wb_canvas_text(cv, 0, 1, WB_STYLE_DIM, "reading");
        return;
    }
    for (uint64_t c = 0; c < columns; c++)
        wb_canvas_printf(cv, 0, 8 + (int)c * VALUE_COLS, WB_STYLE_HEADER, "%*" PRIu64,
                         VALUE_COLS - 1, at->column_first + c);
    for (uint64_t r = 0; r < at->row_last - at->row_first && (int)r + 1 < cv->rows; r++) {
        wb_canvas_printf(cv, (int)r + 1, 1, WB_STYLE_HEADER, "%6" PRIu64, at->row_first + r);
        for (uint64_t c = 0; c < columns; c++) {
            double x = s->close.slice[r * columns + c];
            char text[30];

            wb_canvas_fit(cv, (int)r + 1, 8 + (int)c * VALUE_COLS, VALUE_COLS - 1, WB_ALIGN_RIGHT,
                          isfinite(x) ? WB_STYLE_TEXT : WB_STYLE_ERROR,
                          wb_number(text, sizeof text, x));
        }
    }
}

static void draw_close(const struct wb_view *v, struct wb_canvas *cv, int row)
{
    const struct tensors *s = v->state;
    const struct tensors_close *c = &s->close;
    struct wb_canvas rest;

    if (c->err.code != WB_OK && c->err.code != WB_ECANCELLED) {
        wb_canvas_printf(cv, row, 1, WB_STYLE_ERROR, "! %s", c->err.msg);
        return;
    }
    if (s->mode == TENSORS_VALUES) {
        rest = wb_canvas_sub(cv, row, 0, cv->rows - row, cv->cols);
        draw_values(v, &rest);
        return;
    }
    if (c->grade == TENSORS_NONE) {
        wb_canvas_text(cv, row, 1, WB_STYLE_DIM, "computing");
        return;
    }
    if (c->histogram.has_dead) {
        row = draw_dead(cv, row, "row", &c->histogram.row);
        row = draw_dead(cv, row, "column", &c->histogram.column);
    }
    wb_canvas_text(cv, row, 1, WB_STYLE_HEADER,
                   s->mode == TENSORS_LOG_HISTOGRAM ? "log2 of the magnitude" : "values");
    rest = wb_canvas_sub(cv, row + 1, 0, cv->rows - row - 1, cv->cols);
    draw_histogram(s, &rest);
}

static void draw_detail(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct tensors *s = v->state;
    size_t entry = wb_tensors_entry(s);
    const struct wb_entry *e;
    struct wb_canvas inner;

    if (s->model == NULL)
        return;
    if (entry == SIZE_MAX) {
        inner = wb_pane_begin(cv, "", s->pane == TENSORS_DETAIL);
        wb_canvas_text(&inner, 0, 1, WB_STYLE_DIM, "Enter folds and unfolds; z all of them");
        return;
    }
    e = wb_model_entry(s->model, entry);
    inner = wb_pane_begin(cv, e->name, s->pane == TENSORS_DETAIL);
    draw_place(&inner, 0, e);
    if (!wb_dtype_computable(wb_node_dtype(e->node))) {
        wb_canvas_text(&inner, 2, 1, WB_STYLE_DIM, "no numbers to compute with: passes through");
        return;
    }
    if (s->figures->grade[entry] != TENSORS_NONE)
        draw_stats(&inner, 1, &s->figures->stats[entry],
                   s->figures->grade[entry] == TENSORS_SAMPLED ? "~" : "");
    else
        wb_canvas_text(&inner, 1, 1, WB_STYLE_DIM, "computing");
    draw_close(v, &inner, 4);
}

int wb_tensors_list_cols(const struct wb_view *v)
{
    const struct tensors *s = v->state;

    if (v->cols >= DETAIL_COLS)
        return v->cols >= 160 ? v->cols - 70 : v->cols * 3 / 5;
    return s->pane == TENSORS_DETAIL ? 0 : v->cols;
}

void wb_tensors_slice_size(const struct wb_view *v, uint64_t *rows, uint64_t *columns)
{
    int width = v->cols - (v->cols >= DETAIL_COLS ? wb_tensors_list_cols(v) + 1 : 0);
    int high = v->rows - VALUES_FROM, wide = (width - 8) / VALUE_COLS;

    *rows = high > 0 ? (uint64_t)high : 1;
    *columns = wide > 0 ? (uint64_t)wide : 1;
}

void wb_tensors_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct tensors *s = v->state;
    struct wb_canvas list = *cv, detail = *cv;
    int cols = wb_tensors_list_cols(v);
    struct wb_table table = s->table;

    table.empty = s->model != NULL        ? "No tensor has such a name; F filters anew."
                  : v->desk->current != 0 ? "The model is being opened, or could not be."
                                          : "No model is open: screen 'Models' opens one.";
    if (cols > 0 && cols < cv->cols)
        wb_pane_split(cv, cols, &list, &detail);
    if (cols > 0)
        wb_table_draw(&table, &list, s->pane == TENSORS_LIST);
    if (cols < cv->cols)
        draw_detail(v, &detail);
}
