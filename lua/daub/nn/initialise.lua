-- Initial values of parameters, in place. Every function returns its tensor.
-- fan_in and fan_out follow from the layout: {kh, kw, in / groups, out} for convolutions,
-- {out, in} for Linear. For a ConvTranspose2d weight {kh, kw, out, in} they are PyTorch's, too.
local autograd = require "daub.autograd"
local options = require "daub.options"

local M = {}

local function quietly(f)
  return function(t, ...)
    autograd.no_grad(f, t, ...)
    return t
  end
end

M.constant_ = quietly(function(t, value) t:fill_(value) end)
M.zeros_ = quietly(function(t) t:fill_(0) end)
M.ones_ = quietly(function(t) t:fill_(1) end)
--- Normal numbers; mean 0 and std 1 when left out.
M.normal_ = quietly(function(t, mean, std, o) t:normal_(mean, std, o) end)
--- Uniform numbers in [low, high); 0 and 1 when left out.
M.uniform_ = quietly(function(t, low, high, o) t:uniform_(low, high, o) end)

-- PyTorch counts fan_in as dimension 2 times the kernel of {out, in, kh, kw}.
local function fans(t)
  local s = t.shape
  if #s == 4 then return s[3] * s[1] * s[2], s[4] * s[1] * s[2] end
  if #s == 2 then return s[2], s[1] end
  return options.misuse("init: shape " .. options.shape(s) .. " has no fan_in, expected a weight "
    .. "of 2 or 4 dimensions")
end
M.fans = fans

local gains = { linear = 1, conv2d = 1, conv_transpose2d = 1, sigmoid = 1, tanh = 5 / 3,
  relu = math.sqrt(2), selu = 3 / 4 }

--- The gain PyTorch recommends after a nonlinearity; a is leaky_relu's slope (default 0.01).
function M.calculate_gain(nonlinearity, a)
  if nonlinearity == "leaky_relu" then return math.sqrt(2 / (1 + (a or 0.01) ^ 2)) end
  return gains[nonlinearity] or options.misuse(("init: unknown nonlinearity %s%s"):format(
    tostring(nonlinearity), options.hint(nonlinearity, gains)))
end

local kaiming_defaults = { a = 0, mode = "fan_in", nonlinearity = "leaky_relu",
  generator = options.none }

local function kaiming_std(op, t, o)
  local fan_in, fan_out = fans(t)
  options.choice(op, "mode", o.mode, { "fan_in", "fan_out" })
  local fan = o.mode == "fan_in" and fan_in or fan_out
  return M.calculate_gain(o.nonlinearity, o.a) / math.sqrt(fan)
end

---@param o? {a: number, mode: "fan_in"|"fan_out", nonlinearity: string, generator: userdata}
M.kaiming_uniform_ = quietly(function(t, o)
  o = options.check("kaiming_uniform_", o, kaiming_defaults)
  local bound = math.sqrt(3) * kaiming_std("kaiming_uniform_", t, o)
  t:uniform_(-bound, bound, { generator = o.generator })
end)
---@param o? {a: number, mode: "fan_in"|"fan_out", nonlinearity: string, generator: userdata}
M.kaiming_normal_ = quietly(function(t, o)
  o = options.check("kaiming_normal_", o, kaiming_defaults)
  t:normal_(0, kaiming_std("kaiming_normal_", t, o), { generator = o.generator })
end)

---@param o? {gain: number, generator: userdata}
M.xavier_uniform_ = quietly(function(t, o)
  o = options.check("xavier_uniform_", o, { gain = 1, generator = options.none })
  local fan_in, fan_out = fans(t)
  local bound = o.gain * math.sqrt(6 / (fan_in + fan_out))
  t:uniform_(-bound, bound, { generator = o.generator })
end)
---@param o? {gain: number, generator: userdata}
M.xavier_normal_ = quietly(function(t, o)
  o = options.check("xavier_normal_", o, { gain = 1, generator = options.none })
  local fan_in, fan_out = fans(t)
  t:normal_(0, o.gain * math.sqrt(2 / (fan_in + fan_out)), { generator = o.generator })
end)

--- A weight and a bias as PyTorch's Linear and Conv2d start: both uniform in ±1 / sqrt(fan_in).
function M.default_(weight, bias)
  M.kaiming_uniform_(weight, { a = math.sqrt(5) })
  if bias then
    local bound = 1 / math.sqrt((fans(weight)))
    M.uniform_(bias, -bound, bound)
  end
end

return M
