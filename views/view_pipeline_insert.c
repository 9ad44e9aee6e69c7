/* views/view_pipeline_insert.c - inserting a step: the list of methods, searched as one types, with
 * what each does and takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "lua/bind/edit.h"
#include "views/view_pipeline.h"

enum { LIST_COLS = 34 };

static const cJSON *plugins(const struct wb_desk *desk)
{
    return cJSON_GetObjectItemCaseSensitive(desk->plugins, "plugins");
}

/* The method in a row of the list; NULL: there is none (the list may have been read anew). */
static const cJSON *method(const struct wb_pipe_chooser *c, size_t row)
{
    return row < c->items ? cJSON_GetArrayItem(plugins(c->desk), (int)c->item[row]) : NULL;
}

static bool is_step(const cJSON *plugin)
{
    return strcmp(wb_json_text(plugin, "kind", "inspect"), "inspect") != 0;
}

/* How well a method fits what was typed: 0 its name begins so, 1 has it, 2 its description does. */
static int fit(const cJSON *plugin, const char *filter)
{
    const char *name = wb_json_text(plugin, "name", "");

    if (strncasecmp(name, filter, strlen(filter)) == 0)
        return 0;
    if (strcasestr(name, filter) != NULL ||
        strcasestr(wb_json_text(plugin, "kind", ""), filter) != NULL)
        return 1;
    return strcasestr(wb_json_text(plugin, "doc", ""), filter) != NULL ? 2 : 3;
}

static void fill(struct wb_pipe_chooser *c)
{
    const cJSON *list = plugins(c->desk), *plugin;
    size_t n = (size_t)cJSON_GetArraySize(list);
    size_t *item = realloc(c->item, (n + 1) * sizeof *item);

    c->items = 0;
    if (item == NULL) {
        wb_table_set_rows(&c->table, 0);
        return;
    }
    c->item = item;
    for (int rank = 0; rank < 3; rank++) {
        size_t i = 0;

        cJSON_ArrayForEach(plugin, list) {
            if (is_step(plugin) && fit(plugin, c->filter) == rank)
                item[c->items++] = i;
            i++;
        }
    }
    wb_table_set_rows(&c->table, c->items);
}

static void cell(void *user, size_t row, int column, struct wb_table_cell *out)
{
    const struct wb_pipe_chooser *c = user;
    const cJSON *plugin = method(c, row);

    if (plugin == NULL)
        return;
    if (column == 0) {
        out->longer = wb_json_text(plugin, "kind", "");
        out->style = WB_STYLE_DIM;
    } else {
        out->longer = wb_json_text(plugin, "name", "");
    }
}

static const struct wb_table_column columns[] = {
    { .title = "KIND", .width = 8 },
    { .title = "METHOD", .width = 18, .flex = 1 },
};

void wb_pipe_chooser_open(struct wb_pipe *p)
{
    struct wb_pipe_chooser *c = &p->chooser;

    c->open = true;
    c->desk = p->desk;
    c->filter[0] = '\0';
    c->table = (struct wb_table){ .column = columns,
                                  .columns = 2,
                                  .cell = cell,
                                  .user = c,
                                  .sort = -1,
                                  .empty = p->desk->plugins == NULL ? "the methods are being read"
                                                                    : "no method matches" };
    fill(c);
}

void wb_pipe_chooser_close(struct wb_pipe *p)
{
    free(p->chooser.item);
    p->chooser.item = NULL;
    p->chooser.items = 0;
    p->chooser.open = false;
}

void wb_pipe_chooser_poll(struct wb_pipe *p)
{
    if (p->chooser.open)
        fill(&p->chooser);
}

/* Drawing */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n';
}

/* Text in lines broken at blanks; gives the row after the last. */
static int draw_wrapped(struct wb_canvas *cv, int row, int col, enum wb_style style,
                        const char *text)
{
    int cols = cv->cols - col;

    while (*text != '\0' && row < cv->rows && cols > 0) {
        size_t n = strlen(text), cut = n;
        char line[400];

        if (n > (size_t)cols) {
            for (cut = (size_t)cols; cut > 0 && !is_blank(text[cut]); cut--)
                ;
            cut = cut == 0 ? (size_t)cols : cut;
            while (cut > 1 && ((unsigned char)text[cut] & 0xC0) == 0x80) /* within a character */
                cut--;
        }
        snprintf(line, sizeof line, "%.*s", (int)(cut < sizeof line ? cut : sizeof line - 1), text);
        wb_canvas_text(cv, row++, col, style, line);
        text += cut;
        while (is_blank(*text))
            text++;
    }
    return row;
}

static void add_json(struct wb_str *out, const cJSON *value)
{
    char *text = cJSON_IsString(value) ? NULL : cJSON_PrintUnformatted(value);

    wb_str_add(out, cJSON_IsString(value) ? value->valuestring : text == NULL ? "" : text);
    free(text);
}

static void add_values(struct wb_str *out, const cJSON *spec)
{
    const cJSON *min = cJSON_GetObjectItemCaseSensitive(spec, "min");
    const cJSON *max = cJSON_GetObjectItemCaseSensitive(spec, "max");
    const cJSON *choices = cJSON_GetObjectItemCaseSensitive(spec, "choices"), *choice;

    if (cJSON_IsNumber(min) && cJSON_IsNumber(max))
        wb_str_printf(out, "  %g to %g", min->valuedouble, max->valuedouble);
    else if (cJSON_IsNumber(min))
        wb_str_printf(out, "  from %g", min->valuedouble);
    cJSON_ArrayForEach(choice, choices) {
        wb_str_add(out, choice == choices->child ? "  " : " | ");
        add_json(out, choice);
    }
    if (cJSON_GetObjectItemCaseSensitive(spec, "per") != NULL)
        wb_str_add(out, "  per model");
}

static int draw_param(struct wb_canvas *cv, int row, const cJSON *spec)
{
    const cJSON *usual = cJSON_GetObjectItemCaseSensitive(spec, "default");
    struct wb_str text = { 0 };

    wb_canvas_text(cv, row, 0, WB_STYLE_KEY, spec->string);
    if (usual != NULL) {
        wb_str_add(&text, "= ");
        add_json(&text, usual);
    }
    add_values(&text, spec);
    wb_canvas_text(cv, row, (int)strlen(spec->string) + 1, WB_STYLE_TEXT,
                   text.text == NULL ? "" : text.text);
    wb_str_free(&text);
    return draw_wrapped(cv, row + 1, 4, WB_STYLE_DIM, wb_json_text(spec, "doc", ""));
}

static void draw_doc(const struct wb_pipe_chooser *c, struct wb_canvas *cv)
{
    const cJSON *plugin = method(c, c->table.cursor), *spec;
    int row = 0;

    if (plugin == NULL)
        return;
    row = draw_wrapped(cv, row, 0, WB_STYLE_TEXT, wb_json_text(plugin, "doc", ""));
    if (wb_json_text(plugin, "needs", NULL) != NULL)
        wb_canvas_printf(cv, row++, 0, WB_STYLE_DIM, "needs  %s",
                         wb_json_text(plugin, "needs", ""));
    if (wb_json_text(plugin, "paper", NULL) != NULL)
        wb_canvas_printf(cv, row++, 0, WB_STYLE_DIM, "paper  %s",
                         wb_json_text(plugin, "paper", ""));
    row++;
    cJSON_ArrayForEach(spec, cJSON_GetObjectItemCaseSensitive(plugin, "params"))
        row = draw_param(cv, row, spec);
}

void wb_pipe_chooser_draw(const struct wb_pipe *p, struct wb_canvas *cv)
{
    const struct wb_pipe_chooser *c = &p->chooser;
    struct wb_canvas left, right, inner, list;

    wb_canvas_clear(cv);
    wb_pane_split(cv, LIST_COLS, &left, &right);
    inner = wb_pane_begin(&left, "INSERT A STEP", true);
    wb_canvas_printf(&inner, 0, 0, WB_STYLE_TEXT, "search: %s", c->filter);
    wb_canvas_cursor(&inner, 0, 8 + wb_text_width(c->filter));
    list = wb_canvas_sub(&inner, 1, 0, inner.rows - 2, inner.cols);
    wb_table_draw(&c->table, &list, true);
    wb_canvas_text(&inner, inner.rows - 1, 0, WB_STYLE_DIM, "Enter inserts   Esc leaves");
    inner = wb_pane_begin(&right,
                          method(c, c->table.cursor) == NULL
                              ? ""
                              : wb_json_text(method(c, c->table.cursor), "name", ""),
                          false);
    draw_doc(c, &inner);
}

/* Inserting */

/* A merge that was put in names one model several times; with models on the desk the whole script
 * is better written anew, so that only happens to a script that is there. */
static bool insert_into(struct wb_doc *d, const char *text, size_t n, const cJSON *plugin,
                        int *line, struct wb_err *err)
{
    struct wb_text_edit edit = { 0 };
    bool ok = wb_edit_insert_step(text, n, plugin, &edit, err) &&
              wb_pipe_replace(d, edit.first, edit.last, edit.text, err);

    *line = edit.line;
    wb_text_edit_free(&edit);
    return ok;
}

static bool insert_first(struct wb_pipe *p, const cJSON *plugin, int *line, struct wb_err *err)
{
    struct wb_doc *d = p->desk->doc;
    char *text = wb_pipe_starting_script(p->desk, plugin);
    bool ok;

    if (text == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a script");
    wb_document_group_begin(d->text);
    ok = wb_pipe_replace(d, 0, wb_document_bytes(d->text), text, err);
    *line = (int)wb_document_lines(d->text) - 1;
    if (ok && strstr(text, "\nreturn model\n") != NULL)
        ok = insert_into(d, text, strlen(text), plugin, line, err);
    wb_document_group_end(d->text);
    free(text);
    return ok;
}

static bool insert(struct wb_pipe *p, const cJSON *plugin, struct wb_err *err)
{
    struct wb_doc *d = p->desk->doc;
    struct wb_str text = { 0 };
    int line = 1;
    bool ok;

    wb_document_text(d->text, &text);
    if (text.failed)
        ok = wb_fail(err, WB_ENOMEM, "no memory for a step");
    else if (text.text == NULL || text.text[strspn(text.text, " \t\r\n")] == '\0')
        ok = insert_first(p, plugin, &line, err);
    else
        ok = insert_into(d, text.text, text.len, plugin, &line, err);
    wb_str_free(&text);
    if (ok) {
        wb_pipe_go_line(p, line);
        wb_pipe_focus(p, WB_PIPE_EDITOR);
        wb_desk_say(p->desk, WB_MESSAGE_NOTE, "%s is in line %d; u takes it back, e edits",
                    wb_json_text(plugin, "name", ""), line);
    }
    return ok;
}

bool wb_pipe_insert(struct wb_pipe *p, const char *name)
{
    const cJSON *plugin;
    struct wb_err err;

    cJSON_ArrayForEach(plugin, plugins(p->desk))
        if (is_step(plugin) && strcmp(wb_json_text(plugin, "name", ""), name) == 0) {
            if (!insert(p, plugin, &err))
                wb_desk_say(p->desk, WB_MESSAGE_ERROR, "%s", err.msg);
            return true;
        }
    return false;
}

/* Keys */

static enum wb_action movement(struct wb_key key)
{
    if (key.mods == WB_MOD_CTRL)
        return key.code == 'n'   ? WB_ACTION_DOWN
               : key.code == 'p' ? WB_ACTION_UP
               : key.code == 'd' ? WB_ACTION_HALF_DOWN
                                 : WB_ACTION_NONE;
    switch (key.code) {
    case WB_KEY_UP:
        return WB_ACTION_UP;
    case WB_KEY_DOWN:
    case WB_KEY_TAB:
        return WB_ACTION_DOWN;
    case WB_KEY_PAGE_UP:
        return WB_ACTION_PAGE_UP;
    case WB_KEY_PAGE_DOWN:
        return WB_ACTION_PAGE_DOWN;
    case WB_KEY_HOME:
        return WB_ACTION_FIRST;
    case WB_KEY_END:
        return WB_ACTION_LAST;
    default:
        return WB_ACTION_NONE;
    }
}

static void type(struct wb_pipe_chooser *c, struct wb_key key)
{
    size_t n = strlen(c->filter);

    if (key.code == WB_KEY_BACKSPACE && n > 0)
        c->filter[n - 1] = '\0';
    else if (key.code == 'u' && key.mods == WB_MOD_CTRL)
        c->filter[0] = '\0';
    else if (wb_key_is_text(key) && key.code < 127 && n + 1 < sizeof c->filter)
        snprintf(c->filter + n, sizeof c->filter - n, "%c", (char)key.code);
    else
        return;
    c->table.cursor = 0;
    fill(c);
}

static void take(struct wb_pipe *p)
{
    const cJSON *plugin = method(&p->chooser, p->chooser.table.cursor);
    struct wb_err err;

    if (plugin == NULL)
        return;
    wb_pipe_chooser_close(p);
    if (!insert(p, plugin, &err))
        wb_desk_say(p->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

/* False for what stays the frame's: C-c, C-z, C-l, F1. */
bool wb_pipe_chooser_key(struct wb_pipe *p, const struct wb_event *event)
{
    struct wb_pipe_chooser *c = &p->chooser;
    struct wb_key key = event->key;
    enum wb_action action = movement(key);

    if (key.code == WB_KEY_F1 ||
        (key.mods == WB_MOD_CTRL && strchr("czl", (int)key.code) != NULL && key.code < 127))
        return false;
    if (key.code == WB_KEY_ESC || (key.code == WB_KEY_BACKSPACE && c->filter[0] == '\0'))
        wb_pipe_chooser_close(p);
    else if (key.code == WB_KEY_ENTER)
        take(p);
    else if (action != WB_ACTION_NONE)
        wb_table_act(&c->table, action, 1, 10);
    else
        type(c, key);
    return true;
}

void wb_pipe_chooser_mouse(struct wb_pipe *p, struct wb_mouse mouse, int rows)
{
    mouse.row -= 2; /* the title and the search */
    if (mouse.col < LIST_COLS && mouse.row >= 0 &&
        wb_table_mouse(&p->chooser.table, mouse, rows - 3, LIST_COLS) == WB_TABLE_OPENED)
        take(p);
}
