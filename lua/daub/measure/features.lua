-- What a fixed random network sees in pictures. Features of untrained convolutions rank generative
-- models well (arXiv 2208.09218), need no others' pictures, and are the same on every machine.
--
--     local f = features.of(pictures)                        -- {N, 512}
--
-- Four 3x3 convolutions of stride 2 with orthogonal weights, each followed by a leaky ReLU; of
-- every one's maps the mean and the standard deviation over the picture, channel by channel. All
-- four tell more than the last: covers blurred by half are 9.8 floors of kid away, not 3.6.
local F = require "daub.ops"
local autograd = require "daub.autograd"
local tensor = require "daub.tensor"

local M = {}

local SEED = 20180226 -- whatever: the same for all
local CHANNELS = { 64, 64, 64, 64 }
local SLOPE = 0.2
local BATCH = 32

-- The rows of {n, m} made orthonormal (n <= m), or its columns, as Gram and Schmidt do it, in f64.
local function orthonormal(x)
  local n, m = unpack(x.shape)
  if n > m then return orthonormal(x:t():contiguous()):t() end
  local q
  for i = 1, n do
    local row = x:narrow(1, i, 1)
    for _ = 1, q and 2 or 0 do row = row - row:matmul(q:t()):matmul(q) end
    row = row / row:norm()
    q = q and tensor.cat({ q, row }, 1) or row
  end
  return q
end

local weights

local function make()
  local generator, inputs, list = tensor.generator(SEED), 3, {}
  for i, outputs in ipairs(CHANNELS) do
    local x = tensor.randn({ outputs, 9 * inputs }, { dtype = "f64", generator = generator })
    list[i] = orthonormal(x):t():reshape { 3, 3, inputs, outputs }:to("f32"):contiguous()
    inputs = outputs
  end
  return list
end

local function seen(x)
  local list = {}
  for _, weight in ipairs(weights) do
    x = F.conv2d(x, weight, { stride = 2, padding = 1, negative_slope = SLOPE })
    local maps = x:reshape { x.shape[1], -1, x.shape[4] }
    list[#list + 1] = maps:mean(2)
    list[#list + 1] = maps:std(2, false, { correction = 0 })
  end
  return tensor.cat(list, 2)
end

---@param x daub.Tensor f32 {N, height, width, 3}, -1 … 1
---@return daub.Tensor f32 {N, 512}
function M.of(x)
  weights = weights or make()
  return autograd.no_grad(function()
    local list, count = {}, x.shape[1]
    for first = 1, count, BATCH do
      list[#list + 1] = seen(x:narrow(1, first, math.min(BATCH, count - first + 1)))
    end
    return tensor.cat(list, 1)
  end)
end

return M
