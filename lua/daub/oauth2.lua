-- OAuth 2.0 as a program on somebody's own machine uses it: the person says yes in a browser, which
-- comes back to an address of this machine (RFC 8252), the code it brings is exchanged for a token
-- with proof that it was we who asked (PKCE, RFC 7636), and the token is renewed with another
-- (RFC 6749, 6).
--
--   local client = { id = "…", secret = "…" or nil, token_url = "https://…/oauth2/token" }
--   local answer = assert(oauth2.browser(ask, ui, client, { authorize_url = "https://…/authorize",
--     scope = "users.read offline.access", port = 8731 }))
--   -- { token = "…", refresh_token = "…", expires = 1795331453 }
--   answer = assert(oauth2.refresh(ask, client, answer.refresh_token))
--
-- `ask(url, o)` sends a request and gives its result, refusals included, or nil, message, code: a
-- source's `get`, or oauth2.asking(session).
local http = require "daub.http"
local loopback = require "daub.login.loopback"
local secrets = require "daub.secrets"
local system = require "daub.core.system"

local M = {}

local WAIT = 300 -- seconds for the person to say yes in the browser

---@class daub.oauth2.Client
---@field id string
---@field secret string?   of apps that have one
---@field token_url string

---@class daub.oauth2.Tokens
---@field token string
---@field refresh_token string?
---@field expires integer?  seconds since 1970

---A session as an `ask`.
---@param session daub.http.Session
---@return fun(url: string, o: table?): table|nil, string?, string?
function M.asking(session)
  return function(url, o)
    local request = { url = url, redirects = "same-host" }
    for name, value in pairs(o or {}) do
      if name ~= "keep" then request[name] = value end
    end
    local result, message, code, refusal = session:request(request)
    if result then return result end
    if refusal and refusal.status then return refusal end
    return nil, message, code
  end
end

---Posts a form to the server that gives tokens. A client with a secret shows it in the header, as
---X and the standard want it (RFC 6749, 2.3.1), any other only its name.
---@return table|nil response, string? message, string? code
function M.post(ask, client, url, fields)
  local headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  if client.secret then
    headers.Authorization = "Basic " .. system.base64(
      http.escape(client.id) .. ":" .. http.escape(client.secret))
  else
    fields.client_id = client.id
  end
  local response, message, code = ask(url, { method = "POST", headers = headers,
    body = http.query(fields), keep = true })
  if not response then return nil, message, code end
  if response.error then
    local refused = response.status == 400 or response.status == 401
    return nil, response.error, refused and "login" or response.code
  end
  return response
end

-- The tokens in an answer (RFC 6749, 5.1).
local function tokens(ask, client, fields)
  local response, message, code = M.post(ask, client, client.token_url, fields)
  if not response then return nil, message, code end
  local answer = response.json()
  local token = type(answer) == "table" and answer.access_token
  if type(token) ~= "string" or token == "" or token:find("[%c%s]") then
    return nil, "the server gave no token (is this the right one?)", "format"
  end
  local refresh = type(answer.refresh_token) == "string" and answer.refresh_token or nil
  local lasts = tonumber(answer.expires_in)
  secrets.add(token)
  secrets.add(refresh)
  return { token = token, refresh_token = refresh,
    expires = lasts and math.floor(system.time() + lasts) or nil }
end

---Walks the person through their browser.
---@param client daub.oauth2.Client
---@param o {authorize_url: string, scope: string, port: integer?} port: where the server insists on
--- the address it knows
---@return daub.oauth2.Tokens|nil, string? message, string? code
function M.browser(ask, ui, client, o)
  local listener, message, code = loopback.listen(o.port)
  if not listener then return nil, message, code end
  local pkce, state = loopback.pkce(), loopback.state()
  ui:open(o.authorize_url .. "?" .. http.query({ response_type = "code", client_id = client.id,
    redirect_uri = listener.redirect, scope = o.scope, state = state,
    code_challenge = pkce.challenge, code_challenge_method = pkce.method }))
  local answer
  answer, message, code = listener:wait({ state = state, seconds = WAIT })
  listener:close()
  if not answer then return nil, message, code end
  if not answer.code then return nil, "the browser brought no code", "format" end
  return tokens(ask, client, { grant_type = "authorization_code", code = answer.code,
    redirect_uri = listener.redirect, code_verifier = pkce.verifier })
end

---New tokens for old ones. A server that gives no new refresh token lets the old one stand.
---@param client daub.oauth2.Client
---@param refresh_token string
---@return daub.oauth2.Tokens|nil, string? message, string? code
function M.refresh(ask, client, refresh_token)
  local fresh, message, code = tokens(ask, client, { grant_type = "refresh_token",
    refresh_token = refresh_token })
  if not fresh then return nil, message, code end
  fresh.refresh_token = fresh.refresh_token or refresh_token
  return fresh
end

return M
