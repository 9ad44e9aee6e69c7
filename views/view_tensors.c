/* views/view_tensors.c - the tensors of a model: a tree by layer, statistics, one of them close up. */
#include "views/view_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/desk.h"
#include "views/screens.h"

/* Acting */

static size_t page(const struct wb_view *v)
{
    const struct tensors *s = v->state;

    return wb_table_page(&s->table, v->rows);
}

static void answer_filter(struct wb_view *v, const char *text)
{
    struct tensors *s = v->state;

    snprintf(s->filter, sizeof s->filter, "%s", text);
    wb_tensors_make_rows(s);
}

/* Rows and columns of values that one key moves by; false: not a movement. */
static bool slice_step(const struct wb_view *v, enum wb_action action, int count, long *rows,
                       long *columns)
{
    uint64_t high, wide;

    wb_tensors_slice_size(v, &high, &wide);
    *rows = *columns = 0;
    switch (action) {
    case WB_ACTION_UP:
    case WB_ACTION_DOWN:
        *rows = action == WB_ACTION_UP ? -count : count;
        return true;
    case WB_ACTION_LEFT:
    case WB_ACTION_RIGHT:
        *columns = action == WB_ACTION_LEFT ? -count : count;
        return true;
    case WB_ACTION_PAGE_UP:
    case WB_ACTION_PAGE_DOWN:
        *rows = (action == WB_ACTION_PAGE_UP ? -count : count) * (long)high;
        return true;
    case WB_ACTION_HALF_UP:
    case WB_ACTION_HALF_DOWN:
        *columns = (action == WB_ACTION_HALF_UP ? -count : count) * (long)wide;
        return true;
    case WB_ACTION_FIRST:
        *rows = *columns = -(1L << 40);
        return true;
    case WB_ACTION_LAST:
        *rows = *columns = 1L << 40;
        return true;
    default:
        return false;
    }
}

static void next_mode(struct wb_view *v)
{
    static const char *const names[] = { "a histogram", "a histogram of logarithms", "values" };
    struct tensors *s = v->state;

    s->mode = (enum tensors_mode)((s->mode + 1) % TENSORS_MODES);
    s->close.err.code = WB_OK;
    if (s->mode != TENSORS_VALUES)
        s->close.grade = TENSORS_NONE; /* the other kind of bins */
    if (wb_tensors_entry(s) == SIZE_MAX || s->pane == TENSORS_LIST)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "a tensor opens with %s", names[s->mode]);
}

static bool needs_model(enum wb_action action)
{
    return action == WB_ACTION_OPEN || action == WB_ACTION_MODE || action == WB_ACTION_EXACT ||
           action == WB_ACTION_ZOOM_IN || action == WB_ACTION_ZOOM_OUT;
}

static bool copy(struct wb_view *v)
{
    struct tensors *s = v->state;
    size_t entry = wb_tensors_entry(s);

    if (entry != SIZE_MAX)
        wb_desk_copy(v->desk, wb_model_entry(s->model, entry)->name);
    return entry != SIZE_MAX;
}

static void open_row(struct tensors *s)
{
    if (wb_tensors_entry(s) == SIZE_MAX)
        wb_tensors_fold(s, false);
    else
        s->pane = TENSORS_DETAIL;
}

static void cancel(struct tensors *s)
{
    if (s->close_task != NULL)
        wb_task_cancel(s->close_task);
    if (s->stats_task != NULL)
        wb_task_cancel(s->stats_task);
}

static bool act_on_list(struct wb_view *v, enum wb_action action, int count)
{
    struct tensors *s = v->state;

    if (wb_table_act(&s->table, action, count, page(v)))
        return true;
    if (wb_table_sort_act(&s->table, action)) {
        wb_tensors_make_rows(s);
        return true;
    }
    if (action == WB_ACTION_LEFT || action == WB_ACTION_RIGHT) {
        if (action == WB_ACTION_RIGHT && wb_tensors_entry(s) != SIZE_MAX)
            s->pane = TENSORS_DETAIL;
        else
            wb_tensors_fold(s, false);
        return true;
    }
    return false;
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct tensors *s = v->state;
    long rows, columns;

    if (s->model == NULL && needs_model(action))
        return false;
    switch (action) {
    case WB_ACTION_OPEN:
        open_row(s);
        return true;
    case WB_ACTION_BACK:
        if (s->pane == TENSORS_LIST)
            return false; /* the frame's */
        s->pane = TENSORS_LIST;
        return true;
    case WB_ACTION_PANE_NEXT:
    case WB_ACTION_PANE_PREVIOUS:
        s->pane = s->pane == TENSORS_LIST ? TENSORS_DETAIL : TENSORS_LIST;
        return true;
    case WB_ACTION_MODE:
        next_mode(v);
        return true;
    case WB_ACTION_ZOOM_IN:
    case WB_ACTION_ZOOM_OUT:
        if (s->table.sort >= 0)
            wb_desk_say(v->desk, WB_MESSAGE_NOTE, "sorted tensors have no layers to fold");
        else
            wb_tensors_fold(s, true);
        return true;
    case WB_ACTION_FILTER:
        wb_desk_ask(v->desk, v, WB_ASK_TEXT, "Show names with (or a glob): ", s->filter,
                    answer_filter);
        return true;
    case WB_ACTION_EXACT:
        wb_tensors_want_all(v);
        return true;
    case WB_ACTION_COPY:
        return copy(v);
    case WB_ACTION_CANCEL:
        cancel(s);
        return true;
    default:
        break;
    }
    if (s->pane == TENSORS_LIST || s->mode != TENSORS_VALUES)
        return act_on_list(v, action, count);
    if (slice_step(v, action, count, &rows, &columns))
        wb_tensors_move_slice(v, rows, columns);
    return true;
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct tensors *s = v->state;
    int cols = wb_tensors_list_cols(v);

    if (event->col >= cols) {
        if (event->kind == WB_MOUSE_PRESS)
            s->pane = TENSORS_DETAIL;
        else if (s->mode == TENSORS_VALUES)
            wb_tensors_move_slice(v, event->kind == WB_MOUSE_WHEEL_UP ? -3 : 3, 0);
        return;
    }
    s->pane = TENSORS_LIST;
    switch (wb_table_mouse(&s->table, *event, v->rows, cols)) {
    case WB_TABLE_OPENED:
        open_row(s);
        break;
    case WB_TABLE_SORTED:
        wb_tensors_make_rows(s);
        break;
    default:
        break;
    }
}

/* Over all tensors that the filter lets through, folded ones too. */
static bool search(struct wb_view *v, const char *text, int direction)
{
    struct tensors *s = v->state;
    size_t n = s->model == NULL ? 0 : wb_model_count(s->model), at = wb_tensors_entry(s);

    if (at == SIZE_MAX)
        at = s->table.cursor < s->table.rows ? s->row[s->table.cursor].entry : 0;
    for (size_t i = direction == 0 ? 0 : 1; n > 0 && i <= n; i++) {
        size_t entry = direction < 0 ? (at + n - i % n) % n : (at + i) % n;

        if (strcasestr(wb_model_entry(s->model, entry)->name, text) != NULL &&
            wb_tensors_select(s, entry, page(v)))
            return true;
    }
    return false;
}

static void show(struct wb_view *v, const char *what)
{
    struct tensors *s = v->state;

    wb_tensors_set_model(v);
    for (size_t i = 0; s->model != NULL && i < wb_model_count(s->model); i++)
        if (strcmp(wb_model_entry(s->model, i)->name, what) == 0) {
            if (!wb_tensors_select(s, i, page(v))) {
                s->filter[0] = '\0';
                wb_tensors_make_rows(s);
                wb_tensors_select(s, i, page(v));
            }
            return;
        }
    wb_desk_say(v->desk, WB_MESSAGE_NOTE, "this model has no tensor %s", what);
}

static bool command(struct wb_view *v, const char *name, const char *argument)
{
    if (strcmp(name, "filter") != 0)
        return false;
    answer_filter(v, argument);
    return true;
}

static bool poll(struct wb_view *v)
{
    struct tensors *s = v->state;
    bool changed = false;

    if (s->seen != v->desk->version) {
        s->seen = v->desk->version;
        wb_tensors_set_model(v);
        changed = true;
    }
    return wb_tensors_poll_figures(v) || changed;
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct tensors *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    size_t entry = wb_tensors_entry(s), count;

    wb_str_printf(where, "Tensors");
    if (m != NULL)
        wb_str_printf(where, " > %s", m->name);
    if (entry != SIZE_MAX)
        wb_str_printf(where, " > %s", wb_model_entry(s->model, entry)->name);
    if (s->model == NULL)
        return;
    count = wb_model_count(s->model);
    if (s->filter[0] != '\0')
        wb_str_printf(position, "filter %s   ", s->filter);
    if (s->figures->sampled_to < count)
        wb_str_printf(position, "sampling %zu/%zu   ", s->figures->sampled_to, count);
    else if (s->figures->want_exact && s->figures->exact_to < count)
        wb_str_printf(position, "exact %zu/%zu   ", s->figures->exact_to, count);
    wb_str_printf(position, "%zu/%zu", s->table.rows == 0 ? 0 : s->table.cursor + 1, s->table.rows);
}

static bool busy(const struct wb_view *v)
{
    return wb_tensors_busy(v->state);
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct tensors *s = v->state;

    (void)err;
    s->table = (struct wb_table){ .column = wb_tensors_columns,
                                  .columns = TENSORS_COLUMNS,
                                  .cell = wb_tensors_cell,
                                  .user = s,
                                  .sort = -1 };
    s->seen = v->desk->version - 1;
    return true;
}

static void close(struct wb_view *v)
{
    struct tensors *s = v->state;

    wb_tensors_free_figures(s);
    free(s->row);
    free(s->folded);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,          WB_ACTION_BACK,         WB_ACTION_MODE,      WB_ACTION_FILTER,
    WB_ACTION_SORT,          WB_ACTION_SORT_REVERSE, WB_ACTION_EXACT,     WB_ACTION_ZOOM_IN,
    WB_ACTION_ZOOM_OUT,      WB_ACTION_COPY,         WB_ACTION_CANCEL,    WB_ACTION_PANE_NEXT,
    WB_ACTION_PANE_PREVIOUS, WB_ACTION_UP,           WB_ACTION_DOWN,      WB_ACTION_LEFT,
    WB_ACTION_RIGHT,         WB_ACTION_FIRST,        WB_ACTION_LAST,      WB_ACTION_PAGE_UP,
    WB_ACTION_PAGE_DOWN,     WB_ACTION_HALF_UP,      WB_ACTION_HALF_DOWN, WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_OPEN,    WB_ACTION_MODE, WB_ACTION_SEARCH,
                                        WB_ACTION_FILTER,  WB_ACTION_SORT, WB_ACTION_EXACT,
                                        WB_ACTION_ZOOM_IN, WB_ACTION_NONE };

const struct wb_view_ops wb_tensors_view = {
    .name = "tensors",
    .title = "Tensors",
    .doc = "The tensors of the current model by layer, with statistics; one of them close up",
    .state_size = sizeof(struct tensors),
    .actions = actions,
    .hints = hints,
    .open = open,
    .close = close,
    .draw = wb_tensors_draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .show = show,
    .status = status,
    .search = search,
    .command = command,
    .busy = busy,
};
