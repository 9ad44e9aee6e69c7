local gram = require "lib.gram"

return {
  name = "model_stock", kind = "merge",
  doc = "Pull the average of a few fine-tuned models toward the base, the less their task vectors agree.",
  paper = "arXiv:2403.19522",
  needs = "fine-tuned models of one base, at least two",
  cost = "two passes: inner products, then the mix",
  base = "required", models = {min = 2},
  params = {
    filter_wise = {false, doc = "one ratio for each output row instead of one for each tensor"},
    floor = {1e-12, min = 0,
      doc = "least product of two norms; mergekit has 1e-6, which sends small tensors to the base"},
    clamp_t = {true, doc = "keep the ratio in [0, 1]; false: raw, negative for task vectors that point apart"},
  },
  tensor = function(t, p)
    local n, d, cos = #t.models, {}, {}
    if n < 2 then return t.base end
    local axis = p.filter_wise and #t.shape > 1 and "row" or nil
    for i in ipairs(t.models) do d[i] = t:delta(i) end
    local g = gram.dots(d, axis)
    for i = 1, n do
      for j = i + 1, n do
        cos[#cos + 1] = (g[i][j] / gram.norms(g[i][i], g[j][j], math.max(p.floor, 1e-300))):clamp(-1, 1)
      end
    end
    cos = wb.mean(cos)
    local below = cos:le(0) -- at -1 / (n - 1) the ratio divides by 0
    local divisor = 1 + cos * (n - 1)
    local ratio = divisor:eq(0):where(0, cos * n / divisor)
    if p.clamp_t then
      t:note("clamped", cos:lt(0):sum(), "sum")
      ratio = below:where(0, ratio):clamp(0, 1)
    end
    t:note("ratio", ratio:mean(), "mean")
    local share = {}
    for i = 1, n do share[i] = 1 / n end
    local mean = wb.combine(t.models, share, {affine = true})
    if axis == nil then return t.base:lerp(mean, ratio) end
    local w = t.base:per_row(ratio)
    local way = mean - t.base -- from the nearer end, so that both ends are exact
    return w:lt(0.5):where(t.base + way * w, mean - way * (1 - w))
  end,
  tests = {
    {name = "orthogonal: the base", base = {w = {0, 0}}, models = {{w = {1, 0}}, {w = {0, 1}}}, expect = {w = {0, 0}}},
    {name = "equal: the model", base = {w = {0, 0}}, models = {{w = {1, 2}}, {w = {1, 2}}}, expect = {w = {1, 2}}},
    {name = "one is not enough", base = {w = {0}}, models = {{w = {1}}}, error = "model"},
  },
}
