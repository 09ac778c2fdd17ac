-- Where the time of a piece of work goes: seconds by function of the core.
local system = require "daub.core.system"
local watch = require "daub.bench.watch"

local M = {}

---@class daub.bench.Profile
---@field seconds number all of it
---@field convolution number seconds in convolutions and matrix products
---@field core number seconds in the core's other functions
---@field lua number seconds outside the core: Lua, autograd, garbage collection
---@field functions {name: string, seconds: number, calls: integer}[] slowest first

---Runs f and measures the functions of the core it calls.
---@param f fun()
---@return daub.bench.Profile
function M.run(f)
  local seconds, calls = {}, {}
  local function add(name, start, ...)
    seconds[name] = (seconds[name] or 0) + system.now() - start
    calls[name] = (calls[name] or 0) + 1
    return ...
  end
  local begun
  watch.run(function(name, g, ...) return add(name, system.now(), g(...)) end, function()
    begun = system.now()
    f()
    begun = system.now() - begun
  end)
  local p = { seconds = begun, convolution = 0, core = 0, functions = {} }
  for name, s in pairs(seconds) do
    p.functions[#p.functions + 1] = { name = name, seconds = s, calls = calls[name] }
    local kind = (name:match("^conv2d") or name == "matmul") and "convolution" or "core"
    p[kind] = p[kind] + s
  end
  table.sort(p.functions, function(a, b) return a.seconds > b.seconds end)
  p.lua = p.seconds - p.convolution - p.core
  return p
end

return M
