-- Square crops of pictures in their full size, batch after batch: what an enlarger learns to give.
--
--     local crops = assert(crops.open(pictures, { seed = 1, batch = 16, side = 96 }))
--     local high = crops:next()                             -- f32 {16, 96, 96, 3}, -1 … 1
--
-- Pictures come in an order of the seed's, each once a round, two to eight crops of each, by its
-- size; those that are too small or cannot be decoded are passed over. They are decoded ahead,
-- beside the step. What comes depends on the seed and `position` alone, so a stopped training goes
-- on with the same crops.
local core = require "daub.core.array"
local decoders = require "daub.core.image"
local image = require "daub.image"
local random = require "daub.tensor.random"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

local EACH = 60000    -- pixels of a picture for each crop: to decode a large one takes long
local FEWEST, MOST = 2, 8
local COVER = 200     -- rows of a cover as networks show it small; larger ones are also shrunk
local LARGEST = 3     -- at most so much
local AHEAD = 16      -- pictures being decoded
local APART = 2 ^ 20  -- random numbers between two rounds, or two pictures

---@class daub.upscale.Crops
---@field position integer pictures taken so far
local Crops = {}
Crops.__index = Crops

---@param pictures {path: string}[]
---@param o {seed: integer, batch: integer, side: integer, position?: integer}
---@return daub.upscale.Crops
function M.open(pictures, o)
  local self = setmetatable({ pictures = pictures, seed = o.seed * 4, batch = o.batch,
    side = o.side, position = o.position or 0, found = {} }, Crops)
  self.asked = self.position
  self.decoder = decoders.decoder { workers = math.min(2, system.threads()) }
  return self
end

-- The picture whose turn number `turn` (from 0) is.
function Crops:picture(turn)
  local count = #self.pictures
  local round = math.floor(turn / count)
  if round ~= self.round then
    self.round = round
    self.order = tensor.randperm(count, { generator = random.at(self.seed, round * APART) })
      :totable()
  end
  return self.pictures[self.order[turn % count + 1]]
end

-- The next picture's pixels; false when it is of no use, nil after Ctrl-C.
function Crops:take()
  while self.asked < self.position + AHEAD do
    self.decoder:submit(self.asked, { path = self:picture(self.asked).path })
    self.asked = self.asked + 1
  end
  while self.found[self.position] == nil do
    if system.interrupted() then return nil end
    for _, result in ipairs(self.decoder:poll(1) or {}) do
      self.found[result.id] = result.pixels and tensor.wrap(result.pixels) or false
    end
  end
  local pixels = self.found[self.position]
  self.found[self.position] = nil
  self.position = self.position + 1
  return pixels and math.min(pixels.shape[1], pixels.shape[2]) >= self.side and pixels
end

-- One crop, of the picture as it is or shrunk up to where a cover is `COVER` rows high.
-- dice: three numbers 0 … 1.
local function crop(pixels, side, dice)
  local height, width = pixels.shape[1], pixels.shape[2]
  local most = math.max(1, math.min(LARGEST, height / COVER, height / side, width / side))
  local s = math.floor(side * (1 + dice[1] * (most - 1)))
  local top = math.floor(dice[2] * (height - s + 1))
  local left = math.floor(dice[3] * (width - s + 1))
  local part = pixels:narrow(1, top + 1, s):narrow(2, left + 1, s)
  return image.to_float(s == side and part:contiguous() or image.resize(part, side, side))
end

local function crops_of(pixels)
  local area = pixels.shape[1] * pixels.shape[2]
  return math.max(FEWEST, math.min(MOST, math.floor(area / EACH)))
end

---The next batch.
---@return daub.Tensor|nil high f32 {batch, side, side, 3}, -1 … 1; nil when Ctrl-C came meanwhile
function Crops:next()
  local list, useless = {}, 0
  while #list < self.batch do
    local turn, pixels = self.position, self:take()
    if pixels == nil then return nil end
    useless = pixels and 0 or useless + 1
    if useless > 2 * #self.pictures then
      error(("none of %d pictures can be learnt from (at least %dx%d pixels expected)"):format(
        #self.pictures, self.side, self.side), 0)
    end
    local dice = core.uniform(random.at(self.seed + 1, turn * APART), { MOST, 3 }, "f64")
    dice = tensor.wrap(dice):totable()
    for i = 1, pixels and math.min(crops_of(pixels), self.batch - #list) or 0 do
      list[#list + 1] = crop(pixels, self.side, dice[i])
    end
  end
  return tensor.stack(list)
end

function Crops:close() self.decoder:close() end

return M
