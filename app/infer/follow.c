/* app/infer/follow.c - one pass over a sequence, logits of some rows at a time. */
#include "app/infer/follow.h"

#include <math.h>
#include <stdlib.h>

#include "app/infer/rowwise.h"

#define LOGITS_ROWS 64

static bool judge(size_t width, const float *logits, int32_t token, struct wb_followed *out,
                  struct wb_err *err)
{
    double log_sum = wb_log_sum_exp(width, logits);

    if (!isfinite(log_sum))
        return wb_fail(err, WB_ENUMERIC, "the model gives logits that are not finite");
    out->first = (int32_t)wb_argmax(width, logits);
    out->logprob = (double)logits[token] - log_sum;
    out->first_logprob = (double)logits[out->first] - log_sum;
    return true;
}

/* state: of positions from - 1 on, each of which predicts the token behind it. */
static bool judge_all(struct wb_net *net, const float *state, const int32_t *token, size_t n,
                      struct wb_followed *out, struct wb_err *err)
{
    size_t hidden = (size_t)wb_net_spec(net)->hidden, width = wb_net_logits_width(net);
    float *logits = malloc(LOGITS_ROWS * width * sizeof *logits);
    bool ok = logits != NULL || wb_fail(err, WB_ENOMEM, "no memory for logits");

    for (size_t at = 0; ok && at < n; at += LOGITS_ROWS) {
        size_t rows = n - at < LOGITS_ROWS ? n - at : LOGITS_ROWS;

        ok = wb_net_logits(net, state + at * hidden, rows, logits, err);
        for (size_t i = 0; ok && i < rows; i++)
            ok = judge(width, logits + i * width, token[at + i], &out[at + i], err);
    }
    free(logits);
    return ok;
}

bool wb_follow(struct wb_net *net, const int32_t *token, size_t count, size_t from,
               struct wb_followed *out, struct wb_err *err)
{
    size_t start[2] = { 0, count - 1 }, hidden = (size_t)wb_net_spec(net)->hidden;
    struct wb_rows rows = { .token = token, .start = start, .sequences = 1 };
    float *state;
    bool ok;

    if (from == count)
        return true;
    if (wb_net_spec(net)->kind != WB_NET_DECODER || wb_net_logits_width(net) == 0)
        return wb_fail(err, WB_EARG, "not a model that continues a text");
    if (token[count - 1] < 0 || (size_t)token[count - 1] >= wb_net_logits_width(net))
        return wb_fail(err, WB_EARG, "token %d is beyond the model's vocabulary", token[count - 1]);
    state = malloc((count - 1) * hidden * sizeof *state);
    if (state == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a text of %zu tokens", count);
    ok = wb_net_run(net, &rows, NULL, state, err) &&
         judge_all(net, state + (from - 1) * hidden, token + from, count - from, out, err);
    free(state);
    return ok;
}
