/* app/arch/role.c - kinds of roles, and roles guessed from the last components of a name. */
#include "app/arch/role.h"

#include <string.h>

struct pair {
    const char *key, *value;
};

static const struct pair kinds[] = {
    { "embed", "embed" },      { "type_embed", "embed" },   { "pos_embed", "pos" },
    { "rel_embed", "pos" },    { "rel_bias", "pos" },       { "lm_head", "lm_head" },
    { "q", "linear" },         { "k", "linear" },           { "v", "linear" },
    { "o", "linear" },         { "qkv", "linear" },         { "gate", "linear" },
    { "up", "linear" },        { "down", "linear" },        { "gate_up", "linear" },
    { "router", "linear" },    { "shared_gate", "linear" }, { "classifier", "linear" },
    { "pooler", "linear" },    { "projection", "linear" },  { "embed_proj", "linear" },
    { "head_proj", "linear" }, { "head_dense", "linear" },  { "cross_q", "linear" },
    { "cross_k", "linear" },   { "cross_v", "linear" },     { "cross_o", "linear" },
    { "patch_embed", "conv" }, { "conv", "conv" },          { "buffer", "buffer" },
};

/* A tail of whole components -> role; the first that fits wins: longer tails stand above shorter. */
struct rule {
    const char *tail, *role, *fused;
};

static const struct rule layer_rules[] = {
    { "attention.output.dense", "o", NULL },
    { "attention.output.LayerNorm", "attn_post_norm", NULL },
    { "attention.out_proj", "o", NULL },
    { "attn.c_proj", "o", NULL },
    { "attn.proj", "o", NULL },
    { "attention.proj", "o", NULL },
    { "attention.dense", "o", NULL },
    { "self_attention.dense", "o", NULL },
    { "self_attn.dense", "o", NULL },
    { "attention.wo", "o", NULL },
    { "SelfAttention.o", "o", NULL },
    { "EncDecAttention.o", "o", NULL },
    { "attn.o", "o", NULL },
    { "o_proj", "o", NULL },
    { "out_proj", "o", NULL },
    { "out_lin", "o", NULL },
    { "to_out.0", "o", NULL },
    { "to_out", "o", NULL },
    { "q_proj", "q", NULL },
    { "query_proj", "q", NULL },
    { "query", "q", NULL },
    { "q_lin", "q", NULL },
    { "to_q", "q", NULL },
    { "wq", "q", NULL },
    { "q", "q", NULL },
    { "k_proj", "k", NULL },
    { "key_proj", "k", NULL },
    { "key", "k", NULL },
    { "k_lin", "k", NULL },
    { "to_k", "k", NULL },
    { "wk", "k", NULL },
    { "k", "k", NULL },
    { "v_proj", "v", NULL },
    { "value_proj", "v", NULL },
    { "value", "v", NULL },
    { "v_lin", "v", NULL },
    { "to_v", "v", NULL },
    { "wv", "v", NULL },
    { "v", "v", NULL },
    { "qkv_proj", "qkv", "qkv" },
    { "in_proj", "qkv", "qkv" },
    { "c_attn", "qkv", "qkv" },
    { "qkv", "qkv", "qkv" },
    { "Wqkv", "qkv", "qkv" },
    { "query_key_value", "qkv", NULL }, /* three layouts are in use: not to be guessed */
    { "experts.gate_up_proj", "gate_up", "experts_gate_up" },
    { "experts.down_proj", "down", "experts" },
    { "gate_up_proj", "gate_up", "gate_up" },
    { "gate_proj", "gate", NULL },
    { "wi_0", "gate", NULL },
    { "w1", "gate", NULL },
    { "up_proj", "up", NULL },
    { "wi_1", "up", NULL },
    { "w3", "up", NULL },
    { "intermediate.dense", "up", NULL },
    { "dense_h_to_4h", "up", NULL },
    { "c_fc", "up", NULL },
    { "fc1", "up", NULL },
    { "lin1", "up", NULL },
    { "linear1", "up", NULL },
    { "wi", "up", NULL },
    { "down_proj", "down", NULL },
    { "w2", "down", NULL },
    { "wo", "down", NULL },
    { "mlp.c_proj", "down", NULL },
    { "dense_4h_to_h", "down", NULL },
    { "fc2", "down", NULL },
    { "lin2", "down", NULL },
    { "linear2", "down", NULL },
    { "output.dense", "down", NULL },
    { "mlp.gate", "router", NULL },
    { "moe.gate", "router", NULL },
    { "block_sparse_moe.gate", "router", NULL },
    { "feed_forward.gate", "router", NULL },
    { "router", "router", NULL },
    { "shared_expert_gate", "shared_gate", NULL },
    { "q_norm", "q_norm", NULL },
    { "q_layernorm", "q_norm", NULL },
    { "k_norm", "k_norm", NULL },
    { "k_layernorm", "k_norm", NULL },
    { "encoder_attn_layer_norm", "cross_norm", NULL },
    { "self_attn_layer_norm", "attn_norm", NULL },
    { "input_layernorm", "attn_norm", NULL },
    { "layernorm_before", "attn_norm", NULL },
    { "attention_norm", "attn_norm", NULL },
    { "attn_norm", "attn_norm", NULL },
    { "layer_norm1", "attn_norm", NULL },
    { "norm1", "attn_norm", NULL },
    { "ln_1", "attn_norm", NULL },
    { "post_attention_layernorm", "ffn_norm", NULL },
    { "pre_feedforward_layernorm", "ffn_norm", NULL },
    { "post_feedforward_layernorm", "ffn_post_norm", NULL },
    { "output.LayerNorm", "ffn_post_norm", NULL },
    { "layernorm_after", "ffn_norm", NULL },
    { "final_layer_norm", "ffn_norm", NULL },
    { "layer_norm2", "ffn_norm", NULL },
    { "ffn_norm", "ffn_norm", NULL },
    { "norm2", "ffn_norm", NULL },
    { "ln_2", "ffn_norm", NULL },
    { "relative_attention_bias", "rel_bias", NULL },
    { NULL, NULL, NULL },
};

static const struct rule outer_rules[] = {
    { "embed_tokens", "embed", NULL },
    { "word_embeddings", "embed", NULL },
    { "tok_embeddings", "embed", NULL },
    { "token_embedding", "embed", NULL },
    { "embed_in", "embed", NULL },
    { "shared", "embed", NULL },
    { "wte", "embed", NULL },
    { "position_embeddings", "pos_embed", NULL },
    { "position_embedding", "pos_embed", NULL },
    { "positional_embedding", "pos_embed", NULL },
    { "embed_positions", "pos_embed", NULL },
    { "pos_embed", "pos_embed", NULL },
    { "wpe", "pos_embed", NULL },
    { "token_type_embeddings", "type_embed", NULL },
    { "rel_embeddings", "rel_embed", NULL },
    { "relative_attention_bias", "rel_bias", NULL },
    { "lm_head", "lm_head", NULL },
    { "embed_out", "lm_head", NULL },
    { "proj_out", "lm_head", NULL },
    { "embeddings.LayerNorm", "embed_norm", NULL },
    { "word_embeddings_layernorm", "embed_norm", NULL },
    { "pre_layrnorm", "embed_norm", NULL },
    { "final_layer_norm", "final_norm", NULL },
    { "final_layernorm", "final_norm", NULL },
    { "post_layernorm", "final_norm", NULL },
    { "final_norm", "final_norm", NULL },
    { "layer_norm", "final_norm", NULL },
    { "layernorm", "final_norm", NULL },
    { "ln_final", "final_norm", NULL },
    { "ln_post", "final_norm", NULL },
    { "ln_f", "final_norm", NULL },
    { "norm", "final_norm", NULL },
    { "patch_embeddings.projection", "patch_embed", NULL },
    { "patch_embed.proj", "patch_embed", NULL },
    { "patch_embedding", "patch_embed", NULL },
    { "class_embedding", "cls_token", NULL },
    { "cls_token", "cls_token", NULL },
    { "pooler.dense", "pooler", NULL },
    { "classifier", "classifier", NULL },
    { "score", "classifier", NULL },
    { "logit_scale", "scalar", NULL },
    { NULL, NULL, NULL },
};

/* Names of tensors that are no weights: copied, never averaged. */
static const char *const buffers[] = {
    "inv_freq",    "position_ids",        "token_type_ids",
    "masked_bias", "num_batches_tracked", "cos_cached",
    "sin_cached",  "attn.bias",           "relative_position_index",
    NULL
};

static bool has_suffix(const char *text, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);

    return n <= len && memcmp(text + len - n, suffix, n) == 0;
}

bool wb_kind_valid(const char *kind)
{
    size_t len = strlen(kind);

    for (const char *word = WB_KINDS; *word != '\0';) {
        size_t n = strcspn(word, " ");

        if (n == len && memcmp(word, kind, n) == 0)
            return true;
        word += n + (word[n] == ' ');
    }
    return false;
}

const char *wb_role_kind(const char *role)
{
    size_t len = strlen(role);
    bool bias = has_suffix(role, len, ".bias");

    if (bias)
        len -= 5;
    if (has_suffix(role, len, "_norm"))
        return "norm";
    if (bias)
        return "bias";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].key, role) == 0)
            return kinds[i].value;
    return "other";
}

/* Does text[0..len) end with the components of tail? */
static bool ends_with(const char *text, size_t len, const char *tail)
{
    size_t n = strlen(tail);

    return has_suffix(text, len, tail) && (n == len || text[len - n - 1] == '.');
}

static bool contains(const char *text, size_t len, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(text + i, part, n) == 0)
            return true;
    return false;
}

/* Cut ".weight" or ".bias" (in_proj_weight: "_weight", "_bias") off; true when it was a bias. */
static bool cut_parameter(const char *text, size_t *len)
{
    static const char *const weight[] = { ".weight", "_weight", ".gamma" };
    static const char *const bias[] = { ".bias", "_bias", ".beta" };

    for (size_t i = 0; i < 3; i++)
        if (has_suffix(text, *len, weight[i])) {
            *len -= strlen(weight[i]);
            return false;
        }
    for (size_t i = 0; i < 3; i++)
        if (has_suffix(text, *len, bias[i]) && !ends_with(text, *len, "relative_attention_bias")) {
            *len -= strlen(bias[i]);
            return true;
        }
    return false;
}

/* The kind of a tensor whose role nobody knows. */
static const char *kind_of(const char *text, size_t len, bool bias, const struct wb_shape *shape)
{
    if (contains(text, len, "norm") || contains(text, len, "Norm") || contains(text, len, "ln_"))
        return shape == NULL || shape->ndim <= 1 ? "norm" : "other";
    if (bias)
        return "bias";
    if (contains(text, len, "embed"))
        return contains(text, len, "pos") ? "pos" : "embed";
    if (shape == NULL || shape->ndim == 0)
        return "other";
    if (shape->ndim == 1)
        return "norm";
    return shape->ndim == 2 || contains(text, len, "expert") ? "linear" : "conv";
}

struct wb_guess wb_role_guess(const char *tail, bool in_layer, const struct wb_shape *shape)
{
    struct wb_guess g = { .role = "other" };
    size_t len = strlen(tail);

    for (size_t i = 0; buffers[i] != NULL; i++)
        if (ends_with(tail, len, buffers[i]))
            return (struct wb_guess){ .role = "buffer", .kind = "buffer" };
    g.bias = cut_parameter(tail, &len);
    for (const struct rule *r = in_layer ? layer_rules : outer_rules; r->tail != NULL; r++)
        if (ends_with(tail, len, r->tail)) {
            g.role = r->role;
            g.fused = r->fused;
            break;
        }
    g.cross = strchr("qkvo", g.role[0]) != NULL && g.role[1] == '\0' &&
              (contains(tail, len, "encoder_attn") || contains(tail, len, "EncDecAttention") ||
               contains(tail, len, "cross_attn") || contains(tail, len, "crossattention"));
    if (strcmp(g.role, "other") != 0)
        g.kind =
            g.bias && strcmp(wb_role_kind(g.role), "norm") != 0 ? "bias" : wb_role_kind(g.role);
    else
        g.kind = kind_of(tail, len, g.bias, shape);
    return g;
}
