/* app/graph/dense_impl.h - what the files of dense.h share. */
#ifndef WB_GRAPH_DENSE_IMPL_H
#define WB_GRAPH_DENSE_IMPL_H

#include <lapacke.h>
#include <stddef.h>

#include "app/graph/dense.h"

static inline bool is_f32(const struct wb_mat *a)
{
    return a->dtype == WB_DTYPE_F32;
}

static inline size_t item_size(const struct wb_mat *a)
{
    return is_f32(a) ? sizeof(float) : sizeof(double);
}

static inline size_t mat_bytes(const struct wb_mat *a)
{
    return a->rows * a->cols * item_size(a);
}

static inline double get(const struct wb_mat *a, size_t i)
{
    return is_f32(a) ? (double)((const float *)a->data)[i] : ((const double *)a->data)[i];
}

static inline void set(struct wb_mat *a, size_t i, double value)
{
    if (is_f32(a))
        ((float *)a->data)[i] = (float)value;
    else
        ((double *)a->data)[i] = value;
}

static inline size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Zeroed; `data` is owned (free), NULL on failure. */
bool wb_mat_new(struct wb_mat *m, enum wb_dtype dtype, size_t rows, size_t cols,
                struct wb_err *err);
bool wb_mat_copy(struct wb_mat *m, const struct wb_mat *a, struct wb_err *err);
/* WB_ESHAPE unless m is rows x cols of the dtype of `like`, which is F32 or F64. */
bool wb_mat_check_shape(const struct wb_mat *m, const struct wb_mat *like, const char *name,
                        size_t rows, size_t cols, struct wb_err *err);
/* WB_ENUMERIC unless all entries are finite: LAPACK does not promise to end when there is a NaN. */
bool wb_mat_check_finite(const struct wb_mat *a, const char *name, struct wb_err *err);
/* info < 0: memory, or an argument of ours; > 0: WB_ENUMERIC with what `positive` says. */
bool wb_lapack_check(lapack_int info, const char *routine, const char *positive,
                     struct wb_err *err);

#endif
