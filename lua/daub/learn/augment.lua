-- Differentiable augmentation (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient
-- GAN Training"): real and painted pictures go through the same kinds of random change before the
-- critic sees them, and gradients flow through the changes to the painter.
--
--     local change = augment.new({ translation = true }, 1)
--     local score = critic(change(pictures, step, 1))       -- {N, H, W, 3} -> the same
--
-- The changes depend on seed, step and stream alone, so a resumed run makes the same ones.
local core = require "daub.core.array"
local random = require "daub.tensor.random"
local tensor = require "daub.tensor"

local M = {}

M.kinds = { "translation", "cutout", "colour" }

local SHIFT = 0.125 -- of a side, at most
local CUT = 0.5     -- of a side

-- Moves every picture by whole pixels, black outside, and blanks a box: for each output pixel the
-- place it comes from, and whether it is shown.
local function places(n, h, w, dice, translation, cutout)
  local idx = tensor.empty({ n * h * w }, { dtype = "i64" })
  local mask = tensor.empty { n, h, w, 1 }
  local from, shown, k = idx:view(), mask:view(), 0
  local reach_x, reach_y = math.floor(w * SHIFT + 0.5), math.floor(h * SHIFT + 0.5)
  local box_w, box_h = math.floor(w * CUT + 0.5), math.floor(h * CUT + 0.5)
  for i = 0, n - 1 do
    local d = i * 8
    local dx = translation and math.floor(dice[d + 1] * (2 * reach_x + 1)) - reach_x or 0
    local dy = translation and math.floor(dice[d + 2] * (2 * reach_y + 1)) - reach_y or 0
    local left = cutout and math.floor(dice[d + 3] * (w + 1)) - math.floor(box_w / 2) or w
    local top = cutout and math.floor(dice[d + 4] * (h + 1)) - math.floor(box_h / 2) or h
    for y = 0, h - 1 do
      local sy = y + dy
      local row_cut = y >= top and y < top + box_h
      for x = 0, w - 1 do
        local sx = x + dx
        local inside = sx >= 0 and sx < w and sy >= 0 and sy < h
        local cut = row_cut and x >= left and x < left + box_w
        from[k] = inside and (i * h + sy) * w + sx + 1 or 1
        shown[k] = inside and not cut and 1 or 0
        k = k + 1
      end
    end
  end
  return idx, mask
end

-- Brightness, saturation and contrast of every picture.
local function recolour(x, dice)
  local n = x.shape[1]
  local brightness, saturation, contrast = {}, {}, {}
  for i = 1, n do
    local d = (i - 1) * 8
    brightness[i], saturation[i] = dice[d + 5] - 0.5, dice[d + 6] * 2
    contrast[i] = dice[d + 7] + 0.5
  end
  local function per_picture(list) return tensor.from(list):reshape { n, 1, 1, 1 } end
  x = x + per_picture(brightness)
  local grey = x:mean(4, true)
  x = (x - grey) * per_picture(saturation) + grey
  local mean = x:mean({ 2, 3, 4 }, true)
  return (x - mean) * per_picture(contrast) + mean
end

---@param o {translation?: boolean, cutout?: boolean, colour?: boolean}
---@param seed integer
---@return fun(x: daub.Tensor, step: integer, stream: integer): daub.Tensor
--- `stream` tells the uses within one step apart
function M.new(o, seed)
  return function(x, step, stream)
    if not (o.translation or o.cutout or o.colour) then return x end
    local n, h, w, c = unpack(x.shape)
    local generator = random.at(seed, (step * 16 + stream) * 65536)
    local dice = core.uniform(generator, { n * 8 }, "f64"):totable()
    if o.colour then x = recolour(x, dice) end
    if o.translation or o.cutout then
      local idx, mask = places(n, h, w, dice, o.translation, o.cutout)
      x = x:reshape { n * h * w, c }:index_select(1, idx):reshape { n, h, w, c } * mask
    end
    return x
  end
end

---The table `new` takes from words such as "translation,cutout" or "none".
---@param words string
---@return table|nil kinds, string? message
function M.parse(words)
  local kinds = {}
  for word in words:gmatch("[^,%s]+") do
    local known = word == "none"
    for _, kind in ipairs(M.kinds) do
      if word == kind then known, kinds[kind] = true, true end
    end
    if not known then
      return nil, ("'%s': none or some of %s expected"):format(word, table.concat(M.kinds, ", "))
    end
  end
  return kinds
end

return M
