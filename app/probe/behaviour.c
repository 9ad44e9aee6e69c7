/* app/probe/behaviour.c - the object: who is compared on what, and copies of what is known. */
#include "app/probe/behaviour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/task.h"
#include "app/probe/behaviour_impl.h"

static bool hold_models(struct wb_behaviour *b, struct wb_model *result, const char *result_name,
                        struct wb_model *base, struct wb_model *const *parent,
                        const char *const *parent_name, size_t parents)
{
    size_t models = parents + 1 + (base != NULL), n = 0;

    b->model = wb_arena_calloc(&b->arena, models, sizeof *b->model);
    b->name = wb_arena_calloc(&b->arena, models, sizeof *b->name);
    if (b->model == NULL || b->name == NULL)
        return false;
    b->has_base = base != NULL;
    if (base != NULL) {
        b->name[n] = "base";
        b->model[n++] = wb_model_ref(base);
    }
    for (size_t i = 0; i < parents; i++) {
        b->name[n] = wb_arena_strdup(&b->arena, parent_name[i]);
        b->model[n++] = wb_model_ref(parent[i]);
    }
    b->name[n] = wb_arena_strdup(&b->arena, result_name);
    b->model[n] = wb_model_ref(result);
    b->models = models;
    for (size_t i = 0; i < models; i++)
        if (b->name[i] == NULL)
            return false;
    return true;
}

static bool hold_sets(struct wb_behaviour *b, const struct wb_behaviour_set *set, size_t sets)
{
    b->set = wb_arena_calloc(&b->arena, sets + 1, sizeof *b->set);
    b->cell = wb_arena_calloc(&b->arena, b->models * sets + 1, sizeof *b->cell);
    if (b->set == NULL || b->cell == NULL)
        return false;
    for (size_t i = 0; i < sets; i++) {
        b->set[i] = set[i];
        b->set[i].name = wb_arena_strdup(&b->arena, set[i].name);
        b->set[i].path = wb_arena_strdup(&b->arena, set[i].path);
        if (b->set[i].name == NULL || b->set[i].path == NULL)
            return false;
    }
    b->sets = sets;
    for (size_t i = 0; i < b->models * sets; i++)
        b->cell[i] =
            (struct wb_behaviour_cell){ .value = NAN, .error = NAN, .kl = NAN, .agreement = NAN };
    return true;
}

struct wb_behaviour *wb_behaviour_new(struct wb_model *result, const char *result_name,
                                      struct wb_model *base, struct wb_model *const *parent,
                                      const char *const *parent_name, size_t parents,
                                      const struct wb_behaviour_set *set, size_t sets,
                                      struct wb_err *err)
{
    struct wb_behaviour *b = calloc(1, sizeof *b);

    if (b != NULL) {
        atomic_init(&b->refs, 1);
        pthread_mutex_init(&b->lock, NULL);
        b->sample = strdup("");
        if (b->sample != NULL &&
            hold_models(b, result, result_name, base, parent, parent_name, parents) &&
            hold_sets(b, set, sets))
            return b;
        wb_behaviour_unref(b);
    }
    wb_fail(err, WB_ENOMEM, "no memory for a behaviour");
    return NULL;
}

struct wb_behaviour *wb_behaviour_ref(struct wb_behaviour *b)
{
    if (b != NULL)
        atomic_fetch_add(&b->refs, 1);
    return b;
}

void wb_behaviour_unref(struct wb_behaviour *b)
{
    if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    for (size_t i = 0; i < b->models; i++)
        wb_model_unref(b->model[i]);
    free(b->sample);
    free(b->problem);
    pthread_mutex_destroy(&b->lock);
    wb_arena_free(&b->arena);
    free(b);
}

/* --- snapshots ------------------------------------------------------------------------------- */

static void free_room(struct wb_behaviour_snapshot *s)
{
    free(s->cell);
    free(s->sample);
    free(s->problem);
    memset(s, 0, sizeof *s);
}

/* Exact when every figure that exists is; with the lock held. */
static enum wb_grade grade_of(const struct wb_behaviour *b)
{
    bool any = false, all = true;

    for (size_t i = 0; i < b->models * b->sets; i++) {
        any |= b->cell[i].grade != WB_GRADE_NONE;
        all &= b->cell[i].grade == WB_GRADE_EXACT;
    }
    return !any ? WB_GRADE_NONE : all || b->finished ? WB_GRADE_EXACT : WB_GRADE_SAMPLED;
}

static bool copy(const struct wb_behaviour *b, struct wb_behaviour_snapshot *out)
{
    free(out->sample);
    free(out->problem);
    out->sample = strdup(b->sample);
    out->problem = b->problem != NULL ? strdup(b->problem) : NULL;
    if (out->sample == NULL || (b->problem != NULL && out->problem == NULL))
        return false;
    memcpy(out->cell, b->cell, b->models * b->sets * sizeof *out->cell);
    out->version = b->version;
    out->grade = grade_of(b);
    out->done = b->done;
    out->finished = b->finished;
    return true;
}

static bool room(struct wb_behaviour *b, struct wb_behaviour_snapshot *out)
{
    out->cell = calloc(b->models * b->sets + 1, sizeof *out->cell);
    if (out->cell == NULL)
        return false;
    out->models = b->models;
    out->model_name = b->name;
    out->has_base = b->has_base;
    out->sets = b->sets;
    out->set = b->set;
    out->version = UINT64_MAX; /* nothing copied yet */
    out->of = wb_behaviour_ref(b);
    return true;
}

bool wb_behaviour_snapshot(struct wb_behaviour *b, struct wb_behaviour_snapshot *out)
{
    bool ok = true;

    if (out->of != b) {
        wb_behaviour_snapshot_free(out);
        if (!room(b, out))
            return false;
    }
    pthread_mutex_lock(&b->lock);
    if (out->version != b->version)
        ok = copy(b, out);
    pthread_mutex_unlock(&b->lock);
    if (!ok)
        wb_behaviour_snapshot_free(out);
    return ok;
}

void wb_behaviour_snapshot_free(struct wb_behaviour_snapshot *s)
{
    struct wb_behaviour *b = s->of;

    free_room(s);
    wb_behaviour_unref(b);
}

/* --- what a run shows ------------------------------------------------------------------------- */

/* Ends a change that began with the lock taken. */
static void publish(struct wb_behaviour_run *r)
{
    r->b->version++;
    pthread_mutex_unlock(&r->b->lock);
    if (r->how->report != NULL)
        r->how->report(r->how->ctx);
}

void wb_behaviour_show_cell(struct wb_behaviour_run *r, size_t m, size_t s,
                            const struct wb_behaviour_cell *cell)
{
    struct wb_behaviour_cell *to = &r->b->cell[m * r->b->sets + s];

    pthread_mutex_lock(&r->b->lock);
    to->grade = cell->grade;
    to->value = cell->value;
    to->error = cell->error;
    to->done = cell->done;
    to->total = cell->total;
    publish(r);
}

void wb_behaviour_show_pair(struct wb_behaviour_run *r, size_t m, size_t s,
                            const struct wb_behaviour_pair *pair)
{
    struct wb_behaviour_cell *to = &r->b->cell[m * r->b->sets + s];

    pthread_mutex_lock(&r->b->lock);
    to->kl = pair->kl;
    to->agreement = pair->agreement;
    publish(r);
}

void wb_behaviour_show_sample(struct wb_behaviour_run *r, const char *more)
{
    struct wb_behaviour *b = r->b;
    size_t n = strlen(b->sample), k = strlen(more);
    char *longer = malloc(n + k + 1);

    if (longer == NULL)
        return;
    memcpy(longer, b->sample, n);
    memcpy(longer + n, more, k + 1);
    pthread_mutex_lock(&b->lock);
    free(b->sample);
    b->sample = longer;
    publish(r);
}

void wb_behaviour_advance(struct wb_behaviour_run *r, double rows)
{
    r->done += rows;
    pthread_mutex_lock(&r->b->lock);
    r->b->done = r->total > 0 && r->done < r->total ? r->done / r->total : 1;
    pthread_mutex_unlock(&r->b->lock);
}

bool wb_behaviour_cancelled(const struct wb_behaviour_run *r)
{
    return r->how->cancel != NULL && atomic_load_explicit(r->how->cancel, memory_order_relaxed);
}

bool wb_behaviour_problem(struct wb_behaviour_run *r, size_t m, size_t s)
{
    struct wb_behaviour *b = r->b;
    struct wb_err *err = r->err;

    if (s < b->sets)
        r->model[m].set[s].failed = true;
    else
        r->model[m].failed = true;
    if (err->code == WB_ECANCELLED)
        return false;
    if (s < b->sets)
        wb_wrap(err, "%s", b->set[s].name);
    if (m + 1 < b->models)
        wb_wrap(err, "%s", b->name[m]);
    pthread_mutex_lock(&b->lock);
    if (b->problem == NULL)
        b->problem = strdup(err->msg);
    publish(r);
    return true;
}

/* --- as a task --------------------------------------------------------------------------------- */

struct behaviour_task {
    struct wb_behaviour *b;
    struct wb_behaviour_how how;
    char *prompt;
};

static void report(void *ctx)
{
    wb_task_report(ctx);
}

void *wb_behaviour_task_new(struct wb_behaviour *b, const struct wb_behaviour_how *how)
{
    struct behaviour_task *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    *t = (struct behaviour_task){ wb_behaviour_ref(b), *how, NULL };
    if (how->prompt != NULL && (t->prompt = strdup(how->prompt)) == NULL) {
        wb_behaviour_task_free(t);
        return NULL;
    }
    t->how.prompt = t->prompt;
    return t;
}

bool wb_behaviour_task_run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct behaviour_task *t = ctx;

    t->how.cancel = wb_task_cancel_flag(task);
    t->how.report = report;
    t->how.ctx = task;
    return wb_behaviour_run(t->b, &t->how, err);
}

void wb_behaviour_task_free(void *ctx)
{
    struct behaviour_task *t = ctx;

    if (t == NULL)
        return;
    wb_behaviour_unref(t->b);
    free(t->prompt);
    free(t);
}
