-- How much a layer does as far as weights can tell: the size of its attention output map and of its feed-forward. Read
-- now, because what is dropped decides the shapes.
local function proxy(m, i)
  local role, attention, mlp = m:layer(i), 0, 0
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

-- The count layers in between whose proxies are smallest, as a set; the scores are relative to the median layer.
local function smallest(m, n, count, r)
  local score, sorted, order, drop = {}, {}, {}, {}
  for i = 0, n - 1 do score[i], sorted[i + 1] = proxy(m, i), 0 end
  for i = 0, n - 1 do sorted[i + 1] = score[i] end
  table.sort(sorted)
  local median = (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
  for i = 0, n - 1 do r:note("", "proxy." .. i, score[i] / median) end
  for i = 1, n - 2 do order[i] = i end
  table.sort(order, function(a, b) return score[a] < score[b] or score[a] == score[b] and a < b end)
  for i = 1, math.min(count, n - 2) do drop[order[i]] = true end
  return drop
end

return {
  name = "drop_layers", kind = "compress",
  doc = "Remove whole layers and renumber the rest: those listed, or a number of them just before the last, or those "
    .. "whose weights do least.",
  paper = "arXiv:2403.03853, arXiv:2403.17887",
  config = "the number of layers, and lists with one entry for each layer",
  params = {
    layers = {{}, type = "list", doc = "layers to drop, counted from 0"},
    count = {0, type = "integer", min = 0, doc = "without a list: how many"},
    by = {"tail", choices = {"tail", "proxy"},
      doc = "tail: those just before the last layer; proxy: smallest weights, a rough guess (orders layers only)"},
    force = {false, doc = "allow dropping the first and the last layer"},
  },
  model = function(m, p, r)
    local n, drop, keep = m.layers, {}, {}
    if #p.layers > 0 then
      for _, i in ipairs(p.layers) do drop[i] = true end
    elseif p.by == "tail" then
      for i = n - 1 - p.count, n - 2 do drop[i] = true end
    elseif p.count > 0 then
      drop = smallest(m, n, p.count, r)
    end
    for i in pairs(drop) do
      if math.type(i) ~= "integer" or i < 0 or i >= n then
        error(("no layer %s: there are 0 to %d"):format(tostring(i), n - 1), 0)
      end
      if (i == 0 or i == n - 1) and not p.force then
        error(("layer %d is the first or the last: dropping it takes force = true"):format(i), 0)
      end
    end
    for i = 0, n - 1 do
      if not drop[i] then keep[#keep + 1] = i end
    end
    if #keep == n then return m end
    if #keep < 3 then error(("%d of %d layers would stay: at least 3 have to"):format(#keep, n), 0) end
    r:note("", "layers_dropped", n - #keep)
    return m:keep_layers(keep)
  end,
  tests = {
    {name = "the second of four", params = {layers = {1}},
     model = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {4}},
     expect = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {3}, ["h.2.w.weight"] = {4}, ["h.3.w.weight"] = false}},
    {name = "by default those before the last", params = {count = 1},
     model = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {4}},
     expect = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {4}}},
    {name = "the last layer stays", params = {layers = {3}}, error = "force",
     model = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {4}}},
    {name = "two are not a model", params = {layers = {1, 2}}, error = "at least 3",
     model = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {4}}},
  },
}
