-- Methods whose name ends in _ change their tensor in place.
--
-- Under no_grad, or when no gradient is involved, the memory itself changes. In the graph the
-- tensor gets new memory and a new node, so what was computed from it before keeps its own; a
-- backward that needed the old values says so. Leaves that require grad, and memory shared with
-- views, are refused.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local options = require "daub.options"
local class = require "daub.tensor.class"
local random = require "daub.tensor.random"

local methods, is_tensor = class.methods, class.is_tensor

-- Whether op, which changes x by `other`, must be recorded; raises when it may not be done.
local function recorded(op, x, other)
  if not autograd.enabled() then return false end
  local involved = x.requires_grad or is_tensor(other) and other.requires_grad
  if not involved then return false end
  if x.requires_grad and not x.node then
    options.misuse(op .. ": a leaf that requires grad is changed in place "
      .. "(inside daub.no_grad, or use a new tensor)")
  end
  if rawget(x, "_viewed") then
    options.misuse(op .. ": in the graph, memory shared with a view cannot change in place "
      .. "(use the form without _, or a clone)")
  end
  return true
end

-- x becomes y: the recorded result of an op on what x was.
local function become(x, y)
  x.array, x.node, x.requires_grad = y.array, y.node, y.requires_grad
  class.changed(x)
  return x
end

-- What x was, for the op that replaces it to refer to.
local function before(x)
  local old = class.wrap(x.array)
  old.node, old.requires_grad = x.node, x.requires_grad
  return old
end

local function expect_result(op, x, y)
  if not class.same_shape(x.shape, y.shape) or x.dtype ~= y.dtype then
    options.misuse(("%s: the result is %s %s, the tensor %s %s"):format(op, y.dtype,
      options.shape(y.shape), x.dtype, options.shape(x.shape)))
  end
  return y
end

local function operand(op, x, other)
  if is_tensor(other) then
    if other.dtype == x.dtype then return other.array end
    if other:is_floating_point() and not x:is_floating_point() then
      options.misuse(("%s: %s cannot change %s in place (convert it with x:to)"):format(op,
        other.dtype, x.dtype))
    end
    return A.cast(other.array, x.dtype)
  end
  if type(other) ~= "number" then
    options.misuse(("%s: expected a tensor or a number, got %s"):format(op, type(other)))
  end
  return other
end

for _, name in ipairs { "add", "sub", "mul", "div" } do
  local op = name .. "_"
  -- add_ and sub_ take {alpha = s}: other is multiplied by it first
  methods[op] = function(x, other, o)
    if o ~= nil then other = other * options.check(op, o, { alpha = 1 }).alpha end
    if recorded(op, x, other) then
      return become(x, expect_result(op, x, methods[name](before(x), other)))
    end
    A.binary(name, x.array, operand(op, x, other), x.array)
    class.changed(x)
    return x
  end
end

for _, name in ipairs { "neg", "abs", "exp", "log", "sqrt", "tanh", "sigmoid", "relu", "floor",
  "round", "square", "reciprocal" } do
  local op = name .. "_"
  methods[op] = function(x)
    if recorded(op, x) then return become(x, methods[name](before(x))) end
    A.unary(name, x.array, x.array)
    class.changed(x)
    return x
  end
end

function methods.clamp_(x, low, high)
  if low then options.number("clamp_", "the lower bound", low) end
  if high then options.number("clamp_", "the upper bound", high) end
  if recorded("clamp_", x) then return become(x, before(x):clamp(low, high)) end
  if low then A.binary("max", x.array, low, x.array) end
  if high then A.binary("min", x.array, high, x.array) end
  class.changed(x)
  return x
end

--- x moves towards y by `weight`: x + weight * (y - x).
function methods.lerp_(x, y, weight)
  class.expect("lerp_", y, "the goal")
  options.number("lerp_", "the weight", weight)
  if recorded("lerp_", x, y) then
    local old = before(x)
    return become(x, expect_result("lerp_", x, old + (y - old) * weight))
  end
  A.lerp_(x.array, operand("lerp_", x, y), weight)
  class.changed(x)
  return x
end

--- Takes y's values (broadcast and converted).
function methods.copy_(x, y)
  class.expect("copy_", y, "the source")
  if recorded("copy_", x, y) then
    return become(x, y:to(x.dtype):expand(x.shape):clone())
  end
  A.copy_(x.array, y.array)
  class.changed(x)
  return x
end

-- Methods that put new contents into x.
local function filler(op, fill)
  methods[op] = function(x, ...)
    if recorded(op, x) then
      local y = class.wrap(A.new(x.shape, x.dtype))
      fill(y.array, ...)
      return become(x, y)
    end
    fill(x.array, ...)
    class.changed(x)
    return x
  end
end
filler("fill_", function(a, value)
  A.fill_(a, options.number("fill_", "the value", value))
end)
filler("zero_", function(a) A.fill_(a, 0) end)
--- Normal numbers of this mean and standard deviation (defaults 0 and 1).
filler("normal_", function(a, mean, std, o)
  local g = random.generator_of(options.check("normal_", o, { generator = options.none }))
  mean, std = options.number("normal_", "the mean", mean or 0),
    options.number("normal_", "the deviation", std or 1, 0)
  local n = A.normal(g, A.shape(a), A.dtype(a))
  if std ~= 1 then A.binary("mul", n, std, n) end
  if mean ~= 0 then A.binary("add", n, mean, n) end
  A.copy_(a, n)
end)
--- Uniform numbers in [low, high) (defaults 0 and 1).
filler("uniform_", function(a, low, high, o)
  low, high = options.number("uniform_", "the lower end", low or 0),
    options.number("uniform_", "the upper end", high or 1)
  local g = random.generator_of(options.check("uniform_", o, { generator = options.none }))
  local n = A.uniform(g, A.shape(a), A.dtype(a))
  if high - low ~= 1 then A.binary("mul", n, high - low, n) end
  if low ~= 0 then A.binary("add", n, low, n) end
  A.copy_(a, n)
end)
