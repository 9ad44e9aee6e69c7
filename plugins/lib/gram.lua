-- Norms and inner products of whole tensors: what methods that mix whole tensors need (merge.md 18.2).
local M = {}

-- All pairwise dot products of a list as an n x n table of 0-d values, symmetric.
function M.dots(list, axis)
  local g = {}
  for i, x in ipairs(list) do
    g[i] = {}
    for j = 1, i do
      g[i][j] = x:dot(list[j], axis)
      g[j][i] = g[i][j]
    end
  end
  return g
end

-- The product of two norms, from their squares: exact where the squares are equal.
function M.norms(aa, bb, floor) return (aa * bb):sqrt():max(floor) end

-- Factors of the two-sine formula at share t along the arc of angle theta; linear where the mask says so.
function M.arc(theta, t, linear)
  local s = linear:where(1, theta:sin())
  return linear:where(1 - t, (theta * (1 - t)):sin() / s), linear:where(t, (theta * t):sin() / s)
end

return M
