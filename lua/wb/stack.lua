-- wb.stack: a model made of layers of one or several, renumbered (compress.md C1.3, C1.5).
local core = require "wb.core"
local params = require "wb.params"
local problems = require "wb.problems"
local step = require "wb.step"

local M = {}

-- What comes after the layers is taken from the last entry, the rest from the first.
local after = {final_norm = true, lm_head = true, classifier = true, pooler = true, projection = true}

local function is_after(info) return after[info.role:gsub("%.bias$", "")] or false end

local function single_stack(m, where)
  local stack
  for _, info in ipairs(core.entries(m)) do
    if info.layer then
      if stack and stack ~= info.stack then
        core.fail(("%s: %s has layers of several stacks (%s, %s); those cannot be stacked"):format(where, m.path, stack,
          info.stack))
      end
      stack = info.stack
    end
  end
end

-- pieces: {model, layers = list of numbers, scale = function(info) -> number}. Gives a draft.
local function build(pieces, gather)
  local first, last = pieces[1].model, pieces[#pieces].model
  local draft = core.derive(first)
  draft:clear()
  for _, info in ipairs(core.entries(first)) do
    if not info.layer and not is_after(info) then draft:set(info.name, first:tensor(info.name)) end
  end
  local number, source = 0, {}
  for _, piece in ipairs(pieces) do
    local m, by_layer = piece.model, {}
    for _, info in ipairs(core.entries(m)) do
      if info.layer then
        by_layer[info.layer] = by_layer[info.layer] or {}
        table.insert(by_layer[info.layer], info)
      end
    end
    for _, layer in ipairs(piece.layers) do
      for _, info in ipairs(by_layer[layer] or {}) do
        local name = core.rename_layer(m, info.name, number)
        if not name then
          gather:add("%s: the layer number in this name cannot be changed", info.name)
        else
          local x, scale = m:tensor(info.name), piece.scale and piece.scale(info) or 1
          if scale ~= 1 and info.computable then
            draft:set_as(name, x * scale, x)
          else
            draft:set(name, x)
          end
        end
      end
      number = number + 1
      source[number] = math.min(layer, first.layers - 1)
    end
  end
  for _, info in ipairs(core.entries(last)) do
    if not info.layer and is_after(info) then draft:set(info.name, last:tensor(info.name)) end
  end
  draft:config_layers(first, source)
  return draft, number
end

local function check_range(i, m, range, where)
  local first, last = range and range[1], range and range[2]
  if type(range) ~= "table" or #range ~= 2 or math.type(first) ~= "integer" or math.type(last) ~= "integer" then
    core.fail(("%s: entry %d: layers is {first, last}, counted from 0, the last one exclusive"):format(where, i))
  end
  if first < 0 or last < first or last > m.layers then
    core.fail(("%s: entry %d: layers {%d, %d} of %s, which has %d"):format(where, i, first, last, m.path, m.layers))
  end
end

local function make_piece(i, item, self)
  local where = self.where
  if type(item) ~= "table" or core.type(item.model) ~= "model" then
    core.fail(("%s: entry %d is a table {model = …, layers = {first, last}}"):format(where, i))
  end
  for key in next, item do
    if key ~= "model" and key ~= "layers" and key ~= "scale" then
      core.fail(("%s: entry %d has an unknown field '%s'; there are layers, model, scale"):format(where, i,
        tostring(key)))
    end
  end
  local range = item.layers or {0, item.model.layers}
  check_range(i, item.model, range, where)
  single_stack(item.model, where)
  local piece = {model = item.model, layers = {}}
  for layer = range[1], range[2] - 1 do piece.layers[#piece.layers + 1] = layer end
  if item.scale ~= nil then
    local set = params.new({scale = {name = "scale", type = "number", default = 1}}, {scale = item.scale},
      {method = where, entries = core.entries(item.model), layers = item.model.layers, models = 1,
        warn = function(text) self:warn(text) end})
    piece.scale = function(info) return set:at(info).scale end
  end
  return piece
end

-- The models of a list as far as it is one.
function M.models(list)
  local models = {}
  for _, item in ipairs(type(list) == "table" and list or {}) do
    if type(item) == "table" and core.type(item.model) == "model" then models[#models + 1] = item.model end
  end
  return models
end

function M.run(list)
  local self, gather = step.new("stack", "stack", {models = M.models(list)}), problems.gather()
  self.where = "wb.stack"
  if type(list) ~= "table" or #list == 0 then
    core.fail("wb.stack takes a list of {model = …, layers = {first, last}}")
  end
  local pieces, slices = {}, core.array_of{}
  for i, item in ipairs(list) do
    pieces[i] = make_piece(i, item, self)
    local range = item.layers or {0, item.model.layers}
    slices[i] = {model = item.model.path, layers = core.array_of{range[1], range[2]},
      scale = params.given_json(item.scale)}
    local hidden, other = pieces[1].model.dims.hidden, item.model.dims.hidden
    if hidden ~= other then
      gather:add("%s is %d wide, %s %d", pieces[1].model.path, hidden, item.model.path, other)
    end
    if pieces[1].model.family ~= item.model.family then
      gather:add("%s is of the family %s, %s of %s", pieces[1].model.path, pieces[1].model.family, item.model.path,
        item.model.family)
    end
  end
  gather:raise(self.where)
  local draft, count = build(pieces, gather)
  if count == 0 then gather:add("no layer is left") end
  gather:raise(self.where)
  local seen = {pieces[1].model}
  for _, piece in ipairs(pieces) do
    local known = false
    for _, m in ipairs(seen) do known = known or m == piece.model end
    if not known then
      seen[#seen + 1] = piece.model
      draft:sources(piece.model)
    end
  end
  self:finish(draft, {params = {slices = slices}})
  return self:made(draft:freeze())
end

-- m:keep_layers{0, 1, 3}: these layers in this order, renumbered.
function M.keep(m, list)
  local gather = problems.gather()
  if type(list) ~= "table" or #list == 0 then core.fail("keep_layers takes a list of layer numbers") end
  for _, layer in ipairs(list) do
    if math.type(layer) ~= "integer" or layer < 0 or layer >= m.layers then
      core.fail(("keep_layers: there is no layer %s in %s, which has %d"):format(tostring(layer), m.path, m.layers))
    end
  end
  single_stack(m, "keep_layers")
  local draft = build({{model = m, layers = list}}, gather)
  gather:raise("keep_layers")
  return draft:freeze()
end

return M
