/* app/probe/states_impl.h - linear CKA of all pairs of states, from rows as they come. */
#ifndef WB_PROBE_STATES_IMPL_H
#define WB_PROBE_STATES_IMPL_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/core/pool.h"

/* Rows are states side by side, [states * hidden] each, less the first row that came: what is
 * constant is exactly zero. Either their sums of products are kept (many rows), or they themselves
 * and Gram matrices [rows, rows] are made, tile by tile. */
struct wb_cka_rows {
    size_t states, hidden, width; /* width: states * hidden */
    size_t rows, room;            /* there are, there may be */
    float *first;                 /* [width] */
    float *kept;                  /* [room, width], or NULL */
    double *product, *sum;        /* [width, width], upper triangle; [width]; or NULL */
    double *wide;                 /* rows that wait to be summed, of `rows` the last */
    size_t waiting;
};

/* For `room` rows in all. Free with wb_cka_rows_free. */
bool wb_cka_rows_init(struct wb_cka_rows *c, size_t states, size_t hidden, size_t room,
                      struct wb_err *err);
void wb_cka_rows_free(struct wb_cka_rows *c);
/* A row whose state s stands at x + s * stride. */
void wb_cka_rows_add(struct wb_cka_rows *c, struct wb_pool *pool, const float *x, size_t stride);
/* out [states, states]; NaN where a state is constant or there are fewer than 2 rows. Before the last
 * rows have come, those that wait are left out, so that looking in between changes no bit of what
 * comes out at last. */
bool wb_cka_rows_get(struct wb_cka_rows *c, struct wb_pool *pool, bool last, double *out,
                     struct wb_err *err);

#endif
