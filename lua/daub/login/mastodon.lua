-- Logging in to a server that speaks Mastodon's API: daub makes itself known there as an app, the
-- owner allows it in a browser, and the code that comes of it, by a loopback address or typed in,
-- is changed for a token (https://docs.joinmastodon.org/client/authorized/, RFC 6749, RFC 7636).
local account = require "daub.login.account"
local api = require "daub.api.call"
local http = require "daub.http"
local loopback = require "daub.login.loopback"
local mastodon = require "daub.api.mastodon"
local secrets = require "daub.secrets"

local M = {}

local OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
local PATIENCE = 600 -- seconds to log in and allow it in the browser

M.help = {
  "A browser is needed where you are logged in to your server: it asks whether daub may see lists",
  "and set your header. On a machine without a display you copy a code from there.",
}

local function post(o, url, fields)
  local body, headers = api.urlencoded(fields)
  return api.json(o.http, { url = url, method = "POST", body = body, headers = headers })
end

-- Where the browser is sent with the code: a port of this machine where it can be reached, else
-- the server shows the code.
local function way_back()
  if not os.getenv("DISPLAY") and not os.getenv("WAYLAND_DISPLAY") then return OUT_OF_BAND end
  local listener = loopback.listen()
  return listener and listener.redirect or OUT_OF_BAND, listener
end

-- The code the server gives to whoever has allowed it.
local function code_of(ui, listener, state)
  if not listener then
    return ui:secret("The code that is shown there: ")
  end
  local fields, message, code = listener:wait({ state = state, seconds = PATIENCE })
  if not fields then return nil, message, code end
  return fields.code
end

local function allow(ui, root, app, redirect, listener)
  local pkce, state = loopback.pkce(), loopback.state()
  ui:open(root .. "/oauth/authorize?" .. http.query({ response_type = "code", state = state,
    client_id = app.client_id, redirect_uri = redirect, scope = mastodon.scopes,
    code_challenge = pkce.challenge, code_challenge_method = pkce.method }))
  local code, message, why = code_of(ui, listener, state)
  if not code then return nil, message, why end
  return { grant_type = "authorization_code", code = code, client_id = app.client_id,
    client_secret = app.client_secret, redirect_uri = redirect, scope = mastodon.scopes,
    code_verifier = pkce.verifier }
end

local function register(o, root, redirect)
  local app, message, code = post(o, root .. "/api/v1/apps", { client_name = "daub",
    redirect_uris = redirect, scopes = mastodon.scopes })
  if not app then return nil, message, code end
  secrets.add(app.client_secret)
  if type(app.client_id) ~= "string" or type(app.client_secret) ~= "string" then
    return nil, root .. ": takes no apps (is this the right server?)", "format"
  end
  return app
end

-- Who has logged in, if that is who was meant.
local function whose(o, root, token, user)
  local answer, message, code = api.json(o.http,
    { url = root .. "/api/v1/accounts/verify_credentials",
      headers = { Authorization = "Bearer " .. token } })
  if not answer then return nil, message, code end
  local name = type(answer.username) == "string" and answer.username or ""
  if name:lower() ~= user:lower() then
    return nil, ("the browser is logged in as %s, not as %s (change that there and try again)")
      :format(name, user), "login"
  end
  return name
end

-- Changes what the browser brought for a token.
local function token_of(o, root, asked)
  local answer, message, code, word = post(o, root .. "/oauth/token", asked)
  if not answer and word == "invalid_grant" then
    return nil, "the server does not know that code (copy the whole of it, and soon)", "login"
  elseif not answer then
    return nil, message, code
  end
  local token = api.token(answer.access_token)
  if token then return token end
  return nil, root .. ": the answer holds no token (is this the right server?)", "format"
end

-- App, browser, token. Gives what is kept.
local function walk(ui, o, root, redirect, listener)
  local app, message, code = register(o, root, redirect)
  if not app then return nil, message, code end
  local asked, token
  asked, message, code = allow(ui, root, app, redirect, listener)
  if not asked then return nil, message, code end
  token, message, code = token_of(o, root, asked)
  if not token then return nil, message, code end
  return { token = token, client_id = app.client_id, client_secret = app.client_secret,
    api = o.api and root or nil }
end

---@return string|nil account_name, table|string fields_or_message, string? code
function M.login(ui, o)
  local user, host, code = account.ask(ui, o.who, "alice@mastodon.social")
  if not user then return nil, host, code end
  local root = account.root(o, host)
  local redirect, listener = way_back()
  local fields, message
  fields, message, code = walk(ui, o, root, redirect, listener)
  if listener then listener:close() end
  if not fields then return nil, message, code end
  local name
  name, message, code = whose(o, root, fields.token, user)
  if not name then return nil, message, code end
  return name .. "@" .. host, fields
end

---@return true|nil, string? message
function M.logout(of, o)
  if not of.client_id then return nil, "daub does not know the app the token is of" end
  local answer, message = post(o, mastodon.root(of) .. "/oauth/revoke",
    { client_id = of.client_id, client_secret = of.client_secret, token = of.token })
  return answer and true, message
end

return M
