/* app/infer/linear_impl.h - what the ways of linear.h share. */
#ifndef WB_INFER_LINEAR_IMPL_H
#define WB_INFER_LINEAR_IMPL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/infer/linear.h"
#include "app/infer/row_kernels.h"

struct wb_linear_scratch {
    struct wb_pool *pool;
    float **wide; /* of each worker */
    size_t *room; /* floats */
};

struct wb_linear_call {
    struct wb_linear_scratch *scratch;
    const float *x;
    size_t rows, ldx;
    const struct wb_linear *product;
    size_t count;
    atomic_bool failed; /* no memory */
};

/* A piece of one product. */
struct wb_linear_piece {
    const struct wb_linear *product;
    size_t out, outs, row, rows;
    int worker;
};

/* n cut into equal pieces of at most `most`, of a multiple of `step`. */
struct wb_cut {
    size_t pieces, size;
};

static inline struct wb_cut wb_cut(size_t n, size_t most, size_t step)
{
    size_t pieces = (n + most - 1) / most, size;

    if (pieces == 0)
        return (struct wb_cut){ 0, 0 };
    size = ((n + pieces - 1) / pieces + step - 1) / step * step;
    return (struct wb_cut){ (n + size - 1) / size, size };
}

static inline size_t at_most(size_t n, size_t most)
{
    return n < most ? n : most;
}

/* Packed; column is an input, of a transposed one an output. */
static inline const char *weight_at(const struct wb_weight *w, size_t row, size_t column)
{
    size_t width = w->transposed ? w->out : w->in;

    return (const char *)w->data + (row * width + column) * (wb_dtype_bits(w->dtype) / 8);
}

/* Float32 that can be read where it lies. */
static inline bool weight_is_plain(const struct wb_weight *w)
{
    return w->dtype == WB_DTYPE_F32 && (uintptr_t)w->data % sizeof(float) == 0;
}

/* floats of a worker's own, 64-byte aligned; NULL without memory, and the call has failed. */
float *wb_linear_room(struct wb_linear_call *c, int worker, size_t floats);

size_t wb_linear_many_tasks(const struct wb_weight *w, size_t rows);
void wb_linear_many(struct wb_linear_call *c, const struct wb_linear *p, size_t task, int worker);
size_t wb_linear_few_tasks(const struct wb_weight *w, size_t rows);
void wb_linear_few(struct wb_linear_call *c, const struct wb_linear *p, size_t task, int worker);

#endif
