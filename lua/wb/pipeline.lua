-- Running a pipeline script: its environment, its knobs, the models it opens.
local core = require "wb.core"
local params = require "wb.params"
local problems = require "wb.problems"
local registry = require "wb.registry"
local sandbox = require "wb.sandbox"
local step = require "wb.step"

local M = {}
local opened = {} -- what models were opened as -> {model, used}: kept from run to run while their files stay
local run         -- {directory, set, knobs, by_name, opened} of the script that runs

M.library = nil

-- Models.

local function found(part)
  if core.exists(part) or part:sub(1, 1) == "/" or not run or not run.directory then return part end
  local beside = run.directory .. "/" .. part
  return core.exists(beside) and beside or part
end

M.found = found

-- Relative to the working directory, else beside the script; each part of model+adapter by itself.
local function resolve(path)
  if core.exists(path) or not path:find("+", 1, true) then return found(path) end
  local parts = {}
  for part in path:gmatch("[^+]+") do parts[#parts + 1] = found(part) end
  return table.concat(parts, "+")
end

function M.open(path, options)
  options = options or {}
  if type(path) ~= "string" or path == "" then core.fail("wb.open takes the path or name of a model") end
  if type(options) ~= "table" then core.fail("wb.open: the second argument is a table {lora =, scale =}") end
  for key in next, options do
    if key ~= "lora" and key ~= "scale" then
      core.fail(("wb.open has no option '%s'; it has lora, scale"):format(tostring(key)))
    end
  end
  local lora, scale = options.lora, options.scale or 1
  if lora ~= nil and type(lora) ~= "string" or type(scale) ~= "number" then
    core.fail("wb.open: lora is a path, scale a number")
  end
  local real = resolve(path)
  lora = lora and resolve(lora)
  local key = ("%s\0%s\0%.17g"):format(real, lora or "", scale)
  local known = opened[key]
  if not known or not core.unchanged(known.model) then
    known = {model = core.open(real, lora, scale)}
    opened[key] = known
  end
  known.used = true
  if run then
    run.opened[#run.opened + 1] = {model = known.model, path = path, lora = options.lora, line = core.line()}
  end
  return known.model
end

-- Knobs.

local kind_of = {number = "number", boolean = "boolean", string = "string"}
local yes = {["true"] = true, ["1"] = true, yes = true, on = true}
local no = {["false"] = true, ["0"] = true, no = true, off = true}

local function parse(knob, text)
  if knob.kind == "number" then
    local value = tonumber(text)
    if not value then core.fail(("knob '%s' is a number, not '%s'"):format(knob.name, text)) end
    return value
  elseif knob.kind == "boolean" then
    if yes[text:lower()] then return true end
    if no[text:lower()] then return false end
    core.fail(("knob '%s' is true or false, not '%s'"):format(knob.name, text))
  end
  return text
end

local function check(knob, value, what)
  local problem = params.wrong({type = knob.kind, min = knob.min, max = knob.max, choices = knob.choices}, value)
  if problem then core.fail(("knob '%s': %s %s"):format(knob.name, what, problem)) end
  return value
end

local options_known = {min = "number", max = "number", step = "number", choices = "table", doc = "string",
  secret = "boolean"}

local function check_options(name, options)
  if type(options) ~= "table" then core.fail(("knob '%s': the third argument is a table"):format(name)) end
  for key, value in next, options do
    if not options_known[key] then
      core.fail(("knob '%s' has no option '%s'; there are choices, doc, max, min, secret, step"):format(name,
        tostring(key)))
    end
    if type(value) ~= options_known[key] then
      core.fail(("knob '%s': %s is a %s"):format(name, key, options_known[key]))
    end
  end
end

function M.knob(name, default, options)
  options = options or {}
  if type(name) ~= "string" or name == "" or name:find("=", 1, true) then
    core.fail("wb.knob takes a name (without '=') and a default")
  end
  check_options(name, options)
  if not kind_of[type(default)] then
    core.fail(("knob '%s': its default is a number, true or false, or a string"):format(name))
  end
  if not run then core.fail("wb.knob is for pipeline scripts") end
  local knob = {name = name, line = core.line(), kind = kind_of[type(default)], default = default,
    min = options.min, max = options.max, step = options.step, choices = options.choices, doc = options.doc,
    secret = options.secret}
  local known = run.by_name[name]
  if known then
    if known.kind ~= knob.kind or known.default ~= default then
      core.fail(("knob '%s' is declared twice, differently"):format(name))
    end
    return known.value
  end
  check(knob, default, "its default")
  knob.value = default
  local text = run.set[name]
  if text ~= nil then knob.value = check(knob, parse(knob, text), "it") end
  run.by_name[name] = knob
  run.knobs[#run.knobs + 1] = knob
  return knob.value
end

local function check_set()
  local names = {}
  for i, knob in ipairs(run.knobs) do names[i] = "'" .. knob.name .. "'" end
  for _, name in ipairs(run.set_order) do
    if not run.by_name[name] then
      core.fail(("the script has no knob '%s'; it has %s"):format(name,
        #names > 0 and table.concat(names, ", ") or "none"), true)
    end
  end
end

-- Drop the models that the last run did not open.
local function forget()
  for key, entry in next, opened do
    if not entry.used then opened[key] = nil end
    entry.used = false
  end
end

local function take_sets(sets)
  run.set, run.set_order = {}, {}
  for _, item in ipairs(sets) do
    local name, value = item:match("^([^=]*)=(.*)$")
    if not name then core.fail(("'%s': a knob is set as NAME=VALUE"):format(item), true) end
    run.set[name] = value
    run.set_order[#run.set_order + 1] = name
  end
end

-- `return wb.merge(…)` is a tail call: the line is gone when merge fails. The only plain return of a script tells it.
local function place(name, text)
  local line, returns, number = 0, 0, nil
  for content in (text .. "\n"):gmatch("(.-)\n") do
    line = line + 1
    if content:find("^return%f[%W]") then returns, number = returns + 1, line end
  end
  if returns == 1 then return ("%s:%d: "):format(name, number), name, number end
  return name .. ": ", name, 0
end

local function execute(name, text, sets)
  take_sets(sets)
  core.script(place(name, text))
  local env = sandbox.environment{wb = M.library}
  local fn, message = core.load(text, "@" .. name, env)
  if not fn then core.fail(message, true) end
  local model = fn()
  if core.type(model) ~= "model" then
    core.fail(("%s: a pipeline returns a model, this one returned %s"):format(name,
      model == nil and "nothing" or core.type(model)), true)
  end
  check_set()
  return model
end

-- Run a script. Gives the model and the knobs; the knobs and problems are there after a failure too.
function M.run(name, text, sets, directory)
  local outer = run
  run = {directory = directory, knobs = {}, by_name = {}, set = {}, set_order = {}, opened = {}}
  problems.reset()
  step.begin()
  registry.reload()
  math.randomseed(42)
  M.last = run
  local ok, model = pcall(execute, name, text, sets)
  run = outer
  step.finish()
  if not ok then error(model, 0) end
  M.last.model = model
  forget()
  return model
end

-- fn() with knobs of its own, which have their defaults: for code that is no pipeline but may hold one.
function M.beside(fn)
  local outer = run
  run = {knobs = {}, by_name = {}, set = {}, set_order = {}, opened = {}}
  local ok, result = pcall(fn)
  run = outer
  if not ok then error(result, 0) end
  return result
end

-- After a run: what C copies into struct wb_pipeline.
function M.knobs() return M.last and M.last.knobs or {} end

function M.problems() return problems.list() end

-- Models the script opened, each once: {model, path, line}; a LoRA is part of the path.
function M.opened()
  local list = {}
  for _, item in ipairs(M.last and M.last.opened or {}) do
    local known = false
    for _, other in ipairs(list) do known = known or other.model == item.model end
    if not known then
      local path = item.lora and item.path .. "+" .. item.lora or item.path
      list[#list + 1] = {model = item.model, path = path, line = item.line}
    end
  end
  return list
end

return M
