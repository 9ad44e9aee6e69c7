/* views/view_pipeline_act.c - the actions of the Pipeline screen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "views/view_pipeline.h"

/* Of a pane without its title. */
static int pane_rows(const struct wb_view *v, enum wb_pipe_pane pane)
{
    int rows = wb_pipe_pane_rect(v, pane).rows - 1;

    return rows < 1 ? 1 : rows;
}

/* What is done with the whole pipeline */

static void say(struct wb_view *v, bool ok, const struct wb_err *err)
{
    if (!ok)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err->msg);
}

static void save(struct wb_view *v, const char *path)
{
    struct wb_doc *d = v->desk->doc;
    struct wb_err err;

    if (path != NULL && wb_is_file(path) && (d->path == NULL || strcmp(path, d->path) != 0)) {
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "that file exists; :write! %s replaces it", path);
        return;
    }
    if (wb_doc_save(d, path, &err))
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is written", wb_doc_name(d));
    else
        say(v, false, &err);
}

static void answer_save(struct wb_view *v, const char *path)
{
    if (path[0] != '\0')
        save(v, path);
}

static void start_save(struct wb_view *v)
{
    if (!wb_desk_may_write(v->desk))
        return;
    if (v->desk->doc->path != NULL)
        save(v, NULL);
    else
        wb_desk_ask(v->desk, v, WB_ASK_PATH, "save the pipeline as: ", "pipeline.lua", answer_save);
}

static void answer_run(struct wb_view *v, const char *out)
{
    struct wb_live_run_options options = { 0 };
    struct wb_err err;

    if (wb_live_run_start(v->desk, out, &options, &err))
        wb_desk_go(v->desk, "run", NULL);
    else
        say(v, false, &err);
}

static void start_run(struct wb_view *v)
{
    const char *last = v->desk->run.out;

    if (!wb_desk_may_write(v->desk))
        return;
    if (!v->desk->doc->script.ok)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR,
                    wb_pipe_is_empty(v->state)
                        ? "there is no pipeline to run yet"
                        : "the script has an error: there is nothing to run");
    else
        wb_desk_ask(v->desk, v, WB_ASK_PATH, "run into: ", last != NULL ? last : "merged",
                    answer_run);
}

static void begin_script(struct wb_view *v)
{
    struct wb_pipe *p = v->state;
    char *text = wb_pipe_starting_script(v->desk, NULL);
    struct wb_err err;

    if (text == NULL || v->desk->models == 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "no model is open: :open PATH opens one, e types a script");
    } else {
        say(v, wb_pipe_replace(v->desk->doc, 0, 0, text, &err), &err);
        wb_pipe_focus(p, WB_PIPE_KNOBS);
    }
    free(text);
}

/* The unwritten result as a model of the desk; what was put there before goes when it differs. */
static struct wb_desk_model *put_result(struct wb_view *v)
{
    struct wb_pipe *p = v->state;
    struct wb_desk_model *m = wb_desk_get(v->desk, p->result_id);
    struct wb_model *model = wb_doc_model(v->desk->doc);

    if (model == NULL)
        return NULL;
    if (m != NULL && m->model != NULL &&
        wb_hash_equal(wb_model_hash(m->model), wb_model_hash(model)))
        return m;
    if (m != NULL)
        wb_desk_close(v->desk, m->id);
    m = wb_desk_add(v->desk, model, "result");
    p->result_id = m == NULL ? 0 : m->id;
    return m;
}

bool wb_pipe_open_cell(struct wb_view *v)
{
    struct wb_pipe *p = v->state;
    struct wb_rect r = wb_pipe_pane_rect(v, WB_PIPE_PREVIEW);
    struct wb_pipe_parts parts;
    const char *tensor;
    struct wb_desk_model *m;

    wb_pipe_preview_parts(p, r.rows - 1, r.cols, &parts);
    if (parts.detail.rows <= 0) {
        p->mode = WB_PIPE_MAP;
        return true;
    }
    if (wb_pipe_detail(p) == WB_PIPE_REPORTS || wb_pipe_detail(p) == WB_PIPE_SCORES)
        return false;
    tensor = wb_pipe_tensor(p);
    m = tensor == NULL ? NULL : put_result(v);
    if (m == NULL) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no tensor here");
        return true;
    }
    v->desk->current = m->id;
    v->desk->version++;
    wb_desk_go(v->desk, "tensors", tensor);
    return true;
}

/* Actions within panes */

static void editor_key(struct wb_view *v, uint32_t code, unsigned mods, int count)
{
    struct wb_pipe *p = v->state;
    struct wb_event event = { .kind = WB_EVENT_KEY, .key = { .code = code, .mods = mods } };
    struct wb_rect r = wb_pipe_pane_rect(v, WB_PIPE_EDITOR);

    wb_editor_resize(p->editor, r.rows - 1, r.cols);
    for (int i = 0; i < count; i++)
        wb_editor_event(p->editor, &event);
}

static bool act_editor(struct wb_view *v, enum wb_action action, int count)
{
    static const struct {
        enum wb_action action;
        uint32_t code;
        unsigned mods;
    } key[] = {
        { WB_ACTION_UP, WB_KEY_UP, 0 },
        { WB_ACTION_DOWN, WB_KEY_DOWN, 0 },
        { WB_ACTION_LEFT, WB_KEY_LEFT, 0 },
        { WB_ACTION_RIGHT, WB_KEY_RIGHT, 0 },
        { WB_ACTION_FIRST, WB_KEY_HOME, WB_MOD_CTRL },
        { WB_ACTION_LAST, WB_KEY_END, WB_MOD_CTRL },
        { WB_ACTION_PAGE_UP, WB_KEY_PAGE_UP, 0 },
        { WB_ACTION_PAGE_DOWN, WB_KEY_PAGE_DOWN, 0 },
    };
    struct wb_pipe *p = v->state;
    int half = pane_rows(v, WB_PIPE_EDITOR) / 2;

    if (action == WB_ACTION_OPEN) {
        if (wb_pipe_is_empty(p))
            begin_script(v);
        else
            p->typing = true;
        return true;
    }
    if (action == WB_ACTION_HALF_UP || action == WB_ACTION_HALF_DOWN) {
        editor_key(v, action == WB_ACTION_HALF_UP ? WB_KEY_UP : WB_KEY_DOWN, 0, count * half);
        return true;
    }
    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++)
        if (key[i].action == action) {
            editor_key(v, key[i].code, key[i].mods, count);
            return true;
        }
    return false;
}

static bool act_preview(struct wb_view *v, enum wb_action action, int count)
{
    struct wb_pipe *p = v->state;
    struct wb_rect r = wb_pipe_pane_rect(v, WB_PIPE_PREVIEW);
    struct wb_pipe_parts parts;
    int rows;

    wb_pipe_preview_parts(p, r.rows - 1, r.cols, &parts);
    rows = parts.detail.rows;
    if (action == WB_ACTION_OPEN)
        return wb_pipe_open_cell(v);
    switch (rows <= 0 ? WB_PIPE_SUMMARY : wb_pipe_detail(p)) {
    case WB_PIPE_LAYERS:
        if (wb_table_sort_act(&p->layers, action)) {
            wb_pipe_sort_layers(p);
            return true;
        }
        return wb_table_act(&p->layers, action, count, wb_table_page(&p->layers, rows));
    case WB_PIPE_REPORTS:
        return wb_table_act(&p->reports, action, count, wb_table_page(&p->reports, rows));
    case WB_PIPE_SCORES:
        return wb_table_act(&p->score_table, action, count,
                            wb_table_page(&p->score_table, wb_pipe_score_table_rows(p, rows)));
    case WB_PIPE_MAP:
    case WB_PIPE_MOVES:
        return v->desk->theme != NULL && p->heat.rows > 0 && p->heat.cols > 0 &&
               wb_heat_act(&p->heat, action, count, v->desk->theme, rows - 1, parts.detail.cols);
    default:
        return false;
    }
}

static bool undo(struct wb_view *v, bool redo)
{
    const struct wb_pipe *p = v->state;
    struct wb_doc *d = v->desk->doc;
    bool text = p->focus == WB_PIPE_EDITOR || p->focus == WB_PIPE_STEPS;
    bool done = text ? (redo ? wb_document_redo(d->text) : wb_document_undo(d->text))
                     : (redo ? wb_doc_redo_knob(d) : wb_doc_undo_knob(d));

    if (!done)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "nothing to %s in the %s; Tab leads to the %s",
                    redo ? "redo" : "undo", text ? "script" : "knobs", text ? "knobs" : "script");
    return true;
}

static bool copy(struct wb_view *v)
{
    const struct wb_pipe *p = v->state;
    struct wb_str text = { 0 };
    struct wb_pos at = wb_document_cursor(v->desk->doc->text);
    size_t n;
    bool some;

    if (p->focus == WB_PIPE_PREVIEW)
        wb_pipe_say_cell(p, &text);
    else if (p->focus == WB_PIPE_KNOBS && p->knob < wb_doc_knob_count(v->desk->doc)) {
        char value[300];

        wb_str_printf(&text, "%s=%s", wb_doc_knob(v->desk->doc, p->knob)->name,
                      wb_doc_knob_value(v->desk->doc, p->knob, value, sizeof value));
    } else if (p->focus == WB_PIPE_STEPS)
        wb_pipe_say_step(p, &text);
    else
        wb_str_add(&text, wb_document_line(v->desk->doc->text, at.line, &n));
    some = text.len > 0;
    if (some)
        wb_desk_copy(v->desk, text.text);
    wb_str_free(&text);
    return some;
}

/* Actions */

void wb_pipe_refresh(struct wb_pipe *p)
{
    wb_pipe_steps_poll(p);
    wb_pipe_chooser_poll(p);
    wb_pipe_map_poll(p);
    wb_pipe_scores_poll(p);
}

static bool back(struct wb_view *v)
{
    struct wb_pipe *p = v->state;

    if (p->focus != WB_PIPE_PREVIEW || v->cols >= WB_PIPE_WIDE_COLS)
        return false;
    wb_pipe_focus(p, WB_PIPE_KNOBS);
    return true;
}

/* What the preview turned to, where it cannot be seen. */
static void say_preview(struct wb_view *v, bool metric)
{
    static const char *const modes[WB_PIPE_MODES] = {
        "totals",           "a table of layers",   "a map of layers and roles",
        "how far it moved", "what the model does", "what the steps report"
    };
    const struct wb_pipe *p = v->state;
    char label[100];

    if (wb_pipe_pane_rect(v, WB_PIPE_PREVIEW).rows > 0 && wb_doc_model(v->desk->doc) != NULL)
        return;
    wb_desk_say(v->desk, WB_MESSAGE_NOTE, "the preview shows %s; Tab leads to it",
                metric ? wb_pipe_label(label, sizeof label, v->desk->doc, &p->metric)
                       : modes[p->mode]);
}

/* Those that mean the same in every pane. */
static bool act_anywhere(struct wb_view *v, enum wb_action action, int count)
{
    struct wb_pipe *p = v->state;

    switch (action) {
    case WB_ACTION_PANE_NEXT:
    case WB_ACTION_PANE_PREVIOUS:
        wb_pipe_focus(p, (enum wb_pipe_pane)((p->focus + (action == WB_ACTION_PANE_NEXT ? 1 : 3)) %
                                             WB_PIPE_PANES));
        return true;
    case WB_ACTION_EDIT:
        wb_pipe_focus(p, WB_PIPE_EDITOR);
        p->typing = true;
        return true;
    case WB_ACTION_EVAL_SETS:
        if (wb_doc_eval_list(v->desk->doc) == NULL)
            wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no model to ask yet");
        else
            wb_desk_go(v->desk, "eval", NULL);
        return true;
    case WB_ACTION_EXTERNAL_EDITOR:
        wb_pipe_external_edit(p);
        return true;
    case WB_ACTION_STEP_INSERT:
        wb_pipe_chooser_open(p);
        return true;
    case WB_ACTION_SAVE:
        start_save(v);
        return true;
    case WB_ACTION_RUN:
        start_run(v);
        return true;
    case WB_ACTION_SETTING_KEEP:
        wb_pipe_keep_setting(v);
        return true;
    case WB_ACTION_SETTING_COMPARE:
        wb_pipe_compare_settings(v);
        return true;
    case WB_ACTION_KNOB_TYPE:
        return wb_pipe_act_knobs(v, action, count, pane_rows(v, WB_PIPE_KNOBS));
    case WB_ACTION_MODE:
        p->mode = (p->mode + 1) % WB_PIPE_MODES;
        say_preview(v, false);
        return true;
    case WB_ACTION_METRIC:
        if (!wb_pipe_next_metric(p, count))
            return false;
        say_preview(v, true);
        return true;
    case WB_ACTION_UNDO:
    case WB_ACTION_REDO:
        return undo(v, action == WB_ACTION_REDO);
    case WB_ACTION_COPY:
        return copy(v);
    case WB_ACTION_CANCEL:
        wb_doc_cancel(v->desk->doc);
        return true;
    case WB_ACTION_BACK:
        return back(v);
    default:
        return false;
    }
}

bool wb_pipe_act(struct wb_view *v, enum wb_action action, int count)
{
    struct wb_pipe *p = v->state;
    bool done = act_anywhere(v, action, count);

    if (!done && p->focus == WB_PIPE_EDITOR)
        done = act_editor(v, action, count);
    else if (!done && p->focus == WB_PIPE_STEPS)
        done = wb_pipe_act_steps(p, action, count, pane_rows(v, WB_PIPE_STEPS));
    else if (!done && p->focus == WB_PIPE_KNOBS)
        done = wb_pipe_act_knobs(v, action, count, pane_rows(v, WB_PIPE_KNOBS));
    else if (!done)
        done = act_preview(v, action, count);
    wb_pipe_refresh(p);
    return done;
}
