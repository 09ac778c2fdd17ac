-- The convolutions of a DCGAN at 64x64, each forward and both gradients, in isolation.
local A = require "daub.core.array"
local C = require "daub.core.conv"

local M = {}

local BATCH = 64

-- Kernel, stride, padding, side of the larger picture, its channels, channels of the smaller one.
-- The generator has the same layers the other way round: its forward is bwd-data here.
local layers = {
  { 4, 2, 1, 64, 3, 64 },
  { 4, 2, 1, 32, 64, 128 },
  { 4, 2, 1, 16, 128, 256 },
  { 4, 2, 1, 8, 256, 512 },
  { 4, 1, 0, 4, 512, 1 },
  { 4, 1, 0, 4, 512, 100 },
  { 3, 1, 1, 32, 64, 64 },
  { 1, 1, 0, 32, 128, 128 },
}

---Floating-point operations of a convolution, one way: two for each product.
---@param layer number[] kernel, stride, padding, side, channels, filters
---@param batch integer
---@return number
function M.flops(layer, batch)
  local k, s, p, side, channels, filters = unpack(layer)
  local out = math.floor((side + 2 * p - k) / s) + 1
  return 2 * batch * out * out * k * k * channels * filters
end

local function random(shape) return A.normal(A.generator(1), shape, "f32") end

-- The three benchmarks of one layer; arrays are made when the first one runs.
local function add(list, layer)
  local k, s, p, side, channels, filters = unpack(layer)
  local out = math.floor((side + 2 * p - k) / s) + 1
  local o = { stride = s, padding = p }
  local x, w, dy
  local function prepare()
    if x then return end
    x, w = random { BATCH, side, side, channels }, random { k, k, channels, filters }
    dy = random { BATCH, out, out, filters }
  end
  local label = ("%dx%ds%d.%dx%d.%d-%d"):format(k, k, s, side, side, channels, filters)
  local function entry(kind, f, last)
    list[#list + 1] = {
      name = ("conv.%s.%s"):format(kind, label), flops = M.flops(layer, BATCH), prepare = prepare,
      run = f, between = collectgarbage, finish = last and function() x, w, dy = nil, nil, nil end,
    }
  end
  entry("fwd", function() C.conv2d(x, w, nil, o) end)
  entry("bwd-data", function() C.conv2d_input_grad(dy, w, side, side, o) end)
  entry("wgrad", function() C.conv2d_weight_grad(x, dy, k, k, o) end, true)
end

---@class daub.bench.Entry
---@field name string
---@field flops number floating-point operations of one run
---@field prepare fun()?
---@field run fun()
---@field between fun()? called before each run, not timed: frees the last one's results
---@field finish (fun()|false)? lets go of what prepare made

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  for _, layer in ipairs(layers) do add(list, layer) end
  return list
end

return M
