-- Small pictures as a network that enlarges will meet them: some blurred, some from a JPEG, some
-- noisy: what a GAN paints is as sharp as what it learnt from, and has a third more of the finest
-- detail (paintings of `tiny` after 2,500 steps, by the finest level of the Laplacian pyramid).
--
--     local low = degrade.shrink(high, 4)                   -- f32 {N, H / 4, W / 4, 3}
--     low = degrade.spoil(low, random.at(seed, place))      -- a share of them made worse
local F = require "daub.ops"
local core = require "daub.core.array"
local image = require "daub.image"
local tensor = require "daub.tensor"

local M = {}

local PAINTED = { share = 0.25, most = 0.08 }        -- noise: standard deviation, of a range of 2
local BLURRED = { share = 0.2, most = 0.7 }          -- of the others; standard deviation, pixels
local JPEG = { share = 0.25, worst = 40, best = 95 } -- of the others
local LEAST = 0.15                                   -- a blur below changes nothing

-- The matrix {n, n} that blurs n pixels by a Gaussian, into the FFI pointer p.
local function blur_matrix(p, n, sigma)
  for i = 0, n - 1 do
    local sum = 0
    for j = math.max(0, i - 4), math.min(n - 1, i + 4) do
      local weight = math.exp(-(i - j) ^ 2 / (2 * sigma * sigma))
      p[i * n + j] = weight
      sum = sum + weight
    end
    for j = math.max(0, i - 4), math.min(n - 1, i + 4) do p[i * n + j] = p[i * n + j] / sum end
  end
end

local function blurring(n, sigma)
  local matrix = tensor.zeros { n, n }
  blur_matrix(matrix:view(), n, sigma)
  return matrix
end

-- x {H, W, 3}
local function blur(x, sigma)
  local h, w, c = unpack(x.shape)
  local rows = blurring(h, sigma):matmul(x:reshape { h, w * c }):reshape { h, w, c }
  local turned = rows:transpose(1, 2):contiguous():reshape { w, h * c }
  return blurring(w, sigma):matmul(turned):reshape { w, h, c }:transpose(1, 2):contiguous()
end

-- Through a JPEG file; nil when Ctrl-C came meanwhile.
local function through_jpeg(x, quality)
  local pixels, message, code = image.decode(image.encode(x, "jpeg", { quality = quality }))
  if pixels then return image.to_float(pixels) end
  if code ~= "interrupted" then error("degrade: " .. message, 0) end
end

local function spoilt(x, dice, generator)
  if dice[1] < PAINTED.share then
    local noise = tensor.wrap(core.normal(generator, x.shape, "f32"))
    return x + noise * (dice[2] * PAINTED.most)
  end
  local sigma = dice[3] * BLURRED.most
  if dice[2] < BLURRED.share and sigma > LEAST then x = blur(x, sigma) end
  if dice[4] < JPEG.share then
    x = through_jpeg(x, math.floor(JPEG.worst + dice[5] * (JPEG.best - JPEG.worst) + 0.5))
  end
  return x
end

---Means of factor x factor pixels.
---@param x daub.Tensor f32 {N, H, W, 3}; factor divides H and W
---@param factor integer
---@return daub.Tensor
function M.shrink(x, factor) return F.avg_pool2d(x, factor) end

---Makes a share of the pictures worse; which, and how, depends on the generator alone.
---@param low daub.Tensor f32 {N, H, W, 3}, -1 … 1
---@param generator userdata
---@return daub.Tensor|nil # nil when Ctrl-C came meanwhile
function M.spoil(low, generator)
  local list = {}
  local dice = tensor.wrap(core.uniform(generator, { low.shape[1], 5 }, "f64")):totable()
  for i = 1, low.shape[1] do
    list[i] = spoilt(low:select(1, i):contiguous(), dice[i], generator)
    if not list[i] then return nil end
  end
  return tensor.stack(list)
end

return M
