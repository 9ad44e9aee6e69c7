/* app/infer/forward.h - run a model: token ids or images in, states, logits, embeddings out.
 *
 * A net is a model with its weights at hand and threads to use them. Work goes layer by layer over
 * all rows given, so that weights that do not fit in memory are read once a call; within a layer,
 * fixed batches of whole sequences (WB_NET_BATCH_ROWS) are taken one by one. Sequences are packed
 * one behind the other without padding and never see each other.
 *
 * Arithmetic is float32 on the weights as stored. Bits do not depend on threads, budget or on what
 * other batches are in the call; they may depend on the sequences of the same batch (through the
 * tiles of sgemm) and on OpenBLAS' core type. */
#ifndef WB_INFER_FORWARD_H
#define WB_INFER_FORWARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/core/pool.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"
#include "app/infer/attend.h"
#include "app/infer/spec.h"
#include "app/infer/weights.h"

#define WB_NET_BATCH_ROWS 2048

struct wb_net; /* opaque; one call at a time */

/* how: threads, budget, cache (for reading an unwritten model), cancel (polled in every layer of
 * every batch; may point to something that lives as long as the net). stack as for wb_spec_of. The
 * model is referenced. Owned; NULL on failure. */
struct wb_net *wb_net_open(struct wb_model *model, const char *stack, const struct wb_eval *how,
                           struct wb_err *err);
void wb_net_close(struct wb_net *net); /* NULL is fine */
const struct wb_spec *wb_net_spec(const struct wb_net *net);
struct wb_model *wb_net_model(const struct wb_net *net); /* borrowed */
struct wb_weights *wb_net_weights(struct wb_net *net);   /* borrowed */
/* A NaN or an infinity was met in a final state or a logit since the net was opened: figures that
 * came of it are to be flagged. */
bool wb_net_nonfinite(const struct wb_net *net);
/* Its threads, for work on what it gave; idle between calls. Borrowed. */
struct wb_pool *wb_net_pool(const struct wb_net *net);
/* Another flag from the next call on (NULL: none): for a net that outlives the work it was opened
 * for. */
void wb_net_set_cancel(struct wb_net *net, const atomic_bool *cancel);

/* Keys and values of the past of one sequence, for generation. */
struct wb_past; /* opaque */
struct wb_past *wb_past_new(const struct wb_net *net, size_t positions, struct wb_err *err);
void wb_past_free(struct wb_past *past);                  /* NULL is fine */
size_t wb_past_count(const struct wb_past *past);         /* positions in it */
void wb_past_cut(struct wb_past *past, size_t positions); /* forget those behind */

/* Sequences, packed. */
struct wb_rows {
    const int32_t *token; /* start[sequences] of them; every one in 0 .. vocab - 1 */
    const float *image;   /* of a vision net instead: [sequences, channels, rows, columns] */
    const size_t *start;  /* sequences + 1 offsets, from 0; of images NULL */
    size_t sequences;
    struct wb_past *const *past; /* one a sequence, each another: tokens go on behind it; or NULL */
};

/* Rows in front of sequence i: start[i]; of a vision net i * (patches + 1). */
size_t wb_rows_start(const struct wb_net *net, const struct wb_rows *rows, size_t sequence);
/* First sequence behind the batch that begins at `first`: to cut work at whole batches. */
size_t wb_rows_batch_end(const struct wb_net *net, const struct wb_rows *rows, size_t first);

/* What to look at on the way. Any function may be NULL; false with err stops. State 0 is the
 * embedding (behind its norm, for those that have one), state l + 1 the residual stream behind
 * block l. first_row counts over all rows. */
struct wb_net_taps {
    void *ctx;
    bool (*state)(void *ctx, int state, size_t first_row, size_t rows, const float *x,
                  struct wb_err *err);
    /* Input [rows, width] of the linear layers of that role ("q" for q, k, v and qkv; "o"; "gate"
     * for gate, up, gate_up; of a plain feed-forward "up"; "down"), before they run. Input of "o"
     * is heads * head_dim: what each head read. */
    bool (*input)(void *ctx, int layer, const char *role, size_t first_row, size_t rows,
                  size_t width, const float *x, struct wb_err *err);
    /* Called by workers; tiles of one (sequence, head) in order. sequence counts over all. */
    void (*attention)(void *ctx, int layer, const struct wb_attend_tile *tile);
    const float *head_gate; /* [layers, heads]: factor on a head's output; NULL: all 1 */
};

/* Final states [rows, hidden] behind the final norm (where there is one) into out (may be NULL).
 * WB_EARG: token out of range, more positions than learned ones or the past has room for. */
bool wb_net_run(struct wb_net *net, const struct wb_rows *rows, const struct wb_net_taps *taps,
                float *out, struct wb_err *err);
/* Logits [n, width] of n final states: over the vocabulary, of a vision net over the classes.
 * WB_ENOTFOUND when the model has no such head. */
bool wb_net_logits(struct wb_net *net, const float *state, size_t n, float *out,
                   struct wb_err *err);
size_t wb_net_logits_width(const struct wb_net *net); /* 0: no head */
/* Embeddings [sequences, width], pooled as spec.pooling says and through CLIP's projection, from
 * the final states of rows. */
bool wb_net_embed(struct wb_net *net, const struct wb_rows *rows, const float *state, float *out,
                  struct wb_err *err);
size_t wb_net_embed_width(const struct wb_net *net);

#endif
