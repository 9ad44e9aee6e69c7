-- Tensors of several models brought to one shape and one set of names before they are merged (merge.md 0.4, 0.5).
local core = require "wb.core"
local combine = require "wb.tensor".combine
local shape_text = require "wb.context".shape_text

local M = {}

-- A table whose rows are the vocabulary: embeddings, heads, their biases.
local function is_vocabulary(info)
  return info.kind == "embed" and info.role == "embed" or info.kind == "lm_head" or info.role == "lm_head" or
    info.role == "lm_head.bias"
end

local function rows_of(x) return x:shape()[1] end

-- Do the shapes differ in their rows alone?
local function rows_differ(a, b)
  local one, two = a:shape(), b:shape()
  if #one ~= #two or #one == 0 then return false end
  for i = 2, #one do
    if one[i] ~= two[i] then return false end
  end
  return one[1] ~= two[1]
end

-- A model's tensor by the name of the reference; a tied head is its embedding.
local function look(m, info)
  local x = core.find(m, info.name)
  if x or info.role ~= "lm_head" then return x end
  if not m.dims.tied_embeddings then return nil end
  for _, other in ipairs(core.entries(m)) do
    if other.role == "embed" and (other.stack or "") == (info.stack or "") then
      return m:tensor(other.name), ("%s ties %s to its embedding: that is used"):format(m.path, info.name)
    end
  end
end

-- Rows idx[i] of x where there is one, else row i of fill. Streams: nothing is held.
local function rows_or(x, fill, idx)
  local from, have, any = {}, {}, false
  for i = 1, #idx do
    from[i], have[i] = idx[i] or 0, idx[i] and 1 or 0
    any = any or not idx[i]
  end
  local picked = x:gather_rows(from)
  if not any then return picked end
  local mask = core.array(have)
  if #fill:shape() > 1 then mask = fill:per_row(mask) end
  return mask:where(picked, fill)
end

local Vocabulary = {}
Vocabulary.__index = Vocabulary

-- For each row of the reference's table: the row of model m with the same token, or false.
function Vocabulary:map(m, rows, available)
  local store = core.store(m)
  self.tokens = self.tokens or core.vocabulary(self.ref)
  store.tokens = store.tokens or core.vocabulary(m)
  if not self.tokens or not store.tokens then
    return nil, ('vocab = "map" needs a tokenizer.json or vocab.json beside %s'):format(
      (self.tokens and m or self.ref).path)
  end
  local idx = {}
  for i = 1, rows do idx[i] = false end
  for token, id in next, self.tokens do
    local other = store.tokens[token]
    if id < rows and other and other < available then idx[id + 1] = other end
  end
  return idx
end

-- x of model m on the shape of `like` under a policy, or nil and the problem.
function Vocabulary:fit(x, like, m, info)
  local rows, available = rows_of(like), rows_of(x)
  if self.policy == "base_rows" then
    self.step:warn(("%s: %d rows of %s, %d of the base: the base's are kept"):format(info.name, available, m.path,
      rows))
    if available > rows then return x:rows(0, rows) end
    local idx = {}
    for i = 1, rows do idx[i] = i <= available and i - 1 or false end
    return rows_or(x, like, idx)
  end
  local idx, problem = self:map(m, rows, available)
  if not idx then return nil, problem end
  self.step:warn(("%s: rows of %s matched by their tokens"):format(info.name, m.path))
  return rows_or(x, like, idx)
end

local Align = {}
Align.__index = Align

-- options: ref, base (or nil), models, common (the parameters of every merge), step, problems.
function M.new(options)
  local self = setmetatable(options, Align)
  self.vocabulary = setmetatable({ref = self.ref, policy = self.common.vocab, step = self.step}, Vocabulary)
  return self
end

local function check_shape(self, x, like, m, info)
  if core.same_shape(x, like) then return x end
  if not (is_vocabulary(info) and rows_differ(x, like)) then
    self.problems:add("%s: %s in %s, %s in %s", info.name, shape_text(like), self.ref.path, shape_text(x), m.path)
    return nil
  end
  if self.common.vocab == "error" then
    self.problems:add('%s: the vocabularies differ: %s in %s, %s in %s (vocab = "submatrix", "base_rows", "map" or '
      .. '"exclude")', info.name, shape_text(like), self.ref.path, shape_text(x), m.path)
    return nil
  end
  if self.common.vocab == "submatrix" or self.common.vocab == "exclude" then return x, true end
  local fitted, problem = self.vocabulary:fit(x, like, m, info)
  if not fitted then self.problems:add("%s: %s", info.name, problem) end
  return fitted
end

-- Cut all to the common leading rows.
local function submatrix(self, info, inputs)
  local rows = math.huge
  for _, x in ipairs(inputs.all) do rows = math.min(rows, rows_of(x)) end
  self.step:warn(("%s: cut to the %d rows that all models have"):format(info.name, rows))
  local function cut(x) return x and rows_of(x) > rows and x:rows(0, rows) or x end
  inputs.base = cut(inputs.base)
  for i, x in ipairs(inputs.models) do inputs.models[i] = cut(x) end
  inputs.cut = rows
end

local function finite(self, x, m, info, base)
  local how = self.common.on_nonfinite
  if how == "propagate" then return x end
  if how == "base" and base then return x:is_finite():where(x, base) end
  return x:guard(m.path, info.name)
end

-- What one tensor is merged from: {base, models, index}, or nil with problems told or nothing to merge.
function Align:inputs(info)
  local inputs = {models = {}, index = {}, all = {}, owners = {}}
  local like, ragged = self.ref:tensor(info.name), false
  if self.base then
    inputs.base = like
    inputs.all[1] = like
  end
  for i, m in ipairs(self.models) do
    local x, warning = look(m, info)
    if warning then self.step:warn(warning) end
    if not x then
      if self.common.on_missing == "error" then
        self.problems:add('%s is not in %s (on_missing = "skip_model" merges the rest)', info.name, m.path)
      else
        self.step:warn(("%s is not in %s: merged without it"):format(info.name, m.path))
      end
    else
      local fitted, uneven = check_shape(self, x, like, m, info)
      ragged = ragged or uneven
      if fitted then
        local n = #inputs.models + 1
        inputs.models[n], inputs.index[n], inputs.owners[n] = fitted, i, m
        inputs.all[#inputs.all + 1] = fitted
      end
    end
  end
  if #inputs.models == 0 then return nil end
  if ragged and self.common.vocab == "exclude" then return nil, "vocabulary" end
  if ragged then submatrix(self, info, inputs) end
  if inputs.base then inputs.base = finite(self, inputs.base, self.base, info) end
  for i, x in ipairs(inputs.models) do inputs.models[i] = finite(self, x, inputs.owners[i], info, inputs.base) end
  if #inputs.index == #self.models then inputs.complete = true end
  return inputs
end

-- What an excluded tensor becomes, nil for the reference's own.
function Align:rest(info)
  local from = self.common.rest_from
  if from == "base" or not info.computable then return nil end
  local list = {}
  for i, m in ipairs(self.models) do
    if from == "average" or from == i then
      local x = look(m, info)
      if not x then
        self.problems:add("%s, which rest_from wants, is not in %s", info.name, m.path)
      else
        list[#list + 1] = check_shape(self, x, self.ref:tensor(info.name), m, info)
      end
    end
  end
  if #list == 0 then return nil end
  local share = {}
  for i = 1, #list do share[i] = 1 / #list end
  return combine(list, share, {affine = true})
end

-- Names that models have and the reference has not.
function Align:extras()
  local seen, list = {}, {}
  for _, m in ipairs(self.models) do
    for _, info in ipairs(core.entries(m)) do
      if not seen[info.name] and not info.tied_to and info.kind ~= "buffer" and not core.find(self.ref, info.name) then
        seen[info.name] = true
        list[#list + 1] = {info = info, owner = m}
      end
    end
  end
  table.sort(list, function(a, b) return a.info.name < b.info.name end)
  return list
end

return M
