-- What Misskey's API is to all who talk with it, forks included: every call is a POST of JSON with
-- the token, where there is one, in it as `i`
-- (https://misskey-hub.net/en/docs/for-developers/api/).
--
--   local me, message = misskey.call(http, account, "i")
local api = require "daub.api.call"

local M = {}

---What daub asks to be allowed: to read the owner's account and lists, and to set the banner.
M.permissions = "read:account,write:account,write:drive"

---Where an account's server is.
---@param account daub.Account its name is USER@HOST
---@return string root "https://one.example"
function M.root(account)
  return account.api or "https://" .. account.name:gsub("^.*@", "")
end

---A call with the account's token.
---@param endpoint string "i/update"
---@param fields? table   what the call takes
---@return table|nil answer, string|daub.http.Result message_or_result, string? code, string? word
function M.call(http, account, endpoint, fields)
  local json = { i = account.token }
  for name, value in pairs(fields or {}) do json[name] = value end
  return api.json(http, { url = ("%s/api/%s"):format(M.root(account), endpoint), json = json })
end

---Puts a file into the account's drive.
---@return table|nil file, string|daub.http.Result message_or_result, string? code, string? word
function M.upload(http, account, name, bytes, kind)
  return api.json(http, { url = M.root(account) .. "/api/drive/files/create", form = {
    { name = "i", data = account.token }, { name = "name", data = name },
    { name = "file", data = bytes, filename = name, type = kind } } })
end

return M
