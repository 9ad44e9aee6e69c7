/* views/view_pipeline.c - the Pipeline screen: a script, its steps and knobs, what comes out. */
#include "views/view_pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "views/screens.h"

enum {
    FULL_COLS = 160, /* and from here on it gets more than half */
    STRIP_ROWS = 4,  /* and those of the scores */
    EDITOR_ROWS_MIN = 8,
};

/* Where things stand */

static int clamp(int n, int least, int most)
{
    return n < least ? least : n > most ? most : n;
}

/* Steps and knobs get what they need, as long as the editor keeps a decent rest. */
static void lay_out_left(const struct wb_pipe *p, int rows, int cols, struct wb_pipe_layout *l)
{
    int knobs = 1 + clamp((int)wb_pipe_knob_rows(p), 1, rows / 3);
    int steps = 1 + clamp((int)p->steps.rows, 1, rows / 5), editor;

    if (rows - steps - knobs < EDITOR_ROWS_MIN)
        steps = clamp(rows - knobs - EDITOR_ROWS_MIN, 2, steps);
    if (rows - steps - knobs < EDITOR_ROWS_MIN)
        knobs = clamp(rows - steps - EDITOR_ROWS_MIN, 3, knobs);
    editor = rows - steps - knobs;
    l->pane[WB_PIPE_EDITOR] = (struct wb_rect){ 0, 0, editor, cols };
    l->pane[WB_PIPE_STEPS] = (struct wb_rect){ editor, 0, steps, cols };
    l->pane[WB_PIPE_KNOBS] = (struct wb_rect){ editor + steps, 0, knobs, cols };
}

void wb_pipe_lay_out(const struct wb_pipe *p, int rows, int cols, struct wb_pipe_layout *l)
{
    int left = cols >= FULL_COLS ? 64 + (cols - FULL_COLS) / 4 : cols / 2;

    *l = (struct wb_pipe_layout){ .wide = cols >= WB_PIPE_WIDE_COLS };
    if (l->wide) {
        lay_out_left(p, rows, left, l);
        l->pane[WB_PIPE_PREVIEW] = (struct wb_rect){ 0, left + 1, rows, cols - left - 1 };
    } else if (p->focus == WB_PIPE_PREVIEW) {
        l->pane[WB_PIPE_PREVIEW] = (struct wb_rect){ 0, 0, rows, cols };
    } else {
        int strip = STRIP_ROWS + wb_pipe_score_lines(p);

        lay_out_left(p, rows - strip, cols, l);
        l->strip = (struct wb_rect){ rows - strip, 0, strip, cols };
    }
}

struct wb_rect wb_pipe_pane_rect(const struct wb_view *v, enum wb_pipe_pane pane)
{
    struct wb_pipe_layout l;

    wb_pipe_lay_out(v->state, v->rows, v->cols, &l);
    return l.pane[pane];
}

void wb_pipe_focus(struct wb_pipe *p, enum wb_pipe_pane pane)
{
    p->focus = pane;
    p->typing = p->typing && pane == WB_PIPE_EDITOR;
}

void wb_pipe_go_line(struct wb_pipe *p, int line)
{
    if (line > 0)
        wb_editor_go(p->editor, (struct wb_pos){ (size_t)line - 1, 0 });
}

/* Drawing */

bool wb_pipe_is_empty(const struct wb_pipe *p)
{
    return wb_document_bytes(p->desk->doc->text) == 0;
}

static void draw_beginning(const struct wb_pipe *p, struct wb_canvas *cv)
{
    static const char *const line[][2] = {
        { "i", "inserts a step: choose a method from a list" },
        { "Enter", "begins a script with the models that are open" },
        { "e", "types a script" },
        { ":edit FILE", "opens one" },
    };
    size_t i = 0;

    wb_canvas_text(cv, 1, 2, WB_STYLE_TEXT, "A pipeline is a script that returns a model.");
    for (; i < sizeof line / sizeof line[0]; i++) {
        wb_canvas_text(cv, 3 + (int)i, 2, WB_STYLE_KEY, line[i][0]);
        wb_canvas_text(cv, 3 + (int)i, 14, WB_STYLE_DIM, line[i][1]);
    }
    if (p->desk->models == 0)
        wb_canvas_text(cv, 4 + (int)i, 2, WB_STYLE_DIM,
                       "No model is open yet: :open PATH opens one.");
}

static void draw_editor(const struct wb_pipe *p, struct wb_canvas *cv)
{
    const struct wb_doc *d = p->desk->doc;
    bool focused = p->focus == WB_PIPE_EDITOR;
    struct wb_str title = { 0 };
    struct wb_canvas inner;

    wb_str_printf(&title, "%s%s", wb_doc_name(d), wb_document_modified(d->text) ? " *" : "");
    inner = wb_pane_begin(cv, title.text == NULL ? "" : title.text, focused);
    if (title.text != NULL)
        wb_pane_note(cv, title.text, p->typing ? "typing: Esc leaves" : "");
    wb_str_free(&title);
    if (wb_pipe_is_empty(p) && !p->typing) {
        draw_beginning(p, &inner);
        return;
    }
    wb_editor_resize(p->editor, inner.rows, inner.cols);
    wb_editor_draw(p->editor, &inner, p->typing);
}

static void pipe_draw(const struct wb_view *v, struct wb_canvas *cv)
{
    static void (*const draw[WB_PIPE_PANES])(const struct wb_pipe *p, struct wb_canvas *cv) = {
        draw_editor, wb_pipe_draw_steps, wb_pipe_draw_knobs, wb_pipe_draw_preview
    };
    const struct wb_pipe *p = v->state;
    struct wb_pipe_layout l;
    struct wb_canvas part;

    if (p->chooser.open) {
        wb_pipe_chooser_draw(p, cv);
        return;
    }
    wb_pipe_lay_out(p, cv->rows, cv->cols, &l);
    for (int i = 0; i < WB_PIPE_PANES; i++) {
        const struct wb_rect *r = &l.pane[i];

        part = wb_rect_window(cv, r);
        if (r->rows > 0)
            draw[i](p, &part);
    }
    if (l.wide)
        wb_canvas_vline(cv, 0, l.pane[WB_PIPE_PREVIEW].col - 1, cv->rows);
    part = wb_rect_window(cv, &l.strip);
    if (l.strip.rows > 0)
        wb_pipe_draw_strip(p, &part);
}

static const char *const mode_name[WB_PIPE_MODES] = { "summary", "layers",    "map",
                                                      "moves",   "behaviour", "reports" };

static void pipe_status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct wb_pipe *p = v->state;
    struct wb_pos cursor = wb_document_cursor(v->desk->doc->text);
    struct wb_str more = { 0 };

    wb_str_printf(where, "Pipeline > %s%s", wb_pipe_file_name(v->desk->doc),
                  wb_document_modified(v->desk->doc->text) ? " *" : "");
    if (p->focus == WB_PIPE_STEPS)
        wb_pipe_say_step(p, &more);
    else if (p->focus == WB_PIPE_KNOBS)
        wb_pipe_say_knob(p, &more);
    else if (p->focus == WB_PIPE_PREVIEW)
        wb_pipe_say_cell(p, &more);
    if (more.len > 0)
        wb_str_printf(where, " > %s", more.text);
    wb_str_free(&more);
    if (p->focus == WB_PIPE_EDITOR)
        wb_str_printf(position, "%s%zu:%zu", p->typing ? "typing  " : "", cursor.line + 1,
                      wb_document_column(v->desk->doc->text, cursor) + 1);
    else if (p->focus == WB_PIPE_KNOBS)
        wb_str_add(position, "Left Right turn");
    else if (p->focus == WB_PIPE_PREVIEW)
        wb_str_printf(position, "m: %s", mode_name[p->mode]);
}

/* Keys and mouse */

static void take_from_editor(struct wb_view *v)
{
    struct wb_pipe *p = v->state;
    const char *copied = wb_editor_take_copied(p->editor), *note = wb_editor_note(p->editor);

    if (copied != NULL) {
        free(v->desk->copy);
        v->desk->copy = strdup(copied);
    }
    if (note[0] != '\0')
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s", note);
}

static bool pipe_key(struct wb_view *v, const struct wb_event *event)
{
    struct wb_pipe *p = v->state;
    struct wb_rect r = wb_pipe_pane_rect(v, WB_PIPE_EDITOR);
    enum wb_editor_result result;

    if (p->chooser.open)
        return wb_pipe_chooser_key(p, event);
    if (!p->typing)
        return false;
    wb_editor_resize(p->editor, r.rows - 1, r.cols);
    result = wb_editor_event(p->editor, event);
    take_from_editor(v);
    if (result == WB_EDITOR_LEAVE)
        p->typing = false;
    return result != WB_EDITOR_UNUSED;
}

static void mouse_editor(struct wb_view *v, struct wb_mouse mouse)
{
    struct wb_pipe *p = v->state;
    struct wb_event event = { .kind = WB_EVENT_MOUSE, .mouse = mouse };
    struct wb_rect r = wb_pipe_pane_rect(v, WB_PIPE_EDITOR);

    if (wb_pipe_is_empty(p) && !p->typing)
        return;
    wb_editor_resize(p->editor, r.rows - 1, r.cols);
    wb_editor_event(p->editor, &event);
    if (mouse.kind == WB_MOUSE_DOUBLE)
        p->typing = true;
}

static void mouse_preview(struct wb_view *v, struct wb_mouse event)
{
    struct wb_pipe *p = v->state;
    struct wb_rect r = wb_pipe_pane_rect(v, WB_PIPE_PREVIEW), d;
    struct wb_pipe_parts parts;
    struct wb_mouse mouse;

    wb_pipe_preview_parts(p, r.rows - 1, r.cols, &parts);
    d = parts.detail;
    if (!wb_rect_hit(&d, &event, &mouse))
        return;
    switch (wb_pipe_detail(p)) {
    case WB_PIPE_LAYERS:
        switch (wb_table_mouse(&p->layers, mouse, d.rows, d.cols)) {
        case WB_TABLE_SORTED:
            wb_pipe_sort_layers(p);
            break;
        case WB_TABLE_OPENED:
            wb_pipe_open_cell(v);
            break;
        default:
            break;
        }
        break;
    case WB_PIPE_REPORTS:
        wb_table_mouse(&p->reports, mouse, d.rows, d.cols);
        break;
    case WB_PIPE_SCORES:
        if (mouse.row < wb_pipe_score_table_rows(p, d.rows))
            wb_table_mouse(&p->score_table, mouse, wb_pipe_score_table_rows(p, d.rows), d.cols);
        p->score_table.sort = -1; /* sets in their order */
        break;
    default:
        mouse.row -= 1; /* the title */
        if (v->desk->theme != NULL && p->heat.rows > 0 && p->heat.cols > 0 &&
            wb_heat_mouse(&p->heat, mouse, v->desk->theme, d.rows - 1, d.cols) &&
            mouse.kind == WB_MOUSE_DOUBLE)
            wb_pipe_open_cell(v);
        break;
    }
}

static void mouse_pane(struct wb_view *v, enum wb_pipe_pane pane, struct wb_mouse mouse, int rows,
                       int cols)
{
    struct wb_pipe *p = v->state;

    switch (pane) {
    case WB_PIPE_EDITOR:
        mouse_editor(v, mouse);
        break;
    case WB_PIPE_STEPS:
        if (wb_table_mouse(&p->steps, mouse, rows, cols) == WB_TABLE_OPENED)
            wb_pipe_act_steps(p, WB_ACTION_OPEN, 1, rows);
        break;
    case WB_PIPE_KNOBS:
        wb_pipe_mouse_knobs(v, mouse, rows, cols);
        break;
    default:
        mouse_preview(v, mouse);
        break;
    }
}

static void pipe_mouse(struct wb_view *v, const struct wb_mouse *mouse)
{
    struct wb_pipe *p = v->state;
    struct wb_pipe_layout l;
    bool press = mouse->kind == WB_MOUSE_PRESS || mouse->kind == WB_MOUSE_DOUBLE;

    if (p->chooser.open) {
        wb_pipe_chooser_mouse(p, *mouse, v->rows);
        return;
    }
    wb_pipe_lay_out(p, v->rows, v->cols, &l);
    if (l.strip.rows > 0 && mouse->row >= l.strip.row && press) {
        wb_pipe_focus(p, WB_PIPE_PREVIEW);
        return;
    }
    for (int i = 0; i < WB_PIPE_PANES; i++) {
        const struct wb_rect *r = &l.pane[i];
        struct wb_mouse inside;

        if (!wb_rect_hit(r, mouse, &inside))
            continue;
        if (press)
            wb_pipe_focus(p, (enum wb_pipe_pane)i);
        inside.row -= 1;
        if (inside.row >= 0)
            mouse_pane(v, (enum wb_pipe_pane)i, inside, r->rows - 1, r->cols);
        break;
    }
    wb_pipe_refresh(p);
}

/* Life */

static bool pipe_open(struct wb_view *v, struct wb_err *err)
{
    struct wb_pipe *p = v->state;

    p->desk = v->desk;
    p->editor = wb_editor_new(v->desk->doc->text, err);
    if (p->editor == NULL)
        return false;
    wb_pipe_steps_open(p);
    wb_pipe_text_open(p);
    p->layers.sort = 0;
    p->heat.automatic = true; /* of the relative norm, which is shown first */
    p->focus = wb_pipe_is_empty(p) ? WB_PIPE_EDITOR : WB_PIPE_KNOBS;
    wb_pipe_refresh(p);
    return true;
}

static void pipe_close(struct wb_view *v)
{
    struct wb_pipe *p = v->state;

    wb_editor_free(p->editor);
    wb_pipe_map_close(p);
    wb_pipe_chooser_close(p);
    wb_pipe_external_end(p);
    wb_setting_free(&p->a);
    free(p->b_name);
}

static void mark_error(struct wb_pipe *p)
{
    const struct wb_doc *d = p->desk->doc;
    struct wb_str text = { 0 };

    if (!d->script.ok && d->script.err_line > 0) {
        wb_pipe_say_error(d->script.err.msg, d->script.err_line, &text);
        wb_editor_set_error(p->editor, (size_t)d->script.err_line - 1,
                            text.text == NULL ? "" : text.text);
    } else {
        wb_editor_set_error(p->editor, 0, NULL);
    }
    wb_str_free(&text);
}

static bool pipe_poll(struct wb_view *v)
{
    struct wb_pipe *p = v->state;
    const struct wb_doc *d = v->desk->doc;

    if (p->chooser.open)
        wb_pipe_chooser_poll(p);
    if (d->version == p->seen && wb_document_version(d->text) == p->seen_text)
        return false;
    if (d->version != p->seen)
        mark_error(p);
    p->seen = d->version;
    p->seen_text = wb_document_version(d->text);
    wb_pipe_refresh(p);
    return true;
}

static bool pipe_busy(const struct wb_view *v)
{
    const struct wb_doc *d = v->desk->doc;

    return d->run_id != 0 || d->preview_task != NULL || d->scores_task != NULL;
}

static void pipe_show(struct wb_view *v, const char *what)
{
    struct wb_pipe *p = v->state;
    char *end;
    long line = strtol(what, &end, 10);

    if (end != what && *end == '\0') {
        wb_pipe_go_line(p, line > 0 && line < 1 << 30 ? (int)line : 0);
        wb_pipe_focus(p, WB_PIPE_EDITOR);
        return;
    }
    for (size_t i = 0; i < wb_doc_knob_count(v->desk->doc); i++)
        if (strcmp(wb_doc_knob(v->desk->doc, i)->name, what) == 0) {
            p->knob = i;
            wb_pipe_focus(p, WB_PIPE_KNOBS);
        }
}

static bool pipe_search(struct wb_view *v, const char *text, int direction)
{
    struct wb_pipe *p = v->state;
    const struct wb_document *d = v->desk->doc->text;
    struct wb_pos from = wb_document_cursor(d);
    struct wb_range found;

    if (direction > 0)
        from = wb_document_next(d, from);
    if (!wb_document_find(d, text, strlen(text), from, direction < 0, &found))
        return false;
    wb_editor_go(p->editor, found.from);
    wb_pipe_focus(p, WB_PIPE_EDITOR);
    return true;
}

static bool set_mode(struct wb_pipe *p, const char *name)
{
    for (int i = 0; i < WB_PIPE_MODES; i++)
        if (strcmp(name, mode_name[i]) == 0) {
            p->mode = (enum wb_pipe_mode)i;
            return true;
        }
    return false;
}

static bool pipe_command(struct wb_view *v, const char *name, const char *argument)
{
    struct wb_pipe *p = v->state;
    bool done;

    if (argument[0] == '\0')
        return false;
    if (strcmp(name, "insert-step") == 0)
        done = wb_pipe_insert(p, argument);
    else if (strcmp(name, "metric") == 0)
        done = wb_pipe_set_metric(p, argument);
    else if (strcmp(name, "mode") == 0)
        done = set_mode(p, argument);
    else
        return false;
    if (!done)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "there is no %s '%s' here",
                    name[0] == 'i' ? "method" : name, argument);
    wb_pipe_refresh(p);
    return true;
}

static const enum wb_action actions[] = {
    WB_ACTION_EDIT,         WB_ACTION_STEP_INSERT,   WB_ACTION_LEFT,
    WB_ACTION_RIGHT,        WB_ACTION_KNOB_TYPE,     WB_ACTION_UNDO,
    WB_ACTION_REDO,         WB_ACTION_SETTING_KEEP,  WB_ACTION_SETTING_COMPARE,
    WB_ACTION_MODE,         WB_ACTION_METRIC,        WB_ACTION_EVAL_SETS,
    WB_ACTION_SAVE,         WB_ACTION_RUN,           WB_ACTION_EXTERNAL_EDITOR,
    WB_ACTION_PANE_NEXT,    WB_ACTION_PANE_PREVIOUS, WB_ACTION_OPEN,
    WB_ACTION_JUMP,         WB_ACTION_DELETE,        WB_ACTION_COPY,
    WB_ACTION_UP,           WB_ACTION_DOWN,          WB_ACTION_FIRST,
    WB_ACTION_LAST,         WB_ACTION_PAGE_UP,       WB_ACTION_PAGE_DOWN,
    WB_ACTION_HALF_UP,      WB_ACTION_HALF_DOWN,     WB_ACTION_SORT,
    WB_ACTION_SORT_REVERSE, WB_ACTION_ZOOM_IN,       WB_ACTION_ZOOM_OUT,
    WB_ACTION_RANGE,        WB_ACTION_CANCEL,        WB_ACTION_BACK,
    WB_ACTION_NONE,
};

static const enum wb_action hints[] = {
    WB_ACTION_EDIT, WB_ACTION_STEP_INSERT, WB_ACTION_UNDO,      WB_ACTION_MODE,
    WB_ACTION_SAVE, WB_ACTION_RUN,         WB_ACTION_PANE_NEXT, WB_ACTION_NONE,
};

const struct wb_view_ops wb_pipeline_view = {
    .name = "pipeline",
    .title = "Pipeline",
    .doc = "A script that makes a model, its knobs, and what comes out of it, live",
    .state_size = sizeof(struct wb_pipe),
    .actions = actions,
    .hints = hints,
    .keys = wb_editor_keys,
    .open = pipe_open,
    .close = pipe_close,
    .draw = pipe_draw,
    .act = wb_pipe_act,
    .key = pipe_key,
    .mouse = pipe_mouse,
    .poll = pipe_poll,
    .show = pipe_show,
    .status = pipe_status,
    .search = pipe_search,
    .command = pipe_command,
    .busy = pipe_busy,
};
