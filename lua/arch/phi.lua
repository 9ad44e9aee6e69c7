return {
  name = "phi",
  doc = "Phi-1, 1.5 and 2: one LayerNorm a layer, attention and feed-forward side by side",
  model_types = {"phi"},
  prefixes = {"model."},
  seen = {"self_attn.dense", "mlp.fc1"},
  tensors = {
    embed_tokens = "embed",
    ["layers.{n}"] = {
      input_layernorm = "attn_norm",
      self_attn = {
        q_proj = "q", k_proj = "k", v_proj = "v", dense = "o",
        q_layernorm = "q_norm", k_layernorm = "k_norm",
        ["rotary_emb.inv_freq"] = "buffer",
      },
      mlp = {fc1 = "up", fc2 = "down"},
    },
    final_layernorm = "final_norm",
    lm_head = "lm_head",
    score = "classifier",
  },
  tied_default = false,
  forward = {
    kind = "decoder", block = "parallel_one_norm",
    norm = "layer", eps = "layer_norm_eps", eps_default = 1e-5,
    mlp = "plain", act = "hidden_act", act_default = "gelu_new",
    qk_norm = "qk_layernorm",
    position = "rope", rope_base = "rope_theta", rope_base_default = 10000,
    rope_share = "partial_rotary_factor", rope_share_default = 0.5,
  },
}
