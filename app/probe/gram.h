/* app/probe/gram.h - sums of products of columns, on all threads. */
#ifndef WB_PROBE_GRAM_H
#define WB_PROBE_GRAM_H

#include <stddef.h>

#include "app/core/pool.h"

/* sum += x^T x of x [rows, width], upper triangle alone. Tiles are fixed, so that bits do not depend
 * on the number of threads. */
void wb_gram_add(struct wb_pool *pool, const double *x, size_t rows, size_t width, double *sum);
/* sum [width, width] += x^T y of two such. */
void wb_cross_add(struct wb_pool *pool, const double *x, const double *y, size_t rows, size_t width,
                  double *sum);

#endif
