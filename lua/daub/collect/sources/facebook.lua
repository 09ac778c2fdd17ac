-- facebook:me and facebook:PAGE,PAGE…: what the Graph API still shows of covers.
--
--   facebook:me              friends, with `cover`: for apps that may still read it
--   facebook:me?following    the Pages one follows (permission user_likes), with their covers
--   facebook:nasa,esa        these Pages
--
-- People's covers were taken from new apps on 2018-05-01 and from all on 2019-01-08, and an app
-- sees only those friends who use it, too. Where that leaves nothing, the reason is said, and the
-- way out: archive:PATH reads the data one can download of one's own account.
local accounts = require "daub.accounts"
local base = require "daub.collect.sources.base"
local http = require "daub.http"

local M = {}

M.relations = { "friends", "following" }

M.terms = "Facebook's platform terms let an app use its users' data only to serve those users, and"
  .. " forbid collecting it without their consent"

local page_size = 100
local fields = "id,name,link,cover{source}"

local way_out = "; download your own data instead (facebook.com/dyi, format JSON) and collect from"
  .. " archive:PATH"

---@class daub.collect.Facebook: daub.collect.Source
local Facebook = {}
Facebook.__index = Facebook

-- The token to ask with.
local function token_of()
  local token = accounts.environment("DAUB_FACEBOOK_TOKEN")
  if token then return token end
  local account, message, code = accounts.get("facebook")
  return account and account.token, message, code
end

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  local pages = {}
  for page in (argument .. ","):gmatch("([^,]*),") do pages[#pages + 1] = page end
  for _, page in ipairs(pages) do
    if not page:match("^[%w.]+$") then
      return nil, ("facebook:%s: not understood (expected me, or Pages by name or number, as"
        .. " nasa,esa)"):format(argument), "usage"
    end
  end
  local token, message, code = token_of()
  if not token then return nil, message, code end
  return setmetatable({ network = "facebook", spec = "facebook:" .. argument, api = o.api or "",
    noun = "people", root = o.api or "https://graph.facebook.com", pages = pages,
    relations = argument ~= "me" and { "list" } or nil,
    headers = { Authorization = "Bearer " .. token } }, Facebook)
end

-- ---- refusals ----------------------------------------------------------------------------------

local no_covers = "Facebook gives no covers of people to apps any more" .. way_out

-- What the numbers of Graph API errors mean (Graph API, "Handling errors").
local function explain(self, message, code, fault)
  local number = type(fault) == "table" and tonumber(fault.code)
  if number == 190 or number == 102 or number == 2500 then
    return base.fail(self, "the login is no longer good (run: daub login facebook)", "login")
  elseif number == 100 and tostring(fault.message):find("(cover)", 1, true) then
    return base.fail(self, no_covers, "missing")
  elseif number == 10 or number and number >= 200 and number <= 299 then
    return base.fail(self, ("the app lacks a permission (%s)"):format(
      base.text(fault.message) or number), "login")
  elseif number == 803 or number == 100 and fault.error_subcode == 33 then
    return base.fail(self, "no such Page, or it is not shown to this app", "missing")
  end
  return base.fail(self, message, code)
end

-- ---- people and Pages --------------------------------------------------------------------------

local function person_of(self, entry)
  local id = type(entry) == "table" and base.text(entry.id)
  if not id then return nil end
  local cover = type(entry.cover) == "table" and base.text(entry.cover.source)
  -- an address is signed anew every day; what comes before "?" stays
  local name = base.text(entry.name)
  return { key = id, handle = name or id, name = name,
    url = base.text(entry.link) or "https://www.facebook.com/" .. http.escape(id),
    cover = cover and base.cover(cover, { key = cover:gsub("%?.*$", ""),
      private = self.api ~= "" }) or nil }
end

-- The named Pages, at most 50 a request.
local function named_pages(self, position, get)
  local first = tonumber(position) or 1
  local last = math.min(first + 49, #self.pages)
  local url = ("%s/?%s"):format(self.root, http.query({ fields = fields,
    ids = table.concat(self.pages, ",", first, last) }))
  local answer, message, code, fault = base.get_json(get, url, { headers = self.headers })
  if not answer then return explain(self, message, code, fault) end
  local pages = {}
  for i = first, last do pages[#pages + 1] = answer[self.pages[i]] or false end
  local people, nameless = base.people(pages, function(entry) return person_of(self, entry) end)
  return { people = people, nameless = nameless, total = #self.pages,
    next = last < #self.pages and tostring(last + 1) or nil }
end

local function cursor_of(answer)
  local paging = type(answer.paging) == "table" and answer.paging or {}
  -- paging.next carries the token: it is not kept, only what comes after which entry
  return paging.next and type(paging.cursors) == "table" and base.text(paging.cursors.after) or nil
end

-- An empty or coverless first page of friends, and why.
local function nothing_to_see(self, people, total)
  if #people == 0 and total and total > 0 then
    return base.fail(self, ("Facebook shows an app only those friends who use it, too (none of"
      .. " %d)%s"):format(total, way_out), "hidden")
  end
  for _, person in ipairs(people) do
    if person.cover then return nil end
  end
  if #people > 0 then return base.fail(self, no_covers, "missing") end
end

---@return daub.collect.Page|nil, string? message, string? code
function Facebook:page(listing, position, get)
  if listing == "list" then return named_pages(self, position, get) end
  local url = ("%s/me/%s?%s"):format(self.root, listing == "friends" and "friends" or "likes",
    http.query({ fields = fields, limit = page_size, after = position }))
  local answer, message, code, fault = base.get_json(get, url, { headers = self.headers })
  if not answer then return explain(self, message, code, fault) end
  if type(answer.data) ~= "table" then
    return base.fail(self, "the answer holds no list (is this the right server?)", "format")
  end
  local people, nameless = base.people(answer.data, function(entry)
    return person_of(self, entry)
  end)
  local total = type(answer.summary) == "table" and tonumber(answer.summary.total_count) or nil
  if listing == "friends" and not position then
    local _, why, kind = nothing_to_see(self, people, total)
    if why then return nil, why, kind end
  end
  return { people = people, nameless = nameless, next = cursor_of(answer), total = total }
end

return M
