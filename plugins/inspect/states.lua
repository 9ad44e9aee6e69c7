return {
  name = "states", kind = "inspect",
  doc = "How alike the residual streams behind the layers are on a text: state against state, and what each layer "
    .. "changes.",
  paper = "arXiv:1905.00414, arXiv:2403.03853",
  needs = "a text",
  cost = "one pass over the text",
  params = {
    text = {type = "string", required = true, doc = "path of a UTF-8 file"},
    metric = {"cka", choices = {"cka", "cosine", "angular"},
      doc = "cka: linear CKA over all positions; cosine, angular: mean over a position's two states"},
    window = {0, type = "integer", min = 0, doc = "tokens of a window; 0: the context less one"},
    limit = {0, type = "integer", min = 0, doc = "windows to look at; 0: all"},
    rows = {0, type = "integer", min = 0, doc = "positions that CKA takes, spread evenly; 0: all"},
  },
  -- metric, labels, matrix (state i at [i + 1], 0 is the embedding), influence (layer l at [l + 1]), rows
  model = function(m, p)
    local s = wb.states(m, {text = p.text, window = p.window, limit = p.limit, rows = p.rows})
    local labels = {"embedding"}
    for l = 0, s.layers - 1 do labels[l + 2] = "layer " .. l end
    return {metric = p.metric, labels = labels, matrix = s:matrix(p.metric), influence = s:influence(), rows = s.rows,
      zero_rows = s.zero_rows, nonfinite_rows = s.nonfinite_rows}
  end,
}
