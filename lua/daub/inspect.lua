-- Values as text for people: what the REPL prints.
--
--     print(require("daub.inspect").text({1, 2, name = "x"}))   --> {1, 2, name = "x"}
--
-- Tables are shown three levels deep and thirty entries long; objects with __tostring speak for
-- themselves. Never fails: an object whose __tostring does is shown as such.

local progress = require "daub.progress"

local M = {}

local DEPTH, ENTRIES, LINE = 3, 30, 96

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
  return then true until while]]):gmatch("%a+") do
  keywords[word] = true
end

local function quoted(text)
  local short = #text > 200 and text:sub(1, 200) .. "…" or text
  return '"' .. short:gsub('[%c"\\]', function(c)
    return c == '"' and '\\"' or c == "\\" and "\\\\" or c == "\n" and "\\n"
      or ("\\%d"):format(c:byte())
  end) .. '"'
end

local function speaks_for_itself(value)
  local mt = debug.getmetatable(value)
  return type(mt) == "table" and rawget(mt, "__tostring") ~= nil
end

local function safe_tostring(value)
  local ok, text = pcall(tostring, value)
  return ok and text or ("<%s whose __tostring failed: %s>"):format(type(value), text)
end

local text_of

local function key_text(key)
  if type(key) == "string" and key:match("^[%a_][%w_]*$") and not keywords[key] then return key end
  return "[" .. (type(key) == "string" and quoted(key) or safe_tostring(key)) .. "]"
end

local function sorted_keys(value, array_length)
  local keys = {}
  for key in pairs(value) do
    local in_array = type(key) == "number" and key % 1 == 0 and key >= 1 and key <= array_length
    if not in_array then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "string" or type(a) == "number") then return a < b end
    return type(a) < type(b)
  end)
  return keys
end

local function entries_of(value, depth, seen)
  local entries, n = {}, 0
  local function add(entry)
    n = n + 1
    if n <= ENTRIES then entries[n] = entry() end
  end
  local length = 0
  while rawget(value, length + 1) ~= nil do
    length = length + 1
    local i = length
    add(function() return text_of(rawget(value, i), depth + 1, seen) end)
  end
  for _, key in ipairs(sorted_keys(value, length)) do
    add(function()
      return key_text(key) .. " = " .. text_of(rawget(value, key), depth + 1, seen)
    end)
  end
  if n > ENTRIES then entries[ENTRIES + 1] = ("… %d more"):format(n - ENTRIES) end
  return entries
end

local function table_text(value, depth, seen)
  if seen[value] then return "<the same table>" end
  if depth >= DEPTH then return next(value) == nil and "{}" or "{…}" end
  seen[value] = true
  local entries = entries_of(value, depth, seen)
  seen[value] = nil
  local line = "{" .. table.concat(entries, ", ") .. "}"
  if progress.width(line) + 2 * depth <= LINE and not line:find("\n", 1, true) then return line end
  local inner = "\n" .. ("  "):rep(depth + 1)
  return "{" .. inner .. table.concat(entries, "," .. inner) .. "\n" .. ("  "):rep(depth) .. "}"
end

function text_of(value, depth, seen)
  if type(value) == "string" then return quoted(value) end
  if type(value) == "table" and not speaks_for_itself(value) then
    return table_text(value, depth, seen)
  end
  local text = safe_tostring(value)
  if type(value) == "function" then
    local info = debug.getinfo(value, "S")
    return info.what == "C" and "function (C)"
      or ("function %s:%d"):format(info.short_src:match("[^/]*$"), info.linedefined)
  end
  return depth > 0 and text:gsub("\n", "\n" .. ("  "):rep(depth)) or text
end

---The value as text. A string stands for itself, without quotes.
---@param value any
---@return string
function M.text(value)
  if type(value) == "string" then return value end
  return (text_of(value, 0, {}))
end

return M
