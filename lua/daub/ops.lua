-- Functions of tensors that networks are made of, under PyTorch's names.
--
--     local F = require "daub.ops"
--     local h = F.leaky_relu(F.conv2d(x, w, { stride = 2, padding = 1 }), 0.2)
--     local loss = F.bce_with_logits(h, 1)
--
-- Images are {N, H, W, C}, convolution weights {kh, kw, in, out}. Everything is differentiable, any
-- number of times. Files beside this one: ops/conv.lua, ops/norm.lua, ops/maps.lua,
-- ops/loss.lua.
local autograd = require "daub.autograd"
local class = require "daub.tensor.class"
local options = require "daub.options"
local tensor = require "daub.tensor"
local reduce = require "daub.tensor.reduce"

local methods, misuse, text = class.methods, options.misuse, options.shape

local M = { where = tensor.where, cat = tensor.cat, stack = tensor.stack }
for _, part in ipairs { "daub.ops.conv", "daub.ops.norm", "daub.ops.maps",
  "daub.ops.loss" } do
  for name, f in pairs(require(part)) do M[name] = f end
end

-- What is a method already is here under the same name.
for _, name in ipairs { "relu", "tanh", "sigmoid", "softplus", "abs", "exp", "log", "sqrt", "erf",
  "flip", "flatten", "clamp", "logsumexp", "matmul" } do
  M[name] = methods[name]
end

--- x where positive, slope * x elsewhere (slope 0.01 when left out).
function M.leaky_relu(x, slope) return class.expect("leaky_relu", x):leaky_relu(slope) end

--- x * sigmoid(x).
function M.silu(x) return class.expect("silu", x) * x:sigmoid() end

--- alpha * (exp(x) - 1) below 0 (alpha 1 when left out).
function M.elu(x, alpha)
  class.expect("elu", x)
  alpha = options.number("elu", "alpha", alpha or 1)
  local low = -(-x):relu() -- min(x, 0)
  return tensor.where(x:gt(0), x, low:expm1() * alpha)
end

--- x times the normal distribution's function of x.
---@param o? {approximate: "none"|"tanh"}
function M.gelu(x, o)
  class.expect("gelu", x)
  o = options.check("gelu", o, { approximate = "none" })
  options.choice("gelu", "approximate", o.approximate, { "none", "tanh" })
  if o.approximate == "none" then return x * 0.5 * ((x * math.sqrt(0.5)):erf() + 1) end
  local inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
  return x * 0.5 * (inner:tanh() + 1)
end

--- x where positive, weight * x elsewhere; weight {1} or {C}.
function M.prelu(x, weight)
  class.expect("prelu", x, "x")
  class.expect("prelu", weight, "the weight")
  return tensor.where(x:gt(0), x, x * weight)
end

--- exp(x) over its sum along dim (default the last).
function M.softmax(x, dim) return M.log_softmax(x, dim):exp() end
--- The logarithm of softmax, exact where softmax is next to 0.
function M.log_softmax(x, dim)
  return class.expect("log_softmax", x) - x:logsumexp(dim or -1, true)
end

--- x times the transpose of w, plus bias.
---@param x daub.Tensor {…, in}
---@param w daub.Tensor {out, in}, as in PyTorch
---@param bias? daub.Tensor {out}; or {bias = …}
function M.linear(x, w, bias)
  if type(bias) == "table" and not tensor.is_tensor(bias) then
    bias = options.check("linear", bias, { bias = options.none }).bias
  end
  class.expect("linear", x, "x")
  class.expect("linear", w, "the weight")
  local xs, ws = x.shape, w.shape
  if #ws ~= 2 or #xs < 1 or xs[#xs] ~= ws[2] then
    misuse(("linear: x is %s, weight %s expects {…, %s}"):format(text(xs), text(ws),
      tostring(ws[2])))
  end
  if bias and (#bias.shape ~= 1 or bias.shape[1] ~= ws[1]) then
    misuse(("linear: bias is %s, expected {%d}"):format(text(bias.shape), ws[1]))
  end
  local rows = #xs == 2 and x or x:reshape { -1, ws[2] }
  local y = reduce.product(rows, w, false, true)
  if bias then y = y + bias end
  if #xs == 2 then return y end
  local shape = { unpack(xs) }
  shape[#shape] = ws[1]
  return y:reshape(shape)
end

--- Rows of `weight` {count, width} chosen by whole numbers from 1; any shape of idx.
function M.embedding(idx, weight)
  class.expect("embedding", idx, "the index")
  if #class.expect("embedding", weight, "the weight").shape ~= 2 then
    misuse("embedding: the weight is " .. text(weight.shape) .. ", expected {count, width}")
  end
  local shape = idx.shape
  shape[#shape + 1] = weight.shape[2]
  return weight:index_select(1, idx:reshape { -1 }):reshape(shape)
end

--- Whole numbers from 1 as rows of one 1 among 0s.
function M.one_hot(idx, classes)
  class.expect("one_hot", idx, "the index")
  return tensor.eye(classes):index_select(1, idx:reshape { -1 })
end

--- Drops elements with probability p (default 0.5) and scales the rest by 1 / (1 - p).
---@param p? number
---@param o? {training: boolean, generator: userdata} training is true when left out
function M.dropout(x, p, o)
  class.expect("dropout", x, "x")
  p = p or 0.5
  o = options.check("dropout", o, { training = true, generator = options.none })
  if type(p) ~= "number" or p < 0 or p > 1 then
    misuse(("dropout: p is %s, expected a probability"):format(options.shown(p)))
  end
  if not o.training or p == 0 then return x end
  if p == 1 then return x * 0 end
  local keep = autograd.no_grad(function()
    local draw = x:rand_like { generator = o.generator, dtype = "f32" }
    return draw:ge(p):to(x.dtype) * (1 / (1 - p))
  end)
  return x * keep
end

return M
