-- X's API for whoever speaks it: who one is there, signed requests, and what its refusals mean.
--
--   local auth = assert(x.auth("alice", { api = nil, v1 = false }))
--   local answer, message, code = auth:call(ask, "/2/users/me")     -- ask: see daub.oauth2
--
-- Who one is comes from daub login x or from DAUB_X_BEARER, an app's bearer token. A login by PIN
-- signs every request (OAuth 1.0a) and may do everything; one by browser (OAuth 2.0) reads API v2
-- only, and its token is renewed when it runs out.
local accounts = require "daub.accounts"
local http = require "daub.http"
local oauth1 = require "daub.oauth1"
local oauth2 = require "daub.oauth2"

local M = {}

M.api = "https://api.x.com"
M.by_hand = "https://x.com/settings/profile"

---The server of an address given with --api, which may end in /2 or /1.1, and the version it names.
---@param api string?
---@return string|nil root, "1.1"|"2"|nil version
function M.root(api)
  if not api then return nil end
  local plain = api:gsub("/+$", "")
  for _, version in ipairs { "1.1", "2" } do
    local root = plain:match("^(.*)/" .. version:gsub("%.", "%%.") .. "$")
    if root then return root, version end
  end
  return plain
end

---Whether an account can sign with OAuth 1.0a.
---@param account daub.Account
function M.signs(account)
  return account.consumer_key ~= nil and account.consumer_secret ~= nil
    and account.token ~= nil and account.token_secret ~= nil
end

---The OAuth 2.0 client an account was logged in with.
---@return daub.oauth2.Client
function M.client(account)
  return { id = account.client_id, secret = account.client_secret,
    token_url = (account.api or M.api) .. "/2/oauth2/token" }
end

---What changes of an account when its OAuth 2.0 tokens are renewed.
---@return table<string, string|number>|nil, string? message, string? code
function M.refresh(ask, account)
  if not (account.refresh_token and account.client_id) then
    return nil, ("x:%s: the login has run out (run: daub login x)"):format(account.name), "login"
  end
  local answer, message, code = oauth2.refresh(ask, M.client(account), account.refresh_token)
  if not answer and code == "login" then
    message = ("x:%s: the login has run out (run: daub login x): %s"):format(account.name, message)
  end
  if not answer then return nil, message, code end
  return M.fields(answer)
end

---OAuth 2.0 tokens under the names an account keeps them by, beside those of OAuth 1.0a.
---@param answer daub.oauth2.Tokens
function M.fields(answer)
  return { bearer = answer.token, refresh_token = answer.refresh_token, expires = answer.expires }
end

-- ---- who one is --------------------------------------------------------------------------------

---@class daub.x.Auth
---@field root string            "https://api.x.com"
---@field account daub.Account?  nil: an app's bearer token
---@field bearer string?
local Auth = {}
Auth.__index = Auth

-- The account to speak as: the one of that name, else any that can.
local function choose(list, who, able)
  local found
  for _, account in ipairs(list) do
    if able(account) then
      if account.name:lower() == who then return account, true end
      found = found or account
    end
  end
  return found, false
end

---Whom to ask as. One's own account comes first: reading one's own followers costs least. Then the
---bearer token, then any account that is logged in.
---@param who string
---@param o {api: string?, v1: boolean?} v1: for the calls of API v1.1, which want signatures
---@return daub.x.Auth|nil, string? message, string? code
function M.auth(who, o)
  local list, message, code = accounts.list("x")
  if not list then return nil, message, code end
  local account, same = choose(list, who:lower(), function(account)
    return M.signs(account) or not o.v1 and account.bearer ~= nil
  end)
  local bearer = accounts.environment("DAUB_X_BEARER")
  if bearer and bearer:find("[%c%s]") then
    return nil, "DAUB_X_BEARER: holds spaces or control characters", "usage"
  end
  if bearer and not same then account = nil end
  if not account and not bearer then
    return nil, ("x:%s: X shows nothing without a login%s (run: daub login x; or set DAUB_X_BEARER"
      .. " to an app's bearer token)"):format(who, o.v1 and " by PIN" or ""), "login"
  end
  return M.speaking(account, { bearer = not account and bearer, api = o.api, v1 = o.v1 })
end

---@param account daub.Account?
---@param o {bearer: string?, api: string?, v1: boolean?}
---@return daub.x.Auth
function M.speaking(account, o)
  local self = setmetatable({ account = account, bearer = o.bearer or nil,
    root = o.api or account and account.api or M.api }, Auth)
  if account and account.bearer and not o.v1 then self.bearer = account.bearer end
  return self
end

-- ---- asking ------------------------------------------------------------------------------------

---The headers of a request: a function where they hold the time.
function Auth:headers(method, url)
  if self.bearer then return { Authorization = "Bearer " .. self.bearer } end
  return function(at)
    return { Authorization = oauth1.header(method, url, self.account, { time = math.floor(at) }) }
  end
end

-- What X's own error codes and types mean, and what is to be done (docs.x.com, "Response codes").
local CODES = {
  [17] = { "missing", "no such account (check the handle's spelling)" },
  [34] = { "missing", "no such account or list (check the spelling)" },
  [50] = { "missing", "no such account (check the handle's spelling)" },
  [63] = { "missing", "the account is suspended" },
  [32] = { "login", "X refuses the login (run: daub login x)" },
  [89] = { "login", "the login has run out (run: daub login x)" },
  [215] = { "login", "X refuses the login (run: daub login x)" },
  [135] = { "clock", "this machine's clock is wrong (set it, then run this again)" },
  [179] = { "login", "the account is protected: only who follows it may see this" },
  [326] = { "login", "the account in use is locked (open x.com in a browser to unlock it)" },
  [453] = { "plan", "the app's plan does not include this call of API v1.1" },
}
local TYPES = {
  ["resource-not-found"] = CODES[50],
  ["not-authorized-for-resource"] = CODES[179],
  ["resource-unavailable"] = CODES[63],
  ["client-forbidden"] = { "plan",
    "X does not let this app read by API v2 (attach it to a project at developer.x.com; apps with"
    .. " an older plan may use --api https://api.x.com/1.1)" },
  ["usage-capped"] = { "plan", "the app's reads of this month are used up" },
}
local STATUSES = {
  [401] = CODES[32],
  [402] = { "plan", "the app's credits are spent (developer.x.com sells more)" },
  [404] = CODES[34],
}

-- The first error in an answer, whatever its dialect: errors[], error, or a problem of its own.
local function said_of(answer)
  if type(answer) ~= "table" then return nil end
  local first = type(answer.errors) == "table" and answer.errors[1]
  if type(first) == "table" then return first end
  return (answer.error or answer.type or answer.detail) and answer or nil
end

---What a refusal or an answer with nothing but errors means.
---@param answer any     what its JSON says
---@param status integer
---@return string|nil message, string code
function M.explain(answer, status)
  local said = said_of(answer) or {}
  local word = tostring(said.type or ""):match("([%w-]+)$")
  local known = CODES[tonumber(said.code)] or TYPES[word]
  if not known and said.error == "Not authorized." then known = CODES[179] end
  known = known or STATUSES[status]
  if known then return known[2], known[1] end
  local words = said.detail or said.message or said.title
  return type(words) == "string" and words or nil, "http-" .. status
end

-- One request; what it answered as JSON, {} where it says nothing.
local function ask_once(self, ask, url, o)
  local response, message, code = ask(url, { method = o.method, form = o.form, body = o.body,
    headers = self:headers(o.method or "GET", url), keep = o.keep })
  if not response then return nil, message, code end
  if response.error and response.code ~= "http" then
    return nil, response.error, response.code
  end
  local body = response.body or ""
  local answer
  if response.error then
    answer = body:find("^%s*{") and response.json() or nil
    local why
    why, code = M.explain(answer, response.status)
    return nil, why and why or response.error, code, response
  elseif not body:find("%S") then
    return {}
  end
  answer, message = response.json()
  if type(answer) ~= "table" then
    return nil, (message or "something other than an object came")
      .. " (is this the right server?)", "format"
  end
  return answer
end

---Asks for JSON. A token that has run out is renewed.
---@param path string            "/2/users/me", from the root on
---@param o {method: string?, form: table?, body: string?, query: table?, keep: boolean?}?
---@return table|nil answer, string? message, string? code, daub.http.Result? refusal
function Auth:call(ask, path, o)
  o = o or {}
  local url = self.root .. path .. (o.query and "?" .. http.query(o.query) or "")
  local renewable = self.account and self.bearer and self.account.refresh_token
  local function refresh(account) return M.refresh(ask, account) end
  if renewable then
    local ok, message, code = self:become(accounts.fresh(self.account, refresh))
    if not ok then return nil, message, code end
  end
  local answer, message, code, response = ask_once(self, ask, url, o)
  if not answer and response and response.status == 401 and code == "login" and renewable then
    local ok, why, word = self:become(accounts.renew(self.account, refresh))
    if not ok then return nil, why, word end
    answer, message, code, response = ask_once(self, ask, url, o)
  end
  return answer, message, code, response
end

-- Goes on as the account with its new tokens.
function Auth:become(account, message, code)
  if not account then return nil, message, code end
  self.account, self.bearer = account, account.bearer
  return true
end

-- ---- what both versions of the API show --------------------------------------------------------

---An id as text. Beyond 2^53 only text holds them.
---@return string|nil
function M.id(value)
  if type(value) == "number" then value = ("%.0f"):format(value) end
  return type(value) == "string" and value:match("^%d+$") and value or nil
end

---The account one speaks as, by API v2.
---@return {id: string, username: string, banner: string|nil}|nil, string? message, string? code
function Auth:me(ask)
  local answer, message, code = self:call(ask, "/2/users/me",
    { query = { ["user.fields"] = "profile_banner_url" } })
  if not answer then return nil, message, code end
  local user = type(answer.data) == "table" and answer.data or {}
  local id, username = M.id(user.id), user.username
  if not id or type(username) ~= "string" or not username:match("^[%w_]+$") then
    return nil, "the answer names no account (is this the right server?)", "format"
  end
  local banner = user.profile_banner_url
  return { id = id, username = username, banner = banner ~= "" and banner or nil }
end

return M
