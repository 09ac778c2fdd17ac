-- Element by element: arithmetic, functions of one tensor, comparisons, choices.
-- Each op is one line of a table: its name and its gradient, written with the same ops.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local options = require "daub.options"
local class = require "daub.tensor.class"

local methods, Tensor, wrap, sum_to = class.methods, class.Tensor, class.wrap, class.sum_to
local is_tensor, record = class.is_tensor, autograd.record

local rank = { u8 = 1, i32 = 2, i64 = 3, bf16 = 4, f32 = 5, f64 = 6 }
local function is_float(x) return rank[x.dtype] >= 4 end

-- Brings two operands to one dtype: the higher of the two, f32 where a fraction meets integers.
local function operands(op, a, b)
  local ta, tb = is_tensor(a), is_tensor(b)
  if ta and tb then
    local da, db = a.dtype, b.dtype
    if da ~= db then
      if rank[da] < rank[db] then a = a:to(db) else b = b:to(da) end
    end
    if op == "div" and not is_float(a) then a, b = a:to("f32"), b:to("f32") end
  else
    local x, s = ta and a or b, ta and b or a
    if type(s) ~= "number" then
      options.misuse(("%s: expected a tensor or a number, got %s"):format(op, type(s)))
    end
    if (s % 1 ~= 0 or op == "div") and not is_float(x) then
      if ta then a = a:to("f32") else b = b:to("f32") end
    end
  end
  return a, b
end

local function raw(x) return type(x) == "table" and x.array or x end

-- Defines methods[name](a, b). grad_a and grad_b get g, a, b and give the gradient before it is
-- summed to the operand's shape; `saves`: they read a or b.
local function define(name, op, grad_a, grad_b, saves)
  methods[name] = function(a, b, extra)
    if extra ~= nil then
      options.misuse(name .. ": takes one argument")
    end
    a, b = operands(op, a, b)
    local y = wrap(A.binary(op, raw(a), raw(b)))
    if not autograd.enabled() then return y end
    local inputs = { a, b }
    local shape_a, shape_b = is_tensor(a) and a.shape, is_tensor(b) and b.shape
    if not saves then a, b = nil, nil end -- do not keep them alive
    return record(y, name, inputs, function(g, need)
      return need[1] and sum_to(grad_a(g, a, b), shape_a),
        need[2] and sum_to(grad_b(g, a, b), shape_b)
    end, saves and inputs)
  end
end

local function through(g) return g end
local function negated(g) return -g end

define("add", "add", through, through)
define("sub", "sub", through, negated)
define("mul", "mul", function(g, _, b) return g * b end, function(g, a) return g * a end, true)
define("div", "div", function(g, _, b) return g / b end,
  function(g, a, b) return -(g * a) / (b * b) end, true)
define("fmod", "fmod", through, function(g, a, b) return -(g * (a / b):trunc()) end, true)
define("atan2", "atan2", function(g, a, b) return g * b / (a * a + b * b) end,
  function(g, a, b) return -(g * a) / (a * a + b * b) end, true)

-- Ties share the gradient, as in PyTorch.
local function share(g, mask, tie)
  return g * (mask:to(g.dtype) + tie:to(g.dtype) * 0.5)
end
local function above(a, b) -- a > b, either a number
  if is_tensor(a) then return a:gt(b) end
  return b:lt(a)
end
local function equal(a, b)
  if is_tensor(a) then return a:eq(b) end
  return b:eq(a)
end
define("maximum", "max", function(g, a, b) return share(g, above(a, b), equal(a, b)) end,
  function(g, a, b) return share(g, above(b, a), equal(a, b)) end, true)
define("minimum", "min", function(g, a, b) return share(g, above(b, a), equal(a, b)) end,
  function(g, a, b) return share(g, above(a, b), equal(a, b)) end, true)

local function power_base(g, a, b)
  if b == 0 then return g * 0 end
  return g * b * a ^ (b - 1)
end
local function power_exponent(g, a, b)
  if not is_tensor(a) then
    if a == 0 then return g * 0 end
    return g * a ^ b * math.log(a)
  end
  local zero = a:eq(0)
  return g * a ^ b * a:masked_fill(zero, 1):log()
end
define("pow", "pow", power_base, power_exponent, true)

local general_power = methods.pow
function methods.pow(a, b)
  if b == 2 and is_tensor(a) then return a:square() end
  return general_power(a, b)
end

--- a - floor(a / b) * b: the sign of b, as PyTorch's remainder.
function methods.remainder(a, b)
  return a - methods.div(a, b):floor() * b
end

Tensor.__add, Tensor.__sub, Tensor.__mul, Tensor.__div =
  methods.add, methods.sub, methods.mul, methods.div
Tensor.__pow, Tensor.__mod = methods.pow, methods.remainder

-- Functions of one tensor. `saves` names what the gradient reads: x, the result y, or nothing.
local function define_unary(name, saves, gradient)
  methods[name] = function(x, extra)
    if extra ~= nil then options.misuse(name .. ": takes no argument") end
    if not is_tensor(x) then class.expect(name, x) end
    if not is_float(x) and not (name == "neg" or name == "abs" or name == "square"
      or name == "sign" or name == "relu") then
      x = x:to("f32")
    end
    local y = wrap(A.unary(name, x.array))
    if not autograd.enabled() then return y end
    local inputs = { x }
    local s = saves == "x" and x or saves == "y" and y or nil -- and nothing else is kept alive
    return record(y, name, inputs, function(g) return gradient(g, s) end, { s })
  end
end

local two_over_root_pi = 2 / math.sqrt(math.pi)
local function zero(g) return g:zeros_like() end

define_unary("neg", nil, negated)
define_unary("abs", "x", function(g, x) return g * x:sign() end)
define_unary("exp", "y", function(g, y) return g * y end)
define_unary("expm1", "y", function(g, y) return g * (y + 1) end)
define_unary("log", "x", function(g, x) return g / x end)
define_unary("log1p", "x", function(g, x) return g / (x + 1) end)
define_unary("sqrt", "y", function(g, y) return g * 0.5 / y end)
define_unary("rsqrt", "y", function(g, y) return g * -0.5 * (y * y * y) end)
define_unary("reciprocal", "y", function(g, y) return -(g * (y * y)) end)
define_unary("square", "x", function(g, x) return g * x * 2 end)
define_unary("sin", "x", function(g, x) return g * x:cos() end)
define_unary("cos", "x", function(g, x) return -(g * x:sin()) end)
define_unary("erf", "x", function(g, x) return g * two_over_root_pi * (-x:square()):exp() end)
define_unary("sigmoid", "y", function(g, y) return g * (y - y * y) end)
define_unary("softplus", "x", function(g, x) return g * x:sigmoid() end)
define_unary("tanh", "y", function(g, y)
  if autograd.enabled() then return g * (1 - y * y) end
  return wrap(A.ternary("tanh_grad", y.array, g.array))
end)
define_unary("sign", nil, zero)
define_unary("floor", nil, zero)
define_unary("ceil", nil, zero)
define_unary("round", nil, zero)
define_unary("trunc", nil, zero)
Tensor.__unm = function(x) return methods.neg(x) end

-- Piecewise linear: the gradient is a linear map of g, its own transpose. It reads the result's
-- sign (the argument's, where slope is negative), so that the argument need not be kept.
local function sloped(name, x, array, slope)
  local y = wrap(array)
  local sign = slope >= 0 and y or x
  return record(y, name, { x }, function(g) return class.slope_gradient(sign, g, slope) end,
    { sign })
end

--- x where positive, slope * x elsewhere (slope 0.01 when left out).
function methods.leaky_relu(x, slope)
  slope = options.number("leaky_relu", "the slope", slope or 0.01)
  return sloped("leaky_relu", x, A.binary("leaky_relu", x.array, slope), slope)
end

function methods.relu(x)
  class.expect("relu", x)
  return sloped("relu", x, A.unary("relu", x.array), 0)
end

-- Comparisons give u8; isnan and its kin likewise. None has a gradient.
for _, op in ipairs { "eq", "ne", "lt", "le", "gt", "ge" } do
  methods[op] = function(a, b)
    a, b = operands(op, a, b)
    return wrap(A.binary(op, raw(a), raw(b)))
  end
end
for _, op in ipairs { "isnan", "isfinite", "logical_not" } do
  methods[op] = function(x) return wrap(A.unary(op, x.array)) end
end

--- Keeps x within [low, high]; either may be nil. The gradient passes where x is within.
function methods.clamp(x, low, high)
  local a = class.expect("clamp", x).array
  if low == nil and high == nil then options.misuse("clamp: needs a lower or an upper bound") end
  if low then options.number("clamp", "the lower bound", low) end
  if high then options.number("clamp", "the upper bound", high) end
  if low then a = A.binary("max", a, low) end
  if high then a = A.binary("min", a, high) end
  return record(wrap(a), "clamp", { x }, function(g)
    local inside = low and x:ge(low) or x:le(high)
    if low and high then inside = inside:mul(x:le(high)) end
    return g * inside:to(g.dtype)
  end, { x })
end

local function as_tensor(x, like)
  if is_tensor(x) then return x end
  return wrap(A.full({}, options.number("where", "a choice", x), like.dtype))
end

--- a where cond (u8) is not 0, b elsewhere; a and b tensors or numbers, all broadcast.
local function where(cond, a, b)
  class.expect("where", cond, "the condition")
  if cond.dtype ~= "u8" then cond = cond:ne(0) end
  if not is_tensor(a) and not is_tensor(b) then
    a = wrap(A.full({}, options.number("where", "a choice", a), "f32"))
  end
  a, b = as_tensor(a, b), as_tensor(b, a)
  a, b = operands("where", a, b)
  local shape_a, shape_b = a.shape, b.shape
  return record(wrap(A.ternary("where", cond.array, a.array, b.array)), "where", { a, b },
    function(g, need)
      return need[1] and sum_to(where(cond, g, 0), shape_a),
        need[2] and sum_to(where(cond, 0, g), shape_b)
    end, { cond })
end
methods.where = function(x, cond, y) return where(cond, x, y) end

--- A copy of x with `value` where mask is not 0.
function methods.masked_fill(x, mask, value) return where(mask, value, x) end

return { where = where, operands = operands }
