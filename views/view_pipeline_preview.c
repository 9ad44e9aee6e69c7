/* views/view_pipeline_preview.c - the preview: totals, parents, sparklines, problems; the strip
 * that stands for it in a narrow window. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/chart.h"
#include "views/number.h"
#include "views/view_pipeline.h"

enum {
    LABEL_COLS = 15,
    VALUE_COLS = 9,
    CHANGE_COLS = 8,
    DETAIL_ROWS_MIN = 9,
    REPORT_ROWS_MIN = 6,
    LEFT_COLS = 36,
    SIDE_COLS = 76,   /* from here on totals and sparklines stand side by side */
    DETAIL_COLS = 104 /* from here on summary and detail do */
};

static const struct wb_preview_snapshot *figures(const struct wb_pipe *p)
{
    return &p->desk->doc->now_figures;
}

static size_t parents_shown(const struct wb_preview_snapshot *s)
{
    size_t n = 0;

    while (wb_preview_find(s, WB_PREVIEW_cosine, (int)n) != SIZE_MAX)
        n++;
    return n;
}

/* Totals */

static const enum wb_preview_figure totals[] = {
    WB_PREVIEW_delta_norm, WB_PREVIEW_relative_norm,  WB_PREVIEW_changed_share,
    WB_PREVIEW_norm,       WB_PREVIEW_conflict_share, WB_PREVIEW_zero_share,
};
enum { TOTALS = sizeof totals / sizeof totals[0], FACT_ROWS = 3 };

static void draw_facts(const struct wb_pipe *p, struct wb_canvas *cv)
{
    const struct wb_preview_facts *f = &figures(p)->facts, *was = &p->desk->doc->before.facts;
    enum wb_style style = p->desk->doc->stale ? WB_STYLE_DIM : WB_STYLE_TEXT;
    bool compared = p->desk->doc->before.grade != WB_GRADE_NONE;
    char parameters[30], bytes[30], more[40] = "", change[30];
    double moved = (double)f->parameters - (double)was->parameters;

    wb_format_count(parameters, sizeof parameters, (double)f->parameters);
    wb_format_bytes(bytes, sizeof bytes, (double)f->bytes);
    if (compared && moved != 0)
        snprintf(more, sizeof more, " (%c%s)", moved < 0 ? '-' : '+',
                 wb_format_count(change, sizeof change, fabs(moved)));
    wb_canvas_printf(cv, 0, 0, style, "%s parameters%s   %s   %d layers", parameters, more, bytes,
                     f->layers);
    wb_canvas_printf(cv, 1, 0, style, "%zu tensors: %zu changed", f->tensors, f->changed);
    if (f->added + f->removed + f->reshaped > 0)
        wb_canvas_printf(cv, 1, 34, style, "+%zu -%zu, %zu reshaped", f->added, f->removed,
                         f->reshaped);
}

/* Gives the row after it: the same one when there is no such figure. */
static int draw_total(const struct wb_pipe *p, struct wb_canvas *cv, int row,
                      enum wb_preview_figure figure)
{
    const struct wb_preview_snapshot *s = figures(p);
    size_t q = wb_preview_find(s, figure, -1);
    struct wb_pipe_figure f;
    char label[100];

    if (q == SIZE_MAX)
        return row;
    f = wb_pipe_figure(p->desk->doc, q, WB_PIPE_TOTAL, 0, 0);
    wb_canvas_fit(cv, row, 0, LABEL_COLS, WB_ALIGN_LEFT, WB_STYLE_DIM,
                  wb_pipe_label(label, sizeof label, p->desk->doc, &s->quantity[q]));
    wb_pipe_draw_figure(cv, row, LABEL_COLS, VALUE_COLS, CHANGE_COLS, p->desk->doc, &s->quantity[q],
                        &f);
    return row + 1;
}

/* NaN and Inf stand out once there are any. */
static void draw_broken(const struct wb_pipe *p, struct wb_canvas *cv, int row, int col)
{
    static const enum wb_preview_figure broken[] = { WB_PREVIEW_nan, WB_PREVIEW_inf };
    const struct wb_preview_snapshot *s = figures(p);

    for (int i = 0; i < 2; i++) {
        size_t q = wb_preview_find(s, broken[i], -1);
        char value[40];
        double count;

        if (q == SIZE_MAX)
            continue;
        count = s->total_value[q];
        wb_pipe_value(value, sizeof value, &s->quantity[q], count);
        col += wb_canvas_printf(cv, row, col, count > 0 ? WB_STYLE_ERROR : WB_STYLE_DIM,
                                "%s%s %s  ", count > 0 ? "! " : "", i == 0 ? "NaN" : "Inf", value);
    }
}

static int draw_totals(const struct wb_pipe *p, struct wb_canvas *cv)
{
    int row = FACT_ROWS;

    draw_facts(p, cv);
    for (int i = 0; i < TOTALS; i++)
        row = draw_total(p, cv, row, totals[i]);
    wb_canvas_text(cv, row, 0, WB_STYLE_DIM, "not finite");
    draw_broken(p, cv, row, LABEL_COLS);
    return row + 1;
}

/* Parents */

enum {
    PARENT_VALUE_COLS = 7,
    PARENT_CHANGE_COLS = 8,
    PARENT_COLS = PARENT_VALUE_COLS + 1 + PARENT_CHANGE_COLS
};

static void draw_parent(const struct wb_pipe *p, struct wb_canvas *cv, int row, int parent,
                        const char *name, int name_cols)
{
    static const enum wb_preview_figure column[] = { WB_PREVIEW_cosine, WB_PREVIEW_delta_cosine,
                                                     WB_PREVIEW_sign_agreement };
    const struct wb_preview_snapshot *s = figures(p);

    wb_canvas_fit(cv, row, 0, name_cols, WB_ALIGN_LEFT, WB_STYLE_TEXT, name);
    for (int i = 0; i < 3; i++) {
        size_t q = wb_preview_find(s, column[i], parent);
        struct wb_pipe_figure f;

        if (q == SIZE_MAX)
            continue;
        f = wb_pipe_figure(p->desk->doc, q, WB_PIPE_TOTAL, 0, 0);
        wb_pipe_draw_figure(cv, row, name_cols + i * PARENT_COLS, PARENT_VALUE_COLS,
                            PARENT_CHANGE_COLS, p->desk->doc, &s->quantity[q], &f);
    }
}

static int draw_parents(const struct wb_pipe *p, struct wb_canvas *cv, int row)
{
    static const char *const title[] = { "COSINE", "DELTA", "SIGNS" };
    struct wb_model *base, *parent[WB_DOC_PARENTS_MAX];
    const char *name[WB_DOC_PARENTS_MAX];
    size_t n = wb_doc_parents(p->desk->doc, &base, parent, name, WB_DOC_PARENTS_MAX);
    int name_cols = 7;

    if (n == 0 || parents_shown(figures(p)) == 0)
        return row;
    for (size_t i = 0; i < n; i++) {
        int width = wb_text_width(name[i]) + 1;

        name_cols = width > name_cols ? width : name_cols;
    }
    name_cols = name_cols > 14 ? 14 : name_cols;
    wb_canvas_fill(cv, row, 0, 1, cv->cols, WB_STYLE_HEADER, ' ');
    wb_canvas_text(cv, row, 0, WB_STYLE_HEADER, "PARENT");
    for (int i = 0; i < 3; i++)
        wb_canvas_fit(cv, row, name_cols + i * PARENT_COLS, PARENT_VALUE_COLS, WB_ALIGN_RIGHT,
                      WB_STYLE_HEADER, title[i]);
    row++;
    for (size_t i = 0; i < n; i++)
        draw_parent(p, cv, row++, (int)i, name[i], name_cols);
    return row + 1;
}

/* Sparklines over the layers */

enum { SPARK_COL = 13, SPARK_COLS_MIN = 8, RANGE_COLS = 20 };

static void draw_spark(const struct wb_pipe *p, struct wb_canvas *cv, int row, size_t q)
{
    const struct wb_preview_snapshot *s = figures(p);
    const struct wb_quantity *quantity = &s->quantity[q];
    float *value = calloc(s->rows + 1, sizeof *value), low, high;
    struct wb_spark spark = { .value = value, .from_min = true };
    enum wb_style style = p->desk->doc->stale ? WB_STYLE_DIM : WB_STYLE_BAR;
    char label[100], from[40], to[40];
    int cols = cv->cols - SPARK_COL - RANGE_COLS, at;

    if (value == NULL)
        return;
    for (size_t i = 0; i < s->rows; i++)
        if (s->row[i].layer >= 0)
            value[spark.n++] = (float)s->row_value[i * s->quantities + q];
    wb_canvas_fit(cv, row, 0, SPARK_COL - 1, WB_ALIGN_LEFT, WB_STYLE_DIM,
                  wb_pipe_short_label(label, sizeof label, p->desk->doc, quantity));
    if (wb_spark_range(&spark, &low, &high)) {
        cols = cols < SPARK_COLS_MIN ? SPARK_COLS_MIN : cols;
        at = SPARK_COL + wb_spark_draw(cv, row, SPARK_COL, cols, style, &spark);
        wb_canvas_printf(cv, row, at + 2, WB_STYLE_DIM, "%s to %s",
                         wb_pipe_value(from, sizeof from, quantity, (double)low),
                         wb_pipe_value(to, sizeof to, quantity, (double)high));
    }
    free(value);
}

static bool has_layers(const struct wb_preview_snapshot *s)
{
    return s->rows > 0 && s->row[0].layer >= 0;
}

/* What stands in sparkline i; SIZE_MAX behind the last. */
static size_t spark_quantity(const struct wb_preview_snapshot *s, size_t i)
{
    size_t q = wb_preview_find(s,
                               i == 0   ? WB_PREVIEW_relative_norm
                               : i == 1 ? WB_PREVIEW_conflict_share
                                        : WB_PREVIEW_cosine,
                               i < 2 ? -1 : (int)i - 2);

    return q;
}

static size_t sparks(const struct wb_preview_snapshot *s)
{
    return has_layers(s) ? 2 + parents_shown(s) : 0;
}

static int draw_sparks(const struct wb_pipe *p, struct wb_canvas *cv, int row)
{
    const struct wb_preview_snapshot *s = figures(p);

    if (!has_layers(s))
        return row;
    wb_canvas_fit(cv, row++, 0, cv->cols, WB_ALIGN_LEFT, WB_STYLE_HEADER, "BY LAYER");
    for (size_t i = 0; i < sparks(s); i++)
        if (spark_quantity(s, i) != SIZE_MAX)
            draw_spark(p, cv, row++, spark_quantity(s, i));
    return row;
}

/* How many rows the summary would take. */
static int summary_rows(const struct wb_pipe *p, int cols)
{
    const struct wb_preview_snapshot *s = figures(p);
    int a = FACT_ROWS + TOTALS + 1, parents = (int)parents_shown(s);
    int table = parents > 0 ? parents + 1 : 0, b = has_layers(s) ? 1 + (int)sparks(s) : 0;

    if (cols < SIDE_COLS)
        return a + (table > 0 ? 1 + table : 0) + (b > 0 ? 1 + b : 0);
    return (a > FACT_ROWS + b ? a : FACT_ROWS + b) + (table > 0 ? 1 + table : 0);
}

static void draw_summary(const struct wb_pipe *p, struct wb_canvas *cv)
{
    struct wb_canvas left, right;
    int row, beside;

    if (cv->cols < SIDE_COLS) {
        row = draw_parents(p, cv, draw_totals(p, cv) + 1);
        draw_sparks(p, cv, row);
        return;
    }
    left = wb_canvas_sub(cv, 0, 0, cv->rows, LEFT_COLS);
    right = wb_canvas_sub(cv, 0, LEFT_COLS + 2, cv->rows, cv->cols - LEFT_COLS - 2);
    row = draw_totals(p, &left);
    draw_facts(p, cv); /* over the full width */
    beside = draw_sparks(p, &right, FACT_ROWS);
    draw_parents(p, cv, (row > beside ? row : beside) + 1);
}

/* Problems: what the script, its steps and the dry run say, errors first */

static void say_problem(struct wb_canvas *cv, int row, bool error, int line, const char *text)
{
    enum wb_style style = error ? WB_STYLE_ERROR : WB_STYLE_WARNING;
    struct wb_str shown = { 0 };
    int col = 2;

    wb_canvas_text(cv, row, 0, style, "!");
    if (line > 0)
        col += wb_canvas_printf(cv, row, col, style, "line %d: ", line);
    wb_pipe_say_error(text, line, &shown);
    wb_canvas_text(cv, row, col, style, shown.text == NULL ? "" : shown.text);
    wb_str_free(&shown);
}

/* One of them, in the order of their weight; false behind the last. */
static bool problem(const struct wb_pipe *p, size_t i, bool *error, int *line, const char **text)
{
    const struct wb_doc *d = p->desk->doc;
    size_t n = d->script.findings;

    *line = 0;
    if (!d->script.ok && n == 0 && d->script.err.code != WB_OK && i-- == 0) {
        *error = true;
        *text = d->script.err.msg;
        return true;
    }
    if (d->preview_err.code != WB_OK && i-- == 0) {
        *error = d->preview_err.code != WB_ECANCELLED;
        *text =
            *error ? d->preview_err.msg : "the preview was cancelled; a turn or an edit starts it";
        return true;
    }
    if (i < n) {
        *error = d->script.finding[i].error;
        *line = d->script.finding[i].line;
        *text = d->script.finding[i].text;
        return true;
    }
    i -= n;
    if (d->scores.problem != NULL && i-- == 0) {
        *error = false;
        *text = d->scores.problem;
        return true;
    }
    if (d->plan == NULL || i >= d->plan->problems)
        return false;
    *error = d->plan->problem[i].error;
    *text = d->plan->problem[i].text;
    return true;
}

static void draw_problems(const struct wb_pipe *p, struct wb_canvas *cv)
{
    size_t n = 0;
    bool error;
    int line;
    const char *text;

    while (problem(p, n, &error, &line, &text))
        n++;
    if (n == 0 && p->desk->doc->script.ok)
        wb_canvas_text(cv, 0, 0, WB_STYLE_DIM, "no problems");
    for (size_t i = 0; i < n && i < (size_t)cv->rows; i++) {
        problem(p, i, &error, &line, &text);
        say_problem(cv, (int)i, error, line, text);
        if (i + 1 == (size_t)cv->rows && n > i + 1)
            wb_canvas_printf(cv, (int)i, cv->cols - 10, WB_STYLE_DIM, " %3zu more ", n - i - 1);
    }
}

/* The pane */

/* What the model does, below the rest of the summary: as much of it as there is room for. Gives the
 * rows that it takes. */
static int place_scores(const struct wb_pipe *p, int row, int rows, int cols,
                        struct wb_pipe_parts *parts)
{
    int block = wb_pipe_score_rows(p, false), full = wb_pipe_score_rows(p, true);
    int lines = wb_pipe_score_lines(p), take;

    take = rows > full ? full : rows > block ? block : rows >= lines ? lines : 0;
    if (take == 0)
        return 0;
    take += take == lines ? 0 : 1; /* a blank row above a block */
    parts->scores = (struct wb_rect){ row + (take > lines), 0, take - (take > lines), cols };
    return take;
}

enum wb_pipe_mode wb_pipe_detail(const struct wb_pipe *p)
{
    return p->mode == WB_PIPE_SUMMARY ? WB_PIPE_MAP : p->mode;
}

void wb_pipe_preview_parts(const struct wb_pipe *p, int rows, int cols, struct wb_pipe_parts *parts)
{
    int problems = rows >= 40 ? 3 : 2, room = rows - problems, side = cols * 9 / 20;
    int own = summary_rows(p, cols), need;

    *parts = (struct wb_pipe_parts){ .problems = { rows - problems, 0, problems, cols } };
    if (cols >= DETAIL_COLS) {
        side = side < 56 ? 56 : side > SIDE_COLS - 1 ? SIDE_COLS - 1 : side;
        parts->summary = (struct wb_rect){ 0, 0, room, side };
        parts->detail = (struct wb_rect){ 0, side + 2, room, cols - side - 2 };
        own = summary_rows(p, side);
        parts->summary.rows = own < room ? own : room;
        need = own + place_scores(p, own, room - own, side, parts);
        if (room - need - 1 >= REPORT_ROWS_MIN && p->reports.rows > 0) {
            parts->reports = (struct wb_rect){ need + 1, 0, room - need - 1, side };
        }
    } else if (p->mode != WB_PIPE_SUMMARY) {
        parts->detail = (struct wb_rect){ 0, 0, room, cols };
    } else {
        parts->summary = (struct wb_rect){ 0, 0, room, cols };
        parts->summary.rows = own < room ? own : room;
        need = own + place_scores(p, own, room - own, cols, parts);
        if (room - need - 1 >= DETAIL_ROWS_MIN) {
            parts->detail = (struct wb_rect){ need + 1, 0, room - need - 1, cols };
        }
    }
}

static void draw_detail(const struct wb_pipe *p, struct wb_canvas *cv)
{
    bool focused = p->focus == WB_PIPE_PREVIEW;

    switch (wb_pipe_detail(p)) {
    case WB_PIPE_LAYERS:
        wb_pipe_draw_layers(p, cv, focused);
        break;
    case WB_PIPE_REPORTS:
        wb_pipe_draw_reports(p, cv, focused);
        break;
    case WB_PIPE_SCORES:
        wb_pipe_draw_score_table(p, cv, focused);
        break;
    default:
        wb_pipe_draw_map(p, cv, focused);
        break;
    }
}

/* "computing 41 %", "exact in 0.12 s". */
static void say_progress(const struct wb_pipe *p, char *out, size_t size)
{
    const struct wb_doc *d = p->desk->doc;
    char time[30];

    out[0] = '\0';
    if (d->run_id != 0)
        snprintf(out, size, "script at work");
    else if (d->preview_task != NULL && d->stale)
        snprintf(out, size, "computing");
    else if (d->preview_task != NULL)
        snprintf(out, size, "~ sampled, exact %.0f%%", wb_doc_preview_done(d) * 100);
    else if (d->preview_err.code == WB_ECANCELLED)
        snprintf(out, size, "~ cancelled");
    else if (d->scores_task != NULL)
        snprintf(out, size, "~ behaviour %.0f%%", d->scores.done * 100);
    else if (d->scores.sets > 0 && !d->scores.finished && d->scores.problem == NULL)
        snprintf(out, size, "~ behaviour stopped");
    else if (!isnan(d->exact_seconds))
        snprintf(out, size, "exact in %s", wb_format_seconds(time, sizeof time, d->exact_seconds));
}

static void pane_title(const struct wb_pipe *p, struct wb_str *out)
{
    struct wb_str cause = { 0 };

    wb_str_add(out, "PREVIEW");
    wb_doc_cause(p->desk->doc, &cause);
    if (cause.len > 0)
        wb_str_printf(out, "  %s", cause.text);
    wb_str_free(&cause);
}

static void draw_nothing(const struct wb_pipe *p, struct wb_canvas *cv)
{
    const struct wb_doc *d = p->desk->doc;

    if (wb_document_bytes(d->text) == 0) {
        wb_canvas_text(cv, 1, 0, WB_STYLE_DIM, "What a pipeline makes is shown here, live:");
        wb_canvas_text(cv, 2, 0, WB_STYLE_DIM, "what changed, in which layers, how far.");
    } else if (wb_doc_busy(d))
        wb_canvas_text(cv, 1, 0, WB_STYLE_DIM, "computing the first numbers");
    else
        wb_canvas_text(cv, 1, 0, WB_STYLE_DIM, "no numbers: the script gives no model yet");
}

void wb_pipe_draw_preview(const struct wb_pipe *p, struct wb_canvas *cv)
{
    struct wb_str title = { 0 };
    struct wb_canvas inner, part;
    struct wb_pipe_parts parts;
    char note[80];

    pane_title(p, &title);
    say_progress(p, note, sizeof note);
    inner =
        wb_pane_begin(cv, title.text == NULL ? "PREVIEW" : title.text, p->focus == WB_PIPE_PREVIEW);
    wb_pane_note(cv, title.text == NULL ? "PREVIEW" : title.text, note);
    wb_str_free(&title);
    wb_pipe_preview_parts(p, inner.rows, inner.cols, &parts);
    part = wb_rect_window(&inner, &parts.problems);
    draw_problems(p, &part);
    if (figures(p)->quantities == 0) {
        draw_nothing(p, &inner);
        return;
    }
    part = wb_rect_window(&inner, &parts.summary);
    if (parts.summary.rows > 0)
        draw_summary(p, &part);
    part = wb_rect_window(&inner, &parts.scores);
    if (parts.scores.rows > 0 && parts.scores.rows == wb_pipe_score_lines(p))
        wb_pipe_draw_score_lines(p, &part);
    else if (parts.scores.rows > 0)
        wb_pipe_draw_score_block(p, &part);
    part = wb_rect_window(&inner, &parts.reports);
    if (parts.reports.rows > 0 && p->mode != WB_PIPE_REPORTS)
        wb_pipe_draw_reports(p, &part, false);
    part = wb_rect_window(&inner, &parts.detail);
    if (parts.detail.rows > 0)
        draw_detail(p, &part);
}

/* The strip */

static bool is_broken(const struct wb_preview_snapshot *s)
{
    size_t nan = wb_preview_find(s, WB_PREVIEW_nan, -1),
           inf = wb_preview_find(s, WB_PREVIEW_inf, -1);

    return (nan != SIZE_MAX && s->total_value[nan] > 0) ||
           (inf != SIZE_MAX && s->total_value[inf] > 0);
}

static int draw_short(const struct wb_pipe *p, struct wb_canvas *cv, int row, int col,
                      enum wb_preview_figure figure, int parent)
{
    const struct wb_preview_snapshot *s = figures(p);
    size_t q = wb_preview_find(s, figure, parent);
    char label[100];
    struct wb_pipe_figure f;
    int width;

    if (q == SIZE_MAX)
        return col;
    wb_pipe_short_label(label, sizeof label, p->desk->doc, &s->quantity[q]);
    width = wb_text_width(label);
    if (col + width + VALUE_COLS + CHANGE_COLS > cv->cols)
        return col;
    f = wb_pipe_figure(p->desk->doc, q, WB_PIPE_TOTAL, 0, 0);
    wb_canvas_text(cv, row, col, WB_STYLE_DIM, label);
    wb_pipe_draw_figure(cv, row, col + width, VALUE_COLS - 1, CHANGE_COLS - 1, p->desk->doc,
                        &s->quantity[q], &f);
    return col + width + VALUE_COLS + CHANGE_COLS;
}

void wb_pipe_draw_strip(const struct wb_pipe *p, struct wb_canvas *cv)
{
    struct wb_str title = { 0 };
    struct wb_canvas inner, problems, lines;
    char note[80];
    int col = 0, rows = wb_pipe_score_lines(p);

    pane_title(p, &title);
    say_progress(p, note, sizeof note);
    inner = wb_pane_begin(cv, title.text == NULL ? "PREVIEW" : title.text, false);
    wb_pane_note(cv, title.text == NULL ? "PREVIEW" : title.text, note);
    wb_str_free(&title);
    if (figures(p)->quantities > 0) {
        col = draw_short(p, &inner, 0, col, WB_PREVIEW_relative_norm, -1);
        col = draw_short(p, &inner, 0, col, WB_PREVIEW_conflict_share, -1);
        if (is_broken(figures(p)))
            draw_broken(p, &inner, 0, col);
        else
            draw_short(p, &inner, 0, col, WB_PREVIEW_zero_share, -1);
        col = 0;
        for (int i = 0; i < 4; i++)
            col = draw_short(p, &inner, 1, col, WB_PREVIEW_cosine, i);
    }
    lines = wb_canvas_sub(&inner, 2, 0, rows, inner.cols);
    if (rows > 0)
        wb_pipe_draw_score_lines(p, &lines);
    problems = wb_canvas_sub(&inner, 2 + rows, 0, 1, inner.cols);
    draw_problems(p, &problems);
}
