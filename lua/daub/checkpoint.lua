-- One checkpoint file: tensors and plain values of any nested state, as safetensors.
--
--     checkpoint.save(path, { step = 40, generator = G:state(), adam = opt:state() })
--     local state, message = checkpoint.load(path)            -- the same tables again
--
-- Tensors lie in the file under their path ("generator.1.weight"); everything else is in the
-- metadata entry "daub", JSON with sorted keys. Equal states make equal bytes: nothing of the
-- clock is in it.
local json = require "daub.json"
local safetensors = require "daub.safetensors"
local tensor = require "daub.tensor"

local M = {}

M.format = 1

-- Replaces tensors by {tensor = name} and collects them in `found`.
local function pack(value, name, found)
  if tensor.is_tensor(value) then
    found[name] = value
    return { tensor = name }
  end
  if type(value) ~= "table" then return { value = value } end
  local entries = {}
  for key, entry in pairs(value) do
    if type(key) ~= "string" and type(key) ~= "number" then
      error("checkpoint: " .. name .. " has a key of type " .. type(key), 0)
    end
    local kind = type(key) == "number" and "#" or ""
    local below = name == "" and tostring(key) or name .. "." .. tostring(key)
    entries[kind .. tostring(key)] = pack(entry, below, found)
  end
  return { table = entries }
end

local function unpack_state(packed, found)
  if packed.tensor then
    return found[packed.tensor] or error("it lacks the tensor " .. packed.tensor, 0)
  end
  if not packed.table then return packed.value end
  local value = {}
  for key, entry in pairs(packed.table) do
    if key:sub(1, 1) == "#" then key = tonumber(key:sub(2)) end
    value[key] = unpack_state(entry, found)
  end
  return value
end

---@param path string
---@param state table nested tables of tensors, numbers, strings and booleans
---@return boolean|nil ok, string? message, string? code
function M.save(path, state)
  local found = {}
  local packed = pack(state, "", found)
  return safetensors.save(path, found, { daub = json.encode { format = M.format, state = packed } })
end

---@param path string
---@return table|nil state, string? message, string? code
function M.load(path)
  local found, metadata, code = safetensors.load(path)
  if not found then return nil, metadata, code end
  local described = metadata and metadata.daub and json.decode(metadata.daub)
  if type(described) ~= "table" or type(described.state) ~= "table" then
    return nil, path .. ": not a checkpoint of daub", "decode"
  end
  if described.format ~= M.format then
    return nil, ("%s: checkpoint format %s (this program reads %d)"):format(path,
      tostring(described.format), M.format), "decode"
  end
  local ok, state = pcall(unpack_state, described.state, found)
  if not ok then return nil, path .. ": " .. state, "decode" end
  return state
end

return M
