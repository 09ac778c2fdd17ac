-- Work bound by memory: how much of the copying rate it reaches. Bytes are those that must be read
-- and written once: a result that fits no cache can do no better.
local A = require "daub.core.array"
local C = require "daub.core.conv"
local F = require "daub.ops"
local image = require "daub.image"
local nn = require "daub.nn"
local optim = require "daub.optim"
local tensor = require "daub.tensor"
local plan = require "daub.learn.plan"

local M = {}

-- The largest activations of a DCGAN at 64x64, twice: 64 MiB.
local N, H, W, CHANNELS = 128, 32, 32, 128
local COUNT = N * H * W * CHANNELS

-- One kernel: `bytes` for each of `count` numbers; make() gives the piece of work.
---@return daub.bench.Entry
local function entry(name, bytes, make, count)
  local work
  local e = { name = "kernel." .. name, bytes = bytes * (count or COUNT), between = collectgarbage }
  function e.prepare() work = make() end
  function e.run() work() end
  function e.finish() work = nil end
  return e
end

local function pictures()
  return tensor.randn({ 1, H, W, CHANNELS }):expand({ N, H, W, CHANNELS }):clone()
end
local function channels() return tensor.randn { CHANNELS } end

-- f(x), and f(x, y) for two pictures alike
local function of_one(f)
  return function()
    local x = pictures()
    return function() return f(x) end
  end
end
local function of_two(f)
  return function()
    local x, y = pictures(), pictures()
    return function() return f(x, y) end
  end
end

local function elementwise(kernel)
  kernel("add", 12, of_two(function(x, y) return x + y end))
  kernel("add_", 12, of_two(function(x, y) return x:add_(y) end))
  kernel("mul-number", 8, of_one(function(x) return x * 0.5 end))
  kernel("mul-add", 16, function()
    local x, y, z = pictures().array, pictures().array, pictures().array
    return function() return A.ternary("addcmul", x, y, z) end
  end)
  kernel("bias", 8, function()
    local x, b = pictures(), channels()
    return function() return x + b end
  end)
  kernel("mask", 8, function()
    local x, m = pictures(), tensor.ones { N, H, W, 1 }
    return function() return x * m end
  end)
  for _, name in ipairs { "relu", "leaky_relu", "tanh", "sigmoid", "softplus" } do
    kernel(name, 8, of_one(function(x) return F[name](x) end))
  end
  kernel("leaky_relu-bwd", 12, of_two(function(x, g)
    return A.ternary("leaky_relu_grad", x.array, g.array, 0.2)
  end))
  kernel("tanh-bwd", 12, of_two(function(y, g) return A.binary("tanh_grad", y.array, g.array) end))
end

local function reductions(kernel)
  kernel("sum", 4, of_one(function(x) return x:sum() end))
  kernel("sum-channels", 4, of_one(function(x) return x:sum { 1, 2, 3 } end))
  kernel("mean-pictures", 4, of_one(function(x) return x:mean({ 2, 3, 4 }, true) end))
  kernel("mean-colours", 4, of_one(function(x) return x:mean(4, true) end))
  kernel("max", 4, of_one(function(x) return x:max() end))
end

-- Forward reads x twice, for the statistics and for the result; backward x and g twice.
local function norm(kernel)
  local slope = 0.2
  local function forward(...)
    local net = nn.Sequential { nn.BatchNorm2d(CHANNELS), ... }
    return function()
      local x = pictures()
      return function() return net(x) end
    end
  end
  local function backward(last)
    return function()
      local x, g, weight, bias = pictures().array, pictures().array, channels().array,
        channels().array
      local mean, invstd = A.batch_statistics(x, 1e-5)
      return function() return A.batch_norm_backward(x, g, mean, invstd, weight, bias, last) end
    end
  end
  kernel("batch_norm", 12, forward())
  kernel("batch_norm-bwd", 20, backward())
  kernel("batch_norm-leaky_relu", 12, forward(nn.LeakyReLU(slope)))
  kernel("batch_norm-leaky_relu-bwd", 20, backward(slope))
end

local function moves(kernel)
  local function small() return tensor.randn({ N, H / 2, W / 2, CHANNELS }).array end
  kernel("upsample-nearest", 5, function()
    local x = small()
    return function() return C.upsample_nearest(x, H, W) end
  end)
  kernel("upsample-nearest-bwd", 5, of_one(function(g)
    return C.upsample_nearest_grad(g.array, H / 2, W / 2)
  end))
  kernel("upsample-bilinear", 5, function()
    local x = small()
    return function() return C.upsample_bilinear(x, H, W) end
  end)
  kernel("upsample-bilinear-bwd", 5, of_one(function(g)
    return C.upsample_bilinear_grad(g.array, H / 2, W / 2)
  end))
  kernel("avg_pool", 5, of_one(function(x) return F.avg_pool2d(x, 2) end))
  kernel("pixel_unshuffle", 8, of_one(function(x)
    return F.pixel_unshuffle(x, 2):contiguous()
  end))
  kernel("concat", 16, of_two(function(x, y) return tensor.cat({ x, y }, 4) end))
  kernel("rows", 8, function()
    local x, order = pictures():reshape { N * H * W, CHANNELS }, tensor.randperm(N * H * W)
    return function() return x:index_select(1, order) end
  end)
  kernel("to-bf16", 6, of_one(function(x) return x:to("bf16") end))
end

-- What every step does to all weights, on those of the DCGAN's generator.
local function optimisers(kernel)
  local function generator()
    local options = plan.options { recipe = "dcgan", size = { width = 64, height = 64 }, set = {} }
    return plan.network("dcgan").generator(plan.shape(options))
  end
  local count
  local function weights()
    local net = generator()
    count = 0
    for _, p in ipairs(net:parameters()) do
      p.grad = tensor.randn(p.shape)
      count = count + p:numel()
    end
    return net
  end
  -- p, its gradient and two moments are read, all but the gradient written
  local adam, ema
  adam = kernel("adam", 28, function()
    local optimiser = optim.Adam(weights():parameters(), { lr = 1e-6 })
    adam.bytes = 28 * count
    return function() optimiser:step() end
  end)
  ema = kernel("ema", 12, function()
    local average = optim.ema(weights())
    ema.bytes = 12 * count
    return function() average:update() end
  end)
end

local function packing(kernel)
  local shape, count = { N, 4 * H, 4 * W, 3 }, N * 16 * H * W * 3
  kernel("to_float", 5, function()
    local x = tensor.randint(0, 256, shape, { dtype = "u8" })
    return function() return image.to_float(x) end
  end, count)
  kernel("from_float", 5, function()
    local x = tensor.rand(shape)
    return function() return image.from_float(x) end
  end, count)
  kernel("randn", 4, function()
    return function() return tensor.randn { N, H, W, CHANNELS } end
  end)
  kernel("rand", 4, function()
    return function() return tensor.rand { N, H, W, CHANNELS } end
  end)
end

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  local function kernel(...)
    list[#list + 1] = entry(...)
    return list[#list]
  end
  for _, add in ipairs { elementwise, reductions, norm, moves, optimisers, packing } do
    add(kernel)
  end
  return list
end

return M
