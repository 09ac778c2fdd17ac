-- JSON: lua-cjson reads, a small writer of our own makes text that is the same for the same values.
--
--     local json = require "daub.json"
--     local value, message = json.decode(text)          -- nil, message, "decode" for broken text
--     local text = json.encode{step = 1, loss = 0.5}    -- one line, keys sorted
--     system.write_file("run.json", json.pretty(run))   -- two spaces deep, keys sorted
--
-- Reading: null in an object leaves the key out; in an array it is json.null: places are kept.
-- Whole numbers beyond 2^53, which a Lua number cannot hold, become strings of their digits.
-- Writing: a table with a first entry is an array, any other an object; json.array{} makes an empty
-- array. NaN and infinities, which JSON lacks, become null. Numbers read back exactly.

local cjson = require "cjson"

local M = {}

---@type lightuserdata stands for null in arrays
M.null = cjson.null

local MAX_DEPTH = 100
local reader = cjson.new()
reader.decode_max_depth(MAX_DEPTH)

-- Reading -----------------------------------------------------------------------------------------

local EXACT = 2 ^ 53

local function quote_digits(number)
  if math.abs(tonumber(number)) < EXACT then return nil end
  return '"' .. number .. '"'
end

-- Where the string ends that begins at `start`; nil when it does not.
local function string_end(text, start)
  local stop = start
  repeat stop = text:find('["\\]', stop + 1)
    local escaped = stop and text:byte(stop) == 92
    if escaped then stop = stop + 1 end
  until not escaped
  return stop
end

-- Puts quotes around whole numbers beyond 2^53; strings are left alone.
local function keep_big_integers(text)
  if not text:find("%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d") then return text end
  local parts, from = {}, 1
  while true do
    local start = text:find('"', from, true)
    local outside = text:sub(from, (start or 0) - 1)
    parts[#parts + 1] = outside:gsub("%f[%w.+-]%-?%d+%f[^%w.+-]", quote_digits)
    if not start then return table.concat(parts) end
    local stop = string_end(text, start)
    if not stop then return text end -- broken: cjson says where
    parts[#parts + 1] = text:sub(start, stop)
    from = stop + 1
  end
end

local function drop_nulls(value)
  if type(value) ~= "table" then return value end
  local is_array = value[1] ~= nil
  for key, entry in pairs(value) do
    if entry == M.null then
      if not is_array then value[key] = nil end
    else
      drop_nulls(entry)
    end
  end
  return value
end

---@param text string
---@return any value nil when the text is not JSON
---@return string? message
---@return string? code "decode"
function M.decode(text)
  if type(text) ~= "string" then error("json.decode: string expected, got " .. type(text), 2) end
  local ok, value = pcall(reader.decode, keep_big_integers(text))
  if not ok then return nil, "JSON: " .. tostring(value), "decode" end
  if value == M.null then return nil end
  return drop_nulls(value)
end

---The members of an object as they stand in its text, so that it can be written again with one of
---them changed and nothing lost: empty lists, nulls and numbers of any size included.
---@param text string
---@return {name: string, text: string}[]|nil members in order
---@return string? message
---@return string? code "decode"
function M.members(text)
  local value, message, code = M.decode(text)
  if type(value) ~= "table" or not text:find("^%s*{") then
    return nil, message or "JSON: an object expected", code or "decode"
  end
  local members, depth, name, from, at = {}, 0, nil, nil, 0
  repeat
    at = text:find('["{}%[%],:]', at + 1)
    local mark = text:sub(at, at)
    if mark == '"' then
      local start = at
      at = string_end(text, start)
      if depth == 1 and not name then name = reader.decode("[" .. text:sub(start, at) .. "]")[1] end
    elseif mark == ":" then
      if depth == 1 then from = at + 1 end
    else
      if (mark == "," or mark == "}") and depth == 1 and from then
        local member = text:sub(from, at - 1):match("^%s*(.-)%s*$")
        members[#members + 1], name, from = { name = name, text = member }, nil, nil
      end
      depth = depth + ((mark == "{" or mark == "[") and 1 or mark == "," and 0 or -1)
    end
  until depth == 0
  return members
end

-- Writing -----------------------------------------------------------------------------------------

local Array = {}

---Marks a table as an array, also when it is empty.
---@param t table?
---@return table
function M.array(t)
  return setmetatable(t or {}, Array)
end

local short = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  return short[character] or ("\\u%04x"):format(character:byte())
end

-- The length of the UTF-8 character at i, or nil.
local function character_length(text, i)
  local a, b = text:byte(i, i + 1)
  if a < 0x80 then return 1 end
  local length = a >= 0xc2 and a < 0xe0 and 2 or a >= 0xe0 and a < 0xf0 and 3
    or a >= 0xf0 and a < 0xf5 and 4
  if not length or not text:find("^[\128-\191]", i + 1) then return nil end
  if not text:find("^" .. ("[\128-\191]"):rep(length - 1), i + 1) then return nil end
  local wrong = a == 0xe0 and b < 0xa0 or a == 0xed and b > 0x9f or a == 0xf0 and b < 0x90
    or a == 0xf4 and b > 0x8f
  return not wrong and length or nil
end

---Whether a text is well-formed UTF-8 (no surrogates, nothing overlong).
---@param text string
---@return boolean
function M.is_utf8(text)
  local i = text:find("[\128-\255]")
  while i do
    local length = character_length(text, i)
    if not length then return false end
    i = text:find("[\128-\255]", i + length)
  end
  return true
end

-- Bytes that are no UTF-8 (names of files may be anything) become U+FFFD.
local function valid_text(text)
  if M.is_utf8(text) then return text end
  local parts, i = {}, 1
  while i <= #text do
    local length = character_length(text, i)
    parts[#parts + 1] = length and text:sub(i, i + length - 1) or "\239\191\189"
    i = i + (length or 1)
  end
  return table.concat(parts)
end

local function write_string(text)
  return '"' .. valid_text(text):gsub('[%c"\\\127]', escape) .. '"'
end

local function write_number(n)
  if n ~= n or n == math.huge or n == -math.huge then return "null" end
  if n % 1 == 0 and math.abs(n) < EXACT then return ("%.0f"):format(n) end
  for digits = 14, 17 do
    local text = ("%." .. digits .. "g"):format(n)
    if tonumber(text) == n then return text end
  end
end

local write

-- Joins the entries of an array or object, on one line or one below the other.
local function join(entries, open, close, indent, depth)
  if #entries == 0 then return open .. close end
  if not indent then return open .. table.concat(entries, ",") .. close end
  local inner = "\n" .. indent:rep(depth + 1)
  return open .. inner .. table.concat(entries, "," .. inner) .. "\n" .. indent:rep(depth) .. close
end

local function write_array(value, indent, depth)
  local entries, flat = {}, true
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key > #value then
      error("an array with the key " .. tostring(key), 0)
    end
  end
  for i = 1, #value do
    flat = flat and type(value[i]) ~= "table"
    entries[i] = write(value[i], indent, depth + 1)
  end
  if flat and indent then return "[" .. table.concat(entries, ", ") .. "]" end
  return join(entries, "[", "]", indent, depth)
end

local function write_object(value, indent, depth)
  local keys, entries = {}, {}
  for key in pairs(value) do
    if type(key) ~= "string" then error("an object with the key " .. tostring(key), 0) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do
    entries[i] = write_string(key) .. (indent and ": " or ":")
      .. write(value[key], indent, depth + 1)
  end
  return join(entries, "{", "}", indent, depth)
end

function write(value, indent, depth)
  if depth > MAX_DEPTH then error("more than " .. MAX_DEPTH .. " levels", 0) end
  local kind = type(value)
  if kind == "string" then return write_string(value) end
  if kind == "number" then return write_number(value) end
  if kind == "boolean" then return tostring(value) end
  if value == nil or value == M.null then return "null" end
  if kind ~= "table" then error("a " .. kind .. " cannot be written", 0) end
  if value[1] ~= nil or getmetatable(value) == Array then
    return write_array(value, indent, depth)
  end
  return write_object(value, indent, depth)
end

local function encode(value, indent)
  local ok, text = pcall(write, value, indent, 0)
  if not ok then return nil, "JSON: " .. tostring(text), "invalid" end
  return text
end

---One line, object keys sorted.
---@param value any
---@return string? text nil for what JSON cannot hold
---@return string? message
---@return string? code "invalid"
function M.encode(value)
  return encode(value)
end

---Several lines for a file that people read, object keys sorted, a line feed at the end.
---@param value any
---@return string? text
---@return string? message
---@return string? code "invalid"
function M.pretty(value)
  local text, message, code = encode(value, "  ")
  if not text then return nil, message, code end
  return text .. "\n"
end

return M
