-- Which side of a weight the neurons (or the heads) are on: its outputs or its inputs.
local neuron_side = {gate = "out", up = "out", gate_up = "out", down = "in"}
local head_side = {q = "out", k = "out", v = "out", qkv = "out", o = "in", q_norm = "out", k_norm = "out"}

-- Entries of an axis of length n: sections one behind the other, in each of which #perm equal blocks change places.
local function indices(perm, n, sections)
  local idx, first, whole = {}, 0, 0
  for _, s in ipairs(sections) do whole = whole + s end
  for _, s in ipairs(sections) do
    local size = n * s // whole // #perm
    for _, b in ipairs(perm) do
      for i = 0, size - 1 do idx[#idx + 1] = first + b * size + i end
    end
    first = first + size * #perm
  end
  if #idx ~= n then error(("%d entries do not fall into %d equal blocks"):format(n, #perm), 0) end
  return idx
end

-- The tensor with the places on one side changed, stored as it was ([in, out] or a vector).
local function reorder(t, info, rows, perm, sections)
  local idx = indices(perm, rows and info.shape[1] or info.shape[#info.shape], sections)
  if rows then return t:gather_rows(idx) end
  if #info.shape > 1 then return t:gather_columns(idx) end
  return t:reshape{1, info.count}:gather_columns(idx):reshape(info.shape)
end

-- Why the order of the heads must stay, or nil.
local function heads_fixed(m)
  if m.config.alibi then return "each head has its own slope" end
  for _, name in ipairs(m:names()) do
    local info = m:info(name)
    if info.role == "rel_bias" then return "each head has its own position bias" end
    if head_side[info.role] and info.stack ~= "" then return "the stacks may have different heads" end
  end
end

local function run(m, p, r, inverse)
  local master, mark, order, changed = wb.master_key(p.key), m.config.weightbench_permute, {}, {}
  if inverse and mark and mark.key_id ~= wb.key_id(master) then
    error("this model was permuted with another key", 0)
  end
  local fixed = p.heads and heads_fixed(m)
  if fixed then r:warn("heads keep their order: " .. fixed) end
  local function permutation(info, branch, n) -- of n things, the same for all tensors of a layer (and expert)
    local label = ("weightbench/lock/v1|layer=%s%d|group=%d|branch=%s|"):format(info.stack, info.layer,
      info.expert or 0, branch)
    if not order[label] then
      local given = branch ~= "heads" and #p.permutation > 0 and p.permutation
      order[label] = given or wb.key_permutation(master, label, n)
      if inverse then order[label] = wb.inverse_permutation(order[label]) end
    end
    return order[label]
  end
  for _, name in ipairs(m:names()) do
    local info = m:info(name)
    local role, biases = info.role:gsub("%.bias$", "")
    local side = p.neurons and neuron_side[role] or p.heads and not fixed and head_side[role]
    if not info.layer or side == "in" and biases > 0 or info.count == m.dims.head_dim and role:match("_norm$") then
      side = nil -- nothing in it is a neuron's or a head's own
    end
    if side and #info.shape > 2 then
      r:warn(name .. ": experts in one tensor keep their neurons' order")
    elseif side then
      local rows = #info.shape > 1 and (side == "out") ~= info.transposed
      local n, kv = rows and info.shape[1] or info.shape[#info.shape], m.dims.kv_heads
      local perm, sections
      if neuron_side[role] then
        sections = info.fused == "gate_up" and {1, 1} or {1}
        perm = permutation(info, info.expert and "expert" or "mlp", n // #sections)
      else
        sections = info.fused == "qkv" and {m.dims.heads // kv, 1, 1} or {1}
        perm = permutation(info, "heads", kv)
      end
      changed[name] = reorder(m:tensor(name), info, rows, perm, sections)
    end
  end
  local out = m:with(changed)
  if not m.has_config then return out end
  return out:configure{weightbench_permute = inverse and wb.null or {version = 1, key_id = wb.key_id(master)}}
end

return {
  name = "permute", kind = "protect",
  doc = "Reorder feed-forward neurons and key/value groups (with their query heads) by a key: the same function, but "
    .. "a merge with a sibling fails. Not encryption: matching neurons with a public base undoes it.",
  paper = "arXiv:2503.07661",
  params = {
    key = {required = true, type = "string", secret = true, doc = "passphrase, or 64 hexadecimal digits"},
    neurons = {true, doc = "feed-forward neurons"},
    heads = {true, doc = "groups of a key/value head and its query heads"},
    permutation = {{}, type = "list", doc = "order of the neurons in place of the key's: new[i] = old[p[i]], from 0"},
  },
  model = function(m, p, r) return run(m, p, r, false) end,
  unlock = function(m, p, r) return run(m, p, r, true) end,
  tests = {
    {name = "neurons", params = {key = "k", heads = false, permutation = {2, 0, 1}},
     model = {["model.layers.0.mlp.gate_proj.weight"] = {{1, 2}, {3, 4}, {5, 6}},
       ["model.layers.0.mlp.down_proj.weight"] = {{1, 2, 3}, {4, 5, 6}}},
     expect = {["model.layers.0.mlp.gate_proj.weight"] = {{5, 6}, {1, 2}, {3, 4}},
       ["model.layers.0.mlp.down_proj.weight"] = {{3, 1, 2}, {6, 4, 5}}}},
    {name = "a key is needed", model = {w = {1}}, error = "key"},
  },
}
