-- The painter as it is kept: the exponential moving average of a generator's weights over the
-- steps.
--
--     local average = Average.new(G, network.generator(o))    -- the second lends its shape
--     average:update(step, batch)                             -- after every step of G
--     average:settle(noise, 16)                               -- before painting or saving
--     average:paint(z)                                        -- {N, height, width, 3}
--
-- Half of its weight is at most 10,000 pictures old, and at most a fifth of all pictures shown.
local autograd = require "daub.autograd"
local optim = require "daub.optim"

---@class daub.learn.Average
---@field network daub.Module paints with the averaged weights, once settled
local Average = {}
Average.__index = Average

local MEMORY, SHARE = 10000, 0.2

---@param source daub.Module the generator that learns
---@param network daub.Module another of its kind
---@return daub.learn.Average
function Average.new(source, network)
  return setmetatable({ ema = optim.ema(source), network = network }, Average)
end

---@param step integer from 1
---@param batch integer pictures a step
function Average:update(step, batch)
  self.ema.decay = 0.5 ^ (batch / math.min(MEMORY, SHARE * step * batch))
  self.ema:update()
end

---Puts the averaged weights into `network` and takes the statistics of its normalisation anew,
---over the batches `noise(1)`, `noise(2)` …
---@param noise fun(i: integer): daub.Tensor
---@param batches integer
function Average:settle(noise, batches)
  local network, norms = self.network, {}
  network:load_state(self.ema:state()):train()
  network:apply(function(layer)
    if layer.running_mean then
      norms[#norms + 1] = { layer = layer, momentum = layer.momentum }
      layer.num_batches_tracked:zero_()
    end
  end)
  for i = 1, batches do
    for _, norm in ipairs(norms) do norm.layer.momentum = 1 / i end
    self:paint(noise(i))
  end
  for _, norm in ipairs(norms) do norm.layer.momentum = norm.momentum end
  network:eval()
end

---@param z daub.Tensor {N, latent}
---@return daub.Tensor {N, height, width, 3}, -1 … 1
function Average:paint(z)
  return autograd.no_grad(function() return self.network(z) end)
end

---What is saved: the settled network.
function Average:state() return self.network:state() end

function Average:load_state(state)
  self.ema:load_state(state)
  self.network:load_state(state)
end

return Average
