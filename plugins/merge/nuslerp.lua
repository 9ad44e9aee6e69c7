local gram = require "lib.gram"

return {
  name = "nuslerp", kind = "merge",
  doc = "Spherical interpolation of two models by weights; with a base, of their task vectors. "
    .. "One arc for each tensor, row or column.",
  paper = "mergekit, merge method nuslerp (no paper)",
  cost = "two passes: inner products, then the mix",
  base = "optional", models = {min = 1, max = 2},
  params = {
    weight = {1.0, per = "model", doc = "shares; the second one's part of their sum is the way along the arc"},
    flatten = {true, doc = "one arc for the whole tensor"},
    row_wise = {false, doc = "without flatten: true means an arc for each column of [out, in], false for each row"},
    arc = {"default", choices = {"default", "tensor", "row", "column"}, doc = "the same, said plainly"},
  },
  tensor = function(t, p)
    local m1, m2 = t.models[1], t.models[2]
    if m2 == nil then return m1 end
    local sum = p.weight[1] + p.weight[2]
    local share = math.abs(sum) < 1e-6 and 0.5 or p.weight[2] / sum
    local arc = p.arc ~= "default" and p.arc or p.flatten and "tensor" or p.row_wise and "column" or "row"
    if #t.shape < 2 or arc == "tensor" then arc = nil end
    local base, rows = t.base, nil
    if arc == "row" and #t.shape > 2 then -- rows run along the last axis
      rows = {t.count // t.shape[#t.shape], t.shape[#t.shape]}
      base, m1, m2 = base and base:reshape(rows), m1:reshape(rows), m2:reshape(rows)
    end
    local x, y = base and m1 - base or m1, base and m2 - base or m2
    local xx, xy, yy = x:dot(x, arc), x:dot(y, arc), y:dot(y, arc)
    local cos = (xy / gram.norms(xx:max(1e-14), yy:max(1e-14), 0)):clamp(-1, 1)
    local theta = cos:acos()
    local linear = theta:sin():abs():lt(1e-8)
    local cx, cy = gram.arc(theta, share, linear)
    local rest = linear:where(0, cx + cy - 1)
    t:note("nearly_opposite", cos:lt(-0.9995):sum(), "sum")
    t:note("linear", linear:sum(), "sum")
    if arc == "row" then cy, rest = x:per_row(cy), x:per_row(rest) end
    if arc == "column" then cy, rest = x:per_column(cy), x:per_column(rest) end
    local out = m1 + (m2 - m1) * cy + x * rest -- base + cx x + cy y, exact for equal models
    return rows and out:reshape(t.shape) or out
  end,
  tests = {
    {name = "arc", models = {{w = {{1, 0}}}, {w = {{0, 1}}}}, expect = {w = {{0.70710678, 0.70710678}}}},
    {name = "task vectors", base = {w = {{1, 1}}}, models = {{w = {{2, 1}}}, {w = {{1, 2}}}},
     expect = {w = {{1.70710678, 1.70710678}}}},
    {name = "three", models = {{w = {1}}, {w = {2}}, {w = {3}}}, error = "model"},
  },
}
