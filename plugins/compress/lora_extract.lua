-- How many singular values stay, limit at most. Looks at them now where the rule does: the rank decides the shape.
local function rank_of(s, limit, p)
  if p.sv_epsilon == 0 and p.energy >= 1 then return limit end
  local value, all, sum, rank = s:value(), 0, 0, 0
  for _, x in ipairs(value) do all = all + x * x end
  for i = 1, limit do
    if value[i] <= p.sv_epsilon or sum >= p.energy * all then break end
    rank, sum = i, sum + value[i] * value[i]
  end
  return rank
end

-- A (r, in) and B (out, r): their product is the matrix cut to rank r, nil for rank 0. The sign of each pair is free:
-- the largest entry of a column of U is made positive.
local function factors(delta, p)
  local shape, u, s, vt = delta:shape(), delta:svd()
  local r = rank_of(s, math.min(p.max_rank, shape[1], shape[2]), p)
  if r == 0 then return nil end
  local sign = u:max("column"):ge(-u:min("column")):fma(2, -1)
  local left, right = p.distribute_scale and s:sqrt() or 1, p.distribute_scale and s:sqrt() or s
  return (vt * vt:per_row(sign * right)):rows(0, r), (u * u:per_column(sign * left)):columns(0, r), r
end

-- adapter_config.json. rank: module -> rank; saved: modules that are written whole, as a set.
local function adapter_config(rank, saved, transposed, p)
  local largest, pattern, targets, whole, seen = 0, {}, {}, {}, {}
  for _, k in pairs(rank) do largest = math.max(largest, k) end
  for module, k in pairs(rank) do
    local last = module:match("[^.]+$")
    pattern[module] = k ~= largest and k or nil
    if not seen[last] then targets[#targets + 1], seen[last] = last, true end
  end
  for module in pairs(saved) do whole[#whole + 1] = module end
  return wb.json{
    peft_type = "LORA", task_type = "CAUSAL_LM", base_model_name_or_path = p.base.path, r = largest,
    lora_alpha = largest, rank_pattern = pattern, alpha_pattern = pattern, target_modules = targets,
    modules_to_save = #whole > 0 and whole or wb.null, fan_in_fan_out = transposed, bias = "none", lora_dropout = 0,
    inference_mode = true, init_lora_weights = true, use_rslora = false,
  }
end

return {
  name = "lora_extract", kind = "compress",
  doc = "Write the difference between a model and its base as a LoRA adapter: a truncated SVD of each linear weight.",
  paper = "arXiv:2106.09685; mergekit's extract-lora",
  config = "replaced by adapter_config.json: the output is an adapter, not a model",
  reshapes = true,
  params = {
    base = {required = true, type = "model", doc = "the model that the adapter is for"},
    max_rank = {128, type = "integer", min = 1, doc = "of each module"},
    sv_epsilon = {0, min = 0, doc = "singular values up to this are dropped"},
    energy = {1, min = 0, max = 1, doc = "the smallest rank that keeps this share of the squared singular values"},
    distribute_scale = {true, doc = "the root of each singular value to both factors; else all of it to A"},
    embed_lora = {false, doc = "embeddings and head as factors too"},
    save_rest = {true, doc = "embeddings, head and norms go in whole (modules_to_save); else they are left out"},
  },
  model = function(m, p, r)
    local out, rank, saved, transposed = {}, {}, {}, false
    for _, name in ipairs(m:names()) do
      local info, module = m:info(name), name:gsub("%.%w+$", "")
      local embed = p.embed_lora and info.role == "embed"
      if not p.base:has(name) then error(name .. " is not in the base", 0) end
      local linear = embed or info.kind == "linear" or p.embed_lora and info.kind == "lm_head"
      if linear and #info.shape == 2 and not info.tied_to then
        local delta = m:tensor(name) - p.base:tensor(name)
        if embed or info.transposed then delta = delta:t() end
        local a, b, k = factors(delta, p)
        if k then
          local at = "base_model.model." .. module .. (embed and ".lora_embedding_%s" or ".lora_%s.weight")
          out[at:format("A")], out[at:format("B")], rank[module] = a:as("F32"), b:as("F32"), k
          transposed = transposed or info.transposed
          r:note(name, "rank", k, "max")
          r:note(name, "relative_error", (delta - b:matmul(a)):norm() / delta:norm():max(1e-30), "mean")
        end
      elseif info.kind == "bias" then
        r:warn("biases of linear weights are left out")
      elseif p.save_rest and info.computable and not info.tied_to then
        out["base_model.model." .. name], saved[module] = m:tensor(name), true
      end
    end
    if next(rank) == nil then error("the models differ in no linear weight", 0) end
    return m:only(out):stem("adapter_model"):file("adapter_config.json", adapter_config(rank, saved, transposed, p))
  end,
}
