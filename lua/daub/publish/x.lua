-- Hanging a cover on X: by API v1.1, the only version that can, signed by a login by PIN. What
-- shows is read by API v2. X takes the picture at once and shows it a little later.
local accounts = require "daub.accounts"
local look = require "daub.publish.look"
local oauth2 = require "daub.oauth2"
local x = require "daub.api.x"

local M = {}

---@class daub.publish.X
local X = {}
X.__index = X

---@param o {who: string?, api: string?, http: daub.http.Session}
---@return daub.publish.X|nil, string? message, string? code
function M.new(o)
  local account, message, code = accounts.get("x", o.who)
  if not account then return nil, message, code end
  if not x.signs(account) then
    return nil, ("x:%s: this login may only read (run: daub login x, and choose pin)"):format(
      account.name), "login"
  end
  return setmetatable({ network = "x", who = account.name, spec = "x:" .. account.name,
    auth = x.speaking(account, { api = x.root(o.api), v1 = true }), http = o.http,
    ask = oauth2.asking(o.http) }, X)
end

local function fail(self, message, code)
  return nil, self.spec .. ": " .. message, code
end

---@return {url: string|nil, banner: string|nil}|nil state, string? message, string? code
function X:current()
  local me, message, code = self.auth:me(self.ask)
  if not me then return fail(self, message, code) end
  if me.username:lower() ~= self.who:lower() then
    return fail(self, ("the login is x:%s's (run: daub login x)"):format(me.username), "login")
  end
  return { url = me.banner and me.banner .. "/1500x500", banner = me.banner }
end

---@return string|nil bytes, string? message, string? code
function X:fetch(state)
  local response, message, code = self.http:get(state.url)
  if not response then response = self.http:get(state.banner) end -- from before X made such sizes
  if not response then return nil, message, code end
  return response.body
end

-- Why a change was refused, and what is left to do.
local REFUSED = {
  [400] = "X cannot read this picture",
  [403] = "X refuses: the app wants the permission \"Read and write\", and then a new login",
  [413] = "X finds this picture too large",
  [422] = "X finds this picture too large or cannot scale it",
}

local function change(self, name, form)
  local answer, message, code, response = self.auth:call(self.ask, "/1.1/account/" .. name
    .. ".json", { method = "POST", form = form, body = not form and "" or nil })
  if answer then return true end
  local why = response and code ~= "plan" and code ~= "login" and REFUSED[response.status]
  return fail(self, ("%s (by hand: %s)"):format(why or message, x.by_hand), code)
end

---@param bytes string  a JPEG
---@param state table   of current()
---@return table|nil receipt, string? message, string? code
function X:set(bytes, state)
  local ok, message, code = change(self, "update_profile_banner",
    { { name = "banner", data = bytes, filename = "cover.jpg", type = "image/jpeg" } })
  if not ok then return nil, message, code end
  return { before = state.banner, bytes = bytes }
end

---A new banner shows under a new address; that it is ours its looks tell, X having made it anew.
---@return true|nil, string? message, string? code
function X:verify(receipt)
  local state, message, code = self:current()
  if not state then return nil, message, code end
  if receipt.removed then
    if not state.banner then return true end
    return nil, "the cover is still there", "pending"
  end
  if not state.banner or state.banner == receipt.before then
    return nil, "the old cover is still there", "pending"
  end
  local shown = self:fetch(state)
  if not shown then return nil, "the new cover cannot be looked at yet", "pending" end
  return look.alike(receipt.bytes, shown)
end

---@param bytes string|nil  nil: there was none
---@return table|nil receipt, string? message, string? code
function X:restore(_, bytes)
  if not bytes then
    local ok, message, code = change(self, "remove_profile_banner")
    if not ok then return nil, message, code end
    return { removed = true }
  end
  local now, message, code = self:current()
  if not now then return nil, message, code end
  return self:set(bytes, now)
end

return M
