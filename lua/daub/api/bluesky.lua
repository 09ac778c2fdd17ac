-- What Bluesky's API is to those who are logged in: XRPC calls to the account's own server (its
-- PDS) with an access token that lives for two hours and is renewed when it has expired
-- (https://atproto.com/specs/xrpc#authentication).
--
--   local client = bluesky.client(http, account)
--   local answer, message = client:call("com.atproto.server.getSession")
local accounts = require "daub.accounts"
local api = require "daub.api.call"
local http = require "daub.http"

local M = {}

M.entryway = "https://bsky.social"           -- logs in whoever is with Bluesky itself
M.appview = "https://public.api.bsky.app"    -- shows what is public, to everybody
M.directory = "https://plc.directory"        -- tells on which server an account lives

---One XRPC call: a query (GET), or a procedure (POST) when `o` has json, body or method.
---@param session daub.http.Session
---@param root string "https://bsky.social"
---@param method string "com.atproto.server.getSession"
---@param o? {query: table?, json: any, body: string?, type: string?, token: string?,
--- method: string?}
---@return table|nil answer, string|daub.http.Result message_or_result, string? code, string? word
function M.call(session, root, method, o)
  o = o or {}
  local url = ("%s/xrpc/%s"):format(root, method)
  if o.query then url = url .. "?" .. http.query(o.query) end
  return api.json(session, { url = url, method = o.method, json = o.json, body = o.body,
    headers = { Authorization = o.token and "Bearer " .. o.token, ["Content-Type"] = o.type } })
end

---The address of a blob's own bytes, as they were uploaded. At the entryway it leads on to the
---server of whoever is with Bluesky itself.
---@return string
function M.blob(root, did, cid)
  return ("%s/xrpc/com.atproto.sync.getBlob?%s"):format(root, http.query({ did = did, cid = cid }))
end

---What is kept of an answer of createSession and refreshSession.
---@return table|nil fields, string? message, string? code
function M.tokens(answer)
  local token, renewing = api.token(answer.accessJwt), api.token(answer.refreshJwt)
  if token and renewing then return { token = token, refresh_token = renewing } end
  return nil, "the answer holds no tokens (is this the right server?)", "format"
end

---New tokens for an account (com.atproto.server.refreshSession), for accounts.renew.
---@return table|nil fields, string? message, string? code
function M.refresh(account, o)
  local answer, message, code = M.call(o.http, account.pds, "com.atproto.server.refreshSession",
    { method = "POST", token = account.refresh_token })
  if not answer and tostring(code):match("^http%-40[01]") then
    return nil, ("bluesky:%s: the login has expired (run: daub login bluesky:%s)"):format(
      account.name, account.name), "login"
  elseif not answer then
    return nil, message, code
  end
  return M.tokens(answer)
end

---@class daub.api.Bluesky
---@field account daub.Account
local Client = {}
Client.__index = Client

---@param session daub.http.Session
---@param account daub.Account
---@return daub.api.Bluesky
function M.client(session, account)
  return setmetatable({ http = session, account = account }, Client)
end

---A call with the account's token, renewed and repeated once when it has expired.
---@return table|nil answer, string|daub.http.Result message_or_result, string? code, string? word
function Client:call(method, o)
  local request = { token = self.account.token }
  for name, value in pairs(o or {}) do request[name] = value end
  local answer, result, code, word = M.call(self.http, self.account.pds, method, request)
  if answer or word ~= "ExpiredToken" then return answer, result, code, word end
  local account, message, why = accounts.renew(self.account, function(account)
    return M.refresh(account, { http = self.http })
  end)
  if not account then return nil, message, why end
  self.account, request.token = account, account.token
  return M.call(self.http, account.pds, method, request)
end

return M
