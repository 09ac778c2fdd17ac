--- What the tests of publishing share.
local publish = require "daub.publish"

local M = {}

--- Saves the old cover, sets another and verifies it, as daub publish does.
---@return true|nil, string? message, boolean? saved  the old cover was, before it failed
function M.hang(publisher, bytes)
  local state, message = publisher:current()
  if not state then return nil, message, false end
  local saved
  saved, message = publish.save(publisher, state, publisher.http)
  if not saved then return nil, message, false end
  local ok
  ok, message = publish.set(publisher, bytes, state)
  return ok, message, true
end

return M
