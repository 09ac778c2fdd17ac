-- Completion of names for the REPL: globals, fields, methods (through metatables), module names.

local progress = require "daub.progress"
local recipes = require "daub.recipes"
local system = require "daub.core.system"

local M = {}

local KEYWORDS = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if",
  "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" }
local SHOWN = 240

-- Adds the string keys of a value, its metatable's __index and what stands behind that. Where
-- __index is a function, the metatable may have the names it knows as keys of a table __names.
local function collect_keys(value, found, wanted, depth)
  if type(value) == "table" then
    for key, entry in pairs(value) do
      if type(key) == "string" and (not wanted or type(entry) == wanted) then found[key] = true end
    end
  end
  local mt = debug.getmetatable(value)
  if type(mt) ~= "table" or depth > 8 then return end
  local index = rawget(mt, "__index")
  if type(index) == "table" then collect_keys(index, found, wanted, depth + 1) end
  collect_keys(rawget(mt, "__names"), found, wanted, depth + 1)
end

-- The value of a chain of names like "a.b.c", without calling anything but __index; or nil.
local function value_of(chain)
  local first, rest = chain:match("^([%a_][%w_]*)(.*)$")
  local value = rawget(_G, first)
  if value == nil and M.lazy and M.lazy[first] then value = _G[first] end
  for name in rest:gmatch("[%a_][%w_]*") do
    local ok, entry = pcall(function() return value[name] end)
    if not ok or entry == nil then return nil end
    value = entry
  end
  return value
end

local function add_modules(folder, prefix, found)
  for _, name in ipairs(system.list_directory(folder) or {}) do
    local module = name:match("^([%w_]+)%.lua$")
    if module == "init" and prefix ~= "" then found[prefix:sub(1, -2)] = true
    elseif module then found[prefix .. module] = true
    elseif name:match("^%l[%w_]*$") then -- a folder, or it lists nothing
      add_modules(folder .. "/" .. name, prefix .. name .. ".", found)
    end
  end
end

local function modules()
  local found = {}
  for name in pairs(package.preload) do found[name] = true end
  for name in pairs(package.loaded) do found[name] = true end
  add_modules(recipes.root() .. "/lua", "", found)
  return found
end

local function common_start(words)
  local start = words[1]
  for _, word in ipairs(words) do
    while word:sub(1, #start) ~= start do start = start:sub(1, -2) end
  end
  return start
end

---The names one can write after a value and "." (with `kind` "function": after ":"), sorted.
---@param value any
---@param kind "function"?
---@return string[]
function M.names(value, kind)
  local found, names = {}, {}
  collect_keys(value, found, kind, 0)
  for name in pairs(found) do names[#names + 1] = name end
  table.sort(names)
  return names
end

---What can follow the text: the candidates and the part of them that is already there.
---@param before string the line up to the cursor
---@return string[] candidates sorted
---@return string part
function M.candidates(before)
  local found, part = {}, before:match("require%s*%(?%s*[\"']([%w_.]*)$")
  if part then
    found = modules()
  else
    local chain, separator, name = before:match("([%a_][%w_.]*)([.:])([%w_]*)$")
    part = name or before:match("[%a_][%w_]*$") or ""
    if chain then
      local value = value_of(chain)
      if value ~= nil then collect_keys(value, found, separator == ":" and "function", 0) end
    elseif not before:match("[\"'][^\"']*$") then
      collect_keys(_G, found, nil, 0)
      for _, word in ipairs(KEYWORDS) do found[word] = true end
      for name_of_lazy in pairs(M.lazy or {}) do found[name_of_lazy] = true end
    end
  end
  local words = {}
  for word in pairs(found) do
    local hidden = word:sub(1, 1) == "_" and part == ""
    if word:sub(1, #part) == part and not hidden then words[#words + 1] = word end
  end
  table.sort(words)
  return words, part
end

local function in_columns(words)
  local width, lines, shown = 0, {}, math.min(#words, SHOWN)
  for i = 1, shown do width = math.max(width, progress.width(words[i]) + 2) end
  local across = math.max(1, math.floor((system.terminal_size() or 80) / width))
  local rows = math.ceil(shown / across)
  for row = 1, rows do
    local cells = {}
    for i = row, shown, rows do cells[#cells + 1] = ("%-" .. width .. "s"):format(words[i]) end
    lines[row] = table.concat(cells):gsub("%s+$", "")
  end
  if shown < #words then lines[#lines + 1] = ("… %d more"):format(#words - shown) end
  return table.concat(lines, "\n")
end

---What Tab does: the text to insert and, when there is a choice, the list to show.
---@param before string the line up to the cursor
---@return string? insert
---@return string? show
function M.tab(before)
  if before:match("^%s*$") then return "  " end
  local words, part = M.candidates(before)
  if #words == 0 then return nil end
  local insert = common_start(words):sub(#part + 1)
  if #words == 1 or insert ~= "" then return insert end
  return nil, in_columns(words)
end

return M
