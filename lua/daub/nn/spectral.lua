-- Spectral normalisation (Miyato et al. 2018): a weight divided by its largest singular value,
-- which a power iteration follows while training. As torch.nn.utils.spectral_norm.
local autograd = require "daub.autograd"
local F = require "daub.ops"
local module = require "daub.nn.module"
local options = require "daub.options"
local tensor = require "daub.tensor"

-- The weight as PyTorch's matrix {out, rest}.
local function matrix(layer, weight)
  local shape = weight.shape
  if #shape == 2 then return weight end
  if layer.type_name == "ConvTranspose2d" then
    return weight:permute { 3, 4, 1, 2 }:reshape { shape[3], -1 }
  end
  return weight:permute { 4, 3, 1, 2 }:reshape { shape[4], -1 }
end

local function normalized(layer, o)
  local weight = layer[o.original]
  local w = matrix(layer, weight)
  local u, v = layer[o.name .. "_u"], layer[o.name .. "_v"]
  if layer.training then
    autograd.no_grad(function()
      for _ = 1, o.n_power_iterations do
        v:copy_(F.normalize(u:matmul(w), { eps = o.eps }))
        u:copy_(F.normalize(w:matmul(v), { eps = o.eps }))
      end
    end)
    u, v = u:clone(), v:clone() -- the next pass changes them, this graph needs these
  end
  return weight / u:dot(w:matmul(v))
end

--- Makes `layer` use its weight divided by its spectral norm; returns the layer. The parameter is
--- kept as weight_orig, the iteration's vectors as buffers weight_u and weight_v.
---@param layer daub.Module Linear, Conv2d, ConvTranspose2d, Embedding
---@param o? {name: string, n_power_iterations: integer, eps: number}
return function(layer, o)
  o = options.check("spectral_norm", o, { name = "weight", n_power_iterations = 1, eps = 1e-12 })
  local weight = module.is_module(layer) and rawget(layer, o.name)
  if not tensor.is_tensor(weight) or #weight.shape < 2 then
    options.misuse("spectral_norm: expected a layer with a weight of two or more dimensions")
  end
  o.original = o.name .. "_orig"
  layer:forget(o.name)
  layer[o.original] = weight
  autograd.no_grad(function()
    local w = matrix(layer, weight)
    layer:buffer(o.name .. "_u", F.normalize(w:select(2, 1):randn_like(), { eps = o.eps }))
    layer:buffer(o.name .. "_v", F.normalize(w:select(1, 1):randn_like(), { eps = o.eps }))
  end)
  local forward = layer.forward
  rawset(layer, "forward", function(self, ...)
    rawset(self, o.name, normalized(self, o))
    return forward(self, ...)
  end)
  return layer
end
