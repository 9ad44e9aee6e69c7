/* views/view_eval.c - the evaluation sets of the model that is worked on, over any screen: which are
 * asked, more of them, fewer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "views/command.h"
#include "views/desk.h"
#include "views/frame.h"
#include "views/screens.h"
#include "views/table.h"

#define EVAL_MAX 1000000000 /* windows or items of a set */

struct eval {
    struct wb_table table;
    struct wb_eval_list *list; /* NULL: there is no model */
    unsigned long seen;        /* version of the sets */
};

enum { COLUMN_NAME, COLUMN_KIND, COLUMN_PART, COLUMN_FILE, COLUMNS };

static const struct wb_table_column columns[COLUMNS] = {
    [COLUMN_NAME] = { .title = "SET", .width = 14 },
    [COLUMN_KIND] = { .title = "KIND", .width = 7 },
    [COLUMN_PART] = { .title = "PART", .width = 22, .priority = 1 },
    [COLUMN_FILE] = { .title = "FILE", .width = 20, .flex = 1 },
};

static void part_text(const struct wb_eval_set *s, char *out, size_t size)
{
    const char *what = s->kind == WB_BEHAVIOUR_TEXT ? "windows" : "items";

    if (s->limit > 0)
        snprintf(out, size, "first %zu %s", s->limit, what);
    else
        snprintf(out, size, "all");
    if (s->window > 0)
        snprintf(out + strlen(out), size - strlen(out), " of %zu", s->window);
}

static void cell(void *user, size_t row, int column, struct wb_table_cell *c)
{
    const struct eval *e = user;
    const struct wb_eval_set *s = &e->list->set[row];

    if (s->off)
        c->style = WB_STYLE_DIM;
    switch (column) {
    case COLUMN_NAME:
        snprintf(c->text, sizeof c->text, "%s", s->name);
        break;
    case COLUMN_KIND:
        snprintf(c->text, sizeof c->text, "%s", wb_eval_kind_name(s->kind));
        break;
    case COLUMN_PART:
        part_text(s, c->text, sizeof c->text);
        break;
    default:
        c->longer = s->path;
        break;
    }
}

static bool is_on(void *user, size_t row)
{
    const struct eval *e = user;

    return !e->list->set[row].off;
}

/* The list is that of another model once the pipeline is. */
static bool poll(struct wb_view *v)
{
    struct eval *e = v->state;
    struct wb_eval_list *now = wb_desk_eval_list(v->desk, NULL);

    if (now == e->list && e->seen == v->desk->eval_sets.version)
        return false;
    e->list = now;
    e->seen = v->desk->eval_sets.version;
    wb_table_set_rows(&e->table, now == NULL ? 0 : now->sets);
    return true;
}

static void answer_add(struct wb_view *v, const char *path)
{
    struct eval *e = v->state;
    struct wb_err err;

    poll(v);
    if (path[0] != '\0' && e->list != NULL &&
        !wb_eval_sets_add(&v->desk->eval_sets, e->list, path, 0, 0, &err))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
    poll(v);
}

static void switch_all(struct wb_view *v, bool on)
{
    struct eval *e = v->state;

    for (size_t i = 0; i < e->list->sets; i++)
        wb_eval_sets_switch(&v->desk->eval_sets, e->list, i, on);
}

static bool act_on_list(struct wb_view *v, enum wb_action action, int count)
{
    struct eval *e = v->state;
    struct wb_eval_sets *sets = &v->desk->eval_sets;
    struct wb_model *model;

    switch (action) {
    case WB_ACTION_OPEN:
    case WB_ACTION_MARK:
        if (e->table.rows > 0)
            wb_eval_sets_switch(sets, e->list, e->table.cursor, e->list->set[e->table.cursor].off);
        return e->table.rows > 0;
    case WB_ACTION_MARK_ALL:
    case WB_ACTION_UNMARK_ALL:
        switch_all(v, action == WB_ACTION_MARK_ALL);
        return true;
    case WB_ACTION_DELETE:
        if (e->table.rows > 0)
            wb_eval_sets_drop(sets, e->list, e->table.cursor);
        return e->table.rows > 0;
    case WB_ACTION_SET_ADD:
        wb_desk_ask(v->desk, v, WB_ASK_PATH, "ask models about: ", "", answer_add);
        return true;
    case WB_ACTION_SETS_USUAL:
        wb_desk_eval_list(v->desk, &model);
        wb_eval_sets_reset(sets, e->list, model);
        return true;
    default:
        return wb_table_act(&e->table, action, count, wb_table_page(&e->table, v->rows - 2));
    }
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    const struct eval *e = v->state;
    bool done;

    poll(v);
    done = e->list != NULL && act_on_list(v, action, count);
    poll(v);
    return done;
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct eval *e = v->state;
    struct wb_mouse inside = *event;

    inside.row -= 2;
    if (inside.row >= 0 &&
        wb_table_mouse(&e->table, inside, v->rows - 2, v->cols) == WB_TABLE_OPENED)
        act(v, WB_ACTION_MARK, 1);
    e->table.sort = -1;
}

static void draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct eval *e = v->state;
    struct wb_canvas table = wb_canvas_sub(cv, 2, 0, cv->rows - 2, cv->cols);

    wb_canvas_text(cv, 0, 1, WB_STYLE_TITLE, "Evaluation sets");
    if (e->list == NULL) {
        wb_canvas_text(cv, 2, 1, WB_STYLE_DIM, "There is no model to ask: open one first.");
        return;
    }
    wb_canvas_printf(cv, 0, 18, WB_STYLE_DIM,
                     "what the pipeline's model, its base and its parents "
                     "are asked");
    wb_table_draw(&e->table, &table, true);
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct eval *e = v->state;
    struct wb_behaviour_set on[WB_EVAL_SETS_MAX];

    wb_str_add(where, "Evaluation sets");
    if (e->list == NULL)
        return;
    wb_str_printf(where, " > %s%s", e->list->about, e->list->chosen ? " *" : "");
    wb_str_printf(position, "%zu of %zu on", wb_eval_sets_on(e->list, on), e->list->sets);
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct eval *e = v->state;

    (void)err;
    e->table = (struct wb_table){ .column = columns,
                                  .columns = COLUMNS,
                                  .cell = cell,
                                  .marked = is_on,
                                  .user = e,
                                  .sort = -1,
                                  .empty = "none: o adds a text, tasks or images" };
    e->seen = v->desk->eval_sets.version - 1;
    return true;
}

static const enum wb_action actions[] = {
    WB_ACTION_MARK,      WB_ACTION_MARK_ALL, WB_ACTION_UNMARK_ALL, WB_ACTION_SET_ADD,
    WB_ACTION_DELETE,    WB_ACTION_OPEN,     WB_ACTION_SETS_USUAL, WB_ACTION_UP,
    WB_ACTION_DOWN,      WB_ACTION_FIRST,    WB_ACTION_LAST,       WB_ACTION_PAGE_UP,
    WB_ACTION_PAGE_DOWN, WB_ACTION_HALF_UP,  WB_ACTION_HALF_DOWN,  WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_MARK,   WB_ACTION_SET_ADD,    WB_ACTION_MARK_ALL,
                                        WB_ACTION_DELETE, WB_ACTION_SETS_USUAL, WB_ACTION_NONE };
static const struct wb_key_doc typed[] = {
    { ":eval FILE", "one more; .txt is a text, .jsonl tasks, .safetensors images" },
    { ":eval FILE limit=N window=N", "its first N windows or items; windows of N tokens" },
    { NULL, NULL },
};

const struct wb_view_ops wb_eval_view = {
    .name = "eval",
    .title = "Evaluation sets",
    .doc = "Texts, tasks and images that models are asked, to see what they do",
    .state_size = sizeof(struct eval),
    .actions = actions,
    .hints = hints,
    .keys = typed,
    .open = open,
    .draw = draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .status = status,
};

/* ---- the command ---- */

/* "window=128", "limit=3" */
static bool eval_option(const char *word, size_t *window, size_t *limit, struct wb_err *err)
{
    bool is_window = strncmp(word, "window=", 7) == 0;
    const char *number = strchr(word, '=');
    char *end = NULL;
    long n = number == NULL ? 0 : strtol(number + 1, &end, 10);

    if (!is_window && strncmp(word, "limit=", 6) != 0)
        return wb_fail(err, WB_EARG, "an evaluation set has window= and limit=, not '%s'", word);
    if (n < 1 || n > EVAL_MAX || *end != '\0')
        return wb_fail(err, WB_EARG, "%s is not a number from 1 to %d", word, EVAL_MAX);
    *(is_window ? window : limit) = (size_t)n;
    return true;
}

bool wb_eval_command(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    struct wb_eval_list *l = wb_desk_eval_list(f->desk, NULL);
    size_t window = 0, limit = 0;

    if (l == NULL)
        return wb_fail(err, WB_ENOTFOUND, "there is no model to evaluate: open one first");
    if (argc == 0) {
        wb_frame_show_overlay(f, &wb_eval_view);
        return true;
    }
    for (int i = 1; i < argc; i++)
        if (!eval_option(argv[i], &window, &limit, err))
            return false;
    if (!wb_eval_sets_add(&f->desk->eval_sets, l, argv[0], window, limit, err))
        return false;
    wb_desk_say(f->desk, WB_MESSAGE_NOTE, "%zu evaluation sets for %s", l->sets, l->about);
    return true;
}
