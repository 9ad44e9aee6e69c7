-- wb.over: several tensors, or all of a model, as one: elementwise methods map, reductions combine.
local core = require "wb.core"
local ordered = require "wb.ordered"
local combine = require "wb.whole".combine

local M = {}
local multi, methods = {}, {}
multi.__name = "multi"
multi.__index = methods

local function is_multi(x) return getmetatable(x) == multi end

local function make(names, tensors) return setmetatable({names = names, tensors = tensors}, multi) end

-- fn(tensor, the others' tensor of that name or the plain value) for each name.
local function map(fn, ...)
  local given, names = table.pack(...), nil
  for i = 1, given.n do
    if is_multi(given[i]) then
      names = names or given[i].names
      for _, name in ipairs(names) do
        if given[i].tensors[name] == nil then core.fail(("'%s' is in one of the models only"):format(name)) end
      end
    end
  end
  local out = {}
  for _, name in ipairs(names) do
    local args = {}
    for i = 1, given.n do
      args[i] = is_multi(given[i]) and given[i].tensors[name] or given[i]
    end
    out[name] = fn(table.unpack(args, 1, given.n))
  end
  return make(names, out)
end

multi.__add = function(a, b) return map(function(x, y) return x + y end, a, b) end
multi.__sub = function(a, b) return map(function(x, y) return x - y end, a, b) end
multi.__mul = function(a, b) return map(function(x, y) return x * y end, a, b) end
multi.__div = function(a, b) return map(function(x, y) return x / y end, a, b) end
multi.__pow = function(a, b) return map(function(x, y) return x ^ y end, a, b) end
multi.__unm = function(a) return map(function(x) return -x end, a) end

for _, name in ipairs{
  "abs", "sign", "sqrt", "exp", "log", "sin", "cos", "acos", "tanh", "floor", "recip", "is_finite", "is_nan", "pow",
  "clamp", "lerp", "fma", "gt", "lt", "ge", "le", "eq", "ne", "where", "cast", "as", "nan_to", "zeros", "ones", "fill",
} do
  local method = core.tensor_methods[name]
  methods[name] = function(self, ...) return map(method, self, ...) end
end

local function total(op, a, b)
  local sum
  for _, name in ipairs(a.names) do
    local part = core.reduce(op, nil, a.tensors[name], b and b.tensors[name])
    sum = sum and combine[op](sum, part) or part
  end
  return sum
end

function methods.count_all(self)
  local n = 0
  for _, name in ipairs(self.names) do n = n + self.tensors[name]:count_all() end
  return n
end

for _, op in ipairs{"sum", "absmax", "count"} do methods[op] = function(self) return total(op, self) end end
for _, op in ipairs{"min", "max"} do
  methods[op] = function(self, u)
    if u == nil then return total(op, self) end
    return map(core.tensor_methods[op .. "_with"], self, u)
  end
end

function methods.mean(self) return total("sum", self) / self:count_all() end

function methods.dot(self, u) return total("dot", self, map(function(_, y) return y end, self, u)) end

function methods.norm(self, p)
  if p == nil or p == 2 then return total("sum_squares", self):sqrt() end
  if p == 1 then return total("sum_abs", self) end
  if p == math.huge then return total("absmax", self) end
  return total("sum", self:abs():pow(p)):pow(1 / p)
end

function methods.cosine(self, u)
  local length = self:norm() * u:norm()
  return length:gt(0):where(self:dot(u) / length, 0):clamp(-1, 1)
end

local function select(self, k, by_value)
  local list = {}
  for i, name in ipairs(self.names) do list[i] = self.tensors[name] end
  return core.select(list, k, by_value)
end

local function mask(self, k, by_value)
  local selection, out = select(self, k, by_value), {}
  for i, name in ipairs(self.names) do out[name] = core.top(self.tensors[name], selection, i - 1) end
  return make(self.names, out)
end

local function share_of(self, share)
  if type(share) ~= "number" then return (share * self:count_all()):floor() end
  if not (share >= 0 and share <= 1) then core.fail(("a share of %g is outside [0, 1]"):format(share)) end
  return math.floor(share * self:count_all())
end

function methods.top(self, share) return mask(self, share_of(self, share), false) end

function methods.top_value(self, share) return mask(self, share_of(self, share), true) end

function methods.top_k(self, k) return mask(self, k, false) end

function methods.top_value_k(self, k) return mask(self, k, true) end

function methods.kth_largest(self, k) return select(self, k, true):item(0) end

function methods.kth_magnitude(self, k) return select(self, k, false):item(0) end

function methods.quantile(self, q)
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then core.fail("quantile takes a number in [0, 1]") end
  local n = self:count_all()
  local h = q * (n - 1)
  local low = math.floor(h)
  local value = select(self, n - low, true):item(0)
  if h == low then return value end
  return value + (select(self, n - low - 1, true):item(0) - value) * (h - low)
end

setmetatable(methods, {__index = function(_, name)
  if name == "names" or name == "tensors" then return nil end
  core.fail(("a multi has no '%s'"):format(tostring(name)))
end})

-- The floating tensors of a model that count: aliases of tied ones and buffers do not.
local function of_model(m)
  local names, tensors = {}, {}
  for _, info in ipairs(core.entries(m)) do
    if info.computable and not info.tied_to and info.kind ~= "buffer" then
      names[#names + 1] = info.name
      tensors[info.name] = m:tensor(info.name)
    end
  end
  return make(names, tensors)
end

-- A list of tensors has the names "1", "2" … padded, so that their order stays; a table has its keys.
local function of_table(list)
  local names, tensors = {}, {}
  for _, key in ipairs(ordered.keys(list)) do
    if core.type(list[key]) ~= "tensor" then core.fail("wb.over takes models, or tables of tensors") end
    local name = type(key) == "number" and ("%09d"):format(key) or tostring(key)
    names[#names + 1] = name
    tensors[name] = list[key]
  end
  return make(names, tensors)
end

-- wb.over(models or tables of tensors, …, fn): a list of models is several.
function M.over(...)
  local given, several = table.pack(...), {}
  local fn = given[given.n]
  if type(fn) ~= "function" or given.n < 2 then core.fail("wb.over takes models or tensors, and a function last") end
  for i = 1, given.n - 1 do
    local x = given[i]
    if core.type(x) == "model" then
      several[#several + 1] = of_model(x)
    elseif is_multi(x) then
      several[#several + 1] = x
    elseif type(x) == "table" and core.type(x[1]) == "model" then
      for _, m in ipairs(x) do several[#several + 1] = of_model(m) end
    elseif type(x) == "table" then
      several[#several + 1] = of_table(x)
    else
      core.fail("wb.over takes models, or tables of tensors")
    end
  end
  for _, x in ipairs(several) do
    if #x.names == 0 then core.fail("wb.over found no tensor") end
  end
  return fn(table.unpack(several))
end

return M
