/* app/tensor/kernel_portable.h - the kernels for which the x86 files have intrinsics, in plain C.
 *
 * Reductions run in blocks of one element a lane, so that the lanes can live in registers. */
#ifndef WB_TENSOR_KERNEL_PORTABLE_H
#define WB_TENSOR_KERNEL_PORTABLE_H

#include "app/tensor/kernel_lanes.h"
#include "app/tensor/kernel_map.h"

CONVERT(f16, load16, store16)
UNARY(sqrt, CALL_EACH)

#define REDUCE(name, params, term)                \
    static void name params                       \
    {                                             \
        double lane[WB_LANES];                    \
        size_t i = 0;                             \
                                                  \
        memcpy(lane, lanes, sizeof lane);         \
        for (; n - i >= WB_LANES; i += WB_LANES)  \
            for (size_t l = 0; l < WB_LANES; l++) \
                lane[l] += term(i + l);           \
        for (size_t l = 0; i + l < n; l++)        \
            lane[l] += term(i + l);               \
        lanes_store(lane, lanes);                 \
    }

#define TERM(i) (double)x[i]
REDUCE(sum, (size_t n, const float *x, double *lanes), TERM)
#undef TERM
#define TERM(i) (double)element_abs(x[i])
REDUCE(sum_abs, (size_t n, const float *x, double *lanes), TERM)
#undef TERM
#define TERM(i) (double)x[i] * (double)x[i]
REDUCE(sum_squares, (size_t n, const float *x, double *lanes), TERM)
#undef TERM
#define TERM(i) (double)x[i] * (double)y[i]
REDUCE(dot, (size_t n, const float *x, const float *y, double *lanes), TERM)
#undef TERM

static void stats(size_t n, const float *x, struct wb_stats *acc, double lanes[2][WB_LANES])
{
    for (size_t i = 0; i < n; i++)
        stats_element(x[i], acc, lanes, i % WB_LANES);
    stats_close(n, acc, lanes);
}

static void pair_stats(size_t n, const float *x, const float *y, struct wb_pair_stats *acc,
                       double lanes[4][WB_LANES])
{
    for (size_t i = 0; i < n; i++)
        pair_element(x[i], y[i], acc, lanes, i % WB_LANES);
    pair_close(n, acc, lanes);
}

static size_t bracket_abs(size_t n, const float *x, uint32_t low, uint32_t high,
                          struct wb_bracket_counts *counts, uint32_t *list)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++)
        bracket_element(wb_key_abs(x[i]), low, high, counts, list, &used);
    return used;
}

static size_t bracket_signed(size_t n, const float *x, uint32_t low, uint32_t high,
                             struct wb_bracket_counts *counts, uint32_t *list)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++)
        bracket_element(key_by_value(x[i]), low, high, counts, list, &used);
    return used;
}

#endif
