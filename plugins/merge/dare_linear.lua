local dare = require "lib.dare"
local task = require "lib.task"

return {
  name = "dare_linear", kind = "merge",
  doc = "Drop a random share of each task vector, rescale the rest, add them to the base.",
  paper = "arXiv:2311.03099",
  needs = "a common base and small changes (below about 0.005)",
  cost = "one pass; rescale = \"l1\" two",
  base = "required", models = {min = 1},
  params = dare.params,
  tensor = function(t, p)
    local z, factor = dare.thinned(t, p)
    local divisor = p.normalize and task.divisor(p.weight) or 1
    for i, f in ipairs(factor) do factor[i] = f * p.weight[i] / divisor end
    return task.add(t.base, z, factor, p.lambda)
  end,
  tests = {
    {name = "density 1 drops nothing", base = {w = {1, 2}}, models = {{w = {2, 4}}}, expect = {w = {2, 4}}},
    {name = "density 0 is the base", base = {w = {1, 2}}, models = {{w = {2, 4}}}, params = {density = 0},
     expect = {w = {1, 2}}},
  },
}
