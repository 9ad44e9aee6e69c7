return {
  name = "opt",
  doc = "OPT: learned positions with an offset of two; the 350m is post-norm and embeds in fewer dimensions",
  model_types = {"opt"},
  prefixes = {"model.", "decoder.", "model.decoder."},
  seen = {"decoder.layers", "embed_positions", "self_attn_layer_norm", "!encoder"},
  tensors = {
    embed_tokens = "embed",
    embed_positions = "pos_embed",
    project_in = "embed_proj",
    project_out = "head_proj",
    ["layers.{n}"] = {
      self_attn = {q_proj = "q", k_proj = "k", v_proj = "v", out_proj = "o"},
      self_attn_layer_norm = "attn_norm",
      fc1 = "up",
      fc2 = "down",
      final_layer_norm = "ffn_norm",
    },
    final_layer_norm = "final_norm",
    lm_head = "lm_head",
    score = "classifier",
  },
  keys = {intermediate = "ffn_dim"},
  tied_default = true,
  forward = {
    kind = "decoder", block = "pre", block_post_unless = "do_layer_norm_before", norm = "layer", eps_default = 1e-5,
    mlp = "plain", act = "activation_function", act_default = "relu", position = "learned", position_offset = 2,
  },
}
