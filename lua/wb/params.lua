-- Parameters of methods: from what was written in the script to the value for each tensor.
--
-- Forms (merge.md 0.6): a value; a list over depth; a list of {filter = substring, value =}, the first that fits; a
-- table {default =, ["glob"] =, roles = {q =, mlp =}}; a function (name, role, layer, layers[, model]).
-- In a table the most specific entry wins: the exact name, then the pattern with more literal characters (the
-- lower one by bytes among equals), then the role, the role without ".bias" or "expert.", its group (attn,
-- mlp, norm, embed, head), its kind, then `default`, then the method's default.
-- With per = "model" the first list met is one of these for each model.
local core = require "wb.core"
local ordered = require "wb.ordered"
local problems = require "wb.problems"
local roles = require "wb.roles"

local M = {}

local raw = {list = true, any = true, model = true}

-- Types whose values are passed as given.
function M.is_raw(spec) return raw[spec.type] or spec.type == "string" and not spec.choices end

local function shown(value)
  if type(value) == "string" then return ("'%s'"):format(value) end
  return tostring(value)
end

local function range_text(spec)
  if spec.min and spec.max then return ("in [%s, %s]"):format(spec.min, spec.max) end
  if spec.min then return ("from %s on"):format(spec.min) end
  return ("up to %s"):format(spec.max)
end

local function check_number(spec, value)
  if type(value) ~= "number" then return ("is a number, not %s"):format(shown(value)) end
  if value ~= value then return "is not a number (NaN)" end
  if spec.type == "integer" and math.floor(value) ~= value then
    return ("is a whole number, not %s"):format(value)
  end
  if spec.min and value < spec.min or spec.max and value > spec.max then
    return ("is %s; it has to be %s"):format(value, range_text(spec))
  end
end

local function check_type(spec, value)
  local t = spec.type
  if t == "number" or t == "integer" then return check_number(spec, value) end
  if t == "boolean" and type(value) ~= "boolean" then return ("is true or false, not %s"):format(shown(value)) end
  if t == "string" and type(value) ~= "string" then return ("is a string, not %s"):format(shown(value)) end
  if t == "model" and core.type(value) ~= "model" then return ("is a model, not %s"):format(shown(value)) end
  if t == "list" and type(value) ~= "table" then return ("is a list, not %s"):format(shown(value)) end
end

-- What is wrong with a value, or nil.
function M.wrong(spec, value)
  local problem = check_type(spec, value)
  if problem or not spec.choices then return problem end
  for _, choice in ipairs(spec.choices) do
    if choice == value then return nil end
  end
  local list = {}
  for i, choice in ipairs(spec.choices) do list[i] = shown(choice) end
  return ("is %s; the choices are %s"):format(shown(value), table.concat(list, ", "))
end

-- Something wrong with what was given. While a set is being made all refusals are gathered, so that one run
-- names every one of them.
local function refuse(context, text, ...)
  text = text:format(...)
  if context.gathering then error({refused = text}, 0) end
  core.fail(text)
end

local function attempt(context, list, fn, ...)
  context.gathering = true
  local ok, result = pcall(fn, ...)
  context.gathering = false
  if ok then return result end
  if type(result) ~= "table" or not result.refused then error(result, 0) end
  list[#list + 1] = result.refused
end

local function checked(spec, value, context, info)
  local problem = M.wrong(spec, value)
  if problem then
    local tensor = info and info.name ~= "" and " for " .. info.name or ""
    refuse(context, "parameter %s of %s%s %s", spec.name, context.method, tensor, problem)
  end
  if spec.type == "integer" then return math.tointeger(value) or value end
  return value
end

local function is_list(form)
  return type(form) == "table" and core.type(form) == "table" and (#form > 0 or next(form) == nil)
end

local function is_filters(form)
  if not is_list(form) or #form == 0 then return false end
  for _, item in ipairs(form) do
    if type(item) ~= "table" or item.value == nil then return false end
    for key in next, item do
      if key ~= "value" and key ~= "filter" then return false end
    end
  end
  return true
end

-- A compiled form: a constant {value =}, or {get = function(info) -> value or nil}. why tells what gave the value:
-- a text, or function(info) -> text; none for a plain value.
local compile

local function why(compiled, info)
  if type(compiled.why) == "function" then return compiled.why(info) end
  return compiled.why
end

-- "roles.q", or "roles.q, list over depth" when what is written there is a form too.
local function why_inside(label, inner, info)
  local more = why(inner, info)
  return more and label .. ", " .. more or label
end

-- A pattern, role or filter that catches no tensor.
local function unmatched(spec, kind, text, context)
  local what = kind == "glob" and "pattern" or kind
  context.warn(("parameter %s: %s '%s' matches no tensor"):format(spec.name, what, text),
    {param = spec.name, kind = kind, text = text})
end

-- Numbers are interpolated; the rest stays until the next one's turn. One layer takes the last, no layer the first.
local function over_depth(spec, list, context)
  if #list == 0 then refuse(context, "parameter %s of %s is a list of length 0", spec.name, context.method) end
  for _, value in ipairs(list) do checked(spec, value, context) end
  if #list == 1 then return {value = list[1]} end
  return {why = "list over depth", get = function(info)
    if not info.layer then return list[1] end
    local s = context.layers > 1 and info.layer / (context.layers - 1) * (#list - 1) or #list - 1
    local i = math.min(math.floor(s), #list - 1)
    local low, high, f = list[i + 1], list[i + 2], s - i
    if f == 0 or high == nil or type(low) ~= "number" then return low end
    return (1 - f) * low + f * high
  end}
end

local function by_function(spec, fn, context, index)
  return {why = "function", get = function(info)
    return checked(spec, fn(info.name, info.role, info.layer, context.layers, index), context, info)
  end}
end

local function by_filter(spec, list, context, index)
  local item = {}
  for i, entry in ipairs(list) do
    item[i] = {filter = entry.filter ~= "*" and entry.filter or nil, form = compile(spec, entry.value, context, index)}
  end
  local function catches(entry, info) return not entry.filter or info.name:find(entry.filter, 1, true) ~= nil end
  for _, entry in ipairs(item) do
    local any = false
    for _, info in ipairs(context.entries) do any = any or catches(entry, info) end
    if not any then unmatched(spec, "filter", tostring(entry.filter), context) end
  end
  local function choose(info)
    for _, entry in ipairs(item) do
      if catches(entry, info) then return entry end
    end
  end
  return {get = function(info)
    local entry = choose(info)
    return entry and M.value(entry.form, info)
  end, why = function(info)
    local entry = choose(info)
    return entry and why_inside(entry.filter and "filter " .. entry.filter or "filter *", entry.form, info)
  end}
end

local function sorted_patterns(form, spec, context, index)
  local exact, pattern = {}, {}
  for _, key in ipairs(ordered.keys(form)) do
    if key ~= "default" and key ~= "roles" then
      if type(key) ~= "string" then
        refuse(context, "parameter %s of %s mixes a list and a table", spec.name, context.method)
      end
      local compiled = compile(spec, form[key], context, index)
      local any = false
      if context.by_name[key] then
        exact[key], any = {label = "name " .. key, form = compiled}, true
      else
        for _, info in ipairs(context.entries) do any = any or core.glob(key, info.name) end
        pattern[#pattern + 1] = {glob = key, label = "glob " .. key, form = compiled, literal = roles.literal(key)}
      end
      if not any then unmatched(spec, "glob", key, context) end
    end
  end
  table.sort(pattern, function(a, b)
    if a.literal ~= b.literal then return a.literal > b.literal end
    return a.glob < b.glob
  end)
  return exact, pattern
end

local function compile_roles(form, spec, context, index)
  local by_role = {}
  if form == nil then return by_role end
  if type(form) ~= "table" then refuse(context, "parameter %s: roles is a table", spec.name) end
  for _, role in ipairs(ordered.keys(form)) do
    by_role[role] = {label = "roles." .. tostring(role), form = compile(spec, form[role], context, index)}
    local any = false
    for _, info in ipairs(context.entries) do
      for _, selector in ipairs(context.selectors(info)) do any = any or selector == role end
    end
    if not any then unmatched(spec, "role", tostring(role), context) end
  end
  return by_role
end

local function by_table(spec, form, context, index)
  local exact, pattern = sorted_patterns(form, spec, context, index)
  local by_role = compile_roles(form.roles, spec, context, index)
  local default = form.default ~= nil and {label = "default", form = compile(spec, form.default, context, index)}
  local nothing = {form = {}}
  local cache = {}
  local function look(info)
    if exact[info.name] then return exact[info.name] end
    for _, p in ipairs(pattern) do
      if core.glob(p.glob, info.name) then return p end
    end
    for _, selector in ipairs(context.selectors(info)) do
      if by_role[selector] then return by_role[selector] end
    end
    return default or nothing
  end
  local function choose(info)
    local chosen = cache[info.name]
    if not chosen then
      chosen = look(info)
      cache[info.name] = chosen
    end
    return chosen
  end
  return {get = function(info) return M.value(choose(info).form, info) end, why = function(info)
    local chosen = choose(info)
    return chosen.label and why_inside(chosen.label, chosen.form, info)
  end}
end

-- index: the model whose value is wanted, as long as no list of one for each model was met.
function compile(spec, form, context, index)
  if M.is_raw(spec) and type(form) ~= "function" then return {value = checked(spec, form, context)} end
  if type(form) == "function" then return by_function(spec, form, context, index) end
  if type(form) ~= "table" then return {value = checked(spec, form, context)} end
  if is_filters(form) then return by_filter(spec, form, context, index) end
  if not is_list(form) then return by_table(spec, form, context, index) end
  if not index then return over_depth(spec, form, context) end
  if #form ~= context.models then
    refuse(context, "parameter %s of %s has %d values for %d models", spec.name, context.method, #form, context.models)
  end
  return compile(spec, form[index], context)
end

function M.value(compiled, info)
  if compiled.get then return compiled.get(info) end
  return compiled.value
end

local function missing(spec, context, info)
  refuse(context, "parameter %s of %s is missing%s: %s", spec.name, context.method,
    info and (" for " .. info.name) or "", spec.doc or "it has no default")
end

local function compile_all(spec, form, context)
  if form == nil then form = spec.default end
  if form == nil then
    if spec.required then missing(spec, context) end
    return {one = {value = nil}}
  end
  if spec.per ~= "model" then return {one = compile(spec, form, context)} end
  local list = {}
  for i = 1, context.models do list[i] = compile(spec, form, context, i) end
  return {list = list}
end

-- Where a table or filter says nothing the default holds.
local function resolve(spec, compiled, context, info)
  local value = M.value(compiled, info)
  if value == nil and compiled.get then
    if spec.required or spec.default == nil then missing(spec, context, info) end
    return spec.default
  end
  return value
end

local function unknown(name, specs, context)
  local known = {}
  for key in next, specs do known[#known + 1] = key end
  table.sort(known)
  refuse(context, "%s has no parameter '%s'; it has %s", context.method, tostring(name), table.concat(known, ", "))
end

local Set = {}
Set.__index = Set

-- The parameters for one tensor. present: which of the models take part, nil for all.
function Set:at(info, present)
  if not self.varying and not present then return self.constant end
  local p = {}
  for _, name in ipairs(self.names) do
    local entry = self.entries[name]
    if entry.one then
      p[name] = resolve(entry.spec, entry.one, self.context, info)
    else
      local list = {}
      for i, index in ipairs(present or self.all) do
        list[i] = resolve(entry.spec, entry.list[index], self.context, info)
      end
      p[name] = list
    end
  end
  self:remember(info, p)
  return setmetatable(p, self.meta)
end

-- What varying parameters came to, by role and layer: for whoever shows it.
function Set:remember(info, p)
  for _, name in ipairs(self.varying or {}) do
    local by_role = self.resolved[name]
    if info.layer then
      by_role[info.role] = by_role[info.role] or {}
      local list = by_role[info.role]
      if type(list) == "table" then list[info.layer + 1] = list[info.layer + 1] or p[name] end
    elseif by_role[info.role] == nil then
      by_role[info.role] = p[name]
    end
  end
end

-- A value as a script would write it.
local function written(value)
  if type(value) == "table" then return core.json(M.given_json(value)) end
  if core.type(value) == "model" then return "model " .. value.path end
  return shown(value)
end

-- Values and what gave them, of one parameter of one model for every tensor, into out.texts, out.numbers, out.forms; a
-- constant once (out.same).
local function map_model(set, entry, compiled, infos, out)
  local spec, choice = entry.spec, {}
  for i, value in ipairs(spec.choices or {}) do choice[value] = i - 1 end
  for i, info in ipairs(infos) do
    local value = resolve(spec, compiled, set.context, info)
    local number = value
    if type(value) == "boolean" then number = value and 1 or 0 end
    if choice[value] then number = choice[value] end
    out.numbers[i] = type(number) == "number" and number or false
    out.texts[i] = value == nil and "nil" or written(value)
    out.forms[i] = why(compiled, info) or (entry.given and not compiled.get and "value" or "method's default")
    out.same = not compiled.get
    if out.same then break end
  end
  return true
end

-- What parameter `name` comes to for the tensors of set:infos(): a list of {numbers, texts, forms, same}, one a
-- model, and what went wrong.
function Set:map(name)
  local entry, out, problem = self.entries[name], {}, nil
  for i, compiled in ipairs(entry.list or {entry.one}) do
    out[i] = {numbers = {}, texts = {}, forms = {}}
    local ok, message = pcall(map_model, self, entry, compiled, self:infos(), out[i])
    if not ok then problem = tostring(message) end
  end
  return out, problem
end

-- The tensors of the map; of a method that sees layers, the layers too, as tensors without a name.
function Set:infos()
  if not self.by_layer then return self.context.entries end
  if not self.with_layers then
    local list, seen = {}, {}
    for i, info in ipairs(self.context.entries) do
      list[i] = info
      local key = info.layer and ("%s\0%d"):format(info.stack or "", info.layer)
      if key and not seen[key] then
        seen[key] = {name = "", role = "", kind = "", layer = info.layer, stack = info.stack}
      end
    end
    for _, key in ipairs(ordered.keys(seen)) do list[#list + 1] = seen[key] end
    self.with_layers = list
  end
  return self.with_layers
end

-- The same as JSON can hold it: gaps become null.
function Set:resolved_json()
  if not self.varying then return nil end
  local out = {}
  for name, by_role in next, self.resolved do
    out[name] = {}
    for role, values in next, by_role do
      if type(values) == "table" and self.layered[role] then
        local list = core.array_of{}
        for l = 1, self.context.layers do
          local value = values[l]
          if value == nil then value = core.null end
          list[l] = value
        end
        values = list
      end
      out[name][role] = values
    end
  end
  return out
end

-- For a function that sees no single tensor: constants by name, everything by p(name of a tensor).
function Set:whole()
  if not self.varying then return self.constant end
  local p = {}
  for name, value in next, self.constant do p[name] = value end
  return setmetatable(p, {
    __call = self.meta.__call,
    __index = function(_, name)
      if not self.entries[name] then return nil end
      core.fail(("parameter %s differs from tensor to tensor: write p(name).%s"):format(name, name))
    end,
  })
end

local function constant_value(entry)
  if entry.one then return not entry.one.get, entry.one.value end
  local list = {}
  for i, compiled in ipairs(entry.list) do
    if compiled.get then return false end
    list[i] = compiled.value
  end
  return true, list
end

local function add_entry(set, name, spec, entry)
  entry.spec = spec
  set.entries[name] = entry
  local constant, value = constant_value(entry)
  if constant then
    set.constant[name] = value
  else
    set.varying = set.varying or {}
    table.insert(set.varying, name)
    set.resolved[name] = {}
  end
end

-- The same without the name of the method, which stands in front of a list.
local function short(text, method)
  local first, last = text:find(" of " .. method, 1, true)
  if first then return text:sub(1, first - 1) .. text:sub(last + 1) end
  if text:sub(1, #method) == method then return "it" .. text:sub(#method + 1) end
  return text
end

-- One refusal is an error of its own; several, and what else is wrong with the step, are said together.
local function raise_all(context, refused)
  local step = context.problems or problems.gather()
  if #refused == 1 and not step:any() then core.fail(refused[1]) end
  for _, text in ipairs(refused) do step:add("%s", short(text, context.method)) end
  step:raise(context.method)
end

-- specs: name -> {name, type, default, min, max, choices, per, required}. given: as in the script. context: method (for
-- errors), entries (the tensors at hand), layers, models (how many), warn(text, {param, kind, text} of what
-- caught nothing).
function M.new(specs, given, context)
  local set = setmetatable({context = context, specs = specs, entries = {}, constant = {}, resolved = {},
    layered = {}}, Set)
  context.by_name = {}
  for _, info in ipairs(context.entries) do
    context.by_name[info.name] = info
    if info.layer then set.layered[info.role] = true end
  end
  local cache = {}
  context.selectors = function(info)
    cache[info.name] = cache[info.name] or roles.selectors(info)
    return cache[info.name]
  end
  local refused = {}
  for _, name in ipairs(ordered.keys(given)) do
    if not specs[name] then attempt(context, refused, unknown, name, specs, context) end
  end
  set.all = {}
  for i = 1, context.models or 0 do set.all[i] = i end
  set.names = ordered.keys(specs)
  for _, name in ipairs(set.names) do
    local entry = attempt(context, refused, compile_all, specs[name], given[name], context)
    if entry then
      entry.given = given[name] ~= nil
      add_entry(set, name, specs[name], entry)
    end
  end
  raise_all(context, refused)
  set.meta = {__call = function(_, tensor_name)
    local info = context.by_name[tensor_name]
    if not info then core.fail(("there is no tensor '%s' here"):format(tostring(tensor_name))) end
    return set:at(info)
  end}
  setmetatable(set.constant, set.meta)
  return set
end

-- What was given, as the manifest keeps it.
function M.given_json(value, specs, depth)
  depth = depth or 0
  local kind = core.type(value)
  if kind == "model" then return "model " .. value.path end
  if kind == "tensor" then return tostring(value) end
  if kind == "function" then return "function" end
  if kind ~= "table" then return value end
  if depth > 20 then return "…" end
  local out = #value > 0 and core.array_of{} or {}
  for _, key in ipairs(ordered.keys(value)) do
    local spec = specs and specs[key]
    if spec and spec.secret then
      out[key] = "(secret)"
    else
      local name = #value > 0 and key or tostring(key)
      out[name] = M.given_json(value[key], nil, depth + 1)
    end
  end
  return out
end

return M
