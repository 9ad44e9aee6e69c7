/* app/infer/linear.c - tiles of many rows through sgemm, of few rows through dot products.
 *
 * Tasks are pieces of outputs of all products of a call, so that small layers keep every thread
 * busy too; where the pieces are cut follows from the shapes alone. */
#include "app/infer/linear.h"

#include <cblas.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "app/infer/row_kernels.h"

#define TILE_OUT 256  /* outputs of a tile of many rows */
#define TILE_ROWS 512 /* its rows */
#define FEW_OUT 64    /* outputs of a piece of few rows */
#define FEW_BUFFER 4096

struct wb_linear_scratch {
    struct wb_pool *pool;
    float **wide; /* of each worker */
    size_t *room; /* floats */
};

struct call {
    struct wb_linear_scratch *scratch;
    const float *x;
    size_t rows, ldx;
    const struct wb_linear *product;
    size_t count;
    atomic_bool failed;
};

/* A piece of one product. */
struct piece {
    const struct wb_linear *product;
    size_t out, outs, row, rows;
    int worker;
};

struct wb_linear_scratch *wb_linear_scratch_new(struct wb_pool *pool, struct wb_err *err)
{
    size_t threads = (size_t)wb_pool_threads(pool);
    struct wb_linear_scratch *s = calloc(1, sizeof *s);

    if (s != NULL) {
        s->pool = pool;
        s->wide = calloc(threads, sizeof(float *));
        s->room = calloc(threads, sizeof *s->room);
    }
    if (s == NULL || s->wide == NULL || s->room == NULL) {
        wb_linear_scratch_free(s);
        wb_fail(err, WB_ENOMEM, "no memory for the products of %zu threads", threads);
        return NULL;
    }
    return s;
}

void wb_linear_scratch_free(struct wb_linear_scratch *s)
{
    if (s == NULL)
        return;
    for (int i = 0; s->wide != NULL && i < wb_pool_threads(s->pool); i++)
        free(s->wide[i]);
    free(s->wide);
    free(s->room);
    free(s);
}

/* floats of a worker's own; NULL without memory. */
static float *room_for(struct wb_linear_scratch *s, int worker, size_t floats)
{
    if (s->room[worker] < floats) {
        free(s->wide[worker]);
        s->wide[worker] = aligned_alloc(64, (floats * sizeof(float) + 63) & ~(size_t)63);
        s->room[worker] = s->wide[worker] != NULL ? floats : 0;
    }
    return s->wide[worker];
}

static size_t pieces_of(size_t n, size_t piece)
{
    return (n + piece - 1) / piece;
}

static const char *weight_at(const struct wb_weight *w, size_t row, size_t column)
{
    size_t width = w->transposed ? w->out : w->in;

    return (const char *)w->data + (row * width + column) * (wb_dtype_bits(w->dtype) / 8);
}

static size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

/* --- many rows --------------------------------------------------------------------------------- */

/* The weights of outputs `out` on, [outs, in] or transposed [in, outs], widened. */
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

static void start_rows(const struct wb_linear *p, const struct piece *at)
{
    const float *bias = p->weight->bias != NULL ? p->weight->bias + at->out : NULL;

    for (size_t r = 0; r < at->rows; r++) {
        float *y = p->y + (at->row + r) * p->ldy + at->out;

        if (p->add)
            wb_row_kernels()->add(at->outs, y, bias);
        else
            memcpy(y, bias, at->outs * sizeof *y);
    }
}

static void multiply_tile(struct call *c, const struct piece *at)
{
    const struct wb_linear *p = at->product;
    const struct wb_weight *w = p->weight;
    bool plain = w->dtype == WB_DTYPE_F32 && (uintptr_t)w->data % sizeof(float) == 0;
    size_t ldw = w->transposed ? (plain ? w->out : at->outs) : w->in;
    const float *wide =
        (const void *)(w->transposed ? weight_at(w, 0, at->out) : weight_at(w, at->out, 0));

    if (!plain) {
        float *room = room_for(c->scratch, at->worker, at->outs * w->in);

        if (room == NULL) {
            atomic_store(&c->failed, true);
            return;
        }
        widen_tile(w, at->out, at->outs, room);
        wide = room;
    }
    if (w->bias != NULL)
        start_rows(p, at);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, w->transposed ? CblasNoTrans : CblasTrans,
                (int)at->rows, (int)at->outs, (int)w->in, 1.0f, c->x + at->row * c->ldx,
                (int)c->ldx, wide, (int)ldw, p->add || w->bias != NULL ? 1.0f : 0.0f,
                p->y + at->row * p->ldy + at->out, (int)p->ldy);
}

static void many_task(void *ctx, size_t task, int worker)
{
    struct call *c = ctx;

    for (size_t i = 0; i < c->count; i++) {
        const struct wb_linear *p = &c->product[i];
        size_t deep = pieces_of(c->rows, TILE_ROWS);
        size_t tiles = pieces_of(p->weight->out, TILE_OUT) * deep;

        if (task < tiles) {
            struct piece at = { .product = p,
                                .out = task / deep * TILE_OUT,
                                .row = task % deep * TILE_ROWS,
                                .worker = worker };

            at.outs = at_most(p->weight->out - at.out, TILE_OUT);
            at.rows = at_most(c->rows - at.row, TILE_ROWS);
            multiply_tile(c, &at);
            return;
        }
        task -= tiles;
    }
}

/* --- few rows ---------------------------------------------------------------------------------- */

static void put(const struct wb_linear *p, size_t row, size_t out, float value)
{
    float *y = p->y + row * p->ldy + out;

    if (p->weight->bias != NULL)
        value += p->weight->bias[out];
    *y = p->add ? *y + value : value;
}

/* Rows of weights, one behind the other: each is widened in pieces that stay in the first cache. */
static void few_rows_of(struct call *c, const struct piece *at)
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
static void few_columns_of(struct call *c, const struct piece *at)
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

static void few_task(void *ctx, size_t task, int worker)
{
    struct call *c = ctx;

    for (size_t i = 0; i < c->count; i++) {
        const struct wb_weight *w = c->product[i].weight;
        size_t pieces = pieces_of(w->out, FEW_OUT);

        if (task < pieces) {
            struct piece at = { .product = &c->product[i],
                                .out = task * FEW_OUT,
                                .outs = at_most(w->out - task * FEW_OUT, FEW_OUT),
                                .rows = c->rows,
                                .worker = worker };

            if (w->transposed)
                few_columns_of(c, &at);
            else
                few_rows_of(c, &at);
            return;
        }
        task -= pieces;
    }
}

/* --- all of it --------------------------------------------------------------------------------- */

static bool check_shapes(const struct call *c, struct wb_err *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct wb_weight *w = c->product[i].weight;

        if (wb_kernels()->widen[w->dtype] == NULL)
            return wb_fail(err, WB_ESHAPE, "a product with weights of dtype %s",
                           wb_dtype_name(w->dtype));
        if (c->rows > INT_MAX || w->in > INT_MAX || w->out > INT_MAX || c->ldx > INT_MAX ||
            c->product[i].ldy > INT_MAX)
            return wb_fail(err, WB_ESHAPE,
                           "a product of %zu rows with %zu x %zu weights: too large", c->rows,
                           w->out, w->in);
    }
    return true;
}

bool wb_linear(struct wb_linear_scratch *scratch, const float *x, size_t rows, size_t ldx,
               const struct wb_linear *product, size_t count, struct wb_err *err)
{
    struct call c = {
        .scratch = scratch, .x = x, .rows = rows, .ldx = ldx, .product = product, .count = count
    };
    bool few = rows <= WB_LINEAR_FEW;
    size_t tasks = 0;

    if (!check_shapes(&c, err))
        return false;
    for (size_t i = 0; i < count; i++)
        tasks += few ? pieces_of(product[i].weight->out, FEW_OUT)
                     : pieces_of(product[i].weight->out, TILE_OUT) * pieces_of(rows, TILE_ROWS);
    if (rows == 0)
        return true;
    wb_pool_run(scratch->pool, tasks, few ? few_task : many_task, &c);
    if (atomic_load(&c.failed))
        return wb_fail(err, WB_ENOMEM, "no memory to widen a tile of weights");
    return true;
}
