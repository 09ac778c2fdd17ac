-- Finding look-alikes. Pictures arrive in any order, but are compared in the order their covers
-- were named, and only as far as nothing earlier is still missing. So which of two look-alikes
-- stays depends neither on the network's speed nor on how often collecting was stopped.
--
--   local s = settle.new(collection)
--   s:advance()     -- now and then, and at the end; each picture is settled once, for good
local image = require "daub.core.image"
local system = require "daub.core.system"

local M = {}

M.bits = 6 -- pictures whose hashes differ in up to this many bits look alike

-- ---- an index of hashes ------------------------------------------------------------------------

-- Two hashes of 8 bytes that differ in at most 7 bits share a byte in the same place: only those
-- need a look.
---@class daub.collect.Looks
local Looks = {}
Looks.__index = Looks

---@return daub.collect.Looks
function M.looks()
  return setmetatable({ buckets = {}, count = 0 }, Looks)
end

function Looks:add(phash, id)
  self.count = self.count + 1
  local entry = { phash = phash, id = id, rank = self.count }
  for place = 1, 15, 2 do
    local key = place .. phash:sub(place, place + 1)
    local bucket = self.buckets[key]
    if not bucket then
      bucket = {}
      self.buckets[key] = bucket
    end
    bucket[#bucket + 1] = entry
  end
end

---The nearest within M.bits; of equally near ones the first added.
---@return integer|nil id
function Looks:find(phash)
  local best, best_bits
  for place = 1, 15, 2 do
    for _, other in ipairs(self.buckets[place .. phash:sub(place, place + 1)] or {}) do
      local bits = image.phash_distance(phash, other.phash)
      if bits <= M.bits and (not best or bits < best_bits
        or (bits == best_bits and other.rank < best.rank)) then
        best, best_bits = other, bits
      end
    end
  end
  return best and best.id
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

-- The pictures not yet settled before which nothing is missing, first named first.
local function ready(self)
  local list = {}
  for p in self.store:rows([[
    select p.id, p.sha256, p.format, p.phash, min(c.id) as first
    from pictures p join covers c on c.picture_id = p.id and c.state = 'done'
    where p.settled = 0 group by p.id
    having first < coalesce((select min(id) from covers where state = 'waiting'), 9e15)
    order by first]]) do
    list[#list + 1] = p
  end
  return list
end

---Settles what can be settled. Gives the number of look-alikes found.
---@return integer
function Settler:advance()
  local list = ready(self)
  local alike = {}
  if #list == 0 then return 0 end
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
  return #alike
end

return M
