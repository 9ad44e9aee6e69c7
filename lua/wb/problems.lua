-- Everything wrong with a step is said at once: problems are gathered, then raised together.
local core = require "wb.core"

local M = {}
local MOST = 50
local all = {}      -- of the pipeline that runs
local lines_of = {} -- where in its script

function M.reset() all, lines_of = {}, {} end

function M.list() return all end

function M.lines() return lines_of end

local Gather = {}
Gather.__index = Gather

function M.gather() return setmetatable({texts = {}, seen = {}}, Gather) end

function Gather:add(fmt, ...)
  local text = select("#", ...) > 0 and fmt:format(...) or fmt
  if self.seen[text] then return end
  self.seen[text] = true
  self.texts[#self.texts + 1] = text
end

function Gather:any() return #self.texts > 0 end

-- Raise what was gathered, if anything: `where` says in which step.
function Gather:raise(where)
  local n = #self.texts
  if n == 0 then return end
  local line = core.line()
  for _, text in ipairs(self.texts) do
    all[#all + 1] = where .. ": " .. text
    lines_of[#all] = line
  end
  if n == 1 then core.fail(where .. ": " .. self.texts[1]) end
  local lines = {("%s: %d problems"):format(where, n)}
  for i = 1, math.min(n, MOST) do lines[#lines + 1] = "  " .. self.texts[i] end
  if n > MOST then lines[#lines + 1] = ("  … and %d more"):format(n - MOST) end
  core.fail(table.concat(lines, "\n"))
end

return M
