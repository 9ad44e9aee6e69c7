/* views/view_problems.c - everything wrong with the pipeline, kept current as it is edited: what the
 * script said, and what a dry run finds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/desk.h"
#include "views/doc.h"
#include "views/screens.h"
#include "views/table.h"

enum column { KIND, LINE, TENSOR, TEXT, COLUMNS };

static const struct wb_table_column columns[COLUMNS] = {
    [KIND] = { .title = "", .width = 9 },
    [LINE] = { .title = "LINE", .width = 5, .align = WB_ALIGN_RIGHT },
    [TENSOR] = { .title = "TENSOR", .width = 26, .flex = 1, .priority = 1 },
    [TEXT] = { .title = "WHAT", .width = 30, .flex = 4, .align = WB_ALIGN_TEXT },
};

/* The same without the column of tensors, when no finding is about one. */
static const struct wb_table_column plain_columns[] = {
    { .title = "", .width = 9 },
    { .title = "LINE", .width = 5, .align = WB_ALIGN_RIGHT },
    { .title = "WHAT", .width = 30, .flex = 1, .align = WB_ALIGN_TEXT },
};

/* One finding, copied: the script and the plan it came from may be replaced. */
struct problem {
    bool error;
    int line;
    char *tensor, *text;
};

struct problems {
    struct wb_table table;
    struct problem *problem;
    size_t count, errors, named; /* named: those about a tensor */
    unsigned long seen;          /* version of the document */
};

/* Gathering */

static void drop(struct problems *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->problem[i].tensor);
        free(s->problem[i].text);
    }
    free(s->problem);
    s->problem = NULL;
    s->count = s->errors = s->named = 0;
}

static bool is_known(const struct problems *s, const char *tensor, const char *text)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->problem[i].text, text) == 0 && strcmp(s->problem[i].tensor, tensor) == 0)
            return true;
    return false;
}

static void add(struct problems *s, bool error, int line, const char *tensor, const char *text)
{
    struct problem *more, p = { .error = error, .line = line };

    if (is_known(s, tensor, text))
        return;
    more = realloc(s->problem, (s->count + 1) * sizeof *more);
    if (more == NULL)
        return;
    s->problem = more;
    p.tensor = strdup(tensor);
    p.text = strdup(text);
    if (p.tensor == NULL || p.text == NULL) {
        free(p.tensor);
        free(p.text);
        return;
    }
    s->problem[s->count++] = p;
    s->errors += error;
    s->named += tensor[0] != '\0';
}

/* The line of the step that a message of the plan is about: "merge 'ties': …". */
static int line_of_step(const struct wb_script *script, const char *text)
{
    char where[100];

    for (size_t i = 0; i < script->steps; i++) {
        snprintf(where, sizeof where, "%s '%s'", script->step[i].kind, script->step[i].method);
        if (strncmp(text, where, strlen(where)) == 0)
            return script->step[i].line;
    }
    return 0;
}

static void gather(struct wb_view *v)
{
    struct problems *s = v->state;
    const struct wb_doc *d = v->desk->doc;
    const struct wb_script *script = &d->script;

    drop(s);
    for (size_t i = 0; i < script->findings; i++)
        add(s, script->finding[i].error, script->finding[i].line, script->finding[i].tensor,
            script->finding[i].text);
    if (script->ok && d->preview_err.code != WB_OK && d->preview_err.code != WB_ECANCELLED)
        add(s, true, 0, "", d->preview_err.msg);
    for (size_t i = 0; script->ok && d->plan != NULL && i < d->plan->problems; i++) {
        const struct wb_problem *p = &d->plan->problem[i];

        add(s, p->error, line_of_step(script, p->text), p->tensor, p->text);
    }
    if (script->ok && d->scores.problem != NULL)
        add(s, false, 0, "", d->scores.problem);
    s->table.column = s->named > 0 ? columns : plain_columns;
    s->table.columns = s->named > 0 ? COLUMNS : COLUMNS - 1;
    wb_table_set_rows(&s->table, s->count);
}

static void cell(void *user, size_t row, int column, struct wb_table_cell *out)
{
    const struct problems *s = user;
    const struct problem *p = &s->problem[row];

    switch ((enum column)(column >= TENSOR && s->named == 0 ? column + 1 : column)) {
    case KIND:
        snprintf(out->text, sizeof out->text, p->error ? "! error" : "* warning");
        out->style = p->error ? WB_STYLE_ERROR : WB_STYLE_WARNING;
        break;
    case LINE:
        if (p->line > 0)
            snprintf(out->text, sizeof out->text, "%d", p->line);
        break;
    case TENSOR:
        out->longer = p->tensor;
        break;
    default:
        out->longer = p->text;
        break;
    }
}

/* Drawing: the table, and below it the whole text of the one under the cursor. */

static int text_rows(const struct wb_view *v)
{
    return v->rows >= 18 ? 6 : 4;
}

static void draw_text(struct wb_canvas *cv, const char *text)
{
    int row = 1, col = 1, width;
    uint32_t ch;

    wb_canvas_hline(cv, 0, 0, cv->cols);
    while (row < cv->rows && *text != '\0') {
        if (*text == '\n' || col >= cv->cols - 1) {
            text += *text == '\n';
            row++;
            col = 1;
            continue;
        }
        ch = wb_text_next(&text, &width);
        wb_canvas_put(cv, row, col, WB_STYLE_TEXT, ch);
        col += width;
    }
}

static const char *empty_text(const struct wb_doc *d)
{
    if (wb_doc_busy(d))
        return "Looking.";
    if (wb_doc_model(d) == NULL)
        return "There is no pipeline yet: screen 'Pipeline' is where to write one.";
    return "No problems: headers, shapes, vocabularies and parameters fit.";
}

static void draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct problems *s = v->state;
    struct wb_canvas list = wb_canvas_sub(cv, 0, 0, cv->rows - text_rows(v), cv->cols);
    struct wb_canvas text = wb_canvas_sub(cv, cv->rows - text_rows(v), 0, text_rows(v), cv->cols);
    struct wb_table table = s->table;

    table.empty = empty_text(v->desk->doc);
    wb_table_draw(&table, &list, true);
    if (s->count > 0)
        draw_text(&text, s->problem[s->table.cursor].text);
}

/* Acting */

static void jump_to_line(struct wb_view *v, const struct problem *p)
{
    char line[20];

    snprintf(line, sizeof line, "%d", p->line > 0 ? p->line : 1);
    wb_desk_go(v->desk, "pipeline", line);
}

static void jump_to_tensor(struct wb_view *v, const struct problem *p)
{
    if (p->tensor[0] != '\0' && wb_desk_current(v->desk) != NULL)
        wb_desk_go(v->desk, "tensors", p->tensor);
    else
        jump_to_line(v, p);
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct problems *s = v->state;
    const struct problem *p = s->count == 0 ? NULL : &s->problem[s->table.cursor];

    switch (action) {
    case WB_ACTION_OPEN:
        if (p != NULL && p->line > 0)
            jump_to_line(v, p);
        else if (p != NULL)
            jump_to_tensor(v, p);
        return p != NULL;
    case WB_ACTION_JUMP:
        if (p != NULL)
            jump_to_tensor(v, p);
        return p != NULL;
    case WB_ACTION_COPY:
        if (p != NULL)
            wb_desk_copy(v->desk, p->text);
        return p != NULL;
    default:
        return wb_table_act(&s->table, action, count,
                            wb_table_page(&s->table, v->rows - text_rows(v)));
    }
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct problems *s = v->state;
    int rows = v->rows - text_rows(v);

    if (event->row < rows && wb_table_mouse(&s->table, *event, rows, v->cols) == WB_TABLE_OPENED)
        act(v, WB_ACTION_OPEN, 1);
}

static bool matches(const void *user, size_t row, const char *text)
{
    const struct problems *s = user;

    return strcasestr(s->problem[row].text, text) != NULL ||
           strcasestr(s->problem[row].tensor, text) != NULL;
}

static bool search(struct wb_view *v, const char *text, int direction)
{
    struct problems *s = v->state;

    return wb_table_search(&s->table, wb_table_page(&s->table, v->rows - text_rows(v)), direction,
                           text, matches, s);
}

static bool poll(struct wb_view *v)
{
    struct problems *s = v->state;

    if (s->seen == v->desk->doc->version + 1)
        return false;
    s->seen = v->desk->doc->version + 1;
    gather(v);
    return true;
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct problems *s = v->state;

    wb_str_printf(where, "Problems > %s", wb_doc_name(v->desk->doc));
    wb_str_printf(position, "%zu error%s, %zu warning%s%s", s->errors, s->errors == 1 ? "" : "s",
                  s->count - s->errors, s->count - s->errors == 1 ? "" : "s",
                  wb_doc_busy(v->desk->doc) ? "   looking" : "");
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct problems *s = v->state;

    (void)err;
    s->table = (struct wb_table){
        .column = columns, .columns = COLUMNS, .cell = cell, .user = s, .sort = -1
    };
    return true;
}

static void close(struct wb_view *v)
{
    drop(v->state);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,      WB_ACTION_JUMP,    WB_ACTION_COPY,      WB_ACTION_UP,
    WB_ACTION_DOWN,      WB_ACTION_FIRST,   WB_ACTION_LAST,      WB_ACTION_PAGE_UP,
    WB_ACTION_PAGE_DOWN, WB_ACTION_HALF_UP, WB_ACTION_HALF_DOWN, WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_OPEN, WB_ACTION_JUMP, WB_ACTION_COPY,
                                        WB_ACTION_NONE };

const struct wb_view_ops wb_problems_view = {
    .name = "problems",
    .title = "Problems",
    .doc = "Everything wrong with the pipeline, kept current as you edit; Enter goes to the line",
    .state_size = sizeof(struct problems),
    .actions = actions,
    .hints = hints,
    .open = open,
    .close = close,
    .draw = draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .status = status,
    .search = search,
};
