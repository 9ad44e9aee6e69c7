local attention = {q = "q", k = "k", v = "v", o = "o", relative_attention_bias = "rel_bias"}
local cross = {q = "cross_q", k = "cross_k", v = "cross_v", o = "cross_o"}
-- wi, wo: T5; wi_0, wi_1, wo: T5 v1.1 and Flan-T5
local feed_forward = {
  DenseReluDense = {wi = "up", wi_0 = "gate", wi_1 = "up", wo = "down"},
  layer_norm = "ffn_norm",
}

return {
  name = "t5",
  doc = "T5, T5 v1.1, Flan-T5 and mT5: two stacks, relative positions in the first block of each",
  model_types = {"t5", "mt5"},
  seen = {"SelfAttention.q"},
  tensors = {
    shared = "embed",
    encoder = {
      embed_tokens = "embed",
      ["block.{n}.layer"] = {
        ["0"] = {SelfAttention = attention, layer_norm = "attn_norm"},
        ["1"] = feed_forward,
      },
      final_layer_norm = "final_norm",
    },
    decoder = {
      embed_tokens = "embed",
      ["block.{n}.layer"] = {
        ["0"] = {SelfAttention = attention, layer_norm = "attn_norm"},
        ["1"] = {EncDecAttention = cross, layer_norm = "cross_norm"},
        ["2"] = feed_forward,
      },
      final_layer_norm = "final_norm",
    },
    lm_head = "lm_head",
  },
  stacks = {
    {name = "encoder", at = "encoder.", layers = "num_layers"},
    {name = "decoder", at = "decoder.", layers = "num_decoder_layers"},
  },
  keys = {hidden = "d_model", heads = "num_heads", head_dim = "d_kv", intermediate = "d_ff"},
  tied_default = true,
  forward = {
    kind = "encoder_decoder", block = "pre",
    norm = "rms", eps = "layer_norm_epsilon", eps_default = 1e-6,
    mlp = "feed_forward_proj", position = "relative_bias", scale = "one",
  },
}
