/* app/infer/spec.h - how a model runs: the equations of its family with its own numbers.
 *
 * Compiled from the flags of its family (lua/arch/, see the table there) and its config. Everything
 * that the forward pass branches on is a field here; no family's name is looked at behind this
 * file. Equations: architectures.md. */
#ifndef WB_INFER_SPEC_H
#define WB_INFER_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/graph/model.h"
#include "app/infer/rope.h"

enum wb_net_kind {
    WB_NET_DECODER, /* causal, gives logits over the vocabulary */
    WB_NET_ENCODER, /* sees both ways, gives states and an embedding */
    WB_NET_VISION,  /* patches of an image in, class logits or an embedding out */
};

enum wb_block {
    WB_BLOCK_PRE,      /* h = x + attn(n1 x); y = h + mlp(n2 h) */
    WB_BLOCK_POST,     /* h = n1(x + attn x); y = n2(h + mlp h); attn_post_norm, ffn_post_norm */
    WB_BLOCK_SANDWICH, /* h = x + n2(attn(n1 x)); y = h + n4(mlp(n3 h)) */
    WB_BLOCK_PARALLEL, /* y = x + attn(n1 x) + mlp(n2 x) */
    WB_BLOCK_PARALLEL_ONE_NORM /* y = x + attn(n1 x) + mlp(n1 x) */
};

enum wb_norm { WB_NORM_RMS, WB_NORM_RMS_PLUS_ONE, WB_NORM_LAYER };
enum wb_act { WB_ACT_SILU, WB_ACT_GELU, WB_ACT_GELU_TANH, WB_ACT_QUICK_GELU, WB_ACT_RELU };
enum wb_pooling {
    WB_POOLING_NONE,
    WB_POOLING_MEAN,  /* of all tokens, then to length 1 (sentence embedders) */
    WB_POOLING_FIRST, /* the class token */
    WB_POOLING_END,   /* CLIP's text: the place of its end-of-text, see end_token */
};

struct wb_spec_layer {
    int window; /* key j is seen by query i when i - window < j <= i; 0: all */
    int rope;   /* number of its rope; -1: none */
};

#define WB_SPEC_ROPES 2

struct wb_spec {
    enum wb_net_kind kind;
    enum wb_block block;
    enum wb_norm norm;
    enum wb_act act;
    bool gated;  /* down(act(gate x) * up x), else down(act(up x)) */
    bool causal; /* decoders, CLIP's text */
    bool qk_norm;
    bool learned_positions; /* row (position + position_offset) of pos_embed is added */
    int position_offset;
    int layers, hidden, heads, kv_heads, head_dim, intermediate;
    int vocab;   /* rows of the embedding; 0: none (vision) */
    int context; /* positions it was made for; 0: not said */
    double eps;
    float scale;       /* of scores */
    float attn_cap;    /* soft cap of scores, 0: none */
    float logit_cap;   /* of logits, 0: none */
    float embed_scale; /* factor on embeddings, already rounded to their dtype; 1: none */
    float head_scale;  /* factor on the final state before a tied head; 1: none */
    struct wb_rope_rule rope[WB_SPEC_ROPES];
    int ropes;
    const struct wb_spec_layer *layer; /* one for each */
    enum wb_pooling pooling;
    int end_token; /* of WB_POOLING_END: the first place of this id; -1: of the highest */
    int image_rows, image_columns, channels, patch; /* of vision: pixels */
    const char *stack; /* of a model with several: "vision", "text"; "" */
};

/* stack: which of several stacks to run ("vision", "text"); NULL or "" for the only one. Lists live
 * in the arena. WB_EARG for a family that is unknown or whose pass is not implemented (experts,
 * encoder-decoders: says which), WB_EFORMAT for a config that breaks a rule: heads that do not
 * divide, a head_dim that is odd under rope, an activation nobody knows, lists of the wrong length.
 * Everything the result says is within bounds (all counts from 1 to 2^24, their products fit). */
bool wb_spec_of(const struct wb_model *model, const char *stack, struct wb_arena *arena,
                struct wb_spec *out, struct wb_err *err);

/* "gelu_pytorch_tanh" and every other spelling; false: not known. */
bool wb_act_parse(const char *name, enum wb_act *out);

#endif
