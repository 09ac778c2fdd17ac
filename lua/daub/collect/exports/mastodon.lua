-- Mastodon's CSV of followers or of who is followed (Preferences > Import and export): accounts,
-- one a line, each of which is looked up at its own server, where their header stands; several
-- servers at a time.
local base = require "daub.collect.sources.base"
local http = require "daub.http"
local mastodon = require "daub.collect.sources.mastodon"
local system = require "daub.core.system"

local M = {}

local LARGEST = 64 * 2 ^ 20 -- bytes

local at_once = 16 -- accounts that are looked up at the same time

---Where a server is, and whether it may be in the local network: whose name stands in a list was
---not chosen by the person who runs this.
---@param host string
---@return string root, boolean private
function M.root(host) return "https://" .. host, false end

-- The first field of a line.
local function field_of(line)
  return line:match('^%s*"([^"]*)"') or line:match("^%s*([^,;]-)%s*[,;]")
    or line:match("^%s*(.-)%s*$")
end

-- All answers are kept, so that the next run asks for them conditionally.
local function ask(get, url, private)
  return base.get_json(get, url, { public_only = not private, keep = true, retries = 1 })
end

local function lookup(get, root, private, name)
  return ask(get, ("%s/api/v1/accounts/lookup?acct=%s"):format(root, http.escape(name)), private)
end

-- The server behind a handle may have another name (WebFinger, RFC 7033): "https://social.a.test".
local function server_of(get, root, private, acct)
  local answer = ask(get, ("%s/.well-known/webfinger?resource=%s"):format(root,
    http.escape("acct:" .. acct)), private)
  for _, link in ipairs(answer and type(answer.links) == "table" and answer.links or {}) do
    local href = type(link) == "table" and link.rel == "self" and base.text(link.href)
    local origin = href and base.origin(href)
    if origin and origin ~= root then return origin end
  end
end

-- Failures of a server that the next account of it would meet, too.
local silent = { connect = true, resolve = true, timeout = true, tls = true, address = true,
  ["rate-limit"] = true }

-- What cannot be asked now is tried again by the next run. `dead`: host -> why it is not asked.
local function look_up(person, get, dead)
  local user, host = person.handle:match("^(.-)@(.+)$")
  host = host:lower()
  local root, private = M.root(host)
  local account, message, code = nil, dead[host], nil
  if not message then account, message, code = lookup(get, root, private, user) end
  if silent[code] then dead[host] = message end
  if not account and not dead[host] then
    local other = server_of(get, root, private, person.handle)
    if other then account, message, code = lookup(get, other, private, person.handle) end
  end
  if account and base.text(account.acct) then
    local found = mastodon.person(account, host, private)
    person.name, person.url, person.noindex = found.name, found.url, found.noindex
    person.cover = found.cover
  elseif code ~= "http-404" and code ~= "http-410" then
    person.cover = { key = "lookup:" .. person.key, url = root, skip = "unreachable",
      detail = message or "the answer names no account" }
  end
end

-- Looks all of them up at the same time: each in a coroutine that waits for its own answers.
local function complete(people, get, dead)
  local left, failure = #people, nil
  for _, person in ipairs(people) do
    coroutine.resume(coroutine.create(function()
      local ok, message = pcall(look_up, person, get, dead)
      left, failure = left - 1, failure or not ok and message or nil
    end))
  end
  while left > 0 do coroutine.yield() end
  if failure then error(failure, 0) end
  return true
end

---@param path string
---@return daub.collect.ExportEntries|nil, string? message, string? code
function M.entries(path)
  local text, message, code = system.read_file(path, LARGEST)
  if not text then return nil, message, code end
  local accounts, seen, bad = {}, {}, 0
  for line in (text:gsub("^\239\187\191", "") .. "\n"):gmatch("(.-)\r?\n") do
    local field = field_of(line)
    local acct = field and field:match("^@?([%w_.-]+@[%w.-]+)$")
    if acct and #acct <= 320 and not seen[acct:lower()] then
      seen[acct:lower()] = true
      accounts[#accounts + 1] = acct
    elseif not acct and field ~= "" and field ~= "Account address" then
      bad = bad + 1
    end
  end
  if #accounts == 0 or bad > #accounts then
    return nil, path .. ": not a list of accounts (Mastodon's CSV of followers expected)", "format"
  end
  local dead = {}
  return { count = #accounts, batch = at_once, entry = function(i)
    local acct = accounts[i]
    local name = "acct:" .. acct:lower()
    return { key = name, handle = acct, also = { name } }
  end, complete = function(_, people, get) return complete(people, get, dead) end }
end

return M
