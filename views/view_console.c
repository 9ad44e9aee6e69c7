/* views/view_console.c - a Lua console: the open models by name, `wb`, and the pipeline's result as
 * `model`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "lua/bind/complete.h"
#include "views/desk.h"
#include "views/doc.h"
#include "views/line.h"
#include "views/screens.h"

#define LINES_MAX 5000
#define MODELS_MAX 64

struct console_line {
    enum wb_style style;
    char *text;
};

struct console {
    struct wb_line *line;
    struct wb_history *history;
    struct console_line *ring; /* LINES_MAX of them */
    size_t first, count;
    size_t back;        /* lines scrolled back from the end */
    struct wb_str more; /* the beginning of a statement that goes on */
    uint64_t id;        /* of the request at work; 0: none */
    bool typing;
};

/* Lines */

static void add(struct console *s, enum wb_style style, const char *text, size_t n)
{
    size_t at = (s->first + s->count) % LINES_MAX;

    if (s->count == LINES_MAX) {
        free(s->ring[s->first].text);
        s->first = (s->first + 1) % LINES_MAX;
        s->count--;
    }
    s->ring[at] = (struct console_line){ .style = style, .text = strndup(text, n) };
    s->count++;
    if (s->back > 0 && s->back < s->count)
        s->back++; /* what is looked at stays in place */
}

static void add_lines(struct console *s, enum wb_style style, const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");

        add(s, style, text, n);
        text += n + (text[n] == '\n');
    }
}

static const char *prompt(const struct console *s)
{
    return s->id != 0 ? "   " : s->more.len > 0 ? ">> " : "> ";
}

static void start_line(struct console *s)
{
    wb_line_start(s->line, prompt(s), "");
}

/* Evaluating */

static void evaluate(struct wb_view *v, const char *text)
{
    struct console *s = v->state;
    const struct wb_desk *d = v->desk;
    struct wb_console_model model[MODELS_MAX];
    struct wb_console_input in = { .model = model, .result = wb_doc_model(d->doc) };
    char shown[WB_LINE_MAX + 8];

    snprintf(shown, sizeof shown, "%s%s", prompt(s), text);
    add(s, WB_STYLE_DIM, shown, strlen(shown));
    if (s->more.len > 0)
        wb_str_add(&s->more, "\n");
    wb_str_add(&s->more, text);
    for (size_t i = 0; i < d->models && in.models < MODELS_MAX; i++)
        if (d->model[i]->model != NULL)
            model[in.models++] =
                (struct wb_console_model){ .name = d->model[i]->name, .model = d->model[i]->model };
    in.text = s->more.text;
    s->id = s->more.failed ? 0 : wb_worker_console(d->console, &in);
    if (s->id == 0)
        add_lines(s, WB_STYLE_ERROR, "no memory");
    s->back = 0;
    start_line(s);
}

static void take(struct console *s, struct wb_worker_event *e)
{
    if (e->kind == WB_WORKER_LOG) {
        add_lines(s, WB_STYLE_TEXT, e->text);
        return;
    }
    s->id = 0;
    if (e->ok && e->console.incomplete) {
        start_line(s); /* goes on in the next line */
        return;
    }
    if (e->console.text != NULL)
        add_lines(s, e->ok ? WB_STYLE_TEXT : WB_STYLE_ERROR, e->console.text);
    if (!e->ok && (e->console.text == NULL || e->console.text[0] == '\0'))
        add_lines(s, WB_STYLE_ERROR, e->err.msg);
    wb_str_free(&s->more);
    start_line(s);
}

static bool poll(struct wb_view *v)
{
    struct console *s = v->state;
    struct wb_worker_event *e;
    bool any = false;

    while (s->id != 0 && (e = wb_desk_take_event(v->desk, s->id)) != NULL) {
        take(s, e);
        wb_worker_event_free(e);
        any = true;
    }
    return any;
}

static void complete(void *user, const char *text, size_t at, size_t *from, struct wb_complete *out)
{
    const struct wb_view *v = user;
    struct wb_completion found = { 0 };
    struct wb_err err;

    *from = at;
    if (wb_complete_lua(v->desk->complete_data, text, strlen(text), at, &found, &err)) {
        *from = found.items > 0 ? found.first : at;
        for (size_t i = 0; i < found.items; i++)
            wb_complete_add(out, found.item[i].text, found.item[i].detail, found.item[i].doc);
    }
    wb_completion_free(&found);
}

/* Events */

static bool key(struct wb_view *v, const struct wb_event *event)
{
    struct console *s = v->state;
    char text[WB_LINE_MAX];

    if (!s->typing)
        return false;
    switch (wb_line_event(s->line, event)) {
    case WB_LINE_TAKEN:
        if (s->id != 0) { /* one at a time: the line stays */
            wb_desk_say(v->desk, WB_MESSAGE_NOTE, "still at work; C-c cancels");
            return true;
        }
        snprintf(text, sizeof text, "%s", wb_line_text(s->line));
        wb_history_add(s->history, text);
        if (text[0] != '\0' || s->more.len > 0)
            evaluate(v, text);
        return true;
    case WB_LINE_LEFT:
        s->typing = false;
        wb_str_free(&s->more);
        start_line(s);
        return true;
    case WB_LINE_UNUSED:
        return false;
    default:
        return true;
    }
}

static void scroll(struct wb_view *v, long lines)
{
    struct console *s = v->state;
    long most = (long)s->count - (v->rows - 2), back = (long)s->back + lines;

    s->back = (size_t)(back < 0 || most < 0 ? 0 : back > most ? most : back);
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct console *s = v->state;

    switch (action) {
    case WB_ACTION_OPEN:
    case WB_ACTION_EDIT:
        s->typing = true;
        return true;
    case WB_ACTION_CANCEL:
        wb_worker_cancel(v->desk->console);
        return true;
    case WB_ACTION_COPY:
        if (s->count > 0)
            wb_desk_copy(v->desk, s->ring[(s->first + s->count - 1 - s->back) % LINES_MAX].text);
        return s->count > 0;
    case WB_ACTION_UP:
    case WB_ACTION_DOWN:
        scroll(v, action == WB_ACTION_UP ? count : -count);
        return true;
    case WB_ACTION_PAGE_UP:
    case WB_ACTION_PAGE_DOWN:
        scroll(v, (action == WB_ACTION_PAGE_UP ? 1L : -1L) * count * (v->rows - 2));
        return true;
    case WB_ACTION_HALF_UP:
    case WB_ACTION_HALF_DOWN:
        scroll(v, (action == WB_ACTION_HALF_UP ? 1L : -1L) * count * (v->rows / 2));
        return true;
    case WB_ACTION_FIRST:
        scroll(v, LINES_MAX);
        return true;
    case WB_ACTION_LAST:
        s->back = 0;
        return true;
    default:
        return false;
    }
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct console *s = v->state;

    if (event->kind == WB_MOUSE_WHEEL_UP || event->kind == WB_MOUSE_WHEEL_DOWN)
        scroll(v, event->kind == WB_MOUSE_WHEEL_UP ? 3 : -3);
    else if (event->row == v->rows - 1)
        s->typing = true;
}

/* Code from `:lua CODE`. */
static void show(struct wb_view *v, const char *what)
{
    struct console *s = v->state;

    if (s->id != 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "the console is still at work; C-c cancels");
        return;
    }
    s->typing = true;
    wb_str_free(&s->more);
    evaluate(v, what);
}

static bool search(struct wb_view *v, const char *text, int direction)
{
    struct console *s = v->state;
    size_t n = s->count;

    for (size_t i = direction == 0 ? 0 : 1; n > 0 && i <= n; i++) {
        size_t back = direction > 0 ? (s->back + n - i % n) % n : (s->back + i) % n;

        if (strcasestr(s->ring[(s->first + n - 1 - back) % LINES_MAX].text, text) != NULL) {
            s->back = 0;
            scroll(v, (long)back);
            return true;
        }
    }
    return false;
}

/* Drawing */

static void draw_welcome(struct wb_canvas *cv)
{
    wb_canvas_text(cv, 1, 2, WB_STYLE_TEXT, "A Lua console: wb, the open models by their names,");
    wb_canvas_text(cv, 2, 2, WB_STYLE_TEXT, "and the pipeline's result as model.");
    wb_canvas_text(cv, 4, 2, WB_STYLE_DIM, "model.layers        model:names \"*.q_proj.*\"");
    wb_canvas_text(cv, 5, 2, WB_STYLE_DIM, "model:tensor(\"model.norm.weight\"):norm():value()");
    wb_canvas_text(cv, 7, 2, WB_STYLE_DIM,
                   "Tab completes, Up brings back earlier lines, Esc leaves the line.");
}

static void draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct console *s = v->state;
    size_t rows = cv->rows > 1 ? (size_t)cv->rows - 1 : 0, last = s->count - s->back;
    size_t first = last > rows ? last - rows : 0;

    if (s->count == 0)
        draw_welcome(cv);
    for (size_t i = first; i < last; i++) {
        const struct console_line *l = &s->ring[(s->first + i) % LINES_MAX];

        wb_canvas_text(cv, (int)(i - first), 1, l->style, l->text == NULL ? "" : l->text);
    }
    if (s->id != 0)
        wb_canvas_text(cv, cv->rows - 1, 1, WB_STYLE_DIM, "at work; C-c cancels");
    else
        wb_line_draw(s->line, cv, cv->rows - 1, s->typing);
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct console *s = v->state;

    wb_str_printf(where, "Console%s", s->typing ? "" : " > Enter types");
    if (s->back > 0)
        wb_str_printf(position, "%zu lines back", s->back);
}

static bool busy(const struct wb_view *v)
{
    const struct console *s = v->state;

    return s->id != 0;
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct console *s = v->state;
    struct wb_line_completer completer = { .ask = complete, .user = v };

    s->history = wb_history_open(NULL);
    s->line = wb_line_new(s->history, &completer);
    s->ring = calloc(LINES_MAX, sizeof *s->ring);
    s->typing = true;
    if (s->line == NULL || s->ring == NULL || s->history == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a console");
    start_line(s);
    return true;
}

static void close(struct wb_view *v)
{
    struct console *s = v->state;

    for (size_t i = 0; i < s->count; i++)
        free(s->ring[(s->first + i) % LINES_MAX].text);
    free(s->ring);
    wb_line_free(s->line);
    wb_history_free(s->history);
    wb_str_free(&s->more);
}

static const enum wb_action actions[] = {
    WB_ACTION_OPEN,  WB_ACTION_EDIT,    WB_ACTION_CANCEL,    WB_ACTION_COPY,    WB_ACTION_UP,
    WB_ACTION_DOWN,  WB_ACTION_PAGE_UP, WB_ACTION_PAGE_DOWN, WB_ACTION_HALF_UP, WB_ACTION_HALF_DOWN,
    WB_ACTION_FIRST, WB_ACTION_LAST,    WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_EDIT, WB_ACTION_CANCEL, WB_ACTION_COPY,
                                        WB_ACTION_NONE };
const struct wb_view_ops wb_console_view = {
    .name = "console",
    .title = "Console",
    .doc = "Lua, line by line, with the open models and the pipeline's result at hand",
    .state_size = sizeof(struct console),
    .actions = actions,
    .hints = hints,
    .keys = wb_line_keys,
    .open = open,
    .close = close,
    .draw = draw,
    .act = act,
    .key = key,
    .mouse = mouse,
    .poll = poll,
    .show = show,
    .status = status,
    .search = search,
    .busy = busy,
};
