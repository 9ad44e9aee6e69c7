return {
  name = "gpt_neox",
  doc = "GPT-NeoX and Pythia: q, k, v in one tensor head by head, parallel blocks",
  model_types = {"gpt_neox"},
  prefixes = {"gpt_neox."},
  seen = {"attention.query_key_value", "mlp.dense_h_to_4h", "!self_attention"},
  tensors = {
    embed_in = "embed",
    ["layers.{n}"] = {
      input_layernorm = "attn_norm",
      post_attention_layernorm = "ffn_norm",
      attention = {query_key_value = "qkv", dense = "o",
                   bias = "buffer", masked_bias = "buffer", ["rotary_emb.inv_freq"] = "buffer"},
      mlp = {dense_h_to_4h = "up", dense_4h_to_h = "down"},
    },
    final_layer_norm = "final_norm",
    embed_out = "lm_head",
    score = "classifier",
  },
  fused = {qkv = "qkv_heads"},
  tied_default = false,
  forward = {
    kind = "decoder", block = "parallel", block_sequential_unless = "use_parallel_residual",
    norm = "layer", eps = "layer_norm_eps", eps_default = 1e-5,
    mlp = "plain", act = "hidden_act", act_default = "gelu",
    position = "rope", rope_base = "rope_theta|rotary_emb_base", rope_base_default = 10000,
    rope_share = "rotary_pct|partial_rotary_factor", rope_share_default = 0.25,
  },
}
