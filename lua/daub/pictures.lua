-- What recipes learn from and measure by: the pictures of a collection, or of a plain folder.
--
--     local list, message, code = require("daub.pictures").of "covers"
--     list[1].path, list[1].sha256
local collection = require "daub.collect.collection"
local data = require "daub.learn.data"
local system = require "daub.core.system"

local M = {}

---@param path string of a collection, or of a folder that holds picture files
---@return {path: string, sha256: string}[]|nil pictures, string? message, string? code
function M.of(path)
  if not system.stat(path .. "/collection.db") then return data.folder(path) end
  local opened, message, code = collection.open(path)
  if not opened then return nil, message, code end
  return opened:pictures()
end

return M
