-- Reading zip files that anybody may have made (PKWARE's APPNOTE 6.3). Members are read into memory
-- and never written, so their names lead nowhere; sizes are what the directory says or a failure.
--
--   local z = assert(zip.open("archive.zip"))
--   for _, member in ipairs(z.members) do print(member.name, member.size) end
--   local bytes = assert(z:read(member, 32 * 2^20))
--   z:close()
--
-- Left out: folders, links, encrypted members, other methods than "stored" and "deflated", and
-- names that are absolute, climb out with "..", or hold control characters.
local progress = require "daub.progress"
local system = require "daub.core.system"

local M = {}

local MOST_MEMBERS = 500000
local LARGEST_DIRECTORY = 128 * 2 ^ 20 -- bytes
local LONGEST_NAME = 1024
local END_SIZE, COMMENT = 22, 65535
local BEST_RATIO = 1032                -- of deflate: 258 bytes from two bits
local ALL_ONES_32, ALL_ONES_16 = 0xffffffff, 0xffff

---@class daub.collect.ZipMember
---@field name string
---@field size integer    bytes, unpacked
---@field packed integer  bytes in the file
---@field offset integer  of its local header
---@field deflated boolean
---@field crc integer

---@class daub.collect.Zip
---@field path string
---@field members daub.collect.ZipMember[]
local Zip = {}
Zip.__index = Zip

-- Little-endian integers; 64 bits exact as far as a number is.
local function u16(text, at)
  local a, b = text:byte(at, at + 1)
  return a + b * 256
end

local function u32(text, at) return u16(text, at) + u16(text, at + 2) * 65536 end
local function u64(text, at) return u32(text, at) + u32(text, at + 4) * 4294967296 end

local function damaged(path, what)
  return nil, ("%s: not a whole zip file (%s)"):format(path, what), "format"
end

local function read_at(file, offset, size)
  if not file:seek("set", offset) then return nil end
  local bytes = size > 0 and file:read(size) or ""
  return bytes and #bytes == size and bytes or nil
end

-- ---- the directory -----------------------------------------------------------------------------

-- Where the directory is: offset, size, number of members.
local function find_directory(file, length)
  local tail_size = math.min(length, END_SIZE + COMMENT)
  local tail = read_at(file, length - tail_size, tail_size) or ""
  local at
  for i = #tail - END_SIZE + 1, 1, -1 do
    if tail:sub(i, i + 3) == "PK\5\6" and i + END_SIZE - 1 + u16(tail, i + 20) == #tail then
      at = i
      break
    end
  end
  if not at then return nil end
  local count, size, offset = u16(tail, at + 10), u32(tail, at + 12), u32(tail, at + 16)
  if count ~= ALL_ONES_16 and size ~= ALL_ONES_32 and offset ~= ALL_ONES_32 then
    return offset, size, count
  end
  -- Zip64: a locator of 20 bytes stands before, and names where its own end record is
  local locator = at > 20 and tail:sub(at - 20, at - 1) or ""
  if locator:sub(1, 4) ~= "PK\6\7" then return offset, size, count end
  local record = read_at(file, u64(locator, 9), 56)
  if not record or record:sub(1, 4) ~= "PK\6\6" then return nil end
  return u64(record, 49), u64(record, 41), u64(record, 33)
end

-- The sizes and the offset that did not fit into 32 bits, from the extra field.
local function widen(member, extra)
  local at = 1
  while at + 3 <= #extra do
    local id, size = u16(extra, at), u16(extra, at + 2)
    if id == 1 then
      local place, ends = at + 4, at + 3 + size
      for _, field in ipairs { "size", "packed", "offset" } do
        if member[field] == ALL_ONES_32 and place + 7 <= ends and ends <= #extra then
          member[field] = u64(extra, place)
          place = place + 8
        end
      end
      return
    end
    at = at + 4 + size
  end
end

local function good_name(name)
  return #name > 0 and #name <= LONGEST_NAME and not name:find("[%c\\]")
    and not name:find("^/") and not name:find("/$") and not name:find("//", 1, true)
    and not ("/" .. name .. "/"):find("/%.%.?/")
end

-- One entry of the directory: a member or false, and where the next begins.
local function entry_at(directory, at)
  if directory:sub(at, at + 3) ~= "PK\1\2" or at + 45 > #directory then return nil end
  local name_size, extra_size = u16(directory, at + 28), u16(directory, at + 30)
  local following = at + 46 + name_size + extra_size + u16(directory, at + 32)
  if following > #directory + 1 then return nil end
  local name = directory:sub(at + 46, at + 45 + name_size)
  local flags, method = u16(directory, at + 8), u16(directory, at + 10)
  local kind = math.floor(u16(directory, at + 40) / 4096) -- of a Unix mode
  local member = { name = name, crc = u32(directory, at + 16), packed = u32(directory, at + 20),
    size = u32(directory, at + 24), offset = u32(directory, at + 42), deflated = method == 8 }
  widen(member, directory:sub(at + 46 + name_size, at + 45 + name_size + extra_size))
  local usable = good_name(name) and flags % 2 == 0 and (method == 0 or method == 8)
    and (kind == 0 or kind == 8)
  return usable and member or false, following
end

-- Members that share bytes of the file are a way to make a small file hold worlds.
local function overlapping(members, first_of_directory)
  local by_offset = {}
  for i, member in ipairs(members) do by_offset[i] = member end
  table.sort(by_offset, function(a, b) return a.offset < b.offset end)
  for i, member in ipairs(by_offset) do
    local next_one = by_offset[i + 1]
    local ends = member.offset + 30 + #member.name + member.packed
    if ends > (next_one and next_one.offset or first_of_directory) then return true end
  end
  return false
end

local function read_directory(self, length)
  local offset, size, count = find_directory(self.file, length)
  if not offset then return damaged(self.path, "it has no directory") end
  if count > MOST_MEMBERS or size > LARGEST_DIRECTORY then
    return nil, ("%s: more than %d files in it"):format(self.path, MOST_MEMBERS), "too-large"
  end
  if offset + size > length then return damaged(self.path, "its directory is cut") end
  local directory = read_at(self.file, offset, size)
  if not directory then return damaged(self.path, "its directory is cut") end
  local at = 1
  for _ = 1, count do
    local member, following = entry_at(directory, at)
    if member == nil then return damaged(self.path, "its directory is broken") end
    if member then self.members[#self.members + 1] = member end
    at = following
  end
  if overlapping(self.members, offset) then return damaged(self.path, "its files overlap") end
  return self
end

---@param path string
---@return daub.collect.Zip|nil, string? message, string? code
function M.open(path)
  local stat, message = system.stat(path)
  if not stat or stat.type ~= "file" then
    return nil, message or path .. ": not a file", "missing"
  end
  local file
  file, message = io.open(path, "rb")
  if not file then return nil, message, "io" end
  local self = setmetatable({ path = path, file = file, members = {} }, Zip)
  local ok, why, code = read_directory(self, stat.size)
  if not ok then
    file:close()
    return nil, why, code
  end
  return self
end

function Zip:close() self.file:close() end

local broken = "its place in the zip file is damaged"

---A member's bytes.
---@param member daub.collect.ZipMember
---@param max_bytes number  a larger one is a failure
---@return string|nil, string? message, string? code
function Zip:read(member, max_bytes)
  if member.size > max_bytes then
    return nil, ("%s, over the limit of %s"):format(progress.bytes(member.size),
      progress.bytes(max_bytes)), "too-large"
  end
  local whole = member.deflated and member.size <= member.packed * BEST_RATIO
    or not member.deflated and member.size == member.packed
  if not whole or member.packed > member.size + member.size / 1000 + 1024 then
    return nil, "its sizes in the zip file cannot be true", "format"
  end
  local header = read_at(self.file, member.offset, 30)
  if not header or header:sub(1, 4) ~= "PK\3\4" then return nil, broken, "format" end
  local packed = read_at(self.file, member.offset + 30 + u16(header, 27) + u16(header, 29),
    member.packed)
  if not packed then return nil, broken, "format" end
  if member.deflated then return system.inflate(packed, member.size, member.crc) end
  if system.crc32(packed) == member.crc then return packed end
  return nil, "its checksum in the zip file is wrong", "decode"
end

return M
