-- Random drop of task vector entries with rescale (DARE); shared by dare_linear and dare_ties.
local task = require "lib.task"
local M = {}

M.params = {
  density = {1.0, min = 0, max = 1, per = "model",
    doc = "share of each task vector that survives (1 - drop rate); 0.1 to 0.5 is usual"},
  rescale = {"paper", choices = {"paper", "l1", "none"},
    doc = "paper: divide by density; l1: back to the absolute sum before the drop; none"},
  weight = {1.0, per = "model", doc = "factor on each task vector"},
  lambda = {1.0, doc = "factor on the merged task vector"},
  normalize = {false, doc = "divide by the weights"},
  uniform = {{}, type = "list",
    doc = "models whose tensors are the draws in [0, 1), one for each model, in place of the generator"},
}

-- Task vectors thinned, and the factor that rescaling puts on each (a number).
function M.thinned(t, p)
  local z, factor = {}, {}
  for i in ipairs(t.models) do
    local d, keep, draws = t:delta(i), p.density[i], p.uniform[t.index[i]]
    factor[i] = 1
    if keep >= 1 then
      z[i] = d
    elseif keep <= 0 then
      z[i] = t:zeros()
    else
      local mask = draws and draws:tensor(t.name):lt(keep) or wb.bernoulli(d, keep, p.seed, t.index[i])
      z[i] = d * mask
      t:note("kept_share." .. t.index[i], mask:mean(), "mean")
      if p.rescale == "paper" then factor[i] = 1 / keep end
      if p.rescale == "l1" then z[i] = z[i] * task.l1_factor(d, z[i]) end
    end
  end
  return z, factor
end

return M
