-- Losses. option reduction: "mean" (default), "sum" or "none".
local autograd = require "daub.autograd"
local class = require "daub.tensor.class"
local options = require "daub.options"
local A = require "daub.core.array"

local M = {}

local reductions = { "mean", "sum", "none" }

local function reduce(op, x, o)
  options.choice(op, "reduction", o.reduction, reductions)
  if o.reduction == "mean" then return x:mean() end
  if o.reduction == "sum" then return x:sum() end
  return x
end

-- A number as target stands for a tensor of it.
local function target_like(op, x, target)
  class.expect(op, x, "the input")
  if type(target) == "number" then return x:detach():full_like(target) end
  class.expect(op, target, "the target")
  if not class.same_shape(x.shape, target.shape) then
    options.misuse(("%s: the input is %s, the target %s"):format(op, options.shape(x.shape),
      options.shape(target.shape)))
  end
  return target
end

--- Mean of (x - target)^2. The target may be a number in this and the next losses.
---@param o? {reduction: "mean"|"sum"|"none"}
function M.mse_loss(x, target, o)
  o = options.check("mse_loss", o, { reduction = "mean" })
  return reduce("mse_loss", (x - target_like("mse_loss", x, target)):square(), o)
end

--- Mean of |x - target|.
---@param o? {reduction: "mean"|"sum"|"none"}
function M.l1_loss(x, target, o)
  o = options.check("l1_loss", o, { reduction = "mean" })
  return reduce("l1_loss", (x - target_like("l1_loss", x, target)):abs(), o)
end

--- Squared below beta, straight above.
---@param o? {reduction: "mean"|"sum"|"none", beta: number}
function M.smooth_l1_loss(x, target, o)
  o = options.check("smooth_l1_loss", o, { reduction = "mean", beta = 1 })
  local d = x - target_like("smooth_l1_loss", x, target)
  local size = d:abs()
  local y = class.methods.where(d:square() * (0.5 / o.beta), size:lt(o.beta), size - 0.5 * o.beta)
  return reduce("smooth_l1_loss", y, o)
end

-- max(x, 0) - x * t + log(1 + exp(-|x|)): exact at both ends.
local function logits_loss(x, t)
  local a = A.unary("softplus", A.unary("neg", A.unary("abs", x.array)))
  A.binary("add", a, A.unary("relu", x.array), a)
  A.binary("sub", a, A.binary("mul", x.array, t.array), a)
  return autograd.record(class.wrap(a), "bce_with_logits", { x, t }, function(g, need)
    return need[1] and g * (x:sigmoid() - t), need[2] and -(g * x)
  end, { x, t })
end

--- Cross entropy of sigmoid(x) against targets in [0, 1].
---@param o? {reduction: "mean"|"sum"|"none", weight: daub.Tensor, pos_weight: daub.Tensor}
function M.bce_with_logits(x, target, o)
  local op = "bce_with_logits"
  o = options.check(op, o, { reduction = "mean", weight = options.none,
    pos_weight = options.none })
  target = target_like(op, x, target)
  if target.dtype ~= x.dtype then target = target:to(x.dtype) end
  local y
  if o.pos_weight then
    y = (1 - target) * x + (1 + (o.pos_weight - 1) * target) * (-x):softplus()
  else
    y = logits_loss(x, target)
  end
  if o.weight then y = y * o.weight end
  return reduce(op, y, o)
end
M.binary_cross_entropy_with_logits = M.bce_with_logits

--- Cross entropy of probabilities x in [0, 1] against targets in [0, 1]; logs stop at -100.
---@param o? {reduction: "mean"|"sum"|"none", weight: daub.Tensor}
function M.binary_cross_entropy(x, target, o)
  local op = "binary_cross_entropy"
  o = options.check(op, o, { reduction = "mean", weight = options.none })
  target = target_like(op, x, target)
  local y = -(target * x:log():clamp(-100) + (1 - target) * (1 - x):log():clamp(-100))
  if o.weight then y = y * o.weight end
  return reduce(op, y, o)
end

local function expect_classes(op, x, target)
  class.expect(op, x, "the input")
  class.expect(op, target, "the target")
  if #x.shape ~= 2 or target:is_floating_point() or #target.shape ~= 1
    or target.shape[1] ~= x.shape[1] then
    options.misuse(("%s: the input is %s and the target %s %s, expected {N, classes} and whole "
      .. "numbers {N} (1 is the first class)"):format(op, options.shape(x.shape), target.dtype,
      options.shape(target.shape)))
  end
end

local function weighted_mean(y, weights, o)
  if o.reduction == "mean" and weights then return y:sum() / weights:sum() end
  return reduce("nll_loss", y, o)
end

--- Minus the log probability of each target class. weight: one number per class.
---@param x daub.Tensor {N, classes} log probabilities
---@param target daub.Tensor {N} class numbers from 1
---@param o? {reduction: "mean"|"sum"|"none", weight: daub.Tensor}
function M.nll_loss(x, target, o)
  o = options.check("nll_loss", o, { reduction = "mean", weight = options.none })
  expect_classes("nll_loss", x, target)
  local y = -x:gather(2, target:unsqueeze(2)):squeeze(2)
  local weights = o.weight and o.weight:index_select(1, target)
  return weighted_mean(weights and y * weights or y, weights, o)
end

--- Cross entropy of softmax(x) against class numbers {N} (from 1) or probabilities {N, classes}.
---@param x daub.Tensor {N, classes}
---@param o? {reduction: "mean"|"sum"|"none", weight: daub.Tensor, label_smoothing: number}
function M.cross_entropy(x, target, o)
  o = options.check("cross_entropy", o, { reduction = "mean", weight = options.none,
    label_smoothing = 0 })
  class.expect("cross_entropy", x, "the input")
  class.expect("cross_entropy", target, "the target")
  local logs = x - x:logsumexp(-1, true)
  local smooth, classes = o.label_smoothing, x.shape[#x.shape]
  if target:is_floating_point() then
    target_like("cross_entropy", x, target)
    local p = smooth > 0 and target * (1 - smooth) + smooth / classes or target
    if o.weight then p = p * o.weight end
    local y = -(p * logs):sum(-1)
    return reduce("cross_entropy", y, o)
  end
  expect_classes("cross_entropy", x, target)
  local hard = M.nll_loss(logs, target, { reduction = o.reduction, weight = o.weight })
  if smooth == 0 then return hard end
  local weights = o.weight and o.weight:index_select(1, target)
  local soft = weighted_mean(-(o.weight and logs * o.weight or logs):sum(-1), weights, o)
  return hard * (1 - smooth) + soft * (smooth / classes)
end

return M
