-- What a script or a plugin sees: a fresh environment from an allow-list, so that no file can change
-- what another one gets. What must not be reached is not in this state at all (lua/bind/vm.c).
local core = require "wb.core"
local ordered = require "wb.ordered"

local M = {}
local LONG = 100000000 -- loops inside C functions cannot be interrupted: no longer ones

local base = {
  "assert", "error", "getmetatable", "ipairs", "next", "pcall", "rawequal", "rawget", "rawlen", "rawset", "select",
  "tonumber", "tostring", "type", "_VERSION",
}

local function copy(t)
  local c = {}
  for k, v in next, t do c[k] = v end
  return c
end

local function short(t)
  if #t > LONG then core.fail("a list of more than " .. LONG .. " entries") end
end

-- The library functions whose time does not depend on what they are given alone.
local function guarded_table()
  local lib = copy(table)
  for _, name in ipairs{"insert", "remove", "sort", "concat", "unpack"} do
    local plain = lib[name]
    lib[name] = function(t, ...)
      if type(t) == "table" and getmetatable(t) then short(t) end
      return plain(t, ...)
    end
  end
  lib.move = function(a, first, last, ...)
    if math.tointeger(first) and math.tointeger(last) and last - first >= LONG then
      core.fail("a move of more than " .. LONG .. " entries")
    end
    return table.move(a, first, last, ...)
  end
  return lib
end

local function guarded_string()
  local lib = copy(string)
  lib.dump = nil
  lib.rep = function(s, n, sep)
    if s == "" and (sep == nil or sep == "") then return "" end
    return string.rep(s, n, sep)
  end
  return lib
end

if not core.trust then core.string_index(guarded_string()) end

-- load: text only, into the environment of the caller's file unless another is given.
local function loader(env)
  return function(chunk, name, _, ...)
    if type(chunk) == "function" then
      local parts = {}
      for piece in chunk do
        if piece == "" then break end
        parts[#parts + 1] = piece
      end
      chunk = table.concat(parts)
    end
    if type(chunk) ~= "string" then core.fail("load takes a string or a function") end
    local into = env
    if select("#", ...) > 0 then into = (...) or {} end
    return core.load(chunk, name or ("=" .. '[string "' .. chunk:sub(1, 30):gsub("[%c]", " ") .. '"]'), into)
  end
end

local function printer(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  core.log(table.concat(parts, "\t"))
end

-- xpcall whose handler runs after the error: within it hooks are off, so that an endless one could not be stopped.
local function after(handler, ok, ...)
  if ok then return true, ... end
  return false, handler(...)
end

local function guarded_xpcall(fn, handler, ...) return after(handler, pcall(fn, ...)) end

-- options: wb (the library, copied), require (name -> value or nil for modules beyond "wb").
function M.environment(options)
  local env = {}
  if core.trust then
    env = copy(_G)
  else
    for _, name in ipairs(base) do env[name] = _G[name] end
    env.setmetatable = core.setmetatable
    env.string, env.table = guarded_string(), guarded_table()
    env.math, env.utf8, env.coroutine = copy(math), copy(utf8), copy(coroutine)
    env.os = {time = os.time, clock = os.clock, date = os.date}
    env.load, env.xpcall = loader(env), guarded_xpcall
  end
  env._G, env.pairs, env.print = env, ordered.pairs, printer
  local lib = copy(options.wb)
  env.wb = lib
  env.require = function(name)
    if name == "wb" then return lib end
    local value = options.require and options.require(name)
    if value ~= nil then return value end
    if core.trust then return core.require(name) end
    return core.fail(("there is no module '%s'; scripts have \"wb\", plugins \"lib.NAME\" too"):format(tostring(name)))
  end
  return env
end

return M
