-- wb.compare and wb.stats: figures of models that exist already, read now, as tables.
local core = require "wb.core"

local M = {}

local types = {base = "model", match = "string", sample = "boolean"}

local function check(where, options, known)
  if type(options) ~= "table" then core.fail(("%s: the last argument is a table {%s}"):format(where, known)) end
  for key, value in next, options do
    if type(key) ~= "string" or not types[key] or not known:find(key, 1, true) then
      core.fail(("%s has no option '%s'; it has %s"):format(where, tostring(key), known))
    end
    if core.type(value) ~= types[key] then core.fail(("%s: %s is a %s"):format(where, key, types[key])) end
  end
end

local function check_model(where, what, m)
  if core.type(m) ~= "model" then core.fail(("%s: %s is %s, not a model"):format(where, what, core.type(m))) end
end

function M.compare(a, b, options)
  options = options or {}
  check_model("wb.compare", "the first argument", a)
  check_model("wb.compare", "the second argument", b)
  check("wb.compare", options, "base, match, sample")
  return core.compare(a, b, options.base, options.match, options.sample)
end

function M.stats(model, options)
  options = options or {}
  check_model("wb.stats", "the first argument", model)
  check("wb.stats", options, "match, sample")
  return core.stats(model, options.match, options.sample)
end

return M
