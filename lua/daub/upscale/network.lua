-- The network that enlarges, after SRVGGNetCompact of Real-ESRGAN (Wang et al. 2021): 3x3
-- convolutions with PReLU at the small size, the last to 3 * factor^2 channels that are shuffled to
-- pixels.
--
--     conv 3 -> f, PReLU;   layers times: conv f -> f, PReLU;   conv f -> 3 s^2;   shuffle s
--
-- What it gives is added to Lanczos' enlargement (there it is the nearest neighbour's), and its
-- last convolution begins at 0: an untaught network leaves Lanczos as it is.
local F = require "daub.ops"
local nn = require "daub.nn"

local M = {}

M.factors = { 4, 2 }                       -- one network each
M.defaults = { features = 32, layers = 8 } -- of 8 layers: 90,000 weights

local Enlarger = nn.class "Enlarger"

local SLOPE = 0.25 -- PReLU's at the start

-- Normal weights that keep the strength of what passes (He et al. 2015): with PyTorch's, which are
-- smaller, nothing is left of a picture after ten layers, and a network may never begin to learn.
local function conv(from, to)
  local layer = nn.Conv2d(from, to, 3, { padding = 1 })
  nn.init.kaiming_normal_(layer.weight, { a = SLOPE })
  nn.init.zeros_(layer.bias)
  return layer
end

function Enlarger:init(factor, o)
  self.factor, self.layers = factor, o.layers
  self.body = nn.Sequential { conv(3, o.features), nn.PReLU(o.features, { init = SLOPE }) }
  for _ = 1, o.layers do
    self.body:add(conv(o.features, o.features)):add(nn.PReLU(o.features, { init = SLOPE }))
  end
  self.last = conv(o.features, 3 * factor * factor)
  nn.init.zeros_(self.last.weight)
end

---What to add to Lanczos' enlargement.
---@param x daub.Tensor {N, H, W, 3}, -1 … 1
---@return daub.Tensor {N, H * factor, W * factor, 3}
function Enlarger:forward(x) return F.pixel_shuffle(self.last(self.body(x)), self.factor) end

---How many pixels of x around a place its result depends on, to each side.
---@return integer
function Enlarger:reach() return self.layers + 2 end

---@param factor 2|4
---@param o {features: integer, layers: integer}
---@return daub.Module
function M.new(factor, o) return Enlarger(factor, o) end

return M
