/* views/view_pipeline_map.c - the preview in detail: layer by role, layer by quantity, and what the
 * steps report. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/number.h"
#include "views/view_pipeline.h"

enum { FIGURE_COLS = 9, MOVE_COLS = 8 };

static const struct wb_preview_snapshot *figures(const struct wb_pipe *p)
{
    return &p->desk->doc->now_figures;
}

/* The quantity that is looked at */

static size_t find_metric(const struct wb_pipe *p)
{
    const struct wb_preview_snapshot *s = figures(p);

    for (size_t i = 0; i < s->quantities; i++)
        if (strcmp(s->quantity[i].key, p->metric_key) == 0 &&
            s->quantity[i].figure == p->metric.figure &&
            s->quantity[i].parent == p->metric.parent && s->quantity[i].step == p->metric.step)
            return i;
    return SIZE_MAX;
}

static void choose(struct wb_pipe *p, size_t q)
{
    snprintf(p->metric_key, sizeof p->metric_key, "%s", figures(p)->quantity[q].key);
    p->metric = figures(p)->quantity[q];
    p->metric.key = p->metric_key;
    p->metric.doc = "";
    p->heat.automatic = p->metric.low >= p->metric.high;
}

/* The one chosen before while it exists; else how much changed, where there is a base. */
static size_t metric(const struct wb_pipe *p)
{
    const struct wb_preview_snapshot *s = figures(p);
    size_t q = p->metric_key[0] == '\0' ? SIZE_MAX : find_metric(p);

    if (q == SIZE_MAX)
        q = wb_preview_find(s, WB_PREVIEW_relative_norm, -1);
    if (q == SIZE_MAX)
        q = wb_preview_find(s, WB_PREVIEW_norm, -1);
    return q;
}

/* Something to show: does the quantity have a value anywhere in the figures? */
static bool has_values(const struct wb_preview_snapshot *s, size_t q)
{
    for (size_t i = 0; i < s->rows; i++)
        if (!isnan(s->row_value[i * s->quantities + q]))
            return true;
    return false;
}

bool wb_pipe_next_metric(struct wb_pipe *p, int steps)
{
    const struct wb_preview_snapshot *s = figures(p);
    size_t n = s->quantities, q = metric(p);

    if (q == SIZE_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        q = (q + n + (size_t)(steps < 0 ? -1 : 1)) % n;
        if (has_values(s, q))
            break;
    }
    choose(p, q);
    return true;
}

bool wb_pipe_set_metric(struct wb_pipe *p, const char *key)
{
    const struct wb_preview_snapshot *s = figures(p);
    char label[100];

    for (size_t i = 0; i < s->quantities; i++)
        if (strcmp(s->quantity[i].key, key) == 0 ||
            strcmp(wb_pipe_label(label, sizeof label, p->desk->doc, &s->quantity[i]), key) == 0) {
            choose(p, i);
            return true;
        }
    return false;
}

/* Which rows and columns the map has */

static void name_row(const struct wb_preview_layer *row, char *out, size_t size)
{
    const char *blank = row->stack[0] == '\0' ? "" : " ";

    if (row->layer < 0)
        snprintf(out, size, "other");
    else
        snprintf(out, size, "%s%s%d", row->stack, blank, row->layer);
}

/* Layers, and the roles they have; a model without layers has what lies outside of them. */
static bool in_map(const struct wb_preview_snapshot *s, size_t row)
{
    return s->row[row].layer >= 0 || s->rows == 1;
}

static bool column_in_map(const struct wb_preview_snapshot *s, size_t column)
{
    for (size_t row = 0; row < s->rows; row++)
        if (in_map(s, row) && s->cell_grade[row * s->columns + column] != WB_GRADE_NONE)
            return true;
    return false;
}

/* While nothing is sampled yet no cell has a grade; the tensors tell which there are. */
static bool reserve(struct wb_pipe *p, const struct wb_preview_snapshot *s)
{
    free(p->cell);
    free(p->map_row);
    free(p->map_col);
    free(p->row_label);
    free(p->labels);
    p->cell = calloc(s->rows * s->columns + 1, sizeof *p->cell);
    p->map_row = calloc(s->rows + 1, sizeof *p->map_row);
    p->map_col = calloc(s->columns + 1, sizeof *p->map_col);
    p->row_label = calloc(s->rows + 1, sizeof *p->row_label);
    p->labels = calloc(s->rows + s->columns + 1, sizeof *p->labels);
    return p->cell != NULL && p->map_row != NULL && p->map_col != NULL && p->row_label != NULL &&
           p->labels != NULL;
}

static void choose_cells(struct wb_pipe *p, const struct wb_preview_snapshot *s)
{
    struct wb_heat *h = &p->heat;

    h->rows = h->cols = 0;
    for (size_t i = 0; i < s->rows; i++)
        if (in_map(s, i)) {
            name_row(&s->row[i], p->row_label[h->rows], sizeof p->row_label[0]);
            p->labels[h->rows] = p->row_label[h->rows];
            p->map_row[h->rows++] = i;
        }
    for (size_t i = 0; i < s->columns; i++)
        if (column_in_map(s, i)) {
            p->labels[h->rows + h->cols] = s->column[i];
            p->map_col[h->cols++] = i;
        }
    h->row_axis = (struct wb_heat_axis){ .label = p->labels };
    h->col_axis = (struct wb_heat_axis){ .label = p->labels + h->rows, .names = true };
    h->stretch = true;
    h->row = h->row < h->rows ? h->row : h->rows - 1;
    h->col = h->col < h->cols ? h->col : h->cols - 1;
    h->row = h->row < 0 && h->rows > 0 ? 0 : h->row;
    h->col = h->col < 0 && h->cols > 0 ? 0 : h->col;
}

static float cell_number(const struct wb_pipe *p, size_t q, size_t row, size_t column, bool moves)
{
    struct wb_pipe_figure f = wb_pipe_figure(p->desk->doc, q, WB_PIPE_CELL, row, column);
    double v = moves ? f.to - f.from : f.value;

    if (f.grade == WB_GRADE_NONE || (isnan(v) && (moves || isnan(f.value))))
        return wb_heat_missing();
    return (float)v;
}

static void fill_cells(struct wb_pipe *p, size_t q, bool moves)
{
    struct wb_heat *h = &p->heat;
    const struct wb_quantity *quantity = &figures(p)->quantity[q];
    bool natural = quantity->low < quantity->high;
    float most = 0;

    for (int r = 0; r < h->rows; r++)
        for (int c = 0; c < h->cols; c++) {
            float v = cell_number(p, q, p->map_row[r], p->map_col[c], moves);

            p->cell[r * h->cols + c] = v;
            most = !isnan(v) && fabsf(v) > most ? fabsf(v) : most;
        }
    h->value = p->cell;
    h->diverging = moves || quantity->low < 0;
    h->min = moves ? -most : natural ? (float)quantity->low : 0;
    h->max = moves || !natural ? most : (float)quantity->high;
}

/* The table by layer */

static void layer_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct wb_pipe *p = user;
    const struct wb_preview_snapshot *s = figures(p);
    size_t at = p->layer_order[row], q = column > 0 ? p->column_quantity[column - 1] : 0;
    struct wb_pipe_figure f;
    char value[40], change[40];

    if (column == 0) {
        name_row(&s->row[at], cell->text, sizeof cell->text);
        return;
    }
    f = wb_pipe_figure(p->desk->doc, q, WB_PIPE_ROW, at, 0);
    wb_pipe_value(value, sizeof value, &s->quantity[q], f.value);
    wb_pipe_change(change, sizeof change, &s->quantity[q], &f);
    snprintf(cell->text, sizeof cell->text, "%s%s %-*s", f.grade == WB_GRADE_SAMPLED ? "~" : "",
             value, MOVE_COLS - 1, change);
    cell->style = isnan(f.value) || p->desk->doc->stale ? WB_STYLE_DIM
                  : change[0] == '+'                    ? WB_STYLE_UP
                  : change[0] == '-'                    ? WB_STYLE_DOWN
                                                        : WB_STYLE_TEXT;
}

/* A column for each quantity that has values; when room is short, the one looked at stays. */
static void lay_out_layers(struct wb_pipe *p, const struct wb_preview_snapshot *s)
{
    size_t looked_at = metric(p);
    int n = 1;

    p->layer_column[0] = (struct wb_table_column){ .title = "LAYER", .width = 8 };
    for (size_t i = 0; i < s->quantities && n < WB_PIPE_COLUMNS_MAX; i++) {
        if (!has_values(s, i))
            continue;
        wb_pipe_short_label(p->layer_title[n], sizeof p->layer_title[n], p->desk->doc,
                            &s->quantity[i]);
        p->column_quantity[n - 1] = i;
        p->layer_column[n] = (struct wb_table_column){ .title = p->layer_title[n],
                                                       .width = FIGURE_COLS + MOVE_COLS,
                                                       .align = WB_ALIGN_RIGHT,
                                                       .priority = i == looked_at ? 0 : n };
        n++;
    }
    p->layers.columns = n;
}

/* Sorted by layer, or by a column with what is not known last. */
void wb_pipe_sort_layers(struct wb_pipe *p)
{
    const struct wb_preview_snapshot *s = figures(p);
    struct wb_table *t = &p->layers;
    size_t q = t->sort > 0 && t->sort < t->columns ? p->column_quantity[t->sort - 1] : 0;

    for (size_t i = 0; i < t->rows; i++)
        p->layer_order[i] = t->sort == 0 && t->reverse ? t->rows - 1 - i : i;
    if (t->sort <= 0)
        return;
    for (size_t i = 1; i < t->rows; i++) { /* insertion keeps the order of equals */
        size_t at = p->layer_order[i], to = i;
        double v = s->row_value[at * s->quantities + q];

        for (; to > 0; to--) {
            double other = s->row_value[p->layer_order[to - 1] * s->quantities + q];

            if (isnan(v) || !(isnan(other) || (t->reverse ? other < v : other > v)))
                break;
            p->layer_order[to] = p->layer_order[to - 1];
        }
        p->layer_order[to] = at;
    }
}

static void poll_layers(struct wb_pipe *p, const struct wb_preview_snapshot *s)
{
    size_t *order = realloc(p->layer_order, (s->rows + 1) * sizeof *order);

    if (order == NULL) {
        wb_table_set_rows(&p->layers, 0);
        return;
    }
    p->layer_order = order;
    p->layers.column = p->layer_column;
    p->layers.cell = layer_cell;
    p->layers.user = p;
    p->layers.empty = "no numbers yet";
    lay_out_layers(p, s);
    wb_table_set_rows(&p->layers, s->rows);
    wb_pipe_sort_layers(p);
}

/* The reports */

static const struct wb_table_column report_columns[] = {
    { .title = "FIGURE", .width = 20, .flex = 1 },
    { .title = "VALUE", .width = 11, .align = WB_ALIGN_RIGHT },
    { .title = "MOVED", .width = 9 },
    { .title = "STEP", .width = 16, .priority = 1 },
};

/* The quantity in a row of the reports: notes alone; SIZE_MAX: there is none. */
static size_t report_quantity(const struct wb_pipe *p, size_t row)
{
    const struct wb_preview_snapshot *s = figures(p);

    for (size_t i = 0; i < s->quantities; i++)
        if (s->quantity[i].figure < 0 && row-- == 0)
            return i;
    return SIZE_MAX;
}

static void report_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct wb_pipe *p = user;
    const struct wb_script *script = wb_doc_good(p->desk->doc);
    size_t i = report_quantity(p, row);
    const struct wb_quantity *q;
    struct wb_pipe_figure f;
    char value[40];

    if (i == SIZE_MAX)
        return;
    q = &figures(p)->quantity[i];
    f = wb_pipe_figure(p->desk->doc, i, WB_PIPE_TOTAL, 0, 0);
    if (column == 0) {
        snprintf(cell->text, sizeof cell->text, "%s", q->key);
    } else if (column == 1) {
        wb_pipe_value(value, sizeof value, q, f.value);
        snprintf(cell->text, sizeof cell->text, "%s%s", f.grade == WB_GRADE_SAMPLED ? "~" : "",
                 value);
    } else if (column == 2) {
        wb_pipe_change(cell->text, sizeof cell->text, q, &f);
        cell->style = cell->text[0] == '+'   ? WB_STYLE_UP
                      : cell->text[0] == '-' ? WB_STYLE_DOWN
                                             : WB_STYLE_DIM;
    } else if (script != NULL && q->step >= 0 && (size_t)q->step < script->steps) {
        snprintf(cell->text, sizeof cell->text, "%d %s", q->step + 1, script->step[q->step].method);
    }
}

static void poll_reports(struct wb_pipe *p, const struct wb_preview_snapshot *s)
{
    size_t rows = 0;

    for (size_t i = 0; i < s->quantities; i++)
        rows += s->quantity[i].figure < 0;
    p->reports.column = report_columns;
    p->reports.columns = 4;
    p->reports.cell = report_cell;
    p->reports.user = p;
    p->reports.sort = -1;
    p->reports.empty = "the steps report nothing";
    wb_table_set_rows(&p->reports, rows);
}

/* All of it */

void wb_pipe_map_poll(struct wb_pipe *p)
{
    const struct wb_preview_snapshot *s = figures(p);
    size_t q = metric(p);

    poll_layers(p, s);
    poll_reports(p, s);
    p->heat.rows = p->heat.cols = 0;
    if (q == SIZE_MAX || !reserve(p, s))
        return;
    choose_cells(p, s);
    fill_cells(p, q, wb_pipe_detail(p) == WB_PIPE_MOVES);
}

void wb_pipe_map_close(struct wb_pipe *p)
{
    free(p->cell);
    free(p->map_row);
    free(p->map_col);
    free(p->row_label);
    free(p->labels);
    free(p->layer_order);
}

static void map_title(const struct wb_pipe *p, char *out, size_t size)
{
    const struct wb_preview_snapshot *s = figures(p);
    size_t q = metric(p);
    char label[100];

    wb_pipe_label(label, sizeof label, p->desk->doc, &s->quantity[q]);
    snprintf(out, size, "%s%s by layer and role",
             wb_pipe_detail(p) == WB_PIPE_MOVES ? "how far it moved: " : "", label);
}

void wb_pipe_draw_map(const struct wb_pipe *p, struct wb_canvas *cv, bool focused)
{
    struct wb_heat h = p->heat;
    struct wb_canvas inner;
    char title[160];

    if (h.rows == 0 || h.cols == 0) {
        wb_canvas_text(cv, 0, 0, WB_STYLE_DIM, "no numbers by layer yet");
        return;
    }
    map_title(p, title, sizeof title);
    wb_canvas_fit(cv, 0, 0, cv->cols, WB_ALIGN_LEFT, WB_STYLE_HEADER, title);
    inner = wb_canvas_sub(cv, 1, 0, cv->rows - 1, cv->cols);
    if (!focused)
        h.row = h.col = -1;
    if (wb_pipe_detail(p) == WB_PIPE_MOVES && !(h.max > 0)) {
        wb_canvas_text(&inner, 0, 0, WB_STYLE_DIM,
                       p->desk->doc->before.grade == WB_GRADE_NONE
                           ? "nothing to compare with yet: turn a knob"
                           : "nothing moved");
        return;
    }
    wb_heat_draw(&inner, &h);
}

void wb_pipe_draw_layers(const struct wb_pipe *p, struct wb_canvas *cv, bool focused)
{
    wb_table_draw(&p->layers, cv, focused);
}

void wb_pipe_draw_reports(const struct wb_pipe *p, struct wb_canvas *cv, bool focused)
{
    wb_table_draw(&p->reports, cv, focused);
}

/* Under the cursor */

/* Row and column of the figures; column SIZE_MAX: a whole layer. */
static bool place(const struct wb_pipe *p, size_t *row, size_t *column)
{
    enum wb_pipe_mode mode = wb_pipe_detail(p);

    *column = SIZE_MAX;
    if (mode == WB_PIPE_LAYERS && p->layers.cursor < p->layers.rows) {
        *row = p->layer_order[p->layers.cursor];
        return true;
    }
    if ((mode != WB_PIPE_MAP && mode != WB_PIPE_MOVES) || p->heat.row < 0 || p->heat.col < 0 ||
        p->heat.rows == 0 || p->heat.cols == 0)
        return false;
    *row = p->map_row[p->heat.row];
    *column = p->map_col[p->heat.col];
    return true;
}

const char *wb_pipe_tensor(const struct wb_pipe *p)
{
    const struct wb_preview_snapshot *s = figures(p);
    size_t row, column;

    if (!place(p, &row, &column))
        return NULL;
    for (size_t i = 0; i < s->tensors; i++) {
        const struct wb_entry *e = s->tensor[i].entry;

        if (e->role.layer == s->row[row].layer &&
            (s->row[row].layer < 0 || strcmp(e->role.stack, s->row[row].stack) == 0) &&
            (column == SIZE_MAX || strcmp(e->role.role, s->column[column]) == 0))
            return e->name;
    }
    return NULL;
}

void wb_pipe_say_cell(const struct wb_pipe *p, struct wb_str *out)
{
    const struct wb_doc *d = p->desk->doc;
    const struct wb_preview_snapshot *s = figures(p);
    size_t row, column, q = metric(p);
    struct wb_pipe_figure f;
    char label[100], value[40], change[40], name[40];

    if (wb_pipe_detail(p) == WB_PIPE_SCORES) {
        wb_pipe_say_score(p, out);
        return;
    }
    if (q == SIZE_MAX || !place(p, &row, &column))
        return;
    f = wb_pipe_figure(d, q, column == SIZE_MAX ? WB_PIPE_ROW : WB_PIPE_CELL, row,
                       column == SIZE_MAX ? 0 : column);
    name_row(&s->row[row], name, sizeof name);
    wb_pipe_change(change, sizeof change, &s->quantity[q], &f);
    wb_str_printf(out, "layer %s%s%s: %s %s%s%s%s", name, column == SIZE_MAX ? "" : " ",
                  column == SIZE_MAX ? "" : s->column[column],
                  wb_pipe_label(label, sizeof label, d, &s->quantity[q]),
                  f.grade == WB_GRADE_SAMPLED ? "~" : "",
                  wb_pipe_value(value, sizeof value, &s->quantity[q], f.value),
                  change[0] == '\0' ? "" : "  ", change);
}
