-- Reductions over a whole model from inside a function that sees one tensor.
--
-- The functions of all tensors run as coroutines. One that asks for something of the whole model yields a
-- request; when every coroutine has finished or waits, requests of the same line and turn (or label) are put
-- together, in the order of names, answered by one node, and all go on.
local core = require "wb.core"

local M = {}
local current -- the job whose function runs

-- Yield a request; what it gives depends on its kind.
function M.ask(request)
  local job = current
  if not job or coroutine.running() ~= job.co then
    core.fail('"all" is for the tensor function of a plugin itself; elsewhere use wb.over')
  end
  local site = core.where()
  if request.label ~= nil then
    request.key = ("%s of '%s'"):format(request.kind, tostring(request.label))
  else
    job.turns[site] = (job.turns[site] or 0) + 1
    request.key = ("%s, turn %d"):format(request.kind, job.turns[site])
  end
  request.key = ("%s: %s"):format(site, request.key)
  return coroutine.yield(request)
end

local combine = {
  sum = function(a, b) return a + b end,
  min = function(a, b) return a:min_with(b) end,
  max = function(a, b) return a:max_with(b) end,
}
combine.sum_abs, combine.sum_squares, combine.dot, combine.count = combine.sum, combine.sum, combine.sum, combine.sum
combine.absmax = combine.max
M.combine = combine

local function entries(group)
  local n = 0
  for _, r in ipairs(group) do n = n + r.tensor:count_all() end
  return n
end

-- How many entries the shares of a group come to: int(share * all) when it is one share.
local function amount(group, n)
  local first, same, sum = group[1].share, true, 0
  for _, r in ipairs(group) do
    same = same and (r.share == first or type(r.share) ~= "number")
    sum = sum + r.share * r.tensor:count_all()
  end
  if same then sum = first * n end
  return type(sum) == "number" and math.floor(sum) or sum:floor()
end

local answer = {}

-- One number: the combination of each tensor's, and the number of entries.
function answer.reduce(group)
  local total
  for _, r in ipairs(group) do
    local part = core.reduce(r.op, nil, r.tensor, r.other)
    total = total and combine[r.op](total, part) or part
  end
  local n = entries(group)
  for _, r in ipairs(group) do r.answer = {total, n} end
end

-- A selection over all tensors of the group, and the place of each in it.
function answer.select(group)
  local list, n = {}, entries(group)
  for i, r in ipairs(group) do list[i] = r.tensor end
  local k = group[1].k
  if group[1].share ~= nil then k = amount(group, n) end
  local selection = core.select(list, k, group[1].by_value)
  for i, r in ipairs(group) do r.answer = {selection, i - 1} end
end

-- The number of entries alone.
function answer.count(group)
  local n = entries(group)
  for _, r in ipairs(group) do r.answer = {n} end
end

local function step(job, ...)
  local outer = current
  current = job
  core.name(job.name)
  local ok, value = coroutine.resume(job.co, ...)
  current = outer
  core.name(outer and outer.name or nil)
  job.request = nil
  if not ok then
    job.error = tostring(value)
  elseif coroutine.status(job.co) == "dead" then
    job.result = value
  elseif type(value) == "table" and value.key then
    job.request = value
  else
    job.error = "a plugin's function may not yield"
  end
end

-- jobs: {name, fn} in byte order of names. Fills result or error of each.
function M.run(jobs)
  local waiting, done = {}, {}
  for _, job in ipairs(jobs) do
    job.turns, job.co = {}, coroutine.create(job.fn)
    step(job)
    if job.request then waiting[#waiting + 1] = job end
  end
  while #waiting > 0 do
    local groups, order = {}, {}
    for _, job in ipairs(waiting) do
      local key = job.request.key
      if done[key] then
        job.error = key .. ": other tensors asked earlier in their function; ask in the same order for each tensor, "
          .. "or with a label"
      else
        if not groups[key] then
          groups[key] = {}
          order[#order + 1] = key
        end
        table.insert(groups[key], job.request)
      end
    end
    for _, key in ipairs(order) do
      done[key] = true
      answer[groups[key][1].kind](groups[key])
    end
    local still = {}
    for _, job in ipairs(waiting) do
      if not job.error then step(job, table.unpack(job.request.answer)) end
      if job.request and not job.error then still[#still + 1] = job end
    end
    waiting = still
  end
end

return M
