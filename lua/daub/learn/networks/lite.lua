-- A light network for small machines: nearest-neighbour doubling and 3x3 convolutions where the
-- DCGAN has transposed ones (no checkerboard), normalised on both sides, a critic that also sees
-- how much the pictures of a batch differ. It learns colour and layout from fewer pictures than
-- the DCGAN.
--
-- The generator starts from a grid of 4 rows (or up to 7, where the size asks for it) and doubles
-- it; widths at 4, 8, 16 … rows are those of `WIDTHS` times `channels`.
local F = require "daub.ops"
local nn = require "daub.nn"
local tensor = require "daub.tensor"

local M = {}

---What --set can change.
M.defaults = { latent = 128, channels = 40 }

local WIDTHS = { 4, 3.5, 2, 1, 0.5, 0.25 }

-- How often the sides can be halved with 4 or more left.
local function octaves(width, height)
  local n = 0
  while n < 5 and width % 2 == 0 and height % 2 == 0 and math.min(width, height) / 2 >= 4 do
    width, height, n = width / 2, height / 2, n + 1
  end
  return n, width, height
end

---Whether it paints pictures of this size.
---@return boolean fits, string? message
function M.fits(width, height)
  local n, w, h = octaves(width, height)
  return n >= 2 and w * h <= 1024, "lite paints sizes whose sides can be halved two to five times "
    .. "down to a grid of at most 1024 cells, as 96x32 or 192x64"
end

-- Multiples of 8, which suit the kernels.
local function channels(o, level)
  return math.max(8, 8 * math.floor(WIDTHS[level] * o.channels / 8 + 0.5))
end

-- N(0, 0.02), as the DCGAN: under normalisation small weights learn fast.
local function initialise(layer)
  if layer.weight and #layer.weight.shape > 1 then nn.init.normal_(layer.weight, 0, 0.02) end
end

-- Doubling by nearest neighbour and a 3x3 convolution as one: a transposed 4x4 convolution whose
-- weights are sums of neighbours of the 3x3 ones. The same result for 4/9 of the work.
local DoublingConv = nn.class "DoublingConv"
function DoublingConv:init(from, to)
  self.weight = nn.Parameter(tensor.empty { 3, 3, to, from })
end
function DoublingConv:forward(x)
  local w, none = self.weight, { 0, 0 }
  w = w:pad { { 0, 1 }, none, none, none } + w:pad { { 1, 0 }, none, none, none }
  w = w:pad { none, { 0, 1 }, none, none } + w:pad { none, { 1, 0 }, none, none }
  return F.conv_transpose2d(x, w, { stride = 2, padding = 1 })
end
M.DoublingConv = DoublingConv

-- Adds a channel that holds how much the pictures of a batch differ (Karras et al. 2017).
local BatchSpread = nn.class "BatchSpread"
function BatchSpread.forward(_, x)
  local n, h, w = unpack(x.shape)
  local mean = x:mean(1, true)
  local spread = (((x - mean) ^ 2):mean(1) + 1e-8):sqrt():mean()
  return tensor.cat({ x, spread:reshape { 1, 1, 1, 1 }:expand { n, h, w, 1 } }, 4)
end

local function conv(from, to, kernel, stride)
  return nn.Conv2d(from, to, kernel, { stride = stride or 1, padding = 1, bias = false })
end

---{N, latent} -> {N, height, width, 3}, -1 … 1
---@param o {width: integer, height: integer, latent: integer, channels: integer}
function M.generator(o)
  local n, w, h = octaves(o.width, o.height)
  local layers = {}
  local function add(...)
    for _, layer in ipairs { ... } do layers[#layers + 1] = layer end
  end
  local c = channels(o, 1)
  add(nn.Linear(o.latent, h * w * c), nn.Reshape { h, w, c }, nn.BatchNorm2d(c), nn.LeakyReLU(0.2))
  for level = 2, n + 1 do
    local to = channels(o, level)
    add(DoublingConv(c, to), nn.BatchNorm2d(to), nn.LeakyReLU(0.2))
    if level <= 3 then add(conv(to, to, 3), nn.BatchNorm2d(to), nn.LeakyReLU(0.2)) end
    c = to
  end
  add(nn.Conv2d(c, 3, 3, { padding = 1 }), nn.Tanh())
  return nn.Sequential(layers):apply(initialise)
end

---{N, height, width, 3} -> {N, 1}: the logit of being real
---@param o {width: integer, height: integer, channels: integer}
function M.critic(o)
  local n, w, h = octaves(o.width, o.height)
  local layers = {}
  local function add(...)
    for _, layer in ipairs { ... } do layers[#layers + 1] = layer end
  end
  local c = channels(o, n)
  add(nn.PixelUnshuffle(2), conv(12, c, 3), nn.LeakyReLU(0.2)) -- level n: half the sides
  for level = n - 1, 1, -1 do
    if level <= 2 then add(conv(c, c, 3), nn.BatchNorm2d(c), nn.LeakyReLU(0.2)) end
    local to = channels(o, level)
    add(conv(c, to, 4, 2), nn.BatchNorm2d(to), nn.LeakyReLU(0.2))
    c = to
  end
  add(BatchSpread(), conv(c + 1, c, 3), nn.BatchNorm2d(c), nn.LeakyReLU(0.2))
  add(nn.Flatten(), nn.Linear(h * w * c, 1))
  return nn.Sequential(layers):apply(initialise)
end

return M
