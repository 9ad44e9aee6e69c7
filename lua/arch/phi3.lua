return {
  name = "phi3",
  doc = "Phi-3 and Phi-4: Llama with q, k, v in one tensor and gate, up in another",
  like = "llama",
  model_types = {"phi3"},
  seen = {"self_attn.qkv_proj", "mlp.gate_up_proj"},
  tensors = {
    ["layers.{n}"] = {
      self_attn = {qkv_proj = "qkv", q_proj = false, k_proj = false, v_proj = false},
      mlp = {gate_up_proj = "gate_up", gate_proj = false, up_proj = false},
    },
  },
  fused = {qkv = "qkv", gate_up = "gate_up"},
  forward = {
    window = "sliding_window",
    rope_share = "partial_rotary_factor", rope_share_default = 1,
  },
}
