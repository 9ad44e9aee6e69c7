return {
  name = "qwen2_moe",
  doc = "Qwen1.5-MoE and Qwen2-MoE: many small experts and a shared one; both file layouts",
  like = "qwen2",
  model_types = {"qwen2_moe"},
  seen = {"shared_expert_gate"},
  tensors = {
    ["layers.{n}.mlp"] = {
      gate = "router",
      experts = {
        ["{e}"] = {gate_proj = "gate", up_proj = "up", down_proj = "down"},
        gate_up_proj = "gate_up", down_proj = "down", -- newer files: all experts in one tensor
      },
      shared_expert = {gate_proj = "gate", up_proj = "up", down_proj = "down"},
      shared_expert_gate = "shared_gate",
    },
  },
  fused = {
    gate_up = "experts_gate_up",
    ["layers.{n}.mlp.experts.down_proj"] = "experts",
  },
  forward = {
    mlp = "experts", experts_used = "num_experts_per_tok", experts_norm = "norm_topk_prob",
    shared_expert = true,
  },
}
