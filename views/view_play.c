/* views/view_play.c - the playground: one prompt, several models beside each other, what each writes
 * and how sure it is. */
#include "views/view_play.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/doc.h"
#include "views/number.h"
#include "views/screens.h"

/* ---- panes ---- */

static void next_pane(struct play *p, bool back)
{
    size_t all = 2 + p->columns, at = p->focus == PLAY_COLUMN ? 2 + p->column : (size_t)p->focus;

    at = (at + (back ? all - 1 : 1)) % all;
    p->focus = at >= 2 ? PLAY_COLUMN : (enum play_pane)at;
    if (at >= 2)
        p->column = at - 2;
}

/* After the cursor moved: what is shown moves with it. */
static void settle(struct wb_view *v)
{
    struct play *p = v->state;
    struct play_layout l = wb_play_lay_out(p, v->rows, v->cols);
    int cols = wb_play_text_cols(&l), shown = wb_play_text_lines(p, &l), lines, line;
    struct play_column *c = wb_play_column(p);

    if (p->column < p->left)
        p->left = p->column;
    if (l.visible > 0 && p->column >= p->left + l.visible)
        p->left = p->column - l.visible + 1;
    if (c == NULL || wb_play_tokens(c) == 0)
        return;
    line = wb_play_line_of(c, c->cursor, cols, &lines);
    if (line < c->top)
        c->top = line;
    if (line >= c->top + shown)
        c->top = line - shown + 1;
}

/* ---- the prompt ---- */

static void resize_editor(struct wb_view *v)
{
    struct play *p = v->state;
    struct play_layout l = wb_play_lay_out(p, v->rows, v->cols);

    wb_editor_resize(p->editor, l.prompt.rows - 1, l.prompt.cols);
}

static bool key(struct wb_view *v, const struct wb_event *event)
{
    struct play *p = v->state;
    enum wb_editor_result result;
    const char *copied;

    if (!p->typing)
        return false;
    if (event->kind == WB_EVENT_KEY && event->key.code == WB_KEY_ENTER &&
        event->key.mods == WB_MOD_ALT) {
        p->typing = false;
        wb_play_start(v);
        return true;
    }
    resize_editor(v);
    result = wb_editor_event(p->editor, event);
    copied = wb_editor_take_copied(p->editor);
    if (copied != NULL) {
        free(v->desk->copy);
        v->desk->copy = strdup(copied);
    }
    if (wb_editor_note(p->editor)[0] != '\0')
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s", wb_editor_note(p->editor));
    if (result == WB_EDITOR_LEAVE)
        p->typing = false;
    return result != WB_EDITOR_UNUSED;
}

static bool set_prompt(struct wb_view *v, const char *text)
{
    struct play *p = v->state;
    struct wb_range all = { .to = wb_document_end(p->text) };
    struct wb_err err;

    if (!wb_document_replace(p->text, all, text, strlen(text), WB_EDIT_STEP, NULL, &err))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
    return true;
}

/* ---- settings ---- */

static void set(struct wb_view *v, enum play_setting which, const char *value)
{
    struct play *p = v->state;
    struct wb_err err;

    if (!wb_play_set(&p->settings, which, value, &err))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

static void answer_setting(struct wb_view *v, const char *text)
{
    const struct play *p = v->state;

    set(v, (enum play_setting)p->setting, text);
}

static void ask_setting(struct wb_view *v)
{
    struct play *p = v->state;
    char label[80], value[40];

    snprintf(label, sizeof label, "%s = ", wb_play_setting_name[p->setting]);
    wb_desk_ask(
        v->desk, v, WB_ASK_TEXT, label,
        wb_play_setting_text(&p->settings, (enum play_setting)p->setting, value, sizeof value),
        answer_setting);
}

static bool act_on_settings(struct wb_view *v, enum wb_action action, int count)
{
    struct play *p = v->state;
    int row = p->setting;

    switch (action) {
    case WB_ACTION_LEFT:
    case WB_ACTION_RIGHT:
        wb_play_step_setting(p, action == WB_ACTION_LEFT ? -count : count);
        return true;
    case WB_ACTION_UP:
        row -= count;
        break;
    case WB_ACTION_DOWN:
        row += count;
        break;
    case WB_ACTION_FIRST:
        row = 0;
        break;
    case WB_ACTION_LAST:
        row = PLAY_SETTINGS - 1;
        break;
    default:
        return false;
    }
    p->setting = row < 0 ? 0 : row >= PLAY_SETTINGS ? PLAY_SETTINGS - 1 : row;
    return true;
}

/* ---- acting ---- */

static void answer_column(struct wb_view *v, const char *text)
{
    struct play *p = v->state;

    if (text[0] != '\0' && wb_play_add_column(v, text))
        p->column = p->columns - 1;
}

static void open_pane(struct wb_view *v)
{
    struct play *p = v->state;

    if (p->focus == PLAY_PROMPT)
        p->typing = true;
    else if (p->focus == PLAY_SETTING_ROWS)
        ask_setting(v);
    else
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "p writes anew, M shows the next model here, y copies the text");
}

/* Drawn anew from another seed; a greedy text would be the same. */
static void again(struct wb_view *v)
{
    struct play *p = v->state;

    if (!p->settings.greedy)
        p->settings.seed++;
    wb_play_start(v);
}

static void copy(struct wb_view *v)
{
    struct play *p = v->state;
    struct play_column *c = wb_play_column(p);
    struct wb_str text = { 0 };

    if (p->focus == PLAY_PROMPT)
        wb_document_text(p->text, &text);
    else if (p->focus == PLAY_SETTING_ROWS)
        wb_play_transcript(p, false, &text);
    for (size_t i = 0, n = wb_play_tokens(c); i < n; i++) {
        pthread_mutex_lock(&c->run->lock);
        wb_str_add(&text, c->run->token[i].text);
        pthread_mutex_unlock(&c->run->lock);
    }
    if (text.len > 0 && !text.failed) {
        free(v->desk->copy);
        v->desk->copy = strdup(text.text);
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "copied %zu bytes", text.len);
    } else {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no text here to copy");
    }
    wb_str_free(&text);
}

static void answer_export(struct wb_view *v, const char *path)
{
    if (path[0] != '\0')
        wb_play_export(v, path);
}

static bool act_on_columns(struct wb_view *v, enum wb_action action)
{
    struct play *p = v->state;

    switch (action) {
    case WB_ACTION_COLUMN_ADD:
        wb_desk_ask(v->desk, v, WB_ASK_TEXT, "a column for the model: ", "", answer_column);
        return true;
    case WB_ACTION_DELETE:
        if (wb_play_column(p) == NULL)
            return false;
        wb_play_drop_column(v, p->column);
        if (p->columns == 0)
            p->focus = PLAY_PROMPT;
        return true;
    case WB_ACTION_MODEL_NEXT:
        if (p->columns == 0)
            return false;
        wb_play_next_model(v, p->column);
        return true;
    case WB_ACTION_DIFFER_NEXT:
    case WB_ACTION_DIFFER_PREVIOUS:
        wb_play_go_difference(v, action == WB_ACTION_DIFFER_PREVIOUS);
        return true;
    default:
        return false;
    }
}

static bool act_on_view(struct wb_view *v, enum wb_action action)
{
    struct play *p = v->state;

    switch (action) {
    case WB_ACTION_PANE_NEXT:
    case WB_ACTION_PANE_PREVIOUS:
        next_pane(p, action == WB_ACTION_PANE_PREVIOUS);
        return true;
    case WB_ACTION_EDIT:
        p->focus = PLAY_PROMPT;
        p->typing = true;
        return true;
    case WB_ACTION_OPEN:
        open_pane(v);
        return true;
    case WB_ACTION_PLAY_START:
        wb_play_start(v);
        return true;
    case WB_ACTION_PLAY_AGAIN:
        again(v);
        return true;
    case WB_ACTION_CANCEL:
        wb_play_stop(v);
        return true;
    case WB_ACTION_KNOB_TYPE:
        p->focus = PLAY_SETTING_ROWS;
        ask_setting(v);
        return true;
    case WB_ACTION_MODE:
        p->plain = !p->plain;
        if (p->columns == 0)
            wb_desk_say(v->desk, WB_MESSAGE_NOTE, "texts are shown %s a row of marks",
                        p->plain ? "without" : "with");
        return true;
    case WB_ACTION_COPY:
        copy(v);
        return true;
    case WB_ACTION_EXPORT:
        if (wb_desk_may_write(v->desk))
            wb_desk_ask(v->desk, v, WB_ASK_PATH,
                        "Write the transcript to (.txt or .json): ", "transcript.txt",
                        answer_export);
        return true;
    default:
        return act_on_columns(v, action);
    }
}

static void catch_up(struct wb_view *v)
{
    struct play *p = v->state;

    if (p->seen == v->desk->version && p->seen_doc == v->desk->doc->version)
        return;
    p->seen = v->desk->version;
    p->seen_doc = v->desk->doc->version;
    wb_play_choose_columns(v);
    if (p->focus == PLAY_COLUMN && p->columns == 0)
        p->focus = PLAY_PROMPT;
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct play *p = v->state;
    bool done;

    catch_up(v);
    done = act_on_view(v, action);
    if (!done && p->focus == PLAY_SETTING_ROWS)
        done = act_on_settings(v, action, count);
    else if (!done && wb_play_column(p) != NULL)
        done = wb_play_act_on_column(v, action, count);
    settle(v);
    return done;
}

/* ---- mouse, search, commands ---- */

static void mouse_columns(struct wb_view *v, const struct play_layout *l, struct wb_mouse at)
{
    struct play *p = v->state;
    size_t i = p->left + (size_t)(at.col / l->column_cols), token;
    struct play_column *c;
    int line = at.row - 1;

    if (i >= p->columns)
        return;
    c = &p->shown[i];
    if (at.kind == WB_MOUSE_WHEEL_UP || at.kind == WB_MOUSE_WHEEL_DOWN) {
        wb_play_go_lines(v, c, at.kind == WB_MOUSE_WHEEL_UP ? -3 : 3);
        return;
    }
    p->focus = PLAY_COLUMN;
    p->column = i;
    if (line < 0)
        return;
    token = wb_play_token_at(c, c->top + (p->plain ? line : line / 2), at.col % l->column_cols,
                             wb_play_text_cols(l));
    if (token != SIZE_MAX)
        wb_play_go_token(c, token);
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct play *p = v->state;
    struct play_layout l = wb_play_lay_out(p, v->rows, v->cols);
    struct wb_event inner = { .kind = WB_EVENT_MOUSE };
    bool press = event->kind == WB_MOUSE_PRESS || event->kind == WB_MOUSE_DOUBLE;
    struct wb_mouse at;

    catch_up(v);
    if (wb_rect_hit(&l.prompt, event, &at) && at.row > 0) {
        p->focus = press ? PLAY_PROMPT : p->focus;
        p->typing = p->typing || event->kind == WB_MOUSE_DOUBLE;
        inner.mouse = at;
        inner.mouse.row--;
        resize_editor(v);
        wb_editor_event(p->editor, &inner);
    } else if (wb_rect_hit(&l.settings, event, &at) && press) {
        p->focus = PLAY_SETTING_ROWS;
        p->typing = false;
        wb_play_click_setting(p, at.row - 1, at.col, l.settings.cols);
    } else if (wb_rect_hit(&l.columns, event, &at) && p->columns > 0) {
        p->typing = p->typing && !press;
        mouse_columns(v, &l, at);
    }
    settle(v);
}

/* "base math result": exactly these. */
static void set_columns(struct wb_view *v, const char *names)
{
    struct play *p = v->state;
    char copied[1000], *rest = copied;

    snprintf(copied, sizeof copied, "%s", names);
    while (p->columns > 0)
        wb_play_drop_column(v, p->columns - 1);
    for (char *name = strtok_r(rest, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest))
        wb_play_add_column(v, name);
    p->focus = PLAY_PROMPT;
}

static bool search(struct wb_view *v, const char *text, int direction)
{
    bool found = wb_play_search(v, text, direction);

    settle(v);
    return found;
}

static bool command(struct wb_view *v, const char *name, const char *argument)
{
    if (argument[0] == '\0')
        return false;
    catch_up(v);
    for (int i = 0; i < PLAY_SETTINGS; i++)
        if (strcmp(name, wb_play_setting_name[i]) == 0) {
            set(v, (enum play_setting)i, argument);
            return true;
        }
    if (strcmp(name, "prompt") == 0)
        return set_prompt(v, argument);
    if (strcmp(name, "columns") == 0)
        set_columns(v, argument);
    else if (strcmp(name, "export") == 0)
        wb_play_export(v, argument);
    else
        return false;
    return true;
}

/* ---- the rest ---- */

static bool poll(struct wb_view *v)
{
    struct play *p = v->state;
    bool changed = p->seen != v->desk->version || p->seen_doc != v->desk->doc->version;

    catch_up(v);
    return wb_play_poll_runs(v) || changed;
}

/* A prompt to begin with. */
static void show(struct wb_view *v, const char *what)
{
    set_prompt(v, what);
}

static void say_token(const struct play_column *c, struct wb_str *out)
{
    char number[40];

    pthread_mutex_lock(&c->run->lock);
    if (c->cursor < c->run->tokens)
        wb_str_printf(
            out, "token %zu/%zu  %s", c->cursor + 1, c->run->tokens,
            wb_number_percent(number, sizeof number, exp(c->run->token[c->cursor].logprob)));
    pthread_mutex_unlock(&c->run->lock);
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct play *p = v->state;

    wb_str_add(where, "Playground");
    if (p->focus == PLAY_SETTING_ROWS)
        wb_str_printf(where, " > %s: %s", wb_play_setting_name[p->setting],
                      wb_play_setting_doc((enum play_setting)p->setting));
    for (size_t i = 0; p->focus != PLAY_SETTING_ROWS && i < p->columns; i++)
        wb_str_printf(where, "%s%s", i == 0 ? " > " : ", ", p->shown[i].name);
    if (p->typing)
        wb_str_add(position, "typing");
    else if (p->focus == PLAY_SETTING_ROWS)
        wb_str_add(position, "Left Right turn");
    else if (p->opinion_err.code != WB_OK)
        wb_str_printf(position, "! %s", p->opinion_err.msg);
    else if (p->opinion_task != NULL)
        wb_str_add(position, "comparing");
    else if (p->columns > 0 && p->shown[p->column].run != NULL)
        say_token(&p->shown[p->column], position);
}

static bool busy(const struct wb_view *v)
{
    return wb_play_at_work(v->state);
}

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct play *p = v->state;

    p->desk = v->desk;
    p->settings = (struct play_settings){
        .greedy = true, .temperature = 0.8, .top_p = 1, .tokens = 48, .seed = 1
    };
    p->seen = v->desk->version - 1;
    p->text = wb_document_new(err);
    p->editor = p->text == NULL ? NULL : wb_editor_new(p->text, err);
    if (p->editor == NULL)
        return false;
    wb_editor_set_prose(p->editor);
    return true;
}

static void close(struct wb_view *v)
{
    struct play *p = v->state;

    wb_play_free_runs(p);
    wb_editor_free(p->editor);
    wb_document_free(p->text);
}

static const enum wb_action actions[] = {
    WB_ACTION_EDIT,    WB_ACTION_PLAY_START,  WB_ACTION_PLAY_AGAIN,
    WB_ACTION_CANCEL,  WB_ACTION_DIFFER_NEXT, WB_ACTION_DIFFER_PREVIOUS,
    WB_ACTION_LEFT,    WB_ACTION_RIGHT,       WB_ACTION_COLUMN_ADD,
    WB_ACTION_DELETE,  WB_ACTION_MODEL_NEXT,  WB_ACTION_KNOB_TYPE,
    WB_ACTION_MODE,    WB_ACTION_COPY,        WB_ACTION_EXPORT,
    WB_ACTION_OPEN,    WB_ACTION_PANE_NEXT,   WB_ACTION_PANE_PREVIOUS,
    WB_ACTION_UP,      WB_ACTION_DOWN,        WB_ACTION_FIRST,
    WB_ACTION_LAST,    WB_ACTION_PAGE_UP,     WB_ACTION_PAGE_DOWN,
    WB_ACTION_HALF_UP, WB_ACTION_HALF_DOWN,   WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_EDIT,        WB_ACTION_PLAY_START,
                                        WB_ACTION_PLAY_AGAIN,  WB_ACTION_PANE_NEXT,
                                        WB_ACTION_DIFFER_NEXT, WB_ACTION_COLUMN_ADD,
                                        WB_ACTION_EXPORT,      WB_ACTION_NONE };
static const struct wb_key_doc typed[] = {
    { "M-Enter", "while the prompt is typed: leave it and write; the keys of the editor work too" },
    { ":prompt TEXT", "the prompt in one line" },
    { ":columns NAMES", "exactly these models; result is the pipeline's" },
    { ":temperature N", "and so on for greedy, top_p, tokens, seed" },
    { ":export FILE", "the transcript; FILE.json with all numbers" },
    { NULL, NULL },
};

const struct wb_view_ops wb_play_view = {
    .name = "play",
    .title = "Play",
    .doc = "One prompt, several models beside each other: what they write and how sure they are",
    .state_size = sizeof(struct play),
    .actions = actions,
    .hints = hints,
    .keys = typed,
    .open = open,
    .close = close,
    .draw = wb_play_draw,
    .act = act,
    .key = key,
    .mouse = mouse,
    .poll = poll,
    .show = show,
    .status = status,
    .search = search,
    .command = command,
    .busy = busy,
};
