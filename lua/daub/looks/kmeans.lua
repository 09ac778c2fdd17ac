-- Clusters of points: k-means, begun as k-means++ does (Arthur and Vassilvitskii 2007).
--
--     local centres, index = kmeans.fit(points, 8)        -- {n, d} -> {8, d}, i64 {n}
--     kmeans.nearest(points, centres)                     -- i64 {n}, and the squared distances {n}
--
-- Points may also be many sets of one size, {sets, n, d}; each is clustered for itself. All sets
-- use the same random numbers, so what is found for one does not depend on those beside it, and
-- equal points and seeds give equal clusters.
local options = require "daub.options"
local tensor = require "daub.tensor"

local M = {}

-- Squared distances {sets, n, k} of points {sets, n, d} and centres {sets, k, d}.
local function distances(points, centres)
  local cross = points:matmul(centres:transpose(2, 3))
  return (points:square():sum(3, true) - cross * 2 + centres:square():sum(3):unsqueeze(2)):clamp(0)
end

-- Column `index` (i64 {sets}) of every set: {sets, 1, d}.
local function pick(points, index)
  local sets, n, d = unpack(points.shape)
  local rows = (tensor.arange(sets, { dtype = "i64" }) * n) + index:reshape { sets }
  return points:reshape { sets * n, d }:index_select(1, rows):reshape { sets, 1, d }
end

-- Each further centre is a point, the likelier the farther it is from those there are. In a set of
-- fewer different points than centres some are the same.
local function begin(points, k, generator)
  local sets, n = unpack(points.shape)
  local dice = tensor.rand({ k }, { generator = generator }):totable()
  local first = math.min(n, math.floor(dice[1] * n) + 1)
  local centres = points:narrow(2, first, 1):contiguous()
  local near = distances(points, centres):reshape { sets, n }
  for i = 2, k do
    local sums = near:cumsum(2)
    local passed = sums:le(sums:narrow(2, n, 1) * dice[i]):to("i64"):sum(2)
    local centre = pick(points, passed:clamp(nil, n - 1) + 1)
    centres = tensor.cat({ centres, centre }, 2)
    near = near:minimum(distances(points, centre):reshape { sets, n })
  end
  return centres
end

-- Centres in the middle of their points; one that has none stays.
local function moved(points, centres, index)
  local k = centres.shape[2]
  local mine = index:unsqueeze(3):eq(tensor.arange(1, k + 1, { dtype = "i64" })):to(points.dtype)
  local counts = mine:sum(2):unsqueeze(3) -- {sets, k, 1}
  local means = mine:transpose(2, 3):matmul(points) / counts:clamp(1)
  return tensor.where(counts:gt(0), means, centres)
end

local function as_sets(op, x)
  local rank = tensor.is_tensor(x) and #x.shape
  if (rank ~= 2 and rank ~= 3) or x:numel() == 0 or not x:is_floating_point() then
    options.misuse(("kmeans.%s: expected floating-point points {n, d} or {sets, n, d}, got %s")
      :format(op, rank and x.dtype .. " " .. options.shape(x.shape) or options.shown(x)))
  end
  return rank == 2 and x:unsqueeze(1) or x
end

---The centre each point is nearest to, and the squared distance to it.
---@param points daub.Tensor {n, d} or {sets, n, d}
---@param centres daub.Tensor {k, d} or {sets, k, d}
---@return daub.Tensor index i64 {n} or {sets, n}
---@return daub.Tensor distance {n} or {sets, n}
function M.nearest(points, centres)
  local single = #points.shape == 2
  local d = distances(as_sets("nearest", points), as_sets("nearest", centres))
  local index, near = d:argmin(3), d:amin(3)
  if single then return index:select(1, 1), near:select(1, 1) end
  return index, near
end

---@param points daub.Tensor {n, d} or {sets, n, d}
---@param k integer
---@param o? {seed: integer, steps: integer} of the first centres (1); steps at most (50)
---@return daub.Tensor centres {k, d} or {sets, k, d}
---@return daub.Tensor index i64 {n} or {sets, n}: the centre of each point
function M.fit(points, k, o)
  o = options.check("kmeans.fit", o, { seed = 1, steps = 50 })
  options.whole("kmeans.fit", "the number of centres", k, 1)
  options.whole("kmeans.fit", "steps", o.steps, 0)
  local sets = as_sets("fit", points):detach()
  local centres = begin(sets, k, tensor.generator(o.seed))
  local index = M.nearest(sets, centres)
  for _ = 1, o.steps do
    centres = moved(sets, centres, index)
    local now = M.nearest(sets, centres)
    local settled = now:eq(index):all():item() == 1
    index = now
    if settled then break end
  end
  if #points.shape == 2 then return centres:select(1, 1), index:select(1, 1) end
  return centres, index
end

return M
