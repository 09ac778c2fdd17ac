-- A banner on YouTube: uploaded by channelBanners.insert, then named in the channel's branding by
-- channels.update, which replaces the branding as a whole: all of it is read first and sent back.
-- Whether the channel shows it is told by its address or, where YouTube gave it another, by its
-- look.
local look = require "daub.publish.look"
local youtube = require "daub.api.youtube"

local M = {}

---@class daub.publish.YouTube
local Publisher = {}
Publisher.__index = Publisher

---@param o {who: string?, api: string?, http: daub.http.Session}
---@return table|nil publisher, string? message, string? code
function M.new(o)
  local account, message, code = youtube.account(o.who)
  if not account then return nil, message, code end
  local client = youtube.client { account = account, api = o.api or account.api,
    ask = function(request) return o.http:request(request) end }
  return setmetatable({ network = "youtube", who = account.name,
    spec = "youtube:" .. account.name, client = client, http = o.http }, Publisher)
end

local function fail(self, message, code)
  return nil, ("%s: %s"):format(self.spec, message), code
end

local function channel_of(self)
  local answer, message, code = self.client:get("/youtube/v3/channels",
    { part = "brandingSettings", mine = true })
  if not answer then return fail(self, message, code) end
  local channel = youtube.pick(answer, "items", 1)
  if type(youtube.pick(channel, "id")) ~= "string" then
    return fail(self, "this Google account has no channel", "missing")
  end
  return channel
end

---@return {url: string?, id: string, branding: table}|nil, string? message, string? code
function Publisher:current()
  local channel, message, code = channel_of(self)
  if not channel then return nil, message, code end
  local branding = type(channel.brandingSettings) == "table" and channel.brandingSettings or {}
  return { url = youtube.banner(channel), id = channel.id,
    branding = { channel = branding.channel } }
end

---The banner as it was uploaded, else as it is shown.
function Publisher:fetch(state)
  local response = self.http:get(state.url .. "=s0")
  local message, code
  if not response then response, message, code = self.http:get(state.url) end
  return response and response.body, message, code
end

-- Makes the address the channel's banner; nil takes it away.
local function show(self, state, url)
  local answer, message, code = self.client:send({ method = "PUT",
    url = youtube.address(self.client.api, "/youtube/v3/channels?part=brandingSettings"),
    json = { id = state.id, brandingSettings = { channel = state.branding.channel,
      image = url and { bannerExternalUrl = url } or nil } } })
  if not answer then return fail(self, message, code) end
  return { url = url and (youtube.banner(answer) or youtube.bare(url)) or nil }
end

---@param bytes string a JPEG of 16:9, at least 2048x1152
function Publisher:set(bytes, state)
  local answer, message, code = self.client:send({ method = "POST", body = bytes,
    headers = { ["Content-Type"] = "image/jpeg" }, url = youtube.address(self.client.api,
      "/upload/youtube/v3/channelBanners/insert?uploadType=media") })
  if not answer then return fail(self, message, code) end
  if type(answer.url) ~= "string" or answer.url == "" then
    return fail(self, "no address came for the uploaded banner", "format")
  end
  local receipt
  receipt, message, code = show(self, state, answer.url)
  if receipt then receipt.bytes, receipt.before = bytes, state.url end
  return receipt, message, code
end

---Reads the channel again.
---@return true|nil, string? message, string? code
function Publisher:verify(receipt)
  local channel, message, code = channel_of(self)
  if not channel then return nil, message, code end
  local url = youtube.banner(channel)
  if url == receipt.url then return true end
  if not url or not receipt.bytes or url == receipt.before then
    return nil, "the channel still shows another banner", "pending"
  end
  local response
  response, message, code = self.http:get(url .. "=s0")
  if not response then return nil, message, code end
  return look.alike(receipt.bytes, response.body)
end

function Publisher:restore(state, bytes)
  if bytes then return self:set(bytes, state) end
  return show(self, state, nil)
end

return M
