-- Methods of tensors that are made of the engine's operations, and functions on lists of tensors.
local core = require "wb.core"
local whole = require "wb.whole"

local T = core.tensor_methods
local M = {}
local reduce = core.reduce

local function inside(x, low, high) return x >= low and x <= high end

-- What one column of a vector (one row) comes to: the entry itself.
local single = {
  sum = function(a) return a end,
  sum_abs = function(a) return a:abs() end,
  sum_squares = function(a) return a * a end,
  dot = function(a, b) return a * b end,
  count = function(a) return a:ne(0) end,
}
single.min, single.max, single.absmax = single.sum, single.sum, single.sum_abs

-- A reduction along an axis; of "all" also the number of entries.
local function along(op, axis, a, b, label)
  if axis == nil then return reduce(op, nil, a, b) end
  if axis == "all" then return whole.ask{kind = "reduce", op = op, tensor = a, other = b, label = label} end
  if core.dims(a) < 2 then
    if axis == "row" then return reduce(op, nil, a, b) end
    if axis == "column" then return single[op](a, b) end
  end
  return reduce(op, axis, a, b)
end

for _, op in ipairs{"sum", "absmax", "count"} do
  T[op] = function(t, axis, label) return (along(op, axis, t, nil, label)) end
end

local function extreme(op)
  local with = op .. "_with"
  T[op] = function(t, u, label)
    if u == nil or type(u) == "string" then return (along(op, u, t, nil, label)) end
    if type(u) == "table" and u[op] then return u[op](u, t) end
    return T[with](t, u)
  end
end
extreme "min"
extreme "max"

-- Entries that one value of a reduction along the axis is made of.
local function span(t, axis)
  local ndim, rows, columns = core.dims(t)
  if axis == nil or ndim < 2 and axis == "row" then return rows * columns end
  return axis == "row" and columns or rows
end

function T.mean(t, axis, label)
  local sum, n = along("sum", axis, t, nil, label)
  return sum / (n or span(t, axis))
end

function T.norm(t, p, axis, label)
  if type(p) == "string" then p, axis, label = 2, p, axis end
  p = p or 2
  if p == 2 then return (along("sum_squares", axis, t, nil, label)):sqrt() end
  if p == 1 then return (along("sum_abs", axis, t, nil, label)) end
  if p == math.huge then return (along("absmax", axis, t, nil, label)) end
  if type(p) ~= "number" or not inside(p, 1e-300, 1e300) then core.fail("norm takes a p above 0") end
  return (along("sum", axis, t:abs():pow(p), nil, label)):pow(1 / p)
end

function T.dot(t, u, axis, label) return (along("dot", axis, t, u, label)) end

-- 0 where a norm is 0; rounding cannot push it out of [-1, 1].
function T.cosine(t, u, axis, label)
  local tu = along("dot", axis, t, u, label)
  local tt = along("sum_squares", axis, t, nil, label)
  local uu = along("sum_squares", axis, u, nil, label)
  local length = tt:sqrt() * uu:sqrt()
  return length:gt(0):where(tu / length, 0):clamp(-1, 1)
end

-- Selection.

local function whole_number(k, what)
  if type(k) == "number" then
    if not inside(k, 0, 2 ^ 62) then core.fail(what .. " is a number from 0 on") end
    return math.floor(k)
  end
  return k
end

local function check_share(share)
  if type(share) == "number" and not inside(share, 0, 1) then
    core.fail(("a share of %g is outside [0, 1]"):format(share))
  end
end

-- int(share * n), exactly as it is written.
local function part_of(share, n)
  local k = share * n
  return type(k) == "number" and math.floor(k) or k:floor()
end

-- Mask of the k, or int(share * n), largest.
local function mask(t, share, k, axis, label, by_value)
  if axis == "all" then
    local selection, position =
      whole.ask{kind = "select", tensor = t, share = share, k = k, by_value = by_value, label = label}
    return core.top(t, selection, position)
  end
  if axis == "column" and core.dims(t) == 2 then return mask(t:t(), share, k, "row", nil, by_value):t() end
  local n = span(t, axis)
  if share then k = part_of(share, n) end
  if type(k) == "number" and k <= 0 then return t:zeros() end
  if type(k) == "number" and k >= n then return t:ones() end
  if axis == "row" and core.dims(t) >= 2 then return core.top_rows(t, core.select_rows(t, k, by_value)) end
  if axis ~= nil and axis ~= "row" then core.fail(("'%s' is not an axis that top knows"):format(tostring(axis))) end
  return core.top(t, core.select({t}, k, by_value), 0)
end

function T.top(t, share, axis, label)
  check_share(share)
  return mask(t, share, nil, axis, label, false)
end

function T.top_k(t, k, axis, label) return mask(t, nil, whole_number(k, "k"), axis, label, false) end

function T.top_value(t, share, axis, label)
  check_share(share)
  return mask(t, share, nil, axis, label, true)
end

function T.top_value_k(t, k, axis, label) return mask(t, nil, whole_number(k, "k"), axis, label, true) end

-- The k-th largest, k from 1.
local function kth(t, k, axis, label, by_value)
  if axis == "all" then
    return (whole.ask{kind = "select", tensor = t, k = k, by_value = by_value, label = label}):item(0)
  end
  local ndim, rows = core.dims(t)
  if axis == "column" and ndim == 2 then return kth(t:t(), k, "row", nil, by_value) end
  if axis == "row" and ndim >= 2 then return core.select_rows(t, k, by_value):columns(0, 1):reshape{rows} end
  return core.select({t}, k, by_value):item(0)
end

local function check_k(k)
  if type(k) == "number" and not inside(k, 1, 2 ^ 62) then core.fail("k counts from 1") end
  return whole_number(k, "k")
end

function T.kth_largest(t, k, axis, label) return kth(t, check_k(k), axis, label, true) end

function T.kth_magnitude(t, k, axis, label) return kth(t, check_k(k), axis, label, false) end

-- Linear between the order statistics around q (n - 1), as most libraries do by default.
function T.quantile(t, q, axis, label)
  if type(q) ~= "number" or not inside(q, 0, 1) then core.fail("quantile takes a number in [0, 1]") end
  local n
  if axis == "all" then
    n = whole.ask{kind = "count", tensor = t, label = label and label .. " (entries)"}
  else
    n = span(t, axis)
  end
  if n == 0 then core.fail("a quantile of no entries") end
  local h = q * (n - 1)
  local low = math.floor(h)
  local value = kth(t, n - low, axis, label and label .. " (low)", true)
  if h == low then return value end
  local above = kth(t, n - low - 1, axis, label and label .. " (high)", true)
  return value + (above - value) * (h - low)
end

-- Lists of tensors.

function M.sum(list)
  local total = list[1]
  if total == nil then core.fail("the sum of an empty list") end
  for i = 2, #list do total = total + list[i] end
  return total
end

function M.mean(list) return M.sum(list) / #list end

-- x1 * S + sum of c_i (x_i - x1). The difference is taken so that its factor is negative: then a difference of 0
-- leaves every bit of x1 alone, the sign of a zero too.
function M.combine(tensors, c, options)
  local first = tensors[1]
  if #tensors == 0 or #tensors ~= #c then
    core.fail(("combine takes as many coefficients as tensors, not %d and %d"):format(#c, #tensors))
  end
  local out = first
  if not (options and options.affine) then
    local sum = M.sum(c)
    if sum ~= 1 then out = first * sum end
  end
  for i = 2, #tensors do
    local factor = c[i]
    if type(factor) == "number" and factor < 0 then
      out = (tensors[i] - first):fma(factor, out)
    else
      if type(factor) == "number" then factor = factor + 0.0 end
      out = (first - tensors[i]):fma(-factor, out)
    end
  end
  return out
end

function M.eye(n)
  local rows = {}
  for i = 1, n do
    rows[i] = {}
    for j = 1, n do rows[i][j] = i == j and 1 or 0 end
  end
  return core.array(rows)
end

return M
