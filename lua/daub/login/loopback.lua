-- What logging in by a browser needs: an address of this machine the network sends the browser back
-- to (RFC 8252, 7.3), and proof that who began is who ends (PKCE, RFC 7636).
--
--   local pkce, state = loopback.pkce(), loopback.state()
--   local l = assert(loopback.listen())
--   ui:open(authorize .. "?" .. http.query({ redirect_uri = l.redirect, state = state,
--     code_challenge = pkce.challenge, code_challenge_method = pkce.method … }))
--   local answer, message, code = l:wait { state = state, seconds = 300 }   -- { code = "…" }
--   l:close()
local core = require "daub.core.loopback"
local http = require "daub.http"
local secrets = require "daub.secrets"
local system = require "daub.core.system"

local M = {}

local function base64url(bytes)
  return (system.base64(bytes):gsub("+", "-"):gsub("/", "_"):gsub("=", ""))
end

---Text that nobody can guess.
---@return string
function M.state() return base64url(system.random_bytes(24)) end

---@return {verifier: string, challenge: string, method: "S256"}
function M.pkce()
  local verifier = base64url(system.random_bytes(48))
  secrets.add(verifier)
  return M.challenge(verifier)
end

---The challenge that goes with a verifier (RFC 7636, 4.2).
function M.challenge(verifier)
  local digest = system.sha256(verifier):gsub("%x%x", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return { verifier = verifier, challenge = base64url(digest), method = "S256" }
end

---@class daub.login.Loopback
---@field redirect string  "http://127.0.0.1:PORT/"
local Loopback = {}
Loopback.__index = Loopback

---@param port integer? a certain one; any that is free unless given
---@return daub.login.Loopback|nil, string? message, string? code
function M.listen(port)
  local listener, message, code = core.listen(port or 0)
  if not listener then return nil, message, code end
  return setmetatable({ listener = listener,
    redirect = ("http://127.0.0.1:%d/"):format(listener:port()) }, Loopback)
end

---Waits for the browser to come back. Requests that do not carry our `state` are none of ours.
---@param o {state: string, seconds: number}
---@return table<string, string>|nil fields, string? message, string? code
function Loopback:wait(o)
  local ends = system.now() + o.seconds
  while system.now() < ends do
    local target, message, code = self.listener:accept(ends - system.now())
    if not target and code ~= "timeout" then return nil, message, code end
    local fields = http.fields((target or ""):match("%?(.*)$") or "")
    if fields.state == o.state then
      local refused = fields.error
      self.listener:answer(200, refused and "Nothing was allowed. You can close this page."
        or "daub is logged in. You can close this page.")
      if refused then
        return nil, ("the login was refused (%s)"):format(
          fields.error_description or refused), "login"
      end
      secrets.add(fields.code)
      return fields
    elseif target then
      self.listener:answer(404, "Nothing here.")
    end
  end
  return nil, "nobody came back from the browser (run it again)", "timeout"
end

function Loopback:close() self.listener:close() end

return M
