local gram = require "lib.gram"

return {
  name = "multislerp", kind = "merge",
  doc = "Weighted mean direction of several models times their weighted mean norm; with a base, of their task vectors.",
  paper = "mergekit, merge method multislerp (no paper); in closed form",
  cost = "two passes: inner products, then the mix",
  base = "optional", models = {min = 1},
  params = {
    weight = {1.0, per = "model", doc = "share of each model, from 0 up"},
    normalize_weights = {true, doc = "divide the weights by their sum"},
  },
  tensor = function(t, p)
    local n, x, w, sum = #t.models, {}, {}, 0
    if n == 1 then return t.models[1] end
    for i in ipairs(t.models) do sum = sum + p.weight[i] end
    if p.normalize_weights and math.abs(sum) < 1e-8 then
      error("the weights sum to 0: set normalize_weights = false", 0)
    end
    for i, m in ipairs(t.models) do
      x[i] = t.base and m - t.base or m
      w[i] = p.normalize_weights and p.weight[i] / sum or p.weight[i]
    end
    local g, c, size, square = gram.dots(x), {}, 0, 0
    for i = 1, n do
      local norm = g[i][i]:sqrt()
      size, c[i] = size + norm * w[i], w[i] / (norm + 1e-8)
    end
    for i = 1, n do
      for j = 1, n do square = square + c[i] * c[j] * g[i][j] end
    end
    -- |sum of w u|: below 1e-7 a Gram matrix cannot tell it from 0
    local cancel = square:lt(1e-14)
    local scale = size / cancel:where(0, square):sqrt() -- infinite where directions cancel out
    local linear = n == 2 and cancel or size:eq(0)      -- two models: plain mean; all zero: zero
    local all = {table.unpack(t.models)}
    for i = 1, n do c[i] = linear:where(w[i], c[i] * scale) end
    t:note("cancelling", cancel, "sum")
    if t.base then
      local rest = 1 - wb.sum(c)
      all[n + 1], c[n + 1] = t.base, rest:abs():lt(1e-12):where(0, rest)
    end
    local out = wb.combine(all, c, {affine = t.base ~= nil})
    return n > 2 and out:guard("multislerp (directions that cancel out)", t.name) or out
  end,
  tests = {
    {name = "three axes", models = {{w = {3, 0, 0}}, {w = {0, 3, 0}}, {w = {0, 0, 3}}},
     expect = {w = {1.73205081, 1.73205081, 1.73205081}}},
    {name = "two that cancel: plain mean", models = {{w = {1, 2}}, {w = {-1, -2}}}, expect = {w = {0, 0}}},
    {name = "weights that cancel", models = {{w = {1}}, {w = {2}}}, params = {weight = {1, -1}}, error = "sum to 0"},
  },
}
