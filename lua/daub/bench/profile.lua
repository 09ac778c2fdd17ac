-- Where the time of a piece of work goes: seconds by function of the core.
local system = require "daub.core.system"

local M = {}

-- Replaces every function of `module` by one that adds its time to `seconds`; returns the undoing.
local function wrap(module, seconds, calls)
  local own = {}
  for name, f in pairs(module) do
    if type(f) == "function" then own[name] = f end
  end
  for name, f in pairs(own) do
    local function add(start, ...)
      seconds[name] = (seconds[name] or 0) + system.now() - start
      calls[name] = (calls[name] or 0) + 1
      return ...
    end
    module[name] = function(...) return add(system.now(), f(...)) end
  end
  return function()
    for name, f in pairs(own) do module[name] = f end
  end
end

---Runs f and measures the functions of daub.core.array and daub.core.conv it calls.
---@param f fun()
---@return {name: string, seconds: number, calls: integer}[] rows slowest first, the rest last
function M.run(f)
  local seconds, calls = {}, {}
  local undo = { wrap(require "daub.core.array", seconds, calls),
    wrap(require "daub.core.conv", seconds, calls) }
  local start = system.now()
  local ok, message = pcall(f)
  local rest = system.now() - start
  for _, back in ipairs(undo) do back() end
  if not ok then error(message, 0) end
  local rows = {}
  for name, s in pairs(seconds) do
    rows[#rows + 1] = { name = name, seconds = s, calls = calls[name] }
    rest = rest - s
  end
  table.sort(rows, function(a, b) return a.seconds > b.seconds end)
  rows[#rows + 1] = { name = "everything else", seconds = rest, calls = 1 }
  return rows
end

return M
