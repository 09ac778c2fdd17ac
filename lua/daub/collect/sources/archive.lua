-- archive:PATH: what a network let its owner download of an account: an X or a Facebook archive, as
-- the zip it came as or unpacked, or Mastodon's CSV of followers.
--
-- Whatever is in it may be hostile: nothing is written under a name from it, sizes are checked
-- before anything is unpacked, pictures are decoded in the sandbox like all others.
local base = require "daub.collect.sources.base"
local files_module = require "daub.collect.exports.files"
local system = require "daub.core.system"

local M = {}

local page_size = 500

local expected = "an X archive or a Facebook archive in JSON, zip or folder, or Mastodon's"
  .. " followers as CSV"

---@class daub.collect.ExportEntries
---@field count integer
---@field entry fun(i: integer): daub.collect.Person
---@field batch integer?     where its people are to be completed: see base.lua
---@field complete function?

---@class daub.collect.Archive: daub.collect.Source
local Archive = {}
Archive.__index = Archive

-- What kind of export it is: its entries.
local function open(self, stat, exclude)
  if stat.type == "file" and self.path:lower():find("%.csv$") then
    return require("daub.collect.exports.mastodon").entries(self.path)
  end
  local files, message, code = files_module.open(self.path, exclude)
  if not files then return nil, message, code end
  for _, kind in ipairs { "x", "facebook" } do
    local reader = require("daub.collect.exports." .. kind)
    local found = reader.open(files)
    if found then return reader.entries(files, found) end
  end
  return nil, ("archive:%s: not an export daub knows (%s)"):format(self.path, expected), "format"
end

---@param argument string what follows the colon
---@param o table of sources.parse
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument, o)
  local path = base.path(argument)
  local stat = path and system.stat(path)
  if not stat then
    return nil, ("archive:%s: no such file or folder"):format(argument), "missing"
  end
  local self = setmetatable({ network = "archive", spec = "archive:" .. path, api = "",
    noun = "entries", listings = { "entries" }, path = path }, Archive)
  local message, code
  self.entries, message, code = open(self, stat, o.exclude)
  if not self.entries then return nil, message, code end
  self.batch, self.complete = self.entries.batch, self.entries.complete
  return self
end

---@return daub.collect.Page|nil
function Archive:page(_, position)
  local first = (tonumber(position) or 0) + 1
  local last = math.min(first + page_size - 1, self.entries.count)
  local people = {}
  for i = first, last do people[#people + 1] = self.entries.entry(i) end
  return { people = people, total = self.entries.count,
    next = last < self.entries.count and tostring(last) or nil }
end

return M
