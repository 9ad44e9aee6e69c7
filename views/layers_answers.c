/* views/layers_answers.c - what the layers view compares, the tasks behind it, and what is kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/relation.h"
#include "lua/bind/record.h"
#include "views/view_layers.h"

#define KEPT_MAX 24
/* Reading this much is begun unasked, if each weight takes part in one product; it takes a minute or
 * so. Beyond it figures stay those of a sample until one asks for more. */
#define EXACT_BYTES_MAX 16e9

struct layers_work {
    struct layers_answer *answer; /* NULL once it was taken */
    struct wb_eval how;
    struct wb_progress progress;
};

/* ---- answers ---- */

static void answer_free(struct layers_answer *a)
{
    if (a == NULL)
        return;
    wb_pairwise_free(&a->pairwise);
    wb_delta_free(&a->list);
    for (size_t i = 0; i < a->key.models; i++)
        wb_model_unref(a->model[i]);
    wb_model_unref(a->base);
    free(a);
}

static bool same_key(const struct layers_key *a, const struct layers_key *b)
{
    if (a->mode != b->mode || a->models != b->models || a->based != b->based ||
        (a->based && !wb_hash_equal(a->base, b->base)))
        return false;
    for (size_t i = 0; i < a->models; i++)
        if (!wb_hash_equal(a->model[i], b->model[i]))
            return false;
    return true;
}

/* The answer to the question to the front of the list; NULL: there is none. */
static struct layers_answer *find_kept(struct layers *s)
{
    for (struct layers_answer **place = &s->kept; *place != NULL; place = &(*place)->next) {
        struct layers_answer *a = *place;

        if (!same_key(&a->key, &s->key))
            continue;
        *place = a->next;
        a->next = s->kept;
        s->kept = a;
        return a;
    }
    return NULL;
}

/* In place of an older one to the same question. */
static void keep(struct layers *s, struct layers_answer *a)
{
    struct layers_answer *old = find_kept(s), **place = &s->kept;

    if (old != NULL) {
        s->kept = old->next;
        answer_free(old);
    }
    a->next = s->kept;
    s->kept = a;
    s->answer = a;
    for (int n = 0; *place != NULL && n < KEPT_MAX; n++)
        place = &(*place)->next;
    while (*place != NULL) {
        old = *place;
        *place = old->next;
        answer_free(old);
    }
}

/* ---- two models: cells of layers and roles ---- */

static bool put_tensors(struct layers_answer *a)
{
    struct wb_delta_list *l = &a->list;
    size_t n = l->count + l->only_as + l->only_bs + l->mismatches;

    a->tensor = wb_arena_calloc(&l->arena, n + 1, sizeof *a->tensor);
    if (a->tensor == NULL)
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (l->tensor[i].numbers && !l->tensor[i].alias)
            a->tensor[a->tensors++] = (struct layers_tensor){ .entry = l->tensor[i].b,
                                                              .kind = LAYERS_BOTH,
                                                              .sum = l->tensor[i].sum };
    for (size_t i = 0; i < l->mismatches; i++)
        a->tensor[a->tensors++] =
            (struct layers_tensor){ .entry = l->mismatched[i], .kind = LAYERS_RESHAPED };
    for (size_t i = 0; i < l->only_as; i++)
        a->tensor[a->tensors++] =
            (struct layers_tensor){ .entry = l->only_a[i], .kind = LAYERS_ONLY_A };
    for (size_t i = 0; i < l->only_bs; i++)
        a->tensor[a->tensors++] =
            (struct layers_tensor){ .entry = l->only_b[i], .kind = LAYERS_ONLY_B };
    return true;
}

static bool place_tensors(struct layers_answer *a, struct wb_err *err)
{
    struct wb_arena *arena = &a->list.arena;
    const struct wb_entry **entry;
    size_t cells;

    if (!put_tensors(a) || (entry = wb_arena_calloc(arena, a->tensors + 1, sizeof *entry)) == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory to compare models");
    for (size_t i = 0; i < a->tensors; i++)
        entry[i] = a->tensor[i].entry;
    if (!wb_places_of(entry, a->tensors, arena, &a->places, err))
        return false;
    cells = a->places.rows * a->places.columns;
    a->cell = wb_arena_calloc(arena, cells + 1, sizeof *a->cell);
    a->cell_both = wb_arena_calloc(arena, cells + 1, sizeof *a->cell_both);
    a->cell_all = wb_arena_calloc(arena, cells + 1, sizeof *a->cell_all);
    if (a->cell == NULL || a->cell_both == NULL || a->cell_all == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory to compare models");
    for (size_t i = 0; i < a->tensors; i++) {
        size_t at = a->places.at[i].row * a->places.columns + a->places.at[i].column;

        a->cell_all[at]++;
        if (a->tensor[i].kind != LAYERS_BOTH)
            continue;
        a->cell_both[at]++;
        wb_delta_add(&a->cell[at], &a->tensor[i].sum);
    }
    return true;
}

/* ---- the task ---- */

static void work_free(void *ctx)
{
    struct layers_work *w = ctx;

    answer_free(w->answer);
    free(w);
}

static bool run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct layers_work *w = ctx;
    struct layers_answer *a = w->answer;

    w->how.cancel = wb_task_cancel_flag(task);
    w->how.progress = &w->progress;
    switch (a->key.mode) {
    case LAYERS_WITHIN:
        return wb_similarity_layers(&w->how, a->model[0], a->base, NULL, &a->pairwise, err);
    case LAYERS_MODELS:
        return wb_similarity_models(&w->how, a->model, a->key.models, a->base, NULL, &a->pairwise,
                                    err);
    default:
        return wb_delta_compare(&w->how, a->model[0], a->model[1], a->base, NULL, &a->list, err) &&
               place_tensors(a, err);
    }
}

static void start(struct wb_view *v, bool sample)
{
    struct layers *s = v->state;
    struct layers_work *w = calloc(1, sizeof *w);

    s->err.code = WB_OK;
    if (w == NULL || (w->answer = calloc(1, sizeof *w->answer)) == NULL) {
        free(w);
        wb_fail(&s->err, WB_ENOMEM, "no memory to compare models");
        return;
    }
    w->answer->key = s->key;
    w->answer->grade = sample ? LAYERS_SAMPLED : LAYERS_EXACT;
    for (size_t i = 0; i < s->question.models; i++)
        w->answer->model[i] = wb_model_ref(wb_desk_get(v->desk, s->question.model[i])->model);
    if (s->question.base != 0)
        w->answer->base = wb_model_ref(wb_desk_get(v->desk, s->question.base)->model);
    w->how = wb_desk_eval(v->desk, sample);
    s->work = w;
    s->task = sample ? wb_task_start_urgent(v->desk->tasks, "compare", run, w, work_free, &s->err)
                     : wb_task_start(v->desk->tasks, "compare", run, w, work_free, &s->err);
}

/* What the exact answer costs, in bytes read with one product for each weight. */
static double cost(const struct layers_answer *a)
{
    double bytes = a->base == NULL ? 0 : (double)wb_model_bytes(a->base), products = 1;

    for (size_t i = 0; i < a->key.models; i++)
        bytes += (double)wb_model_bytes(a->model[i]);
    if (a->key.mode != LAYERS_PAIR) /* some products of one weight cost no more than reading it */
        products = fmax(1, (double)a->pairwise.items / 8);
    return bytes * products;
}

static bool exact_due(const struct layers *s)
{
    return s->answer != NULL && s->answer->grade == LAYERS_SAMPLED && !s->stopped &&
           (s->want_exact || cost(s->answer) <= EXACT_BYTES_MAX);
}

/* ---- the record ---- */

static const char *name_of(const struct wb_view *v, uint64_t id)
{
    const struct wb_desk_model *m = wb_desk_get(v->desk, id);

    return m == NULL ? NULL : m->name;
}

/* There is no call for the layers of one model: a comment says that they were looked at. */
static void record_within(struct wb_view *v, const char *name, const char *base)
{
    struct wb_str text = { 0 };

    wb_str_printf(&text, "looked at the layers of %s against each other", name);
    if (base != NULL)
        wb_str_printf(&text, ", what they changed in %s", base);
    if (!text.failed)
        wb_record_comment(v->desk->record, text.text);
    wb_str_free(&text);
}

static void record(struct wb_view *v)
{
    const struct layers *s = v->state;
    const struct layers_question *q = &s->question;
    const char *base = q->base == 0 ? NULL : name_of(v, q->base), *name[LAYERS_MODELS_MAX];
    bool sample = s->answer->grade == LAYERS_SAMPLED;

    if (q->models == 0)
        return;
    for (size_t i = 0; i < q->models; i++)
        if ((name[i] = name_of(v, q->model[i])) == NULL)
            return;
    if (q->mode == LAYERS_WITHIN)
        record_within(v, name[0], base);
    for (size_t i = 0; i < q->models; i++)
        for (size_t k = i + 1; k < q->models; k++)
            wb_record_compare(v->desk->record, name[i], name[k], base, NULL, sample);
}

/* ---- the question ---- */

/* What a model on the desk comes from, when that is there too; 0: nothing known. */
static uint64_t base_of(const struct wb_desk *desk, uint64_t id)
{
    const struct wb_desk_model *m = wb_desk_get(desk, id);
    struct wb_model **all = calloc(desk->models + 1, sizeof *all);
    int base = -1;

    for (size_t i = 0; all != NULL && i < desk->models; i++)
        all[i] = desk->model[i]->model;
    if (all != NULL && m != NULL && m->model != NULL)
        base = wb_relation_base(m->model, all, desk->models);
    free(all);
    return base < 0 || desk->model[base] == m ? 0 : desk->model[base]->id;
}

/* The current model against the other; the base must be a third one that both come from. */
static uint64_t ask_pair(const struct wb_desk *desk, struct layers_question *q)
{
    const struct wb_desk_model *b = wb_desk_current(desk), *a = wb_desk_other(desk);
    uint64_t base;

    if (a == NULL || b == NULL)
        return 0;
    q->model[0] = a->id;
    q->model[1] = b->id;
    q->models = 2;
    base = base_of(desk, b->id);
    return base == a->id || base_of(desk, a->id) != base ? 0 : base;
}

static uint64_t ask_within(const struct wb_desk *desk, struct layers_question *q)
{
    const struct wb_desk_model *m = wb_desk_current(desk);

    if (m == NULL)
        return 0;
    q->model[0] = m->id;
    q->models = 1;
    return base_of(desk, m->id);
}

/* The marked models, or all without two marks. */
static void put_models(const struct wb_desk *desk, struct layers_question *q)
{
    size_t marked = 0;

    for (size_t i = 0; i < desk->models; i++)
        marked += desk->model[i]->marked && desk->model[i]->model != NULL;
    for (size_t i = 0; i < desk->models; i++) {
        if (desk->model[i]->model == NULL || (marked >= 2 && !desk->model[i]->marked))
            continue;
        if (q->models < LAYERS_MODELS_MAX)
            q->model[q->models++] = desk->model[i]->id;
        else
            q->left_out++;
    }
}

static void take_out(struct layers_question *q, uint64_t id)
{
    size_t n = 0;

    for (size_t i = 0; i < q->models; i++)
        if (q->model[i] != id)
            q->model[n++] = q->model[i];
    q->models = n;
}

/* The base has changed nothing against itself: with deltas it is not one of the models. */
static uint64_t ask_models(const struct wb_desk *desk, bool deltas, struct layers_question *q)
{
    uint64_t base = 0;
    size_t others = 0;

    put_models(desk, q);
    for (size_t i = 0; i < q->models && base == 0; i++)
        base = base_of(desk, q->model[i]);
    for (size_t i = 0; i < q->models; i++)
        others += q->model[i] != base;
    if (others < 2)
        base = 0;
    if (deltas && base != 0)
        take_out(q, base);
    if (q->models < 2)
        q->models = 0;
    return base;
}

static void put_question(struct wb_view *v, struct layers_question *q)
{
    struct layers *s = v->state;

    if (!s->mode_chosen)
        s->mode = wb_desk_current(v->desk) != NULL && wb_desk_other(v->desk) == NULL ? LAYERS_WITHIN
                                                                                     : LAYERS_PAIR;
    *q = (struct layers_question){ .mode = s->mode };
    if (s->mode == LAYERS_PAIR)
        s->base = ask_pair(v->desk, q);
    else if (s->mode == LAYERS_WITHIN)
        s->base = ask_within(v->desk, q);
    else
        s->base = ask_models(v->desk, s->deltas, q);
    q->base = s->deltas ? s->base : 0;
}

static void put_key(const struct wb_view *v, const struct layers_question *q,
                    struct layers_key *key)
{
    *key = (struct layers_key){ .mode = q->mode, .models = q->models, .based = q->base != 0 };
    for (size_t i = 0; i < q->models; i++)
        key->model[i] = wb_model_hash(wb_desk_get(v->desk, q->model[i])->model);
    if (key->based)
        key->base = wb_model_hash(wb_desk_get(v->desk, q->base)->model);
}

static void leave(struct wb_view *v)
{
    struct layers *s = v->state;

    if (s->task != NULL && s->answer != NULL) /* the sample stays what was seen */
        record(v);
    wb_task_drop(s->task);
    s->task = NULL;
    s->err.code = WB_OK;
    s->stopped = s->want_exact = false;
}

void wb_layers_ask(struct wb_view *v)
{
    struct layers *s = v->state;
    struct layers_question question;
    struct layers_key key;

    put_question(v, &question);
    put_key(v, &question, &key);
    if (same_key(&key, &s->key)) {
        s->question = question;
    } else {
        leave(v);
        s->question = question;
        s->key = key;
        s->answer = find_kept(s);
        if (s->answer == NULL && question.models > 0)
            start(v, true);
        else if (exact_due(s))
            start(v, false);
    }
    wb_layers_make_map(v);
}

/* ---- polling ---- */

bool wb_layers_poll_answers(struct wb_view *v)
{
    struct layers *s = v->state;
    enum wb_task_state state;

    if (s->task == NULL)
        return false;
    state = wb_task_poll(s->task, &s->err);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return false;
    if (state == WB_TASK_DONE) {
        s->err.code = WB_OK;
        keep(s, s->work->answer);
        s->work->answer = NULL;
    } else if (state == WB_TASK_CANCELLED) {
        s->err.code = WB_OK;
        s->stopped = true;
    } else {
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", s->err.msg);
    }
    wb_task_drop(s->task);
    s->task = NULL;
    if (state == WB_TASK_DONE && exact_due(s))
        start(v, false);
    else if (s->answer != NULL) /* what there is will not become better by itself */
        record(v);
    wb_layers_make_map(v);
    return true;
}

static bool on_desk(const struct wb_hash *open, size_t opens, struct wb_hash hash)
{
    for (size_t i = 0; i < opens; i++)
        if (wb_hash_equal(open[i], hash))
            return true;
    return false;
}

static bool stands(const struct wb_view *v, uint64_t id)
{
    const struct wb_desk_model *m = wb_desk_get(v->desk, id);

    return m != NULL && m->model != NULL;
}

/* Is the question about models that are all there? */
static bool question_stands(const struct wb_view *v)
{
    const struct layers_question *q = &((const struct layers *)v->state)->question;
    bool all = q->base == 0 || stands(v, q->base);

    for (size_t i = 0; i < q->models; i++)
        all = all && stands(v, q->model[i]);
    return all;
}

static bool about_open(const struct layers_answer *a, const struct wb_hash *open, size_t opens)
{
    bool all = !a->key.based || on_desk(open, opens, a->key.base);

    for (size_t i = 0; i < a->key.models; i++)
        all = all && on_desk(open, opens, a->key.model[i]);
    return all;
}

static void forget_question(struct wb_view *v)
{
    struct layers *s = v->state;

    wb_task_drop(s->task);
    s->task = NULL;
    s->answer = NULL;
    s->question = (struct layers_question){ .mode = s->mode };
    s->key = (struct layers_key){ .mode = LAYERS_PAIR };
    wb_layers_make_map(v);
}

void wb_layers_forget_closed(struct wb_view *v)
{
    struct layers *s = v->state;
    struct wb_hash *open = calloc(v->desk->models + 1, sizeof *open);
    struct layers_answer **place = &s->kept;
    size_t opens = 0;

    if (!question_stands(v))
        forget_question(v);
    for (size_t i = 0; open != NULL && i < v->desk->models; i++)
        if (v->desk->model[i]->model != NULL)
            open[opens++] = wb_model_hash(v->desk->model[i]->model);
    while (open != NULL && *place != NULL) {
        struct layers_answer *a = *place;

        if (about_open(a, open, opens)) {
            place = &a->next;
            continue;
        }
        if (s->answer == a)
            forget_question(v);
        *place = a->next;
        answer_free(a);
    }
    free(open);
}

void wb_layers_stop(struct wb_view *v)
{
    struct layers *s = v->state;

    if (s->task != NULL)
        wb_task_cancel(s->task);
}

void wb_layers_want_exact(struct wb_view *v)
{
    struct layers *s = v->state;

    if (s->question.models == 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is nothing to compare yet");
        return;
    }
    if (s->answer != NULL && s->answer->grade == LAYERS_EXACT) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "these figures are exact already");
        return;
    }
    s->stopped = false;
    s->want_exact = true;
    if (s->task == NULL)
        start(v, s->answer == NULL);
}

double wb_layers_done(const struct layers *s)
{
    uint64_t done, total;

    if (s->task == NULL)
        return NAN;
    done = atomic_load(&s->work->progress.bytes_done);
    total = atomic_load(&s->work->progress.bytes_total);
    return total == 0 ? 0 : fmin(1, (double)done / (double)total);
}

void wb_layers_free_answers(struct layers *s)
{
    wb_task_drop(s->task);
    while (s->kept != NULL) {
        struct layers_answer *a = s->kept;

        s->kept = a->next;
        answer_free(a);
    }
}
