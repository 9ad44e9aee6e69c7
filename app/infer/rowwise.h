/* app/infer/rowwise.h - what happens to rows between the products: norms, activations, rotary
 * positions, softmax. Pure functions on float32 rows, the same bits in every kernel table.
 *
 * The table is chosen with wb_kernels() (WB_KERNELS forces it here too); sums have 16 float64 or
 * float32 lanes with a fixed fold, exp, tanh and erf are our own polynomials, in float32 within
 * 2 units in the last place. */
#ifndef WB_INFER_ROWWISE_H
#define WB_INFER_ROWWISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/infer/spec.h"

/* out = norm(x) of n rows of `width`, row strides ldx and ldo; x and out may be the same. weight is
 * as stored (PLUS_ONE adds the 1), bias only of WB_NORM_LAYER, may be NULL; weight NULL: ones. */
void wb_norm_rows(enum wb_norm norm, size_t n, size_t width, const float *x, size_t ldx,
                  const float *weight, const float *bias, double eps, float *out, size_t ldo);
/* Each head's head_dim values of n rows normed in place (q_norm, k_norm); strides as in attend.h. */
void wb_norm_heads(enum wb_norm norm, size_t n, int heads, int head_dim, float *x, size_t row,
                   size_t head, const float *weight, const float *bias, double eps);
/* x = act(x) of n rows of width. */
void wb_act_rows(enum wb_act act, size_t n, size_t width, float *x, size_t ldx);
/* gate = act(gate) * up. */
void wb_gate_rows(enum wb_act act, size_t n, size_t width, float *gate, size_t ldg, const float *up,
                  size_t ldu);
/* Turn the first `dims` of every head (rotate-half) of n rows: row i by cosine[i], sine[i] (dims /
 * 2 each, row stride dims / 2). */
void wb_rope_rows(size_t n, int heads, int dims, float *x, size_t row, size_t head,
                  const float *cosine, const float *sine);
/* x += y */
void wb_add_rows(size_t n, size_t width, float *x, size_t ldx, const float *y, size_t ldy);
/* c tanh(x / c) */
void wb_cap(size_t n, float *x, float cap);
/* In place; gives nothing back of -inf (all -inf: zeros). */
void wb_softmax(size_t n, float *x);
/* log of the sum of exp of n logits, in double; NaN when one is NaN. */
double wb_log_sum_exp(size_t n, const float *x);
/* Position of the largest (the first of equals; NaN never wins); n when all are NaN. */
size_t wb_argmax(size_t n, const float *x);

#endif
