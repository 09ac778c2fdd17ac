-- Normalisation over pictures {…, C}: the last axis holds the channels.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local class = require "daub.tensor.class"
local options = require "daub.options"

local wrap, record, slope_gradient = class.wrap, autograd.record, class.slope_gradient
local misuse, text = options.misuse, options.shape

local M = {}

-- (x - mean) / sqrt(var + eps) over dims, from differentiable ops.
local function standardise(x, dims, eps)
  local away = x - x:mean(dims, true)
  return away * (away:square():mean(dims, true) + eps):rsqrt()
end

local function affine(y, weight, bias)
  if weight then y = y * weight end
  return bias and y + bias or y
end

local function expect_channels(op, channels, named)
  for name, t in pairs(named) do
    class.expect(op, t, name)
    if #t.shape ~= 1 or t.shape[1] ~= channels then
      misuse(("%s: %s is %s, x has %d channels"):format(op, name, text(t.shape), channels))
    end
  end
end

-- The gradient of training-mode batch normalisation as a graph of its own.
local function batch_norm_gradient(x, g, o)
  local dims = {}
  for i = 1, #x.shape - 1 do dims[i] = i end
  local away = x - x:mean(dims, true)
  local scale = (away:square():mean(dims, true) + o.eps):rsqrt()
  local y = away * scale
  g = slope_gradient(affine(y, o.weight, o.bias), g, o.negative_slope)
  local gw = o.weight and g * o.weight or g
  local dx = scale * (gw - gw:mean(dims, true) - y * (gw * y):mean(dims, true))
  return dx, o.weight and (g * y):sum(dims), g:sum(dims)
end

local function raw(t) return t and t.array end

-- Normalises by the batch's own statistics: the core's fused loops, forward and backward; a graph
-- of the gradient is made of plain ops.
local function batch_norm_train(x, o)
  local weight, bias, slope = o.weight, o.bias, o.negative_slope
  local mean, invstd = A.batch_statistics(x.array, o.eps)
  local y = A.normalise(x.array, mean, invstd, raw(weight), raw(bias), slope)
  local inputs = { x, weight or false, bias or false }
  local out = record(wrap(y), "batch_norm", inputs, function(g, need)
    if autograd.enabled() then return batch_norm_gradient(x, g, o) end
    local dx, dw, db = A.batch_norm_backward(x.array, g.array, mean, invstd, raw(weight),
      raw(bias), slope)
    return wrap(dx), need[2] and wrap(dw), need[3] and wrap(db)
  end, inputs)
  return out, mean, invstd
end

local function as(x, t) return t and t.dtype ~= x.dtype and t:to(x.dtype) or t end

-- Normalises by given statistics, one pass forward.
local function batch_norm_eval(x, mean, var, o)
  mean, var = as(x, mean), as(x, var)
  local weight, bias, slope = as(x, o.weight), as(x, o.bias), o.negative_slope
  local invstd = (var + o.eps):rsqrt()
  local y = wrap(A.normalise(x.array, mean.array, invstd.array, raw(weight), raw(bias), slope))
  local inputs = { x, mean, invstd, weight or false, bias or false }
  local dims = {}
  for i = 1, #x.shape - 1 do dims[i] = i end
  return record(y, "batch_norm", inputs, function(g, need)
    g = slope_gradient(y, g, slope)
    local scale = weight and invstd * weight or invstd
    local dbias = g:sum(dims)
    local dscale = (need[3] or need[4]) and (g * (x - mean)):sum(dims)
    return g * scale, need[2] and -(dbias * scale),
      need[3] and (weight and dscale * weight or dscale), need[4] and dscale * invstd, dbias
  end, { x, mean, weight or false, y })
end

local batch_defaults = { weight = options.none, bias = options.none, training = false,
  momentum = 0.1, eps = 1e-5, negative_slope = options.none }

--- Batch normalisation over all axes but the last; with negative_slope also the leaky ReLU of it,
--- in the same passes (0: ReLU).
---@param x daub.Tensor {…, C}
---@param running_mean daub.Tensor|nil {C}; with running_var changed in place when training
---@param running_var daub.Tensor|nil {C}
---@param o? table weight, bias: daub.Tensor; training: boolean; momentum, eps, negative_slope:
--- numbers
function M.batch_norm(x, running_mean, running_var, o)
  o = options.check("batch_norm", o, batch_defaults)
  class.expect("batch_norm", x, "x")
  local channels = x.shape[#x.shape] or 0
  expect_channels("batch_norm", channels, { weight = o.weight, bias = o.bias,
    running_mean = running_mean, running_var = running_var })
  if o.negative_slope then options.number("batch_norm", "negative_slope", o.negative_slope, 0) end
  if o.training then
    local count = x:numel() / math.max(channels, 1)
    if count < 2 then
      misuse(("batch_norm: x is %s, training needs more than one value per channel"):format(
        text(x.shape)))
    end
    local y, mean, invstd = batch_norm_train(x, o)
    if running_mean then
      A.running_statistics_(running_mean.array, running_var.array, mean, invstd, { eps = o.eps,
        momentum = o.momentum, count = count })
      class.changed(running_mean)
      class.changed(running_var)
    end
    return y
  end
  if not running_mean or not running_var then
    misuse("batch_norm: without training it needs running_mean and running_var")
  end
  return batch_norm_eval(x, running_mean, running_var, o)
end

--- Normalises each picture over its places and each of `groups` runs of channels.
---@param x daub.Tensor {N, …, C}
---@param groups integer
---@param o? {weight: daub.Tensor, bias: daub.Tensor, eps: number}
function M.group_norm(x, groups, o)
  o = options.check("group_norm", o, { weight = options.none, bias = options.none, eps = 1e-5 })
  local shape = class.expect("group_norm", x, "x").shape
  options.whole("group_norm", "groups", groups, 1)
  local channels = shape[#shape]
  expect_channels("group_norm", channels, { weight = o.weight, bias = o.bias })
  if #shape < 2 or channels % groups ~= 0 then
    misuse(("group_norm: x %s cannot be split into %d groups of channels"):format(text(shape),
      groups))
  end
  local places = x:numel() / (shape[1] * channels)
  local y = standardise(x:reshape { shape[1], places, groups, channels / groups }, { 2, 4 }, o.eps)
  return affine(y:reshape(shape), o.weight, o.bias)
end

--- Normalises each channel of each picture over its places.
---@param x daub.Tensor {N, H, W, C}
---@param o? {weight: daub.Tensor, bias: daub.Tensor, eps: number}
function M.instance_norm(x, o)
  o = options.check("instance_norm", o, { weight = options.none, bias = options.none, eps = 1e-5 })
  local shape = class.expect("instance_norm", x, "x").shape
  if #shape ~= 4 then
    misuse(("instance_norm: x is %s, expected {N, H, W, C}"):format(text(shape)))
  end
  expect_channels("instance_norm", shape[4], { weight = o.weight, bias = o.bias })
  if shape[2] * shape[3] < 2 then
    misuse(("instance_norm: x is %s, expected more than one place per channel"):format(text(shape)))
  end
  return affine(standardise(x, { 2, 3 }, o.eps), o.weight, o.bias)
end

--- Normalises over the last #shape axes.
---@param shape integer[]
---@param o? {weight: daub.Tensor, bias: daub.Tensor, eps: number}
function M.layer_norm(x, shape, o)
  o = options.check("layer_norm", o, { weight = options.none, bias = options.none, eps = 1e-5 })
  local dims = {}
  class.expect("layer_norm", x, "x")
  options.wholes("layer_norm", "the shape", shape, 1)
  for i = 1, #shape do
    dims[i] = -i
    if x.shape[#x.shape - #shape + i] ~= shape[i] then
      misuse(("layer_norm: x is %s, expected it to end in %s"):format(text(x.shape), text(shape)))
    end
  end
  return affine(standardise(x, dims, o.eps), o.weight, o.bias)
end

--- Each place's channels divided by their root mean square (Karras et al. 2018).
---@param o? {eps: number}
function M.pixel_norm(x, o)
  o = options.check("pixel_norm", o, { eps = 1e-8 })
  return class.expect("pixel_norm", x) * (x:square():mean(-1, true) + o.eps):rsqrt()
end

--- Each vector along dim divided by its p-norm, or by eps where that is larger.
---@param o? {p: number, dim: integer, eps: number} dim defaults to the last
function M.normalize(x, o)
  o = options.check("normalize", o, { p = 2, dim = -1, eps = 1e-12 })
  return class.expect("normalize", x) / x:norm(o.dim, true, { p = o.p }):clamp(o.eps)
end

return M
