-- How far a set of pictures is from another, with no trained network to judge by.
--
--     local real = distance.describe(covers)                 -- f32 {512, 64, 192, 3}, -1 … 1
--     local apart = distance.between(real, distance.describe(paintings))
--     apart.swd, apart.swd_levels[1], apart.thumbnail_mean, apart.thumbnail_std
--
-- swd is the sliced Wasserstein distance of Karras, Aila, Laine and Lehtinen (2018): small patches
-- of a Laplacian pyramid, their means and spreads by colour taken out, are projected on random
-- directions, where the distance of two sets is that of their numbers in order. The finest level
-- comes first; it tells of edges and grain, the last one of shapes. thumbnail_mean and
-- thumbnail_std are root mean square differences, in grey levels of 255, of the means and of the
-- standard deviations of 24x8 thumbnails: average layout, and how much layouts differ.
--
-- No distance of two finite sets of the same source is 0. What it is (the floor) is found with
-- pictures against other pictures of the collection, as many of them.
local image = require "daub.image"
local options = require "daub.options"
local tensor = require "daub.tensor"

local M = {}

local PATCH = 7     -- pixels a side
local COARSEST = 16 -- pixels of the shorter side, at least
local BINOMIAL = { 1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16 }
local THUMBNAIL = { width = 24, height = 8 }

-- Where a place outside of 0 … n-1 is found: the border is a mirror, and not doubled.
local function mirrored(i, n)
  if i < 0 then i = -i end
  return i < n and i or 2 * (n - 1) - i
end

-- The matrix {ceil(n / 2), n} that blurs n pixels and keeps every other one.
local function shrinking(n)
  local rows = {}
  for i = 1, math.ceil(n / 2) do
    local row = {}
    for j = 1, n do row[j] = 0 end
    for k, weight in ipairs(BINOMIAL) do
      local j = mirrored(2 * (i - 1) + k - 3, n) + 1
      row[j] = row[j] + weight
    end
    rows[i] = row
  end
  return tensor.from(rows)
end

-- The matrix {n, ceil(n / 2)} that puts pixels in every other place and blurs.
local function growing(n)
  local rows = {}
  for i = 1, n do
    local row = {}
    for j = 1, math.ceil(n / 2) do row[j] = 0 end
    for k, weight in ipairs(BINOMIAL) do
      local from = mirrored(i - 1 + k - 3, n)
      if from % 2 == 0 then row[from / 2 + 1] = row[from / 2 + 1] + 2 * weight end
    end
    rows[i] = row
  end
  return tensor.from(rows)
end

-- Multiplies along the second dimension of {N, H, W, C}.
local function along(matrix, x)
  local n, h, w, c = unpack(x.shape)
  return matrix:matmul(x:reshape { n, h, w * c }):reshape { n, matrix.shape[1], w, c }
end

-- A matrix for each side of the pictures {N, H, W, C}.
local function both(make, height, width, x)
  local rows = along(make(height), x)
  return along(make(width), rows:transpose(2, 3):contiguous()):transpose(2, 3):contiguous()
end

---The Laplacian pyramid of Burt and Adelson (1983): what each halving loses, and last what is left.
---@param x daub.Tensor f32 {N, height, width, channels}
---@return daub.Tensor[] levels {N, height, width, channels} and ever half of it
function M.pyramid(x)
  local levels = {}
  while math.ceil(math.min(x.shape[2], x.shape[3]) / 2) >= COARSEST do
    local _, h, w = unpack(x.shape)
    local small = both(shrinking, h, w, x)
    levels[#levels + 1] = x - both(growing, h, w, small)
    x = small
  end
  levels[#levels + 1] = x
  return levels
end

-- `count` random patches of each picture, {N * count, PATCH * PATCH * C}, every channel's mean 0
-- and standard deviation 1.
local function patches(x, count, generator)
  local n, h, w, c = unpack(x.shape)
  local random = { generator = generator }
  local tops = tensor.randint(h - PATCH + 1, { n, count }, random)
  local lefts = tensor.randint(w - PATCH + 1, { n, count }, random)
  local firsts = tops * w + lefts + (tensor.arange(n, { dtype = "i64" }) * (h * w)):unsqueeze(2)
  local side = tensor.arange(PATCH, { dtype = "i64" })
  local places = (side:unsqueeze(2) * w + side):reshape { 1, PATCH * PATCH }
  local index = (firsts:reshape { n * count, 1 } + places + 1):reshape { -1 }
  local pixels = x:reshape { n * h * w, c }:index_select(1, index)
  local spread = pixels:std(1, true, { correction = 0 }):clamp(1e-8)
  return ((pixels - pixels:mean(1, true)) / spread):reshape { n * count, PATCH * PATCH * c }
end

-- The patches' projections on random directions, in order: {directions, N * patches}.
local function projections(x, o, generator)
  local directions = tensor.randn({ o.directions, PATCH * PATCH * x.shape[4] },
    { generator = generator })
  directions = directions / directions:norm(2, true)
  local found = patches(x, o.patches, generator)
  return (directions:matmul(found:transpose(1, 2)):sort(2))
end

-- {N, 24 * 8 * 3}, 0 … 255
local function thumbnails(x)
  local list = {}
  for i = 1, x.shape[1] do
    list[i] = image.resize(x:select(1, i):contiguous(), THUMBNAIL.width, THUMBNAIL.height,
      { filter = "box" })
  end
  return (tensor.stack(list):reshape { #list, -1 } + 1) * 127.5
end

---@class daub.learn.Description
---@field projections daub.Tensor[] by level, {directions, N * patches}
---@field mean daub.Tensor of the thumbnails
---@field std daub.Tensor of the thumbnails

---What is compared of a set of pictures. Patches and directions depend on the seed and the shape
---alone, so equal sets have equal descriptions.
---@param x daub.Tensor f32 {N, height, width, 3}, -1 … 1; N at least 2, sides at least 7
---@param o? {patches: integer, directions: integer, seed: integer} patches of a picture and level
--- (64), directions (128), seed of both (1)
---@return daub.learn.Description
function M.describe(x, o)
  o = options.check("distance.describe", o, { patches = 64, directions = 128, seed = 1 })
  for _, name in ipairs { "patches", "directions" } do
    options.whole("distance.describe", name, o[name], 1)
  end
  if not tensor.is_tensor(x) or x.dtype ~= "f32" or #x.shape ~= 4 or x.shape[4] ~= 3
    or x.shape[1] < 2 or math.min(x.shape[2], x.shape[3]) < PATCH then
    options.misuse(("distance.describe: expected f32 pictures {N, height, width, 3}, at least 2 of "
      .. "at least %dx%d pixels, got %s"):format(PATCH, PATCH, tensor.is_tensor(x)
      and x.dtype .. " " .. options.shape(x.shape) or options.shown(x)))
  end
  local generator, ordered = tensor.generator(o.seed), {}
  for i, level in ipairs(M.pyramid(x:detach():contiguous())) do
    ordered[i] = projections(level, o, generator)
  end
  local small = thumbnails(x:detach())
  return { projections = ordered, mean = small:mean(1), std = small:std(1) }
end

local function root_mean_square(x) return math.sqrt(x:square():mean():item()) end

---How far two descriptions are apart; of as many pictures of one size, with equal options.
---@param a daub.learn.Description
---@param b daub.learn.Description
---@return {swd: number, swd_levels: number[], thumbnail_mean: number, thumbnail_std: number} apart
--- swd is the mean over the levels; both are given a thousandfold, as is the custom
function M.between(a, b)
  local levels, sum = {}, 0
  for i = 1, math.max(#a.projections, #b.projections) do
    local p, q = a.projections[i], b.projections[i]
    if not (p and q) or p.shape[1] ~= q.shape[1] or p.shape[2] ~= q.shape[2] then
      options.misuse("distance.between: expected descriptions of as many pictures of one size, "
        .. "made with equal options")
    end
    levels[i] = 1000 * (p - q):abs():mean():item()
    sum = sum + levels[i]
  end
  return { swd = sum / #levels, swd_levels = levels,
    thumbnail_mean = root_mean_square(a.mean - b.mean),
    thumbnail_std = root_mean_square(a.std - b.std) }
end

return M
