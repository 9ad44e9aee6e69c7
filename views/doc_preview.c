/* views/doc_preview.c - the numbers of the pipeline: preview and dry run of its model, and what the
 * numbers moved from. */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "views/desk.h"
#include "views/doc_impl.h"

/* The preview on its task. Making one takes some 10 us a tensor, which for a model with thousands
 * of experts is too long for the UI thread. */

struct wb_doc_previewing {
    struct wb_model *model, *base, *parent[WB_DOC_PARENTS_MAX];
    size_t parents;
    struct wb_preview_how how;
    _Atomic(struct wb_preview *) made;
};

static void previewing_free(void *ctx)
{
    struct wb_doc_previewing *p = ctx;

    wb_preview_unref(atomic_load(&p->made));
    wb_model_unref(p->model);
    wb_model_unref(p->base);
    for (size_t i = 0; i < p->parents; i++)
        wb_model_unref(p->parent[i]);
    free(p);
}

static void report(void *ctx)
{
    wb_task_report(ctx);
}

static bool run_preview(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct wb_doc_previewing *p = ctx;
    struct wb_preview *made = wb_preview_new(p->model, p->base, p->parent, p->parents, err);

    if (made == NULL)
        return false;
    atomic_store(&p->made, made);
    p->how.cancel = wb_task_cancel_flag(task);
    p->how.report = report;
    p->how.ctx = task;
    return wb_preview_run(made, &p->how, err);
}

void wb_doc_drop_preview(struct wb_doc *d)
{
    wb_task_drop(d->preview_task);
    d->preview_task = NULL;
    d->previewing = NULL;
    wb_preview_unref(d->preview);
    d->preview = NULL;
}

static bool start_preview(struct wb_doc *d, struct wb_err *err)
{
    struct wb_doc_previewing *p = calloc(1, sizeof *p);

    if (p == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a preview");
    p->parents = wb_doc_parents(d, &p->base, p->parent, NULL, WB_DOC_PARENTS_MAX);
    p->model = wb_model_ref(wb_doc_model(d));
    p->base = p->base == NULL ? NULL : wb_model_ref(p->base);
    for (size_t i = 0; i < p->parents; i++)
        wb_model_ref(p->parent[i]);
    p->how = (struct wb_preview_how){ .threads = d->desk->options.threads,
                                      .budget_bytes = d->desk->options.memory_bytes,
                                      .cache = d->desk->cache };
    d->preview_task =
        wb_task_start_urgent(d->desk->tasks, "preview", run_preview, p, previewing_free, err);
    d->previewing = d->preview_task == NULL ? NULL : p;
    return d->preview_task != NULL;
}

static void drop_plan(struct wb_doc *d)
{
    if (d->plan != NULL)
        wb_plan_free(d->plan);
    free(d->plan);
    d->plan = NULL;
}

void wb_doc_new_preview(struct wb_doc *d)
{
    wb_doc_drop_preview(d);
    wb_task_drop(d->plan_task);
    d->plan_task = NULL;
    d->stale = d->plan_due = d->scores_due = true;
    d->first_seconds = d->exact_seconds = NAN;
    d->preview_err.code = WB_OK;
    if (!start_preview(d, &d->preview_err))
        wb_doc_drop_preview(d);
}

/* Causes and what figures moved from */

static void cause_free(struct wb_doc_cause *c)
{
    wb_setting_free(&c->setting);
    *c = (struct wb_doc_cause){ 0 };
}

static void drop_before(struct wb_doc *d)
{
    wb_preview_snapshot_free(&d->before);
    wb_preview_snapshot_free(&d->before_sampled);
    cause_free(&d->before_cause);
}

static void note_cause(struct wb_doc *d)
{
    cause_free(&d->now_cause);
    wb_setting_copy(&d->now, &d->now_cause.setting);
    d->now_cause.text = d->ran_version;
    d->now_gesture = d->gesture;
    d->now_number = ++d->numbers;
}

/* The figures at work become what the next ones are compared with. */
static void move_to_before(struct wb_doc *d)
{
    drop_before(d);
    d->before = d->now_figures;
    d->before_sampled = d->now_sampled;
    d->before_cause = d->now_cause;
    d->before_number = d->now_number;
    d->now_figures = d->now_sampled = (struct wb_preview_snapshot){ 0 };
    d->now_cause = (struct wb_doc_cause){ 0 };
}

void wb_doc_keep_as_before(struct wb_doc *d)
{
    if (d->preview == NULL || d->stale)
        return;
    wb_doc_resume_scores(d);
    if (wb_setting_equal(&d->now, &d->now_cause.setting)) { /* a comment, say */
        if (d->before_cause.text == d->now_cause.text)
            d->before_cause.text = d->ran_version;
        d->now_cause.text = d->ran_version;
        return;
    }
    move_to_before(d);
    wb_preview_snapshot(d->preview, &d->now_figures);
    note_cause(d);
    wb_doc_keep_scores_as_before(d);
}

void wb_doc_drop_figures(struct wb_doc *d)
{
    wb_doc_drop_preview(d);
    wb_doc_drop_scores(d);
    drop_before(d);
    wb_preview_snapshot_free(&d->now_figures);
    wb_preview_snapshot_free(&d->now_sampled);
    cause_free(&d->now_cause);
    d->stale = d->plan_due = false;
    d->preview_err.code = WB_OK;
    wb_task_drop(d->plan_task);
    d->plan_task = NULL;
    drop_plan(d);
}

bool wb_doc_moves(const struct wb_doc *d, const struct wb_preview_snapshot **before,
                  const struct wb_preview_snapshot **now)
{
    bool exact = d->now_figures.grade == WB_GRADE_EXACT && d->before.grade == WB_GRADE_EXACT;
    bool sampled =
        d->now_sampled.grade != WB_GRADE_NONE && d->before_sampled.grade != WB_GRADE_NONE;

    *now = !exact && sampled ? &d->now_sampled : &d->now_figures;
    *before = !exact && sampled ? &d->before_sampled : &d->before;
    return !d->stale && (*before)->grade != WB_GRADE_NONE && (*now)->grade != WB_GRADE_NONE;
}

/* Polling */

/* The first numbers of a new model have come. */
static void take_first(struct wb_doc *d, struct wb_preview_snapshot *fresh)
{
    if (d->now_figures.grade != WB_GRADE_NONE && d->gesture != d->now_gesture)
        move_to_before(d);
    wb_preview_snapshot_free(&d->now_figures);
    wb_preview_snapshot_free(&d->now_sampled);
    d->now_figures = *fresh;
    note_cause(d);
    d->stale = false;
    d->first_seconds = wb_now_seconds() - d->started_at;
    d->desk->at_once = true;
}

static bool read_preview(struct wb_doc *d)
{
    struct wb_preview_snapshot fresh = { 0 };
    uint64_t before = d->now_figures.version;

    if (d->preview == NULL)
        return false;
    if (d->stale) {
        if (!wb_preview_snapshot(d->preview, &fresh) || fresh.grade == WB_GRADE_NONE) {
            wb_preview_snapshot_free(&fresh);
            return false;
        }
        take_first(d, &fresh);
        before = 0;
    } else {
        wb_preview_snapshot(d->preview, &d->now_figures);
    }
    if (d->now_figures.grade == WB_GRADE_SAMPLED && d->now_sampled.grade == WB_GRADE_NONE)
        wb_preview_snapshot(d->preview, &d->now_sampled);
    return d->now_figures.version != before;
}

static void start_plan(struct wb_doc *d);

bool wb_doc_poll_preview(struct wb_doc *d)
{
    bool changed;

    if (d->preview == NULL && d->previewing != NULL) {
        struct wb_preview *made = atomic_load(&d->previewing->made);

        d->preview = made == NULL ? NULL : wb_preview_ref(made);
    }
    changed = read_preview(d);
    if (d->preview_task != NULL) {
        enum wb_task_state state = wb_task_poll(d->preview_task, &d->preview_err);

        if (state == WB_TASK_DONE)
            d->preview_err.code = WB_OK;
        if (state != WB_TASK_WAITING && state != WB_TASK_RUNNING) {
            read_preview(d); /* what came between the two looks */
            if (state == WB_TASK_DONE)
                d->exact_seconds = wb_now_seconds() - d->started_at;
            wb_task_drop(d->preview_task);
            d->preview_task = NULL;
            d->previewing = NULL;
            changed = true;
        }
    }
    if (d->plan_due && (!d->stale || d->preview_task == NULL)) /* numbers first */
        start_plan(d);
    return changed;
}

double wb_doc_preview_done(const struct wb_doc *d)
{
    return d->preview_task == NULL ? 1 : d->stale ? 0 : d->now_figures.done;
}

/* A dry run on a task */

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
    struct dry_run *r = wb_doc_model(d) == NULL ? NULL : calloc(1, sizeof *r);
    struct wb_err err;

    d->plan_due = false;
    if (r == NULL)
        return;
    r->model = wb_model_ref(wb_doc_model(d));
    r->eval = wb_desk_eval(d->desk, false);
    d->plan_task = wb_task_start(d->desk->tasks, "dry run", dry_run, r, dry_run_free, &err);
    d->plan_ctx = r;
    if (d->plan_task == NULL)
        wb_desk_say(d->desk, WB_MESSAGE_WARNING, "%s", err.msg);
}

bool wb_doc_poll_plan(struct wb_doc *d)
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

/* What moved them */

static const struct wb_knob *knob_named(const struct wb_doc *d, const char *item)
{
    size_t n = strcspn(item, "=");

    for (size_t i = 0; i < wb_doc_knob_count(d); i++) {
        const struct wb_knob *k = wb_doc_knob(d, i);

        if (strlen(k->name) == n && memcmp(k->name, item, n) == 0)
            return k;
    }
    return NULL;
}

static void add_move(const struct wb_doc *d, const struct wb_knob *k, struct wb_str *out)
{
    const char *from = wb_setting_get(&d->before_cause.setting, k->name);
    const char *to = wb_setting_get(&d->now_cause.setting, k->name);
    char usual[300];

    wb_knob_default_text(k, usual, sizeof usual);
    from = from == NULL ? usual : from;
    to = to == NULL ? usual : to;
    if (strcmp(from, to) != 0)
        wb_str_printf(out, "%s%s %s -> %s", out->len > 0 ? ", " : "", k->name,
                      k->secret ? "***" : from, k->secret ? "***" : to);
}

void wb_doc_cause(const struct wb_doc *d, struct wb_str *out)
{
    const struct wb_setting *setting[] = { &d->now_cause.setting, &d->before_cause.setting };

    if (d->before.grade == WB_GRADE_NONE)
        return;
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < setting[s]->knobs; i++) {
            const struct wb_knob *k = knob_named(d, setting[s]->knob[i]);

            if (k != NULL && (s == 0 || wb_setting_get(setting[0], k->name) == NULL))
                add_move(d, k, out);
        }
    if (d->now_cause.text != d->before_cause.text)
        wb_str_printf(out, "%sthe script", out->len > 0 ? ", " : "");
}
