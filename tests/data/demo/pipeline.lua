-- Three experts, each trained further from one base, become one model that has something of all.
local base = wb.open "tests/data/zoo/base"
local experts = {
  wb.open "tests/data/zoo/math",   -- two-digit sums and differences
  wb.open "tests/data/zoo/german", -- German novels
  wb.open "tests/data/zoo/code",   -- Python source
}

local density = wb.knob("density", 0.8, {min = 0, max = 1, step = 0.05,
  doc = "kept share of what each expert learned, largest changes first"})
local strength = wb.knob("strength", 0.6, {min = 0, max = 2, step = 0.1,
  doc = "factor on what is added to the base"})

return wb.merge("ties", {base = base, models = experts, density = density, lambda = strength})
