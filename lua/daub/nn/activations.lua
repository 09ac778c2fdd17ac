-- Activations as layers.
local F = require "daub.ops"
local module = require "daub.nn.module"
local options = require "daub.options"
local tensor = require "daub.tensor"

local M = {}

-- name, function of ops, default of its argument (nil: none)
for name, spec in pairs {
  ReLU = { F.relu }, Tanh = { F.tanh }, Sigmoid = { F.sigmoid }, SiLU = { F.silu },
  Softplus = { F.softplus }, LeakyReLU = { F.leaky_relu, 0.01 }, ELU = { F.elu, 1 },
  Softmax = { F.softmax, -1 }, LogSoftmax = { F.log_softmax, -1 },
} do
  local f, default = spec[1], spec[2]
  local cls = module.class(name)
  function cls:init(value, extra)
    if extra ~= nil or value ~= nil and (default == nil or type(value) ~= "number") then
      options.misuse(name .. (default and ": expected one number" or ": takes no argument"))
    end
    self.value = value or default
  end
  if default then
    function cls:forward(x) return f(x, self.value) end
    function cls:details() return tostring(self.value) end
  else
    function cls.forward(_, x) return f(x) end
  end
  M[name] = cls
end

--- {approximate = "none"|"tanh"}
M.GELU = module.class "GELU"
function M.GELU:init(o) self.options = options.check("GELU", o, { approximate = "none" }) end
function M.GELU:forward(x) return F.gelu(x, self.options) end

--- `count` slopes (1, or one per channel) that are learnt, from {init = 0.25}.
M.PReLU = module.class "PReLU"
function M.PReLU:init(count, o)
  self.count = options.whole("PReLU", "the count", count or 1, 1)
  local start = options.check("PReLU", o, { init = 0.25 }).init
  self.weight = module.Parameter(tensor.full({ self.count }, start))
end
function M.PReLU:forward(x) return F.prelu(x, self.weight) end
function M.PReLU:details() return tostring(self.count) end

-- A class made from these that has a forward of its own is left alone.
function M.ReLU:fusible_slope() return self.forward == M.ReLU.forward and 0 or nil end
function M.LeakyReLU:fusible_slope()
  return self.forward == M.LeakyReLU.forward and self.value >= 0 and self.value or nil
end

return M
