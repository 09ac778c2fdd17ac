-- Finding look-alikes. Pictures arrive in any order, but are compared in the order their covers
-- were named, and only as far as nothing earlier is still missing. So which of two look-alikes
-- stays depends neither on the network's speed nor on how often collecting was stopped.
--
--   local s = settle.new(collection)
--   s:advance()     -- now and then, and at the end; each picture is settled once, for good
local bit = require "bit"
local system = require "daub.core.system"

local M = {}

local AT_ONCE = 2000 -- pictures settled together, so that a great many need no great memory

M.bits = 6 -- pictures whose hashes differ in up to this many bits look alike

-- ---- an index of hashes ------------------------------------------------------------------------

-- Two hashes of 8 bytes that differ in at most 7 bits share a byte in the same place: only those
-- need a look. Hashes are kept as two numbers of 32 bits: some 150 bytes a picture.
---@class daub.collect.Looks
local Looks = {}
Looks.__index = Looks

---@return daub.collect.Looks
function M.looks()
  local buckets = {} -- [place * 256 + byte]: ranks of the hashes with that byte there
  for i = 0, 8 * 256 - 1 do buckets[i] = {} end
  return setmetatable({ buckets = buckets, high = {}, low = {}, ids = {} }, Looks)
end

local function halves(phash)
  return bit.tobit(tonumber(phash:sub(1, 8), 16)), bit.tobit(tonumber(phash:sub(9), 16))
end

-- The bucket of the byte at a place: 0 … 3 in the high half, 4 … 7 in the low one.
local function bucket_of(self, place, high, low)
  local half = place < 4 and high or low
  return self.buckets[place * 256 + bit.band(bit.rshift(half, 24 - 8 * (place % 4)), 255)]
end

-- Bits set (Hacker's Delight, 5-1).
local function ones(x)
  x = x - bit.band(bit.rshift(x, 1), 0x55555555)
  x = bit.band(x, 0x33333333) + bit.band(bit.rshift(x, 2), 0x33333333)
  x = bit.band(x + bit.rshift(x, 4), 0x0f0f0f0f)
  x = x + bit.rshift(x, 8)
  return bit.band(x + bit.rshift(x, 16), 63)
end

function Looks:add(phash, id)
  local high, low = halves(phash)
  local rank = #self.ids + 1
  self.high[rank], self.low[rank], self.ids[rank] = high, low, id
  for place = 0, 7 do table.insert(bucket_of(self, place, high, low), rank) end
end

---The nearest within M.bits; of equally near ones the first added.
---@return integer|nil id
function Looks:find(phash)
  local high, low = halves(phash)
  local highs, lows = self.high, self.low
  local best, best_bits = nil, M.bits + 1
  for place = 0, 7 do
    local bucket = bucket_of(self, place, high, low)
    for i = 1, #bucket do
      local rank = bucket[i]
      local bits = ones(bit.bxor(high, highs[rank])) + ones(bit.bxor(low, lows[rank]))
      if bits < best_bits or (bits == best_bits and best and rank < best) then
        best, best_bits = rank, bits
      end
    end
  end
  return best and self.ids[best]
end

-- ---- settling ----------------------------------------------------------------------------------

---@class daub.collect.Settler
local Settler = {}
Settler.__index = Settler

---@param collection daub.Collection  opened with create = true
---@return daub.collect.Settler
function M.new(collection)
  local self = setmetatable({ collection = collection, store = collection.store,
    looks = M.looks() }, Settler)
  for p in self.store:rows([[select id, phash from pictures
    where settled > 0 and same_as is null order by settled]]) do
    self.looks:add(p.phash, p.id)
  end
  self.rank = self.store:row("select max(settled) as rank from pictures").rank or 0
  return self
end

-- The pictures not yet settled before which nothing is missing, first named first; some of them.
local function ready(self)
  local list = {}
  for p in self.store:rows([[
    select p.id, p.sha256, p.format, p.phash, min(c.id) as first
    from pictures p join covers c on c.picture_id = p.id and c.state = 'done'
    where p.settled = 0 group by p.id
    having first < coalesce((select min(id) from covers where state = 'waiting'), 9e15)
    order by first limit ?]], { AT_ONCE }) do
    list[#list + 1] = p
  end
  return list
end

-- Settles some, all or nothing. The number of pictures and of look-alikes among them.
local function settle_some(self)
  local list, alike = ready(self), {}
  if #list == 0 then return 0, 0 end
  self.store:transaction(function()
    for _, p in ipairs(list) do
      local same_as = self.looks:find(p.phash)
      self.rank = self.rank + 1
      self.store:run("update pictures set settled = ?, same_as = ? where id = ?",
        { self.rank, same_as, p.id })
      if same_as then
        alike[#alike + 1] = p
      else
        self.looks:add(p.phash, p.id)
      end
    end
  end)
  for _, p in ipairs(alike) do system.remove(self.collection:file(p.sha256, p.format)) end
  return #list, #alike
end

---Settles what can be settled. Gives the number of look-alikes found.
---@return integer
function Settler:advance()
  local found = 0
  repeat
    local count, alike = settle_some(self)
    found = found + alike
  until count < AT_ONCE
  return found
end

return M
