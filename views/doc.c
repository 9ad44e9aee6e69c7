/* views/doc.c - the pipeline's life: edits and turns start the script, its model starts a preview
 * and a dry run. */
#include "views/doc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "lua/bind/edit.h"
#include "views/desk.h"

#define EDIT_SECONDS 0.15 /* an edit runs when nothing was typed for so long */
#define SCRIPT_BYTES_MAX ((size_t)16 << 20)

/* Starting what follows from a model */

static void drop_preview(struct wb_doc *d)
{
    wb_task_drop(d->preview_task);
    d->preview_task = NULL;
    wb_preview_unref(d->preview);
    d->preview = NULL;
}

static bool start_preview(struct wb_doc *d, struct wb_err *err)
{
    struct wb_model *base, *parent[WB_DOC_PARENTS_MAX];
    struct wb_preview_how how = { .threads = d->desk->options.threads,
                                  .budget_bytes = d->desk->options.memory_bytes,
                                  .cache = d->desk->cache };
    size_t parents = wb_doc_parents(d, &base, parent, NULL, WB_DOC_PARENTS_MAX);
    void *ctx;

    d->preview = wb_preview_new(wb_doc_model(d), base, parent, parents, err);
    if (d->preview == NULL)
        return false;
    ctx = wb_preview_task_new(d->preview, &how);
    if (ctx == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a preview");
    d->preview_task = wb_task_start_urgent(d->desk->tasks, "preview", wb_preview_task_run, ctx,
                                           wb_preview_task_free, err);
    return d->preview_task != NULL;
}

static void new_preview(struct wb_doc *d)
{
    drop_preview(d);
    if (d->now_figures.grade != WB_GRADE_NONE) { /* what the new numbers are compared with */
        wb_preview_snapshot_free(&d->before);
        d->before = d->now_figures;
        d->now_figures = (struct wb_preview_snapshot){ 0 };
    }
    d->preview_err.code = WB_OK;
    if (!start_preview(d, &d->preview_err))
        drop_preview(d);
    else
        wb_preview_snapshot(d->preview, &d->now_figures);
}

/* A dry run on a task. */
struct dry_run {
    struct wb_model *model;
    struct wb_eval eval;
    struct wb_plan *plan;
};

static void dry_run_free(void *ctx)
{
    struct dry_run *r = ctx;

    wb_model_unref(r->model);
    if (r->plan != NULL)
        wb_plan_free(r->plan);
    free(r->plan);
    free(r);
}

static bool dry_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct dry_run *r = ctx;
    struct wb_run run = { .eval = r->eval };

    (void)task;
    r->plan = calloc(1, sizeof *r->plan);
    if (r->plan == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a plan");
    return wb_run_plan(&run, r->model, r->plan, err);
}

static void start_plan(struct wb_doc *d)
{
    struct dry_run *r = calloc(1, sizeof *r);
    struct wb_err err;

    wb_task_drop(d->plan_task);
    d->plan_task = NULL;
    if (r == NULL)
        return;
    r->model = wb_model_ref(wb_doc_model(d));
    r->eval = wb_desk_eval(d->desk, false);
    d->plan_task = wb_task_start(d->desk->tasks, "dry run", dry_run, r, dry_run_free, &err);
    d->plan_ctx = r;
    if (d->plan_task == NULL)
        wb_desk_say(d->desk, WB_MESSAGE_WARNING, "%s", err.msg);
}

static void drop_plan(struct wb_doc *d)
{
    if (d->plan != NULL)
        wb_plan_free(d->plan);
    free(d->plan);
    d->plan = NULL;
}

/* Running the script */

static void start_script(struct wb_doc *d)
{
    struct wb_str text = { 0 };

    wb_document_text(d->text, &text);
    d->edited_at = 0;
    d->ran_version = wb_document_version(d->text);
    if (!text.failed)
        d->run_id =
            wb_worker_run(d->desk->worker, wb_doc_name(d), text.text == NULL ? "" : text.text,
                          text.len, (const char *const *)d->now.knob, d->now.knobs);
    if (text.failed || d->run_id == 0)
        wb_desk_say(d->desk, WB_MESSAGE_ERROR, "no memory to run the script");
    wb_str_free(&text);
    d->version++;
}

void wb_doc_rerun(struct wb_doc *d)
{
    start_script(d);
}

/* Drop turned knobs that a script which came to its end does not declare any more. */
static bool drop_stale_knobs(struct wb_doc *d, const struct wb_script *s)
{
    size_t before = d->now.knobs;

    if (s->steps == 0 || !s->step[s->steps - 1].done)
        return false;
    for (size_t i = d->now.knobs; i-- > 0;) {
        size_t k = 0, n = strcspn(d->now.knob[i], "=");

        while (k < s->pipeline.knobs && (strlen(s->pipeline.knob[k].name) != n ||
                                         memcmp(s->pipeline.knob[k].name, d->now.knob[i], n) != 0))
            k++;
        if (k == s->pipeline.knobs)
            wb_setting_drop(&d->now, i);
    }
    return d->now.knobs < before;
}

static void drop_map(struct wb_doc *d)
{
    if (d->map != NULL)
        wb_param_map_free(d->map);
    free(d->map);
    d->map = NULL;
}

static void take_script(struct wb_doc *d, struct wb_script *s)
{
    struct wb_model *old = wb_doc_model(d);
    bool same =
        s->ok && old != NULL && wb_hash_equal(wb_model_hash(old), wb_model_hash(s->pipeline.model));

    if (!s->ok && d->script.ok) {
        wb_script_free(&d->good);
        d->good = d->script;
    } else {
        wb_script_free(&d->script);
    }
    d->script = *s;
    *s = (struct wb_script){ 0 };
    if (!d->script.ok) {
        if (drop_stale_knobs(d, &d->script))
            start_script(d);
        return;
    }
    wb_script_free(&d->good);
    drop_map(d);
    d->map_id = 0;
    d->map_err.code = WB_OK;
    if (d->map_wanted)
        wb_doc_want_map(d, d->map_step);
    if (same && d->preview != NULL)
        return;
    new_preview(d);
    start_plan(d);
}

static void take_map(struct wb_doc *d, struct wb_worker_event *e)
{
    d->map_id = 0;
    drop_map(d);
    d->map_err.code = WB_OK;
    if (!e->ok) {
        d->map_err = e->err;
        return;
    }
    d->map = malloc(sizeof *d->map);
    if (d->map != NULL) {
        *d->map = e->map;
        e->map = (struct wb_param_map){ 0 };
    }
}

void wb_doc_take(struct wb_doc *d, struct wb_worker_event *e)
{
    if (e->kind == WB_WORKER_RUN && e->id == d->run_id) {
        d->run_id = 0;
        take_script(d, &e->script);
    } else if (e->kind == WB_WORKER_MAP && e->id == d->map_id) {
        take_map(d, e);
    }
    d->version++;
    wb_worker_event_free(e);
}

void wb_doc_want_map(struct wb_doc *d, size_t step)
{
    const struct wb_script *s = wb_doc_good(d);

    d->map_wanted = true;
    if (d->map_step == step && (d->map != NULL || d->map_id != 0 || d->map_err.code != WB_OK))
        return; /* there, asked for, or impossible */
    if (d->map_step != step)
        drop_map(d);
    d->map_err.code = WB_OK;
    d->map_step = step;
    if (s == NULL || step >= s->steps)
        return;
    d->map_id = wb_worker_map(d->desk->worker, step);
}

/* Polling */

static bool poll_preview(struct wb_doc *d)
{
    uint64_t before = d->now_figures.version;

    if (d->preview == NULL)
        return false;
    wb_preview_snapshot(d->preview, &d->now_figures);
    if (d->preview_task != NULL) {
        enum wb_task_state state = wb_task_poll(d->preview_task, &d->preview_err);

        if (state == WB_TASK_DONE)
            d->preview_err.code = WB_OK;
        if (state != WB_TASK_WAITING && state != WB_TASK_RUNNING) {
            wb_task_drop(d->preview_task);
            d->preview_task = NULL;
            return true;
        }
    }
    return d->now_figures.version != before;
}

static bool poll_plan(struct wb_doc *d)
{
    struct wb_err err;
    struct dry_run *r = d->plan_ctx;

    switch (d->plan_task == NULL ? WB_TASK_RUNNING : wb_task_poll(d->plan_task, &err)) {
    case WB_TASK_WAITING:
    case WB_TASK_RUNNING:
        return false;
    case WB_TASK_DONE:
        drop_plan(d);
        d->plan = r->plan;
        r->plan = NULL;
        break;
    case WB_TASK_FAILED:
        wb_desk_say(d->desk, WB_MESSAGE_WARNING, "dry run: %s", err.msg);
        break;
    case WB_TASK_CANCELLED:
        break;
    }
    wb_task_drop(d->plan_task);
    d->plan_task = NULL;
    return true;
}

bool wb_doc_poll(struct wb_doc *d)
{
    bool changed = poll_preview(d);
    double now = wb_now_seconds();

    changed = poll_plan(d) || changed;
    if (wb_document_version(d->text) != d->seen_version) {
        d->seen_version = wb_document_version(d->text);
        d->edited_at = d->seen_version == d->ran_version ? 0 : now;
    }
    if (d->edited_at > 0 && now >= d->edited_at + EDIT_SECONDS) {
        start_script(d);
        changed = true;
    }
    if (changed)
        d->version++;
    return changed;
}

int wb_doc_timeout_ms(const struct wb_doc *d)
{
    double left = d->edited_at + EDIT_SECONDS - wb_now_seconds();

    if (wb_document_version(d->text) != d->seen_version)
        return 0;
    return d->edited_at == 0 ? -1 : left < 0 ? 0 : (int)(left * 1000) + 1;
}

bool wb_doc_busy(const struct wb_doc *d)
{
    return d->run_id != 0 || d->map_id != 0 || d->preview_task != NULL || d->plan_task != NULL ||
           d->edited_at > 0 || wb_document_version(d->text) != d->seen_version;
}

void wb_doc_cancel(struct wb_doc *d)
{
    if (d->run_id != 0)
        wb_worker_cancel(d->desk->worker);
    if (d->preview_task != NULL)
        wb_task_cancel(d->preview_task);
    d->edited_at = 0;
}

/* What the script gave */

const struct wb_script *wb_doc_good(const struct wb_doc *d)
{
    return d->script.ok ? &d->script : d->good.ok ? &d->good : NULL;
}

struct wb_model *wb_doc_model(const struct wb_doc *d)
{
    const struct wb_script *s = wb_doc_good(d);

    return s == NULL ? NULL : s->pipeline.model;
}

size_t wb_doc_parents(const struct wb_doc *d, struct wb_model **base, struct wb_model **parent,
                      const char **name, size_t max)
{
    const struct wb_script *s = wb_doc_good(d);
    size_t n = 0;

    *base = NULL;
    for (size_t i = 0; s != NULL && i < s->openeds; i++) {
        const struct wb_opened *o = &s->opened[i];

        if (o->role == WB_OPENED_BASE && *base == NULL)
            *base = o->model;
        if (o->role != WB_OPENED_PARENT || n == max)
            continue;
        if (name != NULL)
            name[n] = o->name;
        parent[n++] = o->model;
    }
    if (*base == NULL && n == 0 && s != NULL && s->openeds > 0) /* steps on one model */
        *base = s->opened[0].model;
    return n;
}

/* Text and file */

const char *wb_doc_name(const struct wb_doc *d)
{
    return d->path == NULL ? "pipeline.lua" : d->path;
}

bool wb_doc_set_text(struct wb_doc *d, const char *text, size_t n, struct wb_err *err)
{
    if (!wb_document_load(d->text, text, n, err))
        return false;
    wb_setting_free(&d->now);
    wb_doc_forget_turns(d);
    start_script(d);
    d->seen_version = d->ran_version;
    return true;
}

bool wb_doc_restore_text(struct wb_doc *d, const char *text, struct wb_err *err)
{
    struct wb_range all = { .to = wb_document_end(d->text) };

    if (!wb_document_replace(d->text, all, text, strlen(text), WB_EDIT_STEP, NULL, err))
        return false;
    wb_document_set_cursor(d->text, all.from);
    start_script(d);
    d->seen_version = d->ran_version;
    return true;
}

bool wb_doc_load(struct wb_doc *d, const char *path, struct wb_err *err)
{
    size_t n;
    char *text = wb_read_file(path, SCRIPT_BYTES_MAX, &n, err), *copy = strdup(path),
         *old = d->path;
    bool ok = text != NULL && copy != NULL;

    if (text != NULL && copy == NULL)
        wb_fail(err, WB_ENOMEM, "no memory to open a pipeline");
    d->path = copy;
    ok = ok && wb_doc_set_text(d, text, n, err);
    if (!ok)
        d->path = old;
    free(ok ? old : copy);
    free(text);
    return ok;
}

bool wb_doc_save(struct wb_doc *d, const char *path, struct wb_err *err)
{
    struct wb_str text = { 0 };
    const char *to = path != NULL ? path : d->path;
    char *copy;
    bool ok;

    if (to == NULL)
        return wb_fail(err, WB_EARG, "the pipeline has no file yet: write FILE");
    copy = strdup(to);
    wb_document_text(d->text, &text);
    if (text.failed || copy == NULL)
        ok = wb_fail(err, WB_ENOMEM, "no memory to save the pipeline");
    else
        ok = wb_write_file(copy, text.text == NULL ? "" : text.text, text.len, err);
    wb_str_free(&text);
    if (!ok) {
        free(copy);
        return false;
    }
    free(d->path);
    d->path = copy;
    wb_document_set_saved(d->text);
    d->version++;
    return true;
}

/* Life */

struct wb_doc *wb_doc_new(struct wb_desk *desk, struct wb_err *err)
{
    struct wb_doc *d = calloc(1, sizeof *d);

    if (d == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a pipeline");
        return NULL;
    }
    d->desk = desk;
    d->text = wb_document_new(err);
    if (d->text == NULL) {
        free(d);
        return NULL;
    }
    d->seen_version = d->ran_version = wb_document_version(d->text);
    return d;
}

void wb_doc_free(struct wb_doc *d)
{
    if (d == NULL)
        return;
    drop_preview(d);
    wb_preview_snapshot_free(&d->now_figures);
    wb_preview_snapshot_free(&d->before);
    wb_task_drop(d->plan_task);
    drop_plan(d);
    drop_map(d);
    wb_script_free(&d->script);
    wb_script_free(&d->good);
    wb_setting_free(&d->now);
    wb_doc_forget_turns(d);
    for (size_t i = 0; i < d->keeps; i++)
        wb_setting_free(&d->kept[i]);
    free(d->kept);
    wb_document_free(d->text);
    free(d->path);
    free(d);
}
