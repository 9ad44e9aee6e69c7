return {
  name = "gemma",
  doc = "Gemma 1: Llama's tensors with 1+w norms, a tied head and embeddings times sqrt(hidden)",
  like = "llama",
  model_types = {"gemma"},
  -- without a config only the size of its vocabulary tells it from Llama
  seen = {"mlp.gate_proj", "embed_tokens.weight rows=256000", "!lm_head"},
  tied_default = true,
  forward = {
    -- hidden_act of the first files says gelu; the tanh form was meant
    norm = "rms_plus_one", act = "hidden_activation", act_default = "gelu_pytorch_tanh",
    embed_scale = "sqrt_hidden",
  },
}
