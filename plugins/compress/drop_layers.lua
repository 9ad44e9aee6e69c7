local depth = require "lib.depth"

-- The layers to drop as a set; scores go into the report.
local function choose(m, p, r)
  local n, drop, scores = m.layers, {}, {}
  if #p.layers > 0 then
    for _, l in ipairs(p.layers) do drop[l] = true end
  elseif p.by == "tail" then
    for l = n - 1 - p.count, n - 2 do drop[l] = true end
  elseif p.count > 0 and p.by == "proxy" then
    local proxy = depth.proxy(m)
    drop = depth.smallest(proxy, p.count, p.force)
    for i, x in ipairs(proxy) do scores[i - 1] = x end
  elseif p.count > 0 then
    drop, scores = depth.by_text(m, p)
  end
  for l = 0, n - 1 do
    if scores[l] then r:note("", ("%s.%d"):format(p.by, l), scores[l]) end
  end
  return drop
end

return {
  name = "drop_layers", kind = "compress",
  doc = "Remove whole layers: those listed, those before the last, or those that do least (by weights or on a text).",
  paper = "arXiv:2403.03853, arXiv:2403.17887",
  needs = "a text for by = influence, angular and cka",
  config = "the number of layers, and lists with one entry for each layer",
  params = {
    layers = {{}, type = "list", doc = "layers to drop, counted from 0"},
    count = {0, type = "integer", min = 0, doc = "without a list: how many"},
    by = {"tail", choices = {"tail", "influence", "angular", "cka", "proxy"},
      doc = "tail: before the last; influence: 1 - cosine; angular, cka: a row most alike; proxy: smallest weights"},
    text = {type = "string", doc = "path of the UTF-8 text for influence, angular and cka"},
    window = {0, type = "integer", min = 0, doc = "tokens of a window of the text; 0: the context less one"},
    limit = {0, type = "integer", min = 0, doc = "windows to look at; 0: all"},
    force = {false, doc = "allow dropping the first and the last layer"},
  },
  model = function(m, p, r)
    local n, keep = m.layers, {}
    if #p.layers == 0 and p.count > math.max(n - 3, 0) then
      error(("%d of %d layers would stay: at least 3 have to"):format(math.max(n - p.count, 0), n), 0)
    end
    local drop = choose(m, p, r)
    for l in pairs(drop) do
      if math.type(l) ~= "integer" or l < 0 or l >= n then
        error(("no layer %s: there are 0 to %d"):format(tostring(l), n - 1), 0)
      end
      if (l == 0 or l == n - 1) and not p.force then
        error(("layer %d is the first or the last: dropping it takes force = true"):format(l), 0)
      end
    end
    for l = 0, n - 1 do
      if not drop[l] then keep[#keep + 1] = l end
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
    {name = "influence is of a text", params = {count = 1, by = "influence"}, error = "needs a text",
     model = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {4}}},
    {name = "two are not a model", params = {layers = {1, 2}}, error = "at least 3",
     model = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {3}, ["h.3.w.weight"] = {4}}},
  },
}
