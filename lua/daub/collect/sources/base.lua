-- What all sources share: what a person and a page are, and asking a server for JSON.
--
-- A source is a table with
--   network    "bluesky"        spec  "bluesky:alice.bsky.social"      api  "" or the --api address
--   noun       what it lists: "people", "files", "addresses"
--   listings   the names of its listings, in order: {"followers", "following"}
--   mutual     true: only people who are in all listings count
--   page(self, listing, position, get) -> page, or nil, message, code
--     `position` is nil for the first page and otherwise a page's `next`, which may be days old.
--     The request for the list is the last one it makes.
-- and, where the list does not hold everything about its people,
--   batch                       how many people `complete` takes at once
--   complete(self, people, get) -> true, or nil, message, code: adds cover, name, noindex …
-- and, where something is to be settled with the person running this before the first page,
--   begin(self, get, ask, o)    -> true, or nil, message, code; ask(question) -> boolean; o.limit:
--                               how many people are wanted; what it asks for it asks with keep
--
-- `get` asks the network (see below) and may suspend the caller, which runs in a coroutine. A GET
-- answered before is asked conditionally; an unchanged answer never reaches the source, unless it
-- asked with keep = true: then it gets what it got before.
--
-- The module of a network has `new(who, {api =, list =, exclude =})`, `relations` (the listings it
-- has, of followers, following, friends and list; a source of its own overrides them where they
-- depend on WHO) and perhaps `terms`, one line.
local system = require "daub.core.system"

local M = {}

---@class daub.collect.Cover  what a person shows
---@field key string      equal keys are equal bytes
---@field url string      http(s), or file:///…, zip:///… on this machine
---@field skip string?    it is known beforehand to be of no use: a reason of collection.reasons
---@field detail string?
---@field fallback string[]? other addresses of the same picture, tried in order when this one fails
---@field sha256 string?  what the bytes at `url` hash to; others are refused
---@field private boolean? the person running this named the server: it may be in the local network
---@field own boolean?    the address is made for one account: shared ones are a server's default

---@class daub.collect.Person
---@field key string      what stays when the handle changes
---@field handle string
---@field name string?
---@field url string?
---@field cover daub.collect.Cover?  nil: they show none
---@field network string? where the key is from, when that is not the source's own network
---@field also string[]?  what they are called elsewhere: "acct:alice@host", "bluesky:did:plc:…"
---@field noindex boolean? they ask not to be found by machines

---@class daub.collect.Page
---@field people daub.collect.Person[]
---@field next string?    where the next page begins; nil: this was the last
---@field total integer?  how many there are in all, when the server tells
---@field nameless integer? entries of the server's list that name nobody

---@class daub.collect.Source
---@field network string
---@field spec string
---@field api string
---@field noun string
---@field listings string[]
---@field mutual boolean?
---@field relations string[]?  what it can list, when that is not what its module says
---@field batch integer?

-- get(url, {headers =, method =, json =, form =, body =, public_only =, retries =,
--   keep =}) ->
-- the result of daub.http, refusals included | nil, message, code
---@alias daub.collect.Get fun(url: string, o: table?): table|nil, string?, string?

---A failure told of the source it happened to.
---@return nil, string message, string code
function M.fail(source, message, code)
  return nil, source.spec .. ": " .. message, code
end

---What to say of a list that shows nobody though its owner says there are some.
---@return nil, string message, "hidden"
function M.hidden(source, total, listing)
  return M.fail(source, ("hides the list (%d %s, none shown)"):format(total, listing), "hidden")
end

---What to say where somebody has no list of the name that was given, but perhaps others.
---@param names string[]
---@return nil, string message, "missing"
function M.no_list(source, names)
  return M.fail(source, ("no list of that name (%s)"):format(#names > 0
    and "there are: " .. table.concat(names, ", ", 1, math.min(#names, 20))
    or "the account has made none"), "missing")
end

---The value when it is a string of sane length: what a server sends may be anything.
---@return string|nil
function M.text(value)
  if type(value) == "string" and value ~= "" and #value <= 8192 then return value end
end

---The full path of a file or folder the person running this named; "~/" is their home, which shells
---leave alone after a colon. nil when it does not exist.
---@return string|nil
function M.path(argument)
  local rest = argument:match("^~(/.*)$") or (argument == "~" and "")
  return (system.realpath(rest and (os.getenv("HOME") or "") .. rest or argument))
end

---"https://host:port" of an address, in lower case; nil for anything but http and https.
---@return string|nil
function M.origin(url)
  local scheme, host = tostring(url):match("^(%a+)://([^/?#%s]+)")
  if not scheme then return nil end
  scheme = scheme:lower()
  if scheme ~= "http" and scheme ~= "https" then return nil end
  return scheme .. "://" .. host:lower()
end

---A cover at an address a server named. Anything but a plain http(s) address is left out.
---@return daub.collect.Cover
function M.cover(url, o)
  local cover = { key = url, url = url }
  for key, value in pairs(o or {}) do cover[key] = value end
  if #url > 4096 or url:find("[%c%s]") or not M.origin(url) then
    cover.skip, cover.detail = "bad-address", "not an http or https address"
    cover.key, cover.url = "bad:" .. url:sub(1, 200), url:sub(1, 200)
  end
  return cover
end

---The people of a server's list, and how many of its entries name nobody: who was suspended or is
---gone, and what is damaged.
---@param entries table
---@param person_of fun(entry: any): daub.collect.Person|nil
---@return daub.collect.Person[], integer nameless
function M.people(entries, person_of)
  local people, nameless = {}, 0
  for _, entry in ipairs(entries) do
    local person = person_of(entry)
    people[#people + 1] = person
    if not person then nameless = nameless + 1 end
  end
  return people, nameless
end

---Asks for a JSON object or list. A server's refusal has the status as code ("http-404") and, last,
---what the server's own JSON has for it: a word, or an object.
---@return table|nil answer, table|string response_or_message, string? code, string|table|nil word
function M.get_json(get, url, o)
  local response, message, code = get(url, o)
  if not response then return nil, message, code end
  if response.error and response.code == "http" then
    local said = response.body and response.json()
    local word = type(said) == "table" and said.error or nil
    word = type(word) == "table" and word or M.text(word)
    return nil, response.error, "http-" .. response.status, word
  elseif response.error then
    return nil, response.error, response.code
  end
  local answer
  answer, message = response.json()
  if type(answer) ~= "table" then
    return nil, (message or "something other than an object came")
      .. " (is this the right server?)", "format"
  end
  return answer, response
end

return M
