-- A collection: a folder with collection.db and pictures/ab/abcd….jpg, the originals named by their
-- SHA-256. This module reads it; intake.lua writes it.
--
--   local c = assert(collection.open("covers"))
--   for _, p in ipairs(c:pictures()) do print(p.path, p.width, p.height) end
--   print(c:counts().pictures)
--   c:close()
--
-- A picture file that was deleted by hand stays out: neither listed here nor fetched again.
local system = require "daub.core.system"
local store = require "daub.collect.store"

local M = {}

---@class daub.Collection
---@field path string
local Collection = {}
Collection.__index = Collection

-- Why a person's cover is not among the pictures, in the words of reports.
M.reasons = {
  ["no-cover"] = "no cover shown",
  noindex = "they ask not to be found by machines (--include-noindex takes them in, too)",
  default = "the server's default picture",
  duplicate = "the same picture as another",
  lookalike = "looks like another (up to 6 of 64 bits of the perceptual hash)",
  small = "smaller than 300x100",
  blank = "blank (one colour or next to no contrast)",
  unreadable = "could not be decoded",
  gone = "no longer there",
  ["too-big"] = "bigger than allowed",
  ["bad-address"] = "no http or https address",
  link = "a symbolic link",
  removed = "removed by hand",
  unreachable = "could not be fetched (the next run tries again)",
  waiting = "not fetched yet (run again to go on)",
}

---Opens a collection. With `create` the folder and its database are made when they are missing and
---the collection is locked for writing; otherwise it must exist and is only read.
---@param path string
---@param o? {create: boolean?}
---@return daub.Collection|nil, string? message, string? code
function M.open(path, o)
  o = o or {}
  if type(path) ~= "string" then error("collection.open: path of a folder expected", 2) end
  local database = path .. "/collection.db"
  local lock
  if o.create then
    local made, message, code = system.make_directory(path .. "/pictures")
    if not made then return nil, message, code end
    lock, message = system.lock_file(path .. "/collection.lock")
    if not lock then
      return nil, ("%s: another collect is at work here (%s)"):format(path, message), "locked"
    end
  elseif not system.stat(database) then
    return nil, path .. ": no collection here (make one with daub collect)", "missing"
  end
  local opened, message, code = store.open(database, o)
  if not opened then
    if lock then lock:close() end
    return nil, message, code
  end
  return setmetatable({ path = path, store = opened, lock = lock }, Collection)
end

function Collection:close()
  if not self.store then return end
  if self.lock then self.store:rest() end
  self.store:close()
  self.store = nil
  if self.lock then self.lock:close() end
end

---Where a picture's file is (or would be).
---@return string
function Collection:file(sha256, format)
  local ending = format == "jpeg" and "jpg" or format
  return ("%s/pictures/%s/%s.%s"):format(self.path, sha256:sub(1, 2), sha256, ending)
end

---@class daub.CollectedPicture
---@field path string
---@field sha256 string
---@field width integer
---@field height integer
---@field format string
---@field bytes integer
---@field phash string  16 hex digits
---@field added number  seconds since 1970

---Every usable picture, duplicates and look-alikes counted once. The order depends on nothing but
---the pictures: by SHA-256, or with order = "newest" the last collected first.
---@param o? {order: "sha256"|"newest"|nil}
---@return daub.CollectedPicture[]|nil, string? message, string? code
function Collection:pictures(o)
  local order = o and o.order or "sha256"
  if order ~= "sha256" and order ~= "newest" then
    error(("pictures: order is %q (sha256 or newest expected)"):format(tostring(order)), 2)
  end
  return store.protect(function()
    local list = {}
    local sql = "select sha256, width, height, format, bytes, phash, added from kept order by "
      .. (order == "newest" and "added desc, sha256" or "sha256")
    for picture in self.store:rows(sql) do
      picture.path = self:file(picture.sha256, picture.format)
      if system.stat(picture.path) then list[#list + 1] = picture end
    end
    return list
  end)
end

---Whether a cover was seen before, whatever became of it.
---@param key string  of a source's cover
---@return boolean
function Collection:knows(key)
  return self.store:row("select 1 as yes from covers where key = ?", { key }) ~= false
end

---Who gave a picture: everybody who was seen to show it, an exact copy of it or a look-alike.
---@param sha256 string
---@return {network: string, handle: string, name: string?, url: string?}[]|nil, string?, string?
function Collection:people(sha256)
  return store.protect(function()
    local list = {}
    for person in self.store:rows([[
      select distinct o.network, o.handle, o.name, o.url from people o
      join person_pictures l on l.person_id = o.id
      where l.picture_id = (select coalesce(same_as, id) from pictures where sha256 = ?)
      order by o.id]], { sha256 }) do
      list[#list + 1] = person
    end
    return list
  end)
end

---Where its people come from: "bluesky", "folder" …
---@return string[]
function Collection:networks()
  local list = {}
  for row in self.store:rows("select distinct network from people order by network") do
    list[#list + 1] = row.network
  end
  return list
end

---@class daub.CollectionCounts
---@field people integer    everybody found
---@field pictures integer  usable pictures shown now
---@field skipped table<string, integer>  reason -> people whose cover is left out for it

---Each person found stands either in `pictures` or in one count of `skipped`, by what they show
---now. Somebody known by several names counts once, by the name that came first.
---@return daub.CollectionCounts|nil, string? message, string? code
function Collection:counts()
  return store.protect(function()
    local counts = { people = 0, pictures = 0, skipped = {} }
    for row in self.store:rows([[
      select sum(o.same_as is null) as n, count(distinct p.id) as pictures, case
        when o.noindex = 1 then 'noindex'
        when c.id is null then 'no-cover'
        when c.state = 'done' and coalesce(q.removed, p.removed) = 1 then 'removed'
        when c.state = 'done' and p.same_as is not null then 'lookalike'
        when c.state = 'done' then 'done'
        when c.state = 'waiting' then 'waiting'
        else c.reason end as outcome
      from people o
      left join covers c on c.id = o.cover_id
      left join pictures p on p.id = c.picture_id
      left join pictures q on q.id = p.same_as
      group by outcome]]) do
      counts.people = counts.people + row.n
      if row.outcome == "done" then
        counts.pictures = row.pictures
        if row.n > row.pictures then counts.skipped.duplicate = row.n - row.pictures end
      elseif row.n > 0 then
        counts.skipped[row.outcome] = row.n
      end
    end
    return counts
  end)
end

---@class daub.CollectionSkip
---@field network string
---@field handle string
---@field url string
---@field reason string   of M.reasons
---@field detail string?

---Every cover that was left out for itself (not for what it equals), in the order they were named.
---@return daub.CollectionSkip[]|nil, string? message, string? code
function Collection:skips()
  return store.protect(function()
    local list = {}
    for row in self.store:rows([[
      select o.network, o.handle, c.url, c.reason, c.detail from covers c
      join person_covers l on l.cover_id = c.id join people o on o.id = l.person_id
      where c.state in ('skipped', 'failed') order by c.id, o.id]]) do
      list[#list + 1] = row
    end
    return list
  end)
end

return M
