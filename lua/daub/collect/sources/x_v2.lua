-- API v2 of X: a thousand people in one call, their banners with them. Each person read costs money
-- (docs.x.com, "Pricing": $0.010, or $0.001 of one's own lists by one's own app).
local base = require "daub.collect.sources.base"
local progress = require "daub.progress"
local x = require "daub.api.x"
local common = require "daub.collect.sources.x"

local M = {}

local PRICE, OWN_PRICE = 0.010, 0.001 -- dollars for each person
local MOST = { followers = 1000, following = 1000, list = 100 } -- people in a page

---@class daub.collect.X2: daub.collect.Source
local X2 = {}
X2.__index = X2

---@param self table  what x.lua made of the argument
function M.new(self)
  self.limit = math.huge
  return setmetatable(self, X2)
end

-- An answer that holds something, or what stands against it.
local function call(self, get, path, query, keep)
  local answer, message, code = self.auth:call(get, path, { query = query, keep = keep })
  if not answer then return base.fail(self, message, code) end
  if answer.data == nil and answer.meta == nil then
    message, code = x.explain(answer, 200)
    return base.fail(self, message or "the answer holds no data (is this the right server?)",
      message and code or "format")
  end
  return answer
end

local function count(fields, name)
  return type(fields) == "table" and tonumber(fields[name]) or nil
end

-- Who is meant: id and how many are in each listing. Asked once.
local function account(self, get)
  if self.user then return self.user end
  local answer, message, code = call(self, get, "/2/users/by/username/" .. self.handle,
    { ["user.fields"] = "protected,public_metrics" }, true)
  if not answer then return nil, message, code end
  local user = type(answer.data) == "table" and answer.data or {}
  local id = x.id(user.id)
  if not id then
    return base.fail(self, "the answer names no account (is this the right server?)", "format")
  end
  self.user = { id = id, followers = count(user.public_metrics, "followers_count"),
    following = count(user.public_metrics, "following_count") }
  return self.user
end

-- The list of that name, or id, and how many are in it. Asked once.
local function list(self, get)
  if self.user.list_id then return self.user end
  local position
  repeat
    local answer, message, code = call(self, get, ("/2/users/%s/owned_lists"):format(self.user.id),
      { max_results = 100, ["list.fields"] = "member_count", pagination_token = position }, true)
    if not answer then return nil, message, code end
    for _, entry in ipairs(type(answer.data) == "table" and answer.data or {}) do
      local id = type(entry) == "table" and x.id(entry.id)
      if id and (entry.name == self.list or id == self.list) then
        self.user.list_id, self.user.list = id, count(entry, "member_count")
        return self.user
      end
    end
    local before = position
    position = type(answer.meta) == "table" and base.text(answer.meta.next_token) or nil
  until not position or position == before
  return nil, ("%s: %s has no list of that name"):format(self.spec, self.handle), "missing"
end

-- What is asked for, with everything about it that has to be known beforehand.
local function target(self, get)
  local user, message, code = account(self, get)
  if user and self.list then user, message, code = list(self, get) end
  return user, message, code
end

-- No more is read than is wanted: it is paid for.
local function page_size(self, listing)
  return math.max(1, math.min(MOST[listing], self.limit))
end

local function dollars(amount)
  return ("$%.2f"):format(math.ceil(amount * 100 - 1e-6) / 100)
end

---Says what it will cost and asks whether that is meant.
---@param o {limit: integer?}?
---@return true|nil, string? message, string? code
function X2:begin(get, ask, o)
  local user, message, code = target(self, get)
  if not user then return nil, message, code end
  self.limit = not self.mutual and o and o.limit or math.huge
  local people = 0
  for _, listing in ipairs(self.listings) do
    local size = page_size(self, listing)
    people = people + math.min(user[listing] or 0, math.ceil(self.limit / size) * size)
  end
  if people == 0 then return true end
  local price = dollars((people + 1) * PRICE)
  local own = self.auth.account and self.auth.account.name:lower() == self.handle:lower()
  local line = ("%s: X charges up to %s for reading %s (%s if the app is yours, too)"):format(
    self.spec, price, progress.count(people, "person", "people"),
    dollars((people + 1) * OWN_PRICE))
  if not own then line = line:gsub(" %(.*$", "") end
  if ask(line .. ". Go on?") then return true end
  return base.fail(self, ("X charges up to %s for this, which was not agreed to (--yes does)")
    :format(price), "price")
end

-- What could not be read of somebody stands in `errors`, one for each.
local function people_of(self, answer)
  local people, nameless = base.people(type(answer.data) == "table" and answer.data or {},
    function(user)
      local id = type(user) == "table" and x.id(user.id)
      local handle = id and common.handle(user.username)
      return handle and common.person(self, user, id, handle) or nil
    end)
  return people, nameless + (type(answer.errors) == "table" and #answer.errors or 0)
end

---@return daub.collect.Page|nil, string? message, string? code
function X2:page(listing, position, get)
  local user, message, code = target(self, get)
  if not user then return nil, message, code end
  local path = listing == "list" and ("/2/lists/%s/members"):format(user.list_id)
    or ("/2/users/%s/%s"):format(user.id, listing)
  local answer
  answer, message, code = call(self, get, path, { max_results = page_size(self, listing),
    pagination_token = position, ["user.fields"] = "profile_banner_url,protected" })
  if not answer then return nil, message, code end
  local people, nameless = people_of(self, answer)
  if not position and #people == 0 and (user[listing] or 0) > 0 then
    return base.hidden(self, user[listing], listing)
  end
  return { people = people, nameless = nameless, total = user[listing],
    next = type(answer.meta) == "table" and base.text(answer.meta.next_token) or nil }
end

return M
