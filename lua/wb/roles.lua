-- What a name in `roles`, `include` or `exclude` may mean: a role, a group of roles, a kind, or a pattern of names.
local core = require "wb.core"

local M = {}

local group = {
  q = "attn", k = "attn", v = "attn", o = "attn", qkv = "attn", kv = "attn",
  cross_q = "attn", cross_k = "attn", cross_v = "attn", cross_o = "attn", rel_bias = "attn",
  gate = "mlp", up = "mlp", down = "mlp", gate_up = "mlp", router = "mlp", shared_gate = "mlp",
  lm_head = "head", classifier = "head", pooler = "head", projection = "head",
}

-- The names that catch a tensor, most specific first: role, role without .bias and expert, its group, its kind.
function M.selectors(info)
  local list, seen = {}, {}
  local function add(name)
    if name and name ~= "" and not seen[name] then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  local plain = info.role:gsub("%.bias$", ""):gsub("%.weight$", "")
  local inner = plain:gsub("^expert%.", ""):gsub("^shared%.", "")
  add(info.role)
  add(plain)
  add(inner)
  add(group[inner] or inner:find("norm$") and "norm" or inner:find("embed$") and "embed")
  add(info.kind)
  return list
end

local function is_pattern(text) return text:find("[%*%?%[%{%.\\]") ~= nil end

-- How much of a pattern is literal: the longer, the more specific.
function M.literal(pattern) return #pattern:gsub("[%*%?]", ""):gsub("%b[]", "") end

-- Does an item of include or exclude catch this tensor?
function M.matches(item, info)
  if item == info.name then return true end
  if is_pattern(item) then return core.glob(item, info.name) end
  for _, name in ipairs(M.selectors(info)) do
    if name == item then return true end
  end
  return false
end

-- A filter from include and exclude lists: function(info) -> bool. warn(text, {param, kind, text}) is told of items
-- that catch nothing.
function M.filter(include, exclude, entries, warn)
  if not include and not exclude then return function() return true end end
  local function caught(list, label)
    local set = {}
    for _, item in ipairs(list or {}) do
      local any = false
      for _, info in ipairs(entries) do
        if M.matches(item, info) then set[info.name], any = true, true end
      end
      if not any then
        warn(("%s: pattern '%s' matches no tensor"):format(label, item),
          {param = label, kind = is_pattern(item) and "glob" or "role", text = item})
      end
    end
    return set
  end
  local wanted, unwanted = caught(include, "include"), caught(exclude, "exclude")
  return function(info)
    return (not include or wanted[info.name] or false) and not unwanted[info.name]
  end
end

return M
