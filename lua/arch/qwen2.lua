return {
  name = "qwen2",
  doc = "Qwen2 and Qwen2.5: Llama with biases on q, k and v",
  like = "llama",
  model_types = {"qwen2"},
  seen = {"mlp.gate_proj", "self_attn.q_proj.bias"},
  forward = {qkv_bias = true, window = true},
}
