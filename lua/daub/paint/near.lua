-- Whether a painting is nearly one of the covers it was learnt from.
--
--     local index = near.open(dataset, "covers/cache/192x64-….pack")
--     local about = index:of(painted)                        -- f32 {N, height, width, 3}
--     if about[1].copy then print("picture 1 is nearly cover " .. about[1].sha256) end
--
-- Two tests, and one of them is enough. A painting, as it is or mirrored, and a cover, whole or its
-- middle nine tenths, have perceptual hashes that differ in at most 10 of 64 bits. Or the painting
-- is nearer to the cover, by the features of daub.measure, than 99 of 100 covers are to any other
-- cover (pairs that the hash already calls alike left aside).
--
-- On 3,545 covers at 96x32 and 393 others the hashes find 93 to 100 of 100 copies with noise, JPEG,
-- another brightness or mirrored, 87 shifted by 4 %, 71 enlarged by 7 %, 4 by 15 %. They call so
-- .8 of 100 paintings of a young run, and 9 of 100 of the other covers: some have twins.
local checkpoint = require "daub.checkpoint"
local image = require "daub.image"
local measure = require "daub.measure"
local neighbours = require "daub.measure.neighbours"
local options = require "daub.options"
local tensor = require "daub.tensor"

local M = {}

M.bits = 10         -- of 64 in which the hashes of near-copies differ, at most
M.share = 0.01      -- of the covers that are as near to another as a near-copy is
local MIDDLE = 0.9
local WIDEST = 96   -- pixels of what features are taken of
local BATCH = 256
local SAMPLE = 1000 -- covers whose nearest others give the scale
local FORMAT = 1

---@class daub.paint.NearIndex
---@field nearest number the features' distance below which a painting is a near-copy
---@field typical number what half of the covers are from their nearest other
local Index = {}
Index.__index = Index

-- u8 {h, w, 3} -> its middle nine tenths
local function middle(x)
  local h, w = x.shape[1], x.shape[2]
  local ih, iw = math.ceil(h * MIDDLE), math.ceil(w * MIDDLE)
  return x:narrow(1, math.floor((h - ih) / 2) + 1, ih):narrow(2, math.floor((w - iw) / 2) + 1, iw)
end

local function mirrored(x)
  local order, w = {}, x.shape[2]
  for i = 1, w do order[i] = w + 1 - i end
  return x:index_select(2, order)
end

-- Pictures {n} u8 -> {n, 512}
local function features(list)
  local small = {}
  for i, x in ipairs(list) do
    if x.shape[2] > WIDEST then
      local height = math.max(8, math.floor(x.shape[1] * WIDEST / x.shape[2] + 0.5))
      x = image.resize(x, WIDEST, height, { filter = "box" })
    end
    small[i] = x
  end
  return measure.features(image.to_float(tensor.stack(small)))
end

-- {whole, middle, whole, middle …} and {N, 512} of a dataset.
local function describe(dataset)
  local hashes, parts, batch, count = {}, {}, {}, dataset:info().count
  for i = 1, count do
    local x = tensor.wrap(dataset:picture(i))
    hashes[#hashes + 1] = image.phash(x)
    hashes[#hashes + 1] = image.phash(middle(x))
    batch[#batch + 1] = x
    if #batch == BATCH or i == count then
      parts[#parts + 1], batch = features(batch), {}
    end
  end
  return hashes, tensor.cat(parts, 1)
end

-- What was kept beside the dataset, when it is of this one.
local function kept(path, count)
  local state = path and checkpoint.load(path)
  if not state or state.format ~= FORMAT or type(state.hashes) ~= "string"
    or #state.hashes ~= count * 32 or not tensor.is_tensor(state.features)
    or state.features.shape[1] ~= count then
    return nil
  end
  local hashes = {}
  for hash in state.hashes:gmatch(("%x"):rep(16)) do hashes[#hashes + 1] = hash end
  if #hashes == count * 2 then return hashes, state.features end
end

-- The cover whose hashes are the least away from any of a picture's, but `other`.
---@return integer bits, integer place
function Index:alike(hashes, other)
  local least, place = 65, 0
  for i, theirs in ipairs(self.hashes) do
    local cover = math.ceil(i / 2)
    for _, hash in ipairs(cover ~= other and hashes or {}) do
      local bits = image.phash_distance(hash, theirs)
      if bits < least then least, place = bits, cover end
    end
  end
  return least, place
end

-- The scale of the features' distances: how near covers are to others that are not the same.
local function scale(self)
  local count, step = self.count, math.max(1, math.ceil(self.count / SAMPLE))
  local chosen = {}
  for i = 1, count, step do chosen[#chosen + 1] = i end
  local apart = neighbours.distances(self.features:index_select(1, chosen), self.features)
  local values, places = apart:sort(2)
  local least = {}
  values = values:narrow(2, 1, math.min(2, count)):totable()
  places = places:narrow(2, 1, math.min(2, count)):totable()
  for k, i in ipairs(chosen) do
    local n = places[k][1] == i and 2 or 1
    local j = places[k][n]
    if j and image.phash_distance(self.hashes[2 * i - 1], self.hashes[2 * j - 1]) > M.bits then
      least[#least + 1] = math.sqrt(values[k][n])
    end
  end
  table.sort(least)
  self.nearest = least[math.ceil(#least * M.share)] or 0
  self.typical = least[math.ceil(#least / 2)] or 1
end

---@param dataset daub.core.Dataset what was learnt from
---@param path? string its file; what is found out of it is kept beside it
---@return daub.paint.NearIndex
function M.open(dataset, path)
  local self = setmetatable({ dataset = dataset, count = dataset:info().count }, Index)
  local beside = path and path:gsub("%.pack$", "") .. ".near"
  local hashes, seen = kept(beside, self.count)
  if not hashes then
    hashes, seen = describe(dataset)
    -- a folder that cannot be written to costs time only
    if beside then
      checkpoint.save(beside, { format = FORMAT, hashes = table.concat(hashes), features = seen })
    end
  end
  self.mean, self.std = seen:mean(1, true), seen:std(1, true, { correction = 0 }):clamp(1e-6)
  self.hashes, self.features = hashes, (seen - self.mean) / self.std
  scale(self)
  return self
end

---Features of pictures as the index compares them.
---@param list daub.Tensor[] u8 {height, width, 3}
---@return daub.Tensor {N, 512}
function Index:seen(list) return (features(list) - self.mean) / self.std end

---@class daub.paint.Near
---@field copy boolean whether it is nearly a cover
---@field sha256 string the cover it is nearest to
---@field bits integer by which the nearest hash differs
---@field distance number of features to the nearest cover, in what is typical of covers

---@param painted daub.Tensor {N, height, width, 3}, of the dataset's size, f32 -1 … 1 or u8
---@return daub.paint.Near[] about, daub.Tensor features {N, 512}
function Index:of(painted)
  if not tensor.is_tensor(painted) or #painted.shape ~= 4 then
    options.misuse("near: expected pictures {N, height, width, 3}")
  end
  if painted.dtype ~= "u8" then painted = image.from_float(painted) end
  local list, about = {}, {}
  for i = 1, painted.shape[1] do list[i] = painted:select(1, i):contiguous() end
  local seen = self:seen(list)
  local values, places = neighbours.distances(seen, self.features):sort(2)
  values, places = values:select(2, 1):sqrt():totable(), places:select(2, 1):totable()
  for i, x in ipairs(list) do
    local bits, place = self:alike({ image.phash(x), image.phash(mirrored(x)) })
    local by_hash = bits <= M.bits
    about[i] = { copy = by_hash or values[i] < self.nearest, bits = bits,
      sha256 = self.dataset:id(by_hash and place or places[i]),
      distance = values[i] / self.typical }
  end
  return about, seen
end

return M
