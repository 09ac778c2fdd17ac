-- urls:FILE: pictures at the addresses in a text file, one a line. Empty lines and lines that begin
-- with # are passed over; what is no http(s) address is left out and counted.
local base = require "daub.collect.sources.base"
local system = require "daub.core.system"

local M = {}

local page_size = 500
local max_bytes = 64 * 1024 * 1024

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

local function read_lines(self)
  if self.lines then return self.lines end
  local text, message, code = system.read_file(self.path, max_bytes)
  if not text then return nil, message, code end
  self.lines = {}
  for line in (text:gsub("^\239\187\191", "") .. "\n"):gmatch("(.-)\r?\n") do
    line = line:match("^%s*(.-)%s*$")
    if line ~= "" and not line:match("^#") then self.lines[#self.lines + 1] = line end
  end
  return self.lines
end

---@return daub.collect.Page|nil, string? message, string? code
function Urls:page(_, position)
  local lines, message, code = read_lines(self)
  if not lines then return nil, message, code end
  local first = (tonumber(position) or 0) + 1
  local last = math.min(first + page_size - 1, #lines)
  local people = {}
  for i = first, last do
    local line = lines[i]:sub(1, 4096)
    people[#people + 1] = { key = line, handle = line, url = base.origin(line) and line or nil,
      cover = base.cover(lines[i], { private = true }) }
  end
  return { people = people, next = last < #lines and tostring(last) or nil, total = #lines }
end

return M
