-- The methods at hand: plugin files found, loaded into environments of their own, and checked.
local core = require "wb.core"
local ordered = require "wb.ordered"
local params = require "wb.params"
local sandbox = require "wb.sandbox"

local M = {}
local loaded = {}      -- path -> {stamp, plugin or nil, error, deps}
local libraries = {}   -- path -> {stamp, value}
local by_kind = {}     -- kind -> name -> plugin
local failures = {}    -- {file, error}, in the order found
local told = {}        -- user plugins already spoken of

M.library = nil        -- the `wb` table that plugins get; set by wb.init
M.common = {}          -- kind -> specs of the parameters that every method of it takes; set by wb.merge and wb.change

local text_fields = {"name", "kind", "doc", "paper", "source", "needs", "cost", "config"}
local fields = {
  base = "string", models = "table", params = "table", tensor = "function", layer = "function", model = "function",
  prepare = "function", unlock = "function", oriented = "boolean", reshapes = "boolean", tests = "table",
}
for _, name in ipairs(text_fields) do fields[name] = "string" end

local spec_fields = {
  min = "number", max = "number", choices = "table", doc = "string", per = "string", required = "boolean",
  type = "string", secret = "boolean", step = "number",
}
local types = {number = true, integer = true, boolean = true, string = true, model = true, list = true, any = true}

local function list_of(set) return table.concat(ordered.keys(set), ", ") end

local function check_fields(t, allowed, what)
  for _, key in ipairs(ordered.keys(t)) do
    if key ~= 1 or what == "the plugin" then
      local want = allowed[key]
      if not want then
        core.fail(("%s has an unknown field '%s'; there are %s"):format(what, tostring(key), list_of(allowed)), true)
      end
      if type(t[key]) ~= want then
        core.fail(("%s: %s is a %s, not a %s"):format(what, key, want, type(t[key])), true)
      end
    end
  end
end

-- One parameter of the table, made complete.
local function make_spec(name, given)
  local what = "parameter " .. tostring(name)
  if type(name) ~= "string" or not name:find("^[%a_][%w_]*$") then
    core.fail(what .. ": its name is a word of letters, digits and _", true)
  end
  if type(given) ~= "table" then core.fail(what .. " is described by a table {default, min=, …}", true) end
  check_fields(given, spec_fields, what)
  local spec = {name = name, default = given[1]}
  for key in next, spec_fields do spec[key] = given[key] end
  spec.type = given.type or type(given[1])
  if spec.type == "nil" and spec.choices then spec.type = type(spec.choices[1]) end
  if not types[spec.type] then
    core.fail(("%s needs a default or a type (%s)"):format(what, list_of(types)), true)
  end
  if spec.per and spec.per ~= "model" then core.fail(what .. ': per is "model"', true) end
  if spec.default == nil and not spec.type then core.fail(what .. " needs a default or a type", true) end
  if spec.default ~= nil and spec.type ~= "model" then
    local problem = params.wrong(spec, spec.default)
    if problem then core.fail(("%s: its default %s"):format(what, problem), true) end
  end
  return spec
end
M.make_spec = make_spec

local function check_models(plugin)
  if plugin.base and plugin.base ~= "required" and plugin.base ~= "optional" and plugin.base ~= "none" then
    core.fail('base is "required", "optional" or "none"', true)
  end
  local m = plugin.models or {}
  for _, key in ipairs(ordered.keys(m)) do
    if (key ~= "min" and key ~= "max") or math.type(m[key]) ~= "integer" then
      core.fail("models is {min = 1, max = 2}: whole numbers", true)
    end
  end
end

-- The table of a file checked and completed; errors are plain texts.
local function check(plugin, kind)
  if type(plugin) ~= "table" then core.fail("a plugin file returns a table, not " .. type(plugin), true) end
  check_fields(plugin, fields, "the plugin")
  for _, key in ipairs{"name", "kind", "doc"} do
    if not plugin[key] then core.fail("the plugin has no " .. key, true) end
  end
  if not plugin.name:find("^[%w_%-%.]+$") then core.fail("a plugin's name is a word", true) end
  local known = {merge = true, protect = true, compress = true, inspect = true}
  if not known[plugin.kind] then core.fail("kind is one of " .. list_of(known), true) end
  if kind and plugin.kind ~= kind then
    core.fail(("a %s plugin lies in the directory of %s"):format(plugin.kind, kind), true)
  end
  local forms = (plugin.tensor and 1 or 0) + (plugin.layer and 1 or 0) + (plugin.model and 1 or 0)
  if forms ~= 1 then core.fail("a plugin has exactly one of the functions tensor, layer and model", true) end
  if plugin.kind == "inspect" and not plugin.model then core.fail("an inspect plugin has a model function", true) end
  check_models(plugin)
  local out = {}
  for key, value in next, plugin do out[key] = value end
  out.specs = {}
  for _, name in ipairs(ordered.keys(plugin.params or {})) do out.specs[name] = make_spec(name, plugin.params[name]) end
  return out
end
M.check = check

local function same(stamp, other)
  return stamp and other and stamp.mtime == other.mtime and stamp.size == other.size
end

-- require "lib.NAME" of a plugin: plugins/lib/NAME.lua, beside it first.
local function library_for(root, deps)
  return function(name)
    local word = type(name) == "string" and name:match("^lib%.([%w_]+)$")
    if not word then return nil end
    local roots = {root}
    for _, dir in ipairs(core.plugin_dirs) do roots[#roots + 1] = dir end
    for _, dir in ipairs(roots) do
      local path = ("%s/lib/%s.lua"):format(dir, word)
      local stamp = core.stamp(path)
      if stamp then
        deps[path] = stamp
        local lib = libraries[path]
        if not lib or not same(lib.stamp, stamp) then
          local env = sandbox.environment{wb = M.library, require = library_for(dir, deps)}
          local fn, problem = core.load_file(path, "@plugins/lib/" .. word .. ".lua", env)
          if not fn then core.fail(problem, true) end
          local value = fn()
          lib = {stamp = stamp, value = value == nil and true or value}
          libraries[path] = lib
        end
        return lib.value
      end
    end
    return nil
  end
end

-- Load and check one file; plugin, or nil and the text of the error, and what it was loaded with.
function M.load(path, root, kind, short)
  local deps = {}
  local ok, value = pcall(function()
    local env = sandbox.environment{wb = M.library, require = library_for(root, deps)}
    local fn, problem = core.load_file(path, "@" .. short, env)
    if not fn then core.fail(problem, true) end
    local plugin = check(fn(), kind)
    plugin.file = path
    return plugin
  end)
  if ok then return value, nil, deps end
  return nil, tostring(value), deps
end

local function fresh(file, known)
  if not known or not same(known.stamp, file) then return false end
  for path, stamp in next, known.deps do
    if not same(core.stamp(path), stamp) then return false end
  end
  return true
end

local function enter(file, plugin)
  local kind = by_kind[plugin.kind]
  if kind[plugin.name] and file.own and not told[file.path] then
    core.log(("%s: your plugin is used in place of the one that comes with weightbench"):format(file.path))
    told[file.path] = true
  end
  kind[plugin.name] = plugin
end

-- Look at the directories again; says whether anything changed.
function M.reload()
  local changed, seen = false, {}
  by_kind = {merge = {}, protect = {}, compress = {}, inspect = {}}
  failures = {}
  for _, file in ipairs(core.plugin_files()) do
    seen[file.path] = true
    local known = loaded[file.path]
    if not fresh(file, known) then
      local short = file.own and file.path or ("plugins/%s/%s"):format(file.kind, file.file)
      local plugin, problem, deps = M.load(file.path, file.root, file.kind, short)
      known = {stamp = file, plugin = plugin, error = problem, deps = deps}
      loaded[file.path] = known
      changed = true
    end
    if known.plugin then
      enter(file, known.plugin)
    else
      failures[#failures + 1] = {file = file.path, error = known.error}
    end
  end
  for _, path in ipairs(ordered.keys(loaded)) do
    if not seen[path] then
      loaded[path] = nil
      changed = true
    end
  end
  return changed
end

-- fn() with a plugin in the place of the one of its name.
function M.with(plugin, fn)
  local kind = by_kind[plugin.kind]
  local before = kind[plugin.name]
  kind[plugin.name] = plugin
  local ok, message = pcall(fn)
  kind[plugin.name] = before
  if not ok then core.fail(tostring(message), true) end
end

function M.get(kind, name)
  if type(name) ~= "string" then core.fail(("wb.%s takes the name of a method first"):format(kind)) end
  local plugin = by_kind[kind] and by_kind[kind][name]
  if plugin then return plugin end
  for _, failure in ipairs(failures) do
    if failure.file:find("/" .. kind .. "/" .. name .. ".lua", 1, true) then
      core.fail(("%s '%s' cannot be loaded: %s: %s"):format(kind, name, failure.file, failure.error))
    end
  end
  local names = list_of(by_kind[kind] or {})
  core.fail(("there is no %s method '%s'; there are %s"):format(kind, name, names ~= "" and names or "none"))
end

local function describe_specs(specs)
  local list = {}
  for name, spec in next, specs do
    local entry = {min = spec.min, max = spec.max, choices = spec.choices, doc = spec.doc, per = spec.per,
      type = spec.type, required = spec.required, secret = spec.secret, step = spec.step}
    entry.default = spec.default
    if spec.type == "list" and spec.default then entry.default = core.array_of(spec.default) end
    list[name] = entry
  end
  return list
end

local function describe(plugin)
  return {name = plugin.name, kind = plugin.kind, doc = plugin.doc, paper = plugin.paper, file = plugin.file,
    source = plugin.source, needs = plugin.needs, cost = plugin.cost, config = plugin.config, base = plugin.base,
    models = plugin.models, params = describe_specs(plugin.specs)}
end

-- Everything, for `weightbench plugins`.
function M.describe()
  local plugins = core.array_of{}
  for _, kind in ipairs(ordered.keys(by_kind)) do
    for _, name in ipairs(ordered.keys(by_kind[kind])) do
      plugins[#plugins + 1] = describe(by_kind[kind][name])
    end
  end
  local common = {}
  for kind, specs in next, M.common do common[kind] = describe_specs(specs) end
  return {plugins = plugins, common = common, errors = core.array_of(failures)}
end

return M
