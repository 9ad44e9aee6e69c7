return {
  name = "mpnet",
  doc = "MPNet sentence embedders: BERT with one table of relative positions for all layers",
  model_types = {"mpnet"},
  prefixes = {"mpnet."},
  seen = {"attention.attn.q", "encoder.relative_attention_bias"},
  tensors = {
    embeddings = {
      word_embeddings = "embed",
      position_embeddings = "pos_embed",
      LayerNorm = "embed_norm",
      position_ids = "buffer",
    },
    encoder = {
      ["layer.{n}"] = {
        attention = {
          attn = {q = "q", k = "k", v = "v", o = "o"},
          LayerNorm = "attn_post_norm",
        },
        ["intermediate.dense"] = "up",
        output = {dense = "down", LayerNorm = "ffn_post_norm"},
      },
      relative_attention_bias = "rel_bias",
    },
    ["pooler.dense"] = "pooler",
    lm_head = {
      dense = "head_dense", layer_norm = "head_norm", decoder = "lm_head", bias = "lm_head.bias",
    },
    classifier = {dense = "head_dense", out_proj = "classifier"},
  },
  tied_default = true,
  forward = {
    kind = "encoder", block = "post", norm = "layer", eps = "layer_norm_eps", eps_default = 1e-12,
    mlp = "plain", act = "hidden_act", act_default = "gelu",
    position = "learned_and_relative", position_offset = "pad_token_id", position_offset_default = 1,
  },
}
