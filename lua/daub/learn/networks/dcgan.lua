-- The DCGAN of Radford, Metz and Chintala (2015), at any size whose sides are multiples of 16.
--
-- The generator starts from a grid of H/16 x W/16 and doubles it four times; the critic is its
-- mirror image. Widths at the four sizes are 8, 4, 2 and 1 times ngf (ndf for the critic).
local nn = require "daub.nn"

local M = {}


---Whether it paints pictures of this size.
---@return boolean fits, string? message
function M.fits(width, height)
  return width % 16 == 0 and height % 16 == 0, "dcgan paints sizes whose sides are multiples of 16"
end

---What --set can change.
M.defaults = { latent = 100, ngf = 64, ndf = 64 }

-- N(0, 0.02) for weights, N(1, 0.02) for scales of the normalisation.
local function initialise(layer)
  if layer.weight then nn.init.normal_(layer.weight, layer.running_mean and 1 or 0, 0.02) end
end

---{N, latent} -> {N, height, width, 3}, -1 … 1
---@param o {width: integer, height: integer, latent: integer, ngf: integer}
function M.generator(o)
  local h, w, n = o.height / 16, o.width / 16, o.ngf
  local function up(from, to)
    return nn.ConvTranspose2d(from, to, 4, { stride = 2, padding = 1, bias = false })
  end
  return nn.Sequential {
    nn.Linear(o.latent, h * w * 8 * n, { bias = false }), nn.Reshape { h, w, 8 * n },
    nn.BatchNorm2d(8 * n), nn.ReLU(),
    up(8 * n, 4 * n), nn.BatchNorm2d(4 * n), nn.ReLU(),
    up(4 * n, 2 * n), nn.BatchNorm2d(2 * n), nn.ReLU(),
    up(2 * n, n), nn.BatchNorm2d(n), nn.ReLU(),
    up(n, 3), nn.Tanh(),
  }:apply(initialise)
end

---{N, height, width, 3} -> {N, 1}: the logit of being real
---@param o {width: integer, height: integer, ndf: integer}
function M.critic(o)
  local h, w, n = o.height / 16, o.width / 16, o.ndf
  local function down(from, to)
    return nn.Conv2d(from, to, 4, { stride = 2, padding = 1, bias = false })
  end
  return nn.Sequential {
    down(3, n), nn.LeakyReLU(0.2),
    down(n, 2 * n), nn.BatchNorm2d(2 * n), nn.LeakyReLU(0.2),
    down(2 * n, 4 * n), nn.BatchNorm2d(4 * n), nn.LeakyReLU(0.2),
    down(4 * n, 8 * n), nn.BatchNorm2d(8 * n), nn.LeakyReLU(0.2),
    nn.Flatten(), nn.Linear(h * w * 8 * n, 1, { bias = false }),
  }:apply(initialise)
end

return M
