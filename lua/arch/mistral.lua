return {
  name = "mistral",
  doc = "Mistral 7B, Nemo and their fine-tunes: Llama's tensors, a window in v0.1",
  like = "llama",
  model_types = {"mistral", "ministral"},
  forward = {window = "sliding_window", window_default = 4096},
}
