/* app/infer/linear_few.c - few rows: weights are read once, in order, at the speed of memory. */
#include <string.h>

#include "app/infer/linear_impl.h"

#define FEW_OUT 64      /* outputs of a task */
#define FEW_COLUMNS 256 /* the same of transposed weights: what is read in one go */
#define PIECE 4096

static void put(const struct wb_linear *p, size_t row, size_t out, float value)
{
    float *y = p->y + row * p->ldy + out;

    if (p->weight->bias != NULL)
        value += p->weight->bias[out];
    *y = p->add ? *y + value : value;
}

/* Four rows of weights in pieces of PIECE inputs, so that both ways of them give the same bits:
 * widened on the way, or first widened into the first-level cache. outs is 4 or, at the end, less.
 */
static void few_outs(const struct wb_linear_call *c, const struct wb_weight *w, size_t out,
                     size_t outs, float sum[4][WB_LINEAR_FEW])
{
    const struct wb_row_kernels *k = wb_row_kernels();
    void (*dots)(size_t, const void *, size_t, const float *, size_t, size_t, float *) =
        outs == 4 ? k->dots[w->dtype] : NULL;
    float wide[PIECE], part[4][WB_LINEAR_FEW];

    memset(sum, 0, 4 * sizeof sum[0]);
    for (size_t i = 0; i < w->in; i += PIECE) {
        size_t len = at_most(w->in - i, PIECE);

        if (dots != NULL)
            dots(len, weight_at(w, out, i), w->in * (wb_dtype_bits(w->dtype) / 8), c->x + i, c->ldx,
                 c->rows, part[0]);
        for (size_t o = 0; dots == NULL && o < outs; o++) {
            wb_kernels()->widen[w->dtype](len, weight_at(w, out + o, i), wide);
            k->dot(len, wide, c->x + i, c->ldx, c->rows, part[o], 1);
        }
        for (size_t o = 0; o < outs; o++)
            for (size_t r = 0; r < c->rows; r++)
                sum[o][r] += part[o][r];
    }
}

static void few_rows_of(const struct wb_linear_call *c, const struct wb_linear_piece *at)
{
    float sum[4][WB_LINEAR_FEW];

    for (size_t o = 0; o < at->outs; o += 4) {
        size_t outs = at_most(at->outs - o, 4);

        few_outs(c, at->product->weight, at->out + o, outs, sum);
        for (size_t i = 0; i < outs; i++)
            for (size_t r = 0; r < c->rows; r++)
                put(at->product, r, at->out + o + i, sum[i][r]);
    }
}

/* Columns of weights: partial sums of BLOCK inputs, so that no sum is long. */
static void few_columns_of(const struct wb_linear_call *c, const struct wb_linear_piece *at)
{
    enum { BLOCK = 128 };
    const struct wb_weight *w = at->product->weight;
    const struct wb_row_kernels *k = wb_row_kernels();
    void (*widen)(size_t, const void *, float *) = wb_kernels()->widen[w->dtype];
    float wide[FEW_COLUMNS], sum[WB_LINEAR_FEW][FEW_COLUMNS] = { { 0 } };
    float part[WB_LINEAR_FEW][FEW_COLUMNS];

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

static size_t outs_of_task(const struct wb_weight *w)
{
    return w->transposed ? FEW_COLUMNS : FEW_OUT;
}

size_t wb_linear_few_tasks(const struct wb_weight *w, size_t rows)
{
    return rows == 0 ? 0 : (w->out + outs_of_task(w) - 1) / outs_of_task(w);
}

void wb_linear_few(struct wb_linear_call *c, const struct wb_linear *p, size_t task, int worker)
{
    size_t outs = outs_of_task(p->weight), out = task * outs;
    struct wb_linear_piece at = { .product = p,
                                  .out = out,
                                  .outs = at_most(p->weight->out - out, outs),
                                  .rows = c->rows,
                                  .worker = worker };

    if (p->weight->transposed)
        few_columns_of(c, &at);
    else
        few_rows_of(c, &at);
}
