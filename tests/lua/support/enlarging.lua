-- What the specs of enlarging share: small networks that do something, pictures, distances.
local Model = require "daub.upscale.model"
local daub = require "daub"
local network = require "daub.upscale.network"
local tensor = require "daub.tensor"

local M = {}

M.small = { features = 8, layers = 2 }

---A model whose networks do something, at the weights given.
function M.restless(first, later)
  daub.seed(5)
  local model = Model.new(M.small)
  for _, factor in ipairs(network.factors) do
    model.nets[factor].last.weight:requires_grad_(false):normal_(0, 0.1):requires_grad_(true)
    model.weights.first[factor], model.weights.later[factor] = first, later
  end
  return model
end

---f32 {height, width, 3}, -1 … 1, always the same of a size.
function M.picture(height, width)
  return tensor.rand({ height, width, 3 }, { generator = tensor.generator(2) }) * 2 - 1
end

---The largest absolute value.
function M.largest(x) return x:abs():max():item() end

return M
