-- What sources of the fediverse's many servers have in common: USER@HOST, and the login for it.
local accounts = require "daub.accounts"
local mastodon = require "daub.api.mastodon"

local M = {}

---A source without its methods.
---@param network string
---@param argument string what follows the colon
---@param o table of sources.parse
---@param example string "alice@mastodon.social"
---@return table|nil source with user, host, list, token (of this account or any of its server, or
--- nil) and own: whether it is this account's
---@return string? message, string? code
function M.source(network, argument, o, example)
  local user, host = mastodon.split(argument)
  if not user then
    return nil, ("%s:%s: not an account (expected USER@HOST, as in %s)"):format(network, argument,
      example), "usage"
  end
  local own = accounts.get(network, user .. "@" .. host)
  local token, message = own and own.token, nil
  if not token then token, message = accounts.token(network, host) end
  if message then return nil, message, "usage" end
  return { network = network, spec = ("%s:%s@%s"):format(network, user, host), api = o.api or "",
    noun = "people", user = user, host = host, list = o.list, token = token, own = own ~= nil }
end

return M
