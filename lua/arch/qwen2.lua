return {
  name = "qwen2",
  doc = "Qwen2 and Qwen2.5: Llama with biases on q, k and v",
  like = "llama",
  model_types = {"qwen2"},
  seen = {"mlp.gate_proj", "self_attn.q_proj.bias"},
  forward = {
    qkv_bias = true,
    window = "sliding_window", window_default = 4096,
    window_if = "use_sliding_window",
    window_from = "max_window_layers", window_from_default = 28,
  },
}
