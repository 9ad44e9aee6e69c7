/* app/infer/linear_many.c - tiles of many rows and many outputs.
 *
 * Where the table has its own tile kernel, weights go straight from their dtype into panels of
 * WB_PANEL outputs, WB_DEEP inputs at a time, which stay in the second-level cache while all rows of
 * the tile pass; x is read where it lies. An output is then a sum of the sums over each WB_DEEP
 * inputs and depends on nothing else in the call. Elsewhere the tile is widened for sgemm. */
#include <assert.h>
#include <cblas.h>
#include <string.h>

#include "app/infer/linear_impl.h"

#define TILE_OUT 256
#define TILE_ROWS 1024
#define STRIP 128 /* inputs widened at a time on their way into a panel */

static struct wb_cut cut_outs(const struct wb_weight *w)
{
    return wb_cut(w->out, TILE_OUT, WB_PANEL);
}

static struct wb_cut cut_rows(size_t rows)
{
    return wb_cut(rows, TILE_ROWS, 8);
}

size_t wb_linear_many_tasks(const struct wb_weight *w, size_t rows)
{
    return cut_outs(w).pieces * cut_rows(rows).pieces;
}

/* --- our own tiles ----------------------------------------------------------------------------- */

/* Outputs out .. + outs - 1 <= WB_PANEL, inputs in .. + deep - 1 of [out, in] weights, in strips
 * through a buffer in the first-level cache. */
static void pack_rows(const struct wb_weight *w, size_t out, size_t outs, size_t in, size_t deep,
                      float *panel)
{
    void (*widen)(size_t, const void *, float *) = wb_kernels()->widen[w->dtype];
    float wide[WB_PANEL * (STRIP + 16)]; /* rows a line apart in the cache's sets */

    for (size_t i = 0; i < deep; i += STRIP) {
        size_t len = at_most(deep - i, STRIP);

        for (size_t o = 0; o < outs; o++)
            widen(len, weight_at(w, out + o, in + i), wide + o * (STRIP + 16));
        wb_row_kernels()->pack(outs, len, wide, STRIP + 16, panel + i * WB_PANEL);
    }
}

static void pack_panel(const struct wb_weight *w, size_t out, size_t outs, size_t in, size_t deep,
                       float *panel)
{
    if (!w->transposed && weight_is_plain(w)) {
        wb_row_kernels()->pack(outs, deep, (const void *)weight_at(w, out, in), w->in, panel);
    } else if (!w->transposed) {
        pack_rows(w, out, outs, in, deep, panel);
    } else {
        memset(panel, 0, deep * WB_PANEL * sizeof *panel);
        for (size_t i = 0; i < deep; i++)
            wb_kernels()->widen[w->dtype](outs, weight_at(w, in + i, out), panel + i * WB_PANEL);
    }
}

static void multiply_panels(struct wb_linear_call *c, const struct wb_linear_piece *at,
                            float *panels)
{
    const struct wb_linear *p = at->product;
    const struct wb_weight *w = p->weight;

    for (size_t in = 0; in < w->in; in += WB_DEEP) {
        size_t deep = at_most(w->in - in, WB_DEEP);

        for (size_t o = 0; o < at->outs; o += WB_PANEL)
            pack_panel(w, at->out + o, at_most(at->outs - o, WB_PANEL), in, deep,
                       panels + o * deep);
        for (size_t r = at->row; r < at->row + at->rows; r += WB_TILE_ROWS)
            for (size_t o = 0; o < at->outs; o += WB_PANEL)
                wb_row_kernels()->tile(&(struct wb_tile){
                    .x = c->x + r * c->ldx + in,
                    .ldx = c->ldx,
                    .rows = at_most(at->row + at->rows - r, WB_TILE_ROWS),
                    .deep = deep,
                    .panel = panels + o * deep,
                    .outs = at_most(at->outs - o, WB_PANEL),
                    .bias = in == 0 && w->bias != NULL ? w->bias + at->out + o : NULL,
                    .add = p->add || in > 0,
                    .y = p->y + r * p->ldy + at->out + o,
                    .ldy = p->ldy });
    }
}

/* --- sgemm ------------------------------------------------------------------------------------- */

/* The weights of the piece's outputs, [outs, in] or transposed [in, outs], widened. */
static void widen_tile(const struct wb_weight *w, size_t out, size_t outs, float *wide)
{
    void (*widen)(size_t, const void *, float *) = wb_kernels()->widen[w->dtype];

    if (!w->transposed) {
        widen(outs * w->in, weight_at(w, out, 0), wide);
        return;
    }
    for (size_t i = 0; i < w->in; i++)
        widen(outs, weight_at(w, i, out), wide + i * outs);
}

/* What sgemm adds to. */
static void start_rows(const struct wb_linear_piece *at)
{
    const struct wb_linear *p = at->product;
    const float *bias = p->weight->bias + at->out;

    for (size_t r = at->row; r < at->row + at->rows; r++) {
        float *y = p->y + r * p->ldy + at->out;

        if (p->add)
            wb_row_kernels()->add(at->outs, y, bias);
        else
            memcpy(y, bias, at->outs * sizeof *y);
    }
}

static void multiply_blas(struct wb_linear_call *c, const struct wb_linear_piece *at)
{
    const struct wb_linear *p = at->product;
    const struct wb_weight *w = p->weight;
    size_t first = w->transposed ? 0 : at->out, ldw = w->in;
    const float *wide = (const void *)weight_at(w, first, w->transposed ? at->out : 0);

    if (w->transposed)
        ldw = weight_is_plain(w) ? w->out : at->outs;
    if (!weight_is_plain(w)) {
        float *room = wb_linear_room(c, at->worker, at->outs * w->in);

        if (room == NULL)
            return;
        widen_tile(w, at->out, at->outs, room);
        wide = room;
    }
    if (w->bias != NULL)
        start_rows(at);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, w->transposed ? CblasNoTrans : CblasTrans,
                (int)at->rows, (int)at->outs, (int)w->in, 1.0f, c->x + at->row * c->ldx,
                (int)c->ldx, wide, (int)ldw, p->add || w->bias != NULL ? 1.0f : 0.0f,
                p->y + at->row * p->ldy + at->out, (int)p->ldy);
}

/* --- both -------------------------------------------------------------------------------------- */

void wb_linear_many(struct wb_linear_call *c, const struct wb_linear *p, size_t task, int worker)
{
    struct wb_cut outs = cut_outs(p->weight), rows = cut_rows(c->rows);
    struct wb_linear_piece at = { .product = p, .worker = worker };
    float *panels;

    assert(rows.pieces > 0); /* a call has rows */
    at.out = task / rows.pieces * outs.size;
    at.row = task % rows.pieces * rows.size;
    at.outs = at_most(p->weight->out - at.out, outs.size);
    at.rows = at_most(c->rows - at.row, rows.size);
    if (wb_row_kernels()->tile == NULL) {
        multiply_blas(c, &at);
        return;
    }
    panels = wb_linear_room(c, worker, (size_t)TILE_OUT * WB_DEEP);
    if (panels != NULL)
        multiply_panels(c, &at, panels);
}
