/* app/probe/heads_pattern.c - one head's weights over one sequence. */
#include <stdlib.h>
#include <string.h>

#include "app/probe/heads.h"

struct pattern {
    int layer, head;
    size_t n;
    float *weight; /* [n, n] */
    bool done;
};

static void see(void *ctx, int layer, const struct wb_attend_tile *tile)
{
    struct pattern *p = ctx;

    for (size_t i = 0; layer == p->layer && tile->head == p->head && i < tile->rows; i++)
        memcpy(p->weight + (tile->first + i) * p->n, tile->weight + i * tile->stride,
               p->n * sizeof *p->weight);
}

/* Layers behind the one wanted need not run. */
static bool stop(void *ctx, int state, size_t first, size_t rows, const float *x,
                 struct wb_err *err)
{
    struct pattern *p = ctx;

    (void)first;
    (void)rows;
    (void)x;
    p->done = state == p->layer + 1;
    return !p->done || wb_fail(err, WB_ECANCELLED, "enough");
}

float *wb_heads_pattern(struct wb_net *net, const int32_t *token, size_t n, int layer, int head,
                        struct wb_err *err)
{
    const struct wb_spec *s = wb_net_spec(net);
    size_t start[2] = { 0, n }, square;
    struct wb_rows rows = { .token = token, .start = start, .sequences = 1 };
    struct pattern p = { .layer = layer, .head = head, .n = n };
    struct wb_net_taps taps = { .ctx = &p, .state = stop, .attention = see };

    if (layer < 0 || layer >= s->layers || head < 0 || head >= s->heads || n == 0) {
        wb_fail(err, WB_EARG, "no head %d of layer %d over %zu tokens: %d layers of %d heads", head,
                layer, n, s->layers, s->heads);
        return NULL;
    }
    if (s->kind == WB_NET_VISION) {
        wb_fail(err, WB_EARG, "the model takes images, not tokens");
        return NULL;
    }
    if (!__builtin_mul_overflow(n, n, &square) && square < SIZE_MAX / sizeof *p.weight)
        p.weight = malloc(square * sizeof *p.weight);
    if (p.weight == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for the weights of %zu tokens", n);
        return NULL;
    }
    if (wb_net_run(net, &rows, &taps, NULL, err) || p.done)
        return p.weight;
    free(p.weight);
    return NULL;
}
