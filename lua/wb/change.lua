-- wb.protect and wb.compress: what methods on one model have in common.
local context = require "wb.context"
local core = require "wb.core"
local layers = require "wb.layers"
local merge = require "wb.merge"
local params = require "wb.params"
local problems = require "wb.problems"
local registry = require "wb.registry"
local roles = require "wb.roles"
local step = require "wb.step"
local whole = require "wb.whole"

local M = {}
local shared = {include = true, exclude = true}
for _, kind in ipairs{"protect", "compress"} do
  local specs = merge.common_specs
  registry.common[kind] = {include = specs.include, exclude = specs.exclude, seed = specs.seed}
end

local function split(given, plugin)
  local own, common = {}, {}
  for key, value in next, given do
    if key == "unlock" and plugin.kind == "protect" and not plugin.specs.unlock then
      common.unlock = value
    elseif shared[key] and not plugin.specs[key] then
      common[key] = value
    else
      own[key] = value
    end
  end
  return own, common
end

-- The floating tensors that count: no buffers, no aliases.
local function wanted_entries(m, common, warn)
  local entries, out = core.entries(m), {}
  local list = {}
  for _, key in ipairs{"include", "exclude"} do
    list[key] = type(common[key]) == "string" and {common[key]} or common[key]
  end
  local wanted = roles.filter(list.include, list.exclude, entries, warn)
  for _, info in ipairs(entries) do
    local alias = info.tied_to and core.find(m, info.tied_to)
    if info.computable and info.kind ~= "buffer" and info.count > 0 and not alias and wanted(info) then
      out[#out + 1] = info
    end
  end
  return out
end

local function run_tensors(self, fn)
  local jobs = {}
  for _, info in ipairs(self.entries) do
    local x = self.model:tensor(info.name)
    if self.plugin.oriented and info.transposed then x = x:t() end
    local t = context.new(info, self.model.layers, self.step, x, {tensor = x, prepared = self.prepared})
    jobs[#jobs + 1] = {name = info.name, info = info, t = t, fn = function() return fn(t, self.parameters:at(info)) end}
  end
  whole.run(jobs)
  context.gather_errors(self.problems, jobs, "model " .. self.model.path)
  for _, job in ipairs(jobs) do
    if not job.error and job.result == false then
      self.results[#self.results + 1] = {info = job.info, removed = true}
    elseif not job.error and job.result ~= nil and job.result ~= job.t.tensor then
      local result, problem = context.result(job.result, job.t.tensor, self.plugin.reshapes)
      if not result then
        self.problems:add("tensor %s: %s", job.name, problem)
      else
        if self.plugin.oriented and job.info.transposed then result = result:t() end
        self.results[#self.results + 1] = {info = job.info, result = result}
      end
    end
  end
end

local function run_layers(self, fn)
  local set, by_name = {}, {}
  for _, info in ipairs(self.entries) do by_name[info.name] = info end
  layers.run(fn, {
    entries = self.entries, by_name = by_name,
    tensor = function(info) return set[info.name] or self.model:tensor(info.name) end,
    set = function(info, x)
      local result, problem = context.result(x, self.model:tensor(info.name), self.plugin.reshapes)
      if not result then core.fail(info.name .. ": " .. problem) end
      set[info.name] = result
    end,
  }, self.parameters, self.step, self.plugin, self.problems,
    {layers = self.model.layers, prepared = self.prepared, model = self.model})
  for _, info in ipairs(self.entries) do
    if set[info.name] then self.results[#self.results + 1] = {info = info, result = set[info.name]} end
  end
end

local function run_model(self, fn)
  local r = {note = function(_, tensor, key, value, total) self.step:note(tensor, key, value, total) end,
    warn = function(_, text) self.step:warn(text) end}
  local ok, result = pcall(fn, self.model, self.parameters:whole(), r)
  if not ok then core.fail(("%s: %s"):format(self.step.where, tostring(result))) end
  if core.type(result) ~= "model" then
    core.fail(("%s: the method returns a model, not %s"):format(self.step.where, core.type(result)))
  end
  return result
end

-- The changed tensors, with what the change comes to; aliases of tied tensors follow.
local function assemble(self, json)
  local draft, changed = core.derive(self.model), {}
  for _, item in ipairs(self.results) do
    if item.removed then
      draft:set(item.info.name, nil)
    else
      draft:set_as(item.info.name, item.result, self.model:tensor(item.info.name))
      changed[item.info.name] = item.result
    end
  end
  for _, info in ipairs(core.entries(self.model)) do
    if info.tied_to and changed[info.tied_to] then
      draft:set_as(info.name, changed[info.tied_to], self.model:tensor(info.name))
    end
  end
  self.step:finish(draft, json)
  for _, item in ipairs(self.results) do
    local before = self.model:tensor(item.info.name)
    if item.result and core.same_shape(item.result, before) then
      draft:note(item.info.name, "norm", before:norm(), "norm")
      draft:note(item.info.name, "change_norm", (item.result - before):norm(), "norm")
    end
  end
  return draft:freeze()
end

local function specs_of(plugin)
  if plugin.specs.seed then return plugin.specs end
  local specs = {seed = merge.common_specs.seed}
  for name, spec in next, plugin.specs do specs[name] = spec end
  return specs
end

function M.run(kind, method, model, given)
  local plugin = registry.get(kind, method)
  local self = {plugin = plugin, model = model, step = step.new(kind, method, {models = {model}}),
    problems = problems.gather(), results = {}}
  if core.type(model) ~= "model" then
    core.fail(("%s: the second argument is a model, not %s"):format(self.step.where, core.type(model)))
  end
  if given ~= nil and type(given) ~= "table" then
    core.fail(self.step.where .. ": the third argument is a table of parameters")
  end
  local own, common = split(given or {}, plugin)
  if common.unlock and not plugin.unlock then core.fail(self.step.where .. " cannot be undone: it has no unlock") end
  local function warn(text, unmatched) self.step:warn(text, unmatched) end
  self.entries = wanted_entries(model, common, warn)
  self.parameters = params.new(specs_of(plugin), own,
    {method = self.step.where, entries = self.entries, layers = model.layers, models = 1, warn = warn})
  self.parameters.by_layer = plugin.layer ~= nil
  self.step.parameters = self.parameters
  if plugin.prepare then self.prepared = plugin.prepare({model = model}, self.parameters:whole()) end

  local fn = common.unlock and plugin.unlock or plugin.tensor or plugin.layer or plugin.model
  local result
  if plugin.model then
    result = run_model(self, fn)
  elseif plugin.tensor then
    run_tensors(self, fn)
  else
    run_layers(self, fn)
  end
  self.problems:raise(self.step.where)
  local json = {params = params.given_json(own, plugin.specs), resolved = self.parameters:resolved_json(),
    unlock = common.unlock and true or nil}
  for key in next, shared do json.params[key] = common[key] end
  local seed = self.parameters.constant.seed
  if type(seed) == "number" then json.seed = seed end
  if not result then return self.step:made(assemble(self, json)) end
  local draft = core.derive(result)
  self.step:finish(draft, json)
  return self.step:made(draft:freeze())
end

-- wb.inspect: a report, plain Lua tables.
function M.inspect(method, model, given)
  local plugin = registry.get("inspect", method)
  local where = ("inspect '%s'"):format(method)
  if core.type(model) ~= "model" then core.fail(where .. ": the second argument is a model") end
  local parameters = params.new(specs_of(plugin), given or {},
    {method = where, entries = core.entries(model), layers = model.layers, models = 1, warn = core.log})
  return plugin.model(model, parameters:whole(), {note = function() end, warn = function(_, text) core.log(text) end})
end

return M
