-- What is done to whole maps {N, H, W, C} in one pass: noise, gates, shifts.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local class = require "daub.tensor.class"
local options = require "daub.options"

local wrap, record = class.wrap, autograd.record
local misuse, text = options.misuse, options.shape

local M = {}

local function expect(op, what, t, shape)
  class.expect(op, t, what)
  if not class.same_shape(t.shape, shape) then
    misuse(("%s: %s is %s, expected %s"):format(op, what, text(t.shape), text(shape)))
  end
end

local function expect_maps(op, x)
  class.expect(op, x, "x")
  if #x.shape ~= 4 then misuse(("%s: x is %s, expected {N, H, W, C}"):format(op, text(x.shape))) end
  return unpack(x.shape)
end

--- x + noise * weight: one number for each place, scaled for each channel. `inplace`: in the memory
--- of an x that was just made and that nothing else uses, before or after.
---@param x daub.Tensor {N, H, W, C}
---@param noise daub.Tensor {N, H, W, 1}
---@param weight daub.Tensor {C}
---@param o? {inplace: boolean}
---@return daub.Tensor {N, H, W, C}
function M.add_noise(x, noise, weight, o)
  local inplace = options.check("add_noise", o, { inplace = false }).inplace
  local n, h, w, c = expect_maps("add_noise", x)
  expect("add_noise", "the noise", noise, { n, h, w, 1 })
  expect("add_noise", "the weight", weight, { c })
  if inplace and autograd.enabled() and x.requires_grad and not x.node then
    misuse("add_noise: a leaf that requires grad cannot change in place")
  end
  local array = A.add_outer(x.array, noise.array, weight.array, inplace)
  if inplace then class.changed(x) end
  local y = inplace and class.wrap_view(x, array) or wrap(array)
  return record(y, "add_noise", { x, noise, weight }, function(g, need)
    local d_weight
    if need[3] and autograd.enabled() then d_weight = (g * noise):sum { 1, 2, 3 }
    elseif need[3] then d_weight = wrap(A.picture_sums(g.array, noise.array)):sum(1) end
    return need[1] and g, need[2] and (g * weight):sum(4, true), d_weight
  end, { noise, weight })
end

--- x * factor: each channel of each picture made stronger or weaker.
---@param x daub.Tensor {N, H, W, C}
---@param factor daub.Tensor {N, 1, 1, C}
---@return daub.Tensor {N, H, W, C}
function M.gate(x, factor)
  local n, _, _, c = expect_maps("gate", x)
  expect("gate", "the factor", factor, { n, 1, 1, c })
  local y = wrap(A.binary("mul", x.array, factor.array))
  return record(y, "gate", { x, factor }, function(g, need)
    local d_factor
    if need[2] and autograd.enabled() then d_factor = (g * x):sum({ 2, 3 }, true)
    elseif need[2] then d_factor = wrap(A.picture_sums(g.array, x.array)):reshape { n, 1, 1, c } end
    return need[1] and M.gate(g, factor), d_factor
  end, { x, factor })
end

--- Moves every picture by whole places: y[n][i][j] = x[n][i + rows][j + columns], 0 from outside.
---@param x daub.Tensor {N, H, W, C}
---@param by daub.Tensor i64 {N, 2}: rows, columns of each picture
---@return daub.Tensor {N, H, W, C}
function M.shift(x, by)
  local n = expect_maps("shift", x)
  expect("shift", "the way", by, { n, 2 })
  if by.dtype ~= "i64" then misuse("shift: the way is " .. by.dtype .. ", expected i64") end
  local there, back = by.array, A.unary("neg", by.array)
  return class.linear_map("shift", x, function(a) return A.shift(a, there) end,
    function(g) return A.shift(g, back) end)
end

return M
