-- What a script that ran has to show beside its model: the steps it took, what it opened and as what, what it
-- found wrong. For the screens (lua/bind/script.c, lua/bind/param_map.c).
local core = require "wb.core"
local ordered = require "wb.ordered"
local params = require "wb.params"
local pipeline = require "wb.pipeline"
local problems = require "wb.problems"
local step = require "wb.step"

local M = {}

-- Names: the last part of each path, made different where two are alike.

local function short(path)
  local parts = {}
  for part in path:gmatch("[^+]+") do
    local name = part:gsub("/+$", ""):match("[^/]*$")
    parts[#parts + 1] = name:gsub("%.safetensors$", "")
  end
  local name = table.concat(parts, "+")
  return name ~= "" and name or path
end

local function give_names(opened)
  local taken = {}
  for _, item in ipairs(opened) do
    local name, n = short(item.path), 1
    item.name = name
    while taken[item.name] do
      n = n + 1
      item.name = ("%s-%d"):format(name, n)
    end
    taken[item.name] = true
  end
end

-- Roles.

-- The opened model that a model stands for: itself, or what the steps it came from started with.
local function origin(model, opened, steps)
  for _, item in ipairs(opened) do
    if item.model == model then return item end
  end
  for i = #steps, 1, -1 do
    local s = steps[i]
    if s.result == model then
      local first = s.inputs.base or (s.inputs.models or {})[1]
      local before = table.move(steps, 1, i - 1, 1, {})
      return core.type(first) == "model" and origin(first, opened, before) or nil
    end
  end
  for _, item in ipairs(opened) do -- changed by m:with and the like: it has the path of what it was
    if item.path == model.path then return item end
  end
end

-- Base and parents of one step, as far as they have no role yet.
local function cast(s, opened, steps, parents, has_base)
  local base, models = s.inputs.base, s.inputs.models
  if s.kind ~= "merge" and s.kind ~= "stack" then base, models = (models or {})[1], {} end
  local item = core.type(base) == "model" and origin(base, opened, steps)
  if item and not item.role and not has_base then
    item.role = "base"
    has_base = true
  end
  if core.type(models) == "model" then models = {models} end
  for _, m in ipairs(type(models) == "table" and models or {}) do
    item = core.type(m) == "model" and origin(m, opened, steps)
    if item and not item.role then
      parents = parents + 1
      item.role, item.parent = "parent", parents
    end
  end
  return parents, has_base
end

-- The last merge decides first; a pipeline without one has its input as base.
local function give_roles(opened, steps)
  local parents, has_base = 0, false
  for _, merging in ipairs{true, false} do
    for i = #steps, 1, -1 do
      local s = steps[i]
      if (s.kind == "merge" or s.kind == "stack") == merging and (merging or not has_base and parents == 0) then
        parents, has_base = cast(s, opened, steps, parents, has_base)
      end
    end
  end
  local result = pipeline.last and pipeline.last.model
  local item = not has_base and parents == 0 and result and origin(result, opened, steps)
  if item then item.role = "base" end
end

-- Steps.

local function figures(s)
  local json = s.json or {}
  local constants = {}
  if s.parameters then
    for _, name in ipairs(ordered.keys(s.parameters.constant)) do constants[name] = s.parameters.constant[name] end
    constants = params.given_json(constants, s.parameters.specs)
  end
  return {params = json.params or {}, values = constants, resolved = json.resolved}
end

-- "tensor NAME: …" and "NAME: …", where the name has a dot in it.
local function tensor_in(text)
  local name = text:match("tensor ([%w_%.%-]+)") or text:match("^[^:]*: ([%w_%-]+%.[%w_%.%-]+): ")
  return name and name:gsub("%.$", "") or ""
end

local function finding(is_error, line, text)
  return {error = is_error, line = line, tensor = tensor_in(text), text = text}
end

local function findings(steps, opened)
  local list, lines = {}, problems.lines()
  for i, text in ipairs(problems.list()) do list[i] = finding(true, lines[i], text) end
  for _, item in ipairs(opened) do
    for _, text in ipairs(core.warnings(item.model)) do
      list[#list + 1] = finding(false, item.line, item.path .. ": " .. text)
    end
  end
  for _, s in ipairs(steps) do
    for _, text in ipairs(s.warnings) do list[#list + 1] = finding(false, s.line, s.where .. ": " .. text) end
  end
  return list
end

-- {steps, figures (of the steps, for JSON), opened, findings}
function M.gather()
  local steps, opened, json = step.list(), pipeline.opened(), core.array_of{}
  give_names(opened)
  give_roles(opened, steps)
  for i, s in ipairs(steps) do json[i] = figures(s) end
  return {steps = steps, figures = json, opened = opened, findings = findings(steps, opened)}
end

-- Parameter maps.

local function nearest_of(item, set)
  local list = {}
  if item.kind == "role" then
    local seen = {}
    for _, info in ipairs(set.context.entries) do
      for _, name in ipairs(set.context.selectors(info)) do seen[name] = true end
    end
    local name = core.nearest(item.text, ordered.keys(seen))
    if name then return name end
  end
  for i, info in ipairs(set.context.entries) do list[i] = info.name end
  local pattern = item.kind == "filter" and "*" .. item.text .. "*" or item.text
  return core.nearest_pattern(pattern, list)
end

-- The parameter set of step number i (from 1), and its step; nil when there is none.
function M.parameters(i)
  local s = step.list()[i]
  if not s or not s.parameters then return nil end
  local set = s.parameters
  local unmatched = {}
  for k, item in ipairs(s.unmatched) do
    unmatched[k] = {param = item.param, kind = item.kind, text = item.text, nearest = nearest_of(item, set)}
  end
  return set, s, unmatched
end

return M
