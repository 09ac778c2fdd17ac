-- Differentiable augmentation (Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient
-- GAN Training"): real and painted pictures go through the same kinds of random change before the
-- critic sees them, and gradients flow through the changes to the painter.
--
--     local change = augment.new({ translation = true }, 1)
--     local score = critic(change(pictures, step, 1))       -- {N, H, W, 3} -> the same
--
-- Half of the pictures stay as they are, so that the critic sees true edges, and a painter that
-- paints what the changes make is found out (Karras et al. 2020, "Training Generative Adversarial
-- Networks with Limited Data": a change must be done with a probability below .8 for that).
-- The changes depend on seed, step and stream alone, so a resumed run makes the same ones.
local F = require "daub.ops"
local core = require "daub.core.array"
local random = require "daub.tensor.random"
local tensor = require "daub.tensor"

local M = {}

M.kinds = { "translation", "cutout", "colour" }

local LEFT = 0.5    -- of the pictures, as they are
local SHIFT = 0.125 -- of a side, at most
local CELL = 4      -- pixels
local CUT = 0.5     -- of a side

-- Random numbers 0 … 1 of each picture, eight of them; how each is used stands with its number.
-- The last says whether the picture is changed.
local DICE = 8

-- The place in the dice of picture i's, less 1; nil where it stays as it is.
local function dice_of(i, dice)
  local d = (i - 1) * DICE
  return dice[d + DICE] >= LEFT and d or nil
end

-- Moves pictures by whole cells, 0 outside. By pixels, the painter's would not be in the same place
-- of the critic's grid each time, and traces of its convolutions harder to find. Dice 1 and 2.
local function translate(x, dice)
  local n, h, w = unpack(x.shape)
  local rows, columns = math.floor(h * SHIFT / CELL), math.floor(w * SHIFT / CELL)
  local by = tensor.zeros({ n, 2 }, { dtype = "i64" })
  local p = by:view()
  for i = 1, n do
    local d = dice_of(i, dice)
    if d then
      p[2 * i - 2] = CELL * (math.floor(dice[d + 2] * (2 * rows + 1)) - rows)
      p[2 * i - 1] = CELL * (math.floor(dice[d + 1] * (2 * columns + 1)) - columns)
    end
  end
  return F.shift(x, by)
end

-- Blanks a box of pictures. Dice 3 and 4.
local function cut(x, dice)
  local n, h, w = unpack(x.shape)
  local shown = tensor.ones { n, h, w, 1 }
  local box_w, box_h = math.floor(w * CUT + 0.5), math.floor(h * CUT + 0.5)
  for i = 1, n do
    local d = dice_of(i, dice)
    if d then
      local left = math.floor(dice[d + 3] * (w + 1)) - math.floor(box_w / 2)
      local top = math.floor(dice[d + 4] * (h + 1)) - math.floor(box_h / 2)
      local first_x, past_x = math.max(left, 0), math.min(left + box_w, w)
      local first_y, past_y = math.max(top, 0), math.min(top + box_h, h)
      shown:select(1, i):narrow(1, first_y + 1, past_y - first_y)
        :narrow(2, first_x + 1, past_x - first_x):fill_(0)
    end
  end
  return x * shown:to(x.dtype)
end

-- Brightness, saturation and contrast of pictures. Dice 5, 6 and 7.
local function recolour(x, dice)
  local n = x.shape[1]
  local brightness, saturation, contrast = {}, {}, {}
  for i = 1, n do
    local d = dice_of(i, dice)
    brightness[i], saturation[i] = d and dice[d + 5] - 0.5 or 0, d and dice[d + 6] * 2 or 1
    contrast[i] = d and dice[d + 7] + 0.5 or 1
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
    local n = x.shape[1]
    local generator = random.at(seed, (step * 16 + stream) * 65536)
    local dice = core.uniform(generator, { n * DICE }, "f64"):totable()
    if o.colour then x = recolour(x, dice) end
    if o.translation then x = translate(x, dice) end
    if o.cutout then x = cut(x, dice) end
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
