/* app/infer/row_kernels.h - the loops of rowwise.h, linear.h and attend.h, one table a processor.
 *
 * Float32 throughout, nothing fused, so that processors without FMA give the same bits. Sums have
 * WB_LANES lanes, element i in lane i % WB_LANES, folded in halves: of doubles where said, else of
 * floats. A NaN that comes out is the quiet one of kernels.h in exp and what is made of it. */
#ifndef WB_INFER_ROW_KERNELS_H
#define WB_INFER_ROW_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/infer/spec.h"
#include "app/tensor/kernels.h"

#define WB_ACTS (WB_ACT_RELU + 1)
#define WB_PANEL 32    /* outputs of a panel of weights */
#define WB_DEEP 1024   /* inputs of a panel, at most */
#define WB_TILE_ROWS 8 /* rows that pass a panel together, at most */

/* y[rows, outs] = or += x[rows, deep] times a panel, plus bias (NULL: none). */
struct wb_tile {
    const float *x;
    size_t ldx, rows, deep;
    const float *panel; /* [deep, WB_PANEL], 64-byte aligned */
    size_t outs;
    const float *bias;
    bool add;
    float *y;
    size_t ldy;
};

struct wb_row_kernels {
    const char *name; /* of the table in kernels.h that it goes with */

    void (*act[WB_ACTS])(size_t n, float *x);
    void (*gate[WB_ACTS])(size_t n, float *gate, const float *up); /* act(gate) * up */
    void (*exp)(size_t n, const float *x, float *out);
    void (*tanh)(size_t n, const float *x, float *out);
    void (*erf)(size_t n, const float *x, float *out);
    /* Sums of doubles: of x, of (x - mean)^2. */
    double (*sum)(size_t n, const float *x);
    double (*sum_squares)(size_t n, const float *x, double mean);
    /* out = (x - mean) * factor * (weight + more) + bias, in that order; weight and bias may be
     * NULL. */
    void (*normed)(size_t n, const float *x, float mean, float factor, const float *weight,
                   float more, const float *bias, float *out);
    /* a' = a cosine - b sine, b' = b cosine + a sine */
    void (*turn)(size_t n, float *a, float *b, const float *cosine, const float *sine);
    void (*add)(size_t n, float *x, const float *y);
    void (*scale)(size_t n, float *x, float factor);
    void (*cap)(size_t n, float *x, float cap);
    float (*max)(size_t n, const float *x); /* NaN is passed over; -inf when there is none */
    /* x = exp(x - max); their sum */
    float (*exp_sum)(size_t n, float *x, float max);
    double (*exp_sum_double)(size_t n, const float *x, float max);
    /* y[r ldy] = w . x[r ldx ..], 1 <= rows <= WB_LANES / 2 */
    void (*dot)(size_t n, const float *w, const float *x, size_t ldx, size_t rows, float *y,
                size_t ldy);
    /* The same of four packed rows of weights, ldw bytes apart: y[4][WB_LANES / 2]. NULL for some
     * dtypes. */
    void (*dots[WB_DTYPE_COUNT])(size_t n, const void *w, size_t ldw, const float *x, size_t ldx,
                                 size_t rows, float *y);
    /* y += a x */
    void (*axpy)(size_t n, float a, const float *x, float *y);

    /* Products of many rows, fused; NULL in a table that leaves them to sgemm. pack: w [outs,
     * deep] (row stride ldw) to a panel, zeros beyond outs. */
    void (*pack)(size_t outs, size_t deep, const float *w, size_t ldw, float *panel);
    void (*tile)(const struct wb_tile *t);
};

/* That of the table wb_kernels() stands for. */
const struct wb_row_kernels *wb_row_kernels(void);

extern const struct wb_row_kernels wb_row_scalar, wb_row_avx2, wb_row_avx512, wb_row_neon;

#endif
