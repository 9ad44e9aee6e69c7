/* app/probe/heads_ablate.c - what is lost without a head. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/score.h"
#include "app/probe/heads.h"
#include "app/probe/slices.h"

struct scoring {
    struct wb_net *net;
    size_t hidden, rows; /* rows: room */
    float *state;
    int32_t *target;
    double *nll;
};

static bool make_room(struct scoring *s, size_t rows, struct wb_err *err)
{
    if (rows > s->rows) {
        free(s->state);
        free(s->target);
        free(s->nll);
        s->state = malloc(rows * s->hidden * sizeof *s->state);
        s->target = malloc(rows * sizeof *s->target);
        s->nll = malloc(rows * sizeof *s->nll);
        s->rows = rows;
    }
    return (s->state != NULL && s->target != NULL && s->nll != NULL) ||
           wb_fail(err, WB_ENOMEM, "no memory for the states of %zu positions", rows);
}

/* Sum over the tokens of a slice that have one in front. */
static bool score_slice(struct scoring *s, const struct wb_slice *slice, double *sum, size_t *count,
                        struct wb_err *err)
{
    size_t n = 0;

    for (size_t q = 0; q < slice->rows.sequences; q++)
        for (size_t r = slice->start[q]; r + 1 < slice->start[q + 1]; r++) {
            memmove(s->state + n * s->hidden, s->state + r * s->hidden,
                    s->hidden * sizeof *s->state);
            s->target[n++] = slice->rows.token[r + 1];
        }
    if (!wb_score_states(s->net, s->state, s->target, n, s->nll, NULL, err))
        return false;
    for (size_t i = 0; i < n; i++)
        *sum += s->nll[i];
    *count += n;
    return true;
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
        ok = wb_slice_at(s->net, rows, i, s->hidden * sizeof(float), &slice, err) &&
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
    struct scoring s = { .net = net, .hidden = (size_t)spec->hidden };
    float *gate = malloc(heads * sizeof *gate);
    double whole, without;
    bool ok = gate != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu heads", heads);

    if (ok && (spec->kind != WB_NET_DECODER || wb_net_logits_width(net) == 0))
        ok = wb_fail(err, WB_EARG, "heads are silenced one by one in models that predict tokens");
    for (size_t i = 0; ok && i < heads; i++) {
        gate[i] = 1;
        out[i] = (double)NAN;
    }
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
    free(s.target);
    free(s.nll);
    return ok;
}
