-- Walks through the sources, one after the other and page by page, and hands every page to a sink:
-- the intake of a collection, or a preview that only counts. Runs as a coroutine, so that pictures
-- are fetched meanwhile.
--
--   local l = lister.new(sources, sink, net, { limit = 1000, note = print })
--   while not l:finished() do … end      -- the main loop polls the session
--
-- A sink has: source(source) -> id; cursor(id, listing) -> {position, finished}; people_count(id);
-- known(id, network, key) -> boolean; page(id, listing, network, page, move).
local net_module = require "daub.collect.net"

local M = {}

---@class daub.collect.Lister
---@field listed integer    people, files or addresses named in this run
---@field total integer|nil how many there are in all, as far as the servers tell
---@field failures string[] one line for each source that failed
local Lister = {}
Lister.__index = Lister

-- Cuts a page so that the source names at most `room` more. True when something was cut.
local function cut(self, id, source, page, room)
  for i, person in ipairs(page.people) do
    if not self.sink:known(id, source.network, person.key) then
      if room == 0 then
        for j = #page.people, i, -1 do page.people[j] = nil end
        return true
      end
      room = room - 1
    end
  end
  return false
end

-- The page at `position`. A position kept since an earlier run may have become void: then from the
-- start.
local function ask(self, source, listing, position, kept)
  local page, message, code = source:page(listing, position, self.get)
  if page or not (position and kept) then return page, message, code end
  if not tostring(code):match("^http%-[45]") then return page, message, code end
  self.note(("%s: cannot go on where it stopped (%s); from the start"):format(source.spec, message))
  return source:page(listing, nil, self.get)
end

local function list(self, source, id, listing)
  local cursor = self.sink:cursor(id, listing)
  local position = not cursor.finished and cursor.position or nil
  local kept = position ~= nil
  local seen = {}
  repeat
    local room = self.limit and self.limit - self.sink:people_count(id)
    if room and room <= 0 then return true end
    local page, message = ask(self, source, listing, position, kept)
    if not page then return nil, message end
    kept = false
    local was_cut = room and cut(self, id, source, page, room)
    self.sink:page(id, listing, source.network, page, not was_cut)
    self.listed = self.listed + #page.people
    self.totals[source.spec .. listing] = page.total or self.totals[source.spec .. listing]
    if was_cut then return true end
    if page.next and seen[page.next] then
      return nil, source.spec .. ": the server names the same page again and again (try later)"
    end
    position = page.next
    if position then seen[position] = true end
    coroutine.yield()
  until not position
  return true
end

local function list_all(self)
  for _, source in ipairs(self.sources) do
    local id = self.sink:source(source)
    for _, listing in ipairs(source.listings) do
      self.now = source
      local ok, message = list(self, source, id, listing)
      if not ok then
        self.failures[#self.failures + 1] = message
        break
      end
    end
  end
end

---@param o {limit: integer?, note: fun(line: string)}
function M.new(sources, sink, net, o)
  local self = setmetatable({ sources = sources, sink = sink, net = net, limit = o.limit,
    note = o.note, listed = 0, totals = {}, failures = {} }, Lister)
  self.get = function(url, options) return net:get(url, options) end
  self.co = coroutine.create(list_all)
  self.started = false
  return self
end

function Lister:finished() return coroutine.status(self.co) == "dead" end

---Goes on unless it waits for the network. Called once each round of the main loop.
function Lister:step()
  if self:finished() or self.net:busy() then return end
  net_module.resume(self.co, self)
end

---How many there are in all, as far as is known.
---@return integer|nil
function Lister:total()
  if self:finished() then return self.listed end
  local sum = 0
  for _, total in pairs(self.totals) do sum = sum + total end
  if self.limit then sum = math.min(sum, self.limit * #self.sources) end
  return sum > self.listed and sum or nil
end

return M
