-- The networks for covers: `tiny`, `lite` and `base`, one design in three widths, after FastGAN
-- (Liu et al. 2021) with batch normalisation and DCGAN's dynamics.
--
-- Generator: a linear layer makes a grid of 4 rows, each octave doubles it (nearest neighbour and a
-- 3x3 convolution as one: no checkerboard), adds noise, normalises. Gates carry what the first two
-- grids say over three octaves. Critic: the mirror image, on pixels packed 2x2, with a plain
-- shortcut past every halving and one channel that tells how much the pictures of a group differ.
--
--     rows        4    8   16   32   64  128
--     generator   .    +    +   (+)            + a second 3x3 convolution; (+) in pictures of 128
--     critic                +    +             rows or more
--     gates       a    b         a    b        from the grid to the map of the same letter
--
-- Level l has 4 * 2^(l - 1) rows, or as many as the size asks for: any that halves two to five
-- times.
local autograd = require "daub.autograd"
local conditions = require "daub.learn.conditions"
local core = require "daub.core.array"
local F = require "daub.ops"
local nn = require "daub.nn"
local random = require "daub.tensor.random"
local tensor = require "daub.tensor"

local M = {}

-- Channels at 4, 8, 16, 32, 64 and 128 rows.
local WIDTHS = {
  tiny = { 160, 128, 64, 32, 16, 8 },
  lite = { 192, 160, 96, 48, 24, 12 },
  base = { 256, 192, 128, 64, 32, 16 },
}
local SECOND = { [2] = true, [3] = true } -- levels of the generator with two convolutions
local SECOND_TALL = 4                     -- and this one where there are five octaves
local EXTRA = { [3] = true, [4] = true }  -- levels of the critic with one more
local GATE = 3                            -- octaves that a gate spans
local GATES = { [4] = true, [5] = true }  -- levels with one
local GROUP = 4                           -- pictures whose differences are measured together

-- How often the sides can be halved with 4 or more left, and what is left.
local function octaves(width, height)
  local n = 0
  while n < 5 and width % 2 == 0 and height % 2 == 0 and math.min(width, height) / 2 >= 4 do
    width, height, n = width / 2, height / 2, n + 1
  end
  return n, width, height
end

-- What both networks are made from: octaves, the grid they begin with, channels of each level.
local function plan(widths, o)
  local n, w, h = octaves(o.width, o.height)
  local channels = {}
  for level, c in ipairs(widths) do
    channels[level] = math.max(4, 4 * math.floor(c * o.widths / 400 + 0.5))
  end
  return n, w, h, channels
end

-- N(0, sqrt(power / fan_in)) for weights, 0 for biases; the power is 2, or a layer's own.
local function initialise(layer)
  local weight, bias = rawget(layer, "weight"), rawget(layer, "bias")
  if weight and #weight.shape > 1 then
    nn.init.normal_(weight, 0, math.sqrt((layer.power or 2) / (layer.fan_in and layer:fan_in()
      or (nn.init.fans(weight)))))
  end
  if bias then nn.init.zeros_(bias) end
end

-- ---- layers

-- A 3x3 kernel and a 2x2 box, one after the other, as one 4x4 kernel: {3, 3, a, b} -> {4, 4, a, b}.
local function boxed(weight)
  local _, _, a, b = unpack(weight.shape)
  return F.avg_pool2d(weight:reshape { 1, 3, 3, a * b }, 2, { stride = 1, padding = 1 })
    :reshape { 4, 4, a, b }
end

-- Doubling by nearest neighbour and a 3x3 convolution as one: a transposed 4x4 convolution. The
-- same result for 4/9 of the work. Weight {3, 3, to, from}, turned by 180 degrees against a
-- Conv2d's.
local DoublingConv = nn.class "DoublingConv"
function DoublingConv:init(from, to)
  self.weight = nn.Parameter(tensor.empty { 3, 3, to, from })
end
function DoublingConv:fan_in() return 9 * self.weight.shape[4] end
function DoublingConv:forward(x)
  return F.conv_transpose2d(x, boxed(self.weight) * 4, { stride = 2, padding = 1 })
end
M.DoublingConv = DoublingConv

-- A 3x3 convolution and the mean of every 2x2 of its results as one: a 4x4 convolution. The same
-- result for 4/9 of the work, and no pixel of a map counts less than its neighbours, as with a 4x4
-- kernel of one's own: its gradient does not teach the painter a grid. Weight {3, 3, from, to}.
local HalvingConv = nn.class "HalvingConv"
HalvingConv.affine = true
function HalvingConv:init(from, to, bias)
  self.weight = nn.Parameter(tensor.empty { 3, 3, from, to })
  if bias then self.bias = nn.Parameter(tensor.zeros { to }) end
end
function HalvingConv:fan_in() return 9 * self.weight.shape[3] end
function HalvingConv:forward(x)
  return F.conv2d(x, boxed(self.weight), { stride = 2, padding = 1, bias = self.bias })
end
M.HalvingConv = HalvingConv

-- Adds a channel: how much the pictures of a group differ, one number a group (Karras et al.
-- 2017). A batch that groups of four do not divide is cut into smaller ones.
local GroupSpread = nn.class "GroupSpread"
function GroupSpread.forward(_, x)
  local n, h, w, c = unpack(x.shape)
  local size = math.min(GROUP, n)
  while n % size ~= 0 do size = size - 1 end
  local groups = x:reshape { n / size, size, h * w * c }
  local away = groups - groups:mean(2, true)
  local spread = (away:square():mean(2) + 1e-8):sqrt():mean(2) -- {n / size}
  spread = spread:reshape { n / size, 1, 1, 1, 1 }:expand { n / size, size, h, w, 1 }
  return tensor.cat({ x, spread:reshape { n, h, w, 1 } }, 4)
end
M.GroupSpread = GroupSpread

local function conv(from, to, kernel, bias)
  return nn.Conv2d(from, to, kernel, { padding = (kernel - 1) / 2, bias = bias or false })
end

local function normalised(layer, channels)
  return layer, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)
end

-- What a small map says about the channels of a large one: {N, 1, 1, to}, 0 … 1. The 4x4
-- convolution of a 4x4 map is a linear layer.
local function gate(from, to)
  return nn.Sequential {
    nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * from, to, { bias = false }), nn.SiLU(),
    nn.Linear(to, to, { bias = false }), nn.Sigmoid(), nn.Reshape { 1, 1, to },
  }
end

-- ---- the generator

-- Noise depends on the latent alone, so a latent has one picture, whatever is painted beside it:
-- the bytes of its first two numbers choose the random numbers.
-- {N, latent}, count -> {N, count}
local function noise(z, count)
  local rows = {}
  for i, seed in ipairs(random.seeds(z)) do
    rows[i] = core.normal(random.at(seed, 0), { 1, count }, z.dtype)
  end
  return tensor.wrap(core.concat(rows, 1))
end

-- One octave: twice the size, noise of a learnt strength for each channel, perhaps a second
-- convolution, perhaps a gate.
local Octave = nn.class "Octave"
function Octave:init(from, to, second, gate_from)
  self.up = DoublingConv(from, to)
  self.noise = nn.Parameter(tensor.zeros { to })
  self.norm = nn.Sequential { nn.BatchNorm2d(to), nn.LeakyReLU(0.2) }
  if second then self.second = nn.Sequential { normalised(conv(to, to, 3), to) } end
  if gate_from then self.gate = gate(gate_from, to) end
end
function Octave:forward(x, drawn, gate_x)
  local n, h, w = x.shape[1], x.shape[2] * 2, x.shape[3] * 2
  drawn = drawn:reshape { n, h, w, 1 }
  x = self.norm(F.add_noise(self.up(x), drawn, self.noise, { inplace = true }))
  if self.second then x = self.second(x) end
  if self.gate then x = F.gate(x, self.gate(gate_x)) end
  return x
end

local Generator = nn.class "CoverGenerator"
function Generator:init(widths, o)
  local n, w, h, channels = plan(widths, o)
  self.octaves, self.cells = n, w * h
  self.grid = nn.Sequential { nn.Linear(o.latent + conditions.width(o.condition),
    h * w * channels[1]),
    nn.Reshape { h, w, channels[1] }, nn.BatchNorm2d(channels[1]), nn.LeakyReLU(0.2) }
  for level = 2, n + 1 do
    self["level" .. level] = Octave(channels[level - 1], channels[level],
      SECOND[level] or n == 5 and level == SECOND_TALL,
      GATES[level] and channels[level - GATE])
  end
  self.rgb = nn.Conv2d(channels[n + 1], 3, 3, { padding = 1 })
  self:apply(initialise)
  autograd.no_grad(function() self.rgb.weight:mul_(0.5) end)
end
---What `forward` adds to the maps, as many normal numbers for each picture.
---@param z daub.Tensor {N, latent}
---@param count integer
---@return daub.Tensor {N, count}
function Generator.noise(_, z, count) return noise(z, count) end
function Generator:forward(z)
  -- cells of all levels but the first: 4 + 16 + … times the grid's
  local drawn = self:noise(z, self.cells * (4 ^ (self.octaves + 1) - 4) / 3)
  local maps, at, cells = { self.grid(z) }, 1, self.cells
  for level = 2, self.octaves + 1 do
    cells = cells * 4
    maps[level] = self["level" .. level](maps[level - 1], drawn:narrow(2, at, cells),
      maps[level - GATE])
    at = at + cells
  end
  return self.rgb(maps[#maps]):tanh()
end

-- ---- the critic

-- A critic is of one of two flavours. `swift` is normalised: it tells colours and layouts apart
-- soonest. `steady` is not, after R3GAN (Huang et al. 2024): it judges each picture for itself, and
-- so does its gradient penalty.

-- A convolution of a steady critic.
local function biased(from, to, kernel, power)
  local layer = conv(from, to, kernel, true)
  layer.power = power
  return layer
end

-- A convolution and what follows it.
local function block(flavour, from, to)
  if flavour == "steady" then return biased(from, to, 3), nn.LeakyReLU(0.2) end
  return normalised(conv(from, to, 3), to)
end

-- Half the size: a convolution beside a shortcut. Each begins at sqrt(1/2) of its normal strength,
-- so that the sum has it.
local Halving = nn.class "Halving"
function Halving:init(from, to, flavour)
  if flavour == "steady" then
    local halving = HalvingConv(from, to, true)
    halving.power = 1
    self.conv = nn.Sequential { halving, nn.LeakyReLU(0.2) }
    self.short = nn.Sequential { nn.AvgPool2d(2), biased(from, to, 1, 0.5) }
    return
  end
  local norm, short_norm = nn.BatchNorm2d(to), nn.BatchNorm2d(to)
  self.conv = nn.Sequential { HalvingConv(from, to), norm, nn.LeakyReLU(0.2) }
  self.short = nn.Sequential { nn.AvgPool2d(2), conv(from, to, 1), short_norm }
  nn.init.constant_(norm.weight, math.sqrt(0.5))
  nn.init.constant_(short_norm.weight, math.sqrt(0.5))
end
---What is added, for the penalty's exact pass.
function Halving:branches() return { self.short, self.conv } end
-- The shortcut comes first: its gradient then comes last, and is added to the other's in place.
function Halving:forward(x) return self.short(x) + self.conv(x) end

-- How well pictures suit the conditions the critic was told (daub.learn.conditions): the inner
-- product of their features, added up over the map, and an embedding of the condition that is 0 at
-- the start (Miyato and Koyama 2018). 0 for a critic that was told nothing.
local Suiting = nn.class "Suiting"
Suiting.affine = true
function Suiting:init(told, channels)
  self.embedding = nn.Parameter(tensor.zeros { told, channels })
end
-- {N, h, w, C} -> {N, 1}; rows {N, told}, or fewer, for each of several kinds of pictures the same
function Suiting:forward(x)
  local n, h, w = unpack(x.shape)
  if not self.rows then return tensor.zeros({ n, 1 }, { dtype = x.dtype }) end
  local wanted = self.rows:tile { n / self.rows.shape[1], 1 }:matmul(self.embedding)
  return (x:sum({ 2, 3 }) * wanted):sum(2, true) * (1 / math.sqrt(h * w))
end

-- The critic's last stage: whether pictures look real, and whether they suit what it was told.
local Judge = nn.class "Judge"
function Judge:init(real, told, channels)
  self.real, self.suiting = real, Suiting(told, channels)
end
function Judge:branches() return { self.real, self.suiting } end
function Judge:forward(x) return self.real(x) + self.suiting(x) end

local function critic(widths, o)
  local n, w, h, channels = plan(widths, o)
  local c, flavour = channels[n], o.flavour
  -- level n, half the sides: a 3x3 convolution of pixels packed 2x2, which is a 6x6 one
  local net = nn.Sequential { nn.Conv2d(3, c, 6, { stride = 2, padding = 2 }), nn.LeakyReLU(0.2) }
  local function add(...)
    for _, layer in ipairs { ... } do net:add(layer) end
  end
  for level = n, 2, -1 do
    c = channels[level]
    if EXTRA[level] then add(block(flavour, c, c)) end
    add(Halving(c, channels[level - 1], flavour))
  end
  c = channels[1]
  if flavour == "steady" then add(block(flavour, c, c))
  else add(GroupSpread(), block(flavour, c + 1, c)) end
  local last, told = nn.Linear(h * w * c, 1), conditions.width(o.condition)
  if flavour == "steady" then last.power = 1 end
  if told > 0 then add(Judge(nn.Sequential { nn.Flatten(), last }, told, c))
  else add(nn.Flatten(), last) end
  return net:apply(initialise)
end

-- ---- the recipes

local function fits(width, height)
  local n, w, h = octaves(width, height)
  return n >= 2 and w * h <= 1024, "tiny, lite and base paint sizes whose sides can be halved two "
    .. "to five times down to a grid of at most 1024 cells, as 96x32 or 192x64"
end

M.recipes = {}
for name, widths in pairs(WIDTHS) do
  M.recipes[name] = {
    ---Whether it paints pictures of this size.
    ---@return boolean fits, string? message
    fits = fits,
    ---What --set can change; `widths` is in percent of the table's.
    defaults = { latent = 128, widths = 100 },
    ---What both can be told of a picture (daub.learn.conditions).
    conditions = conditions.kinds,
    ---Kinds of critic, and what --set says by default for each.
    flavours = { swift = { lr_critic = 1e-4 }, steady = { lr_critic = 2e-4,
      loss = "relativistic", penalty = 1, beta1 = 0, beta2 = 0.99, decay = 1 } },
    ---{N, latent + a condition's width} -> {N, height, width, 3}, -1 … 1
    ---@param o {width: integer, height: integer, latent: integer, widths: integer,
    --- condition: string|nil}
    generator = function(o) return Generator(widths, o) end,
    ---{N, height, width, 3} -> {N, 1}: the logit of being real
    ---@param o {width: integer, height: integer, widths: integer,
    --- flavour: "swift"|"steady"|nil, condition: string|nil}
    critic = function(o) return critic(widths, o) end,
  }
end

return M
