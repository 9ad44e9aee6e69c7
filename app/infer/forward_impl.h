/* app/infer/forward_impl.h - a net and one call on it, as the files of the forward pass share them.
 */
#ifndef WB_INFER_FORWARD_IMPL_H
#define WB_INFER_FORWARD_IMPL_H

#include "app/core/arena.h"
#include "app/core/pool.h"
#include "app/infer/forward.h"
#include "app/infer/linear.h"
#include "app/infer/weights.h"

/* cos and sin of positions first .. first + count - 1, made for sequences of `positions`; or
 * (by_row) of every row of a call, whose sequences have frequencies of their own. */
struct wb_turns {
    float *cosine, *sine;
    size_t first, count, room, positions;
    bool by_row;
};

struct wb_net {
    struct wb_model *model;
    struct wb_arena arena; /* of the spec */
    struct wb_spec spec;
    struct wb_weights *weights;
    struct wb_pool *pool;
    struct wb_linear_scratch *linear;
    struct wb_attend_scratch *attend;
    const atomic_bool *cancel;
    struct wb_turns turns[WB_SPEC_ROPES];
    float *work; /* of one batch */
    size_t work_floats;
    bool nonfinite;
};

struct wb_past {
    float *k, *v; /* [layers, room, kv_heads * head_dim] */
    size_t layers, room, width, count;
};

/* One call of wb_net_run. */
struct wb_net_call {
    struct wb_net *net;
    const struct wb_rows *rows;
    const struct wb_net_taps *taps; /* not NULL: an empty one stands for none */
    float *x;                       /* [total, hidden]: the residual stream */
    uint32_t *position;             /* of every row */
    size_t total;
    struct wb_attend *sequence; /* of a batch */
};

/* Whole sequences that go through a layer together. */
struct wb_net_batch {
    size_t first, end; /* sequences */
    size_t row, rows;
};

/* The memory of a batch. qkv [rows, q + 2 k], heads [rows, q] and gate_up [rows, 2 f] share it. */
struct wb_net_work {
    float *normed, *branch; /* [rows, hidden] */
    float *qkv, *heads, *gate_up;
};

/* Call fn over 0 .. rows - 1 in pieces, on all threads when it is worth it. */
void wb_net_each(struct wb_net *net, size_t rows, void (*fn)(void *ctx, size_t first, size_t n),
                 void *ctx);
/* Row `row` of a packed table, widened. */
void wb_net_table_row(const struct wb_weight *table, size_t row, float *out);

/* Fill call->x with state 0. */
bool wb_net_embed_rows(const struct wb_net_call *call, struct wb_err *err);
/* x of the batch through one layer. */
bool wb_net_layer(const struct wb_net_call *call, const struct wb_net_batch *b,
                  const struct wb_net_work *work, int layer, const struct wb_layer_weights *w,
                  struct wb_err *err);

#endif
