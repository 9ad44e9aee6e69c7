/* views/heads_draw.c - the map of heads, their list, a pattern, and all statistics of one head. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/box.h"
#include "views/chart.h"
#include "views/number.h"
#include "views/view_heads.h"

#define SIDE_FROM 100 /* columns from which the statistics stand beside the map, else below */
#define SIDE_COLS 46
#define BELOW_ROWS 8
#define NAME_COLS 18
#define TOP_KEYS 8

const struct wb_table_column wb_headview_stats_columns[HEADS_STATS_COLUMNS] = {
    { .title = "STATISTIC", .width = NAME_COLS },
    { .title = "THIS HEAD", .width = WB_NUMBER_WIDTH, .align = WB_ALIGN_RIGHT },
    { .title = "WHAT", .width = 30, .flex = 1, .priority = 1 },
};

const struct wb_table_column wb_headview_list_columns[HEADS_LIST_COLUMNS] = {
    { .title = "HEAD", .width = 7 },
    { .title = "VALUE", .width = WB_NUMBER_WIDTH, .align = WB_ALIGN_RIGHT },
    { .title = "ENTROPY", .width = WB_NUMBER_WIDTH, .align = WB_ALIGN_RIGHT, .priority = 2 },
    { .title = "PREVIOUS", .width = WB_NUMBER_WIDTH, .align = WB_ALIGN_RIGHT, .priority = 3 },
    { .title = "INDUCTION", .width = WB_NUMBER_WIDTH, .align = WB_ALIGN_RIGHT, .priority = 3 },
    { .title = "ROLES", .width = 12, .flex = 1 },
};

static const char *const part_names[HEADS_PARTS] = {
    [HEADS_TEXT] = "on the text",
    [HEADS_WEIGHTS] = "weights",
    [HEADS_REPEATED] = "random tokens",
    [HEADS_RETRIEVAL] = "needles",
    [HEADS_COMPOSITION] = "pairs of layers",
    [HEADS_ABLATION] = "without each head",
};

/* ---- places ---- */

struct heads_parts wb_headview_layout(const struct heads *s, int rows, int cols)
{
    struct heads_parts p = { { 0, 0, rows, cols }, { 0 } };

    if (s->heat.rows == 0 || s->mode == HEADS_PATTERN)
        return p;
    if (cols >= SIDE_FROM) {
        int side = cols >= 160 ? cols / 2 : SIDE_COLS;

        p.main.cols = cols - side - 1;
        p.stats = (struct wb_rect){ 0, p.main.cols + 1, rows, side };
    } else if (s->on_list) {
        p.stats = p.main;
        p.main.rows = 0;
    } else {
        p.main.rows = rows - BELOW_ROWS;
        p.stats = (struct wb_rect){ p.main.rows, 0, BELOW_ROWS, cols };
    }
    return p;
}

/* ---- tables ---- */

/* "not computed" differs from a number that does not exist. */
static void number_cell(const struct heads *s, int stat, int layer, int head,
                        struct wb_table_cell *cell)
{
    double x = wb_headview_number(s, stat, layer, head);
    unsigned part = 1U << wb_headview_part_of(stat);

    if (!isnan(x)) {
        wb_number(cell->text, sizeof cell->text, x);
        cell->style = WB_STYLE_NUMBER;
    } else {
        snprintf(cell->text, sizeof cell->text, "%s",
                 (s->answer->failed & part) != 0 ? "!"
                 : (s->answer->done & part) != 0 ? "--"
                                                 : "x");
        cell->style = (s->answer->failed & part) != 0 ? WB_STYLE_WARNING : WB_STYLE_DIM;
    }
}

void wb_headview_stats_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct heads *s = ((const struct wb_view *)user)->state;

    if (column == 0)
        snprintf(cell->text, sizeof cell->text, "%s", wb_headview_stat_name((int)row));
    else if (column == 1)
        number_cell(s, (int)row, s->heat.row, s->heat.col, cell);
    else {
        cell->longer = wb_headview_stat_doc((int)row);
        cell->style = WB_STYLE_DIM;
    }
}

void wb_headview_list_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    static const int stat[HEADS_LIST_COLUMNS] = {
        0, 0, WB_HEAD_entropy, WB_HEAD_previous, WB_HEAD_induction, 0
    };
    const struct heads *s = ((const struct wb_view *)user)->state;
    int layer = s->place[row] / s->answer->heads, head = s->place[row] % s->answer->heads;

    if (column == 0)
        snprintf(cell->text, sizeof cell->text, "%d.%d", layer, head);
    else if (column == HEADS_LIST_COLUMNS - 1)
        wb_headview_roles(s, layer, head, cell->text, sizeof cell->text);
    else
        number_cell(s, column == 1 ? s->stat : stat[column], layer, head, cell);
}

/* ---- words ---- */

const char *wb_headview_progress(const struct heads *s, char *out, size_t size)
{
    enum heads_part part;
    double share;

    out[0] = '\0';
    if (s->task == NULL) {
        if (s->stopped)
            snprintf(out, size, "stopped, c goes on");
        return out;
    }
    pthread_mutex_lock(&s->work->lock);
    part = s->work->part;
    share = s->work->share;
    pthread_mutex_unlock(&s->work->lock);
    if (isnan(share))
        snprintf(out, size, "~ %s ...", part_names[part]);
    else
        snprintf(out, size, "~ %s %.0f %%", part_names[part], share * 100);
    return out;
}

/* Why there is nothing, and what to do about it. */
static void draw_nothing(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct heads *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, v->desk->current);
    struct wb_canvas inner = wb_canvas_sub(cv, 1, 2, cv->rows - 1, cv->cols - 4);
    char text[sizeof s->err.msg + 60], note[60];

    if (m == NULL)
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_DIM,
                       "No model is open. :open PATH opens one, whose attention heads are shown "
                       "here.");
    else if (m->model == NULL) {
        snprintf(text, sizeof text, m->opening ? "opening %s" : "%s could not be opened.", m->name);
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_DIM, text);
    } else if (s->err.code != WB_OK) {
        snprintf(text, sizeof text, "! %s  (c tries again)", s->err.msg);
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_ERROR, text);
    } else {
        wb_headview_progress(s, note, sizeof note);
        snprintf(text, sizeof text, "%s: %s", m->name, note[0] == '\0' ? "nothing yet" : note);
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_DIM, text);
    }
}

/* What the statistic shown lacks, when all of its numbers do. */
static const char *lack(const struct heads *s, char *out, size_t size)
{
    enum heads_part part = wb_headview_part_of(s->stat);

    out[0] = '\0';
    if ((s->answer->failed >> part & 1) != 0)
        snprintf(out, size, "! %s", s->answer->why[part]);
    else if ((s->answer->done >> part & 1) == 0 && part >= HEADS_COMPOSITION && s->task == NULL)
        snprintf(out, size, "not computed: c does it (slow on large models)");
    return out;
}

/* ---- panes ---- */

static void draw_main(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct heads *s = v->state;
    char title[400], note[80], why[260];
    struct wb_canvas inner;

    snprintf(title, sizeof title, "%s: %s", wb_headview_stat_name(s->stat),
             wb_headview_stat_doc(s->stat));
    inner = wb_pane_begin(cv, title, !s->on_list);
    wb_pane_note(cv, title, wb_headview_progress(s, note, sizeof note));
    wb_canvas_printf(&inner, 0, 1, WB_STYLE_DIM, "%s, %zu positions%s",
                     wb_subject_name(&s->answer->choice, s->answer->images), s->answer->positions,
                     s->answer->nonfinite ? "   ! not finite" : "");
    if (lack(s, why, sizeof why)[0] != '\0')
        wb_canvas_text(&inner, 1, 1, WB_STYLE_WARNING, why);
    inner = wb_canvas_sub(&inner, 2, 0, inner.rows - 2, inner.cols);
    if (s->mode == HEADS_LIST)
        wb_table_draw(&s->list, &inner, !s->on_list);
    else
        wb_heat_draw(&inner, &s->heat);
}

static void draw_stats(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct heads *s = v->state;
    char title[200], roles[100];
    struct wb_canvas inner;

    wb_headview_roles(s, s->heat.row, s->heat.col, roles, sizeof roles);
    snprintf(title, sizeof title, "layer %d head %d%s%s", s->heat.row, s->heat.col,
             roles[0] == '\0' ? "" : ": ", roles);
    inner = wb_pane_begin(cv, title, s->on_list);
    wb_table_draw(&s->stats, &inner, s->on_list);
}

/* The keys that the query under the cursor attends to most. */
static void draw_top(const struct heads *s, struct wb_canvas *cv, int row)
{
    const struct heads_pattern *p = &s->pattern;
    const float *weight = p->weight + (size_t)s->pattern_heat.row * p->n;
    bool taken[512] = { false };
    int col = 1;

    col +=
        wb_canvas_printf(cv, row, col, WB_STYLE_TEXT, "%s looks at", p->label[s->pattern_heat.row]);
    for (int k = 0; k < TOP_KEYS; k++) {
        size_t best = p->n;
        char text[20], cell[100];

        for (size_t i = 0; i < p->n && i < sizeof taken; i++)
            if (!taken[i] && !isnan(weight[i]) && (best == p->n || weight[i] > weight[best]))
                best = i;
        if (best == p->n)
            break;
        taken[best] = true;
        snprintf(cell, sizeof cell, "%.40s %s", p->label[best],
                 wb_number_percent(text, sizeof text, (double)weight[best]));
        if (col + 2 + wb_text_width(cell) > cv->cols)
            break;
        col += 2 + wb_canvas_text(cv, row, col + 2, WB_STYLE_NUMBER, cell);
    }
}

static void draw_pattern(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct heads *s = v->state;
    char title[200], roles[100];
    struct wb_canvas inner, map;

    wb_headview_roles(s, s->heat.row, s->heat.col, roles, sizeof roles);
    snprintf(title, sizeof title, "what layer %d head %d attends to%s%s%s", s->heat.row,
             s->heat.col, roles[0] == '\0' ? "" : " (", roles, roles[0] == '\0' ? "" : ")");
    inner = wb_pane_begin(cv, title, true);
    wb_pane_note(cv, title, s->pattern_task != NULL ? "~ computing" : "");
    wb_canvas_printf(&inner, 0, 1, WB_STYLE_DIM, "%s", s->text);
    if (s->pattern_err.code != WB_OK) {
        map = wb_canvas_sub(&inner, 2, 1, inner.rows - 2, inner.cols - 2);
        wb_canvas_wrap(&map, 0, 0, WB_STYLE_ERROR, s->pattern_err.msg);
        return;
    }
    if (s->pattern.n == 0)
        return;
    draw_top(s, &inner, 1);
    map = wb_canvas_sub(&inner, 2, 0, inner.rows - 2, inner.cols);
    wb_heat_draw(&map, &s->pattern_heat);
}

void wb_headview_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct heads *s = v->state;
    struct heads_parts parts = wb_headview_layout(s, cv->rows, cv->cols);
    struct wb_canvas main = wb_rect_window(cv, &parts.main),
                     stats = wb_rect_window(cv, &parts.stats);

    if (s->heat.rows == 0) {
        draw_nothing(v, &main);
        return;
    }
    if (s->mode == HEADS_PATTERN) {
        draw_pattern(v, &main);
        return;
    }
    if (parts.main.rows > 0)
        draw_main(v, &main);
    if (parts.stats.rows > 0)
        draw_stats(v, &stats);
    if (parts.stats.col > parts.main.cols)
        wb_canvas_vline(cv, 0, parts.main.cols, cv->rows);
}
