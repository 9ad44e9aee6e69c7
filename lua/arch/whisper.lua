local function attention(prefix)
  return {
    q_proj = prefix .. "q", k_proj = prefix .. "k", v_proj = prefix .. "v", out_proj = prefix .. "o",
  }
end

local function layer(cross)
  return {
    self_attn = attention "",
    self_attn_layer_norm = "attn_norm",
    encoder_attn = cross and attention "cross_",
    encoder_attn_layer_norm = cross and "cross_norm",
    fc1 = "up",
    fc2 = "down",
    final_layer_norm = "ffn_norm",
  }
end

return {
  name = "whisper",
  doc = "Whisper: an encoder over spectrograms, a decoder over text",
  model_types = {"whisper"},
  prefixes = {"model."},
  seen = {"encoder.conv1", "encoder_attn"},
  tensors = {
    encoder = {
      conv1 = "conv",
      conv2 = "conv",
      embed_positions = "pos_embed",
      ["layers.{n}"] = layer(false),
      layer_norm = "final_norm",
    },
    decoder = {
      embed_tokens = "embed",
      embed_positions = "pos_embed",
      ["layers.{n}"] = layer(true),
      layer_norm = "final_norm",
    },
    proj_out = "lm_head",
  },
  stacks = {
    {name = "encoder", at = "encoder.", layers = "encoder_layers"},
    {name = "decoder", at = "decoder.", layers = "decoder_layers"},
  },
  keys = {
    hidden = "d_model", heads = "encoder_attention_heads", intermediate = "encoder_ffn_dim",
    context = "max_target_positions",
  },
  tied_default = true,
  forward = {
    kind = "encoder_decoder", block = "pre", norm = "layer", eps_default = 1e-5,
    mlp = "plain", act = "activation_function", act_default = "gelu", position = "learned",
  },
}
