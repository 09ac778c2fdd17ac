-- folder:PATH: the pictures in a folder and the folders in it, whatever their names. Hidden files
-- and folders are passed over; the collection itself may lie inside. Symbolic links are not
-- followed: what they point to is either in the folder anyway or somebody else's.
local base = require "daub.collect.sources.base"
local here = require "daub.collect.here"
local system = require "daub.core.system"

local M = {}

local page_size = 500

---@class daub.collect.Folder: daub.collect.Source
local Folder = {}
Folder.__index = Folder

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  local path = base.path(argument)
  local stat = path and system.stat(path)
  if not stat or stat.type ~= "directory" then
    return nil, ("folder:%s: no such folder"):format(argument), "missing"
  end
  return setmetatable({ network = "folder", spec = "folder:" .. path, api = "", noun = "files",
    listings = { "files" }, path = path, exclude = o.exclude }, Folder)
end

local function entry(self, name)
  local path = self.path .. "/" .. name
  local stat = system.stat(path)
  return stat and { key = path, handle = name, cover = here.cover(path, stat) }
end

---@return daub.collect.Page|nil, string? message, string? code
function Folder:page(_, position)
  if not self.files or not position then
    local files, message, code = here.walk(self.path, self.exclude)
    if not files then return nil, message, code end
    self.files = files
  end
  local people, last = {}, nil
  for i, name in ipairs(self.files) do
    if not position or name > position then
      people[#people + 1] = entry(self, name)
      if #people == page_size then
        last = i < #self.files and name or nil
        break
      end
    end
  end
  return { people = people, next = last, total = #self.files }
end

return M
