local axes = {row = "row", model = "all"} -- of a scope; a tensor needs none

-- The published magnitude pruning: everything up to the value at place int(n * sparsity), so at least one more.
local function up_to_threshold(w, sparsity, axis)
  local n = wb.scalar(w:count_all()):sum(axis)
  return w:abs():le(w:kth_magnitude((n - (n * sparsity):floor()):max(1), axis))
end

-- The mask of what goes; among equal magnitudes the lower index goes first.
local function doomed(w, t, p)
  local small = -w:abs()
  if p.m > 0 then -- n of every m inputs in a row
    return small:reshape{t.count // p.m, p.m}:top_value_k(p.n, "row"):reshape(t.shape)
  end
  if p.rule == "exact" then return small:top_value(p.sparsity, axes[p.scope]) end
  if p.scope == "row" then error("rule = \"official\" compares whole tensors or the whole model, not rows", 0) end
  return up_to_threshold(w, p.sparsity, axes[p.scope])
end

return {
  name = "prune", kind = "compress",
  doc = "Set the linear weights of smallest magnitude to zero. Embeddings, head, norms, biases and routers stay.",
  paper = "arXiv:2306.11695 (its magnitude baseline)",
  config = "nothing",
  oriented = true,
  params = {
    sparsity = {0.5, min = 0, max = 1, doc = "share of the weights set to zero"},
    scope = {"tensor", choices = {"tensor", "row", "model"}, doc = "among which weights the smallest are sought"},
    rule = {"exact", choices = {"exact", "official"},
      doc = "exact: floor(n * sparsity) weights; official: the published code's <= threshold, one more and ties"},
    n = {2, type = "integer", min = 0, doc = "with m: weights set to zero in every m inputs"},
    m = {0, type = "integer", min = 0, doc = "4 with n = 2 gives 2:4 sparsity; 0: no pattern, sparsity counts"},
    all = {false, doc = "every tensor of two or more dimensions, embeddings and head too"},
  },
  tensor = function(t, p)
    local linear = t.kind == "linear" and t.role ~= "router" and t.role ~= "shared_gate"
    if not (linear or p.all) or #t.shape < 2 or p.m == 0 and p.sparsity == 0 then return nil end
    if p.m > 0 and t.shape[#t.shape] % p.m ~= 0 then
      t:warn(("%s: %d inputs are no multiple of %d: left dense"):format(t.name, t.shape[#t.shape], p.m))
      return nil
    end
    local w = t.tensor
    local out = doomed(w, t, p):where(0, w)
    t:note("sparsity", 1 - out:count() / t.count, "mean")
    t:note("relative_error", (w - out):norm() / w:norm():max(1e-30), "mean")
    return out
  end,
  tests = {
    {name = "half", model = {["layers.0.mlp.up_proj.weight"] = {{1, -4, 3, 2}}},
     params = {all = true}, expect = {["layers.0.mlp.up_proj.weight"] = {{0, -4, 3, 0}}}},
    {name = "ties: the lower index goes", model = {w = {{2, 2, 2, 2}}}, params = {all = true},
     expect = {w = {{0, 0, 2, 2}}}},
    {name = "one of two", model = {w = {{1, 2, 4, 3}}}, params = {all = true, n = 1, m = 2},
     expect = {w = {{0, 2, 4, 0}}}},
  },
}
