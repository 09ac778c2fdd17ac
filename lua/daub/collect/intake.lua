-- Writing to a collection: what the sources list and what became of it. Everything that belongs
-- together is one transaction, so a killed collect goes on from its last page and its last picture.
--
--   local i = intake.new(collection)          -- of a collection opened with create = true
--   local id = i:source("bluesky:alice.bsky.social", "")
--   i:commit_page(id, "followers", page)      -- people, covers and the cursor, all or nothing
--   for _, cover in ipairs(i:waiting(0, 50)) do … i:keep(cover.id, {…}) or i:skip(cover.id, …) end
--
-- Failures raise (see store.lua); collect.run turns them into nil, message, code.
local forget = require "daub.collect.forget"
local json = require "daub.json"
local system = require "daub.core.system"

local M = {}

---@class daub.collect.Intake
local Intake = {}
Intake.__index = Intake

-- An address that so many people of one server share is that server's default picture.
M.shared_by_default = 3

---@param collection daub.Collection
---@return daub.collect.Intake
function M.new(collection)
  local store = collection.store
  return setmetatable({ collection = collection, store = store,
    some_forgotten = store:row("select 1 as yes from forgotten limit 1") ~= false }, Intake)
end

-- ---- sources and cursors -----------------------------------------------------------------------

---@return integer id
function Intake:source(spec, api)
  self.store:run("insert or ignore into sources (spec, api) values (?, ?)", { spec, api })
  return self.store:row("select id from sources where spec = ? and api = ?", { spec, api }).id
end

---Where a listing stands: {position = string|nil, finished = boolean, pages = n}.
function Intake:cursor(source_id, listing)
  local row = self.store:row(
    "select position, finished, pages from cursors where source_id = ? and listing = ?",
    { source_id, listing }) or { finished = 0, pages = 0 }
  row.finished = row.finished == 1
  return row
end

---People this source named so far.
function Intake:people_count(source_id)
  return self.store:row([[select count(distinct person_id) as n from source_people
    where source_id = ?]], { source_id }).n
end

---Whether this source named this person before.
function Intake:named(source_id, network, key)
  return self.store:row([[select 1 as yes from source_people l join people o on o.id = l.person_id
    where l.source_id = ? and o.network = ? and o.key = ?]], { source_id, network, key }) ~= false
end

-- ---- what is remembered of answers -----------------------------------------------------------

---What an address can be asked for again with, and what it said; nil: nothing is known.
---@return table|nil
function Intake:answer(source_id, url)
  local row = self.store:row([[select etag, last_modified, next, total, count, people, body
    from answers
    where source_id = ? and request = ?]], { source_id, system.sha256(url) })
  if not row then return nil end
  row.url = url
  row.people = row.people and json.decode(row.people)
  return row
end

local function remember(self, source_id, answer)
  local people
  if answer.people then
    people = {}
    for i, person in ipairs(answer.people) do
      people[i] = { key = person.key, handle = person.handle }
    end
  end
  self.store:run([[insert or replace into answers
    (source_id, request, etag, last_modified, next, total, count, people, body, at)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)]], { source_id, system.sha256(answer.url), answer.etag,
    answer.last_modified, answer.next, answer.total, answer.count,
    people and json.encode(json.array(people)), answer.body, system.time() })
end

---Lets go of what was remembered of answers that were not given since a time: other pages have
---taken their place.
function Intake:forget_answers(source_id, since)
  self.store:run("delete from answers where source_id = ? and at < ?", { source_id, since })
end

-- ---- a page of people --------------------------------------------------------------------------

local function cover_id(self, cover)
  if not cover then return nil end
  -- what is still to be had is asked for where it is now: some addresses are signed for a day
  self.store:run([[insert into covers
    (key, url, public, state, reason, detail, fallbacks, sha256) values (?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (key) do update set url = excluded.url, fallbacks = excluded.fallbacks
      where state in ('waiting', 'failed')]],
    { cover.key, cover.url, not cover.private, cover.skip and "skipped" or "waiting", cover.skip,
      cover.detail, cover.fallback and table.concat(cover.fallback, "\n"), cover.sha256 })
  return self.store:row("select id from covers where key = ?", { cover.key }).id
end

-- Somebody known by another name already counts as the one known longer.
local function identify(self, id, network, person)
  local root, roots = id, { id }
  local names = { network .. ":" .. person.key, unpack(person.also or {}) }
  for _, name in ipairs(names) do
    self.store:run("insert or ignore into identities (identity, person_id) values (?, ?)",
      { name, id })
    roots[#roots + 1] = self.store:row([[select coalesce(p.same_as, p.id) as id from identities i
      join people p on p.id = i.person_id where i.identity = ?]], { name }).id
    root = math.min(root, roots[#roots])
  end
  for _, other in ipairs(roots) do
    if other ~= root then
      self.store:run("update people set same_as = ? where id = ? or same_as = ?",
        { root, other, other })
    end
  end
end

local function add_person(self, source_id, listing, network, person)
  network = person.network or network
  local cover = cover_id(self, person.cover)
  self.store:run([[insert into people (network, key, handle, name, url, cover_id, seen, noindex)
    values (?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (network, key) do update set handle = excluded.handle, name = excluded.name,
      url = excluded.url, cover_id = excluded.cover_id, seen = excluded.seen,
      noindex = excluded.noindex]],
    { network, person.key, person.handle, person.name, person.url, cover, system.time(),
      person.noindex or false })
  local id = self.store:row("select id from people where network = ? and key = ?",
    { network, person.key }).id
  identify(self, id, network, person)
  self.store:run([[insert or ignore into source_people (source_id, listing, person_id)
    values (?, ?, ?)]], { source_id, listing, id })
  if not cover then return end
  self.store:run("insert or ignore into person_covers (person_id, cover_id) values (?, ?)",
    { id, cover })
  if person.cover.own then
    self.store:run([[update covers set state = 'skipped', reason = 'default',
      detail = 'shared by several accounts' where id = ? and state <> 'skipped'
      and (select count(*) from person_covers where cover_id = covers.id) >= ?]],
      { cover, M.shared_by_default })
  end
end

local function move_cursor(self, source_id, listing, page)
  self.store:run("insert or ignore into cursors (source_id, listing) values (?, ?)",
    { source_id, listing })
  self.store:run([[update cursors set position = ?, finished = ?, pages = pages + 1
    where source_id = ? and listing = ?]], { page.next, page.next == nil, source_id, listing })
end

---Takes in one page of a listing together with the place where the next begins.
---@param page daub.collect.Page  perhaps with `answers`: what to ask for it again with
---@param move boolean? false: the cursor stays (the page was taken in part)
function Intake:commit_page(source_id, listing, network, page, move)
  self.store:transaction(function()
    for _, person in ipairs(page.people) do
      add_person(self, source_id, listing, network, person)
    end
    for _, answer in ipairs(page.answers or {}) do remember(self, source_id, answer) end
    if move ~= false then move_cursor(self, source_id, listing, page) end
  end)
end

---Takes in one page of the list whose people are wanted only if they are in another one, too.
---@param page daub.collect.Page
function Intake:commit_candidates(source_id, listing, page)
  self.store:transaction(function()
    if page.first then
      self.store:run("delete from candidates where source_id = ?", { source_id })
    end
    for _, person in ipairs(page.people) do
      self.store:run("insert or ignore into candidates (source_id, key) values (?, ?)",
        { source_id, person.key })
    end
    move_cursor(self, source_id, listing, page)
  end)
end

---Whether the first list had this person.
function Intake:candidate(source_id, key)
  return self.store:row("select 1 as yes from candidates where source_id = ? and key = ?",
    { source_id, key }) ~= false
end

---Whether this person is never to be taken in again.
---@param person daub.collect.Person
function Intake:forgotten(network, person)
  return self.some_forgotten and forget.known(self.collection, network, person)
end

-- ---- covers ------------------------------------------------------------------------------------

---Up to `count` covers to fetch whose id is above `after`, in order: {id, key, url, public, …}.
---With `before` also those that were last asked for before that time, unless it is known what they
---hash to: these cannot have changed.
function Intake:waiting(after, count, before)
  local list = {}
  for row in self.store:rows([[select id, key, url, public, etag, last_modified,
    fallbacks, sha256 as expected from covers
    where id > ? and (state = 'waiting'
      or checked < ? and (state = 'skipped' or state = 'done' and sha256 is null))
    order by id limit ?]], { after, before or -1, count }) do
    list[#list + 1] = row
  end
  return list
end

function Intake:waiting_count(after)
  return self.store:row("select count(*) as n from covers where state = 'waiting' and id > ?",
    { after }).n
end

---What failed in an earlier run is tried again.
function Intake:retry_failed()
  self.store:run([[update covers set state = 'waiting', reason = null, detail = null
    where state = 'failed']])
end

---Takes a picture in. False when another cover has the same bytes already.
---@param picture daub.CollectedPicture  without path and added
---@param validators? {etag: string?, last_modified: string?}
---@return boolean
function Intake:keep(id, picture, validators)
  return self.store:transaction(function()
    local twin = self.store:row([[select 1 as yes from covers c join pictures p
      on p.id = c.picture_id where p.sha256 = ? and c.state = 'done' and c.id <> ?]],
      { picture.sha256, id })
    self.store:run([[insert or ignore into pictures
      (sha256, format, width, height, bytes, phash, added) values (?, ?, ?, ?, ?, ?, ?)]],
      { picture.sha256, picture.format, picture.width, picture.height, picture.bytes,
        picture.phash, system.time() })
    self.store:run([[update covers set state = 'done', reason = null, detail = null,
      picture_id = (select id from pictures where sha256 = ?), etag = ?, last_modified = ?,
      checked = ? where id = ?]], { picture.sha256, validators and validators.etag,
      validators and validators.last_modified, system.time(), id })
    return not twin
  end)
end

---For good: the picture is of no use.
---@param validators? {etag: string?, last_modified: string?}
function Intake:skip(id, reason, detail, validators)
  self.store:run([[update covers set state = 'skipped', reason = ?, detail = ?, picture_id = null,
    etag = ?, last_modified = ?, checked = ? where id = ?]], { reason, detail,
    validators and validators.etag, validators and validators.last_modified, system.time(), id })
end

---For now: it could not be had. What was had before stays.
function Intake:fail(id, detail)
  self.store:run([[update covers set state = 'failed', reason = 'unreachable', detail = ?,
    checked = ? where id = ? and state = 'waiting']], { detail, system.time(), id })
end

---The server says nothing changed since last time.
function Intake:unchanged(id)
  self.store:run("update covers set checked = ? where id = ?", { system.time(), id })
end

-- ---- files and database agree ------------------------------------------------------------------

---Before a run: a file that was deleted by hand is left out from now on, a damaged one is fetched
---again. When all are gone nobody chose: they are fetched again, too. Returns how many were removed
---and damaged.
---@return integer removed, integer damaged
function Intake:check_files()
  local removed, damaged, whole = {}, {}, 0
  for p in self.store:rows([[select id, sha256, format, bytes from pictures
    where removed = 0 and same_as is null]]) do
    local stat = system.stat(self.collection:file(p.sha256, p.format))
    if not stat then
      removed[#removed + 1] = p.id
    elseif stat.size ~= p.bytes then
      damaged[#damaged + 1] = p.id
    else
      whole = whole + 1
    end
  end
  if whole == 0 and #damaged == 0 then removed, damaged = {}, removed end
  self.store:transaction(function()
    for _, id in ipairs(removed) do
      self.store:run("update pictures set removed = 1 where id = ?", { id })
    end
    for _, id in ipairs(damaged) do
      self.store:run([[update covers set state = 'waiting', etag = null, last_modified = null
        where picture_id = ?]], { id })
    end
  end)
  return #removed, #damaged
end

---Before and after a run: pictures nothing leads to any more lose their row and their file,
---look-alikes that came again lose the file.
function Intake:sweep()
  local orphans = {}
  for p in self.store:rows("select sha256, format from pictures where same_as is not null") do
    system.remove(self.collection:file(p.sha256, p.format))
  end
  for p in self.store:rows([[select id, sha256, format from pictures p
    where not exists (select 1 from covers c where c.picture_id = p.id)
    and not exists (select 1 from pictures q where q.same_as = p.id)]]) do
    orphans[#orphans + 1] = p
  end
  for _, p in ipairs(orphans) do
    self.store:run("delete from pictures where id = ?", { p.id })
    system.remove(self.collection:file(p.sha256, p.format))
  end
end

return M
