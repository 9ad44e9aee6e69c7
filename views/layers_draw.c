/* views/layers_draw.c - the map, and what there is to say about the cell under the cursor. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/box.h"
#include "views/chart.h"
#include "views/number.h"
#include "views/view_layers.h"

#define DETAIL_COLS 100 /* from here on the detail stands beside the map, else below */
#define BELOW_ROWS 6    /* of the detail below: title and figures, the list beside them */
#define FIGURES 5       /* lines of figures; a pair has one more than the others */
#define FIGURE_COL 11
#define RANKED 3 /* nearest and farthest that are named */
#define RANKS_MAX WB_PAIRWISE_ITEMS_MAX
#define VALUE_COLS 12

const struct wb_table_column wb_layers_columns[LAYERS_LIST_COLUMNS] = {
    { .title = "IN THIS CELL", .width = 12, .flex = 1 },
    { .title = "VALUE", .width = VALUE_COLS, .align = WB_ALIGN_RIGHT },
};

/* ---- places ---- */

static int figures(const struct layers *s)
{
    return s->mode == LAYERS_PAIR ? FIGURES : FIGURES - 1;
}

struct layers_parts wb_layers_parts(const struct layers *s, int rows, int cols)
{
    struct layers_parts p = { { 0, 0, rows, cols }, { 0 }, { 0 } };

    if (s->map.rows == 0 || s->map.cols == 0)
        return p; /* the whole for a text */
    if (cols >= DETAIL_COLS) {
        p.map.cols = cols * 3 / 5;
        p.detail = (struct wb_rect){ 0, p.map.cols + 1, rows, cols - p.map.cols - 1 };
    } else if (s->on_detail) {
        p.detail = p.map;
        p.map.rows = 0;
    } else {
        p.map.rows = rows - BELOW_ROWS;
        p.detail = (struct wb_rect){ p.map.rows, 0, BELOW_ROWS, cols };
        p.list =
            (struct wb_rect){ p.map.rows + 1, cols / 2 + 1, BELOW_ROWS - 1, cols - cols / 2 - 1 };
        return p;
    }
    p.list = (struct wb_rect){ 2 + figures(s), p.detail.col, rows - 2 - figures(s), p.detail.cols };
    return p;
}

/* ---- the list ---- */

/* The name behind its layer, which the title tells: "self_attn.q_proj.weight". */
static const char *name_in_layer(const struct layers_line *l)
{
    char number[16];
    size_t n = (size_t)snprintf(number, sizeof number, ".%d.",
                                l->entry == NULL ? -1 : l->entry->role.layer);
    const char *at = l->entry == NULL || l->entry->role.layer < 0 ? NULL : strstr(l->name, number);

    return at == NULL ? l->name : at + n;
}

void wb_layers_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    static const char *const words[] = {
        [LAYERS_ONLY_A] = "other only",
        [LAYERS_ONLY_B] = "this only",
        [LAYERS_RESHAPED] = "! reshaped",
    };
    const struct layers *s = ((const struct wb_view *)user)->state;
    const struct layers_line *l = &s->map.line[row];

    if (column == 0) {
        cell->longer = name_in_layer(l);
        return;
    }
    if (l->kind == LAYERS_BOTH)
        wb_number(cell->text, sizeof cell->text, l->value);
    else
        snprintf(cell->text, sizeof cell->text, "%s", words[l->kind]);
    cell->style = l->kind == LAYERS_RESHAPED ? WB_STYLE_WARNING
                  : l->kind != LAYERS_BOTH   ? WB_STYLE_DIM
                  : isnan(l->value)          ? WB_STYLE_ERROR
                                             : WB_STYLE_NUMBER;
}

/* ---- figures ---- */

static const char *row_name(const struct layers *s, char *out, size_t size)
{
    const char *label = s->map.row_label[s->heat[s->mode].row];

    if (s->mode == LAYERS_MODELS)
        snprintf(out, size, "%s", label);
    else if (strcmp(label, "none") == 0)
        snprintf(out, size, "no layer");
    else
        snprintf(out, size, "layer %s", label);
    return out;
}

static const char *cell_name(const struct layers *s, char *out, size_t size)
{
    const char *col = s->map.col_label[s->heat[s->mode].col];
    char row[80];

    snprintf(out, size, "%s : %s%s", row_name(s, row, sizeof row),
             s->mode == LAYERS_WITHIN ? "layer " : "", col);
    return out;
}

static void draw_value(const struct layers *s, struct wb_canvas *cv, int row)
{
    const struct wb_heat *h = &s->heat[s->mode];
    double number = wb_layers_number(s, h->row, h->col);
    const struct wb_delta *sum = NULL;
    int col;

    wb_canvas_text(cv, row, 1, WB_STYLE_TEXT, "value");
    if (isnan(number)) {
        const char *words;

        if (wb_heat_is_blank(h->value[h->row * h->cols + h->col]))
            words = "no such tensor";
        else if (wb_heat_is_missing(h->value[h->row * h->cols + h->col]))
            words = s->mode == LAYERS_PAIR ? "not in both" : "nothing in common";
        else
            words = "NaN: one side is zero or not finite";
        wb_canvas_text(cv, row, FIGURE_COL, WB_STYLE_DIM, words);
        return;
    }
    col = FIGURE_COL + wb_canvas_printf(cv, row, FIGURE_COL, WB_STYLE_NUMBER, "%s%.9g",
                                        s->answer->grade == LAYERS_SAMPLED ? "~" : "", number);
    if (s->mode == LAYERS_PAIR)
        sum = &s->answer->cell[h->row * h->cols + h->col];
    if (sum != NULL && sum->v[WB_PAIR_SKIPPED] > 0)
        wb_canvas_printf(cv, row, col + 2, WB_STYLE_ERROR, "! %.0f pairs not finite",
                         sum->v[WB_PAIR_SKIPPED]);
}

/* n numbers from `first` on, each `step` further; `self` (or -1) is left out. */
static void draw_spark(const struct layers *s, struct wb_canvas *cv, int row, const char *name,
                       size_t first, size_t step, int n, int self)
{
    float value[RANKS_MAX];
    struct wb_spark spark = { .value = value };
    char low[20], high[20];
    float min, max;
    int cols = 0;

    for (; (int)spark.n < n && spark.n < RANKS_MAX; spark.n++) {
        value[spark.n] = (float)s->map.number[first + spark.n * step];
        if ((int)spark.n == self)
            value[spark.n] = NAN;
    }
    wb_canvas_fit(cv, row, 1, FIGURE_COL - 2, WB_ALIGN_LEFT, WB_STYLE_TEXT, name);
    if (!wb_spark_range(&spark, &min, &max))
        return;
    cols = wb_spark_draw(cv, row, FIGURE_COL, cv->cols - FIGURE_COL - 22, WB_STYLE_TEXT, &spark);
    wb_canvas_printf(cv, row, FIGURE_COL + cols + 1, WB_STYLE_DIM, "%s to %s",
                     wb_number(low, sizeof low, (double)min),
                     wb_number(high, sizeof high, (double)max));
}

static void draw_sparks(const struct layers *s, struct wb_canvas *cv, int *row)
{
    const struct wb_heat *h = &s->heat[s->mode];
    size_t cols = (size_t)h->cols;

    if (s->mode != LAYERS_PAIR) {
        draw_spark(s, cv, (*row)++, "row", (size_t)h->row * cols, 1, h->cols, h->row);
        return;
    }
    draw_spark(s, cv, (*row)++, "roles", (size_t)h->row * cols, 1, h->cols, -1);
    draw_spark(s, cv, (*row)++, "layers", (size_t)h->col, cols, h->rows, -1);
}

/* "6 .9731  8 .9688": some of the ranks, `by` to the next one. */
static void draw_ranks(const struct layers *s, struct wb_canvas *cv, int row, const char *name,
                       const int *place, int n, int by)
{
    const struct wb_heat *h = &s->heat[s->mode];
    int col = FIGURE_COL;

    wb_canvas_text(cv, row, 1, WB_STYLE_TEXT, name);
    for (int i = 0; i < n && col < cv->cols; i++, place += by) {
        const char *label =
            s->mode == LAYERS_PAIR ? s->map.row_label[*place] : s->map.col_label[*place];
        double number = s->mode == LAYERS_PAIR ? wb_layers_number(s, *place, h->col)
                                               : wb_layers_number(s, h->row, *place);
        char text[20], cell[120];

        snprintf(cell, sizeof cell, "%.60s %s", label, wb_number(text, sizeof text, number));
        if (i > 0 && col + wb_text_width(cell) > cv->cols)
            break;
        col += wb_canvas_text(cv, row, col, WB_STYLE_NUMBER, cell) + 2;
    }
    if (n == 0)
        wb_canvas_text(cv, row, col, WB_STYLE_DIM, "--");
}

static void draw_figures(const struct layers *s, struct wb_canvas *cv)
{
    int place[RANKS_MAX], n = wb_layers_rank(s, place, RANKS_MAX), row = 0;
    int near = n < RANKED ? n : RANKED, far = n - near < RANKED ? n - near : RANKED;

    draw_value(s, cv, row++);
    draw_sparks(s, cv, &row);
    draw_ranks(s, cv, row++, "nearest", place, near, 1);
    draw_ranks(s, cv, row, "farthest", place + (n > 0 ? n - 1 : 0), far, -1);
}

static void draw_detail(const struct wb_view *v, struct wb_canvas *cv,
                        const struct layers_parts *parts)
{
    const struct layers *s = v->state;
    struct wb_canvas detail = wb_rect_window(cv, &parts->detail);
    struct wb_canvas list = wb_rect_window(cv, &parts->list), inner;
    char title[200];

    cell_name(s, title, sizeof title);
    inner = wb_pane_begin(&detail, title, s->on_detail);
    if (parts->list.col > parts->detail.col) /* beside the figures */
        inner.cols = parts->list.col - parts->detail.col - 1;
    draw_figures(s, &inner);
    wb_table_draw(&s->list, &list, s->on_detail);
}

/* ---- the map ---- */

const char *wb_layers_grade(const struct layers *s, char *out, size_t size)
{
    double done = wb_layers_done(s);

    if (s->answer == NULL)
        out[0] = '\0';
    else if (s->answer->grade == LAYERS_EXACT)
        snprintf(out, size, "exact");
    else if (!isnan(done))
        snprintf(out, size, "~ sampled, exact %.0f %%", done * 100);
    else if (s->err.code != WB_OK)
        snprintf(out, size, "~ sampled ! c tries again");
    else
        snprintf(out, size, "~ sampled, c for exact");
    return out;
}

/* Why there is no map, and what to do about it. */
static const char *empty_text(const struct wb_view *v, char *out, size_t size)
{
    const struct layers *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, v->desk->current);

    if (m == NULL)
        snprintf(out, size,
                 "No model is open. :open PATH opens one; of two it shows here how they "
                 "differ.");
    else if (m->model == NULL && m->opening)
        snprintf(out, size, "opening %s", m->name);
    else if (m->model == NULL)
        snprintf(out, size, "%s could not be opened. M goes to the next model.", m->name);
    else if (s->mode == LAYERS_MODELS)
        snprintf(out, size,
                 "Models are compared with each other when two or more are open: :open "
                 "PATH.");
    else
        snprintf(out, size,
                 "There is no model to compare %s with. :open PATH opens one; m shows "
                 "its own layers.",
                 m->name);
    return out;
}

static void draw_text(struct wb_canvas *cv, int row, enum wb_style style, const char *text)
{
    char line[200];

    /* by words: messages are one or two lines long */
    for (size_t from = 0, n = strlen(text); from < n && row < cv->rows; row++) {
        size_t room = cv->cols > 4 ? (size_t)cv->cols - 4 : 1, len = n - from;

        room = room < sizeof line ? room : sizeof line - 1;
        if (len > room)
            for (len = room; len > 0 && text[from + len] != ' ';)
                len--;
        len = len == 0 ? room : len;
        snprintf(line, sizeof line, "%.*s", (int)len, text + from);
        wb_canvas_text(cv, row, 2, style, line);
        from += len + strspn(text + from + len, " ");
    }
}

static void draw_no_map(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct layers *s = v->state;
    double done = wb_layers_done(s);
    char text[sizeof s->err.msg + 40];

    if (s->question.models == 0) {
        draw_text(cv, 1, WB_STYLE_DIM, empty_text(v, text, sizeof text));
    } else if (!isnan(done)) {
        snprintf(text, sizeof text, "computing %.0f %%", done * 100);
        wb_canvas_text(cv, 1, 2, WB_STYLE_DIM, text);
        wb_progress_draw(cv, 2, 2, cv->cols > 64 ? 60 : cv->cols - 4, done);
    } else if (s->err.code != WB_OK) {
        snprintf(text, sizeof text, "! %s  (c tries again)", s->err.msg);
        draw_text(cv, 1, WB_STYLE_ERROR, text);
    } else if (s->answer == NULL) {
        draw_text(cv, 1, WB_STYLE_DIM, "Cancelled. c computes it after all.");
    } else {
        draw_text(cv, 1, WB_STYLE_DIM,
                  s->mode == LAYERS_WITHIN ? "This model has no layers, as far as its names tell."
                                           : "They have no tensors of one name and shape.");
    }
}

static void draw_map(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct layers *s = v->state;
    char title[300], what[200], note[60];
    struct wb_canvas inner;
    int cols;

    wb_layers_title(v, what, sizeof what);
    cols = snprintf(title, sizeof title, "%s", what);
    if (s->question.models > 0)
        snprintf(title + cols, sizeof title - (size_t)cols, "   %s",
                 wb_layers_what(v, what, sizeof what));
    inner = wb_pane_begin(cv, title, !s->on_detail);
    wb_pane_note(cv, title, wb_layers_grade(s, note, sizeof note));
    if (s->map.rows > 0 && s->map.cols > 0)
        wb_heat_draw(&inner, &s->heat[s->mode]);
    else
        draw_no_map(v, &inner);
}

void wb_layers_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct layers *s = v->state;
    struct layers_parts parts;
    struct wb_canvas map;

    if (s->on_states) {
        wb_states_pane_draw(v, &s->states, cv);
        return;
    }
    parts = wb_layers_parts(s, cv->rows, cv->cols);
    map = wb_rect_window(cv, &parts.map);
    if (map.rows > 0)
        draw_map(v, &map);
    if (parts.detail.rows > 0)
        draw_detail(v, cv, &parts);
    if (parts.detail.col > parts.map.cols)
        wb_canvas_vline(cv, 0, parts.map.cols, cv->rows);
    else if (parts.list.col > parts.detail.col)
        wb_canvas_vline(cv, parts.list.row, parts.list.col - 1, parts.list.rows);
}
