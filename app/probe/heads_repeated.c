/* app/probe/heads_repeated.c - what heads look at in random tokens that come twice (inspect I4).
 *
 * At position i of the second time the same token stands `period` before, and what followed it one
 * behind that: who looks there copies by matching, since nothing else tells these tokens. */
#include <math.h>
#include <stdlib.h>

#include "app/probe/heads_impl.h"

#define SEQUENCES 4
#define PERIOD_FIRST 50 /* of the first sequence, and how much longer the next one's is */
#define PERIOD_STEP 4
#define PERIOD_MIN 4

struct repeated {
    struct wb_heads_run *r;
    size_t lead; /* tokens in front: BOS or none */
    size_t period[SEQUENCES], start[SEQUENCES + 1];
    int32_t *token;
    double *same, *next; /* sums over the second time [layers, SEQUENCES, heads] */
};

static void see(void *ctx, int layer, const struct wb_attend_tile *tile)
{
    struct repeated *t = ctx;
    size_t period = t->period[tile->sequence];
    size_t at = ((size_t)layer * SEQUENCES + tile->sequence) * t->r->heads + (size_t)tile->head;

    for (size_t i = 0; i < tile->rows; i++) {
        const float *weight = tile->weight + i * tile->stride;
        size_t p = tile->position + i;

        if (p < t->lead + period)
            continue;
        t->same[at] += (double)weight[p - period];
        t->next[at] += (double)weight[p - period + 1];
    }
}

static bool make_tokens(struct repeated *t, size_t context, int32_t bos, struct wb_err *err)
{
    size_t n = 0;

    t->lead = bos >= 0;
    t->token =
        malloc(SEQUENCES * (1 + 2 * (PERIOD_FIRST + SEQUENCES * PERIOD_STEP)) * sizeof *t->token);
    if (t->token == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %d sequences", SEQUENCES);
    for (size_t i = 0; i < SEQUENCES; i++) {
        size_t period = PERIOD_FIRST + i * PERIOD_STEP;

        if (period > (context - t->lead) / 2)
            period = (context - t->lead) / 2;
        t->period[i] = period;
        if (t->lead > 0)
            t->token[n++] = bos;
        wb_heads_draw(t->r, i, period, t->token + n);
        for (size_t j = 0; j < period; j++)
            t->token[n + period + j] = t->token[n + j];
        n += 2 * period;
        t->start[i + 1] = n;
    }
    return true;
}

static void results(const struct repeated *t)
{
    size_t heads = t->r->heads, positions = 0;

    for (size_t s = 0; s < SEQUENCES; s++)
        positions += t->period[s];
    for (size_t i = 0; i < t->r->layers * heads; i++) {
        double same = 0, next = 0;

        for (size_t s = 0; s < SEQUENCES; s++) {
            same += t->same[(i / heads * SEQUENCES + s) * heads + i % heads];
            next += t->next[(i / heads * SEQUENCES + s) * heads + i % heads];
        }
        t->r->out->stat[WB_HEAD_duplicate][i] = same / (double)positions;
        t->r->out->stat[WB_HEAD_induction][i] = next / (double)positions;
    }
}

bool wb_heads_repeated(struct wb_heads_run *r, const struct wb_rows *rows, struct wb_err *err)
{
    struct repeated t = { .r = r };
    struct wb_net_taps taps = { .ctx = &t, .attention = see };
    size_t context = wb_heads_context(r), n = r->layers * SEQUENCES * r->heads;
    struct wb_rows own = { .start = t.start, .sequences = SEQUENCES };
    bool ok;

    if (r->spec->kind == WB_NET_VISION || context < 1 + 2 * PERIOD_MIN)
        return true;
    t.same = calloc(n, sizeof *t.same);
    t.next = calloc(n, sizeof *t.next);
    ok = (t.same != NULL && t.next != NULL) ||
         wb_fail(err, WB_ENOMEM, "no memory for sums of %zu heads", n);
    ok = ok && make_tokens(&t, context, wb_heads_bos(r, rows), err);
    own.token = t.token;
    ok = ok && wb_net_run(r->net, &own, &taps, NULL, err);
    if (ok) {
        results(&t);
        r->out->nonfinite = r->out->nonfinite || wb_net_nonfinite(r->net);
        ok = wb_heads_report(r, err);
    }
    free(t.token);
    free(t.same);
    free(t.next);
    return ok;
}
