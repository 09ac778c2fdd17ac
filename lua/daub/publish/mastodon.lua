-- Hanging a header on a server that speaks Mastodon's API
-- (https://docs.joinmastodon.org/methods/accounts/#update_credentials).
local accounts = require "daub.accounts"
local image = require "daub.image"
local look = require "daub.publish.look"
local mastodon = require "daub.api.mastodon"

local M = {}

---@class daub.publish.Mastodon
---@field account daub.Account
local Publisher = {}
Publisher.__index = Publisher

---@return table|nil publisher, string? message, string? code
function M.new(o)
  local account, message, code = accounts.get("mastodon", o.who)
  if not account then return nil, message, code end
  if o.api then account.api = o.api:gsub("/+$", "") end
  return setmetatable({ network = "mastodon", who = account.name,
    spec = "mastodon:" .. account.name, account = account, http = o.http }, Publisher)
end

local function call(self, path, o)
  local answer, message, code = mastodon.call(self.http, self.account, path, o)
  if answer then return answer end
  if code == "http-401" or code == "http-403" then
    return nil, ("%s: the login is no longer valid, or does not allow this (run: daub login %s)")
      :format(self.spec, self.spec), "login"
  end
  return nil, ("%s: %s"):format(self.spec, message), code
end

-- The header an account shows; nil for the server's own.
local function header_of(answer)
  local url = answer.header
  if type(url) ~= "string" or url == "" or mastodon.is_default(url) then return nil end
  return url
end

---@return table|nil state {url = of the header|nil, description = its alternative text|nil}
function Publisher:current()
  local answer, message, code = call(self, "/api/v1/accounts/verify_credentials")
  if not answer then return nil, message, code end
  if type(answer.id) ~= "string" then
    return nil, self.spec .. ": the answer holds no account (is this the right server?)", "format"
  end
  local description = answer.header_description
  if type(description) ~= "string" or description == "" then description = nil end
  return { url = header_of(answer), description = description }
end

-- What is read to those who do not see the picture (Mastodon 4.6). Left alone where there is none:
-- other servers do not know the call.
local function describe(self, was, text)
  if was == text then return true end
  return call(self, "/api/v1/profile", { method = "PATCH",
    json = { header_description = text or "" } })
end

local function send(self, bytes)
  local kind = image.probe(bytes) or "jpeg"
  local answer, message, code = call(self, "/api/v1/accounts/update_credentials", {
    method = "PATCH", form = { { name = "header", data = bytes, filename = "header." .. kind,
      type = "image/" .. kind } } })
  if not answer then return nil, message, code end
  return { url = header_of(answer), bytes = bytes }
end

---@return table|nil receipt
function Publisher:set(bytes, state)
  local receipt, message, code = send(self, bytes)
  if not receipt then return nil, message, code end
  local ok
  ok, message, code = describe(self, state.description, nil)
  if not ok then return nil, message, code end
  return receipt
end

---The account shows a header, and it looks like what was sent: servers make it smaller.
---@return true|nil, string? message, string? code
function Publisher:verify(receipt)
  local state, message, code = self:current()
  if not state then return nil, message, code end
  if not receipt.bytes then
    return not state.url or nil, "the account still shows a header", "mismatch"
  elseif not state.url or state.url ~= receipt.url then
    return nil, "another header shows there, or none", "pending"
  end
  return look.shows(self.http, state.url, receipt.bytes)
end

---@return table|nil receipt
function Publisher:restore(state, bytes)
  if bytes then
    local receipt, message, code = send(self, bytes)
    if not receipt then return nil, message, code end
    local ok
    ok, message, code = describe(self, nil, state.description)
    if not ok then return nil, message, code end
    return receipt
  end
  local answer, message, code = call(self, "/api/v1/profile/header", { method = "DELETE" })
  if not answer and code == "http-404" then
    return nil, self.spec .. ": this server lets no program take a header down: do it in the"
      .. " account's settings", code
  elseif not answer then
    return nil, message, code
  end
  return {}
end

return M
