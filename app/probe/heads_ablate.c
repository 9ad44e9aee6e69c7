/* app/probe/heads_ablate.c - what is lost without a head. */
#include <math.h>
#include <stdlib.h>

#include "app/infer/rowwise.h"
#include "app/probe/heads.h"
#include "app/probe/slices.h"

#define LOGITS_BYTES ((size_t)16 << 20) /* of the rows whose logits are made at once */

struct scoring {
    struct wb_net *net;
    size_t width, at_once;
    float *state, *logits;
    size_t state_rows;
};

/* Sum over the tokens of a slice that have one in front. */
static bool score_slice(struct scoring *s, const struct wb_slice *slice, double *sum, size_t *count,
                        struct wb_err *err)
{
    size_t d = (size_t)wb_net_spec(s->net)->hidden, sequence = 0;

    for (size_t i = 0; i < slice->count; i += s->at_once) {
        size_t n = slice->count - i < s->at_once ? slice->count - i : s->at_once;

        if (!wb_net_logits(s->net, s->state + i * d, n, s->logits, err))
            return false;
        for (size_t r = i; r < i + n; r++) {
            const float *logit = s->logits + (r - i) * s->width;

            if (r + 1 == slice->start[sequence + 1]) { /* nothing behind the last one */
                sequence++;
                continue;
            }
            *sum += wb_log_sum_exp(s->width, logit) - (double)logit[slice->rows.token[r + 1]];
            ++*count;
        }
    }
    return true;
}

static bool make_room(struct scoring *s, size_t rows, struct wb_err *err)
{
    size_t d = (size_t)wb_net_spec(s->net)->hidden;

    if (rows > s->state_rows) {
        free(s->state);
        s->state = malloc(rows * d * sizeof *s->state);
        s->state_rows = s->state != NULL ? rows : 0;
    }
    if (s->logits == NULL)
        s->logits = malloc(s->at_once * s->width * sizeof *s->logits);
    return (s->state != NULL && s->logits != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for the logits of %zu positions", rows);
}

static bool mean_nll(struct scoring *s, const struct wb_rows *rows, const float *gate, double *out,
                     struct wb_err *err)
{
    struct wb_net_taps taps = { .head_gate = gate };
    struct wb_slice slice = { 0 };
    size_t count = 0;
    double sum = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < rows->sequences; i = slice.end)
        ok = wb_slice_at(s->net, rows, i, (size_t)wb_net_spec(s->net)->hidden * sizeof(float),
                         &slice, err) &&
             make_room(s, slice.count, err) &&
             wb_net_run(s->net, &slice.rows, &taps, s->state, err) &&
             score_slice(s, &slice, &sum, &count, err);
    wb_slice_free(&slice);
    *out = sum / (double)count;
    return ok;
}

bool wb_heads_ablate(struct wb_net *net, const struct wb_rows *rows,
                     bool (*report)(void *ctx, const double *so_far, size_t done), void *ctx,
                     double *out, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(net);
    size_t heads = (size_t)spec->layers * (size_t)spec->heads;
    struct scoring s = { .net = net, .width = wb_net_logits_width(net) };
    float *gate = malloc(heads * sizeof *gate);
    double whole, without;
    bool ok = gate != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu heads", heads);

    if (ok && (spec->kind != WB_NET_DECODER || s.width == 0))
        ok = wb_fail(err, WB_EARG, "heads are silenced one by one in models that predict tokens");
    for (size_t i = 0; ok && i < heads; i++) {
        gate[i] = 1;
        out[i] = (double)NAN;
    }
    s.at_once = s.width > 0 ? LOGITS_BYTES / sizeof(float) / s.width + 1 : 1;
    ok = ok && mean_nll(&s, rows, NULL, &whole, err);
    for (size_t i = 0; ok && i < heads; i++) {
        gate[i] = 0;
        ok = mean_nll(&s, rows, gate, &without, err);
        gate[i] = 1;
        out[i] = ok ? without - whole : (double)NAN;
        if (ok && report != NULL && !report(ctx, out, i + 1))
            ok = wb_fail(err, WB_ECANCELLED, "cancelled");
    }
    free(gate);
    free(s.state);
    free(s.logits);
    return ok;
}
