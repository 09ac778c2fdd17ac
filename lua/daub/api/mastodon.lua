-- What the Mastodon API is to all who talk with it, as Mastodon, GoToSocial and others speak it
-- (https://docs.joinmastodon.org/methods/).
--
--   local answer, message = mastodon.call(http, account, "/api/v1/accounts/verify_credentials")
local api = require "daub.api.call"

local M = {}

---What daub asks to be allowed: to read accounts and the owner's lists, and to set the header.
M.scopes = "read:accounts read:lists write:accounts"

-- Pictures that servers show for those who set none.
local defaults = {
  "/headers/original/missing%.png$",       -- Mastodon, Hollo, Pixelfed
  "/headers/default%.jpg$",                -- Pixelfed
  "/default_header%.%w+$",                 -- GoToSocial
  "/images/banner%.png$",                  -- Pleroma, Akkoma
  "/static%-assets/transparent%.png$",     -- Misskey and its forks
}

---Whether an address is of the picture a server shows for those without a header.
---@param url string
---@return boolean
function M.is_default(url)
  local path = url:gsub("[?#].*$", "")
  for _, pattern in ipairs(defaults) do
    if path:find(pattern) then return true end
  end
  return false
end

---"alice@one.example" taken apart; the host in lower case. nil for anything else.
---@param text string
---@return string|nil user, string|nil host
function M.split(text)
  local user, host = text:match("^@?([%w_.-]+)@([%w.-]+:?%d*)$")
  return user, host and host:lower()
end

---Where an account's server is.
---@param account daub.Account its name is USER@HOST
---@return string root "https://one.example"
function M.root(account)
  return account.api or "https://" .. account.name:gsub("^.*@", "")
end

---A request with the account's token.
---@param o? table the fields of a request but its url
---@return table|nil answer, string|daub.http.Result message_or_result, string? code, string? word
function M.call(http, account, path, o)
  local request = { url = M.root(account) .. path,
    headers = { Authorization = "Bearer " .. account.token } }
  for name, value in pairs(o or {}) do request[name] = value end
  return api.json(http, request)
end

return M
