-- Whether a network shows the picture it was sent, though it has encoded it anew and perhaps made
-- it smaller.
local image = require "daub.image"

local M = {}

local WIDTH, HEIGHT = 48, 16
local ALIKE = 12 -- mean difference of 8-bit channels; JPEG at its worst stays far below

local function small(bytes)
  local pixels, message, code = image.decode(bytes)
  if not pixels then return nil, message, code end
  return image.to_float(image.resize(pixels, WIDTH, HEIGHT, { filter = "box" }))
end

---@param sent string   an encoded picture
---@param shown string  another
---@return true|nil, string? message, string? code
function M.alike(sent, shown)
  local a, message, code = small(sent)
  if not a then return nil, message, code end
  local b
  b, message, code = small(shown)
  if not b then return nil, message, code end
  local range = 2 -- to_float gives -1 … 1
  local difference = (a - b):abs():mean():item() / range * 255
  if difference > ALIKE then return nil, "it shows another picture", "mismatch" end
  return true
end

---Whether what lies at an address is that picture.
---@param http daub.http.Session
---@param url string
---@param sent string an encoded picture
---@return true|nil, string? message, string? code "pending": nothing lies there yet
function M.shows(http, url, sent)
  local shown, message, code, refusal = http:get(url)
  if shown then return M.alike(sent, shown.body) end
  return nil, message, refusal and refusal.status == 404 and "pending" or code
end

return M
