-- What nearest neighbours among features tell: density and coverage (Naeem, Oh, Uh, Choi, Yoo:
-- Reliable fidelity and diversity metrics for generative models, 2020), and whether pictures are
-- copies (Meehan, Chaudhuri, Dasgupta: A non-parametric test to detect data-copying, 2020).
--
--     local radii = neighbours.radii(real, 5)
--     local density, coverage = neighbours.density_and_coverage(real, radii, painted, 5)
--     local z = neighbours.copying(neighbours.nearest(painted, train),
--       neighbours.nearest(held, train))
--
-- All features are {N, d}; distances are squared, which leaves every comparison as it is.
local tensor = require "daub.tensor"

local M = {}

local BLOCK = 4096 -- rows

---@param a daub.Tensor {N, d}
---@param b daub.Tensor {M, d}
---@return daub.Tensor squared distances {N, M}
function M.distances(a, b)
  local own = a:square():sum(2, true) + b:square():sum(2, true):t()
  return (own - a:matmul(b:t()) * 2):clamp(0)
end

---The squared distance of each row to its k-th neighbour among the others.
---@param x daub.Tensor {N, d}, N above k
---@param k integer
---@return daub.Tensor {N}
function M.radii(x, k)
  local ordered = M.distances(x, x):sort(2)
  return ordered:select(2, k + 1)
end

---Density: how many of the reals' balls a painting lies in, on average, by k: 1 for pictures like
---the reals, above where paintings crowd. Coverage: the share of reals with a painting in their
---ball.
---@param real daub.Tensor {N, d}
---@param radii daub.Tensor {N} squared
---@param painted daub.Tensor {M, d}
---@param k integer
---@return number density, number coverage
function M.density_and_coverage(real, radii, painted, k)
  local inside = M.distances(real, painted):lt(radii:unsqueeze(2)):to("f32")
  return inside:sum():item() / (k * painted.shape[1]), inside:amax(2):mean():item()
end

---The squared distance of each row of a to the nearest of b.
---@param a daub.Tensor {N, d}
---@param b daub.Tensor {M, d}
---@return daub.Tensor {N}
function M.nearest(a, b)
  local least
  for first = 1, b.shape[1], BLOCK do
    local part = b:narrow(1, first, math.min(BLOCK, b.shape[1] - first + 1))
    local found = M.distances(a, part):amin(2)
    least = least and least:minimum(found) or found
  end
  return least
end

-- The ranks of all numbers together, equal ones sharing theirs; summed over the first list.
local function rank_sum(a, b)
  local all = tensor.cat({ a, b }, 1)
  local values, places = all:sort(1)
  values, places = values:totable(), places:totable()
  local sum, first = 0, 1
  while first <= #values do
    local last = first
    while values[last + 1] == values[first] do last = last + 1 end
    for i = first, last do
      if places[i] <= a.shape[1] then sum = sum + (first + last) / 2 end
    end
    first = last + 1
  end
  return sum
end

---C_T over the whole space: the Z of Mann and Whitney's test whether paintings are as far from
---their nearest training picture as held-out pictures are. About 0 when they are, below -3 when
---paintings are so much nearer that they must be copies; above 0 they are farther than real ones.
---@param painted daub.Tensor {N} distances to the nearest training picture
---@param held daub.Tensor {M} the same of pictures never trained on
---@return number z
function M.copying(painted, held)
  local n, m = painted.shape[1], held.shape[1]
  local u = rank_sum(painted, held) - n * (n + 1) / 2
  return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
end

return M
