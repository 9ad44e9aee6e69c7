-- Which layers a model can do without. Layer l has its score at [l + 1]; state i, what layer i reads, stands at [i + 1]
-- of a matrix. The first and the last layer are chosen with `all` only.
local M = {}

local function real(x, what)
  if x ~= x then error(what .. " does not exist: the states are not finite, or all the same", 0) end
  return x
end

-- The count layers of smallest score, as a set.
function M.smallest(score, count, all)
  local order, drop, edge = {}, {}, all and 0 or 1
  for l = edge, #score - 1 - edge do order[#order + 1] = l end
  table.sort(order, function(a, b) return score[a + 1] < score[b + 1] or score[a + 1] == score[b + 1] and a < b end)
  for i = 1, math.min(count, #order) do drop[order[i]] = true end
  return drop
end

-- The count layers one behind the other between whose first input and last output the distance is smallest (the first
-- of equal ones): the set, and the distance by first layer.
function M.span(matrix, count, distance_of, all)
  local drop, scores, best, edge = {}, {}, nil, all and 0 or 1
  for l = edge, #matrix - 1 - edge - count do
    scores[l] = distance_of(matrix[l + 1][l + count + 1])
    if not best or scores[l] < scores[best] then best = l end
  end
  for l = best or 0, best and best + count - 1 or -1 do drop[l] = true end
  return drop, scores
end

-- How much a layer does as far as weights can tell: the size of its attention output map and of its feed-forward. Read
-- now, because what is dropped decides the shapes.
local function weight(m, l)
  local role, attention, mlp = m:layer(l), 0, 0
  if role.o and role.v then
    local group, width, rows = m.dims.heads // m.dims.kv_heads, m.dims.head_dim, {}
    for r = 0, role.v:shape()[1] * group - 1 do rows[#rows + 1] = r // (width * group) * width + r % width end
    attention = role.o:matmul(role.v:gather_rows(rows)):norm():value()
  end
  if role.up and role.down then
    mlp = (role.down:norm() * role.up:norm()):value() / math.sqrt(role.up:shape()[1])
  end
  if attention + mlp == 0 then error("by = \"proxy\" needs the weights v, o, up and down of every layer", 0) end
  return attention + mlp
end

-- Scores relative to the median layer.
function M.proxy(m)
  local score, sorted, n = {}, {}, m.layers
  for l = 1, n do score[l] = weight(m, l - 1) end
  table.move(score, 1, n, 1, sorted)
  table.sort(sorted)
  local median = (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
  for l = 1, n do score[l] = score[l] / median end
  return score
end

-- By a text; p: by, count, text, window, limit, force. The set, and the scores by layer (of a span: its first).
function M.by_text(m, p)
  if not p.text then error(("by = \"%s\" needs a text: text = the path of a UTF-8 file"):format(p.by), 0) end
  local states = wb.states(m, {text = p.text, window = p.window, limit = p.limit})
  if p.by == "influence" then
    local score, notes = states:influence(), {}
    for i, x in ipairs(score) do notes[i - 1] = real(x, "the influence of layer " .. i - 1) end
    return M.smallest(score, p.count, p.force), notes
  elseif p.by == "angular" then
    return M.span(states:matrix "angular", p.count, function(x) return real(x, "an angular distance") end, p.force)
  end
  local drop, notes = M.span(states:matrix "cka", p.count, function(x) return 1 - real(x, "a CKA") end, p.force)
  for l, x in pairs(notes) do notes[l] = 1 - x end
  return drop, notes
end

return M
