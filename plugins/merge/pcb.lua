-- Everything is over the whole model. The element at place floor(at), counted from below, of n entries.
local function element(x, kth, n, at, label)
  return x[kth](x, (n - at:max(0):floor()):max(1), "all", label)
end

-- (x - min) / (max - min) of x within [min, max]; a constant row is 0.
local function norm(x, min, max)
  local span = max - min
  return (x:max(min):min(max) - min) * span:gt(0):where(1 / span, 0)
end

return {
  name = "pcb", kind = "merge",
  doc = "Parameter competition balancing: a coefficient for every entry, from its size in its model and its "
    .. "agreement with the others.",
  paper = "arXiv:2410.02396",
  needs = "a common base",
  cost = "four selections a model over the whole model, then one pass: the slowest of the data-free merges",
  base = "required", models = {min = 1},
  params = {
    ratio = {0.2, min = 1e-9, max = 1, doc = "share of entries that keep a score above 0"},
    lambdas = {1.0, per = "model", doc = "factor on each model; searched in 0.8 to 1.3"},
    variant = {"release", choices = {"release", "vision"},
      doc = "agreement with the raw task vectors, or with signed normalised ones"},
    clamp = {1e-4, min = 0, max = 0.49,
      doc = "share of the smallest and of the largest magnitudes clamped; 0.01 in two of the authors' three files"},
    scores = {0, type = "integer", min = 0,
      doc = "i: the scores of model i in [0, 1] in place of the merged weights, to look at"},
  },
  tensor = function(t, p)
    local count, d, size, total, top, bottom = #t.models, {}, {}, {}, {}, {}
    for i in ipairs(t.models) do
      d[i] = t:delta(i)
      local n, magnitude = wb.scalar(t.count):sum("all", t.index[i]), d[i]:abs()
      local min = element(d[i], "kth_magnitude", n, n * p.clamp, "low " .. t.index[i])
      local max = element(d[i], "kth_magnitude", n, n * (1 - p.clamp) - 1, "high " .. t.index[i])
      size[i] = {clamped = magnitude:max(min):min(max), norm = norm(magnitude, min, max), n = n}
      total[i] = p.variant == "vision" and d[i]:sign() * size[i].norm or d[i]
    end
    local sum = wb.sum(total)
    for i in ipairs(d) do
      -- exp(N x^2) up to a factor that the last normalisation takes out: it cannot overflow
      local intra = (size[i].norm * size[i].norm * count - count):exp()
      local score = intra * (d[i] * sum):tanh()
      local min = element(score, "kth_largest", size[i].n, size[i].n * (1 - p.ratio), t.index[i])
      local E = norm(score, min, score:max("all", t.index[i]))
      t:note("scored_share." .. t.index[i], E:gt(0):mean(), "mean")
      if p.scores == t.index[i] then return E end
      top[i] = d[i]:sign() * size[i].clamped * E * p.lambdas[i]
      bottom[i] = E
    end
    return t.base + wb.sum(top) / wb.sum(bottom):max(1e-12)
  end,
  tests = {
    {name = "a model equal to the base is neutral, the largest entry is clamped", base = {w = {1, 1, 1, 1}},
     models = {{w = {5, 2, -2, 1}}, {w = {1, 1, 1, 1}}}, params = {ratio = 0.75}, expect = {w = {4, 1, -2, 1}}},
    {name = "scores", base = {w = {0, 0, 0, 0}}, models = {{w = {0, 0, 4, 8}}, {w = {0, 0, 0, 0}}},
     params = {scores = 2}, expect = {w = {0, 0, 0, 0}}},
  },
}
