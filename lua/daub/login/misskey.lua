-- Logging in to Misskey by MiAuth: the owner allows daub in a browser, and the server is asked
-- again and again until that is done
-- (https://misskey-hub.net/en/docs/for-developers/api/token/miauth/).
local account = require "daub.login.account"
local api = require "daub.api.call"
local http = require "daub.http"
local misskey = require "daub.api.misskey"
local system = require "daub.core.system"

local M = {}

local PATIENCE, INTERVAL = 600, 3 -- seconds

M.help = {
  "A browser is needed where you are logged in to your server, on this machine or another: it asks",
  "whether daub may see your lists and set your banner.",
}

-- A random UUID (RFC 9562, version 4): nobody can guess it, who knows it gets the token.
local function uuid()
  local hex = system.random_bytes(16):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end)
  return ("%s-%s-4%s-a%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16),
    hex:sub(18, 20), hex:sub(21))
end

local function wait(ui, o, root, session)
  local url = ("%s/api/miauth/%s/check"):format(root, session)
  for _ = 1, PATIENCE / INTERVAL do
    local ok, message, code = ui:wait(INTERVAL, "waiting for the browser")
    if not ok then return nil, message, code end
    local answer
    answer, message, code = api.json(o.http, { url = url, method = "POST", json = {} })
    if not answer then return nil, message, code end
    if answer.ok == true then return answer end
  end
  return nil, "nobody allowed it in the browser (run it again)", "timeout"
end

---@return string|nil account_name, table|string fields_or_message, string? code
function M.login(ui, o)
  local user, host, code = account.ask(ui, o.who, "alice@misskey.io")
  if not user then return nil, host, code end
  local root, session = account.root(o, host), uuid()
  ui:open(("%s/miauth/%s?%s"):format(root, session,
    http.query({ name = "daub", permission = misskey.permissions })))
  local answer, message
  answer, message, code = wait(ui, o, root, session)
  if not answer then return nil, message, code end
  local token = api.token(answer.token)
  local name = type(answer.user) == "table" and answer.user.username
  if not token or type(name) ~= "string" then
    return nil, root .. ": the answer holds no token (is this the right server?)", "format"
  elseif name:lower() ~= user:lower() then
    return nil, ("the browser is logged in as %s, not as %s (change that there and try again)")
      :format(name, user), "login"
  end
  return name .. "@" .. host, { token = token, api = o.api and root or nil }
end

---Misskey lets no app take back its own token.
---@return nil, string message
function M.logout()
  return nil, "its API lets no program do that: Settings > Service integration"
end

return M
