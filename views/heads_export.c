/* views/heads_export.c - what the heads view shows, as a CSV or an SVG file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/core/io.h"
#include "views/heat_svg.h"
#include "views/view_heads.h"

/* Writing waits for the disk: it is a task. */
struct export
{
    char *path;
    struct wb_str text;
};

static void export_free(void *ctx)
{
    struct export *e = ctx;

    free(e->path);
    wb_str_free(&e->text);
    free(e);
}

static bool export_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    const struct export *e = ctx;

    (void)task;
    return wb_write_file(e->path, e->text.text, e->text.len, err);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcasecmp(text + n - m, end) == 0;
}

/* A line a head, a column a statistic that is there. */
static void put_heads_csv(const struct heads *s, struct wb_str *out)
{
    const struct heads_answer *a = s->answer;

    wb_str_add(out, "layer,head");
    for (int i = 0; i < HEADS_STATS; i++)
        if (a->stat[i] != NULL)
            wb_str_printf(out, ",%s", wb_headview_stat_name(i));
    for (int at = 0; at < a->layers * a->heads; at++) {
        wb_str_printf(out, "\n%d,%d", at / a->heads, at % a->heads);
        for (int i = 0; i < HEADS_STATS; i++)
            if (a->stat[i] != NULL)
                wb_str_printf(out, ",%.9g", a->stat[i][at]);
    }
    wb_str_add(out, "\n");
}

static void put_pattern_csv(const struct heads_pattern *p, struct wb_str *out)
{
    wb_str_add(out, "query,key,weight\n");
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->n; j++)
            if (!wb_heat_is_blank(p->weight[i * p->n + j]))
                wb_str_printf(out, "%zu,%zu,%.9g\n", i, j, (double)p->weight[i * p->n + j]);
}

static void put_svg(const struct wb_view *v, struct wb_str *out)
{
    const struct heads *s = v->state;
    bool pattern = s->mode == HEADS_PATTERN;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    char title[300];
    struct wb_heat_picture picture = {
        .heat = pattern ? &s->pattern_heat : &s->heat,
        .colormap = v->desk->theme == NULL ? WB_COLORMAP_VIRIDIS : v->desk->theme->colormap,
        .title = title,
        .note = pattern ? s->text : wb_headview_stat_doc(s->stat),
        .row_title = pattern ? "query" : "layer",
        .col_title = pattern ? "key" : "head",
    };

    if (pattern)
        snprintf(title, sizeof title, "%s, layer %d head %d", m == NULL ? "" : m->name, s->heat.row,
                 s->heat.col);
    else
        snprintf(title, sizeof title, "%s, %s", m == NULL ? "" : m->name,
                 wb_headview_stat_name(s->stat));
    wb_heat_svg(&picture, out);
}

static void start(struct wb_view *v, const char *path)
{
    struct heads *s = v->state;
    struct export *e = calloc(1, sizeof *e);
    struct wb_err err;

    if (e != NULL && (e->path = strdup(path)) != NULL) {
        if (!ends_with(path, ".csv"))
            put_svg(v, &e->text);
        else if (s->mode == HEADS_PATTERN)
            put_pattern_csv(&s->pattern, &e->text);
        else
            put_heads_csv(s, &e->text);
    }
    if (e == NULL || e->path == NULL || e->text.failed) {
        if (e != NULL)
            export_free(e);
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "no memory to write %s", path);
        return;
    }
    snprintf(s->export_path, sizeof s->export_path, "%s", path);
    s->export_task = wb_task_start(v->desk->tasks, "export", export_run, e, export_free, &err);
    if (s->export_task == NULL)
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

/* May anything be written to this name, now? Says why not. */
static bool ready(struct wb_view *v, const char *path)
{
    const struct heads *s = v->state;

    if (!wb_desk_may_write(v->desk))
        return false;
    if (s->heat.rows == 0 || (s->mode == HEADS_PATTERN && s->pattern.n == 0))
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is nothing to write yet");
    else if (s->export_task != NULL)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is still being written", s->export_path);
    else if (!ends_with(path, ".csv") && !ends_with(path, ".svg"))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR,
                    "written are .csv (numbers) and .svg (a picture), not %s", path);
    else
        return true;
    return false;
}

static void answer_replace(struct wb_view *v, const char *text)
{
    struct heads *s = v->state;
    char path[sizeof s->export_path];

    (void)text; /* called for yes alone */
    snprintf(path, sizeof path, "%s", s->export_path);
    if (ready(v, path))
        start(v, path);
}

void wb_headview_export(struct wb_view *v, const char *path)
{
    struct heads *s = v->state;
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

const char *wb_headview_export_name(const struct wb_view *v, char *out, size_t size)
{
    const struct heads *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    const char *name = m == NULL ? "model" : m->name;

    if (s->mode == HEADS_PATTERN)
        snprintf(out, size, "%s-head-%d.%d.svg", name, s->heat.row, s->heat.col);
    else
        snprintf(out, size, "%s-heads-%s.svg", name, wb_headview_stat_name(s->stat));
    for (char *c = out; *c != '\0'; c++)
        if (*c == '/' || *c == ' ')
            *c = '_';
    return out;
}

bool wb_headview_export_poll(struct wb_view *v)
{
    struct heads *s = v->state;
    struct wb_err err = { 0 };
    bool done;

    if (!wb_task_ended(s->export_task, &done, &err))
        return false;
    if (done)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s is written", s->export_path);
    else
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
    wb_task_drop(s->export_task);
    s->export_task = NULL;
    return true;
}
