-- Steps that methods on task vectors share (TIES, DARE, Breadcrumbs).
local M = {}

-- The divisor of a normalized sum: the sum of the weights, 1 when they cancel.
function M.divisor(weight)
  local sum = 0
  for _, w in ipairs(weight) do sum = sum + w end
  return math.abs(sum) < 1e-8 and 1 or sum
end

-- base + lambda * sum of weight[i] * d[i]; the base is added last, so that it rounds once.
function M.add(base, d, weight, lambda, normalize)
  local sum = M.scaled(d[1], weight[1])
  for i = 2, #d do sum = weight[i] == 1 and sum + d[i] or d[i]:fma(weight[i], sum) end
  return sum:fma(normalize and lambda / M.divisor(weight) or lambda, base)
end

-- Elect a sign per entry and merge what agrees with it. v: weighted task vectors. A sum of 0 elects plus; an entry
-- that is 0 agrees with nobody. With normalize: divided by the weights of those that agree, 1 where nobody does.
function M.elect(v, weight, normalize, consensus)
  local votes = {}
  for i, x in ipairs(v) do votes[i] = consensus == "count" and x:sign() or x end
  local sign = wb.sum(votes):ge(0):fma(2, -1)
  local agreeing, share, plain = {}, {}, true
  for i, x in ipairs(v) do
    agreeing[i] = (x * sign):max(0) -- magnitudes: all that is left has the elected sign
    if normalize then
      if weight[i] < 0 then error("a negative weight can make the divisor 0: set normalize = false", 0) end
      plain = plain and weight[i] == 1
      share[i] = M.scaled(agreeing[i]:gt(0), weight[i])
    end
  end
  local merged = wb.sum(agreeing) * sign
  if not normalize then return merged end
  local n = wb.sum(share)
  return merged / (plain and n:max(1) or n:eq(0):where(1, n))
end

-- The vote of the TIES authors' code: unweighted; where it is exactly 0, the majority (or minority) of all
-- elected signs decides. axis: whose signs those are.
function M.elect_official(v, merge_func, zero_rule, axis)
  local total = wb.sum(v)
  local sign = total:sign()
  local crowd = sign:sum(axis):sign()
  sign = sign:eq(0):where(zero_rule == "minority" and -crowd or crowd, sign)
  local side = sign:gt(0):fma(2, -1) -- a sign that stays 0 behaves as minus
  local agreeing, found = {}, {}
  for i, x in ipairs(v) do
    agreeing[i] = (x * side):max(0)
    found[i] = merge_func == "dis-mean" and agreeing[i]:gt(0) or nil
  end
  if merge_func == "dis-sum" then return wb.sum(agreeing) * side end
  if merge_func == "dis-mean" then return wb.sum(agreeing) * side / wb.sum(found):max(1) end
  local largest = agreeing[1]
  for i = 2, #agreeing do largest = largest:max(agreeing[i]) end
  return largest * sign
end

-- What multiplies the kept entries so that their absolute sum is that of d again; 1 where either is next to nothing.
function M.l1_factor(d, kept)
  local all, left = d:norm(1), kept:norm(1)
  return all:min(left):ge(1e-7):where(all / left, 1)
end

function M.scaled(x, factor) return factor == 1 and x or x * factor end

return M
