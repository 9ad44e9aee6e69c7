/* views/view_params.c - what every parameter of a step comes to, layer by role, and which filters fit
 * nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/bind/param_map.h"
#include "views/box.h"
#include "views/desk.h"
#include "views/doc.h"
#include "views/heat.h"
#include "views/number.h"
#include "views/screens.h"
#include "views/table.h"

#define LIST_COLS 30
#define NOTE_ROWS 5
#define LABEL_BYTES 24

enum column { NAME, VALUE, COLUMNS };

static const struct wb_table_column columns[COLUMNS] = {
    [NAME] = { .title = "PARAMETER", .width = 12, .flex = 1 },
    [VALUE] = { .title = "VALUE", .width = 11, .align = WB_ALIGN_RIGHT },
};

struct params {
    struct wb_table list;
    struct wb_heat heat;
    float *value; /* of the heatmap */
    char (*label)[LABEL_BYTES];
    const char **row_label;
    size_t step, model, shown_step; /* shown_step: counted from 1, 0 for none */
    bool on_map;                    /* the pane with the focus */
    const struct wb_param_map *of;  /* what value and labels were made from */
    unsigned long seen;
};

static const struct wb_param_map *map_of(const struct wb_view *v)
{
    return v->desk->doc->map;
}

static const struct wb_param *current(const struct wb_view *v)
{
    const struct params *s = v->state;
    const struct wb_param_map *m = map_of(v);

    return m != NULL && s->list.cursor < m->params ? &m->param[s->list.cursor] : NULL;
}

/* The list of parameters */

static void list_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct wb_view *v = user;
    const struct wb_param *p = &map_of(v)->param[row];

    if (column == NAME) {
        cell->longer = p->name;
        return;
    }
    if (p->problem != NULL)
        snprintf(cell->text, sizeof cell->text, "! fails");
    else if (p->varies)
        snprintf(cell->text, sizeof cell->text, "* varies");
    else if (p->value != NULL && map_of(v)->tensors > 0)
        cell->longer = p->value[0].text;
    cell->style = p->problem != NULL ? WB_STYLE_ERROR
                  : p->varies        ? WB_STYLE_CHANGED
                                     : WB_STYLE_NUMBER;
}

/* The heatmap of one parameter */

static float cell_value(const struct wb_param_cell *c)
{
    if (c->tensors == 0)
        return wb_heat_blank(); /* no tensor of this role here */
    return (float)(isnan(c->value) ? (c->min + c->max) / 2 : c->value);
}

static void set_range(struct wb_heat *h, const struct wb_param *p)
{
    h->min = p->min < p->max ? (float)p->min : 0;
    h->max = p->min < p->max ? (float)p->max : 1;
    if (p->min == p->max) { /* one value everywhere, without bounds */
        h->min = (float)p->min - 0.5F;
        h->max = (float)p->max + 0.5F;
    }
}

static bool make_labels(struct params *s, const struct wb_param_map *m)
{
    free(s->label);
    free(s->row_label);
    s->label = calloc(m->rows + 1, sizeof *s->label);
    s->row_label = calloc(m->rows + 1, sizeof *s->row_label);
    if (s->label == NULL || s->row_label == NULL)
        return false;
    for (size_t i = 0; i < m->rows; i++) {
        const struct wb_param_row *r = &m->row[i];

        if (r->layer < 0)
            snprintf(s->label[i], LABEL_BYTES, "none");
        else
            snprintf(s->label[i], LABEL_BYTES, "%.12s%s%d", r->stack,
                     r->stack[0] != '\0' ? "." : "", r->layer);
        s->row_label[i] = s->label[i];
    }
    return true;
}

/* Work the heatmap out for the parameter under the cursor. */
static void make_heat(struct wb_view *v)
{
    struct params *s = v->state;
    const struct wb_param_map *m = map_of(v);
    const struct wb_param *p = current(v);
    struct wb_heat *h = &s->heat;

    h->rows = h->cols = 0;
    if (p == NULL || p->cell == NULL || !p->numbers)
        return;
    free(s->value);
    s->value = calloc(m->rows * m->columns + 1, sizeof *s->value);
    if (s->value == NULL || !make_labels(s, m))
        return;
    if (s->model >= p->models)
        s->model = 0;
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->columns; c++)
            s->value[r * m->columns + c] = cell_value(wb_param_cell(m, p, s->model, r, c));
    h->rows = (int)m->rows;
    h->cols = (int)m->columns;
    h->value = s->value;
    h->quantity = p->name;
    h->stretch = true;
    h->row_axis = (struct wb_heat_axis){ .label = s->row_label };
    h->col_axis = (struct wb_heat_axis){ .label = m->column, .names = true };
    set_range(h, p);
    if (h->row >= h->rows)
        h->row = 0;
    if (h->col >= h->cols)
        h->col = 0;
}

static void take_map(struct wb_view *v)
{
    struct params *s = v->state;
    const struct wb_param_map *m = map_of(v);

    s->of = m;
    wb_table_set_rows(&s->list, m == NULL ? 0 : m->params);
    if (m != NULL && s->shown_step != s->step + 1) { /* another step: what varies first */
        s->shown_step = s->step + 1;
        for (size_t i = m->params; i-- > 0;)
            if (m->param[i].varies)
                s->list.cursor = i;
    }
    make_heat(v);
}

/* Drawing */

/* The first tensor of the cell under the cursor. */
static const struct wb_param_tensor *tensor_at(const struct wb_view *v, size_t *number)
{
    const struct params *s = v->state;
    const struct wb_param_map *m = map_of(v);

    for (size_t i = 0; m != NULL && s->heat.rows > 0 && i < m->tensors; i++)
        if (m->tensor[i].row == (size_t)s->heat.row && m->tensor[i].column == (size_t)s->heat.col) {
            *number = i;
            return &m->tensor[i];
        }
    return NULL;
}

static void draw_readout(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct params *s = v->state;
    const struct wb_param_map *m = map_of(v);
    const struct wb_param *p = current(v);
    size_t number = 0;
    const struct wb_param_tensor *t = tensor_at(v, &number);
    const struct wb_param_cell *cell;
    int col;

    if (t == NULL || p == NULL || p->value == NULL) {
        wb_canvas_text(cv, 0, 1, WB_STYLE_DIM,
                       p != NULL && !p->numbers ? "not a number: no map of it"
                                                : "no tensor of this role in this layer");
        return;
    }
    cell = wb_param_cell(m, p, s->model, t->row, t->column);
    col = 1 + wb_canvas_printf(cv, 0, 1, WB_STYLE_NUMBER, "%s",
                               p->value[s->model * m->tensors + number].text);
    if (cell->tensors > 1)
        col += wb_canvas_printf(cv, 0, col + 1, WB_STYLE_TEXT, "(%zu tensors, %g to %g)",
                                cell->tensors, cell->min, cell->max) +
               1;
    wb_canvas_printf(cv, 0, col + 2, WB_STYLE_TEXT, "from %s",
                     p->value[s->model * m->tensors + number].form);
    wb_canvas_fit(cv, 1, 1, cv->cols - 2, WB_ALIGN_LEFT, WB_STYLE_DIM, t->name);
}

static void draw_unmatched(const struct wb_param_map *m, struct wb_canvas *cv)
{
    for (size_t i = 0; i < m->unmatcheds && 2 + (int)i < cv->rows; i++) {
        const struct wb_param_unmatched *u = &m->unmatched[i];

        if (i + 1 < m->unmatcheds && 3 + (int)i == cv->rows) {
            wb_canvas_printf(cv, 2 + (int)i, 1, WB_STYLE_ERROR, "! and %zu more fit nothing",
                             m->unmatcheds - i);
            return;
        }
        wb_canvas_printf(cv, 2 + (int)i, 1, WB_STYLE_ERROR, "! %s: %s '%s' fits no tensor%s%s%s",
                         u->param, u->kind, u->text, u->nearest == NULL ? "" : "; nearest is '",
                         u->nearest == NULL ? "" : u->nearest, u->nearest == NULL ? "" : "'");
    }
}

static void draw_list(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct params *s = v->state;
    const struct wb_param_map *m = map_of(v);
    struct wb_canvas inner;
    char title[100];

    snprintf(title, sizeof title, "%zu: %s %s", s->step + 1, m->kind, m->method);
    inner = wb_pane_begin(cv, title, !s->on_map);
    wb_table_draw(&s->list, &inner, !s->on_map);
}

static void draw_map(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct params *s = v->state;
    const struct wb_param *p = current(v);
    struct wb_canvas inner;
    char title[200];

    if (p == NULL)
        return;
    if (p->models > 1)
        snprintf(title, sizeof title, "%s of model %zu of %zu", p->name, s->model + 1, p->models);
    else
        snprintf(title, sizeof title, "%s", p->name);
    inner = wb_pane_begin(cv, title, s->on_map);
    if (p->problem != NULL)
        wb_canvas_text(&inner, 0, 1, WB_STYLE_ERROR, p->problem);
    else if (s->heat.rows > 0 && s->heat.cols > 0)
        wb_heat_draw(&inner, &s->heat);
    else
        wb_canvas_text(&inner, 0, 1, WB_STYLE_DIM, p->doc == NULL ? "" : p->doc);
}

static const char *empty_text(const struct wb_view *v)
{
    const struct wb_doc *d = v->desk->doc;
    const struct wb_script *script = wb_doc_good(d);

    if (d->map_id != 0 || d->run_id != 0)
        return "computing";
    if (script == NULL)
        return "There is no pipeline yet: screen 'Pipeline' is where to write one.";
    if (script->steps == 0)
        return "The pipeline has no steps: it gives a model as it was opened.";
    return d->map_err.code != WB_OK ? d->map_err.msg : "computing";
}

static void draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct wb_param_map *m = map_of(v);
    struct wb_canvas top = wb_canvas_sub(cv, 0, 0, cv->rows - NOTE_ROWS, cv->cols);
    struct wb_canvas note = wb_canvas_sub(cv, cv->rows - NOTE_ROWS + 1, 0, NOTE_ROWS - 1, cv->cols);
    struct wb_canvas list, map;

    if (m == NULL) {
        wb_canvas_text(cv, 1, 2, WB_STYLE_DIM, empty_text(v));
        return;
    }
    wb_pane_split(&top, LIST_COLS, &list, &map);
    draw_list(v, &list);
    draw_map(v, &map);
    wb_canvas_hline(cv, cv->rows - NOTE_ROWS, 0, cv->cols);
    draw_readout(v, &note);
    draw_unmatched(m, &note);
}

/* Acting */

static void go_step(struct wb_view *v, int by)
{
    struct params *s = v->state;
    const struct wb_script *script = wb_doc_good(v->desk->doc);
    long n = script == NULL ? 0 : (long)script->steps, step = (long)s->step + by;

    if (n < 2) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    n == 0 ? "there is no step" : "there is no other step");
        return;
    }
    s->step = (size_t)(((step % n) + n) % n);
    wb_doc_want_map(v->desk->doc, s->step);
}

static void jump(struct wb_view *v)
{
    const struct wb_param_map *m = map_of(v);
    char line[20];

    if (m == NULL)
        return;
    snprintf(line, sizeof line, "%d", m->line > 0 ? m->line : 1);
    wb_desk_go(v->desk, "pipeline", line);
}

static bool act_on_panes(struct wb_view *v, enum wb_action action, int count)
{
    struct params *s = v->state;
    int rows = v->rows - NOTE_ROWS - 1;

    if (s->on_map && s->heat.rows > 0)
        return wb_heat_act(&s->heat, action, count, v->desk->theme, rows, v->cols - LIST_COLS - 1);
    if (action == WB_ACTION_RIGHT) {
        s->on_map = true;
        return true;
    }
    if (!wb_table_act(&s->list, action, count, wb_table_page(&s->list, rows)))
        return false;
    make_heat(v);
    return true;
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct params *s = v->state;
    const struct wb_param *p = current(v);
    const struct wb_param_tensor *t;
    size_t number;

    switch (action) {
    case WB_ACTION_PANE_NEXT:
    case WB_ACTION_PANE_PREVIOUS:
        s->on_map = !s->on_map;
        return true;
    case WB_ACTION_OPEN:
        if (p == NULL)
            return false;
        if (!s->on_map)
            s->on_map = true;
        else if ((t = tensor_at(v, &number)) != NULL && wb_desk_current(v->desk) != NULL)
            wb_desk_go(v->desk, "tensors", t->name);
        return true;
    case WB_ACTION_BACK:
        if (!s->on_map)
            return false; /* the frame's */
        s->on_map = false;
        return true;
    case WB_ACTION_STEP_NEXT:
    case WB_ACTION_STEP_PREVIOUS:
        go_step(v, action == WB_ACTION_STEP_NEXT ? 1 : -1);
        return true;
    case WB_ACTION_MODEL_NEXT:
        if (p != NULL && p->models < 2)
            wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is one for all models", p->name);
        s->model = p == NULL || p->models < 2 ? 0 : (s->model + 1) % p->models;
        make_heat(v);
        return p != NULL;
    case WB_ACTION_JUMP:
        jump(v);
        return map_of(v) != NULL;
    default:
        return act_on_panes(v, action, count);
    }
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct params *s = v->state;
    struct wb_mouse inside = *event;
    int rows = v->rows - NOTE_ROWS - 1;

    inside.row -= 1;
    if (inside.row < 0 || inside.row >= rows || map_of(v) == NULL)
        return;
    s->on_map = inside.col > LIST_COLS;
    if (!s->on_map) {
        wb_table_mouse(&s->list, inside, rows, LIST_COLS);
        make_heat(v);
        return;
    }
    inside.col -= LIST_COLS + 1;
    if (s->heat.rows > 0)
        wb_heat_mouse(&s->heat, inside, v->desk->theme, rows, v->cols - LIST_COLS - 1);
}

static bool matches(const void *user, size_t row, const char *text)
{
    return strcasestr(map_of(user)->param[row].name, text) != NULL;
}

static bool search(struct wb_view *v, const char *text, int direction)
{
    struct params *s = v->state;
    bool found = wb_table_search(&s->list, wb_table_page(&s->list, v->rows - NOTE_ROWS - 1),
                                 direction, text, matches, v);

    make_heat(v);
    return found;
}

static bool poll(struct wb_view *v)
{
    struct params *s = v->state;
    const struct wb_script *script = wb_doc_good(v->desk->doc);

    if (s->seen == v->desk->doc->version + 1 && s->of == map_of(v))
        return false;
    s->seen = v->desk->doc->version + 1;
    if (script != NULL && s->step >= script->steps)
        s->step = script->steps > 0 ? script->steps - 1 : 0;
    wb_doc_want_map(v->desk->doc, s->step);
    take_map(v);
    return true;
}

/* "3": that step, from 1. */
static void show(struct wb_view *v, const char *what)
{
    struct params *s = v->state;
    long step = strtol(what, NULL, 10);

    if (step > 0)
        s->step = (size_t)step - 1;
    go_step(v, 0);
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct params *s = v->state;
    const struct wb_param_map *m = map_of(v);
    const struct wb_param *p = current(v);
    const struct wb_script *script = wb_doc_good(v->desk->doc);
    char value[40];

    wb_str_printf(where, "Parameters");
    if (m == NULL || p == NULL)
        return;
    wb_str_printf(where, " > %s > %s", m->method, p->name);
    if (s->heat.rows > 0)
        wb_str_printf(position, "%s : %s  %s   ", s->row_label[s->heat.row], m->column[s->heat.col],
                      wb_heat_text(&s->heat, s->heat.row, s->heat.col, value, sizeof value));
    wb_str_printf(position, "step %zu/%zu", s->step + 1, script == NULL ? 0 : script->steps);
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct params *s = v->state;

    (void)err;
    s->list = (struct wb_table){
        .column = columns, .columns = COLUMNS, .cell = list_cell, .user = v, .sort = -1
    };
    return true;
}

static void close(struct wb_view *v)
{
    struct params *s = v->state;

    free(s->value);
    free(s->label);
    free(s->row_label);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,       WB_ACTION_BACK,      WB_ACTION_STEP_NEXT, WB_ACTION_STEP_PREVIOUS,
    WB_ACTION_MODEL_NEXT, WB_ACTION_JUMP,      WB_ACTION_PANE_NEXT, WB_ACTION_PANE_PREVIOUS,
    WB_ACTION_UP,         WB_ACTION_DOWN,      WB_ACTION_LEFT,      WB_ACTION_RIGHT,
    WB_ACTION_FIRST,      WB_ACTION_LAST,      WB_ACTION_PAGE_UP,   WB_ACTION_PAGE_DOWN,
    WB_ACTION_HALF_UP,    WB_ACTION_HALF_DOWN, WB_ACTION_ZOOM_IN,   WB_ACTION_ZOOM_OUT,
    WB_ACTION_RANGE,      WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_STEP_NEXT, WB_ACTION_MODEL_NEXT,
                                        WB_ACTION_PANE_NEXT, WB_ACTION_JUMP,
                                        WB_ACTION_RANGE,     WB_ACTION_NONE };

const struct wb_view_ops wb_params_view = {
    .name = "parameters",
    .title = "Parameters",
    .doc = "What every parameter of a step comes to for each layer and role, and what fits nothing",
    .state_size = sizeof(struct params),
    .actions = actions,
    .hints = hints,
    .open = open,
    .close = close,
    .draw = draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .show = show,
    .status = status,
    .search = search,
};
