-- bluesky:HANDLE: the people who follow a Bluesky account, read without login from the public
-- AppView. A page of 100 people costs one call for the list and four for their banners; a banner
-- is fetched as it was uploaded, from where its owner keeps it.
local base = require "daub.collect.sources.base"
local bluesky = require "daub.api.bluesky"
local cid = require "daub.cid"
local http = require "daub.http"

local M = {}

M.relations = { "followers", "following", "list" }

M.terms = "what people post stays theirs (bsky.social/about/support/tos): ask those whose covers"
  .. " you would show to others"

local page_size, batch_size = 100, 25 -- the most the server takes
local most_list_pages = 10            -- of the lists an account has made
local calls = {
  followers = { method = "app.bsky.graph.getFollowers", key = "followers" },
  following = { method = "app.bsky.graph.getFollows", key = "follows" },
  list = { method = "app.bsky.graph.getList", key = "items" },
}

-- Labels people put on themselves: not for people without login, not for search engines.
local not_to_be_found = { ["!no-unauthenticated"] = true, noindex = true }

---@class daub.collect.Bluesky: daub.collect.Source
local Bluesky = {}
Bluesky.__index = Bluesky

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  local handle = argument:gsub("^@", ""):lower()
  if argument:match("^did:") then handle = argument end
  if not handle:match("^did:%l+:[%w._:%%-]+$") and not handle:match("^[%w-]+%.[%w.-]+$") then
    return nil, ("bluesky:%s: not a handle (expected one like alice.bsky.social)"):format(argument),
      "usage"
  end
  return setmetatable({
    network = "bluesky",
    spec = "bluesky:" .. handle,
    api = o.api or "",
    noun = "people",
    batch = batch_size,
    handle = handle,
    list = o.list,
    root = (o.api or bluesky.appview) .. "/xrpc/",
    blobs = o.api or bluesky.entryway,
  }, Bluesky)
end

-- The banner as it was uploaded, or else as JPEG in full size: without the suffix the CDN sends
-- WebP in its own choice of size. Its path ends in the CID: equal ones need one download, and the
-- upload's bytes can be checked.
local function banner(self, did, url)
  local private = self.api ~= ""
  local stem, id = url:match("^(https?://.*/img/banner/[^?#]*/(baf%w+))@?%l*$")
  local sha256 = id and cid.sha256(id)
  if not stem then return base.cover(url, { private = private }) end
  if not sha256 then return base.cover(stem .. "@jpeg", { key = id, private = private }) end
  return base.cover(bluesky.blob(self.blobs, did, id), { key = id, private = private,
    sha256 = sha256, fallback = { stem .. "@jpeg" } })
end

local function asks_not_to_be_found(profile)
  for _, label in ipairs(type(profile.labels) == "table" and profile.labels or {}) do
    if type(label) == "table" and not_to_be_found[label.val] and not label.neg then return true end
  end
  return nil
end

local function person_of(self, profile)
  local handle = base.text(profile.handle) or profile.did
  local known = handle ~= profile.did and handle ~= "handle.invalid"
  local banner_url = base.text(profile.banner)
  return {
    key = profile.did,
    handle = handle,
    name = base.text(profile.displayName),
    url = "https://bsky.app/profile/" .. (known and handle or profile.did),
    also = known and { ("acct:%s@bsky.brid.gy"):format(handle:lower()) } or nil, -- in the fediverse
    noindex = asks_not_to_be_found(profile),
    cover = banner_url and banner(self, profile.did, banner_url) or nil,
  }
end

local function explain(self, message, code, word)
  if code == "http-400" and message:find("Actor not found", 1, true) then
    return nil, ("%s: no such account (check the handle's spelling)"):format(self.spec), "missing"
  elseif code == "http-400" and message:find("List not found", 1, true) then
    return nil, ("%s: no such list"):format(self.spec), "missing"
  elseif word == "AccountTakedown" or word == "AccountDeactivated" then
    return nil, ("%s: the account is closed"):format(self.spec), "missing"
  end
  return base.fail(self, message, code)
end

-- What a call lists, as a table.
local function listed_of(self, answer, key)
  if type(answer[key]) == "table" then return answer[key] end
  return base.fail(self, ("the answer holds no %s (is this the right server?)"):format(key),
    "format")
end

-- The address of the list of that name among those the account has made, looked up once.
local function list_address(self, get)
  if self.list:match("^at://") then return self.list end
  local cursor, names = nil, {}
  for _ = 1, most_list_pages do
    local answer, message, code, word = base.get_json(get, self.root .. "app.bsky.graph.getLists?"
      .. http.query({ actor = self.handle, limit = page_size, cursor = cursor }), { keep = true })
    if not answer then return explain(self, message, code, word) end
    local lists
    lists, message, code = listed_of(self, answer, "lists")
    if not lists then return nil, message, code end
    for _, list in ipairs(lists) do
      local name = type(list) == "table" and base.text(list.name)
      if name and name:lower() == self.list:lower() and base.text(list.uri) then return list.uri end
      names[#names + 1] = name or nil
    end
    cursor = base.text(answer.cursor)
    if not cursor then break end
  end
  return base.no_list(self, names)
end

---@return daub.collect.Page|nil, string? message, string? code
function Bluesky:page(listing, position, get)
  local call, query = calls[listing], { actor = self.handle, limit = page_size, cursor = position }
  local answer, listed, message, code, word
  if listing == "list" then
    if not self.list_uri then self.list_uri, message, code = list_address(self, get) end
    if not self.list_uri then return nil, message, code end
    query.actor, query.list = nil, self.list_uri
  end
  answer, message, code, word = base.get_json(get, self.root .. call.method .. "?"
    .. http.query(query))
  if not answer then return explain(self, message, code, word) end
  listed, message, code = listed_of(self, answer, call.key)
  if not listed then return nil, message, code end
  local people, nameless = base.people(listed, function(profile)
    if listing == "list" and type(profile) == "table" then profile = profile.subject end
    return type(profile) == "table" and base.text(profile.did) and person_of(self, profile) or nil
  end)
  return { people = people, nameless = nameless, next = base.text(answer.cursor) }
end

---Lists hold no banners: these are in the full profiles. Suspended accounts are missing there.
---@return true|nil, string? message, string? code
function Bluesky:complete(people, get)
  local dids, by_did = {}, {}
  for i, person in ipairs(people) do
    dids[i], by_did[person.key] = person.key, person
  end
  local answer, message, code, word = base.get_json(get,
    self.root .. "app.bsky.actor.getProfiles?" .. http.query({ actors = dids }))
  if not answer then return explain(self, message, code, word) end
  local profiles
  profiles, message, code = listed_of(self, answer, "profiles")
  if not profiles then return nil, message, code end
  for _, profile in ipairs(profiles) do
    local person = type(profile) == "table" and by_did[base.text(profile.did) or ""]
    if person then
      for key, value in pairs(person_of(self, profile)) do person[key] = value end
    end
  end
  return true
end

return M
