-- The whole of collecting: lists the sources, fetches, decodes and judges their pictures, all
-- overlapping, into a collection. Whatever stops it, the next run goes on from there.
--
--   local c = assert(collection.open("covers", { create = true }))
--   local summary = assert(collect.run(c, sources, { report = report }))
--   print(summary.kept, summary.failures[1])
--
-- Call it with interrupts held (system.hold_interrupts): Ctrl-C is then seen between two steps.
local http = require "daub.http"
local forget = require "daub.collect.forget"
local intake_module = require "daub.collect.intake"
local lister = require "daub.collect.lister"
local net_module = require "daub.collect.net"
local pipeline = require "daub.collect.pipeline"
local progress = require "daub.progress"
local settle = require "daub.collect.settle"
local store = require "daub.collect.store"
local system = require "daub.core.system"

local M = {}

local SETTLE_EVERY = 2 -- seconds
local WAIT = 0.05      -- seconds; how long one look at the network or the decoder may take

---@class daub.collect.Options
---@field report daub.progress.Reporter
---@field concurrency integer?  pictures fetched at once (8)
---@field limit integer?        people a source may name
---@field refresh boolean?      asks again for pictures that are there already, conditionally
---@field max_wait number?      seconds a rate limit may last before the source is given up
---@field on_limit "wait"|"stop"|nil  what a rate limit does: it is waited for, or ends the source
---@field include_noindex boolean? takes in those, too, who ask not to be found by machines
---@field ask? fun(question: string): boolean  asks the person running this

---@class daub.collect.Summary
---@field listed integer     people, files, addresses named by the sources in this run
---@field kept integer       pictures taken in by this run
---@field skipped integer    covers set aside by this run, duplicates and look-alikes included
---@field removed integer    pictures whose file was deleted by hand since the last run
---@field damaged integer    pictures whose file was damaged since then and that are fetched again
---@field failures string[]  one line for each source that failed
---@field seconds number

-- ---- progress ----------------------------------------------------------------------------------

local function time_left(self, elapsed)
  local done = self.pipeline.decided
  if done == 0 then return nil end
  local waiting = self.intake:waiting_count(0)
  local total = self.lister:total()
  if not total then return nil end
  local per_person = (done + waiting) / math.max(1, self.lister.listed)
  local left = waiting + (total - self.lister.listed) * per_person
  return left * elapsed / done, done / (done + left)
end

-- "412 people, 380 pictures, 20 left out"
local function tally(self)
  return ("%d %s, %s, %d left out"):format(self.lister.listed, self.noun,
    progress.count(self.pipeline.kept - self.alike, "picture"), self.pipeline.skipped + self.alike)
end

local function show(self)
  local now = system.now()
  if now - self.shown < 0.2 then return end
  self.shown = now
  local elapsed = now - self.started
  local parts = { tally(self) }
  if elapsed > 1 then parts[#parts + 1] = ("%.1f/s"):format(self.pipeline.decided / elapsed) end
  local seconds, fraction = time_left(self, elapsed)
  if self.waiting_for and now < self.waiting_until then
    parts[#parts + 1] = self.waiting_for
  else
    parts[#parts + 1] = seconds and progress.duration(seconds) .. " left" or "still listing"
  end
  self.report:progress(table.concat(parts, ", "), fraction)
end

local function show_end(self)
  self.report:progress(("%s, in %s"):format(tally(self),
    progress.duration(system.now() - self.started)))
end

---"x.com: rate limit, 13 min 42 s left (until 12:03:10)"
---@return string
function M.waiting(host, seconds, reason)
  local line = ("%s: %s, %s left"):format(host, reason, progress.duration(seconds))
  if seconds < 60 then return line end
  return line .. os.date(" (until %H:%M:%S)", math.floor(system.time() + seconds))
end

-- A host wants us to wait: the line says so as long as it is true.
local function on_wait(self, host, seconds, reason)
  self.waiting_for = M.waiting(host, seconds, reason)
  self.waiting_until = system.now() + 1.5
  show(self)
end

-- ---- the loop ----------------------------------------------------------------------------------

-- What the lister needs, on top of the intake.
local function sink_of(self)
  local intake = self.intake
  return {
    source = function(_, source) return intake:source(source.spec, source.api) end,
    cursor = function(_, id, listing) return intake:cursor(id, listing) end,
    people_count = function(_, id) return intake:people_count(id) end,
    known = function(_, id, network, key) return intake:named(id, network, key) end,
    answer = function(_, id, url) return intake:answer(id, url) end,
    whole = function(_, id, since) intake:forget_answers(id, since) end,
    forgotten = function(_, network, person) return intake:forgotten(network, person) end,
    candidate = function(_, id, key) return intake:candidate(id, key) end,
    candidates = function(_, id, listing, page) intake:commit_candidates(id, listing, page) end,
    page = function(_, id, listing, network, page, move)
      intake:commit_page(id, listing, network, page, move)
      self.pipeline:wake()
      self.report:event({ event = "page", listing = listing, people = #page.people })
    end,
  }
end

local function settle_some(self)
  self.alike = self.alike + self.settler:advance()
  self.settled = system.now()
end

local function step(self)
  self.lister:step()
  self.pipeline:fill()
  if self.session:pending() > 0 then
    local results, message, code = self.session:poll(self.pipeline:decoding_any() and 0.005 or WAIT)
    if not results then
      if code ~= "interrupted" then store.fail(message, code) end
      return
    end
    for _, result in ipairs(results) do
      if not self.net:arrived(result) then self.pipeline:arrived(result) end
    end
    self.pipeline:decode(0)
  else
    self.pipeline:decode(WAIT)
  end
  if system.now() - self.settled > SETTLE_EVERY then settle_some(self) end
  show(self)
end

local function loop(self)
  while not system.interrupted() do
    step(self)
    if self.lister:finished() and self.pipeline:idle() then
      settle_some(self)
      self.intake:sweep()
      return true
    end
  end
  return false
end

local function prepare(collection, sources, o)
  local self = { report = o.report, noun = sources[1].noun, started = system.now(), shown = -1,
    settled = system.now(), alike = 0 }
  self.intake = intake_module.new(collection)
  self.intake:sweep()
  self.removed, self.damaged = self.intake:check_files()
  self.intake:retry_failed()
  self.settler = settle.new(collection)
  local concurrency = o.concurrency or 8
  self.session = http.session({ total = concurrency + 1, per_host = math.max(4, concurrency),
    max_wait = o.max_wait, on_limit = o.on_limit, on_wait = function(...) on_wait(self, ...) end })
  self.net = net_module.new(self.session)
  self.pipeline = pipeline.new(collection, self.intake, self.session, { concurrency = concurrency,
    refresh_before = o.refresh and system.time() or nil,
    on_event = function(event) o.report:event(event) end })
  self.lister = lister.new(sources, sink_of(self), self.net, { limit = o.limit,
    ask = o.ask, include_noindex = o.include_noindex,
    note = function(line) o.report:note(line) end })
  for _, source in ipairs(sources) do
    if source.noun ~= self.noun then self.noun = "entries" end
  end
  return self
end

---Collects. A source that fails is named in the summary and does not stop the others.
---@param collection daub.Collection  opened with create = true
---@param sources daub.collect.Source[]
---@param o daub.collect.Options
---@return daub.collect.Summary|nil, string? message, string? code  "interrupted" after Ctrl-C
function M.run(collection, sources, o)
  return store.protect(function()
    local self = prepare(collection, sources, o)
    local ok, whole = pcall(loop, self)
    self.session:close()
    self.pipeline:close()
    if not ok then error(whole, 0) end
    show_end(self)
    if not whole then store.fail("interrupted", "interrupted") end
    return { listed = self.lister.listed, kept = self.pipeline.kept - self.alike,
      skipped = self.pipeline.skipped + self.alike, removed = self.removed, damaged = self.damaged,
      failures = self.lister.failures, seconds = system.now() - self.started }
  end)
end

---@alias daub.collect.Visit fun(source: daub.collect.Source, person: daub.collect.Person)

---Lists the sources without writing anything: each person goes to `visit`.
---@param sources daub.collect.Source[]
---@param o {limit: integer?, report: daub.progress.Reporter, visit: daub.collect.Visit,
--- max_wait: number?, on_limit: string?, include_noindex: boolean?, ask: function?,
--- collection: daub.Collection?} collection: whose forgotten people are left out
---@return {listed: integer, failures: string[]}|nil, string? message, string? code
function M.preview(sources, o)
  return store.protect(function()
    local session = http.session({ max_wait = o.max_wait, on_limit = o.on_limit,
      on_wait = function(host, seconds, reason)
        o.report:progress(M.waiting(host, seconds, reason))
      end })
    local net = net_module.new(session)
    local named, candidates = {}, {}
    local sink = {
      source = function(_, source)
        named[source] = {}
        return source
      end,
      cursor = function() return { finished = false } end,
      people_count = function(_, source) return named[source].count or 0 end,
      known = function(_, source, _, key) return named[source][key] end,
      answer = function() return nil end,
      whole = function() end,
      forgotten = function(_, network, person)
        return o.collection and forget.known(o.collection, network, person)
      end,
      candidate = function(_, source, key) return candidates[source][key] end,
      candidates = function(_, source, _, page)
        candidates[source] = candidates[source] or {}
        for _, person in ipairs(page.people) do candidates[source][person.key] = true end
      end,
      page = function(_, source, _, _, page)
        for _, person in ipairs(page.people) do
          if not named[source][person.key] then
            named[source][person.key] = true
            named[source].count = (named[source].count or 0) + 1
            o.visit(source, person)
          end
        end
      end,
    }
    local l = lister.new(sources, sink, net, { limit = o.limit, ask = o.ask,
      include_noindex = o.include_noindex,
      note = function(line) o.report:note(line) end })
    while not l:finished() do
      if system.interrupted() then store.fail("interrupted", "interrupted") end
      l:step()
      if session:pending() > 0 then
        for _, result in ipairs(session:poll(WAIT) or {}) do net:arrived(result) end
      end
    end
    session:close()
    return { listed = l.listed, failures = l.failures }
  end)
end

return M
