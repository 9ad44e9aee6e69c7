-- weightbench plugins --check FILE: load one plugin and run the small cases in its table through the engine.
local change = require "wb.change"
local core = require "wb.core"
local merge = require "wb.merge"
local ordered = require "wb.ordered"
local registry = require "wb.registry"

local M = {}

local function measure(x)
  local shape = {}
  while type(x) == "table" do
    shape[#shape + 1] = #x
    x = x[1]
  end
  return shape
end

local function flatten(x, into)
  if type(x) ~= "table" then
    into[#into + 1] = x
    return
  end
  for _, y in ipairs(x) do flatten(y, into) end
end

-- {name = nested numbers} as a model in memory, float32.
local function make_model(tensors)
  local header, numbers = {}, {}
  for _, name in ipairs(ordered.keys(tensors)) do
    local first, shape = #numbers, core.array_of(measure(tensors[name]))
    flatten(tensors[name], numbers)
    header[name] = {dtype = "F32", shape = shape, data_offsets = core.array_of{4 * first, 4 * #numbers}}
  end
  return core.memory(core.json(header), numbers)
end
M.make_model = make_model

local function close(got, want, tolerance)
  if type(want) == "table" then
    if type(got) ~= "table" or #got ~= #want then return false end
    for i = 1, #want do
      if not close(got[i], want[i], tolerance) then return false end
    end
    return true
  end
  if want ~= want then return got ~= got end
  return type(got) == "number" and (got == want or math.abs(got - want) <= tolerance * (1 + math.abs(want)))
end

local function shown(x)
  if type(x) ~= "table" then return type(x) == "number" and ("%.9g"):format(x) or tostring(x) end
  local parts = {}
  for i, y in ipairs(x) do parts[i] = shown(y) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function run_case(plugin, case)
  local given = {}
  for key, value in next, case.params or {} do given[key] = value end
  for key, list in next, case.param_models or {} do
    given[key] = {}
    for i, tensors in ipairs(list) do given[key][i] = make_model(tensors) end
  end
  if plugin.kind == "merge" then
    given.base = case.base and make_model(case.base)
    given.models = {}
    for i, tensors in ipairs(case.models or {}) do given.models[i] = make_model(tensors) end
    return merge.run(plugin.name, given)
  end
  return change.run(plugin.kind, plugin.name, make_model(case.model), given)
end

-- nil when the case holds, else what does not.
local function judge(plugin, case)
  local ok, result = pcall(run_case, plugin, case)
  if case.error then
    if ok then return ("no error, where '%s' was expected"):format(case.error) end
    if not tostring(result):find(case.error, 1, true) then
      return ("the error is '%s', without '%s'"):format(tostring(result), case.error)
    end
    return nil
  end
  if not ok then return tostring(result) end
  for _, name in ipairs(ordered.keys(case.expect or {})) do
    local want = case.expect[name]
    if want == false then
      if result:has(name) then return name .. " is still there" end
    elseif not result:has(name) then
      return "there is no tensor " .. name
    else
      local fine, got = pcall(function() return result:tensor(name):value() end)
      if not fine then return ("%s: %s"):format(name, tostring(got)) end
      if not close(got, want, case.tolerance or 1e-6) then
        return ("%s is %s, not %s"):format(name, shown(got), shown(want))
      end
    end
  end
  return nil
end

-- report (one line a test), passed, failed
function M.run(path)
  registry.reload()
  local root = path:match("^(.*)/[^/]*/[^/]*$") or path:match("^[^/]*/[^/]*$") and "." or ".."
  local plugin, problem = registry.load(path, root, nil, path)
  if not plugin then core.fail(problem, true) end
  local lines, passed, failed = {}, 0, 0
  registry.with(plugin, function()
    for i, case in ipairs(plugin.tests or {}) do
      local wrong = judge(plugin, case)
      local name = case.name or tostring(i)
      if wrong then
        failed = failed + 1
        lines[#lines + 1] = ("FAIL %s: %s"):format(name, wrong)
      else
        passed = passed + 1
        lines[#lines + 1] = "ok " .. name
      end
    end
  end)
  return table.concat(lines, "\n"), passed, failed
end

return M
