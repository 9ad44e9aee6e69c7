local gram = require "lib.gram"

-- One step of the mean on the sphere, in coefficients c of the unit vectors. K: their Gram matrix; share: weight
-- of each. Once the step is shorter than tol, c stays as it is.
local function step(c, K, share, tol)
  local dots = K:matmul(c):clamp(-1, 1)
  local theta = dots:acos()
  local sine = theta:sin()
  local pull = sine:lt(1e-9):where(1, theta / sine) * theta:ge(tol) * share
  local tangent = pull - c * pull:dot(dots)
  local length = tangent:dot(K:matmul(tangent)):max(0):sqrt()
  return length:ge(tol):where(c * length:cos() + tangent * (length:sin() / length), c)
end

return {
  name = "karcher", kind = "merge",
  doc = "Mean direction on the sphere (Karcher mean) of the models' tensors, times their mean norm; equal weights.",
  paper = "Karcher 1977, Riemannian center of mass and mollifier smoothing",
  needs = "models of one base",
  cost = "two passes: inner products, then the mix",
  base = "none", models = {min = 1},
  params = {
    max_iter = {10, type = "integer", min = 1, max = 400, doc = "steps at most"},
    tol = {1e-5, min = 1e-12, max = 1, doc = "a shorter step ends it; a tensor of no larger norm has no direction"},
  },
  tensor = function(t, p)
    local n, norm, unit, flat, first, before = #t.models, {}, {}, {}, {}, wb.scalar(1)
    local g = gram.dots(t.models)
    for i = 1, n do
      norm[i] = g[i][i]:sqrt()
      local alive = norm[i]:gt(p.tol)
      unit[i] = alive:where(1 / norm[i], 0)
      first[i], before = alive * before, before * (1 - alive)
      for j = 1, n do flat[#flat + 1] = g[i][j] end
    end
    local column = wb.pack(unit, {n, 1})
    local K = wb.pack(flat, {n, n}) * column:matmul(wb.pack(unit, {1, n}))
    local share = column:gt(0) / column:count():max(1)
    local size = share:dot(K:matmul(share)):max(0):sqrt()
    local c = size:lt(p.tol):where(wb.pack(first, {n, 1}), share / size)
    if n > 2 then -- the middle of two is there at once
      for _ = 1, p.max_iter do c = step(c, K, share, p.tol) end
    end
    c = c * column * (wb.sum(norm) / n) / c:dot(K:matmul(c)):max(1e-30):sqrt()
    t:note("opposite_pairs", K:le(-1 + 1e-15):sum() / 2, "sum")
    t:note("without_direction", n - column:count(), "sum")
    local coefficients = {}
    for i = 1, n do coefficients[i] = c:item(i - 1) end
    return wb.combine(t.models, coefficients)
  end,
  tests = {
    {name = "two axes", models = {{w = {2, 0}}, {w = {0, 2}}}, expect = {w = {1.41421356, 1.41421356}}},
    {name = "one model", models = {{w = {1, 2}}}, expect = {w = {1, 2}}},
    {name = "zeros", models = {{w = {0, 0}}, {w = {0, 0}}, {w = {0, 0}}}, expect = {w = {0, 0}}},
  },
}
