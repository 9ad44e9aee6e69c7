/* views/heads_answers.c - statistics of heads: worked out part by part on a task, kept by model and
 * text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/bind/record.h"
#include "views/view_heads.h"

#define KEPT_MAX 12

/* ---- statistics ---- */

enum heads_part wb_headview_part_of(int stat)
{
    const struct wb_head_stat_info *info;

    if (stat == HEADS_ABLATION_STAT)
        return HEADS_ABLATION;
    info = wb_head_stat_info((enum wb_head_stat)stat);
    if (info->weights)
        return info->pairs ? HEADS_COMPOSITION : HEADS_WEIGHTS;
    if (stat == WB_HEAD_duplicate || stat == WB_HEAD_induction)
        return HEADS_REPEATED;
    return stat == WB_HEAD_retrieval ? HEADS_RETRIEVAL : HEADS_TEXT;
}

const char *wb_headview_stat_name(int stat)
{
    return stat == HEADS_ABLATION_STAT ? "ablation"
                                       : wb_head_stat_info((enum wb_head_stat)stat)->name;
}

const char *wb_headview_stat_doc(int stat)
{
    return stat == HEADS_ABLATION_STAT ? "rise of the mean NLL of the text without the head"
                                       : wb_head_stat_info((enum wb_head_stat)stat)->doc;
}

const double *wb_headview_grid(const struct heads *s, int stat)
{
    return s->answer == NULL ? NULL : s->answer->stat[stat];
}

double wb_headview_number(const struct heads *s, int stat, int layer, int head)
{
    const double *grid = wb_headview_grid(s, stat);

    return grid == NULL ? (double)NAN : grid[layer * s->answer->heads + head];
}

const char *wb_headview_roles(const struct heads *s, int layer, int head, char *out, size_t size)
{
    static const char *const words[] = { "previous", "induction", "sink",
                                         "local",    "retrieval", "dead" };
    struct wb_heads h = { .layers = s->answer->layers, .heads = s->answer->heads };
    unsigned roles;
    int n = 0;

    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        h.stat[i] = s->answer->stat[i];
    roles = wb_heads_role(&h, layer, head);
    out[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((roles >> i & 1) != 0 && n >= 0 && (size_t)n < size)
            n += snprintf(out + n, size - (size_t)n, "%s%s", n > 0 ? " " : "", words[i]);
    return out;
}

/* ---- answers ---- */

static void answer_clear(struct heads_answer *a)
{
    for (int i = 0; i < HEADS_STATS; i++)
        free(a->stat[i]);
    memset(a->stat, 0, sizeof a->stat);
}

static void answer_free(struct heads_answer *a)
{
    if (a == NULL)
        return;
    answer_clear(a);
    free(a);
}

/* Copy a grid into place, which is made when there is none. */
static bool put_grid(double **to, const double *from, size_t n)
{
    if (*to == NULL)
        *to = malloc((n + 1) * sizeof **to);
    if (*to != NULL)
        memcpy(*to, from, n * sizeof **to);
    return *to != NULL;
}

/* What a run gave so far. */
static bool put_heads(struct heads_answer *to, const struct wb_heads *from)
{
    size_t n = (size_t)from->layers * (size_t)from->heads;
    bool ok = true;

    to->layers = from->layers;
    to->heads = from->heads;
    to->nonfinite = to->nonfinite || from->nonfinite;
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        if (from->stat[i] != NULL)
            ok = put_grid(&to->stat[i], from->stat[i], n) && ok;
    return ok;
}

static bool put_answer(struct heads_answer *to, const struct heads_answer *from)
{
    size_t n = (size_t)from->layers * (size_t)from->heads;
    bool ok = true;

    to->layers = from->layers;
    to->heads = from->heads;
    to->nonfinite = from->nonfinite;
    to->images = from->images;
    to->positions = from->positions;
    to->done |= from->done;
    to->failed = (to->failed & ~from->done) | from->failed;
    memcpy(to->why, from->why, sizeof to->why);
    for (int i = 0; i < HEADS_STATS; i++)
        if (from->stat[i] != NULL)
            ok = put_grid(&to->stat[i], from->stat[i], n) && ok;
    return ok;
}

/* The answer to what is asked, at the front of the list; NULL: there is none. */
static struct heads_answer *find_kept(struct heads *s)
{
    for (struct heads_answer **place = &s->kept; *place != NULL; place = &(*place)->next) {
        struct heads_answer *a = *place;

        if (!wb_hash_equal(a->model, s->model) || !wb_subject_same(&a->choice, &s->choice))
            continue;
        *place = a->next;
        a->next = s->kept;
        s->kept = a;
        return a;
    }
    return NULL;
}

static struct heads_answer *new_answer(struct heads *s)
{
    struct heads_answer *a = calloc(1, sizeof *a), **place = &s->kept;

    if (a == NULL)
        return NULL;
    a->model = s->model;
    a->choice = s->choice;
    a->next = s->kept;
    s->kept = a;
    for (int n = 0; *place != NULL && n < KEPT_MAX; n++)
        place = &(*place)->next;
    while (*place != NULL) {
        struct heads_answer *old = *place;

        *place = old->next;
        answer_free(old);
    }
    return a;
}

/* ---- the task ---- */

static void work_free(void *ctx)
{
    struct heads_work *w = ctx;

    wb_model_unref(w->model);
    answer_clear(&w->so_far);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

struct part_run {
    struct heads_work *work;
    struct wb_task *task;
    size_t heads; /* of ablation: all there are */
};

static bool report(void *ctx, const struct wb_heads *so_far)
{
    struct part_run *r = ctx;
    struct heads_work *w = r->work;

    pthread_mutex_lock(&w->lock);
    put_heads(&w->so_far, so_far);
    if (w->part == HEADS_TEXT && w->so_far.positions > 0)
        w->share = (double)so_far->rows / (double)w->so_far.positions;
    w->version++;
    pthread_mutex_unlock(&w->lock);
    wb_task_report(r->task);
    return !wb_task_cancelled(r->task);
}

static bool report_ablation(void *ctx, const double *so_far, size_t done)
{
    struct part_run *r = ctx;
    struct heads_work *w = r->work;

    (void)so_far;
    pthread_mutex_lock(&w->lock);
    w->share = (double)done / (double)r->heads;
    pthread_mutex_unlock(&w->lock);
    wb_task_report(r->task);
    return !wb_task_cancelled(r->task);
}

static bool ablate(struct part_run *r, struct wb_subject *s, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(s->net);
    double *out;
    bool ok;

    r->heads = (size_t)spec->layers * (size_t)spec->heads;
    out = malloc((r->heads + 1) * sizeof *out);
    if (out == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu heads", r->heads);
    ok = wb_heads_ablate(s->net, &s->rows, report_ablation, r, out, err);
    pthread_mutex_lock(&r->work->lock);
    ok = ok && (put_grid(&r->work->so_far.stat[HEADS_ABLATION_STAT], out, r->heads) ||
                wb_fail(err, WB_ENOMEM, "no memory for %zu heads", r->heads));
    pthread_mutex_unlock(&r->work->lock);
    free(out);
    return ok;
}

static bool run_part(struct part_run *r, struct wb_subject *s, enum heads_part part,
                     struct wb_err *err)
{
    struct wb_heads_how how = { .text = part == HEADS_TEXT,
                                .weights = part == HEADS_WEIGHTS,
                                .repeated = part == HEADS_REPEATED,
                                .retrieval = part == HEADS_RETRIEVAL,
                                .composition = part == HEADS_COMPOSITION,
                                .seed = 1,
                                .report = report,
                                .ctx = r };
    struct wb_heads h;
    bool ok;

    if (part == HEADS_ABLATION)
        return ablate(r, s, err);
    if (!wb_heads_run(s->net, &s->rows, &how, &h, err))
        return false;
    pthread_mutex_lock(&r->work->lock);
    ok = put_heads(&r->work->so_far, &h);
    pthread_mutex_unlock(&r->work->lock);
    wb_heads_free(&h);
    return ok || wb_fail(err, WB_ENOMEM, "no memory for statistics of heads");
}

/* Which parts a kind of model has: those of random tokens and needles take a text. */
static bool has_part(const struct wb_subject *s, enum heads_part part)
{
    bool decoder = wb_net_spec(s->net)->kind == WB_NET_DECODER;

    return part == HEADS_TEXT || part == HEADS_WEIGHTS || part == HEADS_COMPOSITION ||
           (part == HEADS_REPEATED && !s->images) || decoder;
}

static void begin_part(struct heads_work *w, enum heads_part part)
{
    pthread_mutex_lock(&w->lock);
    w->part = part;
    w->share = (double)NAN;
    w->version++;
    pthread_mutex_unlock(&w->lock);
}

static void end_part(struct heads_work *w, enum heads_part part, bool ok, const struct wb_err *err)
{
    pthread_mutex_lock(&w->lock);
    w->so_far.done |= 1U << part;
    if (!ok) {
        w->so_far.failed |= 1U << part;
        snprintf(w->so_far.why[part], sizeof w->so_far.why[part], "%.190s", err->msg);
    }
    w->version++;
    pthread_mutex_unlock(&w->lock);
}

/* One part after the other; one that cannot be is no reason to leave out the rest. */
static bool run_parts(struct part_run *r, struct wb_subject *s, struct wb_err *err)
{
    struct heads_work *w = r->work;

    pthread_mutex_lock(&w->lock);
    w->so_far.positions = s->positions;
    w->so_far.images = s->images;
    pthread_mutex_unlock(&w->lock);
    for (int part = 0; part < HEADS_PARTS; part++) {
        struct wb_err why = { 0 };
        bool ok;

        if ((w->todo >> part & 1) == 0)
            continue;
        begin_part(w, (enum heads_part)part);
        ok = has_part(s, (enum heads_part)part)
                 ? run_part(r, s, (enum heads_part)part, &why)
                 : wb_fail(&why, WB_EARG, "not of a model that generates no text");
        if (!ok && (why.code == WB_ECANCELLED || wb_task_cancelled(r->task)))
            return wb_fail(err, WB_ECANCELLED, "cancelled");
        end_part(w, (enum heads_part)part, ok, &why);
        wb_task_report(r->task);
    }
    return true;
}

static bool run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct heads_work *w = ctx;
    struct part_run r = { .work = w, .task = task };
    struct wb_subject s;
    bool ok;

    w->how.cancel = wb_task_cancel_flag(task);
    ok = wb_subject_open(&s, w->model, &w->so_far.choice, &w->how, err) && run_parts(&r, &s, err);
    wb_subject_close(&s);
    return ok;
}

static void start(struct wb_view *v, unsigned parts)
{
    struct heads *s = v->state;
    struct heads_work *w = calloc(1, sizeof *w);

    s->err.code = WB_OK;
    s->stopped = false;
    if (w == NULL) {
        wb_fail(&s->err, WB_ENOMEM, "no memory to look at heads");
        return;
    }
    pthread_mutex_init(&w->lock, NULL);
    w->model = wb_model_ref(wb_desk_get(v->desk, s->model_id)->model);
    w->how = wb_desk_eval(v->desk, false);
    w->todo = parts;
    w->share = (double)NAN;
    w->so_far.choice = s->choice;
    s->taken = 0;
    s->work = w;
    s->task = wb_task_start(v->desk->tasks, "heads", run, w, work_free, &s->err);
}

/* ---- the question ---- */

static void leave(struct heads *s)
{
    wb_task_drop(s->task);
    s->task = NULL;
    s->work = NULL;
    s->err.code = WB_OK;
    s->stopped = false;
}

/* Parts that come by themselves and are not there. */
static unsigned missing(const struct heads *s)
{
    return s->answer == NULL ? HEADS_UNASKED : HEADS_UNASKED & ~s->answer->done;
}

void wb_headview_ask(struct wb_view *v)
{
    struct heads *s = v->state;
    struct wb_desk_model *m = wb_desk_current(v->desk);
    struct wb_subject_choice choice = { 0 };
    struct wb_hash hash = { 0 };

    if (m != NULL) {
        wb_subject_choose(v->desk, m->model, &choice);
        hash = wb_model_hash(m->model);
    }
    s->model_id = m == NULL ? 0 : m->id;
    if (wb_hash_equal(hash, s->model) && wb_subject_same(&choice, &s->choice) &&
        (m == NULL || s->answer != NULL || s->task != NULL || s->err.code != WB_OK || s->stopped))
        return;
    leave(s);
    wb_headview_pattern_free(s);
    s->model = hash;
    s->choice = choice;
    s->answer = m == NULL ? NULL : find_kept(s);
    if (s->mode == HEADS_PATTERN)
        s->mode = HEADS_GRID;
    if (m != NULL && missing(s) != 0)
        start(v, missing(s));
    wb_headview_prepare(v);
}

void wb_headview_want(struct wb_view *v, unsigned parts)
{
    struct heads *s = v->state;

    if (s->model_id == 0)
        return;
    parts = (parts | missing(s)) & ~(s->answer == NULL ? 0 : s->answer->done);
    if (s->task != NULL)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "the heads are being looked at still");
    else if (parts == 0)
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "that is there already");
    else
        start(v, parts);
}

/* ---- polling ---- */

static void record(struct wb_view *v)
{
    const struct heads *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    struct wb_str text = { 0 };

    if (m == NULL)
        return;
    wb_str_printf(&text, "looked at the heads of %s: wb.attention(%s%s%s%s)", m->name, m->name,
                  s->choice.text[0] == '\0' ? "" : ", {text = \"", s->choice.text,
                  s->choice.text[0] == '\0' ? "" : "\"}");
    if (!text.failed)
        wb_record_comment(v->desk->record, text.text);
    wb_str_free(&text);
}

/* Copy what the work has come to. */
static bool take(struct heads *s)
{
    struct heads_work *w = s->work;
    bool fresh;

    pthread_mutex_lock(&w->lock);
    fresh = w->version != s->taken && w->so_far.layers > 0;
    if (fresh) {
        s->taken = w->version;
        if (s->answer == NULL)
            s->answer = new_answer(s);
        if (s->answer != NULL)
            put_answer(s->answer, &w->so_far);
    }
    pthread_mutex_unlock(&w->lock);
    return fresh;
}

bool wb_headview_poll(struct wb_view *v)
{
    struct heads *s = v->state;
    enum wb_task_state state;
    bool fresh;

    if (s->task == NULL)
        return false;
    state = wb_task_poll(s->task, &s->err);
    fresh = take(s);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING) {
        if (fresh)
            wb_headview_prepare(v);
        return true; /* its share may have grown */
    }
    if (state == WB_TASK_DONE) {
        s->err.code = WB_OK;
        record(v);
    } else if (state == WB_TASK_CANCELLED) {
        s->err.code = WB_OK;
        s->stopped = true;
    } else {
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", s->err.msg);
    }
    wb_task_drop(s->task);
    s->task = NULL;
    s->work = NULL;
    wb_headview_prepare(v);
    return true;
}

void wb_headview_stop(struct wb_view *v)
{
    struct heads *s = v->state;

    if (s->task != NULL)
        wb_task_cancel(s->task);
    if (s->pattern_task != NULL)
        wb_task_cancel(s->pattern_task);
}

void wb_headview_free_answers(struct heads *s)
{
    leave(s);
    while (s->kept != NULL) {
        struct heads_answer *a = s->kept;

        s->kept = a->next;
        answer_free(a);
    }
    s->answer = NULL;
}
