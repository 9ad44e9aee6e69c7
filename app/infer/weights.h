/* app/infer/weights.h - a model's weights in memory, in the roles in which a pass uses them.
 *
 * They come through wb_evaluate, written as their own dtype: what an unwritten merge computes with
 * is bit for bit what a run would write and a later pass would read. What fits the budget stays;
 * else the layers come and go one at a time, and what belongs to no layer stays. */
#ifndef WB_INFER_WEIGHTS_H
#define WB_INFER_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"
#include "app/infer/linear.h"
#include "app/infer/spec.h"

/* A norm, widened; NULL where there is none. */
struct wb_norm_weight {
    const float *weight, *bias;
};

/* Of one layer. Fused ones (qkv, gate_up) stand in q and gate alone, with k, v and up empty. */
struct wb_layer_weights {
    struct wb_weight q, k, v, o, gate, up, down;
    struct wb_norm_weight attn_norm, attn_post_norm, ffn_norm, ffn_post_norm, q_norm, k_norm;
    bool qkv, qkv_by_head, gate_up;
};

/* Of none: those of the wrong stack are left out. */
struct wb_shared_weights {
    struct wb_weight embed, pos_embed, type_embed, patch_embed, cls_token;
    struct wb_weight embed_proj, head_proj; /* OPT's project_in, project_out */
    struct wb_weight lm_head, classifier, projection, pooler;
    struct wb_norm_weight embed_norm, final_norm;
    bool tied; /* lm_head is the embedding */
};

struct wb_weights; /* opaque */

/* spec and model must outlive it. WB_ENOTFOUND names a role and layer that the pass needs and the
 * model does not have; WB_ESHAPE a tensor whose shape does not fit the config. `how`: threads,
 * budget, cache and cancel; the budget is for the weights. Owned; NULL on failure. */
struct wb_weights *wb_weights_open(struct wb_model *model, const struct wb_spec *spec,
                                   const struct wb_eval *how, struct wb_err *err);
void wb_weights_close(struct wb_weights *w); /* NULL is fine */
/* Another flag for what is read from now on; NULL: none. */
void wb_weights_set_cancel(struct wb_weights *w, const atomic_bool *cancel);
/* Is everything in memory? */
bool wb_weights_resident(const struct wb_weights *w);
uint64_t wb_weights_bytes(const struct wb_weights *w); /* of all of them, packed */
const struct wb_shared_weights *wb_weights_shared(const struct wb_weights *w);
/* Borrowed until the next call for another layer (a resident one: until close). NULL on failure. */
const struct wb_layer_weights *wb_weights_layer(struct wb_weights *w, int layer,
                                                struct wb_err *err);

#endif
