/* views/view_heads.c - what attention heads do: every statistic of every head, and what one of them
 * attends to in a text. */
#include "views/view_heads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "views/screens.h"

#define FIRST_TEXT "When Mary and John went to the store, John gave a bottle of milk to Mary"

/* ---- what is looked at ---- */

static bool catch_up(struct wb_view *v)
{
    struct heads *s = v->state;

    if (s->seen == v->desk->version || v->away) /* asked again on coming back */
        return false;
    s->seen = v->desk->version;
    wb_headview_ask(v);
    return true;
}

static void set_stat(struct wb_view *v, int stat)
{
    struct heads *s = v->state;

    s->stat = stat;
    s->stats.cursor = (size_t)stat;
    wb_headview_prepare(v);
}

static void set_stat_named(struct wb_view *v, const char *name)
{
    for (int i = 0; i < HEADS_STATS; i++)
        if (strcmp(name, wb_headview_stat_name(i)) == 0) {
            set_stat(v, i);
            return;
        }
    wb_desk_say(v->desk, WB_MESSAGE_ERROR, "there is no statistic %s; Tab lists them", name);
}

/* The list of statistics scrolls to the one shown. */
static void follow_stat(struct wb_view *v)
{
    struct heads *s = v->state;
    struct heads_parts parts = wb_headview_layout(s, v->rows, v->cols);

    wb_table_select(&s->stats, (size_t)s->stat, wb_table_page(&s->stats, parts.stats.rows - 1));
}

/* The head of the list's line is the one under the cursor of the map. */
static void take_place(struct heads *s)
{
    if (s->mode != HEADS_LIST || s->place == NULL || s->list.cursor >= s->list.rows)
        return;
    s->heat.row = s->place[s->list.cursor] / s->answer->heads;
    s->heat.col = s->place[s->list.cursor] % s->answer->heads;
}

static void next_order(struct wb_view *v, int by)
{
    static const char *const words[HEADS_ORDERS] = { "by layer", "by the statistic shown",
                                                     "by retrieval priority" };
    struct heads *s = v->state;

    s->order = (enum heads_order)((s->order + HEADS_ORDERS + by) % HEADS_ORDERS);
    wb_headview_prepare(v);
    wb_table_select(&s->list, 0, 1);
    take_place(s);
    wb_desk_say(v->desk, WB_MESSAGE_NOTE, "heads are listed %s", words[s->order]);
}

/* ---- patterns ---- */

static void answer_text(struct wb_view *v, const char *text)
{
    struct heads *s = v->state;

    if (text[0] == '\0')
        return;
    snprintf(s->text, sizeof s->text, "%s", text);
    s->mode = HEADS_PATTERN;
    wb_headview_pattern_ask(v);
}

static void open_pattern(struct wb_view *v)
{
    struct heads *s = v->state;

    if (s->heat.rows == 0)
        return;
    s->on_list = false;
    s->mode = HEADS_PATTERN;
    wb_headview_pattern_ask(v);
}

/* The head beside it, in the order of layers. */
static void step_head(struct wb_view *v, int by)
{
    struct heads *s = v->state;
    int n = s->heat.rows * s->heat.cols, at;

    if (n == 0)
        return;
    at = ((s->heat.row * s->heat.cols + s->heat.col + by) % n + n) % n;
    s->heat.row = at / s->heat.cols;
    s->heat.col = at % s->heat.cols;
    if (s->mode == HEADS_PATTERN)
        wb_headview_pattern_ask(v);
}

static bool back(struct wb_view *v)
{
    struct heads *s = v->state;

    if (s->mode == HEADS_PATTERN) {
        s->mode = HEADS_GRID;
        wb_headview_pattern_free(s);
        return true;
    }
    if (s->on_list) {
        s->on_list = false;
        return true;
    }
    return false; /* the frame's */
}

/* ---- further ---- */

/* To the queries of the layer, with a word about which of their rows are the head's. */
static void jump(struct wb_view *v)
{
    static const char *const roles[] = { "q", "qkv" };
    const struct heads *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);

    for (size_t i = 0;
         s->heat.rows > 0 && m != NULL && m->model != NULL && i < wb_model_count(m->model); i++) {
        const struct wb_entry *e = wb_model_entry(m->model, i);

        for (size_t r = 0; r < sizeof roles / sizeof *roles; r++)
            if (e->role.layer == s->heat.row && strcmp(e->role.role, roles[r]) == 0) {
                wb_desk_go(v->desk, "tensors", e->name);
                wb_desk_say(v->desk, WB_MESSAGE_NOTE, "head %d is part %d of %d of its rows",
                            s->heat.col, s->heat.col + 1, s->heat.cols);
                return;
            }
    }
    wb_desk_say(v->desk, WB_MESSAGE_NOTE, "the queries of this layer are no tensor by themselves");
}

static void copy(struct wb_view *v)
{
    const struct heads *s = v->state;
    const struct wb_heat *h = s->mode == HEADS_PATTERN ? &s->pattern_heat : &s->heat;
    char number[40];

    if (h->rows == 0 || isnan(h->value[h->row * h->cols + h->col])) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no number to copy");
        return;
    }
    snprintf(number, sizeof number, "%.9g",
             s->mode == HEADS_PATTERN ? (double)h->value[h->row * h->cols + h->col]
                                      : wb_headview_number(s, s->stat, h->row, h->col));
    wb_desk_copy(v->desk, number);
}

static void answer_export(struct wb_view *v, const char *text)
{
    if (text[0] != '\0')
        wb_headview_export(v, text);
}

static void ask_export(struct wb_view *v)
{
    const struct heads *s = v->state;
    char name[300];

    if (s->heat.rows == 0)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is nothing to write yet");
    else if (wb_desk_may_write(v->desk))
        wb_desk_ask(v->desk, v, WB_ASK_PATH,
                    "Write to (.svg or .csv): ", wb_headview_export_name(v, name, sizeof name),
                    answer_export);
}

static void answer_file(struct wb_view *v, const char *text)
{
    if (wb_subject_set_text(v->desk, text))
        catch_up(v);
}

static void edit(struct wb_view *v)
{
    const struct heads *s = v->state;

    if (s->mode == HEADS_PATTERN)
        wb_desk_ask(v->desk, v, WB_ASK_TEXT, "Text: ", s->text, answer_text);
    else
        wb_desk_ask(v->desk, v, WB_ASK_PATH, "Look at heads on the text: ", s->choice.text,
                    answer_file);
}

/* ---- acting ---- */

static bool act_on_panes(struct wb_view *v, enum wb_action action, int count)
{
    struct heads *s = v->state;
    struct heads_parts parts = wb_headview_layout(s, v->rows, v->cols);

    if (s->heat.rows == 0)
        return true;
    if (s->mode == HEADS_PATTERN)
        return s->pattern.n == 0 || wb_heat_act(&s->pattern_heat, action, count, v->desk->theme,
                                                parts.main.rows - 3, parts.main.cols);
    if (s->on_list) {
        if (!wb_table_act(&s->stats, action, count, wb_table_page(&s->stats, parts.stats.rows - 1)))
            return false;
        s->stat = (int)s->stats.cursor;
        wb_headview_prepare(v);
        return true;
    }
    if (action == WB_ACTION_RANGE) {
        s->range_flipped = !s->range_flipped;
        wb_headview_prepare(v);
        return true;
    }
    if (s->mode == HEADS_GRID)
        return wb_heat_act(&s->heat, action, count, v->desk->theme, parts.main.rows - 3,
                           parts.main.cols);
    if (!wb_table_act(&s->list, action, count, wb_table_page(&s->list, parts.main.rows - 3)))
        return false;
    take_place(s);
    return true;
}

static bool act_on_heads(struct wb_view *v, enum wb_action action, int count)
{
    struct heads *s = v->state;

    switch (action) {
    case WB_ACTION_METRIC:
        set_stat(v, (s->stat + 1) % HEADS_STATS);
        follow_stat(v);
        return true;
    case WB_ACTION_MODE:
        s->mode = s->mode == HEADS_GRID ? HEADS_LIST : HEADS_GRID;
        s->on_list = false;
        return true;
    case WB_ACTION_SORT:
    case WB_ACTION_SORT_REVERSE:
        s->mode = HEADS_LIST;
        next_order(v, action == WB_ACTION_SORT ? 1 : -1);
        return true;
    case WB_ACTION_HEAD_NEXT:
    case WB_ACTION_HEAD_PREVIOUS:
        step_head(v, action == WB_ACTION_HEAD_NEXT ? count : -count);
        return true;
    case WB_ACTION_OPEN:
        if (s->on_list)
            s->on_list = false;
        else if (s->mode != HEADS_PATTERN)
            open_pattern(v);
        return true;
    case WB_ACTION_EXACT:
        wb_headview_want(v, 1U << wb_headview_part_of(s->stat));
        return true;
    case WB_ACTION_PANE_NEXT:
    case WB_ACTION_PANE_PREVIOUS:
        s->on_list = !s->on_list && s->heat.rows > 0 && s->mode != HEADS_PATTERN;
        if (s->on_list)
            follow_stat(v);
        return true;
    default:
        return false;
    }
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    catch_up(v);
    if (wb_desk_current(v->desk) == NULL && action != WB_ACTION_BACK) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "there is no model to look at; screen 'Models' opens one");
        return true;
    }
    switch (action) {
    case WB_ACTION_BACK:
        return back(v);
    case WB_ACTION_MODEL_NEXT:
        if (wb_desk_step(v->desk, &v->desk->current, v->desk->current, 0))
            catch_up(v);
        return true;
    case WB_ACTION_JUMP:
        jump(v);
        return true;
    case WB_ACTION_COPY:
        copy(v);
        return true;
    case WB_ACTION_EXPORT:
        ask_export(v);
        return true;
    case WB_ACTION_EDIT:
        edit(v);
        return true;
    case WB_ACTION_CANCEL:
        wb_headview_stop(v);
        return true;
    default:
        return act_on_heads(v, action, count) || act_on_panes(v, action, count);
    }
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct heads *s = v->state;
    struct heads_parts parts = wb_headview_layout(s, v->rows, v->cols);
    struct wb_rect stats = wb_rect_below(parts.stats, 1), main = wb_rect_below(parts.main, 3);
    struct wb_mouse at;

    if (s->heat.rows == 0)
        return;
    if (wb_rect_hit(&stats, event, &at)) {
        s->on_list = s->on_list || event->kind == WB_MOUSE_PRESS;
        wb_table_mouse(&s->stats, at, stats.rows, stats.cols);
        s->stats.sort = -1;
        s->stat = (int)s->stats.cursor;
        wb_headview_prepare(v);
    } else if (wb_rect_hit(&main, event, &at)) {
        s->on_list = false;
        if (s->mode == HEADS_LIST) {
            wb_table_mouse(&s->list, at, main.rows, main.cols);
            s->list.sort = -1;
            take_place(s);
        } else if (wb_heat_mouse(s->mode == HEADS_PATTERN ? &s->pattern_heat : &s->heat, at,
                                 v->desk->theme, main.rows, main.cols) &&
                   at.kind == WB_MOUSE_DOUBLE && s->mode == HEADS_GRID) {
            open_pattern(v);
        }
    }
}

/* The next statistic whose name or words have the text. */
static bool search(struct wb_view *v, const char *text, int direction)
{
    struct heads *s = v->state;

    for (int i = direction == 0 ? 0 : 1; i <= HEADS_STATS; i++) {
        int at = ((s->stat + (direction < 0 ? -i : i)) % HEADS_STATS + HEADS_STATS) % HEADS_STATS;

        if (strcasestr(wb_headview_stat_name(at), text) == NULL &&
            strcasestr(wb_headview_stat_doc(at), text) == NULL)
            continue;
        set_stat(v, at);
        follow_stat(v);
        return true;
    }
    return false;
}

static bool command(struct wb_view *v, const char *name, const char *argument)
{
    bool text = strcmp(name, "text") == 0;

    catch_up(v);
    if (argument[0] == '\0' && !text)
        return false;
    if (text)
        answer_file(v, argument);
    else if (strcmp(name, "stat") == 0)
        set_stat_named(v, argument);
    else if (strcmp(name, "attend") == 0)
        answer_text(v, argument);
    else if (strcmp(name, "export") == 0)
        wb_headview_export(v, argument);
    else
        return false;
    return true;
}

/* A statistic, or a head: "7.3". */
static void show(struct wb_view *v, const char *what)
{
    struct heads *s = v->state;
    int layer, head;

    catch_up(v);
    if (wb_parse_pair(what, '.', 999999, &layer, &head)) {
        if (layer < s->heat.rows && head < s->heat.cols) {
            s->heat.row = layer;
            s->heat.col = head;
        }
        return;
    }
    set_stat_named(v, what);
}

/* ---- the rest ---- */

static bool poll(struct wb_view *v)
{
    bool changed = catch_up(v);

    changed = wb_headview_poll(v) || changed;
    changed = wb_headview_pattern_poll(v) || changed;
    return changed;
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct heads *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    const struct wb_heat *h = s->mode == HEADS_PATTERN ? &s->pattern_heat : &s->heat;
    char text[100], row[40], col[40];

    wb_str_add(where, "Heads");
    if (m == NULL)
        return;
    wb_str_printf(where, " > %s", m->name);
    if (s->heat.rows == 0)
        return;
    wb_str_printf(where, " > %d.%d", s->heat.row, s->heat.col);
    if (h->rows == 0)
        return;
    if (s->mode == HEADS_PATTERN)
        wb_str_printf(position, "%s : %s  ", wb_heat_label(&h->row_axis, h->row, row, sizeof row),
                      wb_heat_label(&h->col_axis, h->col, col, sizeof col));
    else
        wb_str_printf(position, "%s  ", wb_headview_stat_name(s->stat));
    wb_str_add(position, wb_heat_text(h, h->row, h->col, text, sizeof text));
}

static bool busy(const struct wb_view *v)
{
    const struct heads *s = v->state;

    return s->task != NULL || s->pattern_task != NULL;
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct heads *s = v->state;

    (void)err;
    s->stats = (struct wb_table){ .column = wb_headview_stats_columns,
                                  .columns = HEADS_STATS_COLUMNS,
                                  .rows = HEADS_STATS,
                                  .cell = wb_headview_stats_cell,
                                  .user = v,
                                  .sort = -1 };
    s->list = (struct wb_table){ .column = wb_headview_list_columns,
                                 .columns = HEADS_LIST_COLUMNS,
                                 .cell = wb_headview_list_cell,
                                 .user = v,
                                 .sort = -1,
                                 .empty = "no heads" };
    s->heat.stretch = false;
    s->pattern_heat = (struct wb_heat){ .min = 0,
                                        .max = 1,
                                        .quantity = "weight of attention",
                                        .row_axis = { .names = true },
                                        .col_axis = { .names = true } };
    snprintf(s->text, sizeof s->text, "%s", FIRST_TEXT);
    s->seen = v->desk->version - 1;
    return true;
}

static void close(struct wb_view *v)
{
    struct heads *s = v->state;

    wb_headview_free_answers(s);
    wb_headview_pattern_free(s);
    free(s->value);
    free(s->place);
}

static const enum wb_action actions[] = {
    WB_ACTION_METRIC,    WB_ACTION_OPEN,          WB_ACTION_BACK,      WB_ACTION_MODE,
    WB_ACTION_SORT,      WB_ACTION_SORT_REVERSE,  WB_ACTION_EDIT,      WB_ACTION_EXACT,
    WB_ACTION_HEAD_NEXT, WB_ACTION_HEAD_PREVIOUS, WB_ACTION_JUMP,      WB_ACTION_MODEL_NEXT,
    WB_ACTION_EXPORT,    WB_ACTION_RANGE,         WB_ACTION_ZOOM_IN,   WB_ACTION_ZOOM_OUT,
    WB_ACTION_COPY,      WB_ACTION_CANCEL,        WB_ACTION_PANE_NEXT, WB_ACTION_PANE_PREVIOUS,
    WB_ACTION_UP,        WB_ACTION_DOWN,          WB_ACTION_LEFT,      WB_ACTION_RIGHT,
    WB_ACTION_FIRST,     WB_ACTION_LAST,          WB_ACTION_PAGE_UP,   WB_ACTION_PAGE_DOWN,
    WB_ACTION_HALF_UP,   WB_ACTION_HALF_DOWN,     WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_METRIC, WB_ACTION_OPEN,   WB_ACTION_PANE_NEXT,
                                        WB_ACTION_MODE,   WB_ACTION_EDIT,   WB_ACTION_EXACT,
                                        WB_ACTION_JUMP,   WB_ACTION_EXPORT, WB_ACTION_NONE };

static const struct wb_key_doc typed[] = {
    { ":stat NAME", "the statistic shown" },
    { ":text FILE", "look at this text; without FILE the one that is at hand" },
    { ":attend TEXT", "what the head under the cursor attends to in TEXT" },
    { ":export FILE", "all statistics into FILE.csv, a picture into FILE.svg" },
    { NULL, NULL },
};

const struct wb_view_ops wb_heads_view = {
    .name = "heads",
    .title = "Heads",
    .doc = "What attention heads do: on a text, on random tokens, by their weights",
    .state_size = sizeof(struct heads),
    .actions = actions,
    .hints = hints,
    .keys = typed,
    .open = open,
    .close = close,
    .draw = wb_headview_draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .show = show,
    .status = status,
    .search = search,
    .command = command,
    .busy = busy,
};
