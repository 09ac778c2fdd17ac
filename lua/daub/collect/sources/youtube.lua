-- youtube:WHO: channels around a channel, with their banners. WHO is a handle (@alice), a channel's
-- id (UC…) or "me". What a channel subscribes to is shown when its owner made that public; who
-- subscribes to it, only to the owner, and of those only who made it public.
--
-- 50 channels cost two calls: one of the list, one for their banners.
local base = require "daub.collect.sources.base"
local http = require "daub.http"
local youtube = require "daub.api.youtube"

local M = {}

M.relations = { "followers", "following" }

M.terms = "YouTube's developer policies let data of its API be kept for 30 days, and used only as"
  .. " the channels' owners agreed to"

local page_size = 50  -- the most YouTube gives
local banner_width = 2560

---@class daub.collect.YouTube: daub.collect.Source
local YouTube = {}
YouTube.__index = YouTube

-- Who asks: the channel's owner, or anybody with a key.
local function credentials(self, who)
  local account, message, code = youtube.account(who)
  self.mine = account ~= nil
  if account or who == "me" or code == "which" then return account, message, code end
  self.key = youtube.key()
  if self.key then return true end
  account = youtube.account()
  if account then return account end
  return nil, ("youtube:%s: needs an API key or a login (run: daub login youtube; or set"
    .. " DAUB_YOUTUBE_KEY)"):format(who), "login"
end

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  if not argument:match("^@?[%w_.·-]+$") then
    return nil, ("youtube:%s: not a channel (expected @HANDLE, its id UC…, or me)"):format(
      argument), "usage"
  end
  local self = setmetatable({ network = "youtube", spec = "youtube:" .. argument,
    api = o.api or "", noun = "people", batch = page_size, who = argument }, YouTube)
  local account, message, code = credentials(self, argument)
  if not account then return nil, message, code end
  self.account = account ~= true and account or nil
  self.relations = self.mine and M.relations or { "following" }
  return self
end

-- A client that asks through the lister.
local function client_of(self, get)
  self.client = self.client or youtube.client { account = self.account, key = self.key,
    api = self.api ~= "" and self.api or nil }
  self.client.ask = function(request)
    local response, message, code = get(request.url, request)
    if not response then return nil, message, code end
    if response.error then return nil, response.error, response.code, response end
    return response
  end
  return self.client
end

-- Whose subscriptions: the query's part that says so.
local function owner(self, client, listing)
  if self.mine then
    return listing == "followers" and { mySubscribers = true, part = "subscriberSnippet" }
      or { mine = true, part = "snippet" }
  elseif self.who:match("^UC[%w_-]+$") and #self.who == 24 then
    return { channelId = self.who, part = "snippet" }
  end
  local answer, message, code = client:get("/youtube/v3/channels", { part = "id",
    forHandle = "@" .. self.who:gsub("^@", "") }, { keep = true })
  if not answer then return nil, message, code end
  local id = base.text(youtube.pick(answer, "items", 1, "id"))
  if not id then
    return nil, "no such channel (check the handle, as in youtube.com/@alice)", "missing"
  end
  return { channelId = id, part = "snippet" }
end

-- The channel one entry of a list names.
local function person_of(entry)
  local snippet = youtube.pick(entry, "subscriberSnippet")
  local id = base.text(youtube.pick(snippet, "channelId"))
  if not id then
    snippet = youtube.pick(entry, "snippet")
    id = base.text(youtube.pick(snippet, "resourceId", "channelId"))
  end
  if not id then return nil end
  local title = base.text(youtube.pick(snippet, "title"))
  return { key = id, handle = title or id, name = title,
    url = "https://www.youtube.com/channel/" .. http.escape(id) }
end

-- The query of a page. A position is "CHANNEL TOKEN"; the channel is "-" for the owner's own lists.
local function query_of(self, client, listing, position)
  local channel, token = (position or ""):match("^(%S+) (%S+)$")
  local query, message, code
  if channel and channel ~= "-" then
    query = { channelId = channel, part = "snippet" }
  else
    query, message, code = owner(self, client, listing)
    if not query then return nil, message, code end
  end
  query.maxResults, query.order, query.pageToken = page_size, "alphabetical", token
  return query
end

---@return daub.collect.Page|nil, string? message, string? code
function YouTube:page(listing, position, get)
  local client = client_of(self, get)
  local query, message, code = query_of(self, client, listing, position)
  if not query then return base.fail(self, message, code) end
  local answer
  answer, message, code = client:get("/youtube/v3/subscriptions", query)
  if not answer then return base.fail(self, message, code) end
  local total = tonumber(youtube.pick(answer, "pageInfo", "totalResults"))
  local people, nameless = base.people(answer.items or {}, person_of)
  if not position and #people == 0 and (total or 0) > 0 then
    return base.hidden(self, total, listing)
  end
  local following = base.text(answer.nextPageToken)
  return { people = people, nameless = nameless, total = total,
    next = following and (query.channelId or "-") .. " " .. following or nil }
end

local function fill_in(self, person, channel)
  local custom = base.text(youtube.pick(channel, "snippet", "customUrl"))
  person.handle = custom or person.handle
  person.name = base.text(youtube.pick(channel, "snippet", "title")) or person.name
  local banner = youtube.banner(channel)
  if banner then
    person.cover = base.cover(("%s=w%d"):format(banner, banner_width), { own = true,
      private = self.api ~= "", fallback = { banner } })
  end
end

---@return true|nil, string? message, string? code
function YouTube:complete(people, get)
  local ids, by_id = {}, {}
  for i, person in ipairs(people) do
    ids[i], by_id[person.key] = person.key, person
  end
  local answer, message, code = client_of(self, get):get("/youtube/v3/channels", {
    part = "snippet,brandingSettings", id = table.concat(ids, ","), maxResults = page_size })
  if not answer then return base.fail(self, message, code) end
  for _, channel in ipairs(answer.items or {}) do -- in any order, without those that are closed
    local person = type(channel) == "table" and by_id[channel.id]
    if person then fill_in(self, person, channel) end
  end
  return true
end

return M
