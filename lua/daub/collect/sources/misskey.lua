-- misskey:USER@HOST: the people who follow an account on Misskey or one of its forks (Sharkey,
-- Firefish, Iceshrimp …), read without login where the server allows it. A page of 100 people comes
-- with their banners.
local base = require "daub.collect.sources.base"
local fediverse = require "daub.collect.sources.fediverse"

local M = {}

M.relations = { "followers", "following", "list" }
M.terms = "each server has terms of its own: its /about page tells (many forbid machine learning)"

local page_size = 100 -- the most Misskey gives
local calls = {
  followers = { endpoint = "users/followers", key = "follower" },
  following = { endpoint = "users/following", key = "followee" },
}

---@class daub.collect.Misskey: daub.collect.Source
local Misskey = {}
Misskey.__index = Misskey

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  local self, message, code = fediverse.source("misskey", argument, o, "alice@misskey.io")
  if not self then return nil, message, code end
  self.root = (o.api or "https://" .. self.host) .. "/api/"
  return setmetatable(self, Misskey)
end

local function person_of(self, user)
  local host = base.text(user.host) or self.host
  local acct = ("%s@%s"):format(user.username, host:lower())
  local banner = base.text(user.bannerUrl)
  return {
    key = acct:lower(),
    handle = acct,
    name = base.text(user.name),
    url = base.text(user.url) or ("https://%s/@%s"):format(host, user.username),
    also = { "acct:" .. acct:lower() },
    -- Misskey's and, of its forks, Firefish's and Sharkey's ways to say so
    noindex = user.requireSigninToViewContents == true or user.isExplorable == false
      or user.isIndexable == false or user.noindex == true or nil,
    cover = banner and base.cover(banner, { own = true, private = self.api ~= "" }) or nil,
  }
end

local function login_hint(self)
  local how = ("run: daub login misskey:%s@%s"):format(self.user, self.host)
  return self.token and "the login in use was refused; " .. how or how
end

local function explain(self, message, code, said)
  local word = type(said) == "table" and said.code or said
  if word == "NO_SUCH_USER" or code == "http-404" then
    if self.token then
      return nil, self.spec .. ": no such account (check the spelling)", "missing"
    end
    return nil, ("%s: no such account, or only members see it (check the spelling, or %s)"):format(
      self.spec, login_hint(self)), "missing"
  elseif word == "FORBIDDEN" then
    return nil, self.spec .. ": hides the list", "hidden"
  elseif code == "http-401" or code == "http-403" then
    return nil, ("%s: the server shows this to people with a login only (%s)"):format(self.spec,
      login_hint(self)), "login"
  end
  return base.fail(self, message, code)
end

-- A call: POST of JSON, the token in it.
local function call(self, get, endpoint, fields)
  fields.i = self.token
  local answer, message, code, said = base.get_json(get, self.root .. endpoint,
    { method = "POST", json = fields })
  if not answer then return explain(self, message, code, said) end
  return answer
end

local function people_of(self, users)
  return base.people(users, function(user)
    return type(user) == "table" and base.text(user.username) and person_of(self, user) or nil
  end)
end

local function not_a_list(self, answer)
  local said = type(answer.error) == "table" and base.text(answer.error.message)
  return base.fail(self, ("no list came (%s)"):format(said or "is this the right server?"),
    "format")
end

-- The ids of the members of a list: the owner sees all of theirs, others those that are public.
local function members_of(self, get)
  local fields = {}
  if not self.own then
    local user, message, code = call(self, get, "users/show", { username = self.user })
    if not user then return nil, message, code end
    fields.userId = user.id
  end
  local lists, message, code = call(self, get, "users/lists/list", fields)
  if not lists then return nil, message, code end
  if lists[1] == nil and next(lists) ~= nil then return not_a_list(self, lists) end
  local names = {}
  for _, list in ipairs(lists) do
    local name = type(list) == "table" and base.text(list.name)
    if name and name:lower() == self.list:lower() and type(list.userIds) == "table" then
      return list.userIds
    end
    names[#names + 1] = name or nil
  end
  return base.no_list(self, names)
end

-- Members are asked for by their ids; the position is how many were.
local function list_page(self, position, get)
  local message, code
  if not self.members then self.members, message, code = members_of(self, get) end
  if not self.members then return nil, message, code end
  local first, ids = tonumber(position or 0), {}
  for i = first + 1, math.min(first + page_size, #self.members) do
    ids[#ids + 1] = self.members[i]
  end
  if #ids == 0 then return { people = {} } end
  local users
  users, message, code = call(self, get, "users/show", { userIds = ids })
  if not users then return nil, message, code end
  if users[1] == nil and next(users) ~= nil then return not_a_list(self, users) end
  local following = first + #ids < #self.members and tostring(first + #ids) or nil
  local people, nameless = people_of(self, users)
  return { people = people, nameless = nameless, next = following, total = #self.members }
end

-- Who it is about: the id its server has for the account, and how many people there are.
local function find(self, listing, get)
  local user, message, code = call(self, get, "users/show", { username = self.user })
  if not user then return nil, message, code end
  if type(user.id) ~= "string" or not user.id:match("^%w+$") then
    return base.fail(self, "the answer names no account (is this the right server?)", "format")
  end
  return user.id, tonumber(user[listing .. "Count"])
end

---@return daub.collect.Page|nil, string? message, string? code
function Misskey:page(listing, position, get)
  if listing == "list" then return list_page(self, position, get) end
  local id, last = (position or ""):match("^(%w+)/(%w+)$")
  local total, code
  if not id then
    id, total, code = find(self, listing, get)
    if not id then return nil, total, code end
  end
  local kind = calls[listing]
  local listed, message
  listed, message, code = call(self, get, kind.endpoint,
    { userId = id, limit = page_size, untilId = last })
  if not listed then return nil, message, code end
  if listed[1] == nil and next(listed) ~= nil then return not_a_list(self, listed) end
  if not last and #listed == 0 and (total or 0) > 0 then
    return base.hidden(self, total, listing)
  end
  local users = {}
  for _, entry in ipairs(listed) do
    users[#users + 1] = type(entry) == "table" and entry[kind.key] or false
  end
  local people, nameless = people_of(self, users)
  -- pages may be short: only an empty one is the end
  local newest = listed[#listed]
  local next_id = type(newest) == "table" and base.text(newest.id)
  return { people = people, nameless = nameless, total = total,
    next = next_id and next_id:match("^%w+$") and ("%s/%s"):format(id, next_id) or nil }
end

return M
