-- bluesky:HANDLE: the people who follow a Bluesky account, read without login from the public
-- AppView. A page of 100 people costs one call for the list and four for their banners.
local base = require "daub.collect.sources.base"
local http = require "daub.http"

local M = {}

M.relations = { "followers", "following" }

local default_api = "https://public.api.bsky.app"
local page_size, batch_size = 100, 25 -- the most the server takes
local calls = {
  followers = { method = "app.bsky.graph.getFollowers", key = "followers" },
  following = { method = "app.bsky.graph.getFollows", key = "follows" },
}

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
    root = (o.api or default_api) .. "/xrpc/",
  }, Bluesky)
end

-- The banner as JPEG in full size: without the suffix the CDN sends WebP in its own choice of size.
-- Its path ends in the CID, a hash of the original bytes: equal CIDs need one download.
local function banner(self, url)
  local private = self.api ~= ""
  local stem, cid = url:match("^(https?://.*/img/banner/[^?#]*/(baf%w+))@?%l*$")
  if not stem then return base.cover(url, { private = private }) end
  return base.cover(stem .. "@jpeg", { key = cid, private = private })
end

local function person_of(self, profile)
  local handle = base.text(profile.handle) or profile.did
  local banner_url = base.text(profile.banner)
  return {
    key = profile.did,
    handle = handle,
    name = base.text(profile.displayName),
    url = "https://bsky.app/profile/" .. (handle == "handle.invalid" and profile.did or handle),
    cover = banner_url and banner(self, banner_url) or nil,
  }
end

local function explain(self, message, code, word)
  if code == "http-400" and message:find("Actor not found", 1, true) then
    return nil, ("%s: no such account (check the handle's spelling)"):format(self.spec), "missing"
  elseif word == "AccountTakedown" or word == "AccountDeactivated" then
    return nil, ("%s: the account is closed"):format(self.spec), "missing"
  end
  return base.fail(self, message, code)
end

---@return daub.collect.Page|nil, string? message, string? code
function Bluesky:page(listing, position, get)
  local call = calls[listing]
  local answer, message, code, word = base.get_json(get, self.root .. call.method .. "?"
    .. http.query({ actor = self.handle, limit = page_size, cursor = position }))
  if not answer then return explain(self, message, code, word) end
  local listed = answer[call.key]
  if type(listed) ~= "table" then
    return base.fail(self, ("the answer holds no %s (is this the right server?)"):format(call.key),
      "format")
  end
  local people = {}
  for _, profile in ipairs(listed) do
    if type(profile) == "table" and base.text(profile.did) then
      people[#people + 1] = person_of(self, profile)
    end
  end
  return { people = people, next = base.text(answer.cursor) }
end

---Lists hold no banners: these are in the full profiles. Suspended accounts are missing there.
---@return true|nil, string? message, string? code
function Bluesky:complete(people, get)
  local dids, by_did = {}, {}
  for i, person in ipairs(people) do
    dids[i], by_did[person.key] = person.key, person
  end
  local answer, message, code = base.get_json(get,
    self.root .. "app.bsky.actor.getProfiles?" .. http.query({ actors = dids }))
  if not answer then return explain(self, message, code) end
  for _, profile in ipairs(type(answer.profiles) == "table" and answer.profiles or {}) do
    local person = type(profile) == "table" and by_did[base.text(profile.did) or ""]
    if person then
      for key, value in pairs(person_of(self, profile)) do person[key] = value end
    end
  end
  return true
end

return M
