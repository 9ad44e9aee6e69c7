return {
  name = "linear", kind = "merge",
  doc = "Weighted average of models (a model soup). Models should descend from one base.",
  paper = "arXiv:2203.05482",
  needs = "models of one base; fails for unrelated starts",
  cost = "one pass",
  base = "none", models = {min = 1},
  params = {
    weight = {1.0, per = "model", doc = "share of each model"},
    normalize = {true, doc = "divide by the sum of the weights"},
  },
  tensor = function(t, p)
    local sum, c = 0, {}
    for i in ipairs(t.models) do sum = sum + p.weight[i] end
    if p.normalize and math.abs(sum) < 1e-8 then error("the weights sum to 0: set normalize = false", 0) end
    for i in ipairs(t.models) do c[i] = p.normalize and p.weight[i] / sum or p.weight[i] end
    return wb.combine(t.models, c, {affine = p.normalize})
  end,
  tests = {
    {name = "weights", models = {{w = {{1, 2}, {3, 4}}}, {w = {{5, 2}, {3, 0}}}}, params = {weight = {1, 3}},
     expect = {w = {{4, 2}, {3, 1}}}},
    {name = "raw sum", models = {{w = {1, 2}}, {w = {3, 4}}}, params = {weight = {0.5, 0.25}, normalize = false},
     expect = {w = {1.25, 2}}},
    {name = "weights that cancel", models = {{w = {1}}, {w = {2}}}, params = {weight = {1, -1}}, error = "sum to 0"},
  },
}
