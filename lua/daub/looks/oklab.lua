-- Colours as the eye tells them apart: OKLab (Ottosson 2020, "A perceptual color space for image
-- processing"). L is lightness, 0 … 1; a runs from green to red, b from blue to yellow, both within
-- about -0.4 … 0.4. A distance of 0.02 is just seen; black and white are 1 apart.
--
--     local lab = oklab.from_rgb(pixels)          -- {…, 3}, -1 … 1 -> {…, 3}
--     local rgb = oklab.to_rgb(lab)               -- and back
--
-- Both are made of tensor operations, so gradients flow through them.
local tensor = require "daub.tensor"
local options = require "daub.options"

local M = {}

-- Linear light to cone responses, their cube roots to Lab; a row for each channel that comes out.
local TO_CONES = { { 0.4122214708, 0.5363325363, 0.0514459929 },
  { 0.2119034982, 0.6806995451, 0.1073969566 }, { 0.0883024619, 0.2817188376, 0.6299787005 } }
local TO_LAB = { { 0.2104542553, 0.7936177850, -0.0040720468 },
  { 1.9779984951, -2.4285922050, 0.4505937099 }, { 0.0259040371, 0.7827717662, -0.8086757660 } }
local FROM_LAB = { { 1, 0.3963377774, 0.2158037573 }, { 1, -0.1055613458, -0.0638541728 },
  { 1, -0.0894841775, -1.2914855480 } }
local FROM_CONES = { { 4.0767416621, -3.3077115913, 0.2309699292 },
  { -1.2684380046, 2.6097574011, -0.3413193965 },
  { -0.0041960863, -0.7034186147, 1.7076147010 } }

local DARKEST = 1e-9 -- a cube root has no slope at 0

local function colours(op, x)
  if not tensor.is_tensor(x) or not x:is_floating_point() or x.shape[#x.shape] ~= 3 then
    options.misuse(("oklab.%s: expected floating-point colours {…, 3}, got %s"):format(op,
      tensor.is_tensor(x) and x.dtype .. " " .. options.shape(x.shape) or options.shown(x)))
  end
  return x
end

-- {…, 3} times the transpose of a matrix.
local function mixed(x, rows)
  local matrix = tensor.from(rows, { dtype = x.dtype })
  return x:reshape { -1, 3 }:matmul(matrix:t()):reshape(x.shape)
end

---@param x daub.Tensor f32 or f64 {…, 3}, sRGB as networks see it: -1 … 1
---@return daub.Tensor {…, 3}: L, a, b
function M.from_rgb(x)
  local coded = ((colours("from_rgb", x) + 1) * 0.5):clamp(0, 1)
  local light = tensor.where(coded:gt(0.04045), ((coded + 0.055) * (1 / 1.055)) ^ 2.4,
    coded * (1 / 12.92))
  return mixed(mixed(light, TO_CONES):clamp(DARKEST) ^ (1 / 3), TO_LAB)
end

---@param x daub.Tensor f32 or f64 {…, 3}: L, a, b
---@return daub.Tensor {…, 3}: sRGB, -1 … 1; colours that no screen shows are cut off
function M.to_rgb(x)
  local light = mixed(mixed(colours("to_rgb", x), FROM_LAB) ^ 3, FROM_CONES):clamp(0, 1)
  local coded = tensor.where(light:gt(0.0031308), light:clamp(DARKEST) ^ (1 / 2.4) * 1.055 - 0.055,
    light * 12.92)
  return coded * 2 - 1
end

return M
