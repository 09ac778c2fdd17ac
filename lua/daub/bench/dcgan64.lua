-- One training step of the DCGAN of Radford et al. at 64x64, as PyTorch's tutorial writes it: batch
-- 64, nz = 100, ngf = ndf = 64, Adam. Weight gradients of D are not computed in G's half.
local autograd = require "daub.autograd"
local F = require "daub.ops"
local layers = require "daub.bench.layers"
local nn = require "daub.nn"
local optim = require "daub.optim"
local tensor = require "daub.tensor"

local M = {}

local BATCH, NZ = 64, 100

-- D's convolutions (see layers.lua); G's are the same upside down, but for nz in place of 1.
local convolutions = {
  { 4, 2, 1, 64, 3, 64 }, { 4, 2, 1, 32, 64, 128 }, { 4, 2, 1, 16, 128, 256 },
  { 4, 2, 1, 8, 256, 512 }, { 4, 1, 0, 4, 512, 1 },
}

-- Convolutions of D run 3 times forward, 2 for weights and 3 for inputs (the picture's gradient in
-- G's half only); those of G once forward, once for weights and, but for the first, for inputs.
local function step_flops()
  local total = 0
  for i, layer in ipairs(convolutions) do
    total = total + layers.flops(layer, BATCH) * (3 + 2 + (i == 1 and 1 or 3))
    local up = i == #convolutions and { 4, 1, 0, 4, 512, NZ } or layer
    total = total + layers.flops(up, BATCH) * (i == #convolutions and 2 or 3)
  end
  return total
end

local function generator()
  local net = nn.Sequential {}
  local function up(inputs, outputs, stride, padding)
    net:add(nn.ConvTranspose2d(inputs, outputs, 4,
      { stride = stride, padding = padding, bias = false }))
  end
  up(NZ, 512, 1, 0)
  for _, channels in ipairs { 512, 256, 128 } do
    net:add(nn.BatchNorm2d(channels)):add(nn.ReLU())
    up(channels, channels / 2, 2, 1)
  end
  net:add(nn.BatchNorm2d(64)):add(nn.ReLU())
  up(64, 3, 2, 1)
  return net:add(nn.Tanh())
end

local function discriminator()
  local net = nn.Sequential {}
  for i, layer in ipairs(convolutions) do
    local kernel, stride, padding, _, inputs, outputs = unpack(layer)
    local options = { stride = stride, padding = padding, bias = false }
    net:add(nn.Conv2d(inputs, outputs, kernel, options))
    if i > 1 and i < #convolutions then net:add(nn.BatchNorm2d(outputs)) end
    if i < #convolutions then net:add(nn.LeakyReLU(0.2)) end
  end
  return net
end

---@return daub.bench.Entry
function M.entry()
  local G, D, for_g, for_d, real, yes, no
  local function prepare()
    local o = { lr = 2e-4, betas = { 0.5, 0.999 } }
    G, D = generator(), discriminator()
    for_g, for_d = optim.Adam(G:parameters(), o), optim.Adam(D:parameters(), o)
    real = tensor.randn { BATCH, 64, 64, 3 }
    yes, no = tensor.ones { BATCH, 1, 1, 1 }, tensor.zeros { BATCH, 1, 1, 1 }
  end
  local function step()
    for_d:zero_grad()
    F.bce_with_logits(D(real), yes):backward()
    local fake = G(tensor.randn { BATCH, 1, 1, NZ })
    F.bce_with_logits(D(fake:detach()), no):backward()
    for_d:step()
    local weights = G:parameters()
    local gradients = autograd.grad(F.bce_with_logits(D(fake), yes), weights)
    for i, w in ipairs(weights) do w.grad = gradients[i] end
    for_g:step()
  end
  return {
    name = "dcgan64.step", flops = step_flops(), prepare = prepare, run = step,
    finish = function() G, D, for_g, for_d, real, yes, no = nil, nil, nil, nil, nil, nil, nil end,
  }
end

return M
