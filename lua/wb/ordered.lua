-- Walking through tables in a fixed order: numbers, then strings by their bytes, then the rest.
local M = {}
local rank = {number = 1, string = 2, boolean = 3}

local function before(a, b)
  local x, y = rank[type(a)] or 4, rank[type(b)] or 4
  if x ~= y then return x < y end
  if x == 3 then return not a and b end
  return x < 3 and a < b
end

function M.keys(t)
  local keys = {}
  for k in next, t do keys[#keys + 1] = k end
  table.sort(keys, before)
  return keys
end

-- pairs, in that order; keys that go away meanwhile are passed over.
function M.pairs(t)
  local own = getmetatable(t)
  if type(own) == "table" and own.__pairs then return pairs(t) end
  local keys, i = M.keys(t), 0
  return function()
    local value
    repeat
      i = i + 1
      if keys[i] == nil then return nil end
      value = t[keys[i]]
    until value ~= nil
    return keys[i], value
  end, t, nil
end

return M
