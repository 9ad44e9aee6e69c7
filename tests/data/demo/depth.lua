-- Parameters that differ by layer and role, and a filter that fits nothing: for the map of parameters.
local base = wb.open "tests/data/zoo/base"
local experts = {wb.open "tests/data/zoo/math", wb.open "tests/data/zoo/german"}

return wb.merge("ties", {
  base = base, models = experts,
  density = {{0.2, 0.9}, {default = 0.5, roles = {q = 0.9, mlp = 0.2}, ["*.embed_tokens.*"] = 0.1}},
  weight = {1, {default = 1, ["*.mpl.*"] = 0}}, -- a slip: there is no mpl
  lambda = {0.4, 1.0},
})
