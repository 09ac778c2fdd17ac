-- Finding the nearest of many perceptual hashes, in 48 bytes a hash.
--
--   local n = nearest.new()
--   n:add("9f3c00ff81a7e0d4", 1)
--   n:find("9f3c00ff81a7e0d5")     --> 1
--
-- Two hashes of 8 bytes that differ in at most 7 bits share a byte in the same place: only those
-- need a look. So each hash is in eight lists, one for the byte in each place.
local bit = require "bit"
local ffi = require "ffi"

local M = {}

M.bits = 6 -- pictures whose hashes differ in up to this many bits look alike

local SHIFT = 12
local BLOCK = 2 ^ SHIFT -- entries allocated together

local Block = ffi.typeof([[struct {
  int32_t high, low;  // the hash's halves
  int32_t next[8];    // rank of the one added before it with this byte in this place, or -1
  double id;
}[$] ]], BLOCK)

---@class daub.collect.Nearest
local Nearest = {}
Nearest.__index = Nearest

---@return daub.collect.Nearest
function M.new()
  local last = ffi.new("int32_t[8][256]") -- [place][byte]: rank of the last added, or -1
  ffi.fill(last, ffi.sizeof(last), 255)
  return setmetatable({ last = last, blocks = {}, count = 0 }, Nearest)
end

local function halves(phash)
  return bit.tobit(tonumber(phash:sub(1, 8), 16)), bit.tobit(tonumber(phash:sub(9), 16))
end

-- The byte at a place: 0 … 3 in the high half, 4 … 7 in the low one.
local function byte_at(place, high, low)
  local half = place < 4 and high or low
  return bit.band(bit.rshift(half, 24 - 8 * (place % 4)), 255)
end

-- Bits set (Hacker's Delight, 5-1).
local function ones(x)
  x = x - bit.band(bit.rshift(x, 1), 0x55555555)
  x = bit.band(x, 0x33333333) + bit.band(bit.rshift(x, 2), 0x33333333)
  x = bit.band(x + bit.rshift(x, 4), 0x0f0f0f0f)
  x = x + bit.rshift(x, 8)
  return bit.band(x + bit.rshift(x, 16), 63)
end

local function entry_of(self, rank)
  return self.blocks[bit.rshift(rank, SHIFT)][bit.band(rank, BLOCK - 1)]
end

---@param phash string 16 hex digits
---@param id number
function Nearest:add(phash, id)
  local rank, high, low = self.count, halves(phash)
  if rank % BLOCK == 0 then self.blocks[bit.rshift(rank, SHIFT)] = Block() end
  local entry = entry_of(self, rank)
  entry.high, entry.low, entry.id = high, low, id
  for place = 0, 7 do
    local byte = byte_at(place, high, low)
    entry.next[place] = self.last[place][byte]
    self.last[place][byte] = rank
  end
  self.count = rank + 1
end

---The nearest within M.bits; of equally near ones the first added.
---@param phash string 16 hex digits
---@return number|nil id
function Nearest:find(phash)
  local high, low = halves(phash)
  local best, best_bits = nil, M.bits + 1
  for place = 0, 7 do
    local rank = self.last[place][byte_at(place, high, low)]
    while rank >= 0 do
      local entry = entry_of(self, rank)
      local bits = ones(bit.bxor(high, entry.high)) + ones(bit.bxor(low, entry.low))
      if bits < best_bits or (bits == best_bits and best and rank < best) then
        best, best_bits = rank, bits
      end
      rank = entry.next[place]
    end
  end
  return best and entry_of(self, best).id
end

return M
