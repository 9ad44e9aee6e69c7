/* app/probe/behaviour_compare.c - how far the result moved: what it and the others would say next.
 *
 * KL(p || q) = sum p (a - b) - (A - B) with logits a, b and the logs A, B of their sums of exp. Both
 * nets make logits of some rows at a time; the result's are made once for all others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/rowwise.h"
#include "app/probe/behaviour_impl.h"

#define CHUNK_ROWS 256
#define CHUNK_BYTES ((size_t)32 << 20)
#define TASK_ROWS 16

struct compare {
    struct wb_behaviour_run *r;
    size_t set;
    const struct wb_behaviour_input *in;
    size_t width, rows, rows_max; /* of a chunk */
    float *result, *other, *share;
    double *kl;    /* of a chunk's rows */
    double *sum;   /* [models] */
    bool *wanted;  /* [models] */
    float **state; /* [models], of the slice; owned where made for it */
    bool *own;
    int32_t *target;
};

static bool same_input(const struct wb_behaviour_input *a, const struct wb_behaviour_input *b)
{
    return a != NULL && b != NULL && a->kind == b->kind && a->choices == b->choices &&
           wb_hash_equal(a->hash, b->hash);
}

static struct wb_hash pair_key(const struct wb_behaviour_run *r, size_t m, size_t s)
{
    size_t result = r->b->models - 1;

    return wb_memory_key("pair", wb_memory_key("models", r->model[m].hash, r->model[result].hash),
                         wb_behaviour_input(r, result, s)->hash);
}

static double agreement(const struct wb_behaviour_known *a, const struct wb_behaviour_known *b,
                        size_t n)
{
    size_t same = 0;

    for (size_t i = 0; i < n; i++)
        same += a->choice[i] == b->choice[i] && a->choice[i] >= 0;
    return n > 0 ? (double)same / (double)n : (double)NAN;
}

static bool keep_pair(struct wb_behaviour_run *r, size_t m, size_t s, struct wb_behaviour_pair pair)
{
    struct wb_behaviour_pair *kept = malloc(sizeof *kept);

    if (kept == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for a comparison");
    *kept = pair;
    r->model[m].set[s].pair =
        wb_memory_put(r->memory, pair_key(r, m, s), kept, free, sizeof *kept, false);
    return r->model[m].set[s].pair != NULL ||
           wb_fail(r->err, WB_ENOMEM, "no memory for a comparison");
}

/* --- rows --------------------------------------------------------------------------------------- */

static double row_kl(size_t n, const float *a, const float *b, float *share)
{
    double sum = 0, weighed = 0;

    memcpy(share, a, n * sizeof *share);
    wb_softmax(n, share);
    for (size_t i = 0; i < n; i++) {
        if (!(share[i] > 0))
            continue;
        sum += (double)share[i];
        weighed += (double)share[i] * ((double)a[i] - (double)b[i]);
    }
    return weighed / sum - (wb_log_sum_exp(n, a) - wb_log_sum_exp(n, b));
}

static void compare_rows(void *ctx, size_t task, int worker)
{
    const struct compare *c = ctx;
    size_t last = (task + 1) * TASK_ROWS < c->rows ? (task + 1) * TASK_ROWS : c->rows;

    (void)worker;
    for (size_t i = task * TASK_ROWS; i < last; i++)
        c->kl[i] = row_kl(c->width, c->other + i * c->width, c->result + i * c->width,
                          c->share + i * c->width);
}

static bool compare_chunk(struct compare *c, size_t at, size_t rows)
{
    struct wb_behaviour_run *r = c->r;
    size_t result = r->b->models - 1;
    struct wb_net *net = r->model[result].net->value;

    c->rows = rows;
    if (!wb_net_logits(net, c->state[result] + at * (size_t)r->model[result].spec.hidden, rows,
                       c->result, r->err))
        return false;
    for (size_t m = 0; m < result; m++) {
        if (!c->wanted[m])
            continue;
        if (!wb_net_logits(r->model[m].net->value,
                           c->state[m] + at * (size_t)r->model[m].spec.hidden, rows, c->other,
                           r->err))
            return false;
        wb_pool_run(wb_net_pool(net), (rows + TASK_ROWS - 1) / TASK_ROWS, compare_rows, c);
        for (size_t i = 0; i < rows; i++)
            c->sum[m] += c->kl[i];
    }
    return true;
}

/* --- slices ------------------------------------------------------------------------------------- */

/* Final states of windows first .. last - 1: those that were kept, or made again. */
static bool slice_states(struct compare *c, size_t m, size_t first, size_t last)
{
    struct wb_behaviour_run *r = c->r;
    const struct wb_windows *w = &c->in->windows;
    const struct wb_kept *kept = r->model[m].set[c->set].states;
    size_t hidden = (size_t)r->model[m].spec.hidden, n = wb_score_text_count(w, first, last);

    c->own[m] = kept == NULL;
    if (kept != NULL) {
        c->state[m] = (float *)kept->value + wb_score_text_count(w, 0, first) * hidden;
        return true;
    }
    c->state[m] = malloc((n * hidden + 1) * sizeof **c->state);
    if (c->state[m] == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for the states of %zu tokens", n);
    wb_memory_count_rows(r->memory, w->start[last] - w->start[first]);
    return wb_score_text_states(r->model[m].net->value, w, first, last, c->state[m], c->target,
                                r->err);
}

static void free_states(struct compare *c)
{
    for (size_t m = 0; m < c->r->b->models; m++) {
        if (c->own[m])
            free(c->state[m]);
        c->state[m] = NULL;
        c->own[m] = false;
    }
}

/* One batch of the slice that begins at `first`; rows of a chunk are part of the arithmetic. */
static bool compare_batch(struct compare *c, size_t first, size_t from, size_t to)
{
    const struct wb_windows *w = &c->in->windows;
    size_t at = wb_score_text_count(w, first, from), end = wb_score_text_count(w, first, to);

    for (size_t n; at < end; at += n) {
        n = end - at < c->rows_max ? end - at : c->rows_max;
        if (!compare_chunk(c, at, n))
            return false;
    }
    return true;
}

static bool compare_slice(struct compare *c, size_t first, size_t last)
{
    size_t models = c->r->b->models, n = wb_score_text_count(&c->in->windows, first, last);
    struct wb_rows rows = wb_windows_rows(&c->in->windows);
    struct wb_net *net = c->r->model[models - 1].net->value;
    bool ok;

    c->target = malloc((n + 1) * sizeof *c->target);
    ok = c->target != NULL || wb_fail(c->r->err, WB_ENOMEM, "no memory for %zu tokens", n);
    for (size_t m = 0; ok && m < models; m++)
        if (c->wanted[m] || m + 1 == models)
            ok = slice_states(c, m, first, last);
    for (size_t from = first, to; ok && from < last; from = to) {
        to = wb_rows_batch_end(net, &rows, from);
        ok = compare_batch(c, first, from, to);
    }
    free_states(c);
    free(c->target);
    c->target = NULL;
    return ok;
}

static struct wb_behaviour_pair pair_so_far(const struct compare *c, size_t m, size_t tokens)
{
    const struct wb_behaviour_run *r = c->r;
    double kl = c->sum[m] / (double)tokens;

    return (struct wb_behaviour_pair){
        .kl = kl < 0 ? 0 : kl, /* rounding */
        .agreement = agreement(r->model[m].set[c->set].known->value,
                               r->model[r->b->models - 1].set[c->set].known->value, c->in->choices),
    };
}

static bool compare_texts(struct compare *c)
{
    struct wb_behaviour_run *r = c->r;
    size_t result = r->b->models - 1, wanted = 0;
    struct wb_rows rows = wb_windows_rows(&c->in->windows);

    for (size_t m = 0; m < result; m++)
        wanted += c->wanted[m];
    for (size_t first = 0, last; wanted > 0 && first < c->in->sequences; first = last) {
        if (wb_behaviour_cancelled(r))
            return wb_fail(r->err, WB_ECANCELLED, "cancelled");
        last = wb_score_slice_end(r->model[result].net->value, &rows, first);
        if (!compare_slice(c, first, last))
            return false;
        wb_behaviour_advance(r, WB_BEHAVIOUR_COMPARE_COST * (double)wanted *
                                    (double)(rows.start[last] - rows.start[first]));
        for (size_t m = 0; m < result; m++) {
            struct wb_behaviour_pair pair;

            if (!c->wanted[m])
                continue;
            pair = pair_so_far(c, m, wb_score_text_count(&c->in->windows, 0, last));
            wb_behaviour_show_pair(r, m, c->set, &pair);
            if (last == c->in->sequences && !keep_pair(r, m, c->set, pair))
                return false;
        }
    }
    return true;
}

/* --- a set -------------------------------------------------------------------------------------- */

static bool room(struct compare *c)
{
    size_t models = c->r->b->models, rows = CHUNK_BYTES / (c->width * sizeof(float));

    rows = rows < 1 ? 1 : rows > CHUNK_ROWS ? CHUNK_ROWS : rows;
    c->rows_max = rows;
    c->result = malloc(rows * c->width * sizeof *c->result);
    c->other = malloc(rows * c->width * sizeof *c->other);
    c->share = malloc(rows * c->width * sizeof *c->share);
    c->kl = malloc(rows * sizeof *c->kl);
    c->sum = calloc(models, sizeof *c->sum);
    c->wanted = calloc(models, sizeof *c->wanted);
    c->state = calloc(models, sizeof(float *));
    c->own = calloc(models, sizeof *c->own);
    return (c->result != NULL && c->other != NULL && c->share != NULL && c->kl != NULL &&
            c->sum != NULL && c->wanted != NULL && c->state != NULL && c->own != NULL) ||
           wb_fail(c->r->err, WB_ENOMEM, "no memory for comparing");
}

static void free_room(struct compare *c)
{
    free(c->result);
    free(c->other);
    free(c->share);
    free(c->kl);
    free(c->sum);
    free(c->wanted);
    free(c->state);
    free(c->own);
}

/* Can model m be compared, and was it not yet? What needs no logits is compared here. */
static bool pending(struct wb_behaviour_run *r, size_t m, size_t s)
{
    size_t result = r->b->models - 1;
    struct wb_behaviour_work *a = &r->model[m].set[s], *b = &r->model[result].set[s];
    const struct wb_behaviour_input *in = wb_behaviour_input(r, result, s);
    struct wb_behaviour_pair pair = { NAN, NAN };

    if (a->known == NULL || b->known == NULL || !same_input(wb_behaviour_input(r, m, s), in))
        return false;
    if (a->pair == NULL)
        a->pair = wb_memory_take(r->memory, pair_key(r, m, s));
    if (a->pair != NULL) {
        wb_behaviour_show_pair(r, m, s, a->pair->value);
        return false;
    }
    pair.agreement = agreement(a->known->value, b->known->value, in->choices);
    wb_behaviour_show_pair(r, m, s, &pair);
    return in->kind == WB_BEHAVIOUR_TEXT && r->model[m].spec.vocab == r->model[result].spec.vocab;
}

static bool compare_set(struct compare *c, const bool *wanted)
{
    struct wb_behaviour_run *r = c->r;
    size_t result = r->b->models - 1;
    struct wb_net *net = wb_behaviour_net(r, result);
    bool ok;

    if (net == NULL)
        return false;
    c->width = wb_net_logits_width(net);
    ok = room(c);
    for (size_t m = 0; ok && m < result; m++) {
        struct wb_net *other = wanted[m] ? wb_behaviour_net(r, m) : NULL;

        ok = !wanted[m] || other != NULL;
        if (ok && wanted[m])
            c->wanted[m] = wb_net_logits_width(other) == c->width;
    }
    ok = ok && compare_texts(c);
    free_room(c);
    return ok;
}

bool wb_behaviour_compare(struct wb_behaviour_run *r, size_t s)
{
    size_t result = r->b->models - 1;
    struct compare c = { .r = r, .set = s, .in = wb_behaviour_input(r, result, s) };
    bool *wanted = calloc(r->b->models, sizeof *wanted), any = false, ok = true;

    if (wanted == NULL)
        return wb_fail(r->err, WB_ENOMEM, "no memory for comparing");
    for (size_t m = 0; c.in != NULL && m < result; m++)
        any |= wanted[m] = pending(r, m, s);
    if (any)
        ok = compare_set(&c, wanted);
    free(wanted);
    return ok || wb_behaviour_problem(r, result, s);
}
