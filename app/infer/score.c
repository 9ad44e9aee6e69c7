/* app/infer/score.c - likelihoods from final states, and the score of a text. */
#include "app/infer/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/rowwise.h"
#include "app/infer/weights.h"

/* Logits at a time; their number of rows is part of the arithmetic (tiles of sgemm). */
#define CHUNK_ROWS 256
#define CHUNK_BYTES ((size_t)64 << 20)
#define TASK_ROWS 16
/* Of a model whose weights may come and go: batches of one call, and what their states may take. */
#define SLICE_BATCHES 4
#define SLICE_BYTES ((size_t)64 << 20)

/* Rows of logits */

struct chunk {
    const float *logits;
    size_t width, rows;
    const int32_t *target;
    double *nll;
    int32_t *choice;
};

int32_t wb_first_choice(size_t width, const float *logits)
{
    size_t best = wb_argmax(width, logits);

    return best < width ? (int32_t)best : -1;
}

static void score_rows(void *ctx, size_t task, int worker)
{
    const struct chunk *c = ctx;
    size_t last = (task + 1) * TASK_ROWS < c->rows ? (task + 1) * TASK_ROWS : c->rows;

    (void)worker;
    for (size_t i = task * TASK_ROWS; i < last; i++) {
        const float *x = c->logits + i * c->width;

        c->nll[i] = wb_log_sum_exp(c->width, x) - (double)x[c->target[i]];
        if (c->choice != NULL)
            c->choice[i] = wb_first_choice(c->width, x);
    }
}

static size_t chunk_rows(size_t width)
{
    size_t rows = CHUNK_BYTES / (width * sizeof(float));

    return rows < 1 ? 1 : rows > CHUNK_ROWS ? CHUNK_ROWS : rows;
}

bool wb_score_states(struct wb_net *net, const float *state, const int32_t *target, size_t n,
                     double *nll, int32_t *choice, struct wb_err *err)
{
    size_t width = wb_net_logits_width(net), hidden = (size_t)wb_net_spec(net)->hidden, rows;
    float *logits;
    bool ok = true;

    if (width == 0)
        return wb_fail(err, WB_ENOTFOUND, "the model gives no logits over a vocabulary");
    rows = chunk_rows(width);
    logits = malloc(rows * width * sizeof *logits);
    if (logits == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu rows of logits", rows);
    for (size_t i = 0; ok && i < n; i += rows) {
        struct chunk c = { .logits = logits,
                           .width = width,
                           .rows = n - i < rows ? n - i : rows,
                           .target = target + i };

        c.nll = nll + i;
        c.choice = choice != NULL ? choice + i : NULL;
        ok = wb_net_logits(net, state + i * hidden, c.rows, logits, err);
        if (ok)
            wb_pool_run(wb_net_pool(net), (c.rows + TASK_ROWS - 1) / TASK_ROWS, score_rows, &c);
    }
    free(logits);
    return ok;
}

size_t wb_score_slice_end(struct wb_net *net, const struct wb_rows *rows, size_t first)
{
    bool stays = wb_weights_resident(wb_net_weights(net));
    size_t row_bytes = (size_t)wb_net_spec(net)->hidden * sizeof(float);
    size_t last = wb_rows_batch_end(net, rows, first);

    for (int b = 1; b < SLICE_BATCHES && !stays && last < rows->sequences; b++) {
        size_t next = wb_rows_batch_end(net, rows, last);

        if ((wb_rows_start(net, rows, next) - wb_rows_start(net, rows, first)) * row_bytes >
            SLICE_BYTES)
            break;
        last = next;
    }
    return last;
}

/* Texts */

size_t wb_score_text_count(const struct wb_windows *w, size_t first, size_t last)
{
    return w->start[last] - w->start[first] - (last - first);
}

/* Windows first .. last - 1 as rows of their own; *start is owned. */
static bool rows_of(const struct wb_windows *w, size_t first, size_t last, struct wb_rows *rows,
                    size_t **start, struct wb_err *err)
{
    *start = malloc((last - first + 1) * sizeof **start);
    if (*start == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu windows", last - first);
    for (size_t i = first; i <= last; i++)
        (*start)[i - first] = w->start[i] - w->start[first];
    *rows = (struct wb_rows){ .token = w->token + w->start[first],
                              .start = *start,
                              .sequences = last - first };
    return true;
}

/* All but the last position of every window predict. */
static void pack(const struct wb_rows *rows, const float *all, size_t hidden, float *state,
                 int32_t *target)
{
    for (size_t s = 0; s < rows->sequences; s++) {
        size_t first = rows->start[s], n = rows->start[s + 1] - first - 1;

        memcpy(state, all + first * hidden, n * hidden * sizeof *state);
        memcpy(target, rows->token + first + 1, n * sizeof *target);
        state += n * hidden;
        target += n;
    }
}

bool wb_score_text_states(struct wb_net *net, const struct wb_windows *w, size_t first, size_t last,
                          float *state, int32_t *target, struct wb_err *err)
{
    size_t hidden = (size_t)wb_net_spec(net)->hidden, *start;
    struct wb_rows rows;
    float *all;
    bool ok;

    if (!rows_of(w, first, last, &rows, &start, err))
        return false;
    all = malloc((start[rows.sequences] * hidden + 1) * sizeof *all);
    ok = all != NULL ||
         wb_fail(err, WB_ENOMEM, "no memory for the states of %zu tokens", start[rows.sequences]);
    ok = ok && wb_net_run(net, &rows, NULL, all, err);
    if (ok)
        pack(&rows, all, hidden, state, target);
    free(all);
    free(start);
    return ok;
}

bool wb_score_text_rows(struct wb_net *net, const struct wb_windows *w, size_t first, size_t last,
                        const float *state, const int32_t *target, double *nll, int32_t *choice,
                        struct wb_err *err)
{
    struct wb_rows rows = wb_windows_rows(w);
    size_t hidden = (size_t)wb_net_spec(net)->hidden;

    while (first < last) {
        size_t end = wb_rows_batch_end(net, &rows, first), n;

        end = end < last ? end : last;
        n = wb_score_text_count(w, first, end);
        if (!wb_score_states(net, state, target, n, nll, choice, err))
            return false;
        state += n * hidden;
        target += n;
        nll += n;
        choice = choice != NULL ? choice + n : NULL;
        first = end;
    }
    return true;
}

bool wb_score_tokens(struct wb_net *net, const struct wb_windows *w, size_t first, size_t last,
                     double *nll, struct wb_err *err)
{
    size_t n = wb_score_text_count(w, first, last);
    float *state = malloc((n * (size_t)wb_net_spec(net)->hidden + 1) * sizeof *state);
    int32_t *target = malloc((n + 1) * sizeof *target);
    bool ok = (state != NULL && target != NULL) ||
              wb_fail(err, WB_ENOMEM, "no memory for the states of %zu tokens", n);

    ok = ok && wb_score_text_states(net, w, first, last, state, target, err) &&
         wb_score_text_rows(net, w, first, last, state, target, nll, NULL, err);
    free(state);
    free(target);
    return ok;
}

void wb_score_text_sums(const struct wb_windows *w, size_t first, size_t last, const double *nll,
                        double *sum)
{
    for (size_t i = first; i < last; i++) {
        size_t n = w->start[i + 1] - w->start[i] - 1;

        sum[i] = 0;
        for (size_t k = 0; k < n; k++)
            sum[i] += nll[k];
        nll += n;
    }
}

/* A mean over tokens drawn by whole windows: the error of a ratio of two sums. */
static double ratio_error(const struct wb_windows *w, size_t windows, const double *sum,
                          double mean, double tokens)
{
    double squares = 0;

    if (windows < 2 || tokens == 0)
        return NAN;
    for (size_t i = 0; i < windows; i++) {
        double d = sum[i] - mean * (double)(w->start[i + 1] - w->start[i] - 1);

        squares += d * d;
    }
    return sqrt(squares * (double)windows / (double)(windows - 1)) / tokens;
}

struct wb_text_score wb_score_text_of(const struct wb_windows *w, size_t windows, const double *sum)
{
    struct wb_text_score s = { .tokens = wb_score_text_count(w, 0, windows) };
    double all = 0;

    for (size_t i = 0; i < windows; i++)
        all += sum[i];
    s.nonfinite = !isfinite(all);
    s.nll = s.nonfinite || s.tokens == 0 ? (double)NAN : all / (double)s.tokens;
    s.nll_error = ratio_error(w, windows, sum, s.nll, (double)s.tokens);
    return s;
}

bool wb_score_text(struct wb_net *net, const struct wb_windows *w,
                   bool (*report)(void *ctx, const struct wb_text_score *so_far), void *ctx,
                   struct wb_text_score *out, struct wb_err *err)
{
    struct wb_rows rows = wb_windows_rows(w);
    double *sum = malloc((w->windows + 1) * sizeof *sum), *nll = NULL;
    bool ok = sum != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu windows", w->windows);

    for (size_t first = 0, last; ok && first < w->windows; first = last) {
        double *more;

        last = wb_score_slice_end(net, &rows, first);
        more = realloc(nll, (wb_score_text_count(w, first, last) + 1) * sizeof *nll);
        if (more == NULL) {
            ok = wb_fail(err, WB_ENOMEM, "no memory for the scores of %zu windows", last - first);
            break;
        }
        nll = more;
        ok = wb_score_tokens(net, w, first, last, nll, err);
        if (!ok)
            break;
        wb_score_text_sums(w, first, last, nll, sum);
        *out = wb_score_text_of(w, last, sum);
        if (report != NULL && !report(ctx, out))
            ok = wb_fail(err, WB_ECANCELLED, "cancelled");
    }
    if (ok && w->windows > 0 && out->tokens == 0)
        ok = wb_fail(err, WB_EARG,
                     "the text has no token that is predicted: one token, and a "
                     "model without a beginning of text");
    free(nll);
    free(sum);
    return ok;
}
