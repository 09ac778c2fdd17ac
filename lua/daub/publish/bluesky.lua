-- Hanging a cover on Bluesky: the picture is uploaded as a blob, and the profile's record written
-- again with that banner and everything else as it was, provided that nobody changed it meanwhile
-- (https://docs.bsky.app/docs/advanced-guides/posts has the same calls for posts).
local accounts = require "daub.accounts"
local bluesky = require "daub.api.bluesky"
local cid = require "daub.cid"
local image = require "daub.image"
local json = require "daub.json"

local M = {}

local COLLECTION = "app.bsky.actor.profile"
local TYPES = { jpeg = "image/jpeg", png = "image/png" } -- what a banner may be

---@class daub.publish.Bluesky
---@field client daub.api.Bluesky
local Publisher = {}
Publisher.__index = Publisher

---@return table|nil publisher, string? message, string? code
function M.new(o)
  local account, message, code = accounts.get("bluesky", o.who)
  if not account then return nil, message, code end
  if o.api then account.pds = o.api:gsub("/+$", "") end
  return setmetatable({ network = "bluesky", who = account.name,
    spec = "bluesky:" .. account.name, did = account.did, http = o.http,
    client = bluesky.client(o.http, account) }, Publisher)
end

local function fail(self, message, code, word)
  if word == "InvalidSwap" then
    return nil, ("%s: the profile was changed meanwhile, nothing was set (run it again)"):format(
      self.spec), "conflict"
  elseif word == "AuthMissing" or word == "InvalidToken" or word == "AccountTakedown" then
    return nil, ("%s: the login is no longer valid (run: daub login %s)"):format(self.spec,
      self.spec), "login"
  elseif code == "login" then
    return nil, message, code
  end
  return nil, ("%s: %s"):format(self.spec, message), code
end

local function member(members, name)
  for _, one in ipairs(members) do
    if one.name == name then return one.text end
  end
end

-- The profile's record as text, nil when the account has none, and its CID.
---@return {text: string|nil, cid: string|nil}|nil, string? message, string? code
local function read(self)
  local answer, result, code, word = self.client:call("com.atproto.repo.getRecord",
    { query = { repo = self.did, collection = COLLECTION, rkey = "self" } })
  if not answer and word == "RecordNotFound" then return {} end
  if not answer then return fail(self, result, code, word) end
  local text = member(json.members(result.body) or {}, "value")
  if not text or type(answer.cid) ~= "string" or type(answer.value) ~= "table" then
    return fail(self, "the answer holds no profile (is this the right server?)", "format")
  end
  return { text = text, cid = answer.cid }
end

-- The CID of a record's banner; nil without one.
local function banner_of(record)
  local value = record.text and json.decode(record.text)
  local ref = type(value) == "table" and type(value.banner) == "table" and value.banner.ref
  return type(ref) == "table" and ref["$link"] or nil
end

-- A record's text with another banner, or with none.
local function with_banner(text, banner)
  local parts, found = {}, false
  for _, one in ipairs(json.members(text or ('{"$type":"%s"}'):format(COLLECTION))) do
    local value = one.text
    if one.name == "banner" then value, found = banner, true end
    if value then parts[#parts + 1] = json.encode(one.name) .. ":" .. value end
  end
  if banner and not found then parts[#parts + 1] = '"banner":' .. banner end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Writes the record with that banner (JSON text, or nil) in place of the one with that CID.
local function write(self, record, banner)
  local body = ('{"repo":%s,"collection":"%s","rkey":"self","swapRecord":%s,"record":%s}'):format(
    json.encode(self.did), COLLECTION, record.cid and json.encode(record.cid) or "null",
    with_banner(record.text, banner))
  local answer, message, code, word = self.client:call("com.atproto.repo.putRecord",
    { body = body, type = "application/json" })
  if not answer then return fail(self, message, code, word) end
  return true
end

-- Uploads a picture. Gives the blob as JSON text.
local function upload(self, bytes)
  local kind = TYPES[image.probe(bytes) or ""]
  if not kind then return fail(self, "a banner is a JPEG or a PNG", "format") end
  local answer, message, code, word = self.client:call("com.atproto.repo.uploadBlob",
    { body = bytes, type = kind })
  if not answer then return fail(self, message, code, word) end
  local blob = answer.blob
  if type(blob) ~= "table" or type(blob.ref) ~= "table" or blob.ref["$link"] ~= cid.of(bytes) then
    return fail(self, "the server stored other bytes than were sent", "mismatch")
  end
  return json.encode(blob)
end

---@return table|nil state {record = text|nil, cid = of it, banner = CID|nil, url = of it|nil}
function Publisher:current()
  local answer, message, code, word = self.client:call("com.atproto.server.getSession")
  if not answer then return fail(self, message, code, word) end
  local record
  record, message, code = read(self)
  if not record then return nil, message, code end
  local banner = banner_of(record)
  return { record = record.text, cid = record.cid, banner = banner,
    url = banner and bluesky.blob(self.client.account.pds, self.did, banner) or nil }
end

-- The blob of that CID.
local function blob_of(self, banner)
  local blob, message, code = self.http:get(bluesky.blob(self.client.account.pds, self.did, banner))
  if not blob then return nil, message, code end
  if blob.sha256 == cid.sha256(banner) then return blob.body end
  return nil, "the server gives other bytes", "mismatch"
end

---@return string|nil bytes of the banner, string? message, string? code
function Publisher:fetch(state) return blob_of(self, state.banner) end

---@return table|nil receipt
function Publisher:set(bytes, state)
  local blob, message, code = upload(self, bytes)
  if not blob then return nil, message, code end
  local ok
  ok, message, code = write(self, { text = state.record, cid = state.cid }, blob)
  if not ok then return nil, message, code end
  return { cid = cid.of(bytes) }
end

---The record names the new banner, and its server gives exactly those bytes.
---@return true|nil, string? message, string? code
function Publisher:verify(receipt)
  local record, message, code = read(self)
  if not record then return nil, message, code end
  if banner_of(record) ~= receipt.cid then
    return nil, "another banner is in the profile", "mismatch"
  elseif not receipt.cid then
    return true
  end
  local bytes
  bytes, message, code = blob_of(self, receipt.cid)
  return bytes and true, message, code
end

---Puts the old banner back and leaves alone whatever else was changed since.
---@return table|nil receipt
function Publisher:restore(_, bytes)
  local blob, record, message, code, ok
  if bytes then
    blob, message, code = upload(self, bytes)
    if not blob then return nil, message, code end
  end
  record, message, code = read(self)
  if not record then return nil, message, code end
  ok, message, code = write(self, record, blob)
  if not ok then return nil, message, code end
  return bytes and { cid = cid.of(bytes) } or {}
end

return M
