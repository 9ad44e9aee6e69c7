local task = require "lib.task"

return {
  name = "task_arithmetic", kind = "merge",
  doc = "Add weighted task vectors (model minus base) to the base; a negative weight forgets.",
  paper = "arXiv:2212.04089",
  needs = "a common base",
  cost = "one pass",
  base = "required", models = {min = 1},
  params = {
    weight = {1.0, per = "model", doc = "factor on each task vector"},
    lambda = {1.0, doc = "factor on their sum; 0.3 to 0.4 is usual for many tasks"},
    normalize = {false, doc = "divide the sum by the sum of the weights"},
  },
  tensor = function(t, p)
    local d = {}
    for i in ipairs(t.models) do d[i] = t:delta(i) end
    return task.add(t.base, d, p.weight, p.lambda, p.normalize)
  end,
  tests = {
    {name = "two deltas", base = {w = {{1, 2}, {3, 4}}}, models = {{w = {{2, 2}, {3, 4}}}, {w = {{1, 3}, {3, 4}}}},
     params = {lambda = 0.5}, expect = {w = {{1.5, 2.5}, {3, 4}}}},
    {name = "negation", base = {w = {1, 2}}, models = {{w = {2, 4}}}, params = {weight = -1}, expect = {w = {0, 0}}},
    {name = "analogy", base = {w = {1}}, models = {{w = {2}}, {w = {5}}, {w = {3}}}, params = {weight = {1, 1, -1}},
     expect = {w = {4}}},
    {name = "no model", base = {w = {1}}, models = {}, error = "model"},
  },
}
