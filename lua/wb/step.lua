-- What a step leaves behind: its entry in the manifest, the figures of its report, its warnings.
local core = require "wb.core"

local M = {}
local Step = {}
Step.__index = Step

function M.new(kind, method)
  return setmetatable({where = ("%s '%s'"):format(kind, method), kind = kind, method = method,
    notes = {}, warnings = {}, seen = {}}, Step)
end

-- A figure of a tensor ("" for the whole model); weight: its entries, for totals that are means.
function Step:note(tensor, key, value, total, weight)
  local kind = core.type(value)
  if kind ~= "tensor" and kind ~= "number" then
    core.fail(("note '%s' takes a number or a 0-d tensor, not %s"):format(tostring(key), kind))
  end
  self.notes[#self.notes + 1] = {tensor, key, value, total, weight or 1}
end

function Step:warn(text)
  text = tostring(text)
  if self.seen[text] then return end
  self.seen[text] = true
  self.warnings[#self.warnings + 1] = text
end

-- Write the step into a draft. json: further fields of its entry.
function Step:finish(draft, json)
  json.kind, json.method = self.kind, self.method
  draft:step(json)
  for _, n in ipairs(self.notes) do draft:note(n[1], n[2], n[3], n[4], n[5]) end
  for _, text in ipairs(self.warnings) do draft:warning(self.where .. ": " .. text) end
end

return M
