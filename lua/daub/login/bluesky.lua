-- Logging in to Bluesky with an app password; tokens are kept, the password is not.
local api = require "daub.api.call"
local bluesky = require "daub.api.bluesky"

local M = {}

M.help = {
  "You need an app password, not your own: bsky.app > Settings > Privacy and security >",
  "App passwords. It looks like abcd-efgh-ijkl-mnop and can be taken back there at any time.",
}

local function pds_of(document)
  for _, service in ipairs(type(document.service) == "table" and document.service or {}) do
    if type(service) == "table" and tostring(service.id):match("#atproto_pds$")
      and type(service.serviceEndpoint) == "string" then
      return (service.serviceEndpoint:gsub("/+$", ""))
    end
  end
end

-- Tokens and passwords go over https only, unless the person named an http server.
local function trusted(url, api_url)
  return url and (url:match("^https://[^/%s@]+$")
    or (api_url or ""):match("^http://") and url:match("^http://[^/%s@]+$"))
end

local function document_address(did)
  local host = did:match("^did:web:([%w.-]+)$")
  if host then return ("https://%s/.well-known/did.json"):format(host) end
  if did:match("^did:plc:%w+$") then return ("%s/%s"):format(bluesky.directory, did) end
end

-- The server an account logs in at: what its identity document names, or the entryway for those
-- with Bluesky itself (https://atproto.com/specs/account).
local function server_of(http, handle)
  local answer, message, code = bluesky.call(http, bluesky.appview,
    "com.atproto.identity.resolveHandle", { query = { handle = handle } })
  if not answer and code == "http-400" then
    return nil, handle .. ": no such account (check the handle's spelling)", "missing"
  elseif not answer then
    return nil, message, code
  end
  local address = document_address(tostring(answer.did))
  if not address then return nil, handle .. ": its identity is of an unknown kind", "format" end
  local document
  document, message, code = api.json(http, { url = address })
  if not document then return nil, message, code end
  local server = pds_of(document)
  if not trusted(server, bluesky.directory) then
    return nil, handle .. ": its identity names no server", "format"
  end
  return server:match("%.host%.bsky%.network$") and bluesky.entryway or server
end

local function ask_handle(ui, who)
  if not who then
    local message, code
    who, message, code = ui:ask("Handle (alice.bsky.social): ")
    if not who then return nil, message, code end
  end
  local handle = who:gsub("^@", ""):lower()
  if not handle:match("^[%w-]+%.[%w.-]+$") then
    return nil, ("%s: not a handle (expected one like alice.bsky.social)"):format(who), "usage"
  end
  return handle
end

local function explain(message, code, word)
  if word == "AuthFactorTokenRequired" then
    return nil, "that is the account's own password (make an app password)", "login"
  elseif word == "AuthenticationRequired" then
    return nil, "the handle or the app password is wrong", "login"
  elseif word == "AccountTakedown" then
    return nil, "the account is closed", "login"
  end
  return nil, message, code
end

---@return string|nil account_name, table|string fields_or_message, string? code
function M.login(ui, o)
  local handle, message, code = ask_handle(ui, o.who)
  if not handle then return nil, message, code end
  local server = o.api and o.api:gsub("/+$", "")
  if not server then server, message, code = server_of(o.http, handle) end
  if not server then return nil, message, code end
  local password
  password, message, code = ui:secret(("App password for %s at %s: "):format(handle, server))
  if not password then return nil, message, code end
  if not password:match("^%w%w%w%w%-%w%w%w%w%-%w%w%w%w%-%w%w%w%w$") then
    return nil, "that is no app password (they look like abcd-efgh-ijkl-mnop); it was not sent",
      "login"
  end
  local answer, word
  answer, message, code, word = bluesky.call(o.http, server, "com.atproto.server.createSession",
    { json = { identifier = handle, password = password } })
  if not answer then return explain(message, code, word) end
  local fields
  fields, message, code = bluesky.tokens(answer)
  if not fields then return nil, ("%s: %s"):format(server, message), code end
  local home = type(answer.didDoc) == "table" and pds_of(answer.didDoc)
  fields.did, fields.pds = answer.did, trusted(home, o.api) and home or server
  if type(fields.did) ~= "string" then
    return nil, server .. ": the answer names no account (is this the right server?)", "format"
  end
  return tostring(answer.handle):match("^[%w-]+%.[%w.-]+$") or handle, fields
end

---@return true|nil, string? message
function M.logout(account, o)
  local answer, message = bluesky.call(o.http, account.pds, "com.atproto.server.deleteSession",
    { method = "POST", token = account.refresh_token })
  return answer and true, message
end

M.refresh = bluesky.refresh

return M
