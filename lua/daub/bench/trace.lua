-- Which convolutions and matrix products a piece of work does, and how many operations a direct
-- convolution has for them.
local A = require "daub.core.array"
local watch = require "daub.bench.watch"

local M = {}

---@class daub.bench.Convolution
---@field batch integer
---@field height integer of the larger picture
---@field width integer
---@field channels integer of the larger picture
---@field rows integer of the smaller picture
---@field columns integer
---@field filters integer channels of the smaller picture
---@field kernel integer[] rows, columns
---@field stride integer[]
---@field padding integer[]
---@field groups integer

local function pair(value, default)
  if type(value) == "table" then return value end
  return { value or default, value or default }
end

-- large: {N, H, W, C}, small: {N, OH, OW, O}
local function convolution(large, small, kh, kw, o)
  o = o or {}
  large, small = A.shape(large), A.shape(small)
  return {
    batch = large[1], height = large[2], width = large[3], channels = large[4],
    rows = small[2], columns = small[3], filters = small[4], kernel = { kh, kw },
    stride = pair(o.stride, 1), padding = pair(o.padding, 0), groups = o.groups or 1,
  }
end

-- By function of the core: the convolution of a call, from its result and its arguments.
local convolutions = {
  conv2d = function(y, x, w, _, o)
    local ws = A.shape(w)
    return convolution(x, y, ws[1], ws[2], o)
  end,
  conv2d_input_grad = function(dx, dy, w, _, _, o)
    local ws = A.shape(w)
    return convolution(dx, dy, ws[1], ws[2], o)
  end,
  conv2d_weight_grad = function(_, x, dy, kh, kw, o) return convolution(x, dy, kh, kw, o) end,
}

---Floating-point operations of a convolution, one way: two for each product.
---@param c daub.bench.Convolution
---@return number
function M.flops(c)
  return 2 * c.batch * c.rows * c.columns * c.kernel[1] * c.kernel[2] * c.channels / c.groups
    * c.filters
end

local function matmul_flops(y, a, _, transposed)
  local shape = A.shape(a)
  return 2 * A.numel(y) * shape[transposed and math.max(#shape - 1, 1) or #shape]
end

---Runs f and sees what it multiplies.
---@param f fun()
---@return number flops of convolutions and matrix products
---@return daub.bench.Convolution[] list in the order of the calls
function M.run(f)
  local flops, list = 0, {}
  local function seen(name, arguments, y, ...)
    local read = convolutions[name]
    if read then
      local c = read(y, unpack(arguments, 1, 6))
      list[#list + 1], flops = c, flops + M.flops(c)
    elseif name == "matmul" then
      flops = flops + matmul_flops(y, unpack(arguments, 1, 4))
    end
    return y, ...
  end
  watch.run(function(name, g, ...)
    if not convolutions[name] and name ~= "matmul" then return g(...) end
    return seen(name, { ... }, g(...))
  end, f)
  return flops, list
end

return M
