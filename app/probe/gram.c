/* app/probe/gram.c - one task for each tile of columns, from the diagonal on. */
#include "app/probe/gram.h"

#include <cblas.h>

#define TILE 256 /* columns of a task */

struct adding {
    const double *x;
    size_t rows, width;
    double *sum;
};

static void add_tile(void *ctx, size_t tile, int worker)
{
    const struct adding *a = ctx;
    size_t width = a->width, first = TILE * tile, columns = width - first;

    (void)worker;
    if (columns > TILE)
        columns = TILE;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)columns, (int)(width - first),
                (int)a->rows, 1.0, a->x + first, (int)width, a->x + first, (int)width, 1.0,
                a->sum + first * width + first, (int)width);
}

void wb_gram_add(struct wb_pool *pool, const double *x, size_t rows, size_t width, double *sum)
{
    struct adding a = { x, rows, width, sum };

    wb_pool_run(pool, (width + TILE - 1) / TILE, add_tile, &a);
}
