/* views/doc_scores.c - the behaviour of the pipeline's model on a task, and what it moved from. */
#include "views/doc_scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "views/desk.h"
#include "views/doc_impl.h"

/* Scores */

static void free_names(char **name, size_t n)
{
    for (size_t i = 0; name != NULL && i < n; i++)
        free(name[i]);
    free(name);
}

void wb_doc_scores_free(struct wb_doc_scores *s)
{
    free_names(s->name, s->models);
    free_names(s->set_name, s->sets);
    free(s->kind);
    free(s->score);
    free(s->sample);
    free(s->problem);
    *s = (struct wb_doc_scores){ 0 };
}

static bool scores_room(struct wb_doc_scores *s, size_t models, size_t sets)
{
    s->name = calloc(models + 1, sizeof *s->name);
    s->set_name = calloc(sets + 1, sizeof *s->set_name);
    s->kind = calloc(sets + 1, sizeof *s->kind);
    s->score = calloc(models * sets + 1, sizeof *s->score);
    if (s->name == NULL || s->set_name == NULL || s->kind == NULL || s->score == NULL)
        return false;
    s->models = models;
    s->sets = sets;
    for (size_t i = 0; i < models * sets; i++)
        s->score[i] = (struct wb_doc_score){ NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, 0 };
    return true;
}

static bool scores_copy(const struct wb_doc_scores *from, struct wb_doc_scores *out)
{
    bool ok;

    *out = (struct wb_doc_scores){ .figures = from->figures, .has_base = from->has_base };
    ok = scores_room(out, from->models, from->sets);
    for (size_t i = 0; ok && i < from->models; i++)
        ok = (out->name[i] = strdup(from->name[i])) != NULL;
    for (size_t i = 0; ok && i < from->sets; i++)
        ok = (out->set_name[i] = strdup(from->set_name[i])) != NULL;
    if (!ok) {
        wb_doc_scores_free(out);
        return false;
    }
    memcpy(out->kind, from->kind, from->sets * sizeof *out->kind);
    memcpy(out->score, from->score, from->models * from->sets * sizeof *out->score);
    return true;
}

/* The same model and set in other scores; NULL: they have none. */
static const struct wb_doc_score *same_score(const struct wb_doc_scores *in,
                                             const struct wb_doc_scores *of, size_t model,
                                             size_t set)
{
    size_t m = 0, s = 0;

    if (model + 1 == of->models)
        m = in->models == 0 ? 0 : in->models - 1; /* the result, whatever it is called */
    else
        while (m + 1 < in->models && strcmp(in->name[m], of->name[model]) != 0)
            m++;
    while (s < in->sets &&
           (in->kind[s] != of->kind[set] || strcmp(in->set_name[s], of->set_name[set]) != 0))
        s++;
    return s == in->sets || in->models == 0 || (m + 1 == in->models) != (model + 1 == of->models)
               ? NULL
               : &in->score[m * in->sets + s];
}

static bool is_known(const struct wb_doc_score *s)
{
    return !isnan(s->sampled) || !isnan(s->exact);
}

/* Is there a figure of the result? */
static bool tells(const struct wb_doc_scores *s)
{
    for (size_t i = 0; s->models > 0 && i < s->sets; i++)
        if (is_known(&s->score[(s->models - 1) * s->sets + i]))
            return true;
    return false;
}

struct wb_doc_score_figure wb_doc_score_figure(const struct wb_doc *d, size_t model, size_t set)
{
    const struct wb_doc_scores *s = &d->scores;
    const struct wb_doc_score *now = &s->score[model * s->sets + set], *before = NULL;
    bool exact = !isnan(now->exact);
    struct wb_doc_score_figure f = {
        .value = exact                  ? now->exact
                 : !isnan(now->sampled) ? now->sampled
                                        : now->carried,
        .error = exact ? now->exact_error : now->sampled_error,
        .grade = exact                  ? WB_GRADE_EXACT
                 : !isnan(now->sampled) ? WB_GRADE_SAMPLED
                                        : WB_GRADE_NONE,
        .kl = now->kl,
        .agreement = now->agreement,
        .from = NAN,
        .to = NAN,
        .kl_from = NAN,
        .agreement_from = NAN,
    };

    if (d->scores_before.figures != 0 && d->scores_before.figures == d->before_number &&
        s->figures == d->now_number)
        before = same_score(&d->scores_before, s, model, set);
    if (before == NULL || f.grade == WB_GRADE_NONE)
        return f;
    exact = exact && !isnan(before->exact); /* else the same rows of both, where they are known */
    f.from = exact ? before->exact : before->sampled;
    f.to = exact ? now->exact : now->sampled;
    f.kl_from = before->kl;
    f.agreement_from = before->agreement;
    return f;
}

/* The work */

struct wb_model *wb_doc_eval_model(const struct wb_doc *d)
{
    struct wb_model *base, *parent[WB_DOC_PARENTS_MAX];
    size_t n = wb_doc_parents(d, &base, parent, NULL, WB_DOC_PARENTS_MAX);

    return base != NULL ? base : n > 0 ? parent[0] : wb_doc_model(d);
}

struct wb_eval_list *wb_doc_eval_list(const struct wb_doc *d)
{
    struct wb_model *model = wb_doc_eval_model(d);

    return model == NULL ? NULL : wb_eval_sets_of(&d->desk->eval_sets, model);
}

static void end_task(struct wb_doc *d)
{
    wb_task_drop(d->scores_task);
    d->scores_task = NULL;
    wb_behaviour_unref(d->behaviour);
    d->behaviour = NULL;
}

static bool start_task(struct wb_doc *d, struct wb_err *err)
{
    struct wb_behaviour_set set[WB_EVAL_SETS_MAX];
    struct wb_behaviour_how how = { .threads = d->desk->options.threads,
                                    .budget_bytes = d->desk->options.memory_bytes,
                                    .cache = d->desk->cache,
                                    .memory = d->desk->behaviour_memory };
    struct wb_model *base, *parent[WB_DOC_PARENTS_MAX];
    const char *name[WB_DOC_PARENTS_MAX];
    size_t n = wb_doc_parents(d, &base, parent, name, WB_DOC_PARENTS_MAX);
    size_t sets = wb_eval_sets_on(wb_doc_eval_list(d), set);
    void *work;

    d->behaviour =
        wb_behaviour_new(wb_doc_model(d), "result", base, parent, name, n, set, sets, err);
    if (d->behaviour == NULL)
        return false;
    work = wb_behaviour_task_new(d->behaviour, &how);
    if (work == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a behaviour");
    d->scores_task = wb_task_start_urgent(d->desk->tasks, "behaviour", wb_behaviour_task_run, work,
                                          wb_behaviour_task_free, err);
    return d->scores_task != NULL;
}

static void set_problem(struct wb_doc_scores *s, const char *text)
{
    free(s->problem);
    s->problem = text == NULL ? NULL : strdup(text);
}

static void begin(struct wb_doc *d)
{
    struct wb_err err;

    end_task(d);
    if (d->scores.sets == 0) /* there is nothing to ask */
        return;
    d->scores.finished = false;
    if (!start_task(d, &err)) {
        set_problem(&d->scores, err.msg);
        end_task(d);
    }
}

/* Names of models and sets as they will be, with what was known before. */
static bool make_scores(const struct wb_doc *d, struct wb_doc_scores *out)
{
    struct wb_behaviour_set set[WB_EVAL_SETS_MAX];
    struct wb_model *base, *parent[WB_DOC_PARENTS_MAX];
    const char *name[WB_DOC_PARENTS_MAX];
    size_t n = wb_doc_parents(d, &base, parent, name, WB_DOC_PARENTS_MAX), m = 0;
    size_t sets = wb_eval_sets_on(wb_doc_eval_list(d), set);
    bool ok = scores_room(out, n + 1 + (base != NULL), sets);

    out->figures = d->now_number;
    out->has_base = base != NULL;
    if (ok && base != NULL)
        ok = (out->name[m++] = strdup("base")) != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = (out->name[m++] = strdup(name[i])) != NULL;
    ok = ok && (out->name[m] = strdup("result")) != NULL;
    for (size_t i = 0; ok && i < sets; i++) {
        ok = (out->set_name[i] = strdup(set[i].name)) != NULL;
        out->kind[i] = set[i].kind;
    }
    if (!ok)
        wb_doc_scores_free(out);
    return ok;
}

static void carry(const struct wb_doc_scores *from, struct wb_doc_scores *to)
{
    for (size_t i = 0; i < to->models * to->sets; i++) {
        const struct wb_doc_score *s = same_score(from, to, i / to->sets, i % to->sets);

        if (s != NULL)
            to->score[i].carried = !isnan(s->exact)     ? s->exact
                                   : !isnan(s->sampled) ? s->sampled
                                                        : s->carried;
    }
    to->sample = from->sample == NULL ? NULL : strdup(from->sample);
}

void wb_doc_start_scores(struct wb_doc *d)
{
    struct wb_doc_scores fresh = { 0 };

    end_task(d);
    d->scores_due = false;
    d->scores_seen = d->desk->eval_sets.version;
    if (!make_scores(d, &fresh))
        return;
    carry(&d->scores, &fresh);
    if (d->scores_gesture != d->now_gesture && tells(&d->scores)) {
        wb_doc_scores_free(&d->scores_before);
        d->scores_before = d->scores;
        d->scores = (struct wb_doc_scores){ 0 };
    }
    wb_doc_scores_free(&d->scores);
    d->scores = fresh;
    d->scores_gesture = d->now_gesture;
    begin(d);
}

void wb_doc_stop_scores(struct wb_doc *d)
{
    d->scores_due = false;
    if (d->scores_task != NULL)
        end_task(d);
}

void wb_doc_resume_scores(struct wb_doc *d)
{
    if (d->scores.figures == 0)
        d->scores_due = true;
    else if (d->scores_task == NULL && !d->scores.finished)
        begin(d);
}

void wb_doc_drop_scores(struct wb_doc *d)
{
    wb_doc_stop_scores(d);
    wb_doc_scores_free(&d->scores);
    wb_doc_scores_free(&d->scores_before);
}

void wb_doc_keep_scores_as_before(struct wb_doc *d)
{
    wb_doc_scores_free(&d->scores_before);
    if (d->scores.figures == 0 || !scores_copy(&d->scores, &d->scores_before))
        return;
    d->scores_before.figures = d->before_number;
    d->scores.figures = d->now_number;
    d->scores_gesture = d->now_gesture;
}

/* Polling */

static void take_cell(const struct wb_behaviour_cell *cell, struct wb_doc_score *s)
{
    if (cell->grade == WB_GRADE_EXACT) {
        s->exact = cell->value;
        s->exact_error = cell->error;
    } else if (cell->grade == WB_GRADE_SAMPLED) {
        s->sampled = cell->value;
        s->sampled_error = cell->error;
    }
    if (cell->grade != WB_GRADE_NONE) {
        s->done = cell->done;
        s->total = cell->total;
    }
    s->kl = cell->kl;
    s->agreement = cell->agreement;
}

static bool read_scores(struct wb_doc *d)
{
    struct wb_doc_scores *s = &d->scores;
    struct wb_behaviour_snapshot fresh = { 0 };
    bool told = tells(s);

    if (d->behaviour == NULL || !wb_behaviour_snapshot(d->behaviour, &fresh))
        return false;
    if (fresh.version == s->version || fresh.models != s->models || fresh.sets != s->sets) {
        wb_behaviour_snapshot_free(&fresh);
        return false;
    }
    for (size_t i = 0; i < s->models * s->sets; i++)
        take_cell(&fresh.cell[i], &s->score[i]);
    if (fresh.sample[0] != '\0' || fresh.finished) {
        free(s->sample);
        s->sample = fresh.sample;
        fresh.sample = NULL;
    }
    set_problem(s, fresh.problem);
    s->version = fresh.version;
    s->done = fresh.done;
    s->finished = fresh.finished;
    wb_behaviour_snapshot_free(&fresh);
    d->desk->at_once = d->desk->at_once || (!told && tells(s));
    return true;
}

static bool poll_task(struct wb_doc *d)
{
    struct wb_err err;
    enum wb_task_state state;

    if (d->scores_task == NULL)
        return false;
    state = wb_task_poll(d->scores_task, &err);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return false;
    read_scores(d); /* what came between the two looks */
    if (state == WB_TASK_FAILED)
        set_problem(&d->scores, err.msg);
    end_task(d);
    return true;
}

bool wb_doc_poll_scores(struct wb_doc *d)
{
    bool on = !d->desk->options.no_behaviour, changed;

    if (!on && (d->scores.figures != 0 || d->scores_task != NULL)) {
        wb_doc_drop_scores(d);
        return true;
    }
    changed = read_scores(d);
    changed = poll_task(d) || changed;
    if (!on || d->stale || d->preview == NULL || wb_doc_model(d) == NULL || d->run_id != 0)
        return changed;
    if (d->scores_due || (d->scores.figures != 0 && d->scores_seen != d->desk->eval_sets.version)) {
        wb_doc_start_scores(d);
        changed = true;
    }
    return changed;
}
