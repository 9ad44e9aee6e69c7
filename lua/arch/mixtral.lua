return {
  name = "mixtral",
  doc = "Mixtral: Mistral with experts in place of the feed-forward; both file layouts",
  like = "llama",
  model_types = {"mixtral"},
  seen = {"block_sparse_moe"},
  tensors = {
    ["layers.{n}"] = {
      block_sparse_moe = {
        gate = "router",
        ["experts.{e}"] = {w1 = "gate", w2 = "down", w3 = "up"},
      },
      mlp = { -- newer files: all experts of a layer in one tensor
        gate = "router",
        experts = {gate_up_proj = "gate_up", down_proj = "down"},
        gate_proj = false, up_proj = false, down_proj = false,
      },
    },
  },
  fused = {
    gate_up = "experts_gate_up",
    ["layers.{n}.mlp.experts.down_proj"] = "experts",
  },
  forward = {
    mlp = "experts", experts_used = "num_experts_per_tok", experts_norm = true, window = "sliding_window",
    rope_base_default = 1000000,
  },
}
