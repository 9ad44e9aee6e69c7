/* views/view_pipeline_steps.c - the steps of the pipeline, its knobs as sliders, kept settings. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "views/chart.h"
#include "views/view_pipeline.h"

enum { NAME_COLS_MAX = 20, VALUE_COLS = 9, SLIDER_COLS_MAX = 40 };

/* Steps */

const struct wb_script *wb_pipe_script(const struct wb_pipe *p)
{
    const struct wb_doc *d = p->desk->doc;
    const struct wb_script *good = wb_doc_good(d);

    return d->script.steps > 0 || good == NULL ? &d->script : good;
}

static void add_value(struct wb_str *out, const cJSON *value)
{
    char *text;

    if (cJSON_IsNumber(value)) {
        wb_str_printf(out, "%.6g", value->valuedouble);
    } else if (cJSON_IsString(value)) {
        wb_str_add(out, value->valuestring);
    } else if (cJSON_IsArray(value)) {
        const cJSON *item;
        size_t i = 0;

        wb_str_add(out, "{");
        cJSON_ArrayForEach(item, value) {
            wb_str_add(out, i++ > 0 ? ", " : "");
            add_value(out, item);
        }
        wb_str_add(out, "}");
    } else {
        text = cJSON_PrintUnformatted(value);
        wb_str_add(out, text == NULL ? "?" : text);
        free(text);
    }
}

static void add_params(struct wb_str *out, const cJSON *params)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, params) {
        wb_str_printf(out, "%s%s=", item == params->child ? "" : "  ", item->string);
        add_value(out, item);
    }
}

static void step_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct wb_pipe *p = user;
    const struct wb_script *s = wb_pipe_script(p);
    const struct wb_script_step *step = &s->step[row];
    struct wb_str text = { 0 };

    if (!step->done)
        cell->style = WB_STYLE_ERROR;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, step->done ? "%zu" : "%zu!", row + 1);
        break;
    case 1:
        snprintf(cell->text, sizeof cell->text, "%s %s", step->kind, step->method);
        break;
    case 2:
        snprintf(cell->text, sizeof cell->text, ":%d", step->line);
        cell->style = WB_STYLE_DIM;
        break;
    default:
        add_params(&text, step->params);
        snprintf(cell->text, sizeof cell->text, "%s", text.text == NULL ? "" : text.text);
        wb_str_free(&text);
        break;
    }
}

static const struct wb_table_column step_columns[] = {
    { .title = "", .width = 2 },
    { .title = "STEP", .width = 13, .flex = 1 },
    { .title = "LINE", .width = 4 },
    { .title = "PARAMETERS", .width = 12, .flex = 3, .priority = 1 },
};

void wb_pipe_steps_open(struct wb_pipe *p)
{
    p->steps = (struct wb_table){ .column = step_columns,
                                  .columns = 4,
                                  .cell = step_cell,
                                  .user = p,
                                  .no_header = true,
                                  .sort = -1,
                                  .empty = "no step yet: i inserts one" };
}

void wb_pipe_steps_poll(struct wb_pipe *p)
{
    const struct wb_doc *d = p->desk->doc;
    size_t rows = wb_doc_knob_count(d) + d->keeps;

    wb_table_set_rows(&p->steps, wb_pipe_script(p)->steps);
    if (p->knob >= rows)
        p->knob = rows == 0 ? 0 : rows - 1;
}

/* "base + math, german": what the pipeline is made from. */
static void say_parents(const struct wb_doc *d, struct wb_str *out)
{
    struct wb_model *base, *parent[WB_DOC_PARENTS_MAX];
    const char *name[WB_DOC_PARENTS_MAX];
    size_t n = wb_doc_parents(d, &base, parent, name, WB_DOC_PARENTS_MAX);

    if (base != NULL && n > 0)
        wb_str_add(out, "base + ");
    for (size_t i = 0; i < n; i++)
        wb_str_printf(out, "%s%s", i > 0 ? ", " : "", name[i]);
}

void wb_pipe_draw_steps(const struct wb_pipe *p, struct wb_canvas *cv)
{
    bool focused = p->focus == WB_PIPE_STEPS;
    struct wb_canvas inner = wb_pane_begin(cv, "STEPS", focused);
    struct wb_str note = { 0 };

    say_parents(p->desk->doc, &note);
    if (note.text != NULL)
        wb_pane_note(cv, "STEPS", note.text);
    wb_str_free(&note);
    wb_table_draw(&p->steps, &inner, focused);
}

bool wb_pipe_act_steps(struct wb_pipe *p, enum wb_action action, int count, int rows)
{
    if (action == WB_ACTION_OPEN || action == WB_ACTION_JUMP) {
        if (p->steps.cursor >= p->steps.rows)
            return false;
        wb_pipe_go_line(p, wb_pipe_script(p)->step[p->steps.cursor].line);
        wb_pipe_focus(p, WB_PIPE_EDITOR);
        return true;
    }
    return wb_table_act(&p->steps, action, count, wb_table_page(&p->steps, rows));
}

void wb_pipe_say_step(const struct wb_pipe *p, struct wb_str *out)
{
    const struct wb_script *s = wb_pipe_script(p);

    if (p->steps.cursor >= s->steps)
        return;
    wb_str_printf(out, "%s %s   ", s->step[p->steps.cursor].kind, s->step[p->steps.cursor].method);
    add_params(out, s->step[p->steps.cursor].params);
}

/* Knobs */

static size_t knobs(const struct wb_pipe *p)
{
    return wb_doc_knob_count(p->desk->doc);
}

size_t wb_pipe_knob_rows(const struct wb_pipe *p)
{
    size_t keeps = p->desk->doc->keeps;

    return knobs(p) + (keeps > 0 ? keeps + 1 : 0);
}

/* Where things stand in a row of the pane. */
struct knob_layout {
    int name_cols, slider_col, slider_cols, value_col;
};

static struct knob_layout lay_out(const struct wb_pipe *p, int cols)
{
    struct knob_layout l = { .name_cols = 8 };

    for (size_t i = 0; i < knobs(p); i++) {
        int width = wb_text_width(wb_doc_knob(p->desk->doc, i)->name);

        l.name_cols = width > l.name_cols ? width : l.name_cols;
    }
    if (l.name_cols > NAME_COLS_MAX)
        l.name_cols = NAME_COLS_MAX;
    l.slider_col = 2 + l.name_cols + 1;
    l.slider_cols = cols - l.slider_col - VALUE_COLS - 14;
    if (l.slider_cols > SLIDER_COLS_MAX)
        l.slider_cols = SLIDER_COLS_MAX;
    if (l.slider_cols < 8)
        l.slider_cols = 0;
    l.value_col = l.slider_col + l.slider_cols + 1;
    return l;
}

static void draw_choice(struct wb_canvas *cv, int row, const struct knob_layout *l,
                        const struct wb_knob *k, const char *value)
{
    size_t n = 0, at = 0;

    for (; k->choice != NULL && k->choice[n] != NULL; n++)
        if (strcmp(k->choice[n], value) == 0)
            at = n;
    if (n > 0)
        wb_canvas_printf(cv, row, l->slider_col, WB_STYLE_DIM, "choice %zu of %zu", at + 1, n);
    else if (k->kind == WB_KNOB_BOOL)
        wb_canvas_text(cv, row, l->slider_col, WB_STYLE_BAR,
                       strcmp(value, "true") == 0 ? "[ off |#ON#]" : "[#OFF#| on ]");
    else
        wb_canvas_text(cv, row, l->slider_col, WB_STYLE_DIM,
                       k->kind == WB_KNOB_NUMBER ? "any number" : "a text");
}

static void draw_knob(const struct wb_pipe *p, struct wb_canvas *cv, int row, size_t i)
{
    const struct wb_doc *d = p->desk->doc;
    const struct wb_knob *k = wb_doc_knob(d, i);
    struct knob_layout l = lay_out(p, cv->cols);
    char value[300], usual[300];
    double share = wb_doc_knob_share(d, i);
    bool turned = wb_doc_knob_turned(d, i);

    wb_doc_knob_value(d, i, value, sizeof value);
    wb_canvas_fit(cv, row, 2, l.name_cols, WB_ALIGN_LEFT, WB_STYLE_TEXT, k->name);
    if (l.slider_cols > 0 && !isnan(share))
        wb_slider_draw(cv, row, l.slider_col, l.slider_cols, WB_STYLE_BAR, share);
    else if (l.slider_cols > 0)
        draw_choice(cv, row, &l, k, value);
    wb_canvas_fit(cv, row, l.value_col, VALUE_COLS, WB_ALIGN_RIGHT,
                  turned ? WB_STYLE_CHANGED : WB_STYLE_TEXT, k->secret ? "***" : value);
    if (!turned)
        return;
    wb_canvas_text(cv, row, l.value_col + VALUE_COLS + 1, WB_STYLE_CHANGED, "*");
    wb_doc_knob_default(d, i, usual, sizeof usual);
    wb_canvas_printf(cv, row, l.value_col + VALUE_COLS + 3, WB_STYLE_DIM, "was %s",
                     k->secret ? "***" : usual);
}

static void draw_kept(const struct wb_pipe *p, struct wb_canvas *cv, int row, size_t i)
{
    const struct wb_doc *d = p->desk->doc;
    const struct wb_setting *s = &d->kept[i];
    int col = 2 + wb_canvas_text(cv, row, 2, WB_STYLE_TEXT, s->name) + 2;

    if (p->b_name != NULL && strcmp(p->b_name, s->name) == 0)
        col += wb_canvas_text(cv, row, col, WB_STYLE_MARK, "B") + 2;
    if (wb_setting_equal(s, &d->now))
        col += wb_canvas_text(cv, row, col, WB_STYLE_GOOD, "at work") + 2;
    for (size_t k = 0; k < s->knobs; k++)
        col += wb_canvas_text(cv, row, col, WB_STYLE_DIM, s->knob[k]) + 2;
    if (s->knobs == 0)
        wb_canvas_text(cv, row, col, WB_STYLE_DIM, "the script's own");
}

/* Row of the pane that an item (knobs, then settings) stands in. */
static size_t row_of(const struct wb_pipe *p, size_t item)
{
    return item < knobs(p) ? item : item + 1;
}

static size_t first_row(const struct wb_pipe *p, int rows)
{
    size_t at = row_of(p, p->knob), page = rows > 0 ? (size_t)rows : 1, top = p->knob_top;
    size_t all = wb_pipe_knob_rows(p);

    if (all <= page)
        return 0;
    top = at < top ? at : at >= top + page ? at - page + 1 : top;
    return top > all - page ? all - page : top;
}

static void draw_row(const struct wb_pipe *p, struct wb_canvas *cv, int row, size_t at,
                     bool focused)
{
    size_t n = knobs(p);

    if (at < n)
        draw_knob(p, cv, row, at);
    else if (at == n)
        wb_canvas_text(cv, row, 0, WB_STYLE_TITLE_DIM, "KEPT SETTINGS");
    else
        draw_kept(p, cv, row, at - n - 1);
    if (at != row_of(p, p->knob))
        return;
    wb_canvas_text(cv, row, 0, WB_STYLE_TEXT, ">");
    if (focused)
        wb_canvas_add_attrs(cv, row, 0, -1, WB_ATTR_BOLD);
}

void wb_pipe_draw_knobs(const struct wb_pipe *p, struct wb_canvas *cv)
{
    bool focused = p->focus == WB_PIPE_KNOBS;
    struct wb_canvas inner = wb_pane_begin(cv, "KNOBS", focused);
    size_t all = wb_pipe_knob_rows(p), top = first_row(p, inner.rows);
    char note[40];

    if (p->desk->doc->now.knobs > 0) {
        snprintf(note, sizeof note, "* %zu turned", p->desk->doc->now.knobs);
        wb_pane_note(cv, "KNOBS", note);
    }
    if (all == 0)
        wb_canvas_text(&inner, 0, 2, WB_STYLE_DIM,
                       "none: wb.knob(\"name\", 0.5, {min = 0, max = 1})");
    for (int row = 0; row < inner.rows && top + (size_t)row < all; row++)
        draw_row(p, &inner, row, top + (size_t)row, focused);
}

void wb_pipe_say_knob(const struct wb_pipe *p, struct wb_str *out)
{
    const struct wb_doc *d = p->desk->doc;
    const struct wb_knob *k;

    if (p->knob >= knobs(p)) {
        if (p->knob - knobs(p) < d->keeps)
            wb_str_add(out, "Enter uses this setting, b compares with it, d forgets it");
        return;
    }
    k = wb_doc_knob(d, p->knob);
    wb_str_printf(out, "%s", k->name);
    if (k->doc != NULL && k->doc[0] != '\0')
        wb_str_printf(out, ": %s", k->doc);
    if (k->kind == WB_KNOB_NUMBER && k->min <= k->max)
        wb_str_printf(out, " (%g to %g)", k->min, k->max);
}

/* Turning them */

static void say(struct wb_view *v, bool ok, const struct wb_err *err)
{
    if (!ok)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err->msg);
}

static void answer_value(struct wb_view *v, const char *text)
{
    const struct wb_pipe *p = v->state;
    struct wb_err err;

    if (p->knob < knobs(p))
        say(v,
            wb_doc_turn(v->desk->doc, wb_doc_knob(v->desk->doc, p->knob)->name, text, false, &err),
            &err);
}

static void ask_value(struct wb_view *v, const struct wb_pipe *p)
{
    const struct wb_knob *k = wb_doc_knob(v->desk->doc, p->knob);
    char label[80], value[300];

    snprintf(label, sizeof label, "%.60s = ", k->name);
    wb_doc_knob_value(v->desk->doc, p->knob, value, sizeof value);
    wb_desk_ask(v->desk, v, WB_ASK_TEXT, label, k->secret ? "" : value, answer_value);
}

static void step_knob(struct wb_view *v, const struct wb_pipe *p, int steps)
{
    struct wb_err err;

    say(v, wb_doc_step_knob(v->desk->doc, p->knob, steps, &err), &err);
}

static bool act_knob(struct wb_view *v, struct wb_pipe *p, enum wb_action action, int count)
{
    switch (action) {
    case WB_ACTION_LEFT:
        step_knob(v, p, -count);
        return true;
    case WB_ACTION_RIGHT:
        step_knob(v, p, count);
        return true;
    case WB_ACTION_OPEN:
    case WB_ACTION_KNOB_TYPE:
        ask_value(v, p);
        return true;
    case WB_ACTION_JUMP:
        wb_pipe_go_line(p, wb_doc_knob(v->desk->doc, p->knob)->line);
        wb_pipe_focus(p, WB_PIPE_EDITOR);
        return true;
    default:
        return false;
    }
}

static bool act_kept(struct wb_view *v, struct wb_pipe *p, enum wb_action action)
{
    struct wb_doc *d = v->desk->doc;
    size_t i = p->knob - knobs(p);
    struct wb_err err;

    if (action == WB_ACTION_OPEN) {
        say(v, wb_doc_set(d, &d->kept[i], &err), &err);
        return true;
    }
    if (action == WB_ACTION_DELETE) {
        wb_doc_drop_kept(d, i);
        wb_pipe_steps_poll(p);
        return true;
    }
    return false;
}

static bool move(struct wb_pipe *p, enum wb_action action, int count, int rows)
{
    size_t n = knobs(p) + p->desk->doc->keeps, page = rows > 1 ? (size_t)rows : 1;
    struct wb_table t = { .rows = n, .cursor = p->knob, .no_header = true, .sort = -1 };

    if (!wb_table_act(&t, action, count, page))
        return false;
    p->knob = t.cursor;
    p->knob_top = first_row(p, rows);
    return true;
}

bool wb_pipe_act_knobs(struct wb_view *v, enum wb_action action, int count, int rows)
{
    struct wb_pipe *p = v->state;

    if (move(p, action, count, rows))
        return true;
    if (p->knob < knobs(p))
        return act_knob(v, p, action, count);
    return p->knob - knobs(p) < v->desk->doc->keeps && act_kept(v, p, action);
}

void wb_pipe_mouse_knobs(struct wb_view *v, struct wb_mouse mouse, int rows, int cols)
{
    struct wb_pipe *p = v->state;
    struct knob_layout l = lay_out(p, cols);
    size_t at = first_row(p, rows) + (size_t)(mouse.row < 0 ? 0 : mouse.row), n = knobs(p);
    bool slider = mouse.col >= l.slider_col && mouse.col < l.slider_col + l.slider_cols;
    struct wb_err err;

    if (mouse.kind == WB_MOUSE_WHEEL_UP || mouse.kind == WB_MOUSE_WHEEL_DOWN) {
        move(p, mouse.kind == WB_MOUSE_WHEEL_UP ? WB_ACTION_UP : WB_ACTION_DOWN, 1, rows);
        return;
    }
    if (at >= wb_pipe_knob_rows(p) || at == n)
        return;
    p->knob = at < n ? at : at - 1;
    if (at < n && slider && !isnan(wb_doc_knob_share(v->desk->doc, at)))
        say(v,
            wb_doc_slide_knob(v->desk->doc, at,
                              wb_slider_at(l.slider_cols, mouse.col - l.slider_col), &err),
            &err);
    else if (at < n && slider)
        step_knob(v, p, 1);
    else if (mouse.kind == WB_MOUSE_DOUBLE)
        wb_pipe_act_knobs(v, WB_ACTION_OPEN, 1, rows);
}

/* Settings */

static void answer_keep(struct wb_view *v, const char *text)
{
    struct wb_err err;

    if (wb_doc_keep(v->desk->doc, text, &err))
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "the knobs are kept as %s; b compares", text);
    else
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

void wb_pipe_keep_setting(struct wb_view *v)
{
    char name[40];

    snprintf(name, sizeof name, "setting-%zu", v->desk->doc->keeps + 1);
    wb_desk_ask(v->desk, v, WB_ASK_TEXT, "keep the knobs as: ", name, answer_keep);
}

static const struct wb_setting *kept_named(const struct wb_doc *d, const char *name)
{
    for (size_t i = 0; name != NULL && i < d->keeps; i++)
        if (strcmp(d->kept[i].name, name) == 0)
            return &d->kept[i];
    return NULL;
}

/* The setting to flip to: the one under the cursor, the one chosen before, else the last kept. */
static const struct wb_setting *choose_b(struct wb_pipe *p)
{
    const struct wb_doc *d = p->desk->doc;
    const struct wb_setting *b = kept_named(d, p->b_name);

    if (p->focus == WB_PIPE_KNOBS && p->knob >= knobs(p) && p->knob - knobs(p) < d->keeps)
        b = &d->kept[p->knob - knobs(p)];
    if (b == NULL && d->keeps > 0)
        b = &d->kept[d->keeps - 1];
    if (b != NULL && (p->b_name == NULL || strcmp(p->b_name, b->name) != 0)) {
        free(p->b_name);
        p->b_name = strdup(b->name);
    }
    return b;
}

void wb_pipe_compare_settings(struct wb_view *v)
{
    struct wb_pipe *p = v->state;
    struct wb_doc *d = v->desk->doc;
    const struct wb_setting *b = choose_b(p);
    struct wb_setting to = { 0 };
    struct wb_err err;

    if (b == NULL) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "nothing to compare with: K keeps the knobs; turn them, then b");
        return;
    }
    if (wb_setting_equal(b, &d->now)) { /* back to the other one */
        if (wb_setting_equal(b, &p->a))
            wb_desk_say(v->desk, WB_MESSAGE_NOTE, "the knobs stand at %s: turn one, then press b",
                        b->name);
        else
            say(v, wb_doc_set(d, &p->a, &err), &err);
        return;
    }
    if (!wb_setting_copy(&d->now, &to))
        return;
    wb_setting_free(&p->a);
    p->a = to;
    say(v, wb_doc_set(d, b, &err), &err);
}
