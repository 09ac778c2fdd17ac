-- Hanging a banner on Misskey: the picture goes into the account's drive and the profile names it
-- (https://misskey-hub.net/en/docs/for-developers/api/endpoints: drive/files/create, i/update).
local accounts = require "daub.accounts"
local image = require "daub.image"
local json = require "daub.json"
local look = require "daub.publish.look"
local misskey = require "daub.api.misskey"

local M = {}

---@class daub.publish.Misskey
---@field account daub.Account
local Publisher = {}
Publisher.__index = Publisher

---@return table|nil publisher, string? message, string? code
function M.new(o)
  local account, message, code = accounts.get("misskey", o.who)
  if not account then return nil, message, code end
  if o.api then account.api = o.api:gsub("/+$", "") end
  return setmetatable({ network = "misskey", who = account.name,
    spec = "misskey:" .. account.name, account = account, http = o.http }, Publisher)
end

local refused = { AUTHENTICATION_FAILED = true, CREDENTIAL_REQUIRED = true,
  PERMISSION_DENIED = true, YOUR_ACCOUNT_SUSPENDED = true }

-- What a call gave, or its failure told of this account.
local function told(self, answer, message, code, word)
  if answer then return answer end
  if refused[word] then
    return nil, ("%s: the login is no longer valid, or does not allow this (run: daub login %s)")
      :format(self.spec, self.spec), "login"
  end
  return nil, ("%s: %s"):format(self.spec, message), code, word
end

local function call(self, endpoint, fields)
  return told(self, misskey.call(self.http, self.account, endpoint, fields))
end

local function text(value)
  return type(value) == "string" and value ~= "" and value or nil
end

---@return table|nil state {url = of the banner|nil, banner = id of its file|nil}
function Publisher:current()
  local me, message, code = call(self, "i")
  if not me then return nil, message, code end
  if not text(me.username) then
    return nil, self.spec .. ": the answer holds no account (is this the right server?)", "format"
  end
  return { url = text(me.bannerUrl), banner = text(me.bannerId) }
end

local function show(self, id)
  return call(self, "i/update", { bannerId = id or json.null })
end

---@return table|nil receipt
function Publisher:set(bytes)
  local kind = image.probe(bytes) or "jpeg"
  local file, message, code = told(self, misskey.upload(self.http, self.account,
    "cover." .. kind, bytes, "image/" .. kind))
  if not file then return nil, message, code end
  if not text(file.id) then
    return nil, self.spec .. ": the picture was not taken", "format"
  end
  local me
  me, message, code = show(self, file.id)
  if not me then return nil, message, code end
  return { banner = file.id, bytes = bytes }
end

---The profile names that file, and it looks like what was sent.
---@return true|nil, string? message, string? code
function Publisher:verify(receipt)
  local state, message, code = self:current()
  if not state then return nil, message, code end
  if state.banner ~= receipt.banner or receipt.banner and not state.url then
    return nil, "another banner shows there, or none", "pending"
  elseif not receipt.bytes then
    return true
  end
  return look.shows(self.http, state.url, receipt.bytes)
end

---The old file, if it is still in the drive, else its copy.
---@return table|nil receipt
function Publisher:restore(state, bytes)
  local me, message, code, word = show(self, state.banner)
  if me then return { banner = state.banner, bytes = bytes } end
  if bytes and word == "NO_SUCH_BANNER" then return self:set(bytes) end
  return nil, message, code
end

return M
