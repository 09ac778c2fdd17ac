-- urls:FILE: pictures at the addresses in a text file, one a line. Empty lines and lines that begin
-- with # are passed over; what is no http(s) address is left out and counted.
local base = require "daub.collect.sources.base"
local system = require "daub.core.system"

local M = {}

local page_size = 500

---@class daub.collect.Urls: daub.collect.Source
local Urls = {}
Urls.__index = Urls

---@param argument string what follows the colon
---@return daub.collect.Source|nil, string? message, string? code
function M.new(argument)
  local path = base.path(argument)
  local stat = path and system.stat(path)
  if not stat or stat.type ~= "file" then
    return nil, ("urls:%s: no such file"):format(argument), "missing"
  end
  return setmetatable({ network = "urls", spec = "urls:" .. path, api = "", noun = "addresses",
    listings = { "lines" }, path = path }, Urls)
end

-- The lines that count, one after the other.
local function addresses(path)
  local file, message = io.open(path)
  if not file then return nil, message, "io" end
  local first = true
  return function()
    for line in file:lines() do
      if first then line, first = line:gsub("^\239\187\191", ""), false end
      line = line:match("^%s*(.-)%s*$")
      if line ~= "" and not line:match("^#") then return line end
    end
    file:close()
  end
end

local function count(path)
  local next_line, message, code = addresses(path)
  if not next_line then return nil, message, code end
  local n = 0
  while next_line() do n = n + 1 end
  return n
end

-- Reading begins at the line `position`; the file is not held in memory.
local function go_to(self, position)
  if self.next_line and self.at == position then return true end
  local total, message, code = count(self.path)
  if not total then return nil, message, code end
  self.total, self.next_line, self.at = total, addresses(self.path), position
  for _ = 1, position do self.next_line() end
  return true
end

---@return daub.collect.Page|nil, string? message, string? code
function Urls:page(_, position)
  local ok, message, code = go_to(self, tonumber(position) or 0)
  if not ok then return nil, message, code end
  local people = {}
  for _ = 1, page_size do
    local line = self.next_line()
    if not line then break end
    local key = line:sub(1, 4096)
    people[#people + 1] = { key = key, handle = key, url = base.origin(line) and key or nil,
      cover = base.cover(line, { private = true }) }
  end
  self.at = self.at + #people
  return { people = people, next = self.at < self.total and tostring(self.at) or nil,
    total = self.total }
end

return M
