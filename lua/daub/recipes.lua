-- The bundled recipes: the scripts of the folder scripts/, each called by its name.

local system = require "daub.core.system"

local M = {}

---The folder that holds lua/, scripts/ and examples/.
---@return string
function M.root()
  return debug.getregistry()["daub.root"]
end

---The path of a recipe's script, or nil.
---@param name string
---@return string?
function M.path(name)
  if not name:match("^[%l%d_-]+$") then return nil end
  local path = ("%s/scripts/%s.lua"):format(M.root(), name)
  return system.stat(path) and path or nil
end

---The names of all recipes, sorted.
---@return string[]
function M.names()
  local names = {}
  for _, file in ipairs(system.list_directory(M.root() .. "/scripts") or {}) do
    names[#names + 1] = file:match("^([%l%d_-]+)%.lua$")
  end
  return names
end

local function load_recipe(name, environment)
  local path = M.path(name)
  if not path then error(("no recipe called '%s'"):format(name), 3) end
  local chunk = assert(loadfile(path))
  return setfenv(chunk, setmetatable(environment, { __index = _G }))
end

-- Stands for every module a script requires before it declares its options.
local inert = setmetatable({}, {})
local inert_meta = getmetatable(inert)
inert_meta.__index = function() return inert end
inert_meta.__call = function() return inert end

---The declared options of a recipe. The script runs no further than its call of cli.parse, and the
---modules it requires are not loaded.
---@param name string
---@return daub.cli.Spec?, string? message
function M.spec(name)
  local declared
  local cli = setmetatable({
    parse = function(_, spec)
      declared = spec
      error("declared", 0)
    end,
  }, { __index = function() return inert end })
  local function require_nothing(module)
    return module == "daub.cli" and cli or inert
  end
  local ok, message = pcall(load_recipe(name, { require = require_nothing, arg = {} }))
  if declared then return declared end
  return nil, ok and "declares no options" or tostring(message)
end

---Runs a recipe within this process, with `args` as its arguments. Failures pass through.
---@param name string
---@param args string[]
---@return any # what its chunk returns
function M.run(name, args)
  args[0] = name
  return load_recipe(name, { arg = args })(unpack(args))
end

return M
