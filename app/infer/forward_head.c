/* app/infer/forward_head.c - from final states to logits and embeddings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/forward_impl.h"
#include "app/infer/rowwise.h"
#include "app/tensor/kernels.h"

static const struct wb_weight *head_of(const struct wb_net *net)
{
    const struct wb_shared_weights *w = wb_weights_shared(net->weights);

    return net->spec.kind == WB_NET_VISION    ? &w->classifier
           : net->spec.kind == WB_NET_DECODER ? &w->lm_head
                                              : NULL;
}

size_t wb_net_logits_width(const struct wb_net *net)
{
    const struct wb_weight *head = head_of(net);

    return head == NULL || head->data == NULL ? 0 : head->out;
}

/* state itself, or what head_proj or a factor makes of it, in *own then. */
static const float *before_head(struct wb_net *net, const float *state, size_t n, float **own,
                                struct wb_err *err)
{
    const struct wb_weight *proj = &wb_weights_shared(net->weights)->head_proj;
    size_t d = (size_t)net->spec.hidden, width = proj->data == NULL ? d : proj->out;
    struct wb_linear to = { .weight = proj, .ldy = width };

    if (proj->data == NULL && net->spec.head_scale == 1)
        return state;
    to.y = *own = malloc((n * width + 1) * sizeof **own);
    if (*own == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for %zu states", n);
        return NULL;
    }
    if (proj->data == NULL)
        memcpy(*own, state, n * d * sizeof **own);
    else if (!wb_linear(net->linear, state, n, d, &to, 1, err))
        return NULL;
    if (net->spec.head_scale != 1)
        wb_kernels()->binary_vs[WB_BINARY_mul](n * width, *own, net->spec.head_scale, *own);
    return *own;
}

struct capping {
    float *logits, cap;
    size_t width;
};

static void cap_rows(void *ctx, size_t first, size_t n)
{
    const struct capping *c = ctx;

    wb_cap(n * c->width, c->logits + first * c->width, c->cap);
}

bool wb_net_logits(struct wb_net *net, const float *state, size_t n, float *out, struct wb_err *err)
{
    const struct wb_weight *head = head_of(net);
    size_t width = wb_net_logits_width(net);
    struct capping capping = { out, net->spec.logit_cap, width };
    struct wb_linear to = { .weight = head, .y = out, .ldy = width };
    float *own = NULL;
    const float *from;
    bool ok;

    if (width == 0)
        return wb_fail(err, WB_ENOTFOUND,
                       net->spec.kind == WB_NET_VISION ? "the model has no classifier"
                                                       : "the model has no language-model head");
    from = before_head(net, state, n, &own, err);
    ok = from != NULL && wb_linear(net->linear, from, n, head->in, &to, 1, err);
    free(own);
    if (ok && net->spec.logit_cap > 0)
        wb_net_each(net, n, cap_rows, &capping);
    if (ok && wb_kernels()->first_nonfinite(n * width, out) < n * width)
        net->nonfinite = true;
    return ok;
}

/* --- embeddings ------------------------------------------------------------------------------- */

size_t wb_net_embed_width(const struct wb_net *net)
{
    const struct wb_weight *projection = &wb_weights_shared(net->weights)->projection;

    return projection->data == NULL ? (size_t)net->spec.hidden : projection->out;
}

/* Mean of n rows, to length 1. */
static void mean_row(const float *state, size_t n, size_t d, float *out)
{
    double squares = 0;

    for (size_t j = 0; j < d; j++) {
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += (double)state[i * d + j];
        sum /= (double)n;
        out[j] = (float)sum;
        squares += sum * sum;
    }
    for (size_t j = 0; squares > 0 && j < d; j++)
        out[j] = (float)((double)out[j] / sqrt(squares));
}

/* Row of the end of a text: the first place of an id, or of the highest one (end -1). Without the
 * id the first row, as elsewhere. */
static size_t end_row(const int32_t *token, size_t n, int end)
{
    size_t best = 0;

    for (size_t i = 0; end >= 0 && i < n; i++)
        if (token[i] == end)
            return i;
    if (end >= 0)
        return 0;

    for (size_t i = 1; i < n; i++)
        if (token[i] > token[best])
            best = i;
    return best;
}

static void pool_sequence(const struct wb_net *net, const struct wb_rows *rows, size_t i,
                          const float *state, float *out)
{
    size_t d = (size_t)net->spec.hidden, from = wb_rows_start(net, rows, i);
    size_t n = wb_rows_start(net, rows, i + 1) - from, row = 0;

    if (net->spec.pooling == WB_POOLING_MEAN) {
        mean_row(state + from * d, n, d, out);
        return;
    }
    if (net->spec.pooling == WB_POOLING_END)
        row = end_row(rows->token + from, n, net->spec.end_token);
    memcpy(out, state + (from + row) * d, d * sizeof *out);
}

bool wb_net_embed(struct wb_net *net, const struct wb_rows *rows, const float *state, float *out,
                  struct wb_err *err)
{
    const struct wb_weight *projection = &wb_weights_shared(net->weights)->projection;
    size_t d = (size_t)net->spec.hidden, n = rows->sequences;
    struct wb_linear to = { .weight = projection, .y = out, .ldy = projection->out };
    float *pooled = projection->data == NULL ? out : malloc((n * d + 1) * sizeof *pooled);
    bool ok;

    if (net->spec.pooling == WB_POOLING_NONE) {
        ok = wb_fail(err, WB_EARG, "the model gives no embeddings");
    } else if (pooled == NULL) {
        ok = wb_fail(err, WB_ENOMEM, "no memory for %zu embeddings", n);
    } else {
        for (size_t i = 0; i < n; i++)
            pool_sequence(net, rows, i, state, pooled + i * d);
        ok = projection->data == NULL || wb_linear(net->linear, pooled, n, d, &to, 1, err);
    }
    if (pooled != out)
        free(pooled);
    return ok;
}
