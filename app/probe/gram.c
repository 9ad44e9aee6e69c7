/* app/probe/gram.c - one task for each tile of columns, from the diagonal on. */
#include "app/probe/gram.h"

#include <cblas.h>

#define TILE 256 /* columns of a task */

struct adding {
    const double *x, *y; /* y NULL: x, and the upper triangle alone */
    size_t rows, width;
    double *sum;
};

static void add_tile(void *ctx, size_t tile, int worker)
{
    const struct adding *a = ctx;
    size_t width = a->width, first = TILE * tile, columns = width - first;
    size_t from = a->y == NULL ? first : 0;

    (void)worker;
    if (columns > TILE)
        columns = TILE;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)columns, (int)(width - from),
                (int)a->rows, 1.0, a->x + first, (int)width, (a->y == NULL ? a->x : a->y) + from,
                (int)width, 1.0, a->sum + first * width + from, (int)width);
}

void wb_gram_add(struct wb_pool *pool, const double *x, size_t rows, size_t width, double *sum)
{
    struct adding a = { .x = x, .rows = rows, .width = width };

    a.sum = sum;
    wb_pool_run(pool, (width + TILE - 1) / TILE, add_tile, &a);
}

void wb_cross_add(struct wb_pool *pool, const double *x, const double *y, size_t rows, size_t width,
                  double *sum)
{
    struct adding a = { .x = x, .y = y, .rows = rows, .width = width };

    a.sum = sum;
    wb_pool_run(pool, (width + TILE - 1) / TILE, add_tile, &a);
}
