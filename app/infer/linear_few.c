/* app/infer/linear_few.c - few rows: weights are read once, in order, at the speed of memory. */
#include <string.h>

#include "app/infer/linear_impl.h"

#define FEW_OUT 64 /* outputs of a piece */
#define FEW_BUFFER 4096

static void put(const struct wb_linear *p, size_t row, size_t out, float value)
{
    float *y = p->y + row * p->ldy + out;

    if (p->weight->bias != NULL)
        value += p->weight->bias[out];
    *y = p->add ? *y + value : value;
}

/* Rows of weights, one behind the other: each is widened in pieces that stay in the first cache. */
static void few_rows_of(struct wb_linear_call *c, const struct wb_linear_piece *at)
{
    const struct wb_weight *w = at->product->weight;
    const struct wb_row_kernels *k = wb_row_kernels();
    void (*widen)(size_t, const void *, float *) = wb_kernels()->widen[w->dtype];
    float wide[FEW_BUFFER];

    for (size_t o = at->out; o < at->out + at->outs; o++) {
        float sum[WB_LINEAR_FEW] = { 0 }, part[WB_LINEAR_FEW];

        for (size_t i = 0; i < w->in; i += FEW_BUFFER) {
            size_t len = at_most(w->in - i, FEW_BUFFER);

            widen(len, weight_at(w, o, i), wide);
            k->dot(len, wide, c->x + i, c->ldx, c->rows, part, 1);
            for (size_t r = 0; r < c->rows; r++)
                sum[r] += part[r];
        }
        for (size_t r = 0; r < c->rows; r++)
            put(at->product, r, o, sum[r]);
    }
}

/* Columns of weights: partial sums of BLOCK inputs, so that no sum is long. */
static void few_columns_of(struct wb_linear_call *c, const struct wb_linear_piece *at)
{
    enum { BLOCK = 128 };
    const struct wb_weight *w = at->product->weight;
    const struct wb_row_kernels *k = wb_row_kernels();
    void (*widen)(size_t, const void *, float *) = wb_kernels()->widen[w->dtype];
    float wide[FEW_OUT], sum[WB_LINEAR_FEW][FEW_OUT] = { { 0 } }, part[WB_LINEAR_FEW][FEW_OUT];

    for (size_t first = 0; first < w->in; first += BLOCK) {
        memset(part, 0, sizeof part);
        for (size_t i = first; i < at_most(w->in, first + BLOCK); i++) {
            widen(at->outs, weight_at(w, i, at->out), wide);
            for (size_t r = 0; r < c->rows; r++)
                k->axpy(at->outs, c->x[r * c->ldx + i], wide, part[r]);
        }
        for (size_t r = 0; r < c->rows; r++)
            k->add(at->outs, sum[r], part[r]);
    }
    for (size_t r = 0; r < c->rows; r++)
        for (size_t o = 0; o < at->outs; o++)
            put(at->product, r, at->out + o, sum[r][o]);
}

size_t wb_linear_few_tasks(const struct wb_weight *w, size_t rows)
{
    return rows == 0 ? 0 : (w->out + FEW_OUT - 1) / FEW_OUT;
}

void wb_linear_few(struct wb_linear_call *c, const struct wb_linear *p, size_t task, int worker)
{
    struct wb_linear_piece at = { .product = p,
                                  .out = task * FEW_OUT,
                                  .outs = at_most(p->weight->out - task * FEW_OUT, FEW_OUT),
                                  .rows = c->rows,
                                  .worker = worker };

    if (p->weight->transposed)
        few_columns_of(c, &at);
    else
        few_rows_of(c, &at);
}
