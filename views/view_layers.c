/* views/view_layers.c - how alike weights are: two models layer by role, the layers of one, several
 * models. */
#include "views/view_layers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/screens.h"

static const char *const mode_words[LAYERS_MODES] = { "pair", "layers", "models" };

/* ---- what is looked at ---- */

/* After the desk changed, before anything that goes by what is on it. */
static bool catch_up(struct wb_view *v)
{
    struct layers *s = v->state;

    if (s->checked != v->desk->version)
        wb_layers_forget_closed(v);
    s->checked = v->desk->version;
    if (s->seen == v->desk->version || v->away) /* asked again on coming back */
        return false;
    s->seen = v->desk->version;
    if (s->on_states)
        wb_states_pane_ask(v, &s->states);
    else
        wb_layers_ask(v);
    return true;
}

static struct wb_heat *heat_of(const struct wb_view *v)
{
    struct layers *s = v->state;

    return &s->heat[s->mode];
}

static void set_mode(struct wb_view *v, enum layers_mode mode)
{
    struct layers *s = v->state;

    s->mode = mode;
    s->mode_chosen = true;
    s->from_models = s->on_detail = s->on_states = false;
    wb_layers_ask(v);
}

static void set_states(struct wb_view *v)
{
    struct layers *s = v->state;

    s->on_states = true;
    s->on_detail = false;
    wb_states_pane_ask(v, &s->states);
}

static void next_metric(struct wb_view *v)
{
    struct layers *s = v->state;
    enum layers_metric *m = &s->metric[s->mode];

    do
        *m = (enum layers_metric)((*m + 1) % LAYERS_METRICS);
    while (!wb_layers_has_metric(s->mode, *m));
    wb_layers_make_map(v);
}

/* The weights, or what they changed in the base. */
static void set_deltas(struct wb_view *v, bool deltas)
{
    struct layers *s = v->state;

    if (deltas && s->base == 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s",
                    s->mode == LAYERS_PAIR
                        ? "changes need a third open model that both come from: their base"
                        : "changes need the model it comes from to be open: its base");
        return;
    }
    s->deltas = deltas;
    wb_layers_ask(v);
}

/* "cosine", "relative-l2", "l2", "sign"; "delta-" before it: of the changes. */
static void set_metric(struct wb_view *v, const char *name)
{
    struct layers *s = v->state;
    bool deltas = strncmp(name, "delta-", 6) == 0;
    const char *word = deltas ? name + 6 : name;

    if (s->on_states) {
        if (!wb_states_pane_set_metric(v, &s->states, name))
            wb_desk_say(v->desk, WB_MESSAGE_ERROR, "no metric %s of states: cka, cosine, angular",
                        name);
        return;
    }
    if (strcmp(word, "l2") == 0)
        word = wb_layers_metric_name(LAYERS_L2, true);
    for (int m = 0; m < LAYERS_METRICS; m++) {
        if (strcmp(word, wb_layers_metric_name((enum layers_metric)m, true)) != 0)
            continue;
        if (!wb_layers_has_metric(s->mode, (enum layers_metric)m)) {
            wb_desk_say(v->desk, WB_MESSAGE_NOTE, "sign agreement is of two models: mode pair");
            return;
        }
        s->metric[s->mode] = (enum layers_metric)m;
        set_deltas(v, deltas);
        wb_layers_make_map(v);
        return;
    }
    wb_desk_say(v->desk, WB_MESSAGE_ERROR,
                "no metric %s: cosine, relative-l2, sign, delta-sign ...", name);
}

static void set_mode_named(struct wb_view *v, const char *name)
{
    for (int m = 0; m < LAYERS_MODES; m++)
        if (strcmp(name, mode_words[m]) == 0) {
            set_mode(v, (enum layers_mode)m);
            return;
        }
    if (strcmp(name, "states") == 0)
        set_states(v);
    else
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "there is no mode %s: pair, layers, models, states",
                    name);
}

static void set_role(struct wb_view *v, const char *name)
{
    struct layers *s = v->state;
    const struct wb_pairwise *p = s->answer == NULL ? NULL : &s->answer->pairwise;
    bool known = strcmp(name, "all") == 0;

    for (size_t r = 0; p != NULL && r < p->roles; r++)
        known = known || strcmp(p->role[r], name) == 0;
    if (!known) {
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "there is no role %s here; all is all of them",
                    name);
        return;
    }
    snprintf(s->role, sizeof s->role, "%s", strcmp(name, "all") == 0 ? "" : name);
    wb_layers_make_map(v);
}

static void step_role(struct wb_view *v, int by)
{
    struct layers *s = v->state;

    if (s->mode == LAYERS_PAIR)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "the columns are the roles here; m shows layers or "
                    "models by one role");
    else
        wb_layers_step_role(v, by);
}

static void next_other(struct wb_view *v)
{
    const struct wb_desk_model *other = wb_desk_other(v->desk);

    if (wb_desk_step(v->desk, &v->desk->other, other == NULL ? v->desk->current : other->id,
                     v->desk->current))
        catch_up(v);
}

/* ---- further ---- */

/* Of two models those two; on the diagonal the layers of one. */
static void open_models(struct wb_view *v)
{
    struct layers *s = v->state;
    const struct wb_heat *h = heat_of(v);
    uint64_t row = s->question.model[h->row], col = s->question.model[h->col];

    v->desk->current = row;
    if (row != col)
        v->desk->other = col;
    v->desk->version++;
    catch_up(v);
    set_mode(v, row == col ? LAYERS_WITHIN : LAYERS_PAIR);
    s->from_models = true;
}

/* The line chosen in the list, or the first one. */
static const struct layers_line *line_of(const struct layers *s)
{
    size_t at = s->on_detail ? s->list.cursor : 0;

    return at < s->map.lines ? &s->map.line[at] : NULL;
}

static void open_cell(struct wb_view *v)
{
    const struct layers *s = v->state;
    const struct layers_line *line = line_of(s);

    if (s->map.rows == 0)
        return;
    if (s->mode == LAYERS_MODELS)
        open_models(v);
    else if (line == NULL)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no tensor in this cell");
    else if (line->kind == LAYERS_ONLY_A)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "the current model has no %s", line->name);
    else
        wb_desk_go(v->desk, "tensors", line->name);
}

static bool back(struct wb_view *v)
{
    struct layers *s = v->state;

    if (s->on_detail) {
        s->on_detail = false;
        return true;
    }
    if (!s->from_models)
        return false; /* the frame's */
    set_mode(v, LAYERS_MODELS);
    return true;
}

static void answer_text(struct wb_view *v, const char *path)
{
    if (wb_subject_set_text(v->desk, path))
        catch_up(v);
}

static void ask_text(struct wb_view *v)
{
    const struct layers *s = v->state;

    wb_desk_ask(v->desk, v, WB_ASK_PATH, "States on the text: ", s->states.choice[0].text,
                answer_text);
}

static void copy(struct wb_view *v)
{
    const struct layers *s = v->state;
    const struct wb_heat *h = heat_of(v);
    const struct layers_line *line = line_of(s);
    char number[40];

    if (s->on_detail && line != NULL) {
        wb_desk_copy(v->desk, line->name);
        return;
    }
    if (s->map.rows == 0 || isnan(wb_layers_number(s, h->row, h->col))) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no number to copy");
        return;
    }
    snprintf(number, sizeof number, "%.9g", wb_layers_number(s, h->row, h->col));
    wb_desk_copy(v->desk, number);
}

static void answer_export(struct wb_view *v, const char *text)
{
    if (text[0] != '\0')
        wb_layers_export(v, text);
}

static void ask_export(struct wb_view *v)
{
    char name[300];

    if (wb_desk_may_write(v->desk))
        wb_desk_ask(v->desk, v, WB_ASK_PATH,
                    "Write to (.svg or .csv): ", wb_layers_export_name(v, name, sizeof name),
                    answer_export);
}

/* ---- acting ---- */

static bool act_on_panes(struct wb_view *v, enum wb_action action, int count)
{
    struct layers *s = v->state;
    struct layers_parts parts = wb_layers_parts(s, v->rows, v->cols);

    if (s->on_detail)
        return wb_table_act(&s->list, action, count, wb_table_page(&s->list, parts.list.rows));
    if (s->map.rows > 0) {
        if (!wb_heat_act(heat_of(v), action, count, v->desk->theme, parts.map.rows - 1,
                         parts.map.cols))
            return false;
        wb_layers_make_lines(v);
    } else if (action == WB_ACTION_RANGE) { /* of the map that is being computed */
        heat_of(v)->automatic = !heat_of(v)->automatic;
    }
    return true;
}

static bool act_on_view(struct wb_view *v, enum wb_action action)
{
    struct layers *s = v->state;

    switch (action) {
    case WB_ACTION_OPEN:
        open_cell(v);
        return true;
    case WB_ACTION_BACK:
        return back(v);
    case WB_ACTION_PANE_NEXT:
    case WB_ACTION_PANE_PREVIOUS:
        s->on_detail = !s->on_detail && s->map.rows > 0;
        return true;
    case WB_ACTION_COPY:
        copy(v);
        return true;
    case WB_ACTION_EXPORT:
        ask_export(v);
        return true;
    case WB_ACTION_EXACT:
        wb_layers_want_exact(v);
        return true;
    case WB_ACTION_CANCEL:
        wb_layers_stop(v);
        return true;
    default:
        return false;
    }
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct layers *s = v->state;

    catch_up(v);
    if (wb_desk_current(v->desk) == NULL && action != WB_ACTION_BACK) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "there is no model to look at; screen 'Models' opens one");
        return true;
    }
    if (s->on_states && action != WB_ACTION_MODE && action != WB_ACTION_MODEL_NEXT &&
        action != WB_ACTION_OTHER_NEXT && action != WB_ACTION_EXPORT && action != WB_ACTION_EDIT)
        return wb_states_pane_act(v, &s->states, action, count);
    switch (action) {
    case WB_ACTION_MODE: /* round: pair, layers, models, states */
        if (s->on_states || s->mode + 1 < LAYERS_MODES)
            set_mode(v, s->on_states ? LAYERS_PAIR : (enum layers_mode)(s->mode + 1));
        else
            set_states(v);
        return true;
    case WB_ACTION_EDIT:
        if (!s->on_states)
            set_states(v);
        ask_text(v);
        return true;
    case WB_ACTION_METRIC:
        next_metric(v);
        return true;
    case WB_ACTION_DELTAS:
        set_deltas(v, !s->deltas);
        return true;
    case WB_ACTION_ROLE_NEXT:
    case WB_ACTION_ROLE_PREVIOUS:
        step_role(v, action == WB_ACTION_ROLE_NEXT ? count : -count);
        return true;
    case WB_ACTION_MODEL_NEXT:
        if (wb_desk_step(v->desk, &v->desk->current, v->desk->current, 0))
            catch_up(v);
        return true;
    case WB_ACTION_OTHER_NEXT:
        next_other(v);
        return true;
    default:
        return act_on_view(v, action) || act_on_panes(v, action, count);
    }
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct layers *s = v->state;
    struct layers_parts parts;
    struct wb_mouse at;

    catch_up(v);
    if (s->on_states) {
        wb_states_pane_mouse(v, &s->states, event);
        return;
    }
    parts = wb_layers_parts(s, v->rows, v->cols);
    if (s->map.rows == 0)
        return;
    if (wb_rect_hit(&parts.list, event, &at)) {
        s->on_detail = event->kind == WB_MOUSE_PRESS || s->on_detail;
        if (wb_table_mouse(&s->list, at, parts.list.rows, parts.list.cols) == WB_TABLE_OPENED)
            open_cell(v);
        s->list.sort = -1; /* in the order of the model */
        return;
    }
    parts.map = wb_rect_below(parts.map, 1);
    if (!wb_rect_hit(&parts.map, event, &at))
        return;
    s->on_detail = false;
    if (!wb_heat_mouse(heat_of(v), at, v->desk->theme, parts.map.rows, parts.map.cols))
        return;
    wb_layers_make_lines(v);
    if (at.kind == WB_MOUSE_DOUBLE)
        open_cell(v);
}

/* Columns, then rows: the next label with the text. */
static bool search(struct wb_view *v, const char *text, int direction)
{
    struct layers *s = v->state;
    struct wb_heat *h;
    int cols, n, from;

    catch_up(v);
    if (s->on_states)
        return false;
    h = heat_of(v);
    cols = s->map.cols;
    n = cols + s->map.rows;
    from = h->col;
    if (n > 0 && strcasestr(s->map.col_label[h->col], text) == NULL &&
        strcasestr(s->map.row_label[h->row], text) != NULL)
        from = cols + h->row;
    for (int i = direction == 0 ? 0 : 1; n > 0 && i <= n; i++) {
        int at = ((from + (direction < 0 ? -i : i)) % n + n) % n;
        const char *label = at < cols ? s->map.col_label[at] : s->map.row_label[at - cols];

        if (strcasestr(label, text) == NULL)
            continue;
        if (at < cols)
            h->col = at;
        else
            h->row = at - cols;
        wb_layers_make_lines(v);
        return true;
    }
    return false;
}

static bool command(struct wb_view *v, const char *name, const char *argument)
{
    struct layers *s = v->state;

    catch_up(v);
    if (strcmp(name, "text") == 0) {
        if (!s->on_states)
            set_states(v);
        answer_text(v, argument);
        return true;
    }
    if (argument[0] == '\0')
        return false;
    if (strcmp(name, "metric") == 0)
        set_metric(v, argument);
    else if (strcmp(name, "mode") == 0)
        set_mode_named(v, argument);
    else if (strcmp(name, "role") == 0)
        set_role(v, argument);
    else if (strcmp(name, "export") == 0)
        wb_layers_export(v, argument);
    else
        return false;
    return true;
}

/* A mode, or a model to compare the current one with. */
static void show(struct wb_view *v, const char *what)
{
    const struct wb_desk_model *m = wb_desk_find(v->desk, what);

    if (m == NULL) {
        set_mode_named(v, what);
        return;
    }
    if (m->id != v->desk->current)
        v->desk->other = m->id;
    v->desk->version++;
    set_mode(v, LAYERS_PAIR);
}

/* ---- the rest ---- */

static bool poll(struct wb_view *v)
{
    bool changed = catch_up(v);

    changed = wb_layers_poll_answers(v) || changed;
    changed = wb_states_pane_poll(v, &((struct layers *)v->state)->states) || changed;
    return changed;
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct layers *s = v->state;
    const struct wb_heat *h = heat_of(v);
    char text[300];

    if (s->on_states) {
        wb_states_pane_status(v, &s->states, where, position);
        return;
    }
    wb_str_printf(where, "Layers");
    if (s->question.models == 0)
        return;
    wb_str_printf(where, " > %s", wb_layers_title(v, text, sizeof text));
    if (s->map.rows == 0 || s->map.cols == 0)
        return;
    wb_str_printf(position, "%s   ", wb_layers_grade(s, text, sizeof text));
    wb_str_printf(position, "%s : %s  %s%s", s->map.row_label[h->row], s->map.col_label[h->col],
                  s->answer->grade == LAYERS_SAMPLED ? "~" : "",
                  wb_heat_text(h, h->row, h->col, text, sizeof text));
}

static bool busy(const struct wb_view *v)
{
    const struct layers *s = v->state;

    return s->task != NULL || s->states.task != NULL;
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct layers *s = v->state;

    (void)err;
    s->list = (struct wb_table){ .column = wb_layers_columns,
                                 .columns = LAYERS_LIST_COLUMNS,
                                 .cell = wb_layers_cell,
                                 .user = v,
                                 .sort = -1,
                                 .empty = "nothing" };
    s->metric[LAYERS_PAIR] = LAYERS_L2; /* cosines of related models are all nearly 1 */
    s->seen = s->checked = v->desk->version - 1;
    return true;
}

static void close(struct wb_view *v)
{
    struct layers *s = v->state;

    wb_layers_free_map(&s->map);
    wb_layers_free_answers(s);
    wb_states_pane_free(&s->states);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,       WB_ACTION_BACK,      WB_ACTION_MODE,          WB_ACTION_METRIC,
    WB_ACTION_DELTAS,     WB_ACTION_ROLE_NEXT, WB_ACTION_ROLE_PREVIOUS, WB_ACTION_MODEL_NEXT,
    WB_ACTION_OTHER_NEXT, WB_ACTION_EXACT,     WB_ACTION_EDIT,          WB_ACTION_EXPORT,
    WB_ACTION_RANGE,      WB_ACTION_ZOOM_IN,   WB_ACTION_ZOOM_OUT,      WB_ACTION_COPY,
    WB_ACTION_CANCEL,     WB_ACTION_PANE_NEXT, WB_ACTION_PANE_PREVIOUS, WB_ACTION_UP,
    WB_ACTION_DOWN,       WB_ACTION_LEFT,      WB_ACTION_RIGHT,         WB_ACTION_FIRST,
    WB_ACTION_LAST,       WB_ACTION_PAGE_UP,   WB_ACTION_PAGE_DOWN,     WB_ACTION_HALF_UP,
    WB_ACTION_HALF_DOWN,  WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_MODE,   WB_ACTION_METRIC,    WB_ACTION_DELTAS,
                                        WB_ACTION_OPEN,   WB_ACTION_ROLE_NEXT, WB_ACTION_OTHER_NEXT,
                                        WB_ACTION_EXPORT, WB_ACTION_NONE };

static const struct wb_key_doc typed[] = {
    { ":metric NAME",
      "cosine, relative-l2 or sign, delta-cosine ...; of states cka, cosine, angular" },
    { ":mode NAME", "pair, layers, models or states" },
    { ":text FILE", "states on this text; without FILE the one that is at hand" },
    { ":role NAME", "q, gate and so on, or all" },
    { ":export FILE", "the numbers into FILE.csv, a picture into FILE.svg" },
    { NULL, NULL },
};

const struct wb_view_ops wb_layers_view = {
    .name = "layers",
    .title = "Layers",
    .doc = "How alike weights are (two models, layers, several models), and states on a text",
    .state_size = sizeof(struct layers),
    .actions = actions,
    .hints = hints,
    .keys = typed,
    .open = open,
    .close = close,
    .draw = wb_layers_draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .show = show,
    .status = status,
    .search = search,
    .command = command,
    .busy = busy,
};
