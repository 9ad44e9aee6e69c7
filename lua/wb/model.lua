-- Methods of models: looking by layer, and changed copies.
local core = require "wb.core"
local layers = require "wb.layers"
local ordered = require "wb.ordered"
local roles = require "wb.roles"
local stack = require "wb.stack"

local methods = core.model_methods

-- Names in byte order.
function methods.names(m, glob)
  local list = {}
  for _, info in ipairs(core.entries(m)) do
    if not glob or core.glob(glob, info.name) then list[#list + 1] = info.name end
  end
  return list
end

function methods.layer_names(m, layer, stack_name)
  local out = {}
  for role, info in next, layers.of(m, layer, stack_name) do out[role] = info.name end
  return out
end

function methods.layer(m, layer, stack_name)
  local out = {}
  for role, info in next, layers.of(m, layer, stack_name) do out[role] = m:tensor(info.name) end
  return out
end

local function set_all(draft, m, tensors, keep_dtype)
  for _, name in ipairs(ordered.keys(tensors)) do
    local x = tensors[name]
    if type(name) ~= "string" then core.fail("tensors are given by name: {name = tensor}") end
    if x == false then
      if not m:has(name) then core.fail(("%s has no tensor '%s' to remove"):format(m.path, name)) end
      draft:set(name, nil)
    elseif core.type(x) ~= "tensor" then
      core.fail(("'%s' is %s, not a tensor"):format(name, core.type(x)))
    elseif keep_dtype and core.find(m, name) then
      draft:set_as(name, x, m:tensor(name))
    else
      draft:set(name, x)
    end
  end
end

-- Tensors replaced (as the dtype they had), added, or with false removed.
methods["with"] = function(m, tensors)
  if type(tensors) ~= "table" then core.fail("m:with takes a table {name = tensor}") end
  local draft = core.derive(m)
  set_all(draft, m, tensors, true)
  return draft:freeze()
end

-- Exactly these tensors.
function methods.only(m, tensors)
  if type(tensors) ~= "table" then core.fail("m:only takes a table {name = tensor}") end
  local draft = core.derive(m)
  draft:clear()
  set_all(draft, m, tensors, false)
  return draft:freeze()
end

local function role_wanted(list, info)
  if not list then return true end
  for _, item in ipairs(type(list) == "table" and list or {list}) do
    if roles.matches(item, info) then return true end
  end
  return false
end

-- fn(tensor, {name, role, layer}) -> tensor, or nil to keep. where: match (glob), roles (list), layers {first, last}.
function methods.map(m, fn, where)
  where = where or {}
  for key in next, where do
    if key ~= "match" and key ~= "roles" and key ~= "layers" then
      core.fail(("m:map knows match, roles and layers, not '%s'"):format(tostring(key)))
    end
  end
  local draft, range = core.derive(m), where.layers
  for _, info in ipairs(core.entries(m)) do
    local inside = not range or info.layer and info.layer >= range[1] and info.layer < range[2]
    local alias = info.tied_to and core.find(m, info.tied_to)
    if inside and info.computable and not alias and (not where.match or core.glob(where.match, info.name)) and
      role_wanted(where.roles, info) then
      local x = m:tensor(info.name)
      local ok, y = pcall(fn, x, {name = info.name, role = info.role, layer = info.layer})
      if not ok then core.fail(("m:map: %s: %s"):format(info.name, tostring(y))) end
      if y ~= nil and core.type(y) ~= "tensor" then
        core.fail(("m:map: %s: the function gives a tensor or nil, not %s"):format(info.name, core.type(y)))
      end
      if y ~= nil then draft:set_as(info.name, y, x) end
    end
  end
  return draft:freeze()
end

function methods.keep_layers(m, list) return stack.keep(m, list) end

function methods.configure(m, changes)
  if type(changes) ~= "table" then core.fail("m:configure takes a table {key = value}") end
  return core.derive(m):configure(changes):freeze()
end

function methods.stem(m, name)
  if type(name) ~= "string" or not name:find("^[%w_%-]+$") then core.fail("m:stem takes a plain word") end
  return core.derive(m):stem(name):freeze()
end

function methods.file(m, name, text) return core.derive(m):file(name, text):freeze() end

return methods
