return {
  name = "influence", kind = "inspect",
  doc = "What each layer does to the residual stream on a text: block influence, angular distance, step and norm; "
    .. "and the layers in the order in which they could go.",
  paper = "arXiv:2403.03853, arXiv:2403.17887",
  needs = "a text",
  cost = "one pass over the text",
  params = {
    text = {type = "string", required = true, doc = "path of a UTF-8 file"},
    window = {0, type = "integer", min = 0, doc = "tokens of a window; 0: the context less one"},
    limit = {0, type = "integer", min = 0, doc = "windows to look at; 0: all"},
  },
  -- layers: {layer, influence = 1 - cosine, angular = arccos / pi, step = |change| / |state|, norm} each; order: of
  -- layers, least influence first; rows: positions looked at
  model = function(m, p)
    local s = wb.states(m, {text = p.text, window = p.window, limit = p.limit})
    local influence, step, norm, angular = s:influence(), s:relative_step(), s:norm(), s:matrix "angular"
    local layers, order = {}, {}
    for l = 0, s.layers - 1 do
      layers[l + 1] = {layer = l, influence = influence[l + 1], angular = angular[l + 1][l + 2], step = step[l + 1],
        norm = norm[l + 2]}
      order[l + 1] = l
    end
    table.sort(order, function(a, b)
      local x, y = influence[a + 1], influence[b + 1]
      if x ~= x or y ~= y then return x == x or y ~= y and a < b end -- those without one come last
      return x < y or x == y and a < b
    end)
    return {layers = layers, order = order, rows = s.rows, nonfinite_rows = s.nonfinite_rows}
  end,
}
