-- 24x8 thumbnails: layout and colours of a picture in 576 numbers, and how far the average layouts
-- of two sets are apart.
--
--     local small = thumbnails.of(pictures)                  -- {N, 576}, 0 … 255
--     local mean, std = thumbnails.between(thumbnails.of(covers), small)
local image = require "daub.image"
local tensor = require "daub.tensor"

local M = {}

local WIDTH, HEIGHT = 24, 8

---@param x daub.Tensor f32 {N, height, width, 3}, -1 … 1
---@return daub.Tensor {N, 24 * 8 * 3}, 0 … 255
function M.of(x)
  local list = {}
  for i = 1, x.shape[1] do
    list[i] = image.resize(x:select(1, i):contiguous(), WIDTH, HEIGHT, { filter = "box" })
  end
  return (tensor.stack(list):reshape { #list, -1 } + 1) * 127.5
end

local function root_mean_square(x) return math.sqrt(x:square():mean():item()) end

---@param a daub.Tensor thumbnails
---@param b daub.Tensor thumbnails
---@return number mean root mean square difference of the means, in grey levels of 255
---@return number std the same of the standard deviations: how much layouts differ within a set
function M.between(a, b)
  return root_mean_square(a:mean(1) - b:mean(1)), root_mean_square(a:std(1) - b:std(1))
end

return M
