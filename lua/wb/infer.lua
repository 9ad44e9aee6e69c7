-- wb.eval, wb.states, wb.gram, wb.attention: what models do with a text. They run the model when figures are asked for;
-- the same figures of the same model and text are worked out once (lua/bind/subject.h).
local core = require "wb.core"
local pipeline = require "wb.pipeline"

local M = {}

-- Options.

local function is_whole(value) return type(value) == "number" and value >= 0 and math.floor(value) == value end

local function check_option(where, key, value, want)
  if want == "whole" then
    if not is_whole(value) then core.fail(("%s: %s is a whole number from 0 on"):format(where, key)) end
  elseif type(value) ~= want or value == "" then
    core.fail(("%s: %s is a %s"):format(where, key, want))
  end
end

-- What was given as C takes it: checked, with the path of the text resolved.
local function options_of(where, model, given, known, text_needed)
  if core.type(model) ~= "model" then
    core.fail(("%s: the first argument is a model, not %s"):format(where, core.type(model)))
  end
  local names, out = {}, {}
  for key in next, known do names[#names + 1] = key end
  table.sort(names)
  if given == nil then given = {} end
  if type(given) ~= "table" then core.fail(("%s: the last argument is a table {%s}"):format(where,
    table.concat(names, ", "))) end
  for key, value in next, given do
    if not known[key] then
      core.fail(("%s has no option '%s'; it has %s"):format(where, tostring(key), table.concat(names, ", ")))
    end
    check_option(where, key, value, known[key])
    out[key] = value
  end
  if text_needed and not out.text then core.fail(where .. " needs a text: {text = path of a UTF-8 file}") end
  if out.text then out.path, out.text = pipeline.found(out.text), nil end
  return out
end

-- wb.eval

local eval_options = {text = "string", tasks = "string", images = "string", window = "whole", limit = "whole"}

function M.eval(model, given)
  local o, kind = options_of("wb.eval", model, given, eval_options), nil
  if o.path then kind = "text" end
  for _, key in ipairs{"tasks", "images"} do
    if o[key] then
      if kind then core.fail(("wb.eval takes one of text, tasks and images, not %s and %s"):format(kind, key)) end
      kind = key
    end
  end
  if not kind then core.fail("wb.eval needs one of text, tasks and images: the path of a file") end
  if kind == "tasks" then o.path = pipeline.found(o.tasks) end
  if kind == "images" then o.file = pipeline.found(o.images) end
  return core.eval(model, o, kind)
end

-- wb.states

local states_options = {text = "string", window = "whole", limit = "whole", rows = "whole", stack = "string"}
local metrics = {cka = true, cosine = true, angular = true}
local States = {}
local inside = setmetatable({}, {__mode = "k"}) -- what an object knows, out of a script's reach

local function object(known, meta)
  local self = setmetatable({}, meta)
  inside[self] = known
  return self
end

local function copy(list)
  local out = core.array_of{}
  for i, x in ipairs(list) do out[i] = type(x) == "table" and copy(x) or x end
  return out
end

-- Everything at once: layers, rows, zero_rows, nonfinite_rows, cka, cosine, angular, influence, relative_step, norm.
function States:figures()
  local my = inside[self]
  my.figures = my.figures or core.states(my.model, my.options, my.rows)
  return my.figures
end

-- State against state, a list of lists: state i (0 is the embedding) stands at [i + 1].
function States:matrix(metric)
  if not metrics[metric] then
    core.fail(("states: the metric is \"cka\", \"cosine\" or \"angular\", not %s"):format(tostring(metric)))
  end
  return copy(self:figures()[metric])
end

-- Lists: layer l stands at [l + 1]; of norm state i at [i + 1].
for _, name in ipairs{"influence", "relative_step", "norm"} do
  States[name] = function(self) return copy(self:figures()[name]) end
end

local counts = {layers = true, rows = true, zero_rows = true, nonfinite_rows = true}

local states_meta = {
  -- s[i]: state i as a tensor [rows, hidden].
  __index = function(self, key)
    if States[key] then return States[key] end
    if counts[key] then return States.figures(self)[key] end
    local my = inside[self]
    if is_whole(key) then return core.state(my.model, my.options, my.rows, math.tointeger(key)) end
    core.fail(("states have no '%s'"):format(tostring(key)))
  end,
  __tostring = function(self)
    local my = inside[self]
    return ("states of %s on %s"):format(my.model.path, my.options.path)
  end,
  __metatable = false,
}

function M.states(model, given)
  local o = options_of("wb.states", model, given, states_options, true)
  local rows = o.rows or 0
  o.rows = nil
  return object({model = model, options = o, rows = rows}, states_meta)
end

-- wb.gram

local gram_options = {text = "string", window = "whole", limit = "whole", stack = "string"}

function M.gram(model, name, given)
  local o = options_of("wb.gram", model, given, gram_options, true)
  if type(name) ~= "string" then core.fail("wb.gram: the second argument is the name of a tensor") end
  if not model:has(name) then core.fail(("wb.gram: %s has no tensor '%s'"):format(model.path, name)) end
  local stack = model:info(name).stack
  if not o.stack and stack ~= "" then o.stack = stack end
  return core.gram(model, o, name)
end

-- wb.attention

local attention_options = {text = "string", window = "whole", limit = "whole", stack = "string", top = "whole",
  ["local"] = "whole", seed = "whole"}
local ALL, WEIGHTS, REPEATED, COMPOSITION = 15, 8, 2, 16
local Attention = {}
local stats -- name -> {name, doc, low, high, part}
local stat_names = {}

local function load_stats()
  if stats then return end
  stats = {}
  for i, info in ipairs(core.head_stats()) do
    stats[info.name] = info
    stat_names[i] = info.name
  end
end

-- Figures of some parts (text, repeated, retrieval, weights, composition as bits), worked out when they are first
-- asked for; composition, which is slow, is no part of ALL.
local function parts_of(self, parts)
  local my = inside[self]
  if my[ALL] and parts ~= COMPOSITION then return my[ALL] end
  if parts ~= WEIGHTS and parts ~= REPEATED and parts ~= COMPOSITION and not my.options.path then
    core.fail("wb.attention needs a text for that: {text = path of a UTF-8 file}")
  end
  my[parts] = my[parts] or core.heads(my.model, my.options, parts, my.top, my.near, my.seed)
  return my[parts]
end

-- The grid of a statistic, a list of lists: head h of layer l stands at [l + 1][h + 1]; or one number, counted from 0.
function Attention:stat(name, layer, head)
  load_stats()
  local info = stats[name]
  if not info then
    core.fail(("attention has no statistic '%s'; there are %s"):format(tostring(name), table.concat(stat_names, ", ")))
  end
  local grid = parts_of(self, info.part).stats[name]
  if not grid then core.fail(("%s has no '%s'"):format(inside[self].model.path, name)) end
  if layer == nil then return copy(grid) end
  local row = grid[layer + 1]
  if not row or row[head + 1] == nil then
    core.fail(("%s has no head %s in layer %s"):format(inside[self].model.path, tostring(head), tostring(layer)))
  end
  return row[head + 1]
end

-- What there is: {name, doc, low, high, weights: of weights alone, pairs: of all pairs of layers, slow} of each.
function Attention.names()
  load_stats()
  local list = core.array_of{}
  for i, name in ipairs(stat_names) do
    local info = stats[name]
    list[i] = {name = name, doc = info.doc, low = info.low, high = info.high,
      weights = info.part == WEIGHTS or info.part == COMPOSITION, pairs = info.part == COMPOSITION}
  end
  return list
end

-- Lists of "previous", "induction", "sink", "local", "retrieval", "dead" by layer and head.
function Attention:roles() return copy(parts_of(self, ALL).roles) end

-- {layer, head} in the order of retrieval priority.
function Attention:priority() return copy(parts_of(self, ALL).priority) end

-- How alike the key (or "v": value) projections of kv groups are: by layer, then group by group.
function Attention:group_similarity(which)
  local figures = parts_of(self, WEIGHTS)
  local flat = figures["group_similarity_" .. (which or "k")]
  if not flat then core.fail("group_similarity is of \"k\" or \"v\"") end
  local out, n = core.array_of{}, figures.kv_heads
  for l, list in ipairs(flat) do
    out[l] = core.array_of{}
    for i = 1, n do out[l][i] = core.array_of(table.move(list, (i - 1) * n + 1, i * n, 1, {})) end
  end
  return out
end

-- The weights of one head over a text of your own: a tensor [n, n] (query, key), and the n tokens.
function Attention:pattern(layer, head, text)
  if type(text) ~= "string" or text == "" then core.fail("a:pattern takes layer, head and a text") end
  return core.pattern(inside[self].model, {text = text, stack = inside[self].options.stack}, layer, head)
end

-- Everything: layers, heads, kv_heads, rows, stats (name -> grid), roles, priority.
function Attention:figures() return parts_of(self, ALL) end

local attention_meta = {
  __index = function(self, key)
    if Attention[key] then return Attention[key] end
    if key == "layers" or key == "heads" or key == "kv_heads" then return parts_of(self, WEIGHTS)[key] end
    core.fail(("attention has no '%s'"):format(tostring(key)))
  end,
  __tostring = function(self) return ("attention of %s"):format(inside[self].model.path) end,
  __metatable = false,
}

function M.attention(model, given)
  local o = options_of("wb.attention", model, given, attention_options)
  local known = {model = model, options = o, top = o.top or 0, near = o["local"] or 0, seed = o.seed or 1}
  o.top, o["local"], o.seed = nil, nil, nil
  return object(known, attention_meta)
end

return M
