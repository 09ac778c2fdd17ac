-- mastodon:USER@HOST: the people who follow an account on Mastodon or a server that speaks its API
-- (GoToSocial, Pleroma, Akkoma, Pixelfed, Hollo …), read without login where the server allows it.
-- A page of 80 people comes with their headers: one call for a page, one for each picture.
local base = require "daub.collect.sources.base"
local fediverse = require "daub.collect.sources.fediverse"
local http = require "daub.http"
local mastodon = require "daub.api.mastodon"

local M = {}

M.relations = { "followers", "following", "list" }
M.terms = "each server has terms of its own: its /about page tells (mastodon.social's forbid to"
  .. " train models on what its people show)"

local page_size = 80 -- the most Mastodon gives

---@class daub.collect.Mastodon: daub.collect.Source
local Mastodon = {}
Mastodon.__index = Mastodon

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  local self, message, code = fediverse.source("mastodon", argument, o, "alice@mastodon.social")
  if not self then return nil, message, code end
  self.root = o.api or "https://" .. self.host
  self.headers = self.token and { Authorization = "Bearer " .. self.token } or nil
  return setmetatable(self, Mastodon)
end

---The person an account of this API is.
---@param account table  with a text as acct
---@param host string    whose server says so
---@param private boolean? the server may be in the local network
---@return daub.collect.Person
function M.person(account, host, private)
  local acct = account.acct
  if not acct:find("@", 1, true) then acct = acct .. "@" .. host end
  local header = base.text(account.header)
  local cover
  if header and mastodon.is_default(header) then
    cover = base.cover(header, { skip = "default" })
  elseif header then
    cover = base.cover(header, { own = true, private = private })
  end
  return {
    key = acct:lower(),
    handle = acct,
    name = base.text(account.display_name),
    url = base.text(account.url),
    also = { "acct:" .. acct:lower() },
    noindex = account.noindex == true or account.indexable == false
      or account.discoverable == false or nil,
    cover = cover,
  }
end

local function explain(self, message, code)
  if code == "http-401" or code == "http-403" then
    local how = ("run: daub login mastodon:%s@%s"):format(self.user, self.host)
    if self.headers then how = "the login in use was refused; " .. how end
    return nil, ("%s: the server shows this to people with a login only (%s)"):format(self.spec,
      how), "login"
  elseif code == "http-404" then
    return nil, ("%s: no such account (check the spelling, or name its server with --api)")
      :format(self.spec), "missing"
  elseif code == "http-410" then
    return nil, ("%s: the account is closed"):format(self.spec), "missing"
  end
  return base.fail(self, message, code)
end

local function asked(self, get, path, keep)
  local answer, message, code = base.get_json(get, self.root .. path,
    { headers = self.headers, keep = keep })
  if not answer then return explain(self, message, code) end
  return answer
end

-- The address of the first page of one of the lists the owner has made: they alone can see it.
local function list_address(self, get)
  if not self.own then
    return base.fail(self, ("only its owner can see a list (run: daub login mastodon:%s@%s)")
      :format(self.user, self.host), "login")
  end
  local lists, message, code = asked(self, get, "/api/v1/lists", true)
  if not lists then return nil, message, code end
  local titles = {}
  for _, list in ipairs(lists) do
    local title, id = base.text(list.title), base.text(list.id)
    if title and id and id:match("^[%w_-]+$") then
      if title:lower() == self.list:lower() then
        return ("%s/api/v1/lists/%s/accounts?limit=%d"):format(self.root, id, page_size)
      end
      titles[#titles + 1] = title
    end
  end
  return base.no_list(self, titles)
end

-- The address of the first page, and how many people there are when the server tells.
local function first_page(self, listing, get)
  if listing == "list" then return list_address(self, get) end
  local account, message, code = asked(self, get,
    "/api/v1/accounts/lookup?acct=" .. http.escape(self.user), true)
  if not account then return nil, message, code end
  local id = account.id
  if type(id) ~= "string" or not id:match("^[%w_-]+$") then
    return nil, self.spec .. ": the answer names no account (is this the right server?)", "format"
  end
  local total = tonumber(account[listing .. "_count"])
  return ("%s/api/v1/accounts/%s/%s?limit=%d"):format(self.root, id, listing, page_size), total
end

-- The address marked rel="next" in a Link header.
local function next_of(link)
  for url, attributes in (link or ""):gmatch("<([^>]*)>([^<]*)") do
    if attributes:find('rel="?next"?') then return url end
  end
end

---@return daub.collect.Page|nil, string? message, string? code
function Mastodon:page(listing, position, get)
  local url, total = position, nil
  if not url then
    local code
    url, total, code = first_page(self, listing, get)
    if not url then return nil, total, code end
  end
  local listed, response, code = base.get_json(get, url, { headers = self.headers })
  if not listed then return explain(self, response, code) end
  if listed[1] == nil and next(listed) ~= nil then
    return base.fail(self, ("no list came (%s)"):format(base.text(listed.error)
      or "is this the right server?"), "format")
  elseif not position and #listed == 0 and (total or 0) > 0 then
    return base.hidden(self, total, listing)
  end
  local people, nameless = base.people(listed, function(account)
    return type(account) == "table" and base.text(account.acct)
      and M.person(account, self.host, self.api ~= "") or nil
  end)
  -- GoToSocial names a next page even on the last: an empty page ends the list
  local following = #listed > 0 and next_of(response.headers.link) or nil
  if following and base.origin(following) ~= base.origin(self.root) then
    return nil, ("%s: the next page is on another server (%s)"):format(self.spec,
      base.origin(following) or "no address"), "format"
  end
  return { people = people, nameless = nameless, next = following, total = total }
end

return M
