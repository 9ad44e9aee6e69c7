return {
  name = "deberta_v2",
  doc = "DeBERTa v2 and v3: relative positions in the attention, no absolute ones",
  model_types = {"deberta-v2"},
  prefixes = {"deberta."},
  seen = {"attention.self.query_proj", "rel_embeddings"},
  tensors = {
    embeddings = {
      word_embeddings = "embed",
      position_embeddings = "pos_embed",
      token_type_embeddings = "type_embed",
      embed_proj = "embed_proj",
      LayerNorm = "embed_norm",
      position_ids = "buffer",
    },
    encoder = {
      ["layer.{n}"] = {
        attention = {
          self = {query_proj = "q", key_proj = "k", value_proj = "v",
                  pos_key_proj = "pos_k", pos_query_proj = "pos_q"}, -- when share_att_key is false
          output = {dense = "o", LayerNorm = "attn_post_norm"},
        },
        intermediate = {dense = "up"},
        output = {dense = "down", LayerNorm = "ffn_post_norm"},
      },
      rel_embeddings = "rel_embed",
      LayerNorm = "rel_embed_norm",
      conv = {conv = "conv", LayerNorm = "conv_norm"},
    },
    ["pooler.dense"] = "pooler",
    classifier = "classifier",
    cls = {
      predictions = {
        bias = "lm_head.bias",
        transform = {dense = "head_dense", LayerNorm = "head_norm"},
        decoder = "lm_head",
      },
    },
    lm_predictions = { -- the files of v3
      lm_head = {bias = "lm_head.bias", dense = "head_dense", LayerNorm = "head_norm"},
    },
    mask_predictions = {dense = "head_dense", LayerNorm = "head_norm", classifier = "classifier"},
  },
  kinds = {pos_k = "linear", pos_q = "linear"},
  tied_default = true,
  forward = {
    kind = "encoder", block = "post", norm = "layer", eps = "layer_norm_eps", eps_default = 1e-7,
    mlp = "plain", act = "hidden_act", act_default = "gelu", position = "disentangled",
  },
}
