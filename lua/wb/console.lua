-- The console: lines evaluated one after another in an environment that stays, values shown for people to read.
local core = require "wb.core"
local docs = require "wb.docs"
local ordered = require "wb.ordered"
local pipeline = require "wb.pipeline"
local sandbox = require "wb.sandbox"

local M = {}
local DEPTH, ENTRIES, WIDTH, TEXT, VALUES = 3, 40, 96, 2000, 64
local env
local seen_names = {} -- models of the workbench and the pipeline's result, by name

-- Showing values.

local show

local function number(x)
  if math.type(x) == "integer" then return tostring(x) end
  return ("%.6g"):format(x)
end

local function text(s)
  local cut = #s > TEXT and s:sub(1, TEXT) .. "…" or s
  return (("%q"):format(cut):gsub("\\\n", "\\n"):gsub("\\(%d+)", "\\%1"))
end

local function nested(x)
  if type(x) ~= "table" then return ("%.4g"):format(x) end
  local parts = {}
  for i, y in ipairs(x) do parts[i] = nested(y) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function tensor(x)
  local label = tostring(x)
  if label:find("closed", 1, true) or x:count_all() > VALUES then return label end
  local ok, values = pcall(function() return x:value() end)
  return label .. (ok and " " .. nested(values) or "")
end

local function count(n)
  for _, unit in ipairs{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} do
    if n >= unit[1] then return ("%.4g %s"):format(n / unit[1], unit[2]) end
  end
  return tostring(n)
end

local function model(m)
  return ("model %s: %s, %d layers, %s parameters, %d tensors"):format(m.path, m.family, m.layers, count(m.parameters),
    #core.entries(m))
end

local function called(fn)
  for name, value in next, pipeline.library do
    if value == fn and docs.wb[name] then
      return ("function wb.%s -- %s"):format(docs.wb[name].signature, docs.wb[name].doc)
    end
  end
  for kind, methods in next, {model = core.model_methods, tensor = core.tensor_methods} do
    for name, value in next, methods do
      local entry = value == fn and docs[kind][name]
      if entry then return ("function %s:%s -- %s"):format(kind, entry.signature, entry.doc) end
    end
  end
  return "function"
end

local function key_text(key)
  if type(key) == "string" and key:find("^[%a_][%w_]*$") then return key .. " = " end
  return "[" .. show(key, 0) .. "] = "
end

local function entries(t, depth, above)
  local parts, left = {}, 0
  for _, key in ipairs(ordered.keys(t)) do
    if #parts >= ENTRIES then
      left = left + 1
    else
      local value = show(t[key], depth - 1, above)
      parts[#parts + 1] = math.type(key) == "integer" and key == #parts + 1 and value or key_text(key) .. value
    end
  end
  if left > 0 then parts[#parts + 1] = ("… %d more"):format(left) end
  return parts
end

local function tab(t, depth, above)
  if above[t] then return "{… as above}" end
  if next(t) == nil then return "{}" end
  if depth <= 0 then return "{…}" end
  above[t] = true
  local parts, length, lines = entries(t, depth, above), 0, false
  above[t] = nil
  for _, part in ipairs(parts) do
    length = length + #part + 2
    lines = lines or part:find("\n", 1, true) ~= nil
  end
  if length <= WIDTH and not lines then return "{" .. table.concat(parts, ", ") .. "}" end
  for i, part in ipairs(parts) do parts[i] = "  " .. part:gsub("\n", "\n  ") end
  return "{\n" .. table.concat(parts, ",\n") .. "\n}"
end

function show(value, depth, above)
  local kind = core.type(value)
  if kind == "number" then return number(value) end
  if kind == "string" then return text(value) end
  if kind == "tensor" then return tensor(value) end
  if kind == "model" then return model(value) end
  if kind == "function" then return called(value) end
  if value == core.null then return "null" end
  if kind == "table" and not (getmetatable(value) and getmetatable(value).__tostring) then
    return tab(value, depth, above or {})
  end
  return tostring(value)
end
M.show = function(value) return show(value, DEPTH) end

-- The environment.

-- A script from a file, in the console's own environment.
local function run_file(path)
  local fn, problem = core.load(core.read_text(path), "@" .. path, env)
  if not fn then core.fail(problem, true) end
  return fn()
end

local function make_environment()
  local e = sandbox.environment{wb = pipeline.library}
  e.run = run_file
  return setmetatable(e, {__index = seen_names})
end

-- Evaluation.

local function is_open(problem) return problem:find("near <eof>", 1, true) ~= nil end

-- As an expression, else as statements: the function, or nil, what is wrong, and whether only the rest is missing.
local function load(code)
  local fn, as_expression = core.load("return " .. code, "=console", env)
  if fn then return fn end
  local problem
  fn, problem = core.load(code, "=console", env)
  if fn then return fn end
  return nil, problem, is_open(problem) or is_open(as_expression)
end

local function results(ok, ...)
  if not ok then
    local message, trace = ...
    return {error = tostring(message) .. trace}
  end
  local parts = table.pack(...)
  local lines = {}
  for i = 1, parts.n do lines[i] = M.show(parts[i]) end
  return {text = table.concat(lines, "\n")}
end

-- models: name -> model, and the pipeline's result as "model". Gives {text}, {error} or {incomplete = true}.
function M.eval(code, models)
  env = env or make_environment()
  for name in next, seen_names do seen_names[name] = nil end
  local by_name = {}
  for name, m in next, models do by_name[name], seen_names[name] = m, m end
  seen_names.models = by_name
  code = code:gsub("^%s*=", "")
  local fn, problem, incomplete = load(code)
  if not fn then return {incomplete = incomplete, error = problem} end
  return pipeline.beside(function() return results(core.traced(fn)) end)
end

return M
