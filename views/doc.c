/* views/doc.c - the pipeline's life: its text and file; edits and turns start the script. */
#include "views/doc_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "views/desk.h"

#define EDIT_SECONDS 0.15  /* an edit runs when nothing was typed for so long */
#define TYPING_SECONDS 3.0 /* edits with shorter pauses are one change to the numbers */
#define SCRIPT_BYTES_MAX ((size_t)16 << 20)

/* Running the script */

static void drop_map(struct wb_doc *d)
{
    if (d->map != NULL)
        wb_param_map_free(d->map);
    free(d->map);
    d->map = NULL;
}

/* Nothing but blanks: there is no pipeline, which is not an error. */
static bool is_blank(const struct wb_str *text)
{
    return text->text == NULL || text->text[strspn(text->text, " \t\r\n")] == '\0';
}

static void drop_results(struct wb_doc *d)
{
    wb_doc_drop_figures(d);
    drop_map(d);
    wb_script_free(&d->script);
    wb_script_free(&d->good);
}

static void start_script(struct wb_doc *d)
{
    struct wb_str text = { 0 };

    wb_document_text(d->text, &text);
    d->edited_at = 0;
    d->cancelling = false;
    wb_doc_stop_scores(d);
    d->ran_version = d->seen_version = wb_document_version(d->text);
    d->started_at = wb_now_seconds();
    if (!text.failed && is_blank(&text)) {
        wb_worker_cancel(d->desk->worker);
        d->run_id = 0;
        drop_results(d);
    } else {
        d->run_id = text.failed
                        ? 0
                        : wb_worker_run(d->desk->worker, wb_doc_name(d), text.text, text.len,
                                        (const char *const *)d->now.knob, d->now.knobs);
        if (d->run_id == 0)
            wb_desk_say(d->desk, WB_MESSAGE_ERROR, "no memory to run the script");
    }
    wb_str_free(&text);
    d->version++;
}

void wb_doc_restart(struct wb_doc *d, bool joins)
{
    d->gesture += joins ? 0 : 1;
    start_script(d);
}

void wb_doc_rerun(struct wb_doc *d)
{
    wb_doc_restart(d, false);
}

/* Drop turned knobs that the script does not declare any more. Only one that came to its end tells
 * (lua/wb/pipeline.lua): until then, a knob may be declared further below. */
static bool drop_stale_knobs(struct wb_doc *d, const struct wb_script *s)
{
    size_t before = d->now.knobs;

    if (strstr(s->err.msg, "the script has no knob '") == NULL)
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

/* Is the figures' model the one that the script gives now, with the same parents? */
static bool same_question(const struct wb_doc *d, const struct wb_script *old)
{
    const struct wb_script *now = &d->script;

    if (old == NULL || old->openeds != now->openeds ||
        !wb_hash_equal(wb_model_hash(old->pipeline.model), wb_model_hash(now->pipeline.model)))
        return false;
    for (size_t i = 0; i < now->openeds; i++)
        if (old->opened[i].role != now->opened[i].role ||
            strcmp(old->opened[i].name, now->opened[i].name) != 0 ||
            !wb_hash_equal(wb_model_hash(old->opened[i].model),
                           wb_model_hash(now->opened[i].model)))
            return false;
    return true;
}

/* One that failed leaves the last good one in place. */
static void take_failed(struct wb_doc *d)
{
    if (drop_stale_knobs(d, &d->script))
        start_script(d);
}

static void take_good(struct wb_doc *d, const struct wb_script *old)
{
    bool same = same_question(d, old);

    drop_map(d);
    d->map_id = 0;
    d->map_err.code = WB_OK;
    if (d->map_wanted)
        wb_doc_want_map(d, d->map_step);
    if (same && (d->preview != NULL || d->previewing != NULL) && d->preview_err.code == WB_OK)
        wb_doc_keep_as_before(d);
    else
        wb_doc_new_preview(d);
}

static void take_script(struct wb_doc *d, struct wb_script *s)
{
    struct wb_script old = d->script;

    d->script = *s;
    *s = (struct wb_script){ 0 };
    if (!d->script.ok) {
        if (old.ok) {
            wb_script_free(&d->good);
            d->good = old;
        } else {
            wb_script_free(&old);
        }
        take_failed(d);
        return;
    }
    take_good(d, old.ok ? &old : d->good.ok ? &d->good : NULL);
    wb_script_free(&old);
    wb_script_free(&d->good);
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

bool wb_doc_poll(struct wb_doc *d)
{
    bool changed = wb_doc_poll_preview(d);
    double now = wb_now_seconds();

    changed = wb_doc_poll_scores(d) || changed;
    changed = wb_doc_poll_plan(d) || changed;
    if (wb_document_version(d->text) != d->seen_version) {
        d->seen_version = wb_document_version(d->text);
        d->edited_at = d->seen_version == d->ran_version ? 0 : now;
        d->gesture += now - d->typed_at > TYPING_SECONDS ? 1 : 0;
        d->typed_at = now;
    }
    if (d->cancelling && d->run_id != 0)
        wb_worker_cancel(d->desk->worker);
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

bool wb_doc_script_due(const struct wb_doc *d)
{
    return d->run_id != 0 || d->edited_at > 0 || wb_document_version(d->text) != d->seen_version;
}

bool wb_doc_busy(const struct wb_doc *d)
{
    return wb_doc_script_due(d) || d->map_id != 0 || d->preview_task != NULL ||
           d->scores_task != NULL || d->plan_task != NULL || d->plan_due;
}

void wb_doc_cancel(struct wb_doc *d)
{
    d->cancelling = d->run_id != 0;
    if (d->cancelling)
        wb_worker_cancel(d->desk->worker);
    if (d->preview_task != NULL)
        wb_task_cancel(d->preview_task);
    wb_doc_stop_scores(d);
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
    drop_results(d);
    d->gesture++;
    start_script(d);
    return true;
}

bool wb_doc_restore_text(struct wb_doc *d, const char *text, struct wb_err *err)
{
    struct wb_range all = { .to = wb_document_end(d->text) };

    if (!wb_document_replace(d->text, all, text, strlen(text), WB_EDIT_STEP, NULL, err))
        return false;
    wb_document_set_cursor(d->text, all.from);
    start_script(d);
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
    if (ok && memchr(text, '\0', n) != NULL)
        ok = wb_fail(err, WB_EFORMAT, "%s is no script: it has bytes that no text has", path);
    d->path = copy; /* the name that errors of the script begin with */
    ok = ok && wb_doc_set_text(d, text, n, err);
    if (!ok)
        d->path = old;
    else if (old == NULL || strcmp(old, copy) != 0)
        while (d->keeps > 0)
            wb_doc_drop_kept(d, d->keeps - 1);
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
    d->first_seconds = d->exact_seconds = NAN;
    return d;
}

void wb_doc_free(struct wb_doc *d)
{
    if (d == NULL)
        return;
    drop_results(d);
    wb_setting_free(&d->now);
    wb_doc_forget_turns(d);
    while (d->keeps > 0)
        wb_doc_drop_kept(d, d->keeps - 1);
    free(d->kept);
    wb_document_free(d->text);
    free(d->path);
    free(d);
}
