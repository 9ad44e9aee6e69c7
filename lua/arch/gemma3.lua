return {
  name = "gemma3",
  doc = "Gemma 3 (text): Gemma 2 with q and k norms, no soft caps, five windowed layers to a full one",
  like = "gemma2",
  model_types = {"gemma3_text", "gemma3"},
  seen = {"mlp.gate_proj", "pre_feedforward_layernorm", "self_attn.q_norm"},
  tensors = {
    ["layers.{n}.self_attn"] = {q_norm = "q_norm", k_norm = "k_norm"},
  },
  forward = {
    qk_norm = true, full_every = 6, attn_cap_default = 0, logit_cap_default = 0,
    rope_base_default = 1000000,
    local_rope = "rope_local_base_freq", local_rope_default = 10000,
  },
}
