/* views/states_pane.c - see states_pane.h: the work, and what is asked. Drawing: states_draw.c. */
#include "views/states_pane.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/csv.h"
#include "lua/bind/record.h"
#include "views/heat_svg.h"
#include "views/states_draw.h"

#define KEPT_MAX 12
#define CKA_ROWS 4096 /* positions that CKA is of */

/* ---- answers ---- */

static void answer_clear(struct states_answer *a)
{
    for (int m = 0; m < STATES_METRICS; m++)
        free(a->matrix[m]);
    free(a->influence);
    free(a->relative_step);
    memset(a->matrix, 0, sizeof a->matrix);
    a->influence = a->relative_step = NULL;
}

static bool put(double **to, const double *from, size_t n)
{
    if (from == NULL)
        return true;
    if (*to == NULL)
        *to = malloc((n + 1) * sizeof **to);
    if (*to != NULL)
        memcpy(*to, from, n * sizeof **to);
    return *to != NULL;
}

static bool put_numbers(struct states_answer *to, int layers, double *const matrix[STATES_METRICS],
                        const double *influence, const double *relative_step)
{
    size_t n = (size_t)layers + 1;
    bool ok =
        put(&to->influence, influence, n - 1) && put(&to->relative_step, relative_step, n - 1);

    for (int m = 0; ok && m < STATES_METRICS; m++)
        ok = put(&to->matrix[m], matrix[m], n * n);
    to->layers = ok ? layers : 0;
    return ok;
}

static struct states_answer *find(const struct states_pane *p, int which)
{
    for (struct states_answer *a = p->kept; a != NULL; a = a->next)
        if (wb_hash_equal(a->model, p->model[which]) &&
            wb_subject_same(&a->choice, &p->choice[which]))
            return a;
    return NULL;
}

const struct states_answer *wb_states_answer(const struct states_pane *p, int which)
{
    const struct states_answer *a = p->id[which] == 0 ? NULL : find(p, which);

    return a == NULL || a->layers == 0 ? NULL : a;
}

static struct states_answer *new_answer(struct states_pane *p, int which)
{
    struct states_answer *a = calloc(1, sizeof *a), **place = &p->kept;

    if (a == NULL)
        return NULL;
    a->model = p->model[which];
    a->choice = p->choice[which];
    a->next = p->kept;
    p->kept = a;
    for (int n = 0; *place != NULL && n < KEPT_MAX; n++)
        place = &(*place)->next;
    while (*place != NULL) {
        struct states_answer *old = *place;

        *place = old->next;
        answer_clear(old);
        free(old);
    }
    return a;
}

/* ---- the task ---- */

struct reporting {
    struct states_work *work;
    struct wb_task *task;
};

static void work_free(void *ctx)
{
    struct states_work *w = ctx;

    wb_model_unref(w->model);
    answer_clear(&w->so_far);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static bool take_states(struct states_work *w, const struct wb_states *s)
{
    bool ok;

    pthread_mutex_lock(&w->lock);
    ok = put_numbers(&w->so_far, s->layers, s->matrix, s->influence, s->relative_step);
    w->so_far.rows = s->rows;
    w->so_far.nonfinite_rows = s->nonfinite_rows;
    w->version++;
    pthread_mutex_unlock(&w->lock);
    return ok;
}

static bool report(void *ctx, const struct wb_states *so_far)
{
    struct reporting *r = ctx;

    take_states(r->work, so_far);
    wb_task_report(r->task);
    return !wb_task_cancelled(r->task);
}

static bool run(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct states_work *w = ctx;
    struct reporting r = { w, task };
    struct wb_states states;
    struct wb_subject s;
    bool ok;

    w->how.cancel = wb_task_cancel_flag(task);
    ok = wb_subject_open(&s, w->model, &w->so_far.choice, &w->how, err);
    if (ok) {
        pthread_mutex_lock(&w->lock);
        w->so_far.positions = s.positions;
        w->so_far.images = s.images;
        pthread_mutex_unlock(&w->lock);
        ok = wb_states_run(s.net, &s.rows, CKA_ROWS, report, &r, &states, err);
    }
    if (ok) {
        ok = take_states(w, &states) || wb_fail(err, WB_ENOMEM, "no memory for states");
        wb_states_free(&states);
    }
    wb_subject_close(&s);
    return ok;
}

static void start(struct wb_view *v, struct states_pane *p, int which)
{
    struct states_work *w = calloc(1, sizeof *w);

    p->err[which].code = WB_OK;
    if (w == NULL) {
        wb_fail(&p->err[which], WB_ENOMEM, "no memory to look at states");
        return;
    }
    pthread_mutex_init(&w->lock, NULL);
    w->model = wb_model_ref(wb_desk_get(v->desk, p->id[which])->model);
    w->how = wb_desk_eval(v->desk, false);
    w->so_far.choice = p->choice[which];
    p->taken = 0;
    p->at_work = which;
    p->work = w;
    p->task = wb_task_start(v->desk->tasks, "states", run, w, work_free, &p->err[which]);
}

static void leave(struct states_pane *p)
{
    wb_task_drop(p->task);
    p->task = NULL;
    p->work = NULL;
}

/* The first of the two that is not known, and could be. */
static void start_missing(struct wb_view *v, struct states_pane *p)
{
    int models = p->show == STATES_ONE ? 1 : 2;

    for (int i = 0; p->task == NULL && !p->stopped && i < models; i++) {
        const struct states_answer *a = p->id[i] == 0 ? NULL : find(p, i);

        if (p->id[i] != 0 && (a == NULL || !a->done) && p->err[i].code == WB_OK)
            start(v, p, i);
    }
}

/* ---- the question ---- */

static void ask_one(struct wb_view *v, struct states_pane *p, int which,
                    const struct wb_desk_model *m)
{
    struct wb_subject_choice choice = { 0 };
    struct wb_hash hash = { 0 };

    if (m != NULL && m->model != NULL) {
        wb_subject_choose(v->desk, m->model, &choice);
        hash = wb_model_hash(m->model);
    }
    p->id[which] = m == NULL || m->model == NULL ? 0 : m->id;
    if (wb_hash_equal(hash, p->model[which]) && wb_subject_same(&choice, &p->choice[which]))
        return;
    if (p->task != NULL && p->at_work == which)
        leave(p);
    p->model[which] = hash;
    p->choice[which] = choice;
    p->err[which].code = WB_OK;
    p->stopped = false;
}

void wb_states_pane_ask(struct wb_view *v, struct states_pane *p)
{
    ask_one(v, p, 0, wb_desk_current(v->desk));
    ask_one(v, p, 1, wb_desk_other(v->desk));
    if (p->id[1] == p->id[0])
        p->id[1] = 0;
    if (p->id[1] == 0)
        p->show = STATES_ONE;
    start_missing(v, p);
    wb_states_pane_prepare(p);
}

/* ---- polling ---- */

static bool take(struct states_pane *p)
{
    struct states_work *w = p->work;
    struct states_answer *a;
    bool fresh;

    pthread_mutex_lock(&w->lock);
    fresh = w->version != p->taken && w->so_far.layers > 0;
    if (fresh) {
        p->taken = w->version;
        a = find(p, p->at_work);
        if (a == NULL)
            a = new_answer(p, p->at_work);
        if (a != NULL) {
            put_numbers(a, w->so_far.layers, w->so_far.matrix, w->so_far.influence,
                        w->so_far.relative_step);
            a->rows = w->so_far.rows;
            a->positions = w->so_far.positions;
            a->images = w->so_far.images;
            a->nonfinite_rows = w->so_far.nonfinite_rows;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return fresh;
}

static void record(struct wb_view *v, const struct states_pane *p, int which)
{
    const struct wb_desk_model *m = wb_desk_get(v->desk, p->id[which]);
    struct wb_str text = { 0 };

    if (m == NULL)
        return;
    wb_str_printf(&text, "looked at the states of %s: wb.inspect(\"states\", %s, {text = \"%s\"})",
                  m->name, m->name, p->choice[which].text);
    if (!text.failed)
        wb_record_comment(v->desk->record, text.text);
    wb_str_free(&text);
}

bool wb_states_pane_poll(struct wb_view *v, struct states_pane *p)
{
    struct states_answer *a;
    enum wb_task_state state;
    struct wb_err err = { 0 };

    if (p->task == NULL)
        return false;
    state = wb_task_poll(p->task, &err);
    if (take(p))
        wb_states_pane_prepare(p);
    if (state == WB_TASK_WAITING || state == WB_TASK_RUNNING)
        return true;
    leave(p);
    a = find(p, p->at_work);
    if (state == WB_TASK_DONE && a != NULL) {
        a->done = true;
        record(v, p, p->at_work);
    } else if (state == WB_TASK_CANCELLED) {
        p->stopped = true;
    } else {
        p->err[p->at_work] = err;
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
    }
    start_missing(v, p);
    wb_states_pane_prepare(p);
    return true;
}

/* ---- acting ---- */

bool wb_states_pane_set_metric(struct wb_view *v, struct states_pane *p, const char *name)
{
    (void)v;
    for (int m = 0; m < STATES_METRICS; m++)
        if (strcmp(name, wb_states_metric_name(m)) == 0) {
            p->metric = m;
            wb_states_pane_prepare(p);
            return true;
        }
    return false;
}

static void next_show(struct wb_view *v, struct states_pane *p)
{
    if (p->id[1] == 0) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE,
                    "there is no other model to compare with; :open "
                    "PATH opens one");
        return;
    }
    p->show = (enum states_show)((p->show + 1) % STATES_SHOWS);
    wb_states_pane_ask(v, p);
}

static void copy(struct wb_view *v, const struct states_pane *p)
{
    const struct wb_heat *h = &p->heat[0];
    char number[40];

    if (h->rows == 0 || isnan(h->value[h->row * h->cols + h->col])) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no number to copy");
        return;
    }
    snprintf(number, sizeof number, "%.9g", (double)h->value[h->row * h->cols + h->col]);
    wb_desk_copy(v->desk, number);
}

bool wb_states_pane_act(struct wb_view *v, struct states_pane *p, enum wb_action action, int count)
{
    struct states_parts parts = wb_states_layout(p, v->rows, v->cols);

    switch (action) {
    case WB_ACTION_METRIC:
        p->metric = (p->metric + 1) % STATES_METRICS;
        wb_states_pane_prepare(p);
        return true;
    case WB_ACTION_DELTAS:
        next_show(v, p);
        return true;
    case WB_ACTION_COPY:
        copy(v, p);
        return true;
    case WB_ACTION_CANCEL:
        if (p->task != NULL)
            wb_task_cancel(p->task);
        return true;
    case WB_ACTION_EXACT:
        p->stopped = false;
        p->err[0].code = p->err[1].code = WB_OK;
        wb_states_pane_ask(v, p);
        return true;
    default:
        break;
    }
    if (p->heat[0].rows == 0 || !wb_heat_act(&p->heat[0], action, count, v->desk->theme,
                                             parts.map[0].rows - 2, parts.map[0].cols))
        return false;
    wb_states_pane_follow(p);
    return true;
}

void wb_states_pane_mouse(struct wb_view *v, struct states_pane *p, const struct wb_mouse *event)
{
    struct states_parts parts = wb_states_layout(p, v->rows, v->cols);
    int which = parts.map[1].rows > 0 && event->col >= parts.map[1].col ? 1 : 0;
    struct wb_rect map = wb_rect_below(parts.map[which], 2);
    struct wb_mouse at;

    if (p->heat[0].rows == 0 || !wb_rect_hit(&map, event, &at) ||
        !wb_heat_mouse(&p->heat[which], at, v->desk->theme, map.rows, map.cols))
        return;
    p->heat[0].row = p->heat[which].row;
    p->heat[0].col = p->heat[which].col;
    wb_states_pane_follow(p);
}

bool wb_states_pane_has_map(const struct states_pane *p)
{
    return p->heat[0].rows > 0;
}

void wb_states_pane_name(const struct wb_view *v, const struct states_pane *p, char *out,
                         size_t size)
{
    const struct wb_desk_model *a = wb_desk_get(v->desk, p->id[0]),
                               *b = wb_desk_get(v->desk, p->id[1]);

    snprintf(out, size, "%s%s%s-states-%s.svg", a == NULL ? "model" : a->name,
             p->show == STATES_DIFFERENCE ? "-less-" : "",
             p->show == STATES_DIFFERENCE && b != NULL ? b->name : "",
             wb_states_metric_name(p->metric));
}

void wb_states_pane_export(const struct wb_view *v, const struct states_pane *p, bool csv,
                           struct wb_str *out)
{
    const struct wb_heat *h = &p->heat[0];
    size_t n = (size_t)h->rows;
    double *number = calloc(n * n + 1, sizeof *number);
    char title[300];

    if (number == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < n * n; i++)
        number[i] = (double)h->value[i];
    wb_states_pane_title(v, p, 0, title, sizeof title);
    if (csv)
        wb_csv_grid(out, "state", (const char **)h->row_axis.label, n,
                    (const char **)h->col_axis.label, n, number);
    else
        wb_heat_svg(&(struct wb_heat_picture){ .heat = h,
                                               .colormap = v->desk->theme == NULL
                                                               ? WB_COLORMAP_VIRIDIS
                                                               : v->desk->theme->colormap,
                                               .title = title,
                                               .row_title = "state",
                                               .col_title = "state" },
                    out);
    free(number);
}

void wb_states_pane_free(struct states_pane *p)
{
    leave(p);
    while (p->kept != NULL) {
        struct states_answer *a = p->kept;

        p->kept = a->next;
        answer_clear(a);
        free(a);
    }
    free(p->value[0]);
    free(p->value[1]);
}
