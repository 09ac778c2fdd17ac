-- Logging in: each network is one small file beside this one that walks the owner through, and what
-- comes of it is kept by daub.accounts.
--
--   local module = assert(login.network("bluesky"))
--   local name, fields = module.login(ui, { who = nil, api = nil, http = session })
--
-- The module of a network has
--   help     lines: what one needs beforehand and what one will be asked
--   login(ui, o) -> account name, fields | nil, message, code     ui: see daub.login.ui
--   logout(account, o) -> true | nil, message      perhaps: lets the server forget the token
--   refresh(account, o) -> fields | nil, message, code   perhaps: for accounts.fresh
-- with o = {who = string|nil, api = URL|nil, http = a session}.
local M = {}

---Networks one can log in to.
M.networks = { "bluesky", "mastodon", "misskey", "x", "youtube", "facebook" }

---@return table|nil module, string? message, string? code
function M.network(name)
  for _, known in ipairs(M.networks) do
    if known == name then return require("daub.login." .. name) end
  end
  return nil, ("%s: no login for this network (there is one for %s)"):format(name,
    table.concat(M.networks, ", ")), "usage"
end

---What every network wants beforehand, for --help.
---@return string
function M.notes()
  local lines = {}
  for _, name in ipairs(M.networks) do
    lines[#lines + 1] = name .. ":"
    for _, line in ipairs(M.network(name).help) do lines[#lines + 1] = "  " .. line end
  end
  return table.concat(lines, "\n")
end

return M
