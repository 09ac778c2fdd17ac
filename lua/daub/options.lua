-- Options tables and misuse: how every public function says what it expected.
--
--     local defaults = { stride = 1, padding = 0 }
--     function M.conv2d(x, w, o)
--       o = options.check("conv2d", o, defaults)      -- unknown names raise and name the nearest
--       if bad then options.misuse("conv2d: x has 3 channels, weight {4, 4, 5, 8} expects 5") end
--
-- A misuse is raised at the first caller outside this library and names the layers being run.
local nearest = require "daub.nearest"

local M = {}

local library = debug.getinfo(1, "S").source:match("^(@.*[/\\])") or "@"
local layer_calls = {} -- functions whose first local is the layer they run (nn.Module's __call)

local function sorted_keys(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return names
end
M.sorted_keys = sorted_keys

--- `" (did you mean X?)"`, or the names there are when none is near.
---@param name any
---@param known table map of known names, or a list of them
function M.hint(name, known)
  local names = #known > 0 and known or sorted_keys(known)
  local near = type(name) == "string" and nearest.of(name, names)
  if near then return " (did you mean " .. near .. "?)" end
  if #names == 0 or #names > 20 then return "" end
  return " (there are: " .. table.concat(names, ", ") .. ")"
end

--- Declares a function that runs a layer, so that misuse below it names the layer.
function M.runs_layer(f) layer_calls[f] = true end

local function layers_running()
  local names, level = {}, 3
  while true do
    local frame = debug.getinfo(level, "f")
    if not frame then break end
    if layer_calls[frame.func] then
      local _, layer = debug.getlocal(level, 1)
      names[#names + 1] = #names == 0 and layer:describe() or layer.type_name
    end
    level = level + 1
  end
  if #names == 0 then return "" end
  if #names > 2 then names = { names[1], names[#names] } end -- the layer and the network
  return " (in " .. table.concat(names, " of ") .. ")"
end

--- Raises `message` with the position of the first caller outside the library.
function M.misuse(message)
  local where, level = "", 2
  while true do
    local frame = debug.getinfo(level, "Sl")
    if not frame then break end
    if frame.what ~= "C" and frame.source:sub(1, #library) ~= library then
      where = frame.short_src .. ":" .. frame.currentline .. ": "
      break
    end
    level = level + 1
  end
  error(where .. message .. layers_running(), 0)
end

-- The bindings of the C modules raise their errors through the same function (lx_check).
debug.getregistry()["daub.misuse"] = M.misuse

--- Checks that `given` holds only names of `defaults` and fills in what is missing.
--- A default of `M.none` stands for nil, `M.required` for an option that must be given.
---@param op string
---@param given table|nil
---@param defaults table<string, any>
---@return table options a new table
function M.check(op, given, defaults)
  local o = {}
  if given ~= nil then
    if type(given) ~= "table" then
      M.misuse(("%s: expected a table of options, got %s"):format(op, type(given)))
    end
    for name, value in pairs(given) do
      if defaults[name] == nil then
        M.misuse(("%s: unknown option %s%s"):format(op, tostring(name), M.hint(name, defaults)))
      end
      o[name] = value
    end
  end
  for name, value in pairs(defaults) do
    if o[name] == nil and value ~= M.none then
      if value == M.required then
        M.misuse(("%s: option %s is required"):format(op, name))
      end
      o[name] = value
    end
  end
  return o
end
M.none = setmetatable({}, { __tostring = function() return "none" end })
M.required = setmetatable({}, { __tostring = function() return "required" end })

--- `value` when it is one of `choices`; otherwise raises, naming the nearest.
function M.choice(op, option, value, choices)
  for _, c in ipairs(choices) do
    if c == value then return value end
  end
  return M.misuse(("%s: %s is %s%s"):format(op, option, tostring(value), M.hint(value, choices)))
end

-- A value in a message: numbers as they are, anything else by its type.
local function shown(value)
  if type(value) == "number" then return tostring(value) end
  if value == nil then return "missing" end
  if type(value) == "table" and rawget(value, "array") then return "a tensor" end
  return "a " .. type(value)
end
M.shown = shown

--- `value` when it is a number, at least `least` when given.
function M.number(op, what, value, least)
  if type(value) ~= "number" or least and not (value >= least) then -- luacheck: ignore
    M.misuse(("%s: %s is %s, expected a number%s"):format(op, what, shown(value),
      least and " of at least " .. least or ""))
  end
  return value
end

--- `value` when it is a whole number, at least `least` when given.
function M.whole(op, what, value, least)
  if type(value) ~= "number" or value % 1 ~= 0 or value < (least or -2 ^ 53) or value > 2 ^ 53 then
    M.misuse(("%s: %s is %s, expected a whole number%s"):format(op, what, shown(value),
      least and " of at least " .. least or ""))
  end
  return value
end

--- `list` when it is a list of whole numbers, each at least `least`.
function M.wholes(op, what, list, least)
  if type(list) ~= "table" or rawget(list, "array") then
    M.misuse(("%s: %s is %s, expected a list of whole numbers"):format(op, what, shown(list)))
  end
  for i = 1, #list do M.whole(op, "entry " .. i .. " of " .. what, list[i], least) end
  return list
end

--- A number or a pair {h, w} as two whole numbers >= `least`.
function M.pair(op, option, value, least)
  local a, b = value, value
  if type(value) == "table" and #value == 2 then a, b = value[1], value[2] end
  if type(a) ~= "number" or type(b) ~= "number" or a % 1 ~= 0 or b % 1 ~= 0
    or a < least or b < least or a > 2 ^ 31 or b > 2 ^ 31 then
    local text = type(value) == "table" and #value == 2 and M.shape(value) or shown(value)
    M.misuse(("%s: %s is %s, expected a whole number or a pair of them, at least %d")
      :format(op, option, text, least))
  end
  return a, b
end

--- A shape as text: {2, 3}.
function M.shape(shape)
  local parts = {}
  for i, n in ipairs(shape) do parts[i] = tostring(n) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

return M
