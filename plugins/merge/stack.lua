return {
  name = "stack", kind = "merge",
  doc = "Layers of several models one behind the other (passthrough): a deeper, shallower or interleaved model.",
  paper = "arXiv:2312.15166 (depth up-scaling); mergekit's passthrough",
  cost = "one pass",
  base = "none", models = {min = 1},
  reshapes = true,
  params = {
    slices = {required = true, type = "list",
      doc = "list of {model number, first layer, last layer (exclusive)}; all else comes from the first"},
    scale = {{}, type = "any", doc = "role -> factor, e.g. {o = 0, down = 0} makes every layer an identity"},
  },
  model = function(ms, p)
    local parts = {}
    for i, s in ipairs(p.slices) do
      local number, first, last = s.model or s[1], s.first or s[2], s.last or s[3]
      local model = ms[number]
      if model == nil then error(("slice %d asks for model %s of %d"):format(i, tostring(number), #ms), 0) end
      local scale = s.scale or p.scale
      if next(scale) then
        model = model:map(function(tensor, info) return scale[info.role] and tensor * scale[info.role] end)
      end
      parts[i] = {model = model, layers = {first, last}}
    end
    return wb.stack(parts)
  end,
  tests = {
    {name = "two models, one layer twice", params = {slices = {{1, 0, 2}, {2, 1, 2}}, scale = {}},
     models = {{["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, e = {7}},
       {["h.0.w.weight"] = {3}, ["h.1.w.weight"] = {4}, e = {8}}},
     expect = {["h.0.w.weight"] = {1}, ["h.1.w.weight"] = {2}, ["h.2.w.weight"] = {4}, e = {7}}},
    {name = "a model that is not there", params = {slices = {{3, 0, 1}}}, models = {{["h.0.w.weight"] = {1}}},
     error = "slice 1"},
  },
}
