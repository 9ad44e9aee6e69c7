return {
  name = "qwen3",
  doc = "Qwen3: Llama with a norm over each head's q and k",
  like = "llama",
  model_types = {"qwen3"},
  seen = {"mlp.gate_proj", "self_attn.q_norm"},
  tensors = {
    ["layers.{n}.self_attn"] = {q_norm = "q_norm", k_norm = "k_norm"},
  },
  forward = {
    qk_norm = true,
    window = "sliding_window", window_default = 4096,
    window_if = "use_sliding_window",
    window_from = "max_window_layers", window_from_default = 28,
  },
}
