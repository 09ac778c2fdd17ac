-- Pictures that lie on this machine: in folders, and in zip files.
--
--   for _, name in ipairs(here.walk("/home/alice/Pictures")) do … end
--   local cover = here.cover("/home/alice/Pictures/sea.jpg", stat)   -- of a file
--   local cover = here.member(path_of_zip, stat_of_zip, member)      -- of a file in a zip
--   local bytes, message, code = here.read(cover.url, 32 * 2^20)     -- of either
--
-- Keys of such covers begin with "file:", and change when the file does.
local progress = require "daub.progress"
local system = require "daub.core.system"
local zip = require "daub.collect.zip"

local M = {}

---Paths of files below a folder, sorted. Hidden files and folders are passed over; links are among
---them, but not followed.
---@param root string
---@param exclude string?  a folder in it that is left out, as a full path
---@return string[]|nil, string? message, string? code
function M.walk(root, exclude)
  local files, folders = {}, { "" }
  while #folders > 0 do
    local folder = table.remove(folders)
    local names, message, code = system.list_directory(root .. "/" .. folder)
    if not names and folder == "" then return nil, message, code end
    for _, name in ipairs(names or {}) do
      local path = folder .. name
      local stat = name:sub(1, 1) ~= "." and system.stat(root .. "/" .. path)
      if stat and stat.type == "directory" then
        if root .. "/" .. path ~= exclude then folders[#folders + 1] = path .. "/" end
      elseif stat and stat.type ~= "other" then
        files[#files + 1] = path
      end
    end
  end
  table.sort(files)
  return files
end

local function key_of(path, stat)
  return ("file:%s:%d:%.6f"):format(path, stat.size, stat.mtime)
end

---@param path string  full
---@param stat {type: string, size: number, mtime: number}
---@return daub.collect.Cover
function M.cover(path, stat)
  return { key = key_of(path, stat), url = "file://" .. path,
    skip = stat.type == "link" and "link" or nil }
end

---@param path string  full, of the zip file
---@param stat table   its
---@param name string  of the member
---@return daub.collect.Cover
function M.member(path, stat, name)
  return { key = key_of(path, stat) .. "//" .. name, url = ("zip://%s//%s"):format(path, name) }
end

-- The zip file read last stays open: its pictures come one after the other.
local last = {}

local function opened(path)
  local stat = system.stat(path)
  local key = stat and key_of(path, stat)
  if not last.zip or last.key ~= key then
    if last.zip then last.zip:close() end
    local archive, message, code = zip.open(path)
    last = { zip = archive, key = key, by_name = {} }
    if not archive then return nil, message, code end
    for _, member in ipairs(archive.members) do last.by_name[member.name] = member end
  end
  return last
end

---The bytes of a picture here.
---@param url string         of a cover of this module
---@param max_bytes number
---@return string|nil, string? message, string? code  "missing", "too-large" …
function M.read(url, max_bytes)
  local path, name = url:match("^zip://(.-)//(.+)$")
  if path then
    local archive, message, code = opened(path)
    if not archive then return nil, message, code end
    local member = archive.by_name[name]
    if not member then return nil, "it is no longer in the archive", "missing" end
    return archive.zip:read(member, max_bytes)
  end
  path = url:match("^file://(.*)$")
  local stat = system.stat(path)
  if not stat or stat.type ~= "file" then return nil, "the file vanished", "missing" end
  if stat.size > max_bytes then
    return nil, ("%s, over the limit of %s"):format(progress.bytes(stat.size),
      progress.bytes(max_bytes)), "too-large"
  end
  return system.read_file(path, max_bytes)
end

return M
