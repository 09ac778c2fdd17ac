-- Asking whose account it is, on networks of many servers.
local mastodon = require "daub.api.mastodon"

local M = {}

---@param ui daub.login.Ui
---@param who string?     what was said already
---@param example string  "alice@mastodon.social"
---@return string|nil user, string host_or_message, string? code
function M.ask(ui, who, example)
  if not who then
    local message, code
    who, message, code = ui:ask(("Account (%s): "):format(example))
    if not who then return nil, message, code end
  end
  local user, host = mastodon.split(who)
  if not user then
    return nil, ("%s: not an account (expected USER@HOST, as in %s)"):format(who, example), "usage"
  end
  return user, host
end

---The server of an account, or the one that was named instead, without a slash at the end.
---@param o {api: string?}
---@param host string
---@return string
function M.root(o, host)
  return o.api and o.api:gsub("/+$", "") or "https://" .. host
end

return M
