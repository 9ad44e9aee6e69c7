/* app/infer/linear.h - products with weights: y = x W^T + b for a batch of rows or for a few.
 *
 * Many rows: fixed tiles of outputs are widened to float32 in cache and go through single-threaded
 * sgemm, one task a tile, so that bits do not depend on the number of threads. Few rows (a token at
 * a time): a kernel of our own that reads the packed weights once, at the speed of memory. */
#ifndef WB_INFER_LINEAR_H
#define WB_INFER_LINEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/core/pool.h"
#include "app/tensor/dtype.h"

/* A packed matrix in memory: [out, in] row by row, or (transposed) [in, out]. */
struct wb_weight {
    const void *data; /* NULL: there is none */
    enum wb_dtype dtype;
    size_t out, in;
    bool transposed;
    const float *bias; /* out of them, or NULL */
};

struct wb_linear {
    const struct wb_weight *weight;
    float *y; /* [rows, out], row stride ldy */
    size_t ldy;
    bool add; /* y += instead of y = */
};

/* Several products of one x [rows, in] (row stride ldx) at once. Memory for widening belongs to
 * the pool's workers and is kept between calls in *scratch. */
struct wb_linear_scratch; /* opaque, owned */
struct wb_linear_scratch *wb_linear_scratch_new(struct wb_pool *pool, struct wb_err *err);
void wb_linear_scratch_free(struct wb_linear_scratch *s); /* NULL is fine */
bool wb_linear(struct wb_linear_scratch *scratch, const float *x, size_t rows, size_t ldx,
               const struct wb_linear *product, size_t count, struct wb_err *err);

/* Up to this many rows take the kernel for few. Bits of one row differ between the two ways. */
#define WB_LINEAR_FEW 8

#endif
