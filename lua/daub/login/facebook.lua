-- Logging in to Facebook on another device (developers.facebook.com, "Login for Devices"), with an
-- app of one's own.
local device = require "daub.login.device"
local http = require "daub.http"
local system = require "daub.core.system"

local M = {}

M.help = {
  "Facebook wants an app of your own: make one at developers.facebook.com, turn on Facebook",
  "Login with \"Login from Devices\"; have app ID and client token at hand (Settings, Advanced).",
  "Friends show only where they use the app, too, and without covers unless the app may still read",
  "them; Pages you follow show theirs. Without an app: download your data and use archive:PATH.",
}

local function call(o, method, path, query)
  local request = { url = (o.api or "https://graph.facebook.com") .. path, method = method }
  if method == "POST" then
    request.body = http.query(query)
    request.headers = { ["Content-Type"] = "application/x-www-form-urlencoded" }
  else
    request.headers = { Authorization = "Bearer " .. query.access_token }
  end
  local response, message, code, refusal = o.http:request(request)
  if response then
    local answer = response.json()
    if type(answer) == "table" then return answer end
    return nil, "something other than an object came (is this the right server?)", "format"
  end
  local said = refusal and refusal.body and refusal.json()
  return nil, message, code, type(said) == "table" and type(said.error) == "table"
    and tonumber(said.error.error_subcode) or nil
end

-- error_subcode of device/login_status
local POLLED = { [1349174] = "pending", [1349172] = "slow" }

local function poll(o, token, code)
  local answer, message, kind, subcode = call(o, "POST", "/device/login_status",
    { access_token = token, code = code })
  if answer then return answer end
  if subcode == 1349152 then return nil, "the code has expired (run it again)", "login" end
  return nil, message, POLLED[subcode] or kind
end

---@param ui daub.login.Ui
---@param o table of daub.login
---@return string|nil name, table|string fields_or_message, string? code
function M.login(ui, o)
  local id, message, code = ui:ask("App ID: ")
  if not id then return nil, message, code end
  local secret
  secret, message, code = ui:secret("Client token: ")
  if not secret then return nil, message, code end
  local token = id .. "|" .. secret
  local asked, answer, me
  asked, message, code = call(o, "POST", "/device/login", { access_token = token,
    scope = "user_friends,user_likes" })
  if not asked then return nil, message, code end
  if type(asked.code) ~= "string" or type(asked.user_code) ~= "string" then
    return nil, "the login server gave no code", "format"
  end
  answer, message, code = device.wait(ui, { code = asked.user_code,
    address = tostring(asked.verification_uri or "https://www.facebook.com/device"),
    seconds = tonumber(asked.expires_in) or 420, interval = tonumber(asked.interval) or 5,
    poll = function() return poll(o, token, asked.code) end })
  if not answer then return nil, message, code end
  if type(answer.access_token) ~= "string" then
    return nil, "the login server gave no token", "format"
  end
  local fields = { token = answer.access_token, api = o.api,
    expires = tonumber(answer.expires_in) and system.time() + tonumber(answer.expires_in) or nil }
  me, message, code = call(o, "GET", "/me?fields=id", { access_token = fields.token })
  if not me then return nil, message, code end
  return type(me.id) == "string" and me.id or "me", fields
end

---@return true|nil, string? message
function M.logout(account, o)
  local answer, message = call({ http = o.http, api = account.api }, "DELETE", "/me/permissions",
    { access_token = account.token })
  return answer and true, message
end

return M
