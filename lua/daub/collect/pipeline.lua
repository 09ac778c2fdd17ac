-- From covers that wait to pictures that are kept: several are fetched at once, each is decoded in
-- the sandbox, judged, and only then takes its place in pictures/. Nothing here blocks: the caller
-- fills, polls its session and hands results in.
--
--   local p = pipeline.new(collection, intake, session, { concurrency = 8, on_event = f })
--   repeat p:fill(); … p:arrived(result) …; p:decode(0.1) until p:idle()
local here = require "daub.collect.here"
local image = require "daub.core.image"
local judge = require "daub.collect.judge"
local store = require "daub.collect.store"
local system = require "daub.core.system"

local M = {}

M.max_bytes = 32 * 1024 * 1024 -- of one picture's file

---@class daub.collect.Pipeline
---@field kept integer      pictures taken in by this run
---@field skipped integer   covers set aside by this run
---@field decided integer   covers this run is done with, whatever became of them
local Pipeline = {}
Pipeline.__index = Pipeline

---@param o {concurrency: integer, refresh_before: number?, on_event: fun(event: table)?}
function M.new(collection, intake, session, o)
  local workers = math.max(1, math.min(system.threads(), 8))
  local self = setmetatable({
    collection = collection, intake = intake, session = session,
    concurrency = o.concurrency, refresh_before = o.refresh_before,
    on_event = o.on_event or function() end,
    decoder = image.decoder({ workers = workers, max_bytes = M.max_bytes, looks = true }),
    decode_ahead = 2 * workers + 2,
    incoming = collection.path .. "/incoming",
    fetching = {}, fetching_count = 0, -- transfer -> cover
    decoding = {},                     -- cover id -> job
    queue = {}, queue_at = 1, last_id = 0, more = true,
    kept = 0, skipped = 0, decided = 0,
  }, Pipeline)
  self:clear_incoming()
  return self
end

---What a killed run left half done.
function Pipeline:clear_incoming()
  for _, name in ipairs(system.list_directory(self.incoming) or {}) do
    system.remove(self.incoming .. "/" .. name)
  end
  system.make_directory(self.incoming)
end

---New covers may wait: a page was taken in.
function Pipeline:wake() self.more = true end

---Nothing is under way and nothing waits.
function Pipeline:idle()
  return not self.more and self.queue_at > #self.queue and self.fetching_count == 0
    and self.decoder:pending() == 0
end

---A picture is being decoded.
function Pipeline:decoding_any() return self.decoder:pending() > 0 end

local function next_cover(self)
  if self.queue_at > #self.queue then
    if not self.more then return nil end
    self.queue = self.intake:waiting(self.last_id, 100, self.refresh_before)
    self.queue_at = 1
    self.more = #self.queue == 100
    if #self.queue == 0 then return nil end
  end
  local cover = self.queue[self.queue_at]
  self.queue_at = self.queue_at + 1
  self.last_id = cover.id
  return cover
end

-- ---- outcomes ----------------------------------------------------------------------------------

local function finish(self, cover, event)
  self.decided = self.decided + 1
  if cover.file then system.remove(cover.file) end
  event.url = cover.url
  self.on_event(event)
end

local function skip(self, cover, reason, detail)
  self.intake:skip(cover.id, reason, detail, cover.sha256 and cover)
  self.skipped = self.skipped + 1
  finish(self, cover, { event = "skipped", reason = reason, detail = detail })
end

local function fail(self, cover, detail)
  self.intake:fail(cover.id, detail)
  self.skipped = self.skipped + 1
  finish(self, cover, { event = "skipped", reason = "unreachable", detail = detail })
end

-- Not synced to the disk: what a power cut takes is missed, and fetched again, by the next run.
local function move(from, to)
  if os.rename(from, to) then return true end
  local ok, message = system.make_directory(to:match("^(.*)/"))
  if ok then ok, message = os.rename(from, to) end
  return ok, message
end

-- The file takes its name first, then the database learns of it: a kill between the two costs
-- nothing but another download.
local function keep(self, cover, phash, info)
  local sha256 = cover.sha256 or system.sha256_file(cover.file)
  local stat = system.stat(cover.file)
  if not sha256 or not stat then return fail(self, cover, "its file vanished") end
  local picture = { sha256 = sha256, format = info.format, width = info.width, height = info.height,
    bytes = stat.size, phash = phash }
  local ok, message = move(cover.file, self.collection:file(sha256, info.format))
  if not ok then store.fail(message) end
  cover.file = nil
  local new = self.intake:keep(cover.id, picture, cover)
  if new then self.kept = self.kept + 1 else self.skipped = self.skipped + 1 end
  finish(self, cover, { event = new and "picture" or "skipped", reason = not new and "duplicate"
    or nil, sha256 = sha256, width = info.width, height = info.height })
end

-- ---- decoding ----------------------------------------------------------------------------------

local function start_decoding(self, cover)
  self.decoding[cover.id] = cover
  self.decoder:submit(cover.id, { path = cover.file })
end

---Waits up to `seconds` for decoded pictures and takes in those that are there.
function Pipeline:decode(seconds)
  if self.decoder:pending() == 0 then return end
  for _, result in ipairs(self.decoder:poll(seconds) or {}) do
    local cover = self.decoding[result.id]
    self.decoding[result.id] = nil
    if result.error then
      skip(self, cover, "unreadable", result.error)
    else
      local reason, detail = judge.reject(result.statistics, result.info)
      if reason then
        skip(self, cover, reason, detail)
      else
        keep(self, cover, result.phash, result.info)
      end
    end
  end
end

-- ---- fetching ----------------------------------------------------------------------------------

-- Failures of reading what lies on this machine that no repetition mends.
local spoilt = { missing = "gone", ["too-large"] = "too-big", format = "unreadable",
  decode = "unreadable" }

local function copy(self, cover)
  local bytes, message, code = here.read(cover.url, M.max_bytes)
  if not bytes and spoilt[code] then return skip(self, cover, spoilt[code], message) end
  if not bytes then return fail(self, cover, message) end
  local file, why = io.open(cover.file, "wb")
  if not file or not file:write(bytes) or not file:close() then
    store.fail(why or cover.file .. ": cannot be written (is the disk full?)")
  end
  cover.sha256 = system.sha256(bytes)
  start_decoding(self, cover)
end

local function fetch(self, cover)
  local id = self.session:add({ url = cover.url, file = cover.file, max_bytes = M.max_bytes,
    public_only = cover.public == 1, etag = self.refresh_before and cover.etag or nil,
    last_modified = self.refresh_before and cover.last_modified or nil })
  self.fetching[id] = cover
  self.fetching_count = self.fetching_count + 1
end

---Starts as many covers as may be under way.
function Pipeline:fill()
  while self.fetching_count < self.concurrency and self.decoder:pending() < self.decode_ahead do
    local cover = next_cover(self)
    if not cover then return end
    cover.file = ("%s/%d"):format(self.incoming, cover.id)
    if cover.key:find("^file:") then
      copy(self, cover)
    else
      fetch(self, cover)
    end
  end
end

-- What came is what was asked for: some addresses name their bytes' hash.
local function check(cover, result)
  if result.status == 200 and not result.error and cover.expected
    and result.sha256 ~= cover.expected then
    result.error, result.code = "other bytes came than the address names", "mismatch"
    system.remove(cover.file)
  end
end

-- Goes on with the picture's next address. False: there is none.
local function fetch_other(self, cover)
  local other, rest = (cover.fallbacks or ""):match("^([^\n]+)\n?(.*)$")
  if not other then return false end
  cover.url, cover.fallbacks, cover.expected = other, rest, nil
  fetch(self, cover)
  return true
end

-- Failures of a transfer that no repetition mends.
local unusable = { ["too-large"] = "too-big", address = "bad-address", url = "bad-address" }

---A transfer ended. False when it is none of the pipeline's.
---@param result table  of the session's poll
function Pipeline:arrived(result)
  local cover = self.fetching[result.id]
  if not cover then return false end
  self.fetching[result.id] = nil
  self.fetching_count = self.fetching_count - 1
  check(cover, result)
  local status = result.status
  if (result.error or status ~= 200 and status ~= 304) and result.code ~= "io"
    and fetch_other(self, cover) then
    return true
  end
  if status == 304 then
    self.intake:unchanged(cover.id)
    finish(self, cover, { event = "unchanged" })
  elseif status == 404 or status == 410 or status == 400 then
    skip(self, cover, "gone", ("the server answered %d"):format(status))
  elseif result.code == "io" then
    store.fail(result.error) -- ours, not the server's: the disk is full or the folder gone
  elseif unusable[result.code] then
    skip(self, cover, unusable[result.code], result.error)
  elseif result.error or status ~= 200 then
    fail(self, cover, result.error or ("the server answered %d"):format(status))
  else
    cover.sha256, cover.etag, cover.last_modified = result.sha256, result.etag, result.last_modified
    start_decoding(self, cover)
  end
  return true
end

---Lets go of everything under way; it waits again in the next run.
function Pipeline:close()
  self.decoder:close()
  for _, cover in pairs(self.fetching) do system.remove(cover.file) end
  self:clear_incoming()
  system.remove(self.incoming)
end

return M
