-- What is left of a model without some of its layers: those that probes choose, and every choice there is. Layers are
-- chosen by english.txt alone and measured on all texts, in windows of 127 tokens, as it was trained. Run by
-- drop_layers.sh.
local base = wb.open "tests/data/zoo/base"
local eval = "tests/data/zoo/eval/"
local sets = {"english", "german", "code", "kjv"}
local window = 127
local ways = {"influence", "angular", "cka", "proxy", "tail"}

-- Mean negative log-likelihood on each text, and over them.
local function measure(m)
  local out, sum = {}, 0
  for i, name in ipairs(sets) do
    out[i] = wb.eval(m, {text = eval .. name .. ".txt", window = window}).nll
    sum = sum + out[i]
  end
  out[#sets + 1] = sum / #sets
  return out
end

local function row(count, way, layers, figures)
  local cells = {}
  for i, x in ipairs(figures) do cells[i] = type(x) == "string" and x or ("%.3f"):format(x) end
  print(("| %s | %s | %s | %s |"):format(count, way, layers, table.concat(cells, " | ")))
end

-- Every choice of count layers out of first .. last.
local function choices(count, first, last)
  if count == 0 then return {{}} end
  local out = {}
  for l = first, last do
    for _, rest in ipairs(choices(count - 1, l + 1, last)) do
      table.insert(rest, 1, l)
      out[#out + 1] = rest
    end
  end
  return out
end

-- The layers of base that m lacks, by their tensors.
local function dropped(m)
  local out, next_kept = {}, 0
  for l = 0, base.layers - 1 do
    if next_kept < m.layers and m:layer(next_kept).up == base:layer(l).up then
      next_kept = next_kept + 1
    else
      out[#out + 1] = l
    end
  end
  return table.concat(out, " ")
end

local function spread(all, i)
  local mean, square = 0, 0
  for _, figures in ipairs(all) do mean = mean + figures[i] / #all end
  for _, figures in ipairs(all) do square = square + (figures[i] - mean) ^ 2 / #all end
  return mean, math.sqrt(square)
end

-- Mean and spread over all choices among first .. last, and the best of them.
local function by_chance(count, first, last)
  local all, average, best = {}, {}, nil
  for _, layers in ipairs(choices(count, first, last)) do
    local figures = measure(wb.compress("drop_layers", base, {layers = layers, force = true}))
    all[#all + 1] = figures
    if not best or figures[#figures] < best.figures[#best.figures] then best = {layers = layers, figures = figures} end
  end
  for i = 1, #sets + 1 do average[i] = ("%.3f ± %.3f"):format(spread(all, i)) end
  return average, best, #all
end

print("| dropped | by | layers | english | german | code | kjv | mean |")
print("| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |")
row(0, "", "", measure(base))
for count = 1, 3 do
  for _, by in ipairs(ways) do
    local m = wb.compress("drop_layers", base, {count = count, by = by, text = eval .. "english.txt", window = window})
    row(count, by, dropped(m), measure(m))
  end
  local average, _, n = by_chance(count, 0, base.layers - 1)
  row(count, "chance", ("all %d choices"):format(n), average)
  local inner, best, inner_n = by_chance(count, 1, base.layers - 2)
  row(count, "chance, first and last stay", ("all %d choices"):format(inner_n), inner)
  row(count, "the best of those", table.concat(best.layers, " "), best.figures)
end
return base
