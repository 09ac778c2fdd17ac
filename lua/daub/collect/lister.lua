-- Walks through the sources, one after the other and page by page, and hands every page to a sink:
-- the intake of a collection, or a preview that only counts. Runs as a coroutine, so that pictures
-- are fetched meanwhile.
--
--   local l = lister.new(sources, sink, net, { limit = 1000, note = print, ask = yes_or_no })
--   while not l:finished() do … end      -- the main loop polls the session
--
-- Of a page's people those fall away who were forgotten, are in one list only where both are
-- wanted, or exceed the limit; the others are completed and handed over. Who asks not to be found
-- by machines is handed over without a cover.
--
-- A sink has: source(source) -> id; cursor(id, listing) -> {position, finished}; people_count(id);
-- known(id, network, key) and forgotten(network, person) -> boolean; page(id, listing, network,
-- page, move); candidates(id, listing, page) and candidate(id, key) -> boolean, for mutuals;
-- answer(id, url) -> {etag, last_modified, next, total, people} | nil, what is known of an address;
-- whole(id, since): everything the source names was asked for since then.
local net_module = require "daub.collect.net"
local progress = require "daub.progress"
local system = require "daub.core.system"

local M = {}

---@class daub.collect.Lister
---@field listed integer    people, files or addresses named in this run
---@field total integer|nil how many there are in all, as far as the servers tell
---@field failures string[] one line for each source that failed
local Lister = {}
Lister.__index = Lister

-- Raised through a source when the server says that nothing changed since last time.
local UNCHANGED = {}
local MOST_KEPT = 65536 -- bytes of an answer that is kept whole

-- ---- asking conditionally ----------------------------------------------------------------------

-- The answer of an earlier run, body and all.
local function kept_answer(response, known)
  response.status, response.not_modified, response.body = 200, false, known.body
  return response
end

-- A `get` for a source that adds to `seen` what the answers can be asked for again with.
local function getter(self, id, seen)
  return function(url, o)
    o = o or {}
    local plain = (o.method or "GET") == "GET" and not (o.json or o.form or o.body)
    local name = self.include_noindex and "all " .. url or url -- another choice, other pages
    local known = plain and self.sink:answer(id, name) or nil
    local response, message, code = self.net:get(url, o, known)
    if response and response.not_modified and known then
      seen.answers[#seen.answers + 1] = known
      if o.keep then return kept_answer(response, known) end
      seen.unchanged = known
      error(UNCHANGED, 0)
    end
    local answer = response and plain and not response.error
      and (response.etag or response.last_modified)
      and { url = name, etag = response.etag, last_modified = response.last_modified }
    if o.keep then
      if answer and #response.body <= MOST_KEPT then
        answer.body = response.body
        seen.answers[#seen.answers + 1] = answer
      end
    else
      seen.last = answer or nil
    end
    return response, message, code
  end
end

-- Calls f(get) and gives what it gives, or the answer that is known when it is unchanged.
---@return any, string? message, string? code
local function conditionally(self, id, seen, f)
  local function outcome(ok, value, ...)
    if ok then return value, ... end
    if value == UNCHANGED then return seen.unchanged end
    error(value, 0)
  end
  return outcome(pcall(f, getter(self, id, seen)))
end

-- The page at `position`, and in `answers` what to remember of it. Of an unchanged page it has the
-- people only where they are still to be completed.
local function ask(self, source, id, listing, position)
  local seen = { answers = self.begun or {} }
  self.begun = nil
  local page, message, code = conditionally(self, id, seen, function(get)
    return source:page(listing, position, get)
  end)
  if not page then return nil, message, code end
  local last, first = seen.last, position == nil
  page = { people = page.people or {}, next = page.next, total = page.total, first = first,
    nameless = page.nameless or 0,
    unchanged = seen.unchanged ~= nil, count = seen.unchanged and seen.unchanged.count }
  page.answers = seen.answers
  if last and not seen.unchanged then
    last.next, last.total, last.count = page.next, page.total, #page.people
    last.people = source.complete and page.people
    table.insert(page.answers, last)
  end
  return page
end

-- A position kept since an earlier run may have become void: then from the start.
local function ask_again(self, source, id, listing, position, kept)
  local page, message, code = ask(self, source, id, listing, position)
  if page or not (position and kept) then return page, message, code end
  if not tostring(code):match("^http%-[45]") then return page, message, code end
  self.note(("%s: cannot go on where it stopped (%s); from the start"):format(source.spec, message))
  return ask(self, source, id, listing, nil)
end

-- ---- choosing and completing -------------------------------------------------------------------

local function filter(people, keep)
  local kept = {}
  for _, person in ipairs(people) do
    if keep(person) then kept[#kept + 1] = person end
  end
  return kept
end

-- Cuts a page so that the source names at most `room` more. True when something was cut.
local function cut(self, id, source, page, room)
  for i, person in ipairs(page.people) do
    if not self.sink:known(id, person.network or source.network, person.key) then
      if room == 0 then
        for j = #page.people, i, -1 do page.people[j] = nil end
        return true
      end
      room = room - 1
    end
  end
  return false
end

-- Asks for what the list does not say. Batches of which nothing changed fall away.
local function complete(self, source, id, page)
  if not source.complete then return true end
  local completed = {}
  for first = 1, #page.people, source.batch do
    local batch = {}
    for i = first, math.min(first + source.batch - 1, #page.people) do
      batch[#batch + 1] = page.people[i]
    end
    local seen = { answers = page.answers }
    local ok, message = conditionally(self, id, seen, function(get)
      return source:complete(batch, get)
    end)
    if not ok then return nil, message end
    if not seen.unchanged then
      for _, person in ipairs(batch) do completed[#completed + 1] = person end
      page.answers[#page.answers + 1] = seen.last
    end
  end
  page.people = completed
  return true
end

local function respect(self, page)
  for _, person in ipairs(page.people) do
    if not self.include_noindex and person.noindex then
      person.cover = nil
    else
      person.noindex = nil
    end
  end
end

-- Takes in one page. True: the limit is reached.
local function take(self, source, id, listing, page)
  if source.mutual and listing == source.listings[1] then
    self.sink:candidates(id, listing, page)
    return false
  end
  page.people = filter(page.people, function(person)
    return not self.sink:forgotten(person.network or source.network, person)
      and (not source.mutual or self.sink:candidate(id, person.key))
  end)
  local room = self.limit and self.limit - self.sink:people_count(id)
  local was_cut = room and cut(self, id, source, page, room)
  local count = page.unchanged and page.count or #page.people
  local ok, message = complete(self, source, id, page)
  if not ok then return nil, message end
  respect(self, page)
  if was_cut or source.mutual then page.answers = {} end -- they may bring others next time
  self.sink:page(id, listing, source.network, page, not was_cut)
  self.listed = self.listed + count
  self.nameless = self.nameless + page.nameless
  return was_cut or false
end

-- ---- walking -----------------------------------------------------------------------------------

-- True when it came to its end or the limit, and whether it went all the way from the start.
local function list(self, source, id, listing)
  local cursor = self.sink:cursor(id, listing)
  local position = not cursor.finished and cursor.position or nil
  local kept, whole = position ~= nil, position == nil
  local seen = {}
  repeat
    if self.limit and self.sink:people_count(id) >= self.limit then return true, false end
    local page, message = ask_again(self, source, id, listing, position, kept)
    if not page then return nil, message end
    kept = false
    self.totals[source.spec .. listing] = page.total or self.totals[source.spec .. listing]
    local full
    full, message = take(self, source, id, listing, page)
    if full == nil then return nil, message end
    if full then return true, false end
    if page.next and seen[page.next] then
      return nil, source.spec .. ": the server names the same page again and again (try later)"
    end
    position = page.next
    if position then seen[position] = true end
    coroutine.yield()
  until not position
  return true, whole
end

local function list_source(self, source)
  local id, since, all = self.sink:source(source), system.time(), true
  self.nameless = 0
  if source.begin then
    local seen = { answers = {} }
    local ok, message = source:begin(getter(self, id, seen), self.ask, { limit = self.limit })
    if not ok then return nil, message end
    self.begun = seen.answers -- remembered with the first page
  end
  for _, listing in ipairs(source.listings) do
    local ok, whole = list(self, source, id, listing)
    if not ok then return nil, whole end
    all = all and whole
  end
  if self.nameless > 0 then
    self.note(("%s: %s in what the server lists, left out (suspended, gone or damaged)"):format(
      source.spec, progress.count(self.nameless, "entry that names nobody",
        "entries that name nobody")))
  end
  if all then self.sink:whole(id, since) end
  return true
end

local function list_all(self)
  for _, source in ipairs(self.sources) do
    local ok, message = list_source(self, source)
    if not ok then self.failures[#self.failures + 1] = message end
  end
end

---@param o {limit: integer?, note: fun(line: string), ask: fun(question: string): boolean,
--- include_noindex: boolean?}
function M.new(sources, sink, net, o)
  local self = setmetatable({ sources = sources, sink = sink, net = net, limit = o.limit,
    note = o.note, ask = o.ask or function() return false end, listed = 0, totals = {},
    include_noindex = o.include_noindex, failures = {} }, Lister)
  self.co = coroutine.create(list_all)
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
