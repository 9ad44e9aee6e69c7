/* views/frame.c - events to actions, screens and the way back, what views ask for. */
#include "views/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "views/command.h"
#include "views/help.h"
#include "views/screens.h"

#define COUNT_MAX 9999
#define DIGIT_SECONDS 0.25 /* how long one digit waits for a movement before it means a screen */
#define BUSY_TICK_MS 200

struct wb_view *wb_frame_view(const struct wb_frame *f)
{
    return f->overlay != NULL ? f->overlay : f->screen[f->current];
}

/* Screens */

/* Open the screen when it is shown for the first time; false: it stays where it was. */
static bool show_screen(struct wb_frame *f, int i)
{
    struct wb_err err;

    if (f->screen[i] == NULL)
        f->screen[i] = wb_view_new(wb_screens[i], f->desk, &err);
    if (f->screen[i] == NULL) {
        wb_desk_say(f->desk, WB_MESSAGE_ERROR, "%s", err.msg);
        return false;
    }
    wb_view_free(f->overlay);
    f->overlay = NULL;
    f->screen[f->current]->away = true;
    f->screen[i]->away = false;
    f->current = i;
    if (f->screen[i]->ops->poll != NULL)
        f->screen[i]->ops->poll(f->screen[i]);
    return true;
}

static bool go_screen(struct wb_frame *f, int i)
{
    int from = f->current;

    if (i == from && f->overlay == NULL)
        return true;
    if (!show_screen(f, i))
        return false;
    if (i == from)
        return true;
    if (f->backs == WB_FRAME_BACK_MAX)
        memmove(f->back, f->back + 1, (size_t)--f->backs * sizeof f->back[0]);
    f->back[f->backs++] = from;
    return true;
}

bool wb_frame_go(struct wb_frame *f, const char *name)
{
    char *end;
    long number = strtol(name, &end, 10);

    if (name[0] != '\0' && *end == '\0')
        return number >= 1 && number <= f->screens && go_screen(f, (int)number - 1);
    for (int i = 0; i < f->screens; i++)
        if (strcmp(wb_screens[i]->name, name) == 0)
            return go_screen(f, i);
    return false;
}

static bool go_back(struct wb_frame *f)
{
    if (f->overlay != NULL) {
        wb_view_free(f->overlay);
        f->overlay = NULL;
        return true;
    }
    return f->backs > 0 && show_screen(f, f->back[--f->backs]);
}

void wb_frame_show_overlay(struct wb_frame *f, const struct wb_view_ops *ops)
{
    struct wb_err err;
    struct wb_view *v = wb_view_new(ops, f->desk, &err);

    if (v == NULL) {
        wb_desk_say(f->desk, WB_MESSAGE_ERROR, "%s", err.msg);
        return;
    }
    wb_view_free(f->overlay);
    f->overlay = v;
    if (v->ops->poll != NULL)
        v->ops->poll(v);
}

/* Questions */

static void answer_quit(struct wb_view *view, const char *text)
{
    (void)view;
    (void)text;
}

static void ask_quit(struct wb_frame *f)
{
    const char *worry = wb_desk_worry(f->desk);

    if (worry == NULL) {
        f->want.quit = true;
        return;
    }
    wb_desk_ask(f->desk, wb_frame_view(f), WB_ASK_YES_NO, worry, "", answer_quit);
    f->quitting = true;
}

/* The last row becomes a question. */
static void start_ask(struct wb_frame *f)
{
    f->ask = f->desk->ask;
    f->desk->ask.wanted = false;
    f->mode = WB_FRAME_ASK;
    wb_line_start(f->ask_line, f->ask.label, f->ask.text);
}

static void end_ask(struct wb_frame *f, const char *text)
{
    bool yes = text != NULL && (text[0] == 'y' || text[0] == 'Y');

    f->mode = WB_FRAME_PLAIN;
    if (f->quitting) {
        f->want.quit = yes;
        f->quitting = false;
    } else if (f->ask.kind == WB_ASK_YES_NO ? yes : text != NULL) {
        f->ask.answer(f->ask.view, text);
    }
}

static void ask_event(struct wb_frame *f, const struct wb_event *event)
{
    char text[WB_LINE_MAX];

    if (f->ask.kind == WB_ASK_YES_NO && event->kind == WB_EVENT_KEY) { /* one key is the answer */
        snprintf(text, sizeof text, "%c",
                 event->key.mods == 0 && event->key.code < 127 ? (char)event->key.code : 'n');
        end_ask(f, text);
        return;
    }
    switch (wb_line_event(f->ask_line, event)) {
    case WB_LINE_TAKEN:
        snprintf(text, sizeof text, "%s", wb_line_text(f->ask_line));
        end_ask(f, text);
        break;
    case WB_LINE_LEFT:
        end_ask(f, NULL);
        break;
    default:
        break;
    }
}

/* What views and commands left on the desk for the frame. */
static void take_requests(struct wb_frame *f)
{
    struct wb_desk *d = f->desk;

    if (d->go_view[0] != '\0') {
        struct wb_view *v;

        if (strcmp(d->go_view, wb_eval_view.name) == 0)
            wb_frame_show_overlay(f, &wb_eval_view);
        else if (!wb_frame_go(f, d->go_view))
            wb_desk_say(d, WB_MESSAGE_ERROR, "there is no screen '%s'", d->go_view);
        v = wb_frame_view(f);
        if (strcmp(v->ops->name, d->go_view) == 0 && v->ops->show != NULL && d->go_what[0] != '\0')
            v->ops->show(v, d->go_what);
        d->go_view[0] = '\0';
    }
    if (d->ask.wanted)
        start_ask(f);
    if (d->copy != NULL) {
        free(f->want.copy);
        f->want.copy = d->copy;
        d->copy = NULL;
    }
    if (d->external_edit != NULL) {
        free(f->want.edit);
        f->want.edit = d->external_edit;
        d->external_edit = NULL;
    }
}

/* Searching */

static void search(struct wb_frame *f, const char *text, int direction)
{
    struct wb_view *v = wb_frame_view(f);

    if (v->ops->search == NULL)
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "there is nothing to search in here");
    else if (text[0] == '\0' && direction != 0)
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "nothing was searched for so far; / begins");
    else if (text[0] == '\0' || v->ops->search(v, text, direction))
        wb_messages_dismiss(&f->desk->messages);
    else
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "no match for '%s'", text);
}

static void search_event(struct wb_frame *f, const struct wb_event *event)
{
    enum wb_line_result result = wb_line_event(f->search, event);

    if (result == WB_LINE_CHANGED)
        search(f, wb_line_text(f->search), 0);
    if (result != WB_LINE_TAKEN && result != WB_LINE_LEFT)
        return;
    f->mode = WB_FRAME_PLAIN;
    if (result == WB_LINE_TAKEN && wb_line_text(f->search)[0] != '\0') {
        snprintf(f->last_search, sizeof f->last_search, "%s", wb_line_text(f->search));
        wb_history_add(f->search_history, f->last_search);
    }
}

/* Commands */

static void command_event(struct wb_frame *f, const struct wb_event *event)
{
    enum wb_line_result result = wb_line_event(f->command, event);
    char line[WB_LINE_MAX];
    struct wb_err err;

    if (result != WB_LINE_TAKEN && result != WB_LINE_LEFT)
        return;
    f->mode = WB_FRAME_PLAIN;
    snprintf(line, sizeof line, "%s", wb_line_text(f->command));
    if (result == WB_LINE_LEFT || line[0] == '\0')
        return;
    wb_history_add(f->command_history, line);
    if (!wb_frame_command(f, line, &err))
        wb_desk_say(f->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

/* Actions */

static void cancel(struct wb_frame *f)
{
    struct wb_view *v = wb_frame_view(f);

    if (v->ops->busy != NULL && v->ops->busy(v) && wb_view_handles(v->ops, WB_ACTION_CANCEL)) {
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "cancelling");
        v->ops->act(v, WB_ACTION_CANCEL, 1);
    } else {
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "nothing is at work here; Q quits");
    }
}

static bool frame_act(struct wb_frame *f, enum wb_action action)
{
    switch (action) {
    case WB_ACTION_COMMAND:
        f->mode = WB_FRAME_COMMAND;
        wb_line_start(f->command, ":", "");
        return true;
    case WB_ACTION_SEARCH:
        f->mode = WB_FRAME_SEARCH;
        wb_line_start(f->search, "/", "");
        return true;
    case WB_ACTION_MATCH_NEXT:
    case WB_ACTION_MATCH_PREVIOUS:
        search(f, f->last_search, action == WB_ACTION_MATCH_NEXT ? 1 : -1);
        return true;
    case WB_ACTION_HELP:
        wb_help_show(f);
        return true;
    case WB_ACTION_MESSAGES:
        wb_frame_show_overlay(f, &wb_messages_view);
        return true;
    case WB_ACTION_SCREEN_NEXT:
        return go_screen(f, (f->current + 1) % f->screens);
    case WB_ACTION_SCREEN_PREVIOUS:
        return go_screen(f, (f->current + f->screens - 1) % f->screens);
    case WB_ACTION_BACK:
        return go_back(f);
    case WB_ACTION_CLOSE:
        if (!go_back(f))
            ask_quit(f);
        return true;
    case WB_ACTION_QUIT:
        ask_quit(f);
        return true;
    case WB_ACTION_CANCEL:
        cancel(f);
        return true;
    case WB_ACTION_SUSPEND:
        f->want.suspend = true;
        return true;
    case WB_ACTION_REPAINT:
        f->want.repaint = true;
        return true;
    default:
        return false;
    }
}

bool wb_frame_act(struct wb_frame *f, enum wb_action action, int count)
{
    struct wb_view *v = wb_frame_view(f);
    bool done;

    done = action != WB_ACTION_CANCEL && wb_view_handles(v->ops, action) &&
           v->ops->act(v, action, count);
    if (!done && wb_action_of_frame(action))
        done = frame_act(f, action);
    take_requests(f);
    return done;
}

/* Events */

/* A digit begins or goes on with a count; one alone turns into a screen after a while. */
static bool digit(struct wb_frame *f, struct wb_key key)
{
    int value = (int)key.code - '0';

    if (key.mods != 0 || key.code < '0' || key.code > '9')
        return false;
    if (value == 0 && f->count == 0) { /* no count begins so */
        if (!wb_frame_go(f, "10"))
            wb_desk_say(f->desk, WB_MESSAGE_NOTE, "there are screens 1 to %d", f->screens);
        return true;
    }
    f->count_until = f->count == 0 ? wb_now_seconds() + DIGIT_SECONDS : 0;
    f->count = f->count * 10 + value;
    if (f->count > COUNT_MAX)
        f->count = COUNT_MAX;
    return true;
}

/* At an end, or with one pane, these need no words. */
static bool is_move(enum wb_action action)
{
    return action == WB_ACTION_BACK ||
           (action >= WB_ACTION_UP && action <= WB_ACTION_PANE_PREVIOUS);
}

static void plain_key(struct wb_frame *f, struct wb_key key)
{
    struct wb_view *v = wb_frame_view(f);
    enum wb_action action = wb_keymap_find(&f->keymap, v->ops, key);
    int count = f->count > 0 ? f->count : 1;
    char name[16];

    if (action == WB_ACTION_NONE && digit(f, key))
        return;
    f->count = 0;
    f->count_until = 0;
    if (action != WB_ACTION_NONE && !wb_frame_act(f, action, count) && !is_move(action))
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "%s (%s) has nothing to act on here",
                    wb_key_name(key, name, sizeof name), wb_action_info(action)->name);
    else if (action == WB_ACTION_NONE && key.code != WB_KEY_ESC)
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "%s does nothing here; ? lists the keys",
                    wb_key_name(key, name, sizeof name));
}

static void mouse_event(struct wb_frame *f, const struct wb_mouse *mouse)
{
    struct wb_view *v = wb_frame_view(f);
    struct wb_mouse inside = *mouse;
    int tab;

    if (mouse->row == 0) {
        tab = wb_frame_tab_at(f, mouse->col);
        if (mouse->kind == WB_MOUSE_PRESS && tab >= 0)
            go_screen(f, tab);
        return;
    }
    inside.row -= 1;
    if (v->ops->mouse != NULL && inside.row < v->rows && inside.col < v->cols)
        v->ops->mouse(v, &inside);
}

static void key_event(struct wb_frame *f, const struct wb_event *event)
{
    struct wb_view *v = wb_frame_view(f);

    switch (f->mode) {
    case WB_FRAME_COMMAND:
        command_event(f, event);
        break;
    case WB_FRAME_SEARCH:
        search_event(f, event);
        break;
    case WB_FRAME_ASK:
        ask_event(f, event);
        break;
    case WB_FRAME_PLAIN:
        wb_messages_dismiss(&f->desk->messages);
        if (v->ops->key != NULL && f->count == 0 && v->ops->key(v, event))
            break;
        if (event->kind == WB_EVENT_KEY)
            plain_key(f, event->key);
        break;
    }
}

static bool too_small(const struct wb_frame *f)
{
    return f->surface.rows < WB_FRAME_ROWS_MIN || f->surface.cols < WB_FRAME_COLS_MIN;
}

/* What an event did to the desk is known to the view before it draws or gets the next one. */
static void poll_view(struct wb_view *v)
{
    if (v->ops->poll != NULL)
        v->ops->poll(v);
}

void wb_frame_event(struct wb_frame *f, const struct wb_event *event)
{
    switch (event->kind) {
    case WB_EVENT_KEY:
    case WB_EVENT_PASTE:
        key_event(f, event);
        break;
    case WB_EVENT_MOUSE:
        if (f->mode == WB_FRAME_PLAIN && !too_small(f))
            mouse_event(f, &event->mouse);
        break;
    default:
        break;
    }
    take_requests(f);
    poll_view(wb_frame_view(f));
}

/* Time and work */

static bool settle_digit(struct wb_frame *f)
{
    char number[12];

    if (f->count_until == 0 || wb_now_seconds() < f->count_until)
        return false;
    snprintf(number, sizeof number, "%d", f->count);
    f->count = 0;
    f->count_until = 0;
    if (!wb_frame_go(f, number))
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "there are screens 1 to %d", f->screens);
    return true;
}

bool wb_frame_poll(struct wb_frame *f)
{
    bool draw = wb_desk_poll(f->desk);

    for (int i = 0; i < f->screens; i++)
        if (f->screen[i] != NULL && f->screen[i]->ops->poll != NULL &&
            f->screen[i]->ops->poll(f->screen[i]))
            draw = draw || i == f->current;
    if (f->overlay != NULL && f->overlay->ops->poll != NULL && f->overlay->ops->poll(f->overlay))
        draw = true;
    draw = settle_digit(f) || draw;
    draw = wb_messages_expire(&f->desk->messages, wb_now_seconds()) || draw;
    take_requests(f);
    return draw || wb_desk_busy(f->desk);
}

static int until_ms(double when, int least)
{
    double left = (when - wb_now_seconds()) * 1000 + 1;
    int ms = left < 0 ? 0 : (int)left;

    return least < 0 || ms < least ? ms : least;
}

int wb_frame_timeout_ms(const struct wb_frame *f)
{
    const struct wb_messages *m = &f->desk->messages;
    int ms = wb_desk_busy(f->desk) ? BUSY_TICK_MS : -1;

    if (f->count_until > 0)
        ms = until_ms(f->count_until, ms);
    if (m->toast != 0 && m->toast_until > 0)
        ms = until_ms(m->toast_until, ms);
    return ms;
}

/* Drawing */

bool wb_frame_draw(struct wb_frame *f, int rows, int cols, struct wb_err *err)
{
    struct wb_canvas cv, inner;
    struct wb_view *v = wb_frame_view(f);

    if ((f->surface.rows != rows || f->surface.cols != cols) &&
        !wb_surface_resize(&f->surface, rows, cols, err))
        return false;
    cv = wb_canvas_of(&f->surface, &f->theme);
    f->surface.cursor_row = -1;
    wb_canvas_clear(&cv);
    if (too_small(f)) {
        wb_canvas_printf(&cv, 0, 0, WB_STYLE_WARNING, "needs %dx%d, has %dx%d", WB_FRAME_COLS_MIN,
                         WB_FRAME_ROWS_MIN, cols, rows);
        return true;
    }
    inner = wb_canvas_sub(&cv, 1, 0, rows - 3, cols);
    v->rows = inner.rows;
    v->cols = inner.cols;
    poll_view(v); /* nothing is drawn that the desk does not have any more */
    v->ops->draw(v, &inner);
    wb_frame_draw_around(f, &cv);
    return true;
}

/* Life */

static void complete(void *user, const char *text, size_t at, size_t *from, struct wb_complete *out)
{
    wb_command_complete(user, text, at, from, out);
}

static void complete_ask(void *user, const char *text, size_t at, size_t *from,
                         struct wb_complete *out)
{
    const struct wb_frame *f = user;

    *from = 0; /* a path may have spaces */
    if (f->ask.kind == WB_ASK_PATH || f->ask.kind == WB_ASK_MODEL)
        wb_command_complete_path(text, at, *from, f->ask.kind == WB_ASK_MODEL, out);
}

static struct wb_history *open_history(const char *name, bool keep)
{
    char *path = keep ? wb_history_path(name) : NULL;
    struct wb_history *h = wb_history_open(path);

    free(path);
    return h;
}

struct wb_frame *wb_frame_new(struct wb_desk *desk, const struct wb_theme *theme, bool keep_history,
                              struct wb_err *err)
{
    struct wb_frame *f = calloc(1, sizeof *f);
    struct wb_line_completer commands = { .ask = complete, .user = f };
    struct wb_line_completer answers = { .ask = complete_ask, .user = f };

    if (f == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for the screens");
        return NULL;
    }
    f->desk = desk;
    f->theme = *theme;
    desk->theme = &f->theme;
    while (f->screens < WB_SCREENS_MAX && wb_screens[f->screens] != NULL)
        f->screens++;
    f->command_history = open_history("command", keep_history);
    f->search_history = open_history("search", keep_history);
    f->command = wb_line_new(f->command_history, &commands);
    f->search = wb_line_new(f->search_history, NULL);
    f->ask_line = wb_line_new(NULL, &answers);
    if (f->command == NULL || f->search == NULL || f->ask_line == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for input lines");
    else if ((f->screen[0] = wb_view_new(wb_screens[0], desk, err)) != NULL)
        return f;
    wb_frame_free(f);
    return NULL;
}

static void save_history(struct wb_frame *f, struct wb_history *h)
{
    struct wb_err err;

    if (h != NULL && !wb_history_save(h, &err))
        wb_desk_say(f->desk, WB_MESSAGE_WARNING, "the history is not kept: %s", err.msg);
}

void wb_frame_free(struct wb_frame *f)
{
    if (f == NULL)
        return;
    save_history(f, f->command_history);
    save_history(f, f->search_history);
    for (int i = 0; i < f->screens; i++)
        wb_view_free(f->screen[i]);
    wb_view_free(f->overlay);
    wb_line_free(f->command);
    wb_line_free(f->search);
    wb_line_free(f->ask_line);
    wb_history_free(f->command_history);
    wb_history_free(f->search_history);
    wb_keymap_free(&f->keymap);
    wb_surface_free(&f->surface);
    free(f->want.copy);
    free(f->want.edit);
    f->desk->theme = NULL;
    free(f);
}
