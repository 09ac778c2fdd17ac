-- Finding look-alikes. Pictures arrive in any order, but are compared in the order their covers
-- were named, and only as far as nothing earlier is still missing. So which of two look-alikes
-- stays depends neither on the network's speed nor on how often collecting was stopped.
--
--   local s = settle.new(collection)
--   s:advance()     -- now and then, and at the end; each picture is settled once, for good
local nearest = require "daub.collect.nearest"
local system = require "daub.core.system"

local M = {}

local AT_ONCE = 500 -- pictures settled together, so that a great many need no great memory

---@class daub.collect.Settler
local Settler = {}
Settler.__index = Settler

---@param collection daub.Collection  opened with create = true
---@return daub.collect.Settler
function M.new(collection)
  local self = setmetatable({ collection = collection, store = collection.store,
    hashes = nearest.new() }, Settler)
  for p in self.store:rows([[select id, phash from pictures
    where settled > 0 and same_as is null order by settled]]) do
    self.hashes:add(p.phash, p.id)
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
      local same_as = self.hashes:find(p.phash)
      self.rank = self.rank + 1
      self.store:run("update pictures set settled = ?, same_as = ? where id = ?",
        { self.rank, same_as, p.id })
      if same_as then
        alike[#alike + 1] = p
      else
        self.hashes:add(p.phash, p.id)
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
