return {
  name = "vit",
  doc = "Vision transformers (ViT) that classify images",
  model_types = {"vit"},
  prefixes = {"vit."},
  seen = {"attention.attention.query"},
  tensors = {
    embeddings = {
      cls_token = "cls_token",
      mask_token = "mask_token",
      position_embeddings = "pos_embed",
      ["patch_embeddings.projection"] = "patch_embed",
    },
    ["encoder.layer.{n}"] = {
      attention = {
        attention = {query = "q", key = "k", value = "v"},
        ["output.dense"] = "o",
      },
      ["intermediate.dense"] = "up",
      ["output.dense"] = "down",
      layernorm_before = "attn_norm",
      layernorm_after = "ffn_norm",
    },
    layernorm = "final_norm",
    ["pooler.dense"] = "pooler",
    classifier = "classifier",
  },
  tied_default = false,
  forward = {
    kind = "vision", block = "pre", norm = "layer", eps = "layer_norm_eps", eps_default = 1e-12,
    mlp = "plain", act = "hidden_act", act_default = "gelu", position = "learned",
  },
}
