local task = require "lib.task"

-- The mask of the authors' code: all at least as large as the (int(D * share) + 1)-th largest magnitude of D.
local function top_official(d, share, axis, label)
  local k = (wb.scalar(d:count_all()):sum(axis, label) * share):floor() + 1
  return d:abs():ge(d:kth_magnitude(k, axis, label))
end

return {
  name = "ties", kind = "merge",
  doc = "Trim each task vector, elect a sign per weight, merge the entries that agree. definition = \"mergekit\" uses "
    .. "density, weight, normalize, rescale and consensus; \"official\" (the authors' code) uses K, merge_func and "
    .. "zero_rule.",
  paper = "arXiv:2306.01708",
  needs = "a common base",
  cost = "a selection a model (two to three passes over its tensors), then one pass",
  base = "required", models = {min = 1},
  params = {
    definition = {"mergekit", choices = {"mergekit", "official"}, doc = "whose definition of trim, vote and mean"},
    scope = {"default", choices = {"default", "tensor", "model"},
      doc = "what a threshold is for; default: each tensor (mergekit), the whole model (official)"},
    density = {1.0, min = 0, max = 1, per = "model", doc = "share of each task vector kept; 0.2 to 0.5 is usual"},
    weight = {1.0, per = "model", doc = "factor on each task vector, before the vote"},
    normalize = {true, doc = "divide by the weights that agree"},
    rescale = {false, doc = "scale the kept entries to the absolute sum before the trim"},
    consensus = {"sum", choices = {"sum", "count"}, doc = "vote by the sum of entries or by their number"},
    K = {20, min = 0, max = 100, doc = "kept: percent above 1, else a share"},
    merge_func = {"dis-mean", choices = {"dis-mean", "dis-sum", "dis-max"}, doc = "how agreeing entries are merged"},
    zero_rule = {"majority", choices = {"majority", "minority"}, doc = "sign where the vote is exactly 0"},
    lambda = {1.0, doc = "factor on the merged task vector"},
  },
  prepare = function(c) return c.base.parameters end,
  tensor = function(t, p)
    local official, v = p.definition == "official", {}
    local global = p.scope == "model" or p.scope == "default" and official
    local axis = global and "all" or nil
    for i in ipairs(t.models) do
      local d, label = t:delta(i), global and t.index[i] or nil
      local share = not official and p.density[i] or p.K > 1 and p.K / 100 or p.K
      v[i] = d
      if share < 1 then
        local mask = (official and top_official or d.top)(d, share, axis, label)
        v[i] = d * mask
        t:note("kept_share." .. t.index[i], mask:mean(), "mean")
        if share * (global and t.prepared or t.count) < 1 then
          t:warn(official and "K is less than one entry: the largest survives" or "a task vector is trimmed to nothing")
        end
        if p.rescale and not official then v[i] = v[i] * task.l1_factor(d, v[i]) end
      end
      if not official then v[i] = task.scaled(v[i], p.weight[i]) end
    end
    local merged = official and task.elect_official(v, p.merge_func, p.zero_rule, axis)
      or task.elect(v, p.weight, p.normalize, p.consensus)
    return merged:fma(p.lambda, t.base)
  end,
  tests = {
    {name = "trim and elect", base = {w = {0, 0, 0, 0}}, models = {{w = {4, 1, -3, 0}}, {w = {2, -8, 1, 0}}},
     params = {density = 0.5}, expect = {w = {3, -8, -3, 0}}},
    {name = "signs that cancel elect plus", base = {w = {1, 1}}, models = {{w = {2, 1}}, {w = {0, 1}}},
     expect = {w = {2, 1}}},
    {name = "density range", base = {w = {1}}, models = {{w = {2}}}, params = {density = 1.5}, error = "density"},
  },
}
