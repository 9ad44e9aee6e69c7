-- The fields of a family file are described in README.md.
return {
  name = "llama",
  doc = "Llama 1 to 3, TinyLlama, Yi, SOLAR and most of their fine-tunes",
  model_types = {"llama"},
  prefixes = {"model."},
  seen = {"mlp.gate_proj"},
  tensors = {
    embed_tokens = "embed",
    ["layers.{n}"] = {
      input_layernorm = "attn_norm",
      self_attn = {
        q_proj = "q", k_proj = "k", v_proj = "v", o_proj = "o",
        ["rotary_emb.inv_freq"] = "buffer",
      },
      post_attention_layernorm = "ffn_norm",
      mlp = {gate_proj = "gate", up_proj = "up", down_proj = "down"},
    },
    norm = "final_norm",
    lm_head = "lm_head",
    score = "classifier",
  },
  tied_default = false,
  forward = {
    kind = "decoder", block = "pre", norm = "rms", eps = "rms_norm_eps", eps_default = 1e-6,
    mlp = "gated", act = "hidden_act", act_default = "silu", position = "rope",
    rope_base = "rope_theta", rope_base_default = 10000,
  },
}
