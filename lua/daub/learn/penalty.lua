-- What keeps a critic from becoming too steep: the zero-centred gradient penalty of R3GAN (Huang et
-- al. 2024), R1 on real pictures and R2 on painted ones,
--
--     gamma / 2 * mean over the pictures x of a kind of |dD/dx|^2
--
-- Its gradient is the gradient of a gradient. `plain` lets autograd find it, for any critic.
-- `learn` finds the same without differentiating twice, for critics of layers that are affine in
-- their input and of leaky ReLUs.
--
-- How: with its leaky ReLUs held as they are at x, such a critic is affine. Let v = dD/dx, y what a
-- layer meets for x, t what it meets when v is sent through those before it without their biases,
-- and delta what comes back to it from D. Its weight's gradient of D is delta ⊗ y, that of
-- |v|^2 / 2 is delta ⊗ t. For loss and penalty together a picture whose score has the weight
-- w = dloss/dD in the loss thus has
--
--     w delta ⊗ (y + gamma / (n w) t)
--       = (w delta) ⊗ (what x + gamma / (n w^2) (w v) becomes on its way to the layer)
--
-- that is: one backward of the loss, for w delta and w v, and one forward from pictures moved along
-- w v, in which each layer multiplies what it meets by what came back to it.
local A = require "daub.core.array"
local autograd = require "daub.autograd"
local nn = require "daub.nn"
local tensor = require "daub.tensor"

local M = {}

local START = 0.0002 -- of gamma for each pixel, times the batch (Karras et al. 2020)
local FALL = 0.1     -- what is left of it in the end

---gamma at a time of the run: from the rule of StyleGAN2-ADA, times the setting `penalty`, along
---half a cosine to a tenth.
---@param o {penalty: number, batch: integer, width: integer, height: integer}
---@param share number of the run that is done, 0 … 1
---@return number
function M.gamma(o, share)
  local start = o.penalty * START * o.width * o.height / o.batch
  return start * (FALL + (1 - FALL) * (1 + math.cos(math.pi * math.min(share, 1))) / 2)
end

---The penalty by its definition, for gamma = 1.
---@param D fun(x: daub.Tensor): daub.Tensor
---@param x daub.Tensor {N, …}
---@return daub.Tensor scores {N, 1}
---@return daub.Tensor penalty one number
function M.plain(D, x)
  x = x:detach():requires_grad_()
  local scores = D(x)
  local slope = autograd.grad(scores:sum(), x, { create_graph = true })
  return scores, slope:square():sum() / (2 * x.shape[1])
end

-- ---- the exact pass

-- A rule runs a layer forward and gives y, back, again: back(d) takes the gradient of y to that of
-- x and keeps what it needs; again(z) sends z through the layer, held as it was at x, and adds to
-- the gradients of its weights.

local AFFINE = {} -- layers that are affine in their input
for _, name in ipairs { "Conv2d", "ConvTranspose2d", "Linear", "AvgPool2d", "AdaptiveAvgPool2d",
  "Flatten", "Reshape", "PixelShuffle", "PixelUnshuffle" } do
  AFFINE[nn[name]] = true
end

-- A class of one's own says so by a field `affine`.
local function is_affine(layer) return AFFINE[getmetatable(layer)] or layer.affine end

local function mask(y, d, slope, out)
  return tensor.wrap(A.ternary("leaky_relu_grad", y.array, d.array, slope, out and out.array))
end

-- An affine layer; or one with weights, so that what it makes is its own, and the leaky ReLU of
-- this slope after it. Arrays that nobody else has go back at once.
local function affine(layer, x, slope)
  x = x:detach():requires_grad_()
  local y, delta = layer(x)
  local kept = y:detach()
  if slope then A.binary("leaky_relu", kept.array, slope, kept.array) end
  local function back(d)
    delta = slope and mask(kept, d, slope) or d
    return autograd.grad(y, x, { grad_outputs = delta })
  end
  local function again(z)
    local moved = layer(z)
    if moved.requires_grad then moved:backward(delta) end
    moved = moved:detach()
    if slope then
      mask(kept, moved, slope, moved)
      A.release_(kept.array)
      A.release_(delta.array)
    end
    return moved
  end
  return kept, back, again
end

local rule

-- A leaky ReLU on its own: the same matrix there and back.
local function activation(layer, x)
  local y, slope = layer(x):detach(), layer:fusible_slope()
  local function masked(d) return mask(y, d, slope) end
  return y, masked, masked
end

-- Layers one after the other.
local function chain(layers, x)
  local backs, agains, masked, i = {}, {}, {}, 1
  while i <= #layers do
    local layer, following = layers[i], layers[i + 1]
    local slope = is_affine(layer) and layer.weight and following
      and following:fusible_slope()
    masked[#backs + 1] = slope
    x, backs[#backs + 1], agains[#agains + 1] = rule(layer, x, slope)
    i = i + (slope and 2 or 1)
  end
  local function back(given)
    local d = given
    for k = #backs, 1, -1 do
      local before = d
      d = backs[k](before)
      if masked[k] and before.array ~= given.array then A.release_(before.array) end
    end
    return d
  end
  local function again(given)
    local z = given
    for k = 1, #agains do
      local before = z
      z = agains[k](before)
      if before.array ~= given.array and before.array ~= z.array then A.release_(before.array) end
    end
    return z
  end
  return x, back, again
end

-- The sum of what f and g make of x; that goes back at once.
local function sum(f, g, x)
  local a, b = f(x), g(x)
  local y = a + b
  if a.array ~= x.array then A.release_(a.array) end
  if b.array ~= x.array then A.release_(b.array) end
  return y
end

-- The sum of what two layers make of the same.
local function fork(branches, x)
  local y1, back1, again1 = rule(branches[1], x)
  local y2, back2, again2 = rule(branches[2], x)
  return y1 + y2, function(d) return sum(back1, back2, d) end,
    function(z) return sum(again1, again2, z) end
end

function rule(layer, x, slope)
  if is_affine(layer) then return affine(layer, x, slope) end
  if layer:fusible_slope() then return activation(layer, x) end
  if layer.branches then return fork(layer:branches(), x) end
  return chain(layer:children(), x)
end

local function all(layers)
  for _, layer in ipairs(layers) do
    if not M.knows(layer) then return false end
  end
  return true
end

---Whether `learn` can be used: the critic is made of affine layers, leaky ReLUs, sequences and sums
---of two (a layer whose `branches` names them).
---@param D daub.Module
---@return boolean
function M.knows(D)
  if is_affine(D) or D:fusible_slope() then return true end
  if D.branches then return all(D:branches()) end
  return D.forward == nn.Sequential.forward and all(D:children())
end

local FAINTEST = 1e-9 -- a smaller w counts as this: 1 / w^2 must be a number

-- gamma / (n w^2) of each picture, {N, 1, 1, 1}, after raising what is too small in w {N, 1}.
local function reach(w, factor)
  local p, list = w:view(), {}
  for i = 0, w:numel() - 1 do
    if math.abs(p[i]) < FAINTEST then p[i] = p[i] < 0 and -FAINTEST or FAINTEST end
    list[i + 1] = factor / p[i] ^ 2
  end
  return tensor.from(list, { dtype = w.dtype }):reshape { #list, 1, 1, 1 }
end

---Adds the gradients of a loss of the scores, and of the penalty, to the critic's weights.
---@param D daub.Module one that it `knows`
---@param x daub.Tensor {N, H, W, C}: pictures of both kinds
---@param loss fun(scores: daub.Tensor): daub.Tensor {N, 1} to one number
---@param factor number gamma over the pictures of a kind
---@return daub.Tensor loss
---@return daub.Tensor penalty one number: the sum over both kinds
function M.learn(D, x, loss, factor)
  local y, back, again = rule(D, x:detach())
  local scores = y:detach():requires_grad_()
  local value = loss(scores)
  local w = autograd.grad(value, scores):clone()
  local far = reach(w, factor)
  local slope = back(w) -- w dD/dx
  local moved = x + slope * far
  again(moved)
  return value:detach(), (slope:square() * far):sum() / 2
end

return M
