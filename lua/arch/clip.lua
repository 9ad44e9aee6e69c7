local function tower(norm_before, norm_after, embeddings)
  return {
    embeddings = embeddings,
    pre_layrnorm = norm_before, -- spelt so
    ["encoder.layers.{n}"] = {
      layer_norm1 = "attn_norm",
      self_attn = {q_proj = "q", k_proj = "k", v_proj = "v", out_proj = "o"},
      layer_norm2 = "ffn_norm",
      mlp = {fc1 = "up", fc2 = "down"},
    },
    [norm_after] = "final_norm",
  }
end

return {
  name = "clip",
  doc = "CLIP: a vision tower and a text tower that end in one space",
  model_types = {"clip", "clip_vision_model", "clip_text_model"},
  seen = {"vision_model.pre_layrnorm"},
  tensors = {
    text_model = tower(nil, "final_layer_norm", {
      token_embedding = "embed", position_embedding = "pos_embed", position_ids = "buffer",
    }),
    vision_model = tower("embed_norm", "post_layernorm", {
      class_embedding = "cls_token", patch_embedding = "patch_embed",
      position_embedding = "pos_embed", position_ids = "buffer",
    }),
    text_projection = "projection",
    visual_projection = "projection",
    logit_scale = "scalar",
    classifier = "classifier",
  },
  -- the first stack gives the sizes that are shown
  stacks = {
    {name = "vision", at = {"vision_model.", "visual_projection"},
     layers = "vision_config.num_hidden_layers|num_hidden_layers"},
    {name = "text", at = {"text_model.", "text_projection"},
     layers = "text_config.num_hidden_layers|num_hidden_layers"},
  },
  keys = {
    hidden = "vision_config.hidden_size|hidden_size",
    heads = "vision_config.num_attention_heads|num_attention_heads",
    intermediate = "vision_config.intermediate_size|intermediate_size",
    vocab = "text_config.vocab_size|vocab_size",
    context = "text_config.max_position_embeddings|max_position_embeddings",
  },
  tied_default = false,
  forward = {
    kind = "two_towers", block = "pre", norm = "layer", eps = "layer_norm_eps", eps_default = 1e-5,
    mlp = "plain", act = "hidden_act", act_default = "quick_gelu", position = "learned",
    ["vision.kind"] = "vision", ["vision.pooling"] = "first",
    ["text.kind"] = "encoder", ["text.causal"] = true, ["text.pooling"] = "end",
    ["text.pooling_end"] = "eos_token_id",
  },
}
