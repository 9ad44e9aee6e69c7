/* views/layers_export.c - what the layers view shows, as a CSV or an SVG file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/probe/csv.h"
#include "views/heat_svg.h"
#include "views/view_layers.h"

/* Writing waits for the disk: it is a task. */
struct layers_export {
    char *path;
    struct wb_str text;
};

static void export_free(void *ctx)
{
    struct layers_export *e = ctx;

    free(e->path);
    wb_str_free(&e->text);
    free(e);
}

static bool export_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    const struct layers_export *e = ctx;

    (void)task;
    return wb_write_file(e->path, e->text.text, e->text.len, err);
}

static const char *things(const struct layers *s)
{
    return s->mode == LAYERS_MODELS ? "model" : "layer";
}

static void put_csv(const struct layers *s, struct wb_str *out)
{
    const struct layers_map *m = &s->map;

    wb_csv_grid(out, things(s), m->row_label, (size_t)m->rows, m->col_label, (size_t)m->cols,
                m->number);
}

static void put_svg(const struct wb_view *v, struct wb_str *out)
{
    const struct layers *s = v->state;
    char title[300], what[300], note[330];
    struct wb_heat_picture picture = {
        .heat = &s->heat[s->mode],
        .colormap = v->desk->theme == NULL ? WB_COLORMAP_VIRIDIS : v->desk->theme->colormap,
        .title = wb_layers_title(v, title, sizeof title),
        .note = note,
        .row_title = things(s),
        .col_title = s->mode == LAYERS_PAIR ? "role" : things(s),
    };

    snprintf(note, sizeof note, "%s%s", wb_layers_what(v, what, sizeof what),
             s->answer->grade == LAYERS_EXACT ? "" : " (of a sample)");
    wb_heat_svg(&picture, out);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcasecmp(text + n - m, end) == 0;
}

static void start(struct wb_view *v, const char *path)
{
    struct layers *s = v->state;
    struct layers_export *e = calloc(1, sizeof *e);
    struct wb_err err;

    if (e == NULL || (e->path = strdup(path)) == NULL) {
        free(e);
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "no memory to write %s", path);
        return;
    }
    if (s->on_states)
        wb_states_pane_export(v, &s->states, ends_with(path, ".csv"), &e->text);
    else if (ends_with(path, ".csv"))
        put_csv(s, &e->text);
    else
        put_svg(v, &e->text);
    if (e->text.failed) {
        export_free(e);
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "no memory to write %s", path);
        return;
    }
    s->export_work = e;
    s->export_task = wb_task_start(v->desk->tasks, "export", export_run, e, export_free, &err);
    if (s->export_task == NULL)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

/* May anything be written to this name, now? Says why not. */
static bool ready(struct wb_view *v, const char *path)
{
    const struct layers *s = v->state;

    if (!wb_desk_may_write(v->desk))
        return false;
    if (s->on_states ? !wb_states_pane_has_map(&s->states) : s->map.rows == 0 || s->map.cols == 0)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is nothing to write yet");
    else if (s->export_task != NULL)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is still being written", s->export_work->path);
    else if (!ends_with(path, ".csv") && !ends_with(path, ".svg"))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR,
                    "written are .csv (numbers) and .svg (a picture), not %s", path);
    else
        return true;
    return false;
}

static void answer_replace(struct wb_view *v, const char *text)
{
    struct layers *s = v->state;

    (void)text; /* called for yes alone */
    if (ready(v, s->export_path))
        start(v, s->export_path);
}

void wb_layers_export(struct wb_view *v, const char *path)
{
    struct layers *s = v->state;
    char question[80];

    if (!ready(v, path))
        return;
    if (!wb_is_file(path)) {
        start(v, path);
        return;
    }
    snprintf(s->export_path, sizeof s->export_path, "%s", path);
    snprintf(question, sizeof question, "%.40s exists. Replace it? (y/n) ", path);
    wb_desk_ask(v->desk, v, WB_ASK_YES_NO, question, "", answer_replace);
}

const char *wb_layers_export_name(const struct wb_view *v, char *out, size_t size)
{
    const struct layers *s = v->state;
    const struct layers_question *q = &s->question;
    const struct wb_desk_model *a = wb_desk_get(v->desk, q->models > 0 ? q->model[0] : 0);
    const struct wb_desk_model *b = wb_desk_get(v->desk, q->models > 1 ? q->model[1] : 0);
    const char *metric = wb_layers_metric_name(s->metric[s->mode], true);
    const char *changes = q->base == 0 ? "" : "changes-";

    if (s->on_states)
        wb_states_pane_name(v, &s->states, out, size);
    else if (s->mode == LAYERS_PAIR && a != NULL && b != NULL)
        snprintf(out, size, "%s-%s-%s%s.svg", b->name, a->name, changes, metric);
    else if (s->mode == LAYERS_WITHIN && a != NULL)
        snprintf(out, size, "%s-layers%s%s-%s%s.svg", a->name, s->role[0] == '\0' ? "" : "-",
                 s->role, changes, metric);
    else
        snprintf(out, size, "models%s%s-%s%s.svg", s->role[0] == '\0' ? "" : "-", s->role, changes,
                 metric);
    for (char *c = out; *c != '\0'; c++)
        if (*c == '/' || *c == ' ')
            *c = '_';
    return out;
}

bool wb_layers_poll_export(struct wb_view *v)
{
    struct layers *s = v->state;
    enum wb_task_state state;
    struct wb_err err;

    if (s->export_task == NULL)
        return false;
    state = wb_task_poll(s->export_task, &err);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return false;
    if (state == WB_TASK_DONE)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is written", s->export_work->path);
    else
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
    wb_task_drop(s->export_task);
    s->export_task = NULL;
    return true;
}
