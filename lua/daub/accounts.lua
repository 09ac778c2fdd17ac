-- Secrets of accounts. They come from the environment or from accounts.json in the person's
-- configuration folder, never from a command line, and go to the one host they are for.
--
--   DAUB_MASTODON_TOKEN="mastodon.example=TOKEN,other.example=TOKEN"
--   ~/.config/daub/accounts.json, mode 0600:
--     {"mastodon": {"mastodon.example": {"token": "TOKEN"}}}
local json = require "daub.json"
local system = require "daub.core.system"

local M = {}

---Where accounts.json lies, whether or not it exists.
---@return string
function M.path()
  local folder = os.getenv("XDG_CONFIG_HOME")
  if not folder or folder == "" then folder = (os.getenv("HOME") or "") .. "/.config" end
  return folder .. "/daub/accounts.json"
end

local function from_environment(network, host)
  local list = os.getenv(("DAUB_%s_TOKEN"):format(network:upper()))
  if not list or list == "" then return nil end
  for entry in list:gmatch("[^,]+") do
    local for_host, token = entry:match("^%s*([^=%s]+)=(%S+)%s*$")
    if not for_host then
      return nil, ("DAUB_%s_TOKEN: not understood (HOST=TOKEN expected, several with commas)")
        :format(network:upper())
    end
    if for_host:lower() == host then return token end
  end
end

local function from_file(network, host)
  local path = M.path()
  local stat = system.stat(path)
  if not stat then return nil end
  if stat.mode % 64 ~= 0 then
    return nil, ("%s: others may read it (chmod 600 it)"):format(path)
  end
  local text, message = system.read_file(path, 1024 * 1024)
  if not text then return nil, message end
  local accounts = json.decode(text)
  if type(accounts) ~= "table" then return nil, path .. ": not JSON" end
  local entry = type(accounts[network]) == "table" and accounts[network][host]
  local token = type(entry) == "table" and entry.token
  if type(token) ~= "string" then return nil end
  if token:find("[%c%s]") then
    return nil, ("%s: the token for %s holds spaces or control characters"):format(path, host)
  end
  return token
end

---The access token for a host of a network. nil: there is none; with a message: it could not be
---read.
---@param network string  "mastodon"
---@param host string     in lower case
---@return string|nil token, string? message
function M.token(network, host)
  local token, message = from_environment(network, host)
  if token or message then return token, message end
  return from_file(network, host)
end

return M
