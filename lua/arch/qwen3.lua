return {
  name = "qwen3",
  doc = "Qwen3: Llama with a norm over each head's q and k",
  like = "llama",
  model_types = {"qwen3"},
  seen = {"mlp.gate_proj", "self_attn.q_norm"},
  tensors = {
    ["layers.{n}.self_attn"] = {q_norm = "q_norm", k_norm = "k_norm"},
  },
  forward = {qk_norm = true, window = true},
}
