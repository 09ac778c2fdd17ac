-- A session: requests in, results out, with the manners a server may expect in between. Failures
-- that may pass are tried again after a growing, random delay; a server that names a time is left
-- alone until then.
local core = require "daub.core.http"
local system = require "daub.core.system"
local limits = require "daub.http.limits"
local nearest = require "daub.nearest"
local options = require "daub.options"
local duration = require("daub.progress").duration
local results = require "daub.http.result"

---@class daub.http.Session
local Session = {}
Session.__index = Session

local SESSION_OPTIONS = {
  user_agent = true, ca_file = true, per_host = true, total = true, max_redirects = true,
  timeout = true, total_timeout = true, connect_timeout = true, max_bytes = true,
  retries = true, backoff = true, max_backoff = true, max_wait = true, on_wait = true,
  on_limit = true,
}
local CORE_FIELDS = {
  "url", "method", "body", "form", "file", "sync", "unhashed", "public_only", "timeout",
  "total_timeout", "max_bytes", "redirects",
}
local REQUEST_OPTIONS = {
  headers = true, json = true, etag = true, last_modified = true, retries = true, safe = true,
  tag = true,
}
for _, name in ipairs(CORE_FIELDS) do REQUEST_OPTIONS[name] = true end

local SLICE = 0.25        -- seconds between looks at what is waiting, for the countdown
local ON_LIMIT = { "wait", "stop" }
local DEAD_AFTER = 3      -- requests in a row given up for lack of a connection
local DEAD_FOR = 60       -- seconds nothing more is asked of that host then
local SAFE_AGAIN = { GET = true, HEAD = true, PUT = true, DELETE = true }
local NEVER_SENT = { connect = true, resolve = true }

local function check_names(what, given, known, level)
  for name in pairs(given) do
    if not known[name] then
      local names = {}
      for n in pairs(known) do names[#names + 1] = n end
      error(("%s: unknown option %s%s"):format(what, tostring(name),
        nearest.hint(tostring(name), names)), level + 1)
    end
  end
end

local function origin_of(url)
  return (url:match("^%a+://[^/?#]*") or url):lower()
end

local function host_of(origin)
  return (origin:gsub("^%a+://", ""))
end

-- A number in [0, 1) that leaves the script's own random numbers alone.
local function random()
  local a, b, c = system.random_bytes(3):byte(1, 3)
  return (a * 65536 + b * 256 + c) / 2 ^ 24
end

--- See daub.http for the options.
---@param o table|nil
---@return daub.http.Session
function Session.new(o)
  o = o or {}
  check_names("http.session", o, SESSION_OPTIONS, 3)
  return setmetatable({
    core = core.session(o),
    retries = o.retries or 4,
    backoff = o.backoff or 0.5,
    max_backoff = o.max_backoff or 30,
    max_wait = o.max_wait or 1200,
    on_wait = o.on_wait,
    on_limit = options.choice("http.session", "on_limit", o.on_limit or "wait", ON_LIMIT),
    jobs = {},       -- by the core's id: what is under way
    hosts = {},      -- by origin: see host() below
    held = {},       -- those of them that are waited for
    ready = {},      -- results not yet handed out
    count = 0,       -- jobs under way
    last_id = 0,
  }, Session)
end

-- Requests ---------------------------------------------------------------------------------------

-- `at`: when the request is sent, in seconds since 1970, as far as is known.
local function core_headers(request, at)
  local list, given = {}, request.headers or {}
  if type(given) == "function" then given = given(at) end
  for name, value in pairs(given) do
    list[#list + 1] = { name, tostring(value) }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  if request.etag then list[#list + 1] = { "If-None-Match", request.etag } end
  if request.last_modified then
    list[#list + 1] = { "If-Modified-Since", request.last_modified }
  end
  if request.json ~= nil then list[#list + 1] = { "Content-Type", "application/json" } end
  return list
end

local function core_request(request, level)
  local c = {}
  for _, name in ipairs(CORE_FIELDS) do c[name] = request[name] end
  if request.json ~= nil then
    if request.body or request.form then
      error("http: a request has one of json, body and form", level + 1)
    end
    local text, message = require("daub.json").encode(request.json)
    if not text then error("http: json: " .. message, level + 1) end
    c.body = text
  end
  c.method = (c.method or (c.body or c.form) and "POST" or "GET"):upper()
  return c
end

function Session:host(origin)
  local host = self.hosts[origin]
  if not host then
    host = { origin = origin, jobs = 0, failures = 0 }
    self.hosts[origin] = host
  end
  return host
end

function Session:fail(job, message, code)
  local answer = { error = message, code = code, retryable = false }
  self:deliver(job, results.new(answer, job))
end

function Session:deliver(job, result)
  result.attempts = job.attempts
  self.ready[#self.ready + 1] = result
end

-- Hands a job to the core. Jobs of a host that is being left alone for too long fail here.
function Session:send(job, delay, first)
  local host = self:host(job.origin)
  if host.refused and host.refused > system.now() then
    return self:fail(job, host.refusal, host.refusal_code)
  end
  job.core.delay, job.core.first = delay, first
  local held = host.held_until and host.held_until - system.now() or 0
  job.core.headers = core_headers(job.request, system.time() + math.max(delay or 0, held))
  job.starts = system.now() + (delay or 0)
  local id, message, code = self.core:add(job.core)
  if not id then return self:fail(job, message, code) end
  job.core_id = id
  self.jobs[id] = job
  self.count = self.count + 1
  host.jobs = host.jobs + 1
end

function Session:forget(job)
  self.jobs[job.core_id] = nil
  self.count = self.count - 1
  local host = self.hosts[job.origin]
  host.jobs = host.jobs - 1
end

function Session:enqueue(request, level)
  if type(request) == "string" then request = { url = request } end
  if type(request) ~= "table" or type(request.url) ~= "string" then
    error("http: expected a URL or a table with url, got " .. type(request), level + 1)
  end
  check_names("http", request, REQUEST_OPTIONS, level + 1)
  self.last_id = self.last_id + 1
  local job = {
    id = self.last_id, request = request, core = core_request(request, level + 1),
    origin = origin_of(request.url), attempts = 0, waited = 0,
    retries = request.retries or self.retries,
  }
  self:send(job)
  return job.id, job
end

--- Queues a request and returns its id at once; poll brings the result.
---@param request string|table a URL, or a table as daub.http describes it
---@return integer id
function Session:add(request)
  local id = self:enqueue(request, 2)
  return id
end

--- At most so many requests at once to the origin of `url`, whatever per_host says: manners towards
--- an API.
---@param url string
---@param most integer
function Session:cap(url, most)
  self.core:cap(url, most)
end

-- Answers ----------------------------------------------------------------------------------------

-- Full jitter: anywhere between nothing and a bound that doubles.
function Session:jitter(attempt)
  return random() * math.min(self.max_backoff, self.backoff * 2 ^ attempt)
end

-- Jobs of `host` fail, now and for so many seconds.
function Session:refuse(host, seconds, message, code)
  host.refused, host.refusal, host.refusal_code = system.now() + seconds, message, code
  for id, job in pairs(self.jobs) do
    if job.origin == host.origin and self.core:cancel(id) then
      self:forget(job)
      self:fail(job, message, code)
    end
  end
end

-- How long a host may be waited for, and why not longer.
function Session:patience(reason)
  if self.on_limit == "stop" and reason == "rate limit" then return 0 end
  return self.max_wait
end

-- "x.com asks to wait 12 min 30 s (rate limit)" and what stands against it.
function Session:too_long(origin, seconds, reason)
  local text = ("%s asks to wait %s (%s)"):format(host_of(origin), duration(seconds), reason)
  if self:patience(reason) < self.max_wait then return text .. ": stopped (run it again then)" end
  return ("%s, longer than max_wait of %s"):format(text, duration(self.max_wait))
end

-- Nothing is sent to the origin for so many seconds. False when that is longer than is granted.
function Session:pause(origin, seconds, reason)
  local host = self:host(origin)
  if seconds > self:patience(reason) then
    self:refuse(host, seconds, self:too_long(origin, seconds, reason), "rate-limit")
    return false
  end
  local ends = system.now() + seconds
  if not host.held_until or ends > host.held_until then
    host.held_until, host.reason = ends, reason
    self.held[origin] = host
    self.core:hold(origin, seconds)
  end
  return true
end

-- A refusal for now: the host is left alone, then this job goes first. False when it has waited
-- enough.
function Session:wait_and_repeat(job, result, wait)
  local seconds = wait.seconds
  if not seconds then
    if job.attempts > job.retries then return false end
    seconds = 1 + self:jitter(job.attempts)
  end
  job.waited = job.waited + seconds
  local origin = origin_of(result.url)
  local patience = self:patience(wait.reason)
  if job.waited > patience then
    if seconds > patience then self:pause(origin, seconds, wait.reason) end
    result.error = patience < self.max_wait and self:too_long(origin, seconds, wait.reason)
      or ("%s; to try again takes %s, and max_wait allows %s in all"):format(
        results.refusal(result), duration(seconds), duration(self.max_wait))
    result.code, result.retryable = "rate-limit", true
    return false
  end
  self:pause(origin, seconds, wait.reason)
  self:host(origin).awaited = true
  self:send(job, origin ~= job.origin and seconds or 0, true)
  return true
end

local function may_repeat(job, result)
  local passing = result.retryable
    or (not result.error and (result.status == 408 or result.status >= 500)
      and result.status ~= 501 and result.status ~= 505)
  if not passing then return false end
  local safe = SAFE_AGAIN[job.core.method] or job.request.safe or NEVER_SENT[result.code]
  if not safe then return false end
  local allowed = result.code == "resolve" and math.min(1, job.retries) or job.retries
  return job.attempts <= allowed
end

-- Without a connection the whole host is left alone for the delay, else only this request waits.
function Session:repeat_later(job, result)
  local delay = self:jitter(job.attempts - 1)
  if NEVER_SENT[result.code] then
    self:pause(origin_of(result.url), delay, "no connection")
    self:send(job, 0, true)
  else
    self:send(job, delay)
  end
end

-- Keeps count of hosts that cannot be reached, so that a thousand requests do not each wait for a
-- timeout.
function Session:note_reach(job, result)
  local host = self:host(job.origin)
  if result.status then
    host.failures = 0
  elseif NEVER_SENT[result.code] then
    host.failures = host.failures + 1
    if host.failures >= DEAD_AFTER then
      local message = ("%s cannot be reached (%d requests in a row failed, the last: %s)"):format(
        host_of(job.origin), host.failures, result.error)
      self:refuse(host, DEAD_FOR, message, "connect")
    end
  end
end

-- One attempt has ended: the job goes round again, or its result is ready.
function Session:settle(job, answer)
  self:forget(job)
  job.attempts = job.attempts + 1
  local result = results.new(answer, job)
  local wait = not result.error and limits.read(result, system.time())
  local again = not system.interrupted()
  if wait and wait.limited and again then
    if self:wait_and_repeat(job, result, wait) then return end
  elseif again and may_repeat(job, result) then
    return self:repeat_later(job, result)
  elseif wait and wait.seconds then
    self:pause(origin_of(result.url), wait.seconds, wait.reason)
  end
  self:note_reach(job, result)
  if not result.error and result.status >= 400 then
    result.error = results.refusal(result)
    result.code = wait and wait.limited and "rate-limit" or "http"
    result.retryable = false
  end
  self:deliver(job, result)
end

-- Nothing of the job is on its way: its host is waited for, or its next attempt is not due.
function Session:is_waiting(job)
  local now, host = system.now(), self.hosts[job.origin]
  return job.starts > now or (host.held_until ~= nil and host.held_until > now)
end

-- Tells on_wait of every host that is waited for, once a second, and once that it is over.
function Session:tell_waits()
  local now = system.now()
  for origin, host in pairs(self.held) do
    local left = host.held_until > now and math.ceil(host.held_until - now) or 0
    local tell = self.on_wait and (host.jobs > 0 or host.awaited or host.told)
    local news = tell and left ~= host.told and (left > 0 or host.told)
    if news then host.told = left end
    if left == 0 then
      self.held[origin] = nil
      host.held_until, host.told, host.awaited = nil, nil, nil
    end
    if news then self.on_wait(host_of(origin), left, host.reason) end
  end
end

-- Moves everything on for at most `seconds`, until something is ready. True | nil, message, code.
function Session:step(seconds)
  local deadline = system.now() + seconds
  repeat
    local left = math.max(0, deadline - system.now())
    local answers, message, code = self.core:poll(math.min(left, SLICE))
    if not answers then return nil, message, code end
    for _, answer in ipairs(answers) do
      local job = self.jobs[answer.id]
      if job then self:settle(job, answer) end
    end
    self:tell_waits()
  until #self.ready > 0 or self.count == 0 or system.now() >= deadline or system.interrupted()
  return true
end

-- Results ----------------------------------------------------------------------------------------

--- The results that are there, waiting for the first at most `seconds`; an empty list when none
--- came. A failure is a result with `error` and `code`. nil, message, "interrupted" after Ctrl-C.
---@param seconds number|nil 0: only what is there already
---@return daub.http.Result[]|nil, string?, string?
function Session:poll(seconds)
  if #self.ready == 0 then
    local ok, message, code = self:step(seconds or 0)
    if not ok then return nil, message, code end
  end
  local list = self.ready
  self.ready = {}
  return list
end

--- Requests added whose results were not yet handed out.
---@return integer
function Session:pending()
  return self.count + #self.ready
end

--- Drops a request. False when its result is ready or was handed out.
---@param id integer
---@return boolean
function Session:cancel(id)
  for core_id, job in pairs(self.jobs) do
    if job.id == id then
      if not self.core:cancel(core_id) then return false end
      self:forget(job)
      return true
    end
  end
  return false
end

-- Takes the ready results `wanted` says yes to.
function Session:take(wanted)
  local taken, kept = {}, {}
  for _, result in ipairs(self.ready) do
    if wanted(result) then taken[#taken + 1] = result else kept[#kept + 1] = result end
  end
  self.ready = kept
  return taken
end

--- Sends one request and waits for its result; others of the session move on meanwhile. A refusal
--- (status 400 and more) is a failure, too: then the fourth value is the result with its body.
---@param request string|table as for add
---@return daub.http.Result|nil result, string? message, string? code, daub.http.Result? refusal
function Session:request(request)
  local id, job = self:enqueue(request, 2)
  while true do
    local result = self:take(function(r) return r.id == id end)[1]
    if result and result.error then return nil, result.error, result.code, result end
    if result then return result end
    local ok, message, code = self:step(1)
    if ok and system.interrupted() and self:is_waiting(job) then
      ok, message, code = nil, "interrupted", "interrupted"
    end
    if not ok then
      self:cancel(id)
      return nil, message, code
    end
  end
end

--- GET `url`; `o` holds the other fields of a request.
---@param url string
---@param o table|nil
---@return daub.http.Result|nil result, string? message, string? code, daub.http.Result? refusal
function Session:get(url, o)
  local request = {}
  for name, value in pairs(o or {}) do request[name] = value end
  request.url = url
  return self:request(request)
end

--- Fetches many, as fast as the caps allow, asking for the next request only when there is room for
--- it. on_result gets each result as it comes (failures have `error`); returning false ends the
--- fetching.
---@param list table|fun(): string|table|nil URLs and requests, or a function giving the next one
---@param on_result fun(result: daub.http.Result): boolean?
---@return integer|nil done, string? message, string? code
function Session:get_many(list, on_result)
  local index = 0
  local pull = type(list) == "function" and list or function()
    index = index + 1
    return list[index]
  end
  local mine, open, done, more = {}, 0, 0, true
  local function stop()
    for id in pairs(mine) do self:cancel(id) end
    self:take(function(r) return mine[r.id] end)
  end
  while true do
    while more and open < 256 do
      local request = pull()
      if request == nil then more = false break end
      mine[self:enqueue(request, 2)] = true
      open = open + 1
    end
    for _, result in ipairs(self:take(function(r) return mine[r.id] end)) do
      mine[result.id] = nil
      open, done = open - 1, done + 1
      if on_result(result) == false then
        stop()
        return done
      end
    end
    if open == 0 and not more then return done end
    local ok, message, code = self:step(SLICE)
    if ok and system.interrupted() then ok, message, code = nil, "interrupted", "interrupted" end
    if not ok then
      stop()
      return nil, message, code
    end
  end
end

--- Drops everything under way, partial files included. A closed session takes no more requests.
function Session:close()
  self.core:close()
  self.jobs, self.ready, self.count = {}, {}, 0
end

return Session
