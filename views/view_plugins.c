/* views/view_plugins.c - the methods there are, with their docs and parameters; tests of a plugin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/core/str.h"
#include "views/box.h"
#include "views/desk.h"
#include "views/doc.h"
#include "views/screens.h"
#include "views/table.h"

#define DETAIL_COLS 100

enum column { KIND, NAME, DOC, COLUMNS };

static const struct wb_table_column columns[COLUMNS] = {
    [KIND] = { .title = "KIND", .width = 8 },
    [NAME] = { .title = "NAME", .width = 16 },
    [DOC] = { .title = "WHAT IT DOES", .width = 20, .flex = 1, .align = WB_ALIGN_TEXT },
};

struct plugins {
    struct wb_table table;
    const cJSON *seen; /* the list that the rows were made of: the desk's */
    const cJSON **row; /* its entries, then the files that cannot be loaded */
    size_t broken;     /* how many of those, at the end */
    char filter[80];
    uint64_t check_id; /* of the tests at work; 0: none */
    char *report;      /* of the last tests; owned */
    char report_of[80];
    bool detail; /* narrow: the detail instead of the list */
};

/* Rows */

static const cJSON *at_row(const struct plugins *s, size_t row)
{
    return row < s->table.rows ? s->row[row] : NULL;
}

static bool is_broken(const struct plugins *s, size_t row)
{
    return row + s->broken >= s->table.rows;
}

static bool matches(const struct plugins *s, const cJSON *p)
{
    return s->filter[0] == '\0' || strcasestr(wb_json_text(p, "name", ""), s->filter) != NULL ||
           strcasestr(wb_json_text(p, "doc", ""), s->filter) != NULL ||
           strcasestr(wb_json_text(p, "kind", ""), s->filter) != NULL;
}

static void make_rows(struct wb_view *v)
{
    struct plugins *s = v->state;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(v->desk->plugins, "plugins");
    const cJSON *errors = cJSON_GetObjectItemCaseSensitive(v->desk->plugins, "errors"), *p;
    size_t most = (size_t)cJSON_GetArraySize(list) + (size_t)cJSON_GetArraySize(errors), n = 0;

    free(s->row);
    s->row = calloc(most + 1, sizeof *s->row);
    s->broken = 0;
    s->seen = v->desk->plugins;
    if (s->row != NULL) {
        cJSON_ArrayForEach(p, list) {
            if (matches(s, p))
                s->row[n++] = p;
        }
        cJSON_ArrayForEach(p, errors) {
            s->row[n++] = p;
            s->broken++;
        }
    }
    wb_table_set_rows(&s->table, n);
}

static void cell(void *user, size_t row, int column, struct wb_table_cell *out)
{
    const struct plugins *s = user;
    const cJSON *p = s->row[row];

    if (is_broken(s, row)) {
        const char *file = wb_json_text(p, "file", "");
        const char *slash = strrchr(file, '/');

        out->style = WB_STYLE_ERROR;
        out->longer = column == KIND   ? "! broken"
                      : column == NAME ? (slash == NULL ? file : slash + 1)
                                       : wb_json_text(p, "error", "");
        return;
    }
    out->longer = wb_json_text(p, column == KIND ? "kind" : column == NAME ? "name" : "doc", "");
    if (column == KIND)
        out->style = WB_STYLE_DIM;
}

/* The detail pane */

static void value_text(const cJSON *value, char *out, size_t size)
{
    char *text = value == NULL ? NULL : cJSON_PrintUnformatted(value);

    snprintf(out, size, "%s", text == NULL ? "" : text);
    cJSON_free(text);
}

/* "0 to 1, per model", "sum | mean" */
static void range_text(const cJSON *spec, char *out, size_t size)
{
    const cJSON *min = cJSON_GetObjectItemCaseSensitive(spec, "min");
    const cJSON *max = cJSON_GetObjectItemCaseSensitive(spec, "max");
    const cJSON *choices = cJSON_GetObjectItemCaseSensitive(spec, "choices"), *choice;
    const char *per = wb_json_text(spec, "per", NULL);
    struct wb_str text = { 0 };

    if (min != NULL && max != NULL)
        wb_str_printf(&text, "%g to %g", min->valuedouble, max->valuedouble);
    else if (min != NULL)
        wb_str_printf(&text, "from %g", min->valuedouble);
    else if (max != NULL)
        wb_str_printf(&text, "up to %g", max->valuedouble);
    cJSON_ArrayForEach(choice, choices) {
        char one[80];

        value_text(choice, one, sizeof one);
        wb_str_printf(&text, "%s%s", text.len > 0 ? " | " : "", one);
    }
    if (per != NULL)
        wb_str_printf(&text, "%sper %s", text.len > 0 ? ", " : "", per);
    snprintf(out, size, "%s", text.text == NULL ? "" : text.text);
    wb_str_free(&text);
}

static int draw_param(struct wb_canvas *cv, int row, const cJSON *spec)
{
    char value[80], range[120];
    int col = 2;

    value_text(cJSON_GetObjectItemCaseSensitive(spec, "default"), value, sizeof value);
    range_text(spec, range, sizeof range);
    col += wb_canvas_text(cv, row, col, WB_STYLE_KEY, spec->string) + 2;
    if (value[0] != '\0')
        col += wb_canvas_printf(cv, row, col, WB_STYLE_NUMBER, "%s", value) + 2;
    wb_canvas_text(cv, row, col, WB_STYLE_DIM, range);
    return wb_canvas_wrap(cv, row + 1, 4, WB_STYLE_TEXT, wb_json_text(spec, "doc", ""));
}

static void draw_report(const struct plugins *s, struct wb_canvas *cv, int row, const char *name)
{
    if (s->check_id != 0)
        wb_canvas_text(cv, row, 1, WB_STYLE_DIM, "its tests are at work");
    else if (s->report != NULL && strcmp(s->report_of, name) == 0)
        wb_canvas_wrap(cv, row, 1, WB_STYLE_TEXT, s->report);
}

static void draw_detail(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct plugins *s = v->state;
    const cJSON *p = at_row(s, s->table.cursor), *spec;
    struct wb_canvas inner;
    const char *name;
    int row;

    if (p == NULL)
        return;
    name = wb_json_text(p, "name", "broken");
    inner = wb_pane_begin(cv, name, s->detail);
    if (is_broken(s, s->table.cursor)) {
        row = wb_canvas_wrap(&inner, 0, 1, WB_STYLE_DIM, wb_json_text(p, "file", ""));
        wb_canvas_wrap(&inner, row, 1, WB_STYLE_ERROR, wb_json_text(p, "error", ""));
        return;
    }
    row = wb_canvas_wrap(&inner, 0, 1, WB_STYLE_TEXT, wb_json_text(p, "doc", ""));
    if (wb_json_text(p, "paper", "")[0] != '\0')
        row = wb_canvas_wrap(&inner, row, 1, WB_STYLE_DIM, wb_json_text(p, "paper", ""));
    row = wb_canvas_wrap(&inner, row, 1, WB_STYLE_DIM, wb_json_text(p, "file", ""));
    row++;
    cJSON_ArrayForEach(spec, cJSON_GetObjectItemCaseSensitive(p, "params")) {
        row = draw_param(&inner, row, spec);
    }
    draw_report(s, &inner, row + 1, name);
}

static void draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct plugins *s = v->state;
    struct wb_canvas list = *cv, detail = *cv;

    if (cv->cols >= DETAIL_COLS)
        wb_pane_split(cv, cv->cols / 2, &list, &detail);
    if (cv->cols >= DETAIL_COLS || !s->detail)
        wb_table_draw(&s->table, &list, !s->detail);
    if (cv->cols >= DETAIL_COLS || s->detail)
        draw_detail(v, &detail);
}

/* Acting */

static void check(struct wb_view *v)
{
    struct plugins *s = v->state;
    const cJSON *p = at_row(s, s->table.cursor);

    if (p == NULL || s->check_id != 0)
        return;
    snprintf(s->report_of, sizeof s->report_of, "%s", wb_json_text(p, "name", "broken"));
    free(s->report);
    s->report = NULL;
    s->check_id = wb_worker_check(v->desk->console, wb_json_text(p, "file", ""));
}

static void reread(struct wb_desk *desk, const char *path)
{
    (void)path;
    wb_worker_reload(desk->console);
}

static void edit(struct wb_view *v)
{
    struct plugins *s = v->state;
    const cJSON *p = at_row(s, s->table.cursor);

    if (p == NULL || !wb_desk_may_write(v->desk))
        return;
    free(v->desk->external_edit);
    v->desk->external_edit = strdup(wb_json_text(p, "file", ""));
    v->desk->edited = reread;
}

static void answer_filter(struct wb_view *v, const char *text)
{
    struct plugins *s = v->state;

    snprintf(s->filter, sizeof s->filter, "%s", text);
    make_rows(v);
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct plugins *s = v->state;

    switch (action) {
    case WB_ACTION_OPEN:
    case WB_ACTION_PANE_NEXT:
    case WB_ACTION_PANE_PREVIOUS:
        s->detail = !s->detail;
        return true;
    case WB_ACTION_BACK:
        if (!s->detail)
            return false; /* the frame's */
        s->detail = false;
        return true;
    case WB_ACTION_PLUGIN_TEST:
        s->detail = true; /* what comes out stands there */
        check(v);
        return s->table.rows > 0;
    case WB_ACTION_EDIT:
        edit(v);
        return true;
    case WB_ACTION_FILTER:
        wb_desk_ask(v->desk, v, WB_ASK_TEXT, "Show those with: ", s->filter, answer_filter);
        return true;
    case WB_ACTION_MODEL_RELOAD:
        wb_worker_reload(v->desk->console);
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "plugins are read anew");
        return true;
    case WB_ACTION_COPY:
        if (s->table.rows > 0)
            wb_desk_copy(v->desk, wb_json_text(s->row[s->table.cursor], "name", ""));
        return true;
    case WB_ACTION_CANCEL:
        wb_worker_cancel(v->desk->console);
        return true;
    default:
        return wb_table_act(&s->table, action, count, wb_table_page(&s->table, v->rows));
    }
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct plugins *s = v->state;
    bool beside = v->cols >= DETAIL_COLS;

    if ((s->detail && !beside) || event->col >= (beside ? v->cols / 2 : v->cols))
        return;
    if (wb_table_mouse(&s->table, *event, v->rows, beside ? v->cols / 2 : v->cols) ==
        WB_TABLE_OPENED)
        s->detail = true;
}

static bool row_matches(const void *user, size_t row, const char *text)
{
    const struct plugins *s = user;

    return strcasestr(wb_json_text(s->row[row], "name", ""), text) != NULL ||
           strcasestr(wb_json_text(s->row[row], "doc", ""), text) != NULL;
}

static bool search(struct wb_view *v, const char *text, int direction)
{
    struct plugins *s = v->state;

    return wb_table_search(&s->table, wb_table_page(&s->table, v->rows), direction, text,
                           row_matches, s);
}

static bool poll(struct wb_view *v)
{
    struct plugins *s = v->state;
    struct wb_worker_event *e = s->check_id == 0 ? NULL : wb_desk_take_event(v->desk, s->check_id);
    bool changed = e != NULL;

    if (e != NULL && e->kind == WB_WORKER_CHECK) {
        s->check_id = 0;
        s->report = strdup(e->ok ? (e->text == NULL ? "" : e->text) : e->err.msg);
    }
    wb_worker_event_free(e);
    if (s->seen != v->desk->plugins) {
        make_rows(v);
        changed = true;
    }
    return changed;
}

static void show(struct wb_view *v, const char *what)
{
    struct plugins *s = v->state;

    for (size_t i = 0; i < s->table.rows; i++)
        if (strcmp(wb_json_text(s->row[i], "name", ""), what) == 0)
            wb_table_select(&s->table, i, wb_table_page(&s->table, v->rows));
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct plugins *s = v->state;
    const cJSON *p = at_row(s, s->table.cursor);

    wb_str_printf(where, "Plugins%s%s", p == NULL ? "" : " > ",
                  p == NULL ? "" : wb_json_text(p, "name", "broken"));
    if (s->filter[0] != '\0')
        wb_str_printf(position, "with '%s'   ", s->filter);
    wb_str_printf(position, "%zu/%zu", s->table.rows == 0 ? 0 : s->table.cursor + 1, s->table.rows);
}

static bool busy(const struct wb_view *v)
{
    const struct plugins *s = v->state;

    return s->check_id != 0;
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct plugins *s = v->state;

    (void)err;
    s->table = (struct wb_table){ .column = columns,
                                  .columns = COLUMNS,
                                  .cell = cell,
                                  .user = s,
                                  .sort = -1,
                                  .empty = "No plugin fits, or they are still being read." };
    return true;
}

static void close(struct wb_view *v)
{
    struct plugins *s = v->state;

    free(s->row);
    free(s->report);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,      WB_ACTION_BACK,          WB_ACTION_PLUGIN_TEST, WB_ACTION_EDIT,
    WB_ACTION_FILTER,    WB_ACTION_MODEL_RELOAD,  WB_ACTION_COPY,        WB_ACTION_CANCEL,
    WB_ACTION_PANE_NEXT, WB_ACTION_PANE_PREVIOUS, WB_ACTION_UP,          WB_ACTION_DOWN,
    WB_ACTION_FIRST,     WB_ACTION_LAST,          WB_ACTION_PAGE_UP,     WB_ACTION_PAGE_DOWN,
    WB_ACTION_HALF_UP,   WB_ACTION_HALF_DOWN,     WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_OPEN, WB_ACTION_PLUGIN_TEST, WB_ACTION_EDIT,
                                        WB_ACTION_FILTER, WB_ACTION_NONE };

const struct wb_view_ops wb_plugins_view = {
    .name = "plugins",
    .title = "Plugins",
    .doc = "The methods there are: what they do, their parameters, and their own tests",
    .state_size = sizeof(struct plugins),
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
    .busy = busy,
};
