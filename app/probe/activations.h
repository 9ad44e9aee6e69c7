/* app/probe/activations.h - numbers caught during a pass: residual streams at some positions, Gram
 * matrices of what linear layers read. */
#ifndef WB_PROBE_ACTIVATIONS_H
#define WB_PROBE_ACTIVATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/infer/forward.h"

/* Position number i of n that are spread evenly over `rows` positions (n <= rows < 2^32). */
static inline size_t wb_spread_row(size_t i, size_t n, size_t rows)
{
    return i * rows / n;
}

/* States first .. first + states - 1 (of layers + 1, state 0 is the embedding) at n evenly spread
 * positions: out is [states, n, hidden]. n from 1 to the number of rows. Layers behind the last
 * state do not run. */
bool wb_activations_states(struct wb_net *net, const struct wb_rows *rows, int first, int states,
                           size_t n, float *out, struct wb_err *err);

/* What linear layers read: the sum of x x^T over all rows x [width], float64. */
struct wb_input_gram {
    int layer;
    const char *input; /* "q", "o", "gate" or "up", "down": as wb_net_taps calls it */
    double *value;     /* [width, width], symmetric */
    size_t width, rows;
    bool finite;
};

/* The input that a tensor of a role reads ("k" reads "q"); NULL: none that a tap sees. */
const char *wb_input_of_role(const struct wb_spec *spec, const char *role);

/* Every input of layers first on: take gets them layer by layer (borrowed during the call), false
 * is enough. Memory is that of one layer: 8 width^2 bytes for each of its inputs. width^2 products a
 * row; sums are in fixed pieces. */
bool wb_activations_grams(struct wb_net *net, const struct wb_rows *rows, int first,
                          bool (*take)(void *ctx, const struct wb_input_gram *gram), void *ctx,
                          struct wb_err *err);

#endif
