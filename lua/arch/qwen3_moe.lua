return {
  name = "qwen3_moe",
  doc = "Qwen3-MoE (30B-A3B): Qwen3 with experts, none of them shared; both file layouts",
  like = "qwen3",
  model_types = {"qwen3_moe"},
  seen = {"mlp.experts", "self_attn.q_norm", "!shared_expert"},
  tensors = {
    ["layers.{n}.mlp"] = {
      gate = "router",
      experts = {
        ["{e}"] = {gate_proj = "gate", up_proj = "up", down_proj = "down"},
        gate_up_proj = "gate_up", down_proj = "down", -- newer files: all experts in one tensor
      },
    },
  },
  fused = {
    gate_up = "experts_gate_up",
    ["layers.{n}.mlp.experts.down_proj"] = "experts",
  },
  forward = {
    mlp = "experts", experts_used = "num_experts_per_tok", experts_norm = "norm_topk_prob",
  },
}
