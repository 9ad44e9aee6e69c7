/* views/view_models.c - the models on the desk: what they are and how they relate. */
#include "views/view_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "views/screens.h"

enum column { NAME, FAMILY, LAYERS, HEADS, PARAMS, DTYPE, SIZE, COLUMNS };

static const struct wb_table_column columns[COLUMNS] = {
    [NAME] = { .title = "NAME", .width = 14, .flex = 1 },
    [FAMILY] = { .title = "FAMILY", .width = 9 },
    [LAYERS] = { .title = "LAYERS", .width = 6, .align = WB_ALIGN_RIGHT, .priority = 2 },
    [HEADS] = { .title = "HEADS", .width = 6, .align = WB_ALIGN_RIGHT, .priority = 4 },
    [PARAMS] = { .title = "PARAMS", .width = 7, .align = WB_ALIGN_RIGHT },
    [DTYPE] = { .title = "DTYPE", .width = 8, .priority = 3 },
    [SIZE] = { .title = "SIZE", .width = 8, .align = WB_ALIGN_RIGHT, .priority = 1 },
};

/* The table */

const struct wb_desk_model *wb_models_at(const struct wb_view *v, size_t row)
{
    const struct models *s = v->state;

    return row < s->table.rows ? v->desk->model[s->order[row]] : NULL;
}

/* "BF16", or "BF16+2" with other dtypes beside the most frequent one. */
static void dtype_text(const struct wb_model *m, char *out, size_t size)
{
    size_t tensors[WB_DTYPE_COUNT] = { 0 }, kinds = 0, most = 0;

    for (size_t i = 0; i < wb_model_count(m); i++)
        tensors[wb_node_dtype(wb_model_entry(m, i)->node)]++;
    for (size_t d = 0; d < WB_DTYPE_COUNT; d++) {
        kinds += tensors[d] > 0;
        most = tensors[d] > tensors[most] ? d : most;
    }
    if (kinds > 1)
        snprintf(out, size, "%s+%zu", wb_dtype_name((enum wb_dtype)most), kinds - 1);
    else
        snprintf(out, size, "%s", kinds == 0 ? "" : wb_dtype_name((enum wb_dtype)most));
}

void wb_models_heads(const struct wb_dims *dims, char *out, size_t size)
{
    if (dims->heads <= 0)
        out[0] = '\0';
    else if (dims->kv_heads > 0 && dims->kv_heads != dims->heads)
        snprintf(out, size, "%d/%d", dims->heads, dims->kv_heads);
    else
        snprintf(out, size, "%d", dims->heads);
}

static void name_cell(const struct wb_desk_model *m, struct wb_table_cell *cell)
{
    bool failed = m->model == NULL && !m->opening;

    snprintf(cell->text, sizeof cell->text, "%s%s%s", m->name, failed ? " !" : "",
             m->changed ? " (changed)" : "");
    cell->style = failed ? WB_STYLE_ERROR : m->changed ? WB_STYLE_WARNING : WB_STYLE_TEXT;
}

static void model_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct wb_view *v = user;
    const struct wb_desk_model *m = wb_models_at(v, row);
    const struct wb_dims *dims;

    if (column == NAME) {
        name_cell(m, cell);
        return;
    }
    if (m->model == NULL) {
        if (column == FAMILY)
            snprintf(cell->text, sizeof cell->text, m->opening ? "opening" : "failed");
        cell->style = WB_STYLE_DIM;
        return;
    }
    dims = wb_arch_dims(wb_model_arch(m->model));
    switch ((enum column)column) {
    case FAMILY:
        snprintf(cell->text, sizeof cell->text, "%s", wb_arch_family(wb_model_arch(m->model)));
        break;
    case LAYERS:
        snprintf(cell->text, sizeof cell->text, "%d", wb_model_layers(m->model));
        break;
    case HEADS:
        wb_models_heads(dims, cell->text, sizeof cell->text);
        break;
    case PARAMS:
        wb_format_count(cell->text, sizeof cell->text, (double)wb_model_parameters(m->model));
        break;
    case DTYPE:
        dtype_text(m->model, cell->text, sizeof cell->text);
        break;
    default:
        wb_format_bytes(cell->text, sizeof cell->text, (double)wb_model_bytes(m->model));
        break;
    }
}

static bool model_marked(void *user, size_t row)
{
    return wb_models_at(user, row)->marked;
}

/* Sorting */

static int by_number(double a, double b)
{
    return a < b ? 1 : a > b ? -1 : 0; /* the largest first */
}

static int compare_models(const struct wb_desk_model *a, const struct wb_desk_model *b, int column)
{
    if (column == NAME)
        return strcmp(a->name, b->name);
    if (a->model == NULL || b->model == NULL)
        return (a->model == NULL) - (b->model == NULL);
    switch ((enum column)column) {
    case FAMILY:
        return strcmp(wb_arch_family(wb_model_arch(a->model)),
                      wb_arch_family(wb_model_arch(b->model)));
    case LAYERS:
        return by_number(wb_model_layers(a->model), wb_model_layers(b->model));
    case HEADS:
        return by_number(wb_arch_dims(wb_model_arch(a->model))->heads,
                         wb_arch_dims(wb_model_arch(b->model))->heads);
    case PARAMS:
        return by_number((double)wb_model_parameters(a->model),
                         (double)wb_model_parameters(b->model));
    default:
        return by_number((double)wb_model_bytes(a->model), (double)wb_model_bytes(b->model));
    }
}

/* Insertion sort: stable, and there are a handful of models. */
static void sort_rows(struct wb_view *v)
{
    struct models *s = v->state;
    size_t *more = realloc(s->order, (v->desk->models + 1) * sizeof *more);

    if (more == NULL)
        return;
    s->order = more;
    for (size_t i = 0; i < v->desk->models; i++) {
        size_t k = i;

        for (; k > 0 && s->table.sort >= 0; k--) {
            int order =
                compare_models(v->desk->model[s->order[k - 1]], v->desk->model[i], s->table.sort);

            if ((s->table.reverse ? -order : order) <= 0)
                break;
            s->order[k] = s->order[k - 1];
        }
        s->order[k] = i;
    }
    s->table.rows = v->desk->models;
}

/* The cursor is on the desk's current model, whatever the order. */
static void follow_current(struct wb_view *v)
{
    struct models *s = v->state;

    for (size_t i = 0; i < s->table.rows; i++)
        if (wb_models_at(v, i)->id == v->desk->current)
            wb_table_select(&s->table, i, wb_table_page(&s->table, v->rows));
    wb_table_set_rows(&s->table, s->table.rows);
}

static void set_current(struct wb_view *v)
{
    struct models *s = v->state;
    const struct wb_desk_model *m = wb_models_at(v, s->table.cursor);

    if (m == NULL || m->id == v->desk->current)
        return;
    v->desk->current = m->id;
    v->desk->version++;
    s->seen = v->desk->version;
    wb_models_want_comparison(v);
}

/* Acting */

static void answer_open(struct wb_view *v, const char *text)
{
    struct wb_desk_model *m = text[0] == '\0' ? NULL : wb_desk_open(v->desk, text, NULL);

    if (m != NULL)
        v->desk->current = m->id;
}

static void answer_rename(struct wb_view *v, const char *text)
{
    struct wb_err err;

    if (!wb_desk_rename(v->desk, v->desk->current, text, &err))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

static void mark(struct wb_view *v, int how)
{
    struct models *s = v->state;

    for (size_t i = 0; i < v->desk->models; i++) {
        struct wb_desk_model *m = v->desk->model[i];

        if (how >= 0)
            m->marked = how > 0;
        else if (s->table.rows > 0 && s->order[s->table.cursor] == i)
            m->marked = !m->marked;
    }
    v->desk->version++;
}

static bool act_on_model(struct wb_view *v, enum wb_action action, struct wb_desk_model *m)
{
    switch (action) {
    case WB_ACTION_OPEN:
        wb_desk_go(v->desk, "tensors", NULL);
        return true;
    case WB_ACTION_MARK:
        mark(v, -1);
        return true;
    case WB_ACTION_DELETE:
        wb_desk_close(v->desk, m->id);
        return true;
    case WB_ACTION_MODEL_RENAME:
        wb_desk_ask(v->desk, v, WB_ASK_TEXT, "Rename to: ", m->name, answer_rename);
        return true;
    case WB_ACTION_MODEL_RELOAD:
        if (m->path == NULL)
            return false;
        wb_desk_reload(v->desk, m->id);
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is read anew", m->name);
        return true;
    case WB_ACTION_COPY:
        wb_desk_copy(v->desk, m->path == NULL ? m->name : m->path);
        return true;
    case WB_ACTION_EXACT:
        wb_models_want_exact(v);
        return true;
    default:
        return false;
    }
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct models *s = v->state;

    if (wb_table_act(&s->table, action, count, wb_table_page(&s->table, v->rows))) {
        set_current(v);
        return true;
    }
    if (wb_table_sort_act(&s->table, action)) {
        sort_rows(v);
        follow_current(v);
        return true;
    }
    switch (action) {
    case WB_ACTION_MODEL_OPEN:
        wb_desk_ask(v->desk, v, WB_ASK_MODEL, "Open model: ", "", answer_open);
        return true;
    case WB_ACTION_MARK_ALL:
    case WB_ACTION_UNMARK_ALL:
        mark(v, action == WB_ACTION_MARK_ALL);
        return true;
    case WB_ACTION_CANCEL:
        wb_task_cancel(s->versus.exact_task != NULL ? s->versus.exact_task : s->versus.task);
        return true;
    default:
        break;
    }
    if (s->table.rows == 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "no model is open; o opens one");
        return true;
    }
    return act_on_model(v, action, v->desk->model[s->order[s->table.cursor]]);
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct models *s = v->state;
    bool beside = v->cols >= MODELS_DETAIL_COLS;
    int rows = beside ? v->rows : v->rows - MODELS_DETAIL_ROWS,
        cols = beside ? v->cols * 3 / 5 : v->cols;

    if (event->row >= rows || event->col >= cols)
        return;
    switch (wb_table_mouse(&s->table, *event, rows, cols)) {
    case WB_TABLE_SELECTED:
        set_current(v);
        break;
    case WB_TABLE_OPENED:
        set_current(v);
        act(v, WB_ACTION_OPEN, 1);
        break;
    case WB_TABLE_SORTED:
        sort_rows(v);
        follow_current(v);
        break;
    default:
        break;
    }
}

static bool matches(const void *user, size_t row, const char *text)
{
    const struct wb_desk_model *m = wb_models_at(user, row);

    return strcasestr(m->name, text) != NULL ||
           (m->path != NULL && strcasestr(m->path, text) != NULL);
}

static bool search(struct wb_view *v, const char *text, int direction)
{
    struct models *s = v->state;
    bool found =
        wb_table_search(&s->table, wb_table_page(&s->table, v->rows), direction, text, matches, v);

    set_current(v);
    return found;
}

static bool poll(struct wb_view *v)
{
    struct models *s = v->state;
    bool changed = wb_models_poll_comparison(&s->versus);

    if (s->seen == v->desk->version)
        return changed;
    s->seen = v->desk->version;
    sort_rows(v);
    follow_current(v);
    wb_models_want_comparison(v);
    return true;
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct models *s = v->state;
    const struct wb_desk_model *m = wb_models_at(v, s->table.cursor);
    size_t marked = 0;
    uint64_t bytes = 0;
    char size[30];

    wb_str_printf(where, "Models%s%s", m == NULL ? "" : " > ", m == NULL ? "" : m->name);
    for (size_t i = 0; i < v->desk->models; i++) {
        marked += v->desk->model[i]->marked;
        if (v->desk->model[i]->model != NULL)
            bytes += wb_model_bytes(v->desk->model[i]->model);
    }
    if (v->desk->models == 0)
        return;
    wb_str_printf(position, "%zu model%s, %zu marked, %s   %zu/%zu", v->desk->models,
                  v->desk->models == 1 ? "" : "s", marked,
                  wb_format_bytes(size, sizeof size, (double)bytes), s->table.cursor + 1,
                  s->table.rows);
}

static bool busy(const struct wb_view *v)
{
    const struct models *s = v->state;

    return s->versus.task != NULL || s->versus.exact_task != NULL;
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct models *s = v->state;

    (void)err;
    s->table = (struct wb_table){
        .column = columns,
        .columns = COLUMNS,
        .cell = model_cell,
        .marked = model_marked,
        .user = v,
        .sort = -1,
        .empty = "No model is open: o opens a directory, a file, a name in the hub."
    };
    s->seen = v->desk->version - 1;
    return true;
}

static void close(struct wb_view *v)
{
    struct models *s = v->state;

    wb_models_drop_comparison(&s->versus);
    free(s->order);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,         WB_ACTION_MODEL_OPEN, WB_ACTION_DELETE,   WB_ACTION_MODEL_RENAME,
    WB_ACTION_MODEL_RELOAD, WB_ACTION_MARK,       WB_ACTION_MARK_ALL, WB_ACTION_UNMARK_ALL,
    WB_ACTION_EXACT,        WB_ACTION_COPY,       WB_ACTION_SORT,     WB_ACTION_SORT_REVERSE,
    WB_ACTION_UP,           WB_ACTION_DOWN,       WB_ACTION_FIRST,    WB_ACTION_LAST,
    WB_ACTION_PAGE_UP,      WB_ACTION_PAGE_DOWN,  WB_ACTION_HALF_UP,  WB_ACTION_HALF_DOWN,
    WB_ACTION_CANCEL,       WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_MODEL_OPEN, WB_ACTION_OPEN, WB_ACTION_MARK,
                                        WB_ACTION_DELETE,     WB_ACTION_SORT, WB_ACTION_EXACT,
                                        WB_ACTION_NONE };

const struct wb_view_ops wb_models_view = {
    .name = "models",
    .title = "Models",
    .doc = "The open models: what they are, and how the one under the cursor differs from another",
    .state_size = sizeof(struct models),
    .actions = actions,
    .hints = hints,
    .open = open,
    .close = close,
    .draw = wb_models_draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .status = status,
    .search = search,
    .busy = busy,
};
