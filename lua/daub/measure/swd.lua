-- The sliced Wasserstein distance of Karras, Aila, Laine and Lehtinen (Progressive growing of GANs,
-- 2018): how far a set of pictures is from another, with no trained network to judge by.
--
--     local real = swd.describe(covers)                      -- f32 {512, 64, 192, 3}, -1 … 1
--     local apart = swd.between(real, swd.describe(paintings))
--     apart.swd, apart.levels[1]
--
-- Small patches of a Laplacian pyramid, their means and spreads by colour taken out, are projected
-- on random directions, where the distance of two sets is that of their numbers in order. The
-- finest level comes first; it tells of edges and grain, the last one of shapes.
--
-- The distance of two finite sets of the same source is not 0. What it is (the floor) is found with
-- pictures against other pictures of the collection, as many of them.
local options = require "daub.options"
local pyramid = require "daub.measure.pyramid"
local tensor = require "daub.tensor"

local M = {}

local PATCH = 7    -- pixels a side
local AT_ONCE = 32 -- directions: sorting needs five times their memory
local PYRAMIDS = 64 -- at once

-- `count` random patches of each picture, {N * count, PATCH * PATCH, C}.
local function patches(x, count, generator)
  local n, h, w, c = unpack(x.shape)
  local random = { generator = generator }
  local tops = tensor.randint(h - PATCH + 1, { n, count }, random)
  local lefts = tensor.randint(w - PATCH + 1, { n, count }, random)
  local firsts = tops * w + lefts + (tensor.arange(n, { dtype = "i64" }) * (h * w)):unsqueeze(2)
  local side = tensor.arange(PATCH, { dtype = "i64" })
  local places = (side:unsqueeze(2) * w + side):reshape { 1, PATCH * PATCH }
  local index = (firsts:reshape { n * count, 1 } + places + 1):reshape { -1 }
  return x:reshape { n * h * w, c }:index_select(1, index):reshape { n * count, -1, c }
end

---Patches projected on directions, in order; first every channel's mean over all of them becomes 0
---and its standard deviation 1.
---@param x daub.Tensor {patches, places, C}
---@param directions daub.Tensor {directions, places * C}, rows of length 1
---@return daub.Tensor {directions, patches}
function M.project(x, directions)
  local spread = x:std({ 1, 2 }, true, { correction = 0 }):clamp(1e-8)
  local vectors = ((x - x:mean({ 1, 2 }, true)) / spread):reshape { x.shape[1], -1 }
  local list = {}
  for first = 1, directions.shape[1], AT_ONCE do
    local some = directions:narrow(1, first, math.min(AT_ONCE, directions.shape[1] - first + 1))
    list[#list + 1] = some:matmul(vectors:t()):sort(2)
  end
  return tensor.cat(list, 1)
end

-- Patches of every level, and the levels' heights; a few pictures' pyramids at a time.
local function all_patches(x, o, generator)
  local found, heights = {}, {}
  for first = 1, x.shape[1], PYRAMIDS do
    local some = x:narrow(1, first, math.min(PYRAMIDS, x.shape[1] - first + 1)):contiguous()
    for i, level in ipairs(pyramid(some)) do
      found[i], heights[i] = found[i] or {}, level.shape[2]
      table.insert(found[i], patches(level, o.patches, generator))
    end
  end
  return found, heights
end

---@class daub.measure.Patches
---@field projections daub.Tensor[] by level, {directions, N * patches}
---@field heights integer[] of the levels

---What is compared of a set of pictures. Patches and directions depend on the seed and the shape
---alone, so equal sets have equal descriptions.
---@param x daub.Tensor f32 {N, height, width, 3}, -1 … 1; N at least 2, sides at least 7
---@param o? {patches: integer, directions: integer, seed: integer} patches of a picture and level
--- (64), directions (128), seed of both (1)
---@return daub.measure.Patches
function M.describe(x, o)
  o = options.check("swd.describe", o, { patches = 64, directions = 128, seed = 1 })
  for _, name in ipairs { "patches", "directions" } do
    options.whole("swd.describe", name, o[name], 1)
  end
  if not tensor.is_tensor(x) or x.dtype ~= "f32" or #x.shape ~= 4 or x.shape[4] ~= 3
    or x.shape[1] < 2 or math.min(x.shape[2], x.shape[3]) < PATCH then
    options.misuse(("swd.describe: expected f32 pictures {N, height, width, 3}, at least 2 of "
      .. "at least %dx%d pixels, got %s"):format(PATCH, PATCH, tensor.is_tensor(x)
      and x.dtype .. " " .. options.shape(x.shape) or options.shown(x)))
  end
  local generator, ordered = tensor.generator(o.seed), {}
  local found, heights = all_patches(x:detach(), o, generator)
  for i, list in ipairs(found) do
    local directions = tensor.randn({ o.directions, PATCH * PATCH * 3 }, { generator = generator })
    ordered[i] = M.project(tensor.cat(list, 1), directions / directions:norm(2, true))
  end
  return { projections = ordered, heights = heights }
end

---How far two descriptions are apart; of as many pictures of one size, with equal options.
---@param a daub.measure.Patches
---@param b daub.measure.Patches
---@return {swd: number, levels: number[]} apart swd is the mean over the levels; all are given a
--- thousandfold, as is the custom
function M.between(a, b)
  local levels, sum = {}, 0
  for i = 1, math.max(#a.projections, #b.projections) do
    local p, q = a.projections[i], b.projections[i]
    if not (p and q) or p.shape[1] ~= q.shape[1] or p.shape[2] ~= q.shape[2] then
      options.misuse("swd.between: expected descriptions of as many pictures of one size, "
        .. "made with equal options")
    end
    levels[i] = 1000 * (p - q):abs():mean():item()
    sum = sum + levels[i]
  end
  return { swd = sum / #levels, levels = levels }
end

return M
