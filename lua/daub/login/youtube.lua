-- Logging in to YouTube: with an API key, for what everybody may see, or as the owner of a channel
-- by the device flow (developers.google.com/identity/protocols/oauth2/limited-input-device).
local device = require "daub.login.device"
local youtube = require "daub.api.youtube"

local M = {}

M.help = {
  "YouTube wants a project of your own: at console.cloud.google.com make one and enable the",
  "\"YouTube Data API v3\". Under Credentials make an API key (enough for public subscriptions),",
  "or an OAuth client ID of the type \"TVs and Limited Input devices\" (for your own subscribers,",
  "and to hang a banner; add yourself as a test user on the consent screen).",
}

local function asker(o)
  return function(request) return o.http:request(request) end
end

local function as_key(key, o)
  local client = youtube.client { key = key, api = o.api, ask = asker(o) }
  local answer, message, code = client:get("/youtube/v3/channels",
    { part = "id", forHandle = "@youtube" })
  if not answer then return nil, message, code end
  return "key", { api_key = key, api = o.api }
end

-- The word of OAuth for a refusal.
local function word_of(refusal)
  local said = refusal and refusal.body and refusal.json()
  return type(said) == "table" and said.error or nil
end

local POLLED = { authorization_pending = "pending", slow_down = "slow" }
local REFUSED = {
  access_denied = "the login was refused",
  expired_token = "the code has expired (run it again)",
  invalid_client = "YouTube does not know this client ID with this secret",
  unauthorized_client = "the client ID is not of the type \"TVs and Limited Input devices\"",
}

local function post(o, path, fields)
  local response, message, code, refusal = o.http:request(
    youtube.form_request(youtube.oauth(o.api, path), fields))
  if response then return response end
  local word = word_of(refusal)
  if POLLED[word] then return nil, word, POLLED[word] end
  return nil, REFUSED[word] or message, REFUSED[word] and "login" or code
end

local function start(o, id)
  local response, message, code = post(o, "/device/code", { client_id = id, scope = youtube.scope })
  if not response then return nil, message, code end
  local answer = response.json()
  if type(answer) ~= "table" or type(answer.device_code) ~= "string"
    or type(answer.user_code) ~= "string" then
    return nil, "the login server gave no code", "format"
  end
  return answer
end

-- Which channel that is.
local function whose(fields, o)
  local client = youtube.client { account = fields, api = o.api, ask = asker(o) }
  local answer, message, code = client:get("/youtube/v3/channels",
    { part = "snippet", mine = true })
  if not answer then return nil, message, code end
  local channel = youtube.pick(answer, "items", 1)
  if type(youtube.pick(channel, "id")) ~= "string" then
    return nil, "this Google account has no channel (make one at youtube.com)", "missing"
  end
  fields.channel_id = channel.id
  local custom = youtube.pick(channel, "snippet", "customUrl")
  return type(custom) == "string" and custom ~= "" and custom:gsub("^@", "") or channel.id
end

local function as_owner(ui, o)
  local id, message, code = ui:ask("OAuth client ID: ")
  if not id then return nil, message, code end
  local secret
  secret, message, code = ui:secret("Client secret: ")
  if not secret then return nil, message, code end
  local asked
  asked, message, code = start(o, id)
  if not asked then return nil, message, code end
  local response
  response, message, code = device.wait(ui, {
    address = tostring(asked.verification_url or asked.verification_uri
      or "https://www.google.com/device"),
    code = asked.user_code, seconds = tonumber(asked.expires_in) or 1800,
    interval = tonumber(asked.interval) or 5, poll = function()
      return post(o, "/token", { client_id = id, client_secret = secret,
        device_code = asked.device_code,
        grant_type = "urn:ietf:params:oauth:grant-type:device_code" })
    end })
  if not response then return nil, message, code end
  local fields
  fields, message, code = youtube.token_fields(response)
  if not fields then return nil, message, code end
  fields.client_id, fields.client_secret, fields.api = id, secret, o.api
  local name
  name, message, code = whose(fields, o)
  if not name then return nil, message, code end
  return name, fields
end

---@param ui daub.login.Ui
---@param o table of daub.login
---@return string|nil name, table|string fields_or_message, string? code
function M.login(ui, o)
  local key, message, code = ui:secret("API key (or Enter to log in as a channel's owner): ")
  if not key then return nil, message, code end
  if key ~= "" then return as_key(key, o) end
  return as_owner(ui, o)
end

---@return true|nil, string? message
function M.logout(account, o)
  if not account.refresh_token then return true end
  local response, message = o.http:request(youtube.form_request(
    youtube.oauth(account.api, "/revoke"), { token = account.refresh_token }))
  return response and true, message
end

return M
