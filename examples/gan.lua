-- A GAN on one page:  daub examples/gan.lua [STEPS]
-- G learns to turn noise into tiny pictures of a bright disc on a dark ground, from examples only.
local daub = require "daub"
local nn = require "daub.nn"
local optim = require "daub.optim"
local F = require "daub.ops"
local tensor = require "daub.tensor"

local steps, batch, size, nz = tonumber(arg[1]) or 400, 32, 16, 16
daub.seed(1)

-- The real pictures {batch, size, size, 1} in [-1, 1]: a soft disc somewhere, of some radius.
local axis = tensor.linspace(-1, 1, size)
local function discs()
  local function draw(low, high)
    return tensor.rand { batch, 1, 1 } * (high - low) + low
  end
  local away = (axis:reshape { size, 1 } - draw(-0.3, 0.3)):square()
    + (axis - draw(-0.3, 0.3)):square()
  return ((draw(0.3, 0.6) - away:sqrt()) * 8):tanh():unsqueeze(-1)
end

local half = { stride = 2, padding = 1, bias = false }
local G = nn.Sequential {
  nn.Linear(nz, 4 * 4 * 32), nn.Reshape(4, 4, 32), nn.BatchNorm2d(32), nn.ReLU(),
  nn.ConvTranspose2d(32, 16, 4, half), nn.BatchNorm2d(16), nn.ReLU(),
  nn.ConvTranspose2d(16, 1, 4, { stride = 2, padding = 1 }), nn.Tanh(),
}
local D = nn.Sequential {
  nn.Conv2d(1, 16, 4, { stride = 2, padding = 1 }), nn.LeakyReLU(0.2),
  nn.Conv2d(16, 32, 4, half), nn.BatchNorm2d(32), nn.LeakyReLU(0.2),
  nn.Flatten(), nn.Linear(4 * 4 * 32, 1),
}

local settings = { lr = 1e-3, betas = { 0.5, 0.999 } }
local opt_g, opt_d = optim.Adam(G:parameters(), settings), optim.Adam(D:parameters(), settings)

for step = 1, steps do
  local fake = G(tensor.randn { batch, nz })

  -- D: say 1 to what is real, 0 to what G made
  opt_d:zero_grad()
  local loss_d = F.bce_with_logits(D(discs()), 0.9) + F.bce_with_logits(D(fake:detach()), 0)
  loss_d:backward()
  opt_d:step()

  -- G: make D say 1; D's own gradients are not wanted now
  D:requires_grad_(false)
  opt_g:zero_grad()
  local loss_g = F.bce_with_logits(D(fake), 1)
  loss_g:backward()
  opt_g:step()
  D:requires_grad_(true)

  if step % 50 == 0 then
    print(("step %4d  D %.3f  G %.3f"):format(step, loss_d:item(), loss_g:item()))
  end
end

-- Four paintings, side by side, in characters.
local shades = { " ", ".", ":", "+", "#" }
local paintings = daub.no_grad(function() return G:eval()(tensor.randn { 4, nz }) end)
for row = 1, size, 2 do
  local line = {}
  for k = 1, 4 do
    for _, v in ipairs(paintings[k][row]:flatten():totable()) do
      line[#line + 1] = shades[math.min(5, math.floor((v + 1) * 2.5) + 1)]
    end
    line[#line + 1] = "  "
  end
  print(table.concat(line))
end
