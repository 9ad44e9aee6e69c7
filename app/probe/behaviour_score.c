/* app/probe/behaviour_score.c - one model on one set: figures of its beginning, and of all of it.
 *
 * All of it goes through the very calls that `eval` makes, on the same slices, so that figures
 * agree to the last bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/behaviour_impl.h"

/* The beginning: sequences of so many rows, but some at least. */
#define SOME_ROWS 768
#define SOME_WINDOWS 3
#define SOME_TASKS 16
#define SOME_IMAGES 64
/* States of a set are kept for comparing when they take no more than this share of the budget. */
#define STATES_SHARE 16

/* Sequences of the beginning. */
static size_t some(const struct wb_behaviour_input *in)
{
    size_t n = in->kind == WB_BEHAVIOUR_TASKS ? SOME_TASKS : SOME_IMAGES;

    if (in->kind == WB_BEHAVIOUR_TEXT)
        for (n = 0; n < in->sequences; n++)
            if (n >= SOME_WINDOWS && in->windows.start[n + 1] > SOME_ROWS)
                break;
    return n < in->sequences ? n : in->sequences;
}

double wb_behaviour_some_rows(const struct wb_behaviour_input *in)
{
    return (double)in->rows * (double)some(in) / (double)in->sequences;
}

static struct wb_rows rows_of(const struct wb_behaviour_input *in)
{
    return in->kind == WB_BEHAVIOUR_TEXT    ? wb_windows_rows(&in->windows)
           : in->kind == WB_BEHAVIOUR_TASKS ? wb_task_rows_packed(&in->task_rows)
                                            : wb_image_set_rows(&in->images);
}

/* Choices in front of sequence i. */
static size_t choices_before(const struct wb_behaviour_input *in, size_t i)
{
    return in->kind == WB_BEHAVIOUR_TEXT    ? wb_score_text_count(&in->windows, 0, i)
           : in->kind == WB_BEHAVIOUR_TASKS ? in->task_rows.answer[i]
                                            : i;
}

/* Work in progress on a set. */
struct scores {
    double *sum;                     /* of windows */
    struct wb_task_outcome *outcome; /* of items */
    int32_t *choice, *target;
    double *nll;
    float *state; /* [choices, hidden] of all, or scratch of a slice */
    bool all;     /* which of both */
    size_t hidden;
};

static bool open_scores(struct scores *p, struct wb_behaviour_run *r, size_t m,
                        const struct wb_behaviour_input *in, bool keep)
{
    size_t hidden = (size_t)r->model[m].spec.hidden;
    uint64_t bytes = (uint64_t)in->choices * hidden * sizeof *p->state;

    *p = (struct scores){ .hidden = hidden };
    p->choice = malloc((in->choices + 1) * sizeof *p->choice);
    if (in->kind == WB_BEHAVIOUR_TEXT) {
        p->all = keep && bytes <= r->budget_bytes / STATES_SHARE;
        p->sum = malloc((in->sequences + 1) * sizeof *p->sum);
        if (p->all)
            p->state = malloc(bytes + 1);
    } else if (in->kind == WB_BEHAVIOUR_TASKS) {
        p->outcome = calloc(in->sequences + 1, sizeof *p->outcome);
    }
    return (p->choice != NULL && (in->kind != WB_BEHAVIOUR_TEXT || p->sum != NULL) &&
            (in->kind != WB_BEHAVIOUR_TASKS || p->outcome != NULL) &&
            (!p->all || p->state != NULL)) ||
           wb_fail(r->err, WB_ENOMEM, "no memory for the scores of %zu tokens", in->choices);
}

static void close_scores(struct scores *p)
{
    free(p->sum);
    free(p->outcome);
    free(p->choice);
    free(p->target);
    free(p->nll);
    free(p->state);
}

static bool score_windows(struct wb_net *net, const struct wb_behaviour_input *in, size_t first,
                          size_t last, struct scores *p, struct wb_err *err)
{
    size_t n = wb_score_text_count(&in->windows, first, last), at = choices_before(in, first);
    float *state = p->state;

    free(p->target);
    free(p->nll);
    p->target = malloc((n + 1) * sizeof *p->target);
    p->nll = malloc((n + 1) * sizeof *p->nll);
    if (p->all) {
        state += at * p->hidden;
    } else {
        free(p->state);
        p->state = state = malloc((n * p->hidden + 1) * sizeof *state);
    }
    if (p->target == NULL || p->nll == NULL || state == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for the states of %zu tokens", n);
    if (!wb_score_text_states(net, &in->windows, first, last, state, p->target, err) ||
        !wb_score_text_rows(net, &in->windows, first, last, state, p->target, p->nll,
                            p->choice + at, err))
        return false;
    wb_score_text_sums(&in->windows, first, last, p->nll, p->sum);
    return true;
}

static bool score_slice(struct wb_behaviour_run *r, size_t m, const struct wb_behaviour_input *in,
                        struct wb_net *net, size_t first, size_t last, struct scores *p)
{
    struct wb_rows rows = rows_of(in);

    wb_memory_count_rows(r->memory,
                         wb_rows_start(net, &rows, last) - wb_rows_start(net, &rows, first));
    switch (in->kind) {
    case WB_BEHAVIOUR_TEXT:
        return score_windows(net, in, first, last, p, r->err);
    case WB_BEHAVIOUR_TASKS:
        return wb_score_task_items(net, wb_behaviour_tokenizer(r, m), &in->tasks, &in->task_rows,
                                   first, last, p->outcome, p->choice, NULL, r->err);
    case WB_BEHAVIOUR_IMAGES:
        return wb_score_image_items(net, &in->images, first, last, p->choice, r->err);
    }
    return false;
}

/* The figure of the first `last` sequences. */
static struct wb_behaviour_known figure(const struct wb_behaviour_input *in, size_t last,
                                        const struct scores *p)
{
    if (in->kind == WB_BEHAVIOUR_TEXT) {
        struct wb_text_score s = wb_score_text_of(&in->windows, last, p->sum);

        return (struct wb_behaviour_known){ s.nll, s.nll_error, s.nonfinite, NULL };
    }
    if (in->kind == WB_BEHAVIOUR_TASKS) {
        struct wb_task_score s = wb_score_tasks_of(p->outcome, last);

        return (struct wb_behaviour_known){ s.exact_match, s.exact_match_error, s.nonfinite, NULL };
    }
    struct wb_image_score s = wb_score_images_of(&in->images, p->choice, last);

    return (struct wb_behaviour_known){ s.accuracy, s.accuracy_error, s.nonfinite, NULL };
}

static struct wb_behaviour_cell cell_of(const struct wb_behaviour_input *in, size_t last,
                                        const struct wb_behaviour_known *known)
{
    bool text = in->kind == WB_BEHAVIOUR_TEXT;

    return (struct wb_behaviour_cell){
        .grade = last == in->sequences ? WB_GRADE_EXACT : WB_GRADE_SAMPLED,
        .value = known->value,
        .error = known->error,
        .done = text ? choices_before(in, last) : last,
        .total = text ? in->choices : in->sequences,
    };
}

static bool flag(struct wb_behaviour_run *r, size_t m, size_t s)
{
    wb_fail(r->err, WB_ENUMERIC, "the model gives values that are not finite");
    wb_behaviour_problem(r, m, s);
    r->model[m].set[s].failed = false;
    return true;
}

static struct wb_net *net_for(struct wb_behaviour_run *r, size_t m,
                              const struct wb_behaviour_input *in)
{
    struct wb_net *net = wb_behaviour_net(r, m);

    if (net != NULL && in->kind == WB_BEHAVIOUR_IMAGES &&
        !wb_image_set_fits(net, &in->images, r->err))
        return NULL;
    return net;
}

static void free_known(void *value)
{
    struct wb_behaviour_known *known = value;

    free(known->choice);
    free(known);
}

/* Scores from an earlier behaviour, or from another model of this one that is the same. */
static bool look_up(struct wb_behaviour_run *r, size_t m, size_t s)
{
    struct wb_behaviour_work *w = &r->model[m].set[s];
    const struct wb_behaviour_input *in = w->input->value;
    const struct wb_behaviour_known *known;
    struct wb_behaviour_cell cell;

    if (w->known == NULL)
        w->known = wb_memory_take(r->memory, wb_memory_key("score", r->model[m].hash, in->hash));
    if (w->known == NULL)
        return false;
    if (w->states == NULL)
        w->states = wb_memory_take(r->memory, wb_memory_key("states", r->model[m].hash, in->hash));
    known = w->known->value;
    cell = cell_of(in, in->sequences, known);
    wb_behaviour_show_cell(r, m, s, &cell);
    return !known->nonfinite || flag(r, m, s);
}

bool wb_behaviour_known_already(struct wb_behaviour_run *r, size_t m, size_t s)
{
    return wb_behaviour_input(r, m, s) != NULL && look_up(r, m, s);
}

static bool keep(struct wb_behaviour_run *r, size_t m, size_t s, struct scores *p)
{
    struct wb_behaviour_work *w = &r->model[m].set[s];
    const struct wb_behaviour_input *in = w->input->value;
    struct wb_behaviour_known *known = malloc(sizeof *known);

    if (known == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for a score");
    *known = figure(in, in->sequences, p);
    known->choice = p->choice;
    p->choice = NULL;
    w->known =
        wb_memory_put(r->memory, wb_memory_key("score", r->model[m].hash, in->hash), known,
                      free_known, sizeof *known + in->choices * sizeof *known->choice, false);
    if (w->known == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for a score");
    if (!p->all)
        return true;
    w->states = wb_memory_put(r->memory, wb_memory_key("states", r->model[m].hash, in->hash),
                              p->state, free, in->choices * p->hidden * sizeof *p->state, false);
    p->state = NULL;
    return w->states != NULL || wb_fail(r->err, WB_ENOMEM, "no memory for states");
}

/* A first slice of all of it is shown once it says more than the beginning did. */
static bool run_slices(struct wb_behaviour_run *r, size_t m, size_t s, struct wb_net *net,
                       struct scores *p)
{
    const struct wb_behaviour_input *in = wb_behaviour_input(r, m, s);
    struct wb_rows rows = rows_of(in);

    for (size_t first = 0, last; first < in->sequences; first = last) {
        struct wb_behaviour_known known;
        struct wb_behaviour_cell cell;

        if (wb_behaviour_cancelled(r))
            return wb_fail(r->err, WB_ECANCELLED, "cancelled");
        last = wb_score_slice_end(net, &rows, first);
        if (!score_slice(r, m, in, net, first, last, p))
            return false;
        wb_behaviour_advance(
            r, (double)(wb_rows_start(net, &rows, last) - wb_rows_start(net, &rows, first)));
        known = figure(in, last, p);
        cell = cell_of(in, last, &known);
        if (last > some(in) || last == in->sequences)
            wb_behaviour_show_cell(r, m, s, &cell);
    }
    return true;
}

bool wb_behaviour_score_all(struct wb_behaviour_run *r, size_t m, size_t s)
{
    const struct wb_behaviour_input *in = wb_behaviour_input(r, m, s);
    struct scores p;
    struct wb_net *net;
    bool ok;

    if (in == NULL || r->model[m].failed || r->model[m].set[s].failed || look_up(r, m, s))
        return true;
    net = net_for(r, m, in);
    if (net == NULL)
        return wb_behaviour_problem(r, m, s);
    ok = open_scores(&p, r, m, in, true) && run_slices(r, m, s, net, &p) && keep(r, m, s, &p);
    close_scores(&p);
    if (!ok)
        return wb_behaviour_problem(r, m, s);
    return !((const struct wb_behaviour_known *)r->model[m].set[s].known->value)->nonfinite ||
           flag(r, m, s);
}

bool wb_behaviour_score_some(struct wb_behaviour_run *r, size_t m, size_t s)
{
    const struct wb_behaviour_input *in = wb_behaviour_input(r, m, s);
    struct wb_behaviour_known known;
    struct wb_behaviour_cell cell;
    struct scores p;
    struct wb_net *net;
    size_t n;
    bool ok;

    if (in == NULL || r->model[m].failed || r->model[m].set[s].failed || look_up(r, m, s))
        return true;
    n = some(in);
    if (n == in->sequences)
        return wb_behaviour_score_all(r, m, s);
    if (wb_behaviour_cancelled(r))
        return wb_fail(r->err, WB_ECANCELLED, "cancelled");
    net = net_for(r, m, in);
    if (net == NULL)
        return wb_behaviour_problem(r, m, s);
    ok = open_scores(&p, r, m, in, false) && score_slice(r, m, in, net, 0, n, &p);
    if (ok) {
        known = figure(in, n, &p);
        cell = cell_of(in, n, &known);
        wb_behaviour_advance(r, wb_behaviour_some_rows(in));
        wb_behaviour_show_cell(r, m, s, &cell);
    }
    close_scores(&p);
    return ok || wb_behaviour_problem(r, m, s);
}
