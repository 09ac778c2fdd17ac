-- Sees every call of the core's functions while a piece of work runs.
local M = {}

-- The core's modules that compute, where they are in use.
local MODULES = { "daub.core.array", "daub.core.conv", "daub.core.data", "daub.core.image" }

---Runs f with `around(name, g, ...)` in place of every function g of the core; it hands on what
---g(...) gives. An error of f undoes it and goes on.
---@param around fun(name: string, g: function, ...): ...
---@param f fun()
function M.run(around, f)
  local undo = {}
  for _, path in ipairs(MODULES) do
    local module = package.loaded[path] or {}
    for name, g in pairs(module) do
      if type(g) == "function" then undo[#undo + 1] = { module, name, g } end
    end
  end
  for _, entry in ipairs(undo) do
    local module, name, g = unpack(entry)
    module[name] = function(...) return around(name, g, ...) end
  end
  local ok, message = pcall(f)
  for _, entry in ipairs(undo) do entry[1][entry[2]] = entry[3] end
  if not ok then error(message, 0) end
end

return M
