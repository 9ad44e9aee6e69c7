/* app/probe/states.h - how alike the states of a model are along its depth, on a text (inspect I1,
 * I2).
 *
 * State 0 is the embedding, state l + 1 the residual stream behind block l. All positions of the
 * windows count, BOS included. */
#ifndef WB_PROBE_STATES_H
#define WB_PROBE_STATES_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/infer/forward.h"

enum wb_state_metric { WB_STATE_CKA, WB_STATE_COSINE, WB_STATE_ANGULAR };

struct wb_states {
    int layers;        /* states: layers + 1 */
    size_t rows;       /* positions looked at */
    double *matrix[3]; /* by metric, [states, states]: linear CKA; mean cosine of a token's states;
                        * mean arccos(cosine) / pi. NaN where it does not exist. */
    double *influence; /* [layers]: 1 - mean cosine over the block (block influence) */
    double *relative_step;            /* [layers]: mean |h[l] - h[l - 1]| / |h[l - 1]| */
    double *norm;                     /* [states]: mean norm of a state */
    size_t zero_rows, nonfinite_rows; /* positions with a state that is zero, or not finite: of
                                       * cosines that state is left out, of CKA (the latter) the
                                       * position */
    size_t cka_rows;                  /* positions that CKA is of */
};

/* Progressive: report (may be NULL) gets what is known after every batch (CKA only when its rows
 * have doubled); false cancels. Work in memory: states of one batch for cosines; for CKA sums of
 * products ((states hidden)^2) or, with fewer rows than states * hidden, all states of its rows.
 * rows_max: CKA takes at most this many evenly spread rows (0: all). Sums are in double and in a
 * fixed order. Free with wb_states_free. */
bool wb_states_run(struct wb_net *net, const struct wb_rows *rows, size_t rows_max,
                   bool (*report)(void *ctx, const struct wb_states *so_far), void *ctx,
                   struct wb_states *out, struct wb_err *err);
void wb_states_free(struct wb_states *s);

/* Rows of x [n, d] against those of y. A row is left out where either is zero or not finite; means
 * over none are NaN. */
struct wb_state_step {
    double cosine, angular; /* means; angular: arccos / pi */
    double relative;        /* mean |y - x| / |x| */
    size_t rows;
};
struct wb_state_step wb_states_compare(size_t n, size_t d, const float *x, const float *y);

/* Linear CKA of x [n, p] and y [n, q], float32, columns centred here; in [0, 1]. WB_EARG when
 * either is constant. Source: arXiv:1905.00414 section 3. */
bool wb_cka(size_t n, size_t p, const float *x, size_t q, const float *y, double *out,
            struct wb_err *err);
/* HSIC_1 of Song et al. with linear kernels: Gram matrices as they are, their diagonals zeroed.
 * WB_EARG for n < 4. 2 n^2 doubles of memory. */
bool wb_hsic1(size_t n, size_t p, const float *x, size_t q, const float *y, double *out,
              struct wb_err *err);
/* The debiased one (HSIC_1, inspect I2.4), n >= 4; may be a little negative. */
bool wb_cka_debiased(size_t n, size_t p, const float *x, size_t q, const float *y, double *out,
                     struct wb_err *err);

#endif
