-- The files of a data export, whether it lies in a folder or is still a zip.
--
--   local f = assert(files.open("/home/alice/twitter-archive.zip"))
--   for _, name in ipairs(f.names) do print(name) end
--   local value = assert(f:json("data/account.js"))
--   local cover = f:cover("data/profile_media/7-8.jpg")
local here = require "daub.collect.here"
local json = require "daub.json"
local system = require "daub.core.system"
local zip = require "daub.collect.zip"

local M = {}

local LARGEST_TEXT = 64 * 2 ^ 20
local LARGEST_JSON = 4 * 2 ^ 20 -- bytes; decoded it may take thirty times as much memory

---@class daub.collect.ExportFiles
---@field path string
---@field names string[]  sorted
local Files = {}
Files.__index = Files

---@param path string  full, of a folder or a zip file
---@param exclude string?  a folder in it that is left out
---@return daub.collect.ExportFiles|nil, string? message, string? code
function M.open(path, exclude)
  local self = setmetatable({ path = path, stat = system.stat(path), names = {} }, Files)
  local message, code
  if self.stat and self.stat.type == "directory" then
    self.names, message, code = here.walk(path, exclude)
    if not self.names then return nil, message, code end
  else
    local archive
    archive, message, code = zip.open(path)
    if not archive then return nil, message, code end
    for i, member in ipairs(archive.members) do self.names[i] = member.name end
    archive:close()
    table.sort(self.names)
    self.zipped = true
  end
  self.known = {}
  for _, name in ipairs(self.names) do self.known[name] = true end
  return self
end

---The picture a file is. Its name must be one of `names`.
---@return daub.collect.Cover
function Files:cover(name)
  if self.zipped then return here.member(self.path, self.stat, name) end
  local path = self.path .. "/" .. name
  return here.cover(path, system.stat(path) or { type = "file", size = 0, mtime = 0 })
end

---A file's text.
---@param largest number?  bytes it may have; 64 MiB unless given
---@return string|nil, string? message, string? code
function Files:text(name, largest)
  if not self.known[name] then return nil, name .. ": not in the export", "missing" end
  local text, message, code = here.read(self:cover(name).url, largest or LARGEST_TEXT)
  if not text then return nil, ("%s: %s: %s"):format(self.path, name, message), code end
  return text
end

---A file's JSON; X writes an assignment before it.
---@return table|nil, string? message, string? code
function Files:json(name)
  local text, message, code = self:text(name, LARGEST_JSON)
  if not text then return nil, message, code end
  local value = json.decode((text:gsub("^%s*window%.[%w_.]+%s*=%s*", "", 1)
    :gsub(";%s*$", "", 1)))
  if type(value) ~= "table" then return nil, ("%s: %s: not JSON"):format(self.path, name), "format"
  end
  return value
end

---Names that end as a pattern says and begin with one of the prefixes.
---@param prefixes string[]
---@param pattern string
---@return string[]
function Files:find(prefixes, pattern)
  local found = {}
  for _, name in ipairs(self.names) do
    for _, prefix in ipairs(prefixes) do
      if name:sub(1, #prefix) == prefix and name:lower():find(pattern) then
        found[#found + 1] = name
        break
      end
    end
  end
  return found
end

return M
