-- Everything that could be completed, as one table for lua/bind/complete.c.
local core = require "wb.core"
local docs = require "wb.docs"
local ordered = require "wb.ordered"
local registry = require "wb.registry"

local M = {}

-- Names of both tables, sorted: what there is, and what is documented beside methods (fields).
local function names(t, documented)
  local all = {}
  for name in next, t do all[name] = true end
  for name in next, documented do all[name] = true end
  return ordered.keys(all)
end

function M.data()
  registry.reload()
  local data = registry.describe()
  data.wb = docs.list(docs.wb, ordered.keys(registry.library))
  data.model = docs.list(docs.model, names(core.model_methods, docs.model))
  data.tensor = docs.list(docs.tensor, names(core.tensor_methods, {}))
  return data
end

return M
