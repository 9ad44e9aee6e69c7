/* views/view_pipeline_scores.c - what the pipeline's model does, in the preview: a line or two where
 * room is scarce, a block with all models where it is not, and a table of everything. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/number.h"
#include "views/view_pipeline.h"

enum {
    ITEM_COLS = 24, /* of a set in the lines: name, value, change */
    SET_COLS = 8,
    VALUE_COLS = 7,
    ERROR_COLS = 7,
    CHANGE_COLS = 7,
    RESULT_COLS = VALUE_COLS + ERROR_COLS + CHANGE_COLS - 1, /* most changes are shorter */
    SAMPLE_ROWS = 2,
    TABLE_SAMPLE_ROWS = 4,
};

static const struct wb_doc_scores *scores(const struct wb_pipe *p)
{
    return &p->desk->doc->scores;
}

static bool is_text(const struct wb_doc_scores *s, size_t set)
{
    return s->kind[set] == WB_BEHAVIOUR_TEXT;
}

/* Of a set: "nll", "exact match", "accuracy". */
static const char *figure_name(enum wb_behaviour_kind kind)
{
    return kind == WB_BEHAVIOUR_TEXT    ? "nll"
           : kind == WB_BEHAVIOUR_TASKS ? "exact match"
                                        : "accuracy";
}

/* Numbers as texts */

static const char *value_text(char *out, size_t size, bool text, double value, bool rough)
{
    char number[40];

    if (isnan(value)) {
        snprintf(out, size, "--");
        return out;
    }
    if (text)
        wb_number(number, sizeof number, value);
    else
        wb_number_percent(number, sizeof number, value);
    snprintf(out, size, "%s%s", rough ? "~" : "", number);
    return out;
}

/* A standard error in two digits: "±.012"; shares in points of percent. */
static const char *error_text(char *out, size_t size, bool text, double error, bool ascii)
{
    char number[40];

    out[0] = '\0';
    if (isnan(error))
        return out;
    wb_number_change(number, sizeof number, 0, text ? error : 100 * error);
    snprintf(out, size, "%s%s", ascii ? "+-" : "\u00b1",
             number[0] == '+' || number[0] == '=' ? number + 1 : number);
    return out;
}

static void draw_value(const struct wb_pipe *p, struct wb_canvas *cv, int row, int col, size_t m,
                       size_t s)
{
    struct wb_doc_score_figure f = wb_doc_score_figure(p->desk->doc, m, s);
    char value[48];

    wb_canvas_fit(
        cv, row, col, VALUE_COLS, WB_ALIGN_RIGHT,
        f.grade == WB_GRADE_NONE ? WB_STYLE_DIM : WB_STYLE_TEXT,
        value_text(value, sizeof value, is_text(scores(p), s), f.value, f.grade != WB_GRADE_EXACT));
}

/* Green is better: less likely mistakes, more right answers. */
static void draw_change(struct wb_canvas *cv, int row, int col, bool less_is_better, double from,
                        double to)
{
    char change[40];
    bool up, down;

    wb_number_change(change, sizeof change, from, to);
    up = change[0] == (less_is_better ? '-' : '+');
    down = change[0] == (less_is_better ? '+' : '-');
    wb_canvas_fit(cv, row, col, CHANGE_COLS, WB_ALIGN_LEFT,
                  up     ? WB_STYLE_UP
                  : down ? WB_STYLE_DOWN
                         : WB_STYLE_DIM,
                  change);
}

static void draw_moved(const struct wb_pipe *p, struct wb_canvas *cv, int row, int col, size_t m,
                       size_t s)
{
    struct wb_doc_score_figure f = wb_doc_score_figure(p->desk->doc, m, s);
    double unit = is_text(scores(p), s) ? 1 : 100;

    draw_change(cv, row, col, is_text(scores(p), s), unit * f.from, unit * f.to);
}

/* The sample, line ends as blanks. Gives the row after it. */
static int draw_sample(const struct wb_pipe *p, struct wb_canvas *cv, int row)
{
    const char *sample = scores(p)->sample;
    struct wb_canvas part = wb_canvas_sub(cv, row, 8, cv->rows - row, cv->cols - 8);
    char *text = sample == NULL || sample[0] == '\0' ? NULL : strdup(sample);

    if (text == NULL)
        return row;
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\n' || *c == '\t' ? ' ' : *c;
    wb_canvas_text(cv, row, 0, WB_STYLE_DIM, "writes");
    row += wb_canvas_wrap(&part, 0, 0, WB_STYLE_TEXT, text);
    free(text);
    return row;
}

static const char *nothing(const struct wb_pipe *p)
{
    const struct wb_eval_list *l = wb_doc_eval_list(p->desk->doc);

    return l == NULL || l->sets == 0 ? "no evaluation sets: :eval FILE adds a text, tasks or images"
                                     : "all evaluation sets are off: :eval switches them on";
}

/* In lines */

int wb_pipe_score_lines(const struct wb_pipe *p)
{
    return scores(p)->figures == 0 || scores(p)->sets == 0 ? 0 : 2;
}

void wb_pipe_draw_score_lines(const struct wb_pipe *p, struct wb_canvas *cv)
{
    const struct wb_doc_scores *s = scores(p);
    size_t each = (size_t)(cv->cols / ITEM_COLS > 0 ? cv->cols / ITEM_COLS : 1);
    int width = cv->cols / (int)each, name = width - VALUE_COLS - CHANGE_COLS;
    size_t rows = (s->sets + each - 1) / each;

    for (size_t i = 0; i < s->sets && i / each < (size_t)cv->rows; i++) {
        int row = (int)(i / each), col = (int)(i % each) * width;

        wb_canvas_fit(cv, row, col, name, WB_ALIGN_TEXT, WB_STYLE_DIM, s->set_name[i]);
        draw_value(p, cv, row, col + name - 1, s->models - 1, i);
        draw_moved(p, cv, row, col + name + VALUE_COLS, s->models - 1, i);
    }
    if (rows < (size_t)cv->rows)
        draw_sample(p, cv, (int)rows);
    else if (rows > (size_t)cv->rows)
        wb_canvas_printf(cv, cv->rows - 1, cv->cols - 4, WB_STYLE_DIM, " +%-2zu",
                         s->sets - each * (size_t)cv->rows);
}

/* In a block: a set a row, a model a column */

/* Models besides the result that have room. */
static size_t others_shown(const struct wb_doc_scores *s, int cols)
{
    int room = (cols - SET_COLS - RESULT_COLS) / VALUE_COLS;
    size_t others = s->models == 0 ? 0 : s->models - 1;

    return room < 0 ? 0 : others < (size_t)room ? others : (size_t)room;
}

int wb_pipe_score_rows(const struct wb_pipe *p, bool full)
{
    const struct wb_doc_scores *s = scores(p);
    int rows = 2;

    if (s->figures == 0)
        return 0;
    if (s->sets == 0)
        return 1;
    for (size_t i = 0; i < s->sets; i++)
        rows += full ? (is_text(s, i) ? 3 : 2) : 1;
    return rows - 1 + SAMPLE_ROWS;
}

static void draw_titles(const struct wb_pipe *p, struct wb_canvas *cv, size_t others)
{
    const struct wb_doc_scores *s = scores(p);
    int col = SET_COLS;

    wb_canvas_fill(cv, 0, 0, 1, cv->cols, WB_STYLE_HEADER, ' ');
    wb_canvas_text(cv, 0, 0, WB_STYLE_HEADER, "ON");
    for (size_t m = 0; m < others; m++, col += VALUE_COLS)
        wb_canvas_fit(cv, 0, col + 1, VALUE_COLS - 1, WB_ALIGN_RIGHT, WB_STYLE_HEADER, s->name[m]);
    wb_canvas_fit(cv, 0, col + 1, VALUE_COLS - 1, WB_ALIGN_RIGHT, WB_STYLE_HEADER, "RESULT");
    if (others + 1 < s->models)
        wb_canvas_printf(cv, 0, col + VALUE_COLS + 1, WB_STYLE_HEADER, "%zu more: m",
                         s->models - 1 - others);
}

/* How far the others are from the result: one quantity of every model in a row. */
static void draw_distances(const struct wb_pipe *p, struct wb_canvas *cv, int row, size_t set,
                           size_t others, bool kl)
{
    char text[48];

    wb_canvas_text(cv, row, 2, WB_STYLE_DIM, kl ? "KL" : "same");
    for (size_t m = 0; m < others; m++) {
        struct wb_doc_score_figure f = wb_doc_score_figure(p->desk->doc, m, set);

        if (kl && f.kl < 10)
            snprintf(text, sizeof text, "%.4f", f.kl);
        else
            value_text(text, sizeof text, kl, kl ? f.kl : f.agreement, false);
        wb_canvas_fit(cv, row, SET_COLS + (int)m * VALUE_COLS, VALUE_COLS, WB_ALIGN_RIGHT,
                      WB_STYLE_DIM, text);
    }
    wb_canvas_text(cv, row, SET_COLS + (int)others * VALUE_COLS + 2, WB_STYLE_DIM,
                   kl ? "to the result, nats" : "first choice");
}

/* Gives the row after it. */
static int draw_set(const struct wb_pipe *p, struct wb_canvas *cv, int row, size_t set,
                    size_t others, bool full)
{
    const struct wb_doc_scores *s = scores(p);
    struct wb_doc_score_figure f = wb_doc_score_figure(p->desk->doc, s->models - 1, set);
    bool ascii = p->desk->theme != NULL && p->desk->theme->ascii;
    int col = SET_COLS;
    char error[48];

    wb_canvas_fit(cv, row, 0, SET_COLS, WB_ALIGN_TEXT, WB_STYLE_TEXT, s->set_name[set]);
    for (size_t m = 0; m < others; m++, col += VALUE_COLS)
        draw_value(p, cv, row, col, m, set);
    draw_value(p, cv, row, col, s->models - 1, set);
    if (f.grade == WB_GRADE_SAMPLED)
        wb_canvas_fit(cv, row, col + VALUE_COLS + 1, ERROR_COLS - 1, WB_ALIGN_LEFT, WB_STYLE_DIM,
                      error_text(error, sizeof error, is_text(s, set), f.error, ascii));
    draw_moved(p, cv, row, col + VALUE_COLS + ERROR_COLS, s->models - 1, set);
    row++;
    if (full && is_text(s, set))
        draw_distances(p, cv, row++, set, others, true);
    if (full)
        draw_distances(p, cv, row++, set, others, false);
    return row;
}

void wb_pipe_draw_score_block(const struct wb_pipe *p, struct wb_canvas *cv)
{
    const struct wb_doc_scores *s = scores(p);
    size_t others = others_shown(s, cv->cols);
    bool full = cv->rows >= wb_pipe_score_rows(p, true);
    int row = 1;

    if (s->figures != 0 && s->sets == 0)
        wb_canvas_text(cv, 0, 0, WB_STYLE_DIM, nothing(p));
    if (s->figures == 0 || s->sets == 0)
        return;
    draw_titles(p, cv, others);
    for (size_t i = 0; i < s->sets; i++)
        row = draw_set(p, cv, row, i, others, full);
    draw_sample(p, cv, row);
}

/* In a table: a set and a model a row */

static const struct wb_table_column columns[] = {
    { .title = "SET", .width = 9 },
    { .title = "MODEL", .width = 8, .flex = 1 },
    { .title = "FIGURE", .width = 8, .align = WB_ALIGN_RIGHT },
    { .title = "ERROR", .width = 7, .priority = 2 },
    { .title = "MOVED", .width = 7 },
    { .title = "PPL", .width = 7, .align = WB_ALIGN_RIGHT, .priority = 1 },
    { .title = "KL", .width = 9, .align = WB_ALIGN_RIGHT },
    { .title = "SAME", .width = 6, .align = WB_ALIGN_RIGHT },
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void table_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct wb_pipe *p = user;
    const struct wb_doc_scores *s = scores(p);
    size_t set = row / s->models, m = row % s->models;
    struct wb_doc_score_figure f = wb_doc_score_figure(p->desk->doc, m, set);
    bool text = is_text(s, set), ascii = p->desk->theme != NULL && p->desk->theme->ascii;
    double unit = text ? 1 : 100;

    if (f.grade == WB_GRADE_NONE && column >= 2)
        cell->style = WB_STYLE_DIM;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%s", s->set_name[set]);
        break;
    case 1:
        snprintf(cell->text, sizeof cell->text, "%s", s->name[m]);
        break;
    case 2:
        value_text(cell->text, sizeof cell->text, text, f.value, f.grade != WB_GRADE_EXACT);
        break;
    case 3:
        if (f.grade != WB_GRADE_NONE)
            error_text(cell->text, sizeof cell->text, text, f.error, ascii);
        break;
    case 4:
        wb_number_change(cell->text, sizeof cell->text, unit * f.from, unit * f.to);
        break;
    case 5:
        if (text && !isnan(f.value))
            value_text(cell->text, sizeof cell->text, true, exp(f.value),
                       f.grade != WB_GRADE_EXACT);
        break;
    case 6:
        if (m + 1 < s->models && text)
            value_text(cell->text, sizeof cell->text, true, f.kl, false);
        break;
    default:
        if (m + 1 < s->models)
            value_text(cell->text, sizeof cell->text, false, f.agreement, false);
        break;
    }
}

void wb_pipe_scores_poll(struct wb_pipe *p)
{
    const struct wb_doc_scores *s = scores(p);

    p->score_table.column = columns;
    p->score_table.columns = COLUMNS;
    p->score_table.cell = table_cell;
    p->score_table.user = p;
    p->score_table.sort = -1;
    p->score_table.empty = s->figures == 0 ? "nothing was asked yet" : nothing(p);
    wb_table_set_rows(&p->score_table, s->models * s->sets);
}

static int sample_rows(const struct wb_doc_scores *s, int rows)
{
    return s->sample == NULL || s->sample[0] == '\0' || rows < 3 * TABLE_SAMPLE_ROWS
               ? 0
               : TABLE_SAMPLE_ROWS;
}

int wb_pipe_score_table_rows(const struct wb_pipe *p, int rows)
{
    return rows - sample_rows(scores(p), rows);
}

void wb_pipe_draw_score_table(const struct wb_pipe *p, struct wb_canvas *cv, bool focused)
{
    int rows = wb_pipe_score_table_rows(p, cv->rows);
    struct wb_canvas table = wb_canvas_sub(cv, 0, 0, rows, cv->cols);
    struct wb_canvas sample = wb_canvas_sub(cv, rows, 0, cv->rows - rows, cv->cols);

    wb_table_draw(&p->score_table, &table, focused);
    if (sample.rows > 1)
        draw_sample(p, &sample, 1);
}

/* "math on english: nll 3.214, perplexity 24.9; KL 0.021 to the result; 87% the same first choice" */
void wb_pipe_say_score(const struct wb_pipe *p, struct wb_str *out)
{
    const struct wb_doc_scores *s = scores(p);
    size_t row = p->score_table.cursor, set, m;
    struct wb_doc_score_figure f;
    const struct wb_doc_score *score;
    char text[48];

    if (row >= s->models * s->sets)
        return;
    set = row / s->models;
    m = row % s->models;
    f = wb_doc_score_figure(p->desk->doc, m, set);
    score = &s->score[row % s->models * s->sets + set];
    wb_str_printf(out, "%s on %s: %s %s", s->name[m], s->set_name[set], figure_name(s->kind[set]),
                  value_text(text, sizeof text, is_text(s, set), f.value, false));
    if (is_text(s, set) && !isnan(f.value))
        wb_str_printf(out, ", perplexity %s", wb_number(text, sizeof text, exp(f.value)));
    if (f.grade == WB_GRADE_SAMPLED)
        wb_str_printf(out, ", sampled: %llu of %llu", (unsigned long long)score->done,
                      (unsigned long long)score->total);
    if (!isnan(f.kl))
        wb_str_printf(out, ", KL to the result %s", wb_number(text, sizeof text, f.kl));
    if (!isnan(f.agreement) && m + 1 < s->models)
        wb_str_printf(out, ", same first choice %s",
                      wb_number_percent(text, sizeof text, f.agreement));
}
