-- How much the pictures of a set differ: 1 less the mean structural similarity of random pairs, on
-- several scales (Wang, Simoncelli, Bovik: Multiscale structural similarity, 2003), as Odena, Olah
-- and Shlens (2017) use it against generators that always paint the same.
--
--     local d = diversity.of(pictures)                       -- 0: all alike
--
-- An 11-pixel window halves the picture up to five times while it still fits, so 96x32 has 2 scales
-- and 192x64 has 3; the weights of the scales there are sum to 1.
local F = require "daub.ops"
local options = require "daub.options"
local tensor = require "daub.tensor"

local M = {}

local WEIGHTS = { 0.0448, 0.2856, 0.3001, 0.2363, 0.1333 }
local WINDOW, SIGMA = 11, 1.5
local C1, C2 = 0.01 ^ 2, 0.03 ^ 2 -- pixels are 0 … 1
local PAIRS, BATCH = 192, 32

-- {n - 10, n}: the Gaussian window at each place where it fits.
local function window(n)
  local weights, sum, rows = {}, 0, {}
  for i = 1, WINDOW do
    weights[i] = math.exp(-((i - (WINDOW + 1) / 2) / SIGMA) ^ 2 / 2)
    sum = sum + weights[i]
  end
  for i = 1, n - WINDOW + 1 do
    rows[i] = {}
    for j = 1, n do rows[i][j] = (weights[j - i + 1] or 0) / sum end
  end
  return tensor.from(rows)
end

-- {N, H, W, C} as planes {N * C, H, W}.
local function planes(x)
  local n, h, w, c = unpack(x.shape)
  return x:permute(1, 4, 2, 3):reshape { n * c, h, w }:contiguous()
end

-- Means over the pictures of contrast and structure, and of those times luminance: {N} each.
local function similarity(x, y)
  local n = x.shape[1]
  local down, across = window(x.shape[2]), window(x.shape[3]):t()
  local function blur(z) return down:matmul(z):matmul(across) end -- means in every window
  x, y = planes(x), planes(y)
  local mx, my = blur(x), blur(y)
  local vx, vy = blur(x * x) - mx * mx, blur(y * y) - my * my
  local structure = ((blur(x * y) - mx * my) * 2 + C2) / (vx + vy + C2)
  local luminance = (mx * my * 2 + C1) / (mx * mx + my * my + C1)
  return structure:reshape { n, -1 }:mean(2), (structure * luminance):reshape { n, -1 }:mean(2)
end

local function scales(height, width)
  local side, count = math.min(height, width), 0
  while side >= WINDOW and count < #WEIGHTS do
    side, count = math.floor(side / 2), count + 1
  end
  return count
end

---Multi-scale structural similarity of pictures, pair by pair.
---@param x daub.Tensor f32 {N, height, width, C}, 0 … 1; sides at least 11
---@param y daub.Tensor of the same shape
---@return daub.Tensor {N}, 1 for equal pictures
function M.ms_ssim(x, y)
  local count, total, result = scales(x.shape[2], x.shape[3]), 0, nil
  if count == 0 then
    options.misuse(("diversity: expected pictures of at least %dx%d pixels, got %s"):format(
      WINDOW, WINDOW, options.shape(x.shape)))
  end
  for i = 1, count do total = total + WEIGHTS[i] end
  for i = 1, count do
    local structure, whole = similarity(x, y)
    local part = (i == count and whole or structure):clamp(0) ^ (WEIGHTS[i] / total)
    result = result and result * part or part
    if i < count then x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2) end
  end
  return result
end

---@param x daub.Tensor f32 {N, height, width, 3}, -1 … 1, in random order: each of the first 192
--- is compared with the next
---@return number 0 (all alike) … 1
function M.of(x)
  local n, sum = math.min(x.shape[1], PAIRS), 0
  local following = x:roll(-1, 1)
  for first = 1, n, BATCH do
    local count = math.min(BATCH, n - first + 1)
    local a, b = x:narrow(1, first, count), following:narrow(1, first, count)
    sum = sum + M.ms_ssim((a + 1) * 0.5, (b + 1) * 0.5):sum():item()
  end
  return 1 - sum / n
end

return M
