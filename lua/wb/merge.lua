-- wb.merge: everything that merge methods have in common (merge.md section 0), around the method itself.
local align = require "wb.align"
local context = require "wb.context"
local core = require "wb.core"
local layers = require "wb.layers"
local params = require "wb.params"
local problems = require "wb.problems"
local registry = require "wb.registry"
local roles = require "wb.roles"
local step = require "wb.step"
local whole = require "wb.whole"

local M = {}

local common = {
  include = {nil, type = "any", doc = "patterns, roles or kinds of the tensors to merge"},
  exclude = {nil, type = "any", doc = "the same for those to leave out; wins over include"},
  vocab = {"error", choices = {"error", "submatrix", "base_rows", "map", "exclude"},
    doc = "what to do when vocabularies differ in size"},
  on_missing = {"error", choices = {"error", "skip_model"}, doc = "a tensor that some model lacks"},
  on_nonfinite = {"error", choices = {"error", "propagate", "base"}, doc = "NaN and infinities in inputs"},
  rest_from = {"base", type = "any",
    doc = "where excluded tensors come from: \"base\", \"average\" or the number of a model"},
  out_dtype = {nil, type = "string", doc = "dtype of the result; default: that of the base, or first model"},
  seed = {42, type = "integer", min = 0, doc = "of random choices"},
}
local common_specs = {}
for name, given in next, common do common_specs[name] = registry.make_spec(name, given) end
M.common_specs = common_specs
registry.common.merge = common_specs

local function as_list(value, what, where)
  if value == nil then return nil end
  if type(value) == "string" then return {value} end
  if type(value) ~= "table" then core.fail(("%s: %s is a list of patterns"):format(where, what)) end
  for _, item in ipairs(value) do
    if type(item) ~= "string" then core.fail(("%s: %s is a list of patterns"):format(where, what)) end
  end
  return value
end

-- The common parameters, checked; the rest goes to the method.
local function split(given, plugin, where)
  local own, shared = {}, {}
  for key, value in next, given do
    if key ~= "base" and key ~= "models" then
      if common_specs[key] and not plugin.specs[key] and key ~= "seed" then
        local problem = params.wrong(common_specs[key], value)
        if problem then core.fail(("%s: %s %s"):format(where, key, problem)) end
        shared[key] = value
      else
        own[key] = value
      end
    end
  end
  for key, spec in next, common_specs do
    if shared[key] == nil and not plugin.specs[key] then shared[key] = spec.default end
  end
  shared.include = as_list(shared.include, "include", where)
  shared.exclude = as_list(shared.exclude, "exclude", where)
  return own, shared
end

local function with_seed(plugin)
  if plugin.specs.seed then return plugin.specs end
  local specs = {seed = common_specs.seed}
  for name, spec in next, plugin.specs do specs[name] = spec end
  return specs
end

-- base and models of the call, checked against what the method takes.
local function take_models(given, plugin, where)
  local base, models = given.base, given.models
  if core.type(models) == "model" then models = {models} end
  if type(models) ~= "table" then core.fail(where .. ": models is a list of models") end
  for i, m in ipairs(models) do
    if core.type(m) ~= "model" then core.fail(("%s: models[%d] is %s, not a model"):format(where, i, core.type(m))) end
  end
  if base ~= nil and core.type(base) ~= "model" then core.fail(where .. ": base is not a model") end
  if plugin.base == "required" and not base then core.fail(where .. " needs a base model (base = …)") end
  if plugin.base == "none" and base then core.fail(where .. " takes no base model") end
  local limits = plugin.models or {}
  local least, most = limits.min or 1, limits.max
  if #models < least then
    core.fail(("%s needs at least %d model%s, not %d"):format(where, least, least > 1 and "s" or "", #models))
  end
  if most and #models > most then core.fail(("%s takes at most %d models, not %d"):format(where, most, #models)) end
  if not base and #models == 0 then core.fail(where .. " needs a model") end
  return base, models
end

-- Sort the tensors of the reference: merged ones (jobs), excluded ones, aliases of tied ones; the rest is copied.
local function sort_entries(ref, wanted)
  local merged, rest, aliases = {}, {}, {}
  for _, info in ipairs(core.entries(ref)) do
    if info.tied_to and core.find(ref, info.tied_to) then
      aliases[#aliases + 1] = info
    elseif info.computable and info.kind ~= "buffer" and info.count > 0 then
      local list = wanted(info) and merged or rest
      list[#list + 1] = info
    end
  end
  return merged, rest, aliases
end

-- Models of other families: worth a word; an error where not a single tensor has the same name.
local function check_families(self)
  for _, m in ipairs(self.models) do
    if m.family ~= self.ref.family then
      local any = false
      for _, info in ipairs(core.entries(m)) do any = any or self.ref:has(info.name) end
      local text = ("%s is of the family %s, %s of %s"):format(self.ref.path, self.ref.family, m.path, m.family)
      if any then
        self.step:warn(text)
      else
        self.problems:add("%s: no tensor of the one is in the other", text)
      end
    end
  end
end

-- Tensors that only other models have.
local function take_extras(self)
  for _, extra in ipairs(self.align:extras()) do
    local info, owner = extra.info, extra.owner
    if self.common.on_missing == "error" then
      self.problems:add('%s of %s is not in %s (on_missing = "skip_model" takes it over)', info.name, owner.path,
        self.ref.path)
    else
      self.step:warn(("%s is not in %s: taken from %s as it is"):format(info.name, self.ref.path, owner.path))
      self.extra[#self.extra + 1] = {info.name, owner:tensor(info.name)}
    end
  end
end

local function make_parameters(self, merged)
  return params.new(with_seed(self.plugin), self.own, {
    method = self.step.where, entries = merged, layers = self.ref.layers, models = #self.models,
    problems = self.problems,
    warn = function(text, unmatched) self.step:warn(text, unmatched) end,
  })
end

local function logical(self, info, x)
  if x and self.plugin.oriented and info.transposed then return x:t() end
  return x
end

-- What the method sees for one tensor.
local function make_context(self, info, inputs)
  local fields = {base = logical(self, info, inputs.base), models = {}, index = inputs.index, prepared = self.prepared}
  for i, x in ipairs(inputs.models) do fields.models[i] = logical(self, info, x) end
  return context.new(info, self.ref.layers, self.step, fields.base or fields.models[1], fields)
end

local function make_jobs(self, merged)
  local jobs = {}
  for _, info in ipairs(merged) do
    local inputs, why = self.align:inputs(info)
    if why == "vocabulary" then
      self.step:warn(("%s: the vocabularies differ; that of %s is kept"):format(info.name, self.ref.path))
    elseif inputs then
      local t = make_context(self, info, inputs)
      jobs[#jobs + 1] = {name = info.name, info = info, t = t, cut = inputs.cut, fn = function()
        return self.plugin.tensor(t, self.parameters:at(info, not inputs.complete and inputs.index or nil))
      end}
    end
  end
  return jobs
end

local function run_tensors(self, merged)
  local jobs = make_jobs(self, merged)
  self.problems:raise(self.step.where)
  whole.run(jobs)
  local where = self.base and ("base " .. self.base.path) or ("first model " .. self.ref.path)
  context.gather_errors(self.problems, jobs, where)
  for _, job in ipairs(jobs) do
    if not job.error then
      local like = job.t.base or job.t.models[1]
      local result, problem = context.result(job.result, like, self.plugin.reshapes)
      if not result then self.problems:add("tensor %s: %s", job.name, problem) end
      job.result = result
    end
  end
  self.problems:raise(self.step.where)
  return jobs
end

local function run_layers(self, merged)
  local results, by_name = {}, {}
  local cache = {}
  for _, info in ipairs(merged) do by_name[info.name] = info end
  local function inputs(info)
    cache[info.name] = cache[info.name] or self.align:inputs(info) or {models = {}}
    return cache[info.name]
  end
  layers.run(self.plugin.layer, {
    entries = merged, by_name = by_name,
    base = function(info) return inputs(info).base end,
    models = function(info) return inputs(info).models end,
    set = function(info, x)
      local result, problem = context.result(x, self.ref:tensor(info.name), self.plugin.reshapes)
      if not result then core.fail(info.name .. ": " .. problem) end
      results[info.name] = result
    end,
  }, self.parameters, self.step, self.plugin, self.problems, {layers = self.ref.layers, prepared = self.prepared})
  self.problems:raise(self.step.where)
  local jobs = {}
  for _, info in ipairs(merged) do
    if results[info.name] then
      local given = inputs(info)
      jobs[#jobs + 1] = {name = info.name, info = info, result = results[info.name], logical = true,
        t = {base = given.base, models = given.models}}
    end
  end
  return jobs
end

local function others(self)
  local list = {}
  for _, m in ipairs(self.models) do
    local seen = m == self.ref
    for _, other in ipairs(list) do seen = seen or other == m end
    if not seen then list[#list + 1] = m end
  end
  return list
end

local function step_json(self)
  local paths = core.array_of{}
  for i, m in ipairs(self.models) do paths[i] = m.path end
  local json = {params = params.given_json(self.own, self.plugin.specs), models = paths,
    base = self.base and self.base.path or nil, resolved = self.parameters:resolved_json()}
  for _, key in ipairs{"include", "exclude", "vocab", "on_missing", "on_nonfinite", "rest_from", "out_dtype"} do
    local value = self.common[key]
    if value ~= nil and value ~= common_specs[key].default then json.params[key] = params.given_json(value) end
  end
  local seed = self.parameters.constant.seed
  if type(seed) == "number" then json.seed = seed end
  return json
end

local function set_result(self, draft, name, result, like)
  if self.common.out_dtype and core.type(result) == "tensor" then
    draft:set(name, result:as(self.common.out_dtype))
  else
    draft:set_as(name, result, like)
  end
end

-- Every result into a model with the reference's config and files.
local function assemble(self, jobs, rest, aliases)
  local draft = core.derive(self.ref)
  for _, m in ipairs(others(self)) do draft:sources(m) end
  local done = {}
  for _, job in ipairs(jobs) do
    local result = job.logical and job.result or logical(self, job.info, job.result)
    done[job.name] = result
    set_result(self, draft, job.name, result, self.ref:tensor(job.name))
    if job.cut and job.info.role == "embed" and self.ref.config.vocab_size then
      draft:configure{vocab_size = job.cut}
    end
  end
  for _, info in ipairs(rest) do
    local x = self.align:rest(info)
    if x then
      done[info.name] = x
      set_result(self, draft, info.name, x, self.ref:tensor(info.name))
    end
  end
  self.problems:raise(self.step.where)
  for _, info in ipairs(aliases) do
    local x = done[info.tied_to]
    if x then set_result(self, draft, info.name, x, self.ref:tensor(info.name)) end
  end
  for _, item in ipairs(self.extra) do draft:set(item[1], item[2]) end
  self.step:finish(draft, step_json(self))
  for _, job in ipairs(jobs) do
    core.merge_notes(draft, job.name, job.t.base, job.t.models, job.result)
  end
  return draft:freeze()
end

-- A method that makes the whole model itself.
local function run_model(self)
  local ms = {base = self.base, prepared = self.prepared}
  for i, m in ipairs(self.models) do ms[i] = m end
  local r = {note = function(_, tensor, key, value, total) self.step:note(tensor, key, value, total) end,
    warn = function(_, text) self.step:warn(text) end}
  local ok, result = pcall(self.plugin.model, ms, self.parameters:whole(), r)
  if not ok then core.fail(("%s: %s"):format(self.step.where, tostring(result))) end
  if core.type(result) ~= "model" then
    core.fail(("%s: the method returns a model, not %s"):format(self.step.where, core.type(result)))
  end
  local draft = core.derive(result)
  for _, m in ipairs(others(self)) do
    if m ~= result then draft:sources(m) end
  end
  self.step:finish(draft, step_json(self))
  return draft:freeze()
end

function M.run(method, given)
  local plugin = registry.get("merge", method)
  local self = {plugin = plugin, step = step.new("merge", method, given), problems = problems.gather(), extra = {}}
  if type(given) ~= "table" then
    core.fail(self.step.where .. ": the second argument is a table {base=, models={…}, …}")
  end
  self.base, self.models = take_models(given, plugin, self.step.where)
  self.ref = self.base or self.models[1]
  self.own, self.common = split(given, plugin, self.step.where)
  if self.common.on_nonfinite == "base" and not self.base then
    core.fail(self.step.where .. ': on_nonfinite = "base" needs a base')
  end
  local from = self.common.rest_from
  if from ~= "base" and from ~= "average" and not (math.type(from) == "integer" and self.models[from]) then
    core.fail(self.step.where .. ': rest_from is "base", "average" or the number of a model')
  end
  self.align = align.new{ref = self.ref, base = self.base, models = self.models, common = self.common,
    step = self.step, problems = self.problems}
  check_families(self)
  local wanted = roles.filter(self.common.include, self.common.exclude, core.entries(self.ref),
    function(text, unmatched) self.step:warn(text, unmatched) end)
  local merged, rest, aliases = sort_entries(self.ref, wanted)
  self.parameters = make_parameters(self, merged)
  self.parameters.by_layer = plugin.layer ~= nil
  self.step.parameters = self.parameters
  if plugin.prepare then
    self.prepared = plugin.prepare({base = self.base, models = self.models}, self.parameters:whole())
  end
  if plugin.model then return self.step:made(run_model(self)) end
  take_extras(self)
  local jobs = plugin.tensor and run_tensors(self, merged) or run_layers(self, merged)
  return self.step:made(assemble(self, jobs, rest, aliases))
end

return M
