-- What a step leaves behind: its entry in the manifest, the figures of its report, its warnings.
local core = require "wb.core"

local M = {}
local Step = {}
Step.__index = Step
local all = {} -- of the script that ran last, in order
local open = false

-- A script begins; until it ends its steps are listed, those of plugin checks and the console are not.
function M.begin() all, open = {}, true end

function M.finish() open = false end

function M.list() return all end

-- inputs: base, models (a list), given and specs, as far as the kind has them: for whoever shows the step.
function M.new(kind, method, inputs)
  local self = setmetatable({where = ("%s '%s'"):format(kind, method), kind = kind, method = method,
    line = core.line(), inputs = inputs or {}, notes = {}, warnings = {}, unmatched = {}, seen = {}}, Step)
  if open then all[#all + 1] = self end
  return self
end

-- A figure of a tensor ("" for the whole model); weight: its entries, for totals that are means.
function Step:note(tensor, key, value, total, weight)
  local kind = core.type(value)
  if kind ~= "tensor" and kind ~= "number" then
    core.fail(("note '%s' takes a number or a 0-d tensor, not %s"):format(tostring(key), kind))
  end
  self.notes[#self.notes + 1] = {tensor, key, value, total, weight or 1}
end

-- unmatched: what of the script's filters caught nothing, {param, kind, text}.
function Step:warn(text, unmatched)
  text = tostring(text)
  if self.seen[text] then return end
  self.seen[text] = true
  self.warnings[#self.warnings + 1] = text
  if unmatched then self.unmatched[#self.unmatched + 1] = unmatched end
end

-- Write the step into a draft. json: further fields of its entry.
function Step:finish(draft, json)
  json.kind, json.method = self.kind, self.method
  draft:step(json)
  for _, n in ipairs(self.notes) do draft:note(n[1], n[2], n[3], n[4], n[5]) end
  for _, text in ipairs(self.warnings) do draft:warning(self.where .. ": " .. text) end
  self.json = json
end

-- The model it made.
function Step:made(model)
  self.result = model
  return model
end

return M
