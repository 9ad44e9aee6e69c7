-- Width of a zone: as given, or scaled from the 32 layers of the paper.
local function width(given, of_32, layers)
  return given >= 0 and given or math.max(1, math.floor(of_32 * layers / 32 + 0.5))
end

-- Share of the language expert in a layer.
local function language_share(layer, layers, p)
  local b, u = width(p.bottom, 5, layers), width(p.top, 2, layers)
  local tb, tu = width(p.bottom_transition, 1, layers), width(p.top_transition, 1, layers)
  if b + tb + u + tu > layers and b ~= layers then
    error(("the zones (%d + %d and %d + %d layers) overlap in a model of %d layers"):format(b, tb, tu, u, layers), 0)
  end
  if layer < b or layer >= layers - u then return 1 end
  if layer < b + tb or layer >= layers - u - tu then return p.weight end
  return 0
end

return {
  name = "layer_swap", kind = "merge",
  doc = "Outer layers from a language expert (the first model), the middle from a task expert (the second), "
    .. "with averaged layers between.",
  paper = "arXiv:2410.01335",
  needs = "two experts of one base",
  cost = "one pass",
  base = "optional", models = {min = 2, max = 2},
  params = {
    bottom = {-1, type = "integer", min = -1,
      doc = "layers at the input side from the language expert; -1: 5 of 32, scaled"},
    top = {-1, type = "integer", min = -1, doc = "layers at the output side from it; -1: 2 of 32, scaled"},
    bottom_transition = {-1, type = "integer", min = -1, doc = "averaged layers above the bottom zone; -1: 1 of 32"},
    top_transition = {-1, type = "integer", min = -1, doc = "averaged layers below the top zone; -1: 1 of 32"},
    weight = {0.5, min = 0, max = 1, doc = "share of the language expert in the averaged layers"},
    non_layer = {"language", choices = {"language", "task", "average"}, doc = "whose embeddings, final norm and head"},
  },
  tensor = function(t, p)
    local language, task = t.models[1], t.models[2]
    local share = p.non_layer == "language" and 1 or p.non_layer == "task" and 0 or 0.5
    if t.layer then share = language_share(t.layer, t.layers, p) end
    for i, who in ipairs(t.base and {"language", "task"} or {}) do -- where each expert changed most
      local d = t:delta(i)
      t:note(who .. "_relative_change", d:norm() / t.base:norm():max(1e-30), "mean")
      t:note(who .. "_mean_change", d:abs():mean(), "mean")
    end
    if share == 0 or share == 1 then return share == 1 and language or task end
    return task:lerp(language, share)
  end,
  tests = {
    {name = "zones", models = {
      {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {1}, ["h.2.w.weight"] = {1}, ["h.3.w.weight"] = {1}, e = {1}},
      {["h.0.w.weight"] = {3}, ["h.1.w.weight"] = {3}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {3}, e = {3}}},
     params = {bottom = 1, bottom_transition = 1, top = 1, top_transition = 0},
     expect = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {1},
       e = {1}}},
  },
}
