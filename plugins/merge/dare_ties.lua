local dare = require "lib.dare"
local task = require "lib.task"

return {
  name = "dare_ties", kind = "merge",
  doc = "Drop a random share of each task vector, rescale the rest, then elect signs and merge as TIES does.",
  paper = "arXiv:2311.03099",
  needs = "a common base and small changes (below about 0.005)",
  cost = "one pass; rescale = \"l1\" two",
  base = "required", models = {min = 1},
  params = dare.params,
  tensor = function(t, p)
    local z, factor = dare.thinned(t, p)
    for i, x in ipairs(z) do z[i] = task.scaled(x, factor[i] * p.weight[i]) end
    return task.elect(z, p.weight, p.normalize):fma(p.lambda, t.base)
  end,
  tests = {
    {name = "density 1 only elects", base = {w = {0, 0}}, models = {{w = {3, -1}}, {w = {-1, -2}}},
     expect = {w = {3, -3}}},
    {name = "density 0 is the base", base = {w = {1, 2}}, models = {{w = {2, 4}}}, params = {density = 0},
     expect = {w = {1, 2}}},
  },
}
