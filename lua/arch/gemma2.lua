return {
  name = "gemma2",
  doc = "Gemma 2: four norms a layer, soft caps, a window on every other layer",
  like = "gemma",
  model_types = {"gemma2"},
  seen = {"mlp.gate_proj", "pre_feedforward_layernorm"},
  tensors = {
    ["layers.{n}"] = {
      post_attention_layernorm = "attn_post_norm",
      pre_feedforward_layernorm = "ffn_norm",
      post_feedforward_layernorm = "ffn_post_norm",
    },
  },
  forward = {
    block = "sandwich",
    window = "sliding_window", window_default = 4096, full_every = 2,
    scale = "query_pre_attn_scalar", scale_default = 256,
    attn_cap = "attn_logit_softcapping", attn_cap_default = 50,
    logit_cap = "final_logit_softcapping", logit_cap_default = 30,
    refuse = "use_bidirectional_attention",
  },
}
