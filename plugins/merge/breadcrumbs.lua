local task = require "lib.task"

-- Ranks [first, last) by magnitude, 0 the largest, as a mask; nil keeps everything.
local function band(d, first, last, n, axis)
  if last <= first then return d:zeros() end
  if first == 0 then return last < n and d:top_k(last, axis) or nil end
  return d:top_k(last, axis) - d:top_k(first, axis)
end

-- mergekit: keep int(density n) of the whole tensor below the int(gamma n) largest.
local function band_tensor(d, n, density, gamma)
  if density >= 1 then return nil end
  local keep, top = math.floor(density * n), math.floor(gamma * n)
  if keep + top > n then top = n - keep end -- nothing small is left to drop
  return band(d, top, top + keep, n)
end

-- The authors' code: the same along the last axis, with the order of the two steps to choose.
local function band_rows(t, d, p)
  if #t.shape == 0 then return nil end
  local n = t.shape[#t.shape]
  local remove, keep = math.floor(n * p.top_k_remove), math.floor(n * p.top_k_keep)
  if p.remove_first then keep = math.min(remove + keep, n) end
  if #t.shape <= 2 then return band(d, remove, keep, n, "row") end
  local mask = band(d:reshape{t.count // n, n}, remove, keep, n, "row")
  return mask and mask:reshape(t.shape)
end

return {
  name = "breadcrumbs", kind = "merge",
  doc = "Drop the largest and the smallest entries of each task vector and add the rest to the base. definition = "
    .. "\"mergekit\" works per tensor (density, gamma, weight, lambda, vote), \"official\" (the authors' code) per row "
    .. "(top_k_keep, top_k_remove, alpha).",
  paper = "arXiv:2312.06795",
  needs = "a common base",
  cost = "two selections a model, then one pass",
  base = "required", models = {min = 1},
  params = {
    definition = {"mergekit", choices = {"mergekit", "official"}, doc = "whose definition"},
    density = {1.0, min = 0, max = 1, per = "model", doc = "share kept; at 1 nothing is dropped, not even outliers"},
    gamma = {0.01, min = 0, max = 1, per = "model", doc = "share of the largest entries dropped"},
    weight = {1.0, per = "model", doc = "factor on each task vector"},
    normalize = {false, doc = "divide the sum by the weights"},
    rescale = {false, doc = "scale the kept entries to the absolute sum before the drop"},
    lambda = {1.0, doc = "factor on the merged task vector"},
    vote = {false, doc = "elect signs and merge what agrees, as TIES does (breadcrumbs_ties)"},
    top_k_keep = {0.15, min = 0, max = 1, doc = "official: share of each row kept"},
    top_k_remove = {0.01, min = 0, max = 1, doc = "official: share of each row's largest entries dropped"},
    remove_first = {true, doc = "official: drop the largest before choosing what to keep"},
    alpha = {0.3, doc = "official: factor on the sum"},
  },
  tensor = function(t, p)
    local official, v = p.definition == "official", {}
    for i in ipairs(t.models) do
      local d = t:delta(i)
      local mask
      if official then mask = band_rows(t, d, p) else mask = band_tensor(d, t.count, p.density[i], p.gamma[i]) end
      if not mask and not official then t:warn("density 1 drops nothing, not even outliers") end
      v[i] = mask and d * mask or d
      if not official and mask and p.rescale then v[i] = v[i] * task.l1_factor(d, v[i]) end
      if mask then t:note("kept_share." .. t.index[i], mask:mean(), "mean") end
      if not official and p.vote then v[i] = task.scaled(v[i], p.weight[i]) end
    end
    if official then return wb.sum(v):fma(p.alpha, t.base) end
    if p.vote then return task.elect(v, p.weight, p.normalize):fma(p.lambda, t.base) end
    return task.add(t.base, v, p.weight, p.lambda, p.normalize)
  end,
  tests = {
    {name = "band", base = {w = {0, 0, 0, 0}}, models = {{w = {4, 1, -3, 2}}}, params = {density = 0.5, gamma = 0.25},
     expect = {w = {0, 0, -3, 2}}},
    {name = "density 1 keeps all", base = {w = {0, 0}}, models = {{w = {4, 1}}}, expect = {w = {4, 1}}},
  },
}
