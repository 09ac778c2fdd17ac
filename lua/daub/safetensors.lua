-- The safetensors file format: tensors by name, and text about them, that any tool can read.
--
--     local ok, message = safetensors.save("net.safetensors", net:state(), { step = "100" })
--     local tensors, metadata = safetensors.load("net.safetensors")      -- nil, message, code
--
-- A file is the header's length (8 bytes), the header (JSON) and the tensors' bytes without holes.
-- Output depends on the contents alone: larger dtypes first (so that all lie aligned), then names.
-- Reading trusts nothing: every number of the header is checked against the file.
local bit = require "bit"
local json = require "daub.json"
local options = require "daub.options"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

local sizes = { f64 = 8, i64 = 8, f32 = 4, i32 = 4, bf16 = 2, u8 = 1 }
local written = { f64 = "F64", i64 = "I64", f32 = "F32", i32 = "I32", bf16 = "BF16", u8 = "U8" }
local readable = { F64 = "f64", I64 = "i64", F32 = "f32", I32 = "i32", BF16 = "bf16", U8 = "u8",
  BOOL = "u8" }
local foreign = { F16 = true, I8 = true, I16 = true, U16 = true, U32 = true, U64 = true,
  F8_E4M3 = true, F8_E5M2 = true, C64 = true }
local longest_header = 100e6
local largest = 2 ^ 53
local most_dims = 8

-- Failures inside the parser are thrown as tables and caught by load.
local function bad(message, ...) error({ message = message:format(...) }, 0) end

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then
    return string.char(0xC0 + bit.rshift(code, 6), 0x80 + bit.band(code, 63))
  end
  if code < 0x10000 then
    return string.char(0xE0 + bit.rshift(code, 12), 0x80 + bit.band(bit.rshift(code, 6), 63),
      0x80 + bit.band(code, 63))
  end
  return string.char(0xF0 + bit.rshift(code, 18), 0x80 + bit.band(bit.rshift(code, 12), 63),
    0x80 + bit.band(bit.rshift(code, 6), 63), 0x80 + bit.band(code, 63))
end

-- A strict reader of the JSON a header may hold: objects, strings, lists of whole numbers. Unlike a
-- general parser it sees names that stand twice.
local Reader = {}
Reader.__index = Reader

function Reader:skip() self.at = self.text:find("[^ \t\r\n]", self.at) or #self.text + 1 end

function Reader:take(char)
  self:skip()
  if self.text:sub(self.at, self.at) ~= char then return false end
  self.at = self.at + 1
  return true
end

function Reader:expect(char)
  if not self:take(char) then bad("header: expected %s at byte %d", char, self.at) end
end

local escapes = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r",
  t = "\t" }

function Reader:escape()
  local char = self.text:sub(self.at + 1, self.at + 1)
  if escapes[char] then
    self.at = self.at + 2
    return escapes[char]
  end
  local hex = self.text:match("^\\u(%x%x%x%x)", self.at)
  if not hex then bad("header: unknown escape at byte %d", self.at) end
  local code = tonumber(hex, 16)
  self.at = self.at + 6
  if code >= 0xD800 and code < 0xDC00 then
    local low = tonumber(self.text:match("^\\u(%x%x%x%x)", self.at) or "0", 16)
    if low < 0xDC00 or low > 0xDFFF then bad("header: half a character at byte %d", self.at) end
    self.at = self.at + 6
    code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00)
  elseif code >= 0xDC00 and code < 0xE000 then
    bad("header: half a character at byte %d", self.at)
  end
  return utf8(code)
end

function Reader:string()
  self:expect('"')
  local parts = {}
  while true do
    local stop = self.text:find('["\\%c]', self.at)
    if not stop then bad("header: a string has no end") end
    parts[#parts + 1] = self.text:sub(self.at, stop - 1)
    self.at = stop
    local char = self.text:sub(stop, stop)
    if char == '"' then
      self.at = stop + 1
      return table.concat(parts)
    elseif char == "\\" then
      parts[#parts + 1] = self:escape()
    elseif char == "\127" then -- the one control character JSON allows
      parts[#parts + 1], self.at = char, stop + 1
    else
      bad("header: a control character in a string at byte %d", stop)
    end
  end
end

function Reader:whole()
  self:skip()
  local digits = self.text:match("^%d+", self.at)
  if not digits or digits:find("^0%d") then
    bad("header: expected a whole number at byte %d", self.at)
  end
  self.at = self.at + #digits
  local n = tonumber(digits)
  if n > largest then bad("header: the number %s is too large", digits:sub(1, 24)) end
  return n
end

function Reader:wholes()
  local list = {}
  self:expect("[")
  if self:take("]") then return list end
  repeat list[#list + 1] = self:whole() until not self:take(",")
  self:expect("]")
  return list
end

-- {name: what read() gives}; a name may stand once.
function Reader:object(what, read)
  local map = {}
  self:expect("{")
  if self:take("}") then return map end
  repeat
    local name = self:string()
    if map[name] ~= nil then bad("header: %s %q stands twice", what, name) end
    self:expect(":")
    map[name] = read(self, name)
  until not self:take(",")
  self:expect("}")
  return map
end

local function read_field(self, name)
  if name == "dtype" then return self:string() end
  if name == "shape" or name == "data_offsets" then return self:wholes() end
  return bad("header: unknown field %q", name)
end

local function read_entry(self, name)
  if name == "__metadata__" then
    return self:object("metadata name", Reader.string)
  end
  local entry = self:object("field", read_field)
  for _, field in ipairs { "dtype", "shape", "data_offsets" } do
    if not entry[field] then bad("%s: %s is missing", name, field) end
  end
  return entry
end

-- Checks one tensor's entry against the bytes there are; returns its dtype here.
local function check_entry(name, entry, bytes)
  local dtype = readable[entry.dtype]
  if not dtype then
    bad(foreign[entry.dtype] and "%s: dtype %s is not supported" or "%s: unknown dtype %s", name,
      entry.dtype)
  end
  if #entry.shape > most_dims then bad("%s: %d dimensions, at most 8", name, #entry.shape) end
  local count = 1
  for _, n in ipairs(entry.shape) do
    count = count * math.max(n, 1)
    if count > largest then bad("%s: the shape is too large", name) end
  end
  for _, n in ipairs(entry.shape) do count = n == 0 and 0 or count end
  local first, past = entry.data_offsets[1], entry.data_offsets[2]
  if #entry.data_offsets ~= 2 or first > past or past > bytes then
    bad("%s: data_offsets are outside the file", name)
  end
  if past - first ~= count * sizes[dtype] then
    bad("%s: %s of shape %s takes %.0f bytes, data_offsets span %.0f", name, entry.dtype,
      options.shape(entry.shape), count * sizes[dtype], past - first)
  end
  return dtype
end

-- The entries in the order of their bytes, without holes, overlaps or anything left over.
local function ordered(entries, bytes)
  local list = {}
  for name, entry in pairs(entries) do
    list[#list + 1] = { name = name, dtype = check_entry(name, entry, bytes), shape = entry.shape,
      first = entry.data_offsets[1], past = entry.data_offsets[2] }
  end
  table.sort(list, function(a, b)
    if a.first ~= b.first then return a.first < b.first end
    if a.past ~= b.past then return a.past < b.past end
    return a.name < b.name
  end)
  local at = 0
  for _, e in ipairs(list) do
    if e.first < at then bad("%s: its bytes overlap another tensor's", e.name) end
    if e.first > at then bad("%s: %.0f bytes before it belong to nothing", e.name, e.first - at) end
    at = e.past
  end
  if at ~= bytes then bad("%.0f bytes at the end belong to nothing", bytes - at) end
  return list
end

local function read_header(file, size)
  local raw = file:read(8)
  if not raw or #raw < 8 then bad("shorter than a header") end
  local length = 0
  for i = 8, 1, -1 do length = length * 256 + raw:byte(i) end
  if length > longest_header then bad("the header claims %.0f bytes, at most 100 MB", length) end
  if length > size - 8 then bad("the header claims %.0f bytes, the file has %d", length, size) end
  local text = length > 0 and file:read(length) or ""
  if #text ~= length then bad("the header is cut off") end
  if text:sub(1, 1) ~= "{" then bad("the header does not start with {") end
  if not json.is_utf8(text) then bad("the header is not UTF-8") end
  local reader = setmetatable({ text = text, at = 1 }, Reader)
  local entries = reader:object("tensor", read_entry)
  reader:skip()
  if reader.at <= #text then bad("the header goes on after its end at byte %d", reader.at) end
  local metadata = entries.__metadata__ or {}
  entries.__metadata__ = nil
  return ordered(entries, size - 8 - length), metadata
end

local function read_all(file)
  local size = file:seek("end")
  file:seek("set")
  local list, metadata = read_header(file, size)
  local tensors = {}
  for _, e in ipairs(list) do
    local bytes = e.past > e.first and file:read(e.past - e.first) or ""
    if not bytes or #bytes ~= e.past - e.first then bad("%s: its bytes are cut off", e.name) end
    tensors[e.name] = tensor.from_bytes(bytes, e.shape, e.dtype)
  end
  return tensors, metadata
end

--- Reads a file.
---@param path string
---@return table<string, daub.Tensor>|nil tensors
---@return table<string, string>|string metadata or the message; codes: "io", "decode"
---@return string? code
function M.load(path)
  if type(path) ~= "string" then options.misuse("safetensors.load: expected a path") end
  local file, message = io.open(path, "rb")
  if not file then return nil, message, "io" end
  local _, unreadable = file:read(0) -- a directory opens, but does not read
  if unreadable then
    file:close()
    return nil, path .. ": " .. unreadable, "io"
  end
  local ok, tensors, metadata = pcall(read_all, file)
  file:close()
  if ok then return tensors, metadata end
  if type(tensors) ~= "table" then error(tensors, 0) end
  return nil, path .. ": " .. tensors.message, "decode"
end

local short = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  if not json.is_utf8(text) then
    options.misuse(("safetensors.save: %q is not UTF-8"):format(text))
  end
  return '"' .. text:gsub('[%c"\\]', function(c)
    if c == "\127" then return c end
    return short[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function metadata_text(metadata)
  local parts = {}
  for name, value in pairs(metadata) do
    if type(name) ~= "string" or type(value) ~= "string" then
      options.misuse("safetensors.save: metadata is text by name, found " .. tostring(name) .. " = "
        .. tostring(value) .. " (a " .. type(value) .. ")")
    end
    parts[#parts + 1] = quote(name) .. ":" .. quote(value)
  end
  table.sort(parts)
  return '"__metadata__":{' .. table.concat(parts, ",") .. "}"
end

local function in_order(tensors)
  local list = {}
  for name, t in pairs(tensors) do
    if type(name) ~= "string" or name == "__metadata__" then
      options.misuse("safetensors.save: " .. tostring(name) .. " cannot be a tensor's name")
    end
    if not tensor.is_tensor(t) then
      options.misuse("safetensors.save: " .. name .. " is a " .. type(t) .. ", expected a tensor")
    end
    list[#list + 1] = { name = name, tensor = t, size = sizes[t.dtype] }
  end
  table.sort(list, function(a, b)
    if a.size ~= b.size then return a.size > b.size end
    return a.name < b.name
  end)
  return list
end

--- The whole file as text.
---@param tensors table<string, daub.Tensor>
---@param metadata? table<string, string>
---@return string
function M.encode(tensors, metadata)
  local parts, chunks, at = {}, { "", "" }, 0
  if metadata and next(metadata) then parts[1] = metadata_text(metadata) end
  for _, e in ipairs(in_order(tensors)) do
    local t = e.tensor
    local past = at + t:numel() * e.size
    parts[#parts + 1] = ('%s:{"dtype":"%s","shape":[%s],"data_offsets":[%.0f,%.0f]}'):format(
      quote(e.name), written[t.dtype], table.concat(t.shape, ","), at, past)
    chunks[#chunks + 1] = t:tobytes()
    at = past
  end
  local header = "{" .. table.concat(parts, ",") .. "}"
  header = header .. (" "):rep(-#header % 8)
  local length, bytes = #header, {}
  for i = 1, 8 do
    bytes[i] = string.char(length % 256)
    length = math.floor(length / 256)
  end
  chunks[1], chunks[2] = table.concat(bytes), header
  return table.concat(chunks)
end

--- Writes a file whole or not at all.
---@param path string
---@param tensors table<string, daub.Tensor>
---@param metadata? table<string, string>
---@return boolean|nil ok, string? message, string? code
function M.save(path, tensors, metadata)
  if type(path) ~= "string" or type(tensors) ~= "table" then
    options.misuse("safetensors.save: expected a path and a table of tensors")
  end
  return system.write_file(path, M.encode(tensors, metadata))
end

return M
