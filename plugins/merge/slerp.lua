local gram = require "lib.gram"

return {
  name = "slerp", kind = "merge",
  doc = "Interpolate along the arc between the base (t = 0) and one model (t = 1), tensor by tensor.",
  paper = "Shoemake 1985, Animating rotation with quaternion curves (as mergekit defines it for weights)",
  needs = "models of one base",
  cost = "two passes: inner products, then the mix",
  base = "required", models = {min = 1, max = 1},
  params = {
    t = {required = true, type = "number",
      doc = "share of the way to the model; a list runs over depth; beyond 0..1 extrapolates"},
  },
  tensor = function(t, p)
    local a, b = t.base, t.models[1]
    if p.t == 1 then return b end
    local na, nb = a:norm(), b:norm()
    -- a tensor of norm below 1e-8 is taken as it is
    local cos = (a:dot(b) / (na:gt(1e-8):where(na, 1) * nb:gt(1e-8):where(nb, 1))):clamp(-1, 1)
    local linear = cos:abs():gt(0.9995)
    local ca, cb = gram.arc(cos:acos(), p.t, linear)
    t:note("linear", linear, "sum")
    t:note("cosine", cos, "mean")
    return wb.combine({a, b}, {ca, cb})
  end,
  tests = {
    {name = "quarter circle", base = {w = {1, 0}}, models = {{w = {0, 1}}}, params = {t = 0.5},
     expect = {w = {0.70710678, 0.70710678}}},
    {name = "collinear is linear", base = {w = {1, 2}}, models = {{w = {2, 4}}}, params = {t = 0.25},
     expect = {w = {1.25, 2.5}}},
    {name = "t is needed", base = {w = {1}}, models = {{w = {2}}}, error = "t"},
  },
}
