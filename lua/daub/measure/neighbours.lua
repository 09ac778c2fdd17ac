-- What nearest neighbours among features tell: density and coverage (Naeem, Oh, Uh, Choi, Yoo:
-- Reliable fidelity and diversity metrics for generative models, 2020), and whether pictures are
-- copies (after Meehan, Chaudhuri, Dasgupta: A non-parametric test to detect data-copying, 2020).
--
--     local radii = neighbours.radii(real, 5)
--     local density, coverage = neighbours.density_and_coverage(real, radii, painted, 5)
--     local own, fresh = neighbours.nearest(painted, train, 5), neighbours.nearest(held, train, 5)
--     local z = neighbours.copying(own, fresh)
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

---The squared distances of each row of a to the k nearest of b, in order.
---@param a daub.Tensor {N, d}
---@param b daub.Tensor {M, d}, M at least k
---@param k integer
---@return daub.Tensor {N, k}
function M.nearest(a, b, k)
  local found
  for first = 1, b.shape[1], BLOCK do
    local part = b:narrow(1, first, math.min(BLOCK, b.shape[1] - first + 1))
    local apart = M.distances(a, part)
    apart = (found and tensor.cat({ found, apart }, 2) or apart):sort(2)
    found = apart:narrow(2, 1, math.min(k, apart.shape[2])):contiguous()
  end
  return found
end

-- The ranks of all numbers together, equal ones sharing theirs; summed over the first list.
local function rank_sum(a, b)
  local values, places = tensor.cat({ a, b }, 1):sort(1)
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

---Mann and Whitney's test whether a's numbers are as large as b's, as a deviation of the normal
---distribution: about 0 when they are, negative when a's are smaller.
---@param a daub.Tensor {N}
---@param b daub.Tensor {M}
---@return number z
function M.rank_test(a, b)
  local n, m = a.shape[1], b.shape[1]
  local u = rank_sum(a, b) - n * (n + 1) / 2
  return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
end

---Whether paintings are nearer to training pictures than fresh pictures are: below -3 they are
---copies. The paper's C_T tests the distances to the nearest training picture (the second result,
---over the whole space). It takes blurred paintings for copies, as simple pictures have near
---neighbours; the paper therefore goes cell by cell of the space. Here distances are divided by
---those to the k-th nearest instead, which leaves the test all its pictures.
---@param painted daub.Tensor {N, k} what `nearest` finds in the training pictures
---@param fresh daub.Tensor {M, k} the same of pictures never trained on
---@return number z, number whole_space
function M.copying(painted, fresh)
  local function relative(x) return x:select(2, 1) / x:select(2, x.shape[2]):clamp(1e-12) end
  return M.rank_test(relative(painted), relative(fresh)),
    M.rank_test(painted:select(2, 1), fresh:select(2, 1))
end

return M
