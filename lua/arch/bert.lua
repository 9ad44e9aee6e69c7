return {
  name = "bert",
  doc = "BERT and what has its names: MiniLM, E5, BGE and other sentence embedders",
  model_types = {"bert"},
  prefixes = {"bert."},
  seen = {"attention.self.query"},
  tensors = {
    embeddings = {
      word_embeddings = "embed",
      position_embeddings = "pos_embed",
      token_type_embeddings = "type_embed",
      LayerNorm = "embed_norm",
      position_ids = "buffer",
      token_type_ids = "buffer",
    },
    ["encoder.layer.{n}"] = {
      attention = {
        self = {query = "q", key = "k", value = "v"},
        output = {dense = "o", LayerNorm = "attn_post_norm"},
      },
      intermediate = {dense = "up"},
      output = {dense = "down", LayerNorm = "ffn_post_norm"},
    },
    ["pooler.dense"] = "pooler",
    cls = {
      predictions = {
        bias = "lm_head.bias",
        transform = {dense = "head_dense", LayerNorm = "head_norm"},
        decoder = "lm_head",
      },
      seq_relationship = "classifier",
    },
    classifier = "classifier",
    qa_outputs = "classifier",
  },
  tied_default = true,
  forward = {
    kind = "encoder", block = "post", norm = "layer", eps = "layer_norm_eps", eps_default = 1e-12,
    mlp = "plain", act = "hidden_act", act_default = "gelu", position = "learned", pooling = "mean",
    refuse = "is_decoder|add_cross_attention|position_embedding_type!=absolute",
  },
}
