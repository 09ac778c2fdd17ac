-- API v1.1 of X, as it was in 2018 and as apps with old plans have it still. Lists are paged by
-- cursors: -1 is the first page's, 0 ends the list. Ids and cursors are read as text, being beyond
-- 2^53.
local base = require "daub.collect.sources.base"
local common = require "daub.collect.sources.x"
local x = require "daub.api.x"

local M = {}

local LISTS = 15 * 200 -- people that followers/list gives in a quarter of an hour
local calls = { followers = "followers", following = "friends" }
local counts = { followers = "followers_count", following = "friends_count" }

---@class daub.collect.X1: daub.collect.Source
local X1 = {}
X1.__index = X1

---@param self table  what x.lua made of the argument
function M.new(self)
  self.batch = 100
  return setmetatable(self, X1)
end

local function call(self, get, name, query, keep)
  local answer, message, code = self.auth:call(get, "/1.1/" .. name .. ".json",
    { query = query, keep = keep })
  if not answer then return base.fail(self, message, code) end
  if answer.errors ~= nil and answer.users == nil and answer.ids == nil then
    message, code = x.explain(answer, 200)
    return base.fail(self, message or "the answer holds errors only", code)
  end
  return answer
end

local function person_of(self, user)
  local id = type(user) == "table" and x.id(user.id_str or user.id)
  local handle = id and common.handle(user.screen_name)
  return handle and common.person(self, user, id, handle) or nil
end

-- Fills in what ids alone do not say. Those that are suspended are missing in the answer.
local function complete(self, people, get)
  local ids, by_id = {}, {}
  for i, person in ipairs(people) do
    ids[i], by_id[person.key] = person.key, person
  end
  local answer, message, code = call(self, get, "users/lookup",
    { user_id = table.concat(ids, ","), include_entities = "false" })
  if not answer and code == "missing" then return true end -- none of them is there any more
  if not answer then return nil, message, code end
  for _, user in ipairs(answer) do
    local found = person_of(self, user)
    local person = found and by_id[found.key]
    if person then
      for field, value in pairs(found) do person[field] = value end
    end
  end
  return true
end

-- How many there are, and with that the way to read them.
local function total_of(self, listing, get)
  local user, message, code = call(self, get, "users/show",
    { screen_name = self.handle, include_entities = "false" }, true)
  if not user then return nil, message, code end
  if not x.id(user.id_str or user.id) then
    return base.fail(self, "the answer names no account (is this the right server?)", "format")
  end
  return tonumber(user[counts[listing]]) or 0
end

-- Persons, or their ids only.
local function people_of(self, answer, by_ids)
  if not by_ids then
    return base.people(answer.users, function(user) return person_of(self, user) end)
  end
  return base.people(answer.ids, function(value)
    local id = x.id(value)
    return id and { key = id, handle = id } or nil
  end)
end

local function query_of(self, listing, cursor, by_ids)
  if listing == "list" then
    return "lists/members", { slug = not self.list:match("^%d+$") and self.list or nil,
      list_id = self.list:match("^%d+$"), owner_screen_name = self.handle, count = 5000,
      cursor = cursor, skip_status = "true", include_entities = "false" }
  elseif by_ids then
    return calls[listing] .. "/ids", { screen_name = self.handle, count = 5000, cursor = cursor,
      stringify_ids = "true" }
  end
  return calls[listing] .. "/list", { screen_name = self.handle, count = 200, cursor = cursor,
    skip_status = "true", include_user_entities = "false" }
end

---@param position string|nil  a cursor, "ids " before it where only ids are read
---@return daub.collect.Page|nil, string? message, string? code
function X1:page(listing, position, get)
  local ids, cursor = (position or ""):match("^(ids )(%-?%d+)$")
  local by_ids, total = ids ~= nil, nil
  if not position and listing ~= "list" then
    local message, code
    total, message, code = total_of(self, listing, get)
    if not total then return nil, message, code end
    by_ids = total > LISTS
  end
  self.complete = by_ids and complete or nil
  local name, query = query_of(self, listing, cursor or position or "-1", by_ids)
  local answer, message, code = call(self, get, name, query)
  if not answer then return nil, message, code end
  if type(answer[by_ids and "ids" or "users"]) ~= "table" then
    return base.fail(self, ("the answer holds no %s (is this the right server?)"):format(
      by_ids and "ids" or "users"), "format")
  end
  local people, nameless = people_of(self, answer, by_ids)
  if #people == 0 and (total or 0) > 0 then return base.hidden(self, total, listing) end
  local following = x.id(answer.next_cursor_str or answer.next_cursor)
  if following == "0" then following = nil end
  return { people = people, nameless = nameless, total = total,
    next = following and (by_ids and "ids " or "") .. following }
end

return M
