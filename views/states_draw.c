/* views/states_draw.c - maps of states, and what each block changes. */
#include "views/states_draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/box.h"
#include "views/chart.h"
#include "views/number.h"

#define SIDE_FROM 100
#define SIDE_COLS 40
#define BELOW_ROWS 4
#define STATES_MAX 1024
#define WORDS 2 /* rows above a map: title, words */

static const char *const metric_names[STATES_METRICS] = { "cka", "cosine", "angular" };
static const char *const metric_words[STATES_METRICS] = { "linear CKA", "mean cosine",
                                                          "angular distance" };

const char *wb_states_metric_name(int metric)
{
    return metric_names[metric];
}

/* ---- what is drawn ---- */

/* "emb", "0", "1", ...: the embedding, and the stream behind each layer. The same for all models. */
static const char *const *labels(void)
{
    static char text[STATES_MAX][8];
    static const char *label[STATES_MAX];

    for (int i = 0; label[0] == NULL && i < STATES_MAX; i++)
        snprintf(text[i], sizeof text[i], "%d", i - 1);
    for (int i = 0; i < STATES_MAX; i++)
        label[i] = i == 0 ? "emb" : text[i];
    return label;
}

static void put_map(struct states_pane *p, int which, const struct states_answer *a,
                    const struct states_answer *less)
{
    struct wb_heat *h = &p->heat[which];
    int n = a == NULL || a->layers >= STATES_MAX ? 0 : a->layers + 1;
    float *value = realloc(p->value[which], ((size_t)n * (size_t)n + 1) * sizeof *value);

    if (value != NULL)
        p->value[which] = value;
    else
        n = 0;
    for (int i = 0; i < n * n; i++)
        value[i] =
            (float)(a->matrix[p->metric][i] - (less == NULL ? 0 : less->matrix[p->metric][i]));
    h->rows = h->cols = n;
    h->value = p->value[which];
    h->row_axis.label = h->col_axis.label = labels();
    h->quantity = metric_words[p->metric];
    h->self = h->symmetric = true;
    h->diverging = less != NULL || p->metric == WB_STATE_COSINE;
    h->min = h->diverging ? -1 : 0;
    h->max = 1;
    h->automatic = less != NULL ? true : h->automatic;
    h->row = h->row < n ? h->row : n > 0 ? n - 1 : 0;
    h->col = h->col < n ? h->col : n > 0 ? n - 1 : 0;
}

void wb_states_pane_follow(struct states_pane *p)
{
    p->heat[1].row = p->heat[0].row;
    p->heat[1].col = p->heat[0].col;
    p->heat[1].zoom = p->heat[0].zoom;
    p->heat[1].automatic = p->heat[0].automatic;
}

void wb_states_pane_prepare(struct states_pane *p)
{
    const struct states_answer *a = wb_states_answer(p, 0), *b = wb_states_answer(p, 1);

    if (p->show == STATES_DIFFERENCE && (a == NULL || b == NULL || a->layers != b->layers))
        a = NULL;
    put_map(p, 0, a, p->show == STATES_DIFFERENCE ? b : NULL);
    put_map(p, 1, p->show == STATES_BESIDE ? b : NULL, NULL);
    wb_states_pane_follow(p);
    if (p->heat[1].rows > 0 && p->heat[1].row >= p->heat[1].rows)
        p->heat[1].row = p->heat[1].col = p->heat[1].rows - 1;
}

/* ---- places ---- */

struct states_parts wb_states_layout(const struct states_pane *p, int rows, int cols)
{
    struct states_parts parts = { { { 0, 0, rows, cols }, { 0 } }, { 0 } };
    struct wb_rect *map = parts.map;

    if (p->heat[0].rows == 0 && p->heat[1].rows == 0)
        return parts;
    if (cols >= SIDE_FROM) {
        map[0].cols = cols - SIDE_COLS - 1;
        parts.bars = (struct wb_rect){ 0, map[0].cols + 1, rows, SIDE_COLS };
    } else {
        map[0].rows = rows - BELOW_ROWS;
        parts.bars = (struct wb_rect){ map[0].rows, 0, BELOW_ROWS, cols };
    }
    if (p->show == STATES_BESIDE) {
        map[1] = map[0];
        map[0].cols = map[0].cols / 2;
        map[1].col = map[0].cols + 1;
        map[1].cols -= map[1].col;
    }
    return parts;
}

/* ---- words ---- */

static const char *name_of(const struct wb_view *v, uint64_t id)
{
    const struct wb_desk_model *m = wb_desk_get(v->desk, id);

    return m == NULL ? "no model" : m->name;
}

void wb_states_pane_title(const struct wb_view *v, const struct states_pane *p, int which,
                          char *out, size_t size)
{
    if (p->show == STATES_DIFFERENCE)
        snprintf(out, size, "states of %s less those of %s: %s", name_of(v, p->id[0]),
                 name_of(v, p->id[1]), metric_words[p->metric]);
    else
        snprintf(out, size, "states of %s: %s", name_of(v, p->id[which]), metric_words[p->metric]);
}

/* How far it is: "~ 41 %"; "" when all of the text was read. */
static const char *progress(const struct states_pane *p, int which, char *out, size_t size)
{
    const struct states_answer *a = wb_states_answer(p, which);
    double share = a == NULL || a->positions == 0 ? 0 : (double)a->rows / (double)a->positions;

    out[0] = '\0';
    if (p->task != NULL && p->at_work == which)
        snprintf(out, size, "~ %.0f %%", share * 100);
    else if (a != NULL && !a->done)
        snprintf(out, size, "~ stopped, c goes on");
    return out;
}

static void draw_words(const struct states_pane *p, int which, struct wb_canvas *cv)
{
    const struct states_answer *a = wb_states_answer(p, which);

    if (a == NULL)
        return;
    wb_canvas_printf(cv, 0, 1, WB_STYLE_DIM, "%s, %zu positions",
                     wb_subject_name(&a->choice, a->images), a->rows);
    if (a->nonfinite_rows > 0)
        wb_canvas_printf(cv, 0, cv->cols / 2, WB_STYLE_WARNING, "! %zu positions not finite",
                         a->nonfinite_rows);
}

static void draw_nothing(const struct wb_view *v, const struct states_pane *p, int which,
                         struct wb_canvas *cv)
{
    struct wb_canvas inner = wb_canvas_sub(cv, 0, 2, cv->rows, cv->cols - 4);
    char text[sizeof p->err[0].msg + 40], note[40];

    if (p->id[which] == 0) {
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_DIM,
                       "No model is open. :open PATH opens one; here is how alike its states are "
                       "along the depth, on a text.");
    } else if (p->err[which].code != WB_OK) {
        snprintf(text, sizeof text, "! %s  (c tries again)", p->err[which].msg);
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_ERROR, text);
    } else if (p->show == STATES_DIFFERENCE && wb_states_answer(p, 0) != NULL &&
               wb_states_answer(p, 1) != NULL) {
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_DIM,
                       "They have different numbers of layers: D shows them beside each other.");
    } else {
        snprintf(text, sizeof text, "%s: reading a text %s", name_of(v, p->id[which]),
                 progress(p, which, note, sizeof note));
        wb_canvas_wrap(&inner, 0, 0, WB_STYLE_DIM, p->stopped ? "Stopped. c goes on." : text);
    }
}

static void draw_map(const struct wb_view *v, const struct states_pane *p, int which,
                     struct wb_canvas *cv)
{
    char title[300], note[40];
    struct wb_canvas inner;

    wb_states_pane_title(v, p, which, title, sizeof title);
    inner = wb_pane_begin(cv, title, true);
    wb_pane_note(cv, title, progress(p, which, note, sizeof note));
    draw_words(p, which, &inner);
    inner = wb_canvas_sub(&inner, WORDS - 1, 0, inner.rows - WORDS + 1, inner.cols);
    if (p->heat[which].rows > 0)
        wb_heat_draw(&inner, &p->heat[which]);
    else
        draw_nothing(v, p,
                     p->show == STATES_DIFFERENCE && p->err[0].code == WB_OK &&
                             p->err[1].code != WB_OK
                         ? 1
                         : which,
                     &inner);
}

/* ---- what blocks change ---- */

static double largest(const double *x, int n)
{
    double most = 0;

    for (int i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static void draw_spark(const struct states_answer *a, const double *x, const char *name, int row,
                       struct wb_canvas *cv)
{
    float value[STATES_MAX];
    struct wb_spark spark = { .value = value, .n = (size_t)a->layers };
    char low[20], high[20];
    float min, max;
    int cols;

    for (int i = 0; i < a->layers && i < STATES_MAX; i++)
        value[i] = (float)x[i];
    wb_canvas_text(cv, row, 1, WB_STYLE_TEXT, name);
    if (!wb_spark_range(&spark, &min, &max))
        return;
    cols = wb_spark_draw(cv, row, 16, cv->cols - 40, WB_STYLE_TEXT, &spark);
    wb_canvas_printf(cv, row, 17 + cols, WB_STYLE_DIM, "%s to %s",
                     wb_number(low, sizeof low, (double)min),
                     wb_number(high, sizeof high, (double)max));
}

/* The blocks that change the stream least, by name. */
static void draw_least(const struct states_answer *a, int row, struct wb_canvas *cv)
{
    bool taken[STATES_MAX] = { false };
    int col = cv->cols > SIDE_COLS ? 15 : 6;

    wb_canvas_text(cv, row, 1, WB_STYLE_TEXT, cv->cols > SIDE_COLS ? "least changed" : "least");
    for (int k = 0; k < 4; k++) {
        char text[20];
        int best = -1;

        for (int i = 0; i < a->layers && i < STATES_MAX; i++)
            if (!taken[i] && !isnan(a->influence[i]) &&
                (best < 0 || a->influence[i] < a->influence[best]))
                best = i;
        if (best < 0 || col + 14 > cv->cols)
            return;
        taken[best] = true;
        col += wb_canvas_printf(cv, row, col + 1, WB_STYLE_NUMBER, "%d %s", best,
                                wb_number(text, sizeof text, a->influence[best])) +
               2;
    }
}

/* A line a layer: influence as a bar, relative step as a number; around the cursor's when there are
 * more than rows. */
static void draw_bars(const struct states_pane *p, const struct states_answer *a,
                      struct wb_canvas *cv)
{
    double most = largest(a->influence, a->layers);
    int rows = cv->rows - 2, first = 0, at = p->heat[0].row - 1;

    if (a->layers > rows)
        first = at - rows / 2 < 0            ? 0
                : at + rows / 2 >= a->layers ? a->layers - rows
                                             : at - rows / 2;
    wb_canvas_text(cv, 0, 1, WB_STYLE_DIM, "LAYER  INFLUENCE");
    wb_canvas_text(cv, 0, cv->cols - 10, WB_STYLE_DIM, "REL. STEP");
    for (int i = 0; i < rows && first + i < a->layers; i++) {
        int layer = first + i;
        char text[20];

        wb_canvas_printf(cv, i + 1, 0, layer == at ? WB_STYLE_TITLE : WB_STYLE_TEXT, "%s%4d",
                         layer == at ? ">" : " ", layer);
        if (isnan(a->influence[layer])) {
            wb_canvas_text(cv, i + 1, 7, WB_STYLE_DIM, "NaN");
            continue;
        }
        wb_canvas_fit(cv, i + 1, 6, WB_NUMBER_WIDTH, WB_ALIGN_RIGHT, WB_STYLE_NUMBER,
                      wb_number(text, sizeof text, a->influence[layer]));
        wb_bar_draw(cv, i + 1, 17, cv->cols - 29, WB_STYLE_TEXT,
                    most > 0 ? a->influence[layer] / most : 0);
        wb_canvas_fit(cv, i + 1, cv->cols - 11, WB_NUMBER_WIDTH, WB_ALIGN_RIGHT, WB_STYLE_NUMBER,
                      wb_number(text, sizeof text, a->relative_step[layer]));
    }
    draw_least(a, cv->rows - 1, cv);
}

static void draw_changes(const struct wb_view *v, const struct states_pane *p, struct wb_canvas *cv)
{
    const struct states_answer *a = wb_states_answer(p, 0);
    struct wb_canvas inner;
    char title[200];

    if (a == NULL)
        return;
    snprintf(title, sizeof title, "what the blocks of %s change", name_of(v, p->id[0]));
    inner = wb_pane_begin(cv, title, false);
    if (cv->rows > BELOW_ROWS) {
        draw_bars(p, a, &inner);
        return;
    }
    draw_spark(a, a->influence, "influence", 0, &inner);
    draw_spark(a, a->relative_step, "relative step", 1, &inner);
    draw_least(a, 2, &inner);
}

void wb_states_pane_draw(const struct wb_view *v, const struct states_pane *p, struct wb_canvas *cv)
{
    struct states_parts parts = wb_states_layout(p, cv->rows, cv->cols);
    struct wb_canvas map = wb_rect_window(cv, &parts.map[0]),
                     bars = wb_rect_window(cv, &parts.bars);

    draw_map(v, p, 0, &map);
    if (parts.map[1].cols > 0) {
        map = wb_rect_window(cv, &parts.map[1]);
        draw_map(v, p, 1, &map);
        wb_canvas_vline(cv, 0, parts.map[1].col - 1, parts.map[1].rows);
    }
    if (parts.bars.rows > 0)
        draw_changes(v, p, &bars);
    if (parts.bars.col > 0)
        wb_canvas_vline(cv, 0, parts.bars.col - 1, cv->rows);
}

void wb_states_pane_status(const struct wb_view *v, const struct states_pane *p,
                           struct wb_str *where, struct wb_str *position)
{
    const struct wb_heat *h = &p->heat[0];
    char text[40];

    wb_str_printf(where, "Layers > states of %s", name_of(v, p->id[0]));
    if (p->show != STATES_ONE)
        wb_str_printf(where, p->show == STATES_BESIDE ? " and %s" : " less %s",
                      name_of(v, p->id[1]));
    if (h->rows > 0)
        wb_str_printf(position, "%s : %s  %s", labels()[h->row], labels()[h->col],
                      wb_heat_text(h, h->row, h->col, text, sizeof text));
}
