/* app/infer/attend.h - softmax(scale q k^T, masked) v for all heads of several sequences. */
#ifndef WB_INFER_ATTEND_H
#define WB_INFER_ATTEND_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/core/pool.h"

#define WB_ATTEND_TILE 128 /* query rows of a tile */

struct wb_attend_tile;

/* Strides are in floats; row: one position to the next, head: one head to the next. Query head h
 * uses kv head h / (heads / kv_heads). Query i stands at position keys - queries + i; causal: it
 * sees keys up to its own position, the last `window` of them when window > 0. */
struct wb_attend {
    const float *q, *k, *v;
    size_t q_row, q_head, k_row, k_head, v_row, v_head;
    float *out; /* row stride out_row, heads one behind the other */
    size_t out_row;
    size_t queries, keys;
};

struct wb_attend_how {
    int heads, kv_heads, head_dim;
    float scale, cap; /* cap 0: none, else cap tanh(score / cap) before the mask */
    bool causal;
    int window;
    const float *head_gate; /* factor on each head's output, or NULL */
    /* Weights of each tile, softmax done; NULL: not wanted. Tiles of one (sequence, head) come in
     * order from one worker; different ones at the same time. weight has `keys` columns (masked
     * ones 0), row i is query first + i. */
    void (*see)(void *ctx, const struct wb_attend_tile *tile);
    void *ctx;
};

struct wb_attend_tile {
    size_t sequence;
    int head;
    size_t first, rows; /* query rows within the sequence's new positions */
    size_t position;    /* of the first of them */
    size_t keys;        /* columns of weight: 0 .. keys - 1 are positions */
    const float *weight;
    size_t stride;
};

struct wb_attend_scratch; /* opaque, owned */
struct wb_attend_scratch *wb_attend_scratch_new(struct wb_pool *pool, struct wb_err *err);
void wb_attend_scratch_free(struct wb_attend_scratch *s); /* NULL is fine */
/* One task for each sequence and kv head (a single query of a long past may be cut by keys, in
 * fixed pieces). Softmax in float32 with the row's maximum subtracted. */
bool wb_attend(struct wb_attend_scratch *scratch, const struct wb_attend_how *how,
               const struct wb_attend *sequence, size_t sequences, struct wb_err *err);

#endif
