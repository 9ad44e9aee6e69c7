return {
  name = "gpt2",
  doc = "GPT-2: weights stored [in, out], q, k, v in one tensor, learned positions",
  model_types = {"gpt2"},
  prefixes = {"transformer."},
  seen = {"attn.c_attn.weight rows<cols", "ln_1"},
  tensors = {
    wte = "embed",
    wpe = "pos_embed",
    ["h.{n}"] = {
      ln_1 = "attn_norm",
      attn = {c_attn = "qkv", c_proj = "o", bias = "buffer", masked_bias = "buffer"},
      ln_2 = "ffn_norm",
      mlp = {c_fc = "up", c_proj = "down"},
    },
    ln_f = "final_norm",
    lm_head = "lm_head",
    score = "classifier",
  },
  transposed = {"qkv", "o", "up", "down"},
  fused = {qkv = "qkv"},
  tied_default = true,
  forward = {
    kind = "decoder", block = "pre", norm = "layer", eps = "layer_norm_epsilon", eps_default = 1e-5,
    mlp = "plain", act = "activation_function", act_default = "gelu_new", position = "learned",
    scale_unless = "scale_attn_weights",
    refuse = "scale_attn_by_inverse_layer_idx|add_cross_attention",
  },
}
