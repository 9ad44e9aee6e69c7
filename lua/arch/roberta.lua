return {
  name = "roberta",
  doc = "RoBERTa and XLM-R: BERT's tensors, positions from behind the padding id, another head",
  like = "bert",
  model_types = {"roberta", "xlm-roberta", "camembert"},
  prefixes = {"roberta."},
  seen = {"attention.self.query", "token_type_embeddings.weight rows=1"},
  tensors = {
    cls = {
      predictions = {
        bias = false,
        transform = {dense = false, LayerNorm = false},
        decoder = false,
      },
      seq_relationship = false,
    },
    lm_head = {
      dense = "head_dense", layer_norm = "head_norm", decoder = "lm_head", bias = "lm_head.bias",
    },
    classifier = {dense = "head_dense", out_proj = "classifier"},
  },
  forward = {eps_default = 1e-5, position_offset = "pad_token_id", position_offset_default = 1},
}
