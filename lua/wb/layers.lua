-- `l`: what the layer function of a plugin gets, and the walk over all layers of all stacks.
local core = require "wb.core"
local ordered = require "wb.ordered"

local M = {}

-- The role of a tensor within its layer: experts are numbered.
local function role_key(info)
  if info.expert then return ("%s.%d"):format(info.role, info.expert) end
  return info.role
end

-- The stacks of a model (sorted), and for each its layers (ascending): {stack, layer, infos by role}.
function M.list(entries)
  local by_stack = {}
  for _, info in ipairs(entries) do
    if info.layer then
      local stack = info.stack or ""
      by_stack[stack] = by_stack[stack] or {}
      local layers = by_stack[stack]
      layers[info.layer] = layers[info.layer] or {}
      layers[info.layer][role_key(info)] = info
    end
  end
  local out = {}
  for _, stack in ipairs(ordered.keys(by_stack)) do
    for _, layer in ipairs(ordered.keys(by_stack[stack])) do
      out[#out + 1] = {stack = stack, layer = layer, infos = by_stack[stack][layer]}
    end
  end
  return out
end

-- The infos by role of one layer; the stack may be left out where there is one.
function M.of(m, layer, stack)
  local store = core.store(m)
  store.layers = store.layers or M.list(core.entries(m))
  local found, stacks = nil, {}
  for _, item in ipairs(store.layers) do
    stacks[item.stack] = true
    if item.layer == layer and (stack == nil or stack == item.stack) then
      if found then
        core.fail(("%s has layer %d in several stacks (%s): name one"):format(m.path, layer,
          table.concat(ordered.keys(stacks), ", ")))
      end
      found = item.infos
    end
  end
  if not found then
    core.fail(("%s has no layer %s%s; it has %d"):format(m.path, tostring(layer),
      stack and (" in stack '" .. stack .. "'") or "", m.layers))
  end
  return found
end

local Layer = {}
Layer.__index = Layer

local function info_of(self, role)
  local info = self.infos[role]
  if info then return info end
  core.fail(("layer %d has no '%s'; it has %s"):format(self.layer, tostring(role),
    table.concat(ordered.keys(self.infos), ", ")))
end

local function logical(self, info, x)
  if x and self.oriented and info.transposed then return x:t() end
  return x
end

function Layer:has(role) return self.infos[role] ~= nil end

function Layer:name(role) return info_of(self, role).name end

function Layer:tensor(role)
  local info = info_of(self, role)
  return logical(self, info, self.source.tensor(info))
end

function Layer:base(role)
  local info = info_of(self, role)
  return logical(self, info, self.source.base(info))
end

function Layer:models(role)
  local info, list = info_of(self, role), {}
  for i, x in ipairs(self.source.models(info)) do list[i] = logical(self, info, x) end
  return list
end

-- By role in this layer, or by the full name of any tensor.
function Layer:set(what, tensor)
  if core.type(tensor) ~= "tensor" then
    core.fail(("l:set('%s', …) takes a tensor, not %s"):format(tostring(what), core.type(tensor)))
  end
  local info = self.infos[what] or self.source.by_name[what] or info_of(self, what)
  self.source.set(info, logical(self, info, tensor))
end

function Layer:each(fn)
  local list = {}
  for role, info in next, self.infos do list[#list + 1] = {info.name, role} end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  for _, item in ipairs(list) do fn(item[1], item[2], self:tensor(item[2])) end
end

function Layer:note(what, key, value, total)
  local info = self.infos[what] or self.source.by_name[what]
  self.step:note(info and info.name or tostring(what), key, value, total, info and info.count or 1)
end

function Layer:warn(text) self.step:warn(text) end

-- Call fn(l, p) for each layer. source: entries, by_name, tensor(info), base(info), models(info), set(info, tensor).
function M.run(fn, source, parameters, step, plugin, problems, fields)
  for _, item in ipairs(M.list(source.entries)) do
    local l = {layer = item.layer, layers = fields.layers, stack = item.stack, infos = item.infos, source = source,
      step = step, oriented = plugin.oriented, prepared = fields.prepared, model = fields.model}
    setmetatable(l, Layer)
    if source.tensor then
      l.roles = {}
      for role in next, item.infos do l.roles[role] = l:tensor(role) end
    end
    local ok, message = pcall(function()
      return fn(l, parameters:at{name = "", role = "", kind = "", layer = item.layer})
    end)
    if not ok then
      problems:add("layer %d%s: %s", item.layer, item.stack ~= "" and (" of " .. item.stack) or "", tostring(message))
    end
  end
end

return M
