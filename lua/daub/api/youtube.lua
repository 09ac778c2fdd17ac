-- Asking YouTube's Data API v3: with the API key of a project (public things) or as the owner of a
-- channel (daub login youtube). Keys and tokens travel in headers, never in addresses.
--
--   local account = assert(youtube.account("me"))
--   local client = youtube.client { account = account, ask = function(request) … end }
--   local channels = assert(client:get("/youtube/v3/channels", { part = "id", mine = true }))
--
-- A list costs one unit of the project's 10,000 a day, a change 50 (Data API, "Quota costs").
local accounts = require "daub.accounts"
local http = require "daub.http"
local system = require "daub.core.system"

local M = {}

M.scope = "https://www.googleapis.com/auth/youtube"

---Where a call of the API goes.
---@param api string?  another server than Google's
function M.address(api, path) return (api or "https://www.googleapis.com") .. path end

---Where logins are asked for, renewed and revoked.
---@param api string?
function M.oauth(api, path) return (api or "https://oauth2.googleapis.com") .. path end

-- ---- who asks ----------------------------------------------------------------------------------

local function same_name(a, b)
  return a:lower():gsub("^@", "") == b:lower():gsub("^@", "")
end

---The channel that is logged in: by name, or with "me" or nil the only one.
---@param who string?
---@return daub.Account|nil, string? message, string? code  "login", "which"
function M.account(who)
  local list, message, code = accounts.list("youtube")
  if not list then return nil, message, code end
  local found, names = {}, {}
  for _, account in ipairs(list) do
    if account.refresh_token and (not who or who == "me" or same_name(account.name, who)) then
      found[#found + 1] = account
      names[#names + 1] = "youtube:" .. account.name
    end
  end
  if #found == 1 then return found[1] end
  if #found == 0 then
    return nil, "youtube: not logged in with a channel (run: daub login youtube)", "login"
  end
  return nil, ("youtube: several channels (say which: %s)"):format(table.concat(names, ", ")),
    "which"
end

---A key for what everybody may see; nil: there is none.
---@return string|nil
function M.key()
  local key = accounts.environment("DAUB_YOUTUBE_KEY")
  for _, account in ipairs(not key and accounts.list("youtube") or {}) do
    key = key or account.api_key
  end
  return key
end

---Fresh tokens for an account (OAuth 2.0 for TV and limited-input devices, "Refreshing").
---@param ask fun(request: table): table|nil, string?, string?, table?
---@return table|nil fields, string? message, string? code
function M.refresh(account, ask)
  local response, message, code, refusal = ask(M.form_request(M.oauth(account.api, "/token"), {
    client_id = account.client_id, client_secret = account.client_secret,
    refresh_token = account.refresh_token, grant_type = "refresh_token" }))
  if not response and refusal and (refusal.status == 400 or refusal.status == 401) then
    return nil, ("youtube:%s: the login is no longer good (run: daub login youtube)"):format(
      account.name), "login"
  elseif not response then
    return nil, message, code
  end
  local fields
  fields, message, code = M.token_fields(response)
  return fields, message, code
end

---A request whose fields are sent as HTML forms send them.
function M.form_request(url, fields)
  return { url = url, method = "POST", body = http.query(fields),
    headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } }
end

---What a token endpoint gave, as fields of an account.
function M.token_fields(response)
  local answer = response.json()
  if type(answer) ~= "table" or type(answer.access_token) ~= "string" then
    return nil, "the login server gave no token", "format"
  end
  return { token = answer.access_token,
    refresh_token = type(answer.refresh_token) == "string" and answer.refresh_token or nil,
    expires = system.time() + (tonumber(answer.expires_in) or 3600) }
end

-- ---- what refusals mean ------------------------------------------------------------------------

local login_again = "the login is no longer good (run: daub login youtube)"
local meanings = {
  API_KEY_INVALID = { "the API key is not valid (see daub login youtube)", "login" },
  keyInvalid = { "the API key is not valid (see daub login youtube)", "login" },
  accessNotConfigured = { "the YouTube Data API v3 is not enabled for this project (enable it at"
    .. " console.cloud.google.com under APIs & Services)", "login" },
  authError = { login_again, "login" },
  UNAUTHENTICATED = { login_again, "login" },
  quotaExceeded = { "what the project may ask in a day is used up (it starts anew at midnight in"
    .. " California)", "rate-limit" },
  insufficientPermissions = { "the login does not allow this (run: daub login youtube)", "login" },
  subscriptionForbidden = { "keeps its subscriptions private", "hidden" },
  accountClosed = { "the channel is closed", "missing" },
  accountSuspended = { "the channel is suspended", "missing" },
  channelForbidden = { "the login may not change this channel", "login" },
  channelNotFound = { "no such channel", "missing" },
  subscriberNotFound = { "no such channel", "missing" },
  bannerValidationError = { "YouTube refuses the banner's size or format", "format" },
  mediaBodyRequired = { "YouTube refuses the picture", "format" },
}

-- Google's own words for a refusal: of error.details, error.errors and error.status.
local function meaning_of(refusal)
  local said = refusal and refusal.body and refusal.json()
  local fault = type(said) == "table" and type(said.error) == "table" and said.error or {}
  local words = { fault.status }
  for _, list in ipairs { fault.errors or {}, fault.details or {} } do
    for _, entry in ipairs(type(list) == "table" and list or {}) do
      local reason = type(entry) == "table" and entry.reason
      if type(reason) == "string" then table.insert(words, 1, reason) end
    end
  end
  for _, word in ipairs(words) do
    if meanings[word] then return unpack(meanings[word]) end
  end
end

-- ---- asking ------------------------------------------------------------------------------------

---@class daub.youtube.Client
---@field account daub.Account?
---@field key string?
---@field api string?
---@field ask fun(request: table): table|nil, string?, string?, table?  as session:request
local Client = {}
Client.__index = Client

---@param o {account: daub.Account?, key: string?, api: string?, ask: function}
---@return daub.youtube.Client
function M.client(o)
  return setmetatable({ account = o.account, key = o.key, api = o.api, ask = o.ask }, Client)
end

local function send(self, request)
  local headers = {}
  for name, value in pairs(request.headers or {}) do headers[name] = value end
  if self.account then
    headers.Authorization = "Bearer " .. self.account.token
  else
    headers["X-Goog-Api-Key"] = self.key
  end
  local sent = {}
  for name, value in pairs(request) do sent[name] = value end
  sent.headers = headers
  return self.ask(sent)
end

local function renewed(self, renew)
  local account, message, code = renew(self.account, function(old)
    return M.refresh(old, self.ask)
  end)
  if not account then return nil, message, code end
  self.account = account
  return true
end

---Sends a request; an expired login is renewed. Gives the JSON that came.
---@param request table  as session:request takes it
---@return table|nil answer, string? message, string? code
function Client:send(request)
  local ok, response, message, code, refusal
  if self.account then
    ok, message, code = renewed(self, accounts.fresh)
    if not ok then return nil, message, code end
  end
  response, message, code, refusal = send(self, request)
  if not response and self.account and refusal and refusal.status == 401 then
    ok, message, code = renewed(self, accounts.renew)
    if not ok then return nil, message, code end
    response, message, code, refusal = send(self, request)
  end
  if not response then
    local meaning, kind = meaning_of(refusal)
    return nil, meaning or message, kind or refusal and code == "http"
      and "http-" .. refusal.status or code
  end
  local answer
  answer, message = response.json()
  if type(answer) == "table" and (answer.items == nil or type(answer.items) == "table") then
    return answer
  end
  return nil, (message or "something other than an object came")
    .. " (is this the right server?)", "format"
end

---@param path string  "/youtube/v3/channels"
---@param query table<string, any>
---@param o? {keep: boolean?}
function Client:get(path, query, o)
  return self:send({ url = M.address(self.api, path) .. "?" .. http.query(query),
    keep = o and o.keep })
end

-- ---- channels ----------------------------------------------------------------------------------

---A field of nested tables, however little of it a server sent: pick(channel, "snippet", "title").
---@return any
function M.pick(value, ...)
  for _, name in ipairs { ... } do
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  return value
end

---A picture's address without what says its size ("…=w1060-fcrop64=1,0000…").
---@return string
function M.bare(url) return (url:gsub("(/[^/=]+)=[^/]*$", "%1")) end

---The bare address of a channel's banner; nil: it shows none.
---@param channel table  a channel resource with brandingSettings
---@return string|nil
function M.banner(channel)
  local url = M.pick(channel, "brandingSettings", "image", "bannerExternalUrl")
  if type(url) == "string" and url ~= "" then return M.bare(url) end
end

return M
