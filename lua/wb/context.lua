-- `t`: what the tensor function of a plugin gets.
local core = require "wb.core"

local M = {}
local Tensor = {}
Tensor.__index = Tensor

function Tensor:zeros() return core.fill(self.shape, 0) end

function Tensor:ones() return core.fill(self.shape, 1) end

function Tensor:fill(x) return core.fill(self.shape, x) end

function Tensor:delta(i)
  if not self.base then core.fail("there is no base to take the difference from") end
  return self.models[i] - self.base
end

function Tensor:note(key, value, total) self.step:note(self.name, key, value, total, self.count) end

function Tensor:warn(text) self.step:warn(text) end

-- info: of the tensor; fields: what else this kind of method has.
function M.new(info, layers, step, like, fields)
  fields.name, fields.role, fields.kind, fields.layer = info.name, info.role, info.kind, info.layer
  fields.expert, fields.stack, fields.transposed, fields.layers = info.expert, info.stack, info.transposed, layers
  fields.step, fields.count, fields.shape = step, like:count_all(), like:shape()
  return setmetatable(fields, Tensor)
end

-- What a tensor function gave, checked: the tensor, or nil and what is wrong.
function M.result(value, like, reshapes)
  if core.type(value) ~= "tensor" then return nil, "the method returns a tensor, not " .. core.type(value) end
  if not reshapes and not core.same_shape(value, like) then
    return nil, ("the method changes the shape from %s to %s"):format(M.shape_text(like), M.shape_text(value))
  end
  return value
end

function M.shape_text(x) return "[" .. table.concat(x:shape(), ", ") .. "]" end

-- Errors of many tensors that say the same are one problem.
function M.gather_errors(problems, jobs, where)
  local first, count = {}, {}
  local order = {}
  for _, job in ipairs(jobs) do
    if job.error then
      if not first[job.error] then
        first[job.error] = job
        order[#order + 1] = job.error
      end
      count[job.error] = (count[job.error] or 0) + 1
    end
  end
  for _, text in ipairs(order) do
    local more = count[text] > 1 and (" (and %d more tensors)"):format(count[text] - 1) or ""
    problems:add("tensor %s%s, %s: %s", first[text].name, more, where, text)
  end
end

return M
