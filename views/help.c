/* views/help.c - help of the view that is shown, made from the tables it works by; and the log. */
#include "views/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/arena.h"
#include "views/command.h"
#include "views/frame.h"
#include "views/table.h"

/* A line of help: a heading, or keys with what they do. */
struct help_line {
    const char *keys, *text;
    bool heading;
};

struct help {
    struct wb_arena arena;
    struct help_line *line;
    struct wb_table table;
    char title[60];
};

static const enum wb_action reading[] = {
    WB_ACTION_UP,        WB_ACTION_DOWN,    WB_ACTION_FIRST,     WB_ACTION_LAST, WB_ACTION_PAGE_UP,
    WB_ACTION_PAGE_DOWN, WB_ACTION_HALF_UP, WB_ACTION_HALF_DOWN, WB_ACTION_NONE,
};

static void add(struct help *h, bool heading, const char *keys, const char *text)
{
    struct help_line *more = realloc(h->line, (h->table.rows + 1) * sizeof *more);

    if (more == NULL)
        return;
    h->line = more;
    h->line[h->table.rows].heading = heading;
    h->line[h->table.rows].keys = wb_arena_strdup(&h->arena, keys);
    h->line[h->table.rows].text = wb_arena_strdup(&h->arena, text);
    if (h->line[h->table.rows].keys != NULL && h->line[h->table.rows].text != NULL)
        h->table.rows++;
}

static void add_action(struct help *h, const struct wb_frame *f, const struct wb_view_ops *ops,
                       enum wb_action action)
{
    char keys[80], text[200];

    wb_keymap_keys(&f->keymap, ops, action, keys, sizeof keys);
    snprintf(text, sizeof text, "%s  (:%s)", wb_action_info(action)->doc,
             wb_action_info(action)->name);
    add(h, false, keys, text);
}

static void add_frame(struct help *h, const struct wb_frame *f, const struct wb_view_ops *ops)
{
    add(h, true, "", "Everywhere");
    add(h, false, "1..9 0",
        "a screen by its number, 0 is the tenth; a number before a movement repeats it");
    for (int i = 1; i < WB_ACTION_COUNT; i++)
        if (wb_action_of_frame((enum wb_action)i) && !wb_view_handles(ops, (enum wb_action)i))
            add_action(h, f, ops, (enum wb_action)i);
    add(h, false, "mouse",
        "click chooses, wheel scrolls, tabs and column titles act; Shift selects text");
}

static void add_commands(struct help *h)
{
    char keys[80];

    add(h, true, "", "Commands, typed at :");
    for (const struct wb_command *c = wb_commands; c->name != NULL; c++) {
        snprintf(keys, sizeof keys, ":%s %s", c->name, c->arguments);
        add(h, false, keys, c->doc);
    }
}

static void fill(struct help *h, const struct wb_frame *f, const struct wb_view_ops *ops)
{
    snprintf(h->title, sizeof h->title, "%s", ops->title);
    add(h, true, "", ops->doc);
    for (const enum wb_action *a = ops->actions; *a != WB_ACTION_NONE; a++)
        add_action(h, f, ops, *a);
    if (ops->keys != NULL && ops->keys->keys != NULL) {
        add(h, true, "",
            ops->keys->keys[0] == ':' ? "Commands of this screen" : "While typing here");
        for (const struct wb_key_doc *k = ops->keys; k->keys != NULL; k++)
            add(h, false, k->keys, k->doc);
    }
    add_frame(h, f, ops);
    add_commands(h);
}

static void help_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct help *h = user;
    const struct help_line *l = &h->line[row];

    if (column == 0 && l->heading) {
        cell->longer = l->text;
        cell->style = WB_STYLE_TITLE;
    } else if (!l->heading) {
        cell->longer = column == 0 ? l->keys : l->text;
        cell->style = column == 0 ? WB_STYLE_KEY : WB_STYLE_TEXT;
    }
}

static const struct wb_table_column help_columns[] = { { .title = "", .width = 26 },
                                                       { .title = "", .width = 30, .flex = 1 } };

static bool help_open(struct wb_view *v, struct wb_err *err)
{
    struct help *h = v->state;

    (void)err;
    h->table = (struct wb_table){ .column = help_columns,
                                  .columns = 2,
                                  .cell = help_cell,
                                  .user = h,
                                  .no_header = true,
                                  .sort = -1 };
    return true;
}

static void help_close(struct wb_view *v)
{
    struct help *h = v->state;

    free(h->line);
    wb_arena_free(&h->arena);
}

static void help_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct help *h = v->state;
    size_t page = wb_table_page(&h->table, cv->rows) + 1, top = wb_table_top(&h->table, page);

    /* headings run over both columns, so the rows are drawn here */
    for (size_t i = top; i < h->table.rows && i < top + (size_t)cv->rows; i++) {
        const struct help_line *l = &h->line[i];
        int row = (int)(i - top), from = 26;

        if (l->heading) {
            wb_canvas_text(cv, row, 1, WB_STYLE_TITLE, l->text);
        } else {
            int used = wb_canvas_text(cv, row, 2, WB_STYLE_KEY, l->keys);

            wb_canvas_text(cv, row, used + 4 > from ? used + 4 : from, WB_STYLE_TEXT, l->text);
        }
        if (i == h->table.cursor)
            wb_canvas_restyle(cv, row, 0, -1, WB_STYLE_CURSOR);
    }
}

static bool help_act(struct wb_view *v, enum wb_action action, int count)
{
    struct help *h = v->state;

    return wb_table_act(&h->table, action, count, (size_t)(v->rows > 1 ? v->rows : 1));
}

static void help_status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct help *h = v->state;

    wb_str_printf(where, "Help > %s", h->title);
    wb_str_printf(position, "%zu/%zu", h->table.cursor + 1, h->table.rows);
}

static bool help_matches(const void *user, size_t row, const char *text)
{
    const struct help *h = user;

    return strcasestr(h->line[row].keys, text) != NULL ||
           strcasestr(h->line[row].text, text) != NULL;
}

static bool help_search(struct wb_view *v, const char *text, int direction)
{
    struct help *h = v->state;

    return wb_table_search(&h->table, (size_t)(v->rows > 1 ? v->rows : 1), direction, text,
                           help_matches, h);
}

static const struct wb_view_ops help_view = {
    .name = "help",
    .title = "Help",
    .doc = "Keys and commands",
    .state_size = sizeof(struct help),
    .actions = reading,
    .open = help_open,
    .close = help_close,
    .draw = help_draw,
    .act = help_act,
    .status = help_status,
    .search = help_search,
};

void wb_help_show(struct wb_frame *f)
{
    const struct wb_view_ops *ops = wb_frame_view(f)->ops;

    wb_frame_show_overlay(f, &help_view);
    if (f->overlay != NULL && f->overlay->ops == &help_view)
        fill(f->overlay->state, f, ops);
}

/* The log */

struct log {
    struct wb_table table;
    const struct wb_messages *messages;
    unsigned long seen;
};

static void log_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    static const enum wb_style style[] = { WB_STYLE_TEXT, WB_STYLE_WARNING, WB_STYLE_ERROR };
    const struct log *l = user;
    const struct wb_message *m = wb_messages_get(l->messages, row);
    struct tm tm;

    if (column == 0) {
        localtime_r(&m->at, &tm);
        strftime(cell->text, sizeof cell->text, "%H:%M:%S", &tm);
        cell->style = WB_STYLE_DIM;
    } else if (column == 1) {
        snprintf(cell->text, sizeof cell->text, "%s", m->kind == WB_MESSAGE_NOTE ? "" : "!");
        cell->style = style[m->kind];
    } else {
        cell->longer = m->text == NULL ? "" : m->text;
        cell->style = style[m->kind];
    }
}

static const struct wb_table_column log_columns[] = {
    { .title = "TIME", .width = 8 },
    { .title = "", .width = 1 },
    { .title = "MESSAGE", .width = 30, .flex = 1, .align = WB_ALIGN_TEXT }
};

static bool log_open(struct wb_view *v, struct wb_err *err)
{
    struct log *l = v->state;

    (void)err;
    l->messages = &v->desk->messages;
    l->table = (struct wb_table){ .column = log_columns,
                                  .columns = 3,
                                  .cell = log_cell,
                                  .user = l,
                                  .sort = -1,
                                  .empty = "Nothing was said so far." };
    return true;
}

static bool log_poll(struct wb_view *v)
{
    struct log *l = v->state;
    bool at_end = l->seen == 0 || l->table.cursor + 1 >= l->table.rows;

    if (l->seen == l->messages->total)
        return false;
    l->seen = l->messages->total;
    wb_table_set_rows(&l->table, l->messages->count);
    if (at_end && l->messages->count > 0)
        wb_table_select(&l->table, l->messages->count - 1, wb_table_page(&l->table, v->rows));
    return true;
}

static void log_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct log *l = v->state;

    wb_table_draw(&l->table, cv, true);
}

static bool log_act(struct wb_view *v, enum wb_action action, int count)
{
    struct log *l = v->state;

    if (action == WB_ACTION_COPY && l->table.rows > 0) {
        wb_desk_copy(v->desk, wb_messages_get(l->messages, l->table.cursor)->text);
        return true;
    }
    return wb_table_act(&l->table, action, count, wb_table_page(&l->table, v->rows));
}

static void log_mouse(struct wb_view *v, const struct wb_mouse *mouse)
{
    struct log *l = v->state;

    wb_table_mouse(&l->table, *mouse, v->rows, v->cols);
}

static bool log_matches(const void *user, size_t row, const char *text)
{
    const struct log *l = user;

    return strcasestr(wb_messages_get(l->messages, row)->text, text) != NULL;
}

static bool log_search(struct wb_view *v, const char *text, int direction)
{
    struct log *l = v->state;

    return wb_table_search(&l->table, wb_table_page(&l->table, v->rows), direction, text,
                           log_matches, l);
}

static void log_status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct log *l = v->state;

    wb_str_printf(where, "Log");
    wb_str_printf(position, "%zu/%zu", l->table.rows == 0 ? 0 : l->table.cursor + 1, l->table.rows);
}

static const enum wb_action log_actions[] = {
    WB_ACTION_UP,        WB_ACTION_DOWN,    WB_ACTION_FIRST,     WB_ACTION_LAST, WB_ACTION_PAGE_UP,
    WB_ACTION_PAGE_DOWN, WB_ACTION_HALF_UP, WB_ACTION_HALF_DOWN, WB_ACTION_COPY, WB_ACTION_NONE,
};

const struct wb_view_ops wb_messages_view = {
    .name = "messages",
    .title = "Log",
    .doc = "What was said so far, the last 500 lines",
    .state_size = sizeof(struct log),
    .actions = log_actions,
    .open = log_open,
    .draw = log_draw,
    .act = log_act,
    .mouse = log_mouse,
    .poll = log_poll,
    .status = log_status,
    .search = log_search,
};
