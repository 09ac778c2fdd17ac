-- What can be measured of a picture without knowing anything: sixteen numbers that tell lettering,
-- landscapes, abstract designs and things apart. All are taken of a 96x32 copy, so pictures of any
-- size are measured alike, and scaled to mean 0 and deviation 1 over a few thousand covers of many
-- kinds, cut off at 2.5.
--
--     local t = traits.of(pictures)               -- f32 {N, height, width, 3}, -1 … 1 -> {N, 16}
--     t:select(2, traits.index.layers)            -- one of them
local autograd = require "daub.autograd"
local image = require "daub.image"
local oklab = require "daub.looks.oklab"
local tensor = require "daub.tensor"

local M = {}

M.width, M.height = 96, 32 -- of the copy; one made from the original is the best

local WIDTH, HEIGHT = M.width, M.height
local AT_ONCE = 256 -- pictures
local LIMIT = 2.5

-- Name, mean and deviation over 3,885 covers.
local TRAITS = {
  { "layers", 0.1776, 0.1856 },     -- share of the variance that is between rows
  { "light_above", 0.0121, 0.0320 }, -- how much lighter the upper rows are
  { "upright", -0.1320, 0.4068 },   -- steps along rows against steps between them (a logarithm)
  { "busy_below", 0.1915, 0.5826 }, -- edges of the lower half against the upper third (log.)
  { "grain", -1.3489, 0.9292 },     -- small forms against large ones (a logarithm)
  { "strokes", 0.0088, 0.0149 },    -- share of thin upright strokes
  { "stroke_rows", 0.0293, 0.0432 }, -- the same in the rows that have most
  { "contrast", 0.7869, 0.4038 },   -- the mean step against the usual one (a logarithm)
  { "peaks", 3.1900, 1.9500 },      -- the mean square of steps against their mean
  { "flat", 0.5557, 0.2312 },       -- share of the pixels with no edge
  { "colours", 2.1380, 0.8422 },    -- entropy of the colours
  { "edges", 0.0351, 0.0226 },      -- mean step along rows
  { "texture", -4.3024, 0.7728 },   -- the usual step along rows (the mean of logarithms)
  { "skin", 0.0978, 0.1606 },       -- share of colours that skin has (and wood, and sand)
  { "one_sided", 0.7196, 0.3075 },  -- how much the picture differs from its mirror image
  { "lightness", 0.1533, 0.0675 },  -- how much lightness differs
}

M.names, M.index, M.count = {}, {}, #TRAITS
for i, trait in ipairs(TRAITS) do M.names[i], M.index[trait[1]] = trait[1], i end

-- The length of the step to the next pixel along a dimension: {N, 32 or 31, 95 or 96}.
local function steps(lab, dim)
  local n = lab.shape[dim] - 1
  return (lab:narrow(dim, 2, n) - lab:narrow(dim, 1, n)):square():sum(4):sqrt()
end

-- {N} of {N, …}
local function mean(x)
  return x:reshape { x.shape[1], -1 }:mean(2)
end
local function share(condition) return mean(condition:to("f32")) end

-- Blurs {N, h, w} by the mean of a square of 2 * radius + 1 pixels, those beyond the border left
-- out.
local function blurred(x, radius)
  local function matrix(n)
    local rows = {}
    for i = 1, n do
      local first, last, row = math.max(1, i - radius), math.min(n, i + radius), {}
      for j = 1, n do row[j] = (j >= first and j <= last) and 1 / (last - first + 1) or 0 end
      rows[i] = row
    end
    return tensor.from(rows)
  end
  return matrix(x.shape[2]):matmul(x):matmul(matrix(x.shape[3]):t())
end

-- Where lightness differs by 0.12 or more, the same way, from both neighbours in the row.
local function strokes(light)
  local middle = light:narrow(3, 2, WIDTH - 2)
  local left = middle - light:narrow(3, 1, WIDTH - 2)
  local right = middle - light:narrow(3, 3, WIDTH - 2)
  local thin = (left * right):gt(0):to("f32") * left:abs():minimum(right:abs())
  return thin:gt(0.12):to("f32")
end

-- Entropy of the colours, counted in 8 x 8 x 8 boxes.
local function entropy(lab)
  local n = lab.shape[1]
  local function box(channel, first, width)
    return ((lab:select(4, channel) - first) * (1 / width)):floor():clamp(0, 7):to("i64")
  end
  local boxes = box(1, 0, 0.125) * 64 + box(2, -0.2, 0.05) * 8 + box(3, -0.2, 0.05) + 1
  local ones = tensor.ones { n, WIDTH * HEIGHT }
  local counts = tensor.zeros { n, 512 }:scatter_add(2, boxes:reshape { n, -1 }, ones)
  local p = counts * (1 / (WIDTH * HEIGHT))
  return -(p * (p + 1e-9):log()):sum(2)
end

local function skin(lab)
  local l, a, b = lab:select(4, 1), lab:select(4, 2), lab:select(4, 3)
  local colour = a:square() + b:square()
  local function within(x, low, high) return x:gt(low):mul(x:lt(high)) end
  return share(within(l, 0.35, 0.92):mul(within(a, 0.012, 0.11)):mul(within(b, 0.012, 0.13))
    :mul(within(colour, 0.03 ^ 2, 0.15 ^ 2)):mul(a:gt(b * 0.25)))
end

-- The raw numbers of pictures {N, 32, 96, 3} in OKLab, by name, each {N}.
local function measured(lab)
  local light = lab:select(4, 1):contiguous()
  local dx, dy = steps(lab, 3), steps(lab, 2)
  local both = dx:pad { { 0, 0 }, { 0, 0 }, { 0, 1 } } + dy:pad { { 0, 0 }, { 0, 1 }, { 0, 0 } }
  local deviation = light:std({ 2, 3 }, false, { correction = 0 })
  local found = {}
  local biased = { correction = 0 }
  found.layers = lab:mean(3):var(2, false, biased):sum(2)
    / (lab:var({ 2, 3 }, false, biased):sum(2) + 2e-3)
  found.light_above = -(light:mean(3) * tensor.linspace(-1, 1, HEIGHT)):mean(2)
  found.upright = ((mean(dx) + 1e-3) / (mean(dy) + 1e-3)):log()
  local third = math.floor(HEIGHT / 3)
  found.busy_below = ((mean(both:narrow(2, HEIGHT / 2 + 1, HEIGHT / 2):contiguous()) + 3e-3)
    / (mean(both:narrow(2, 1, third):contiguous()) + 3e-3)):log()
  local coarse, fine = blurred(light, HEIGHT / 8), blurred(light, 1)
  found.grain = ((mean((fine - coarse):square()) + 1e-4)
    / (coarse:var({ 2, 3 }, false, biased) + 1e-4)):log()
  local thin = strokes(light)
  found.strokes = mean(thin)
  found.stroke_rows = thin:mean(3):topk(HEIGHT / 8, 2):mean(2)
  local usual = mean((dx + 2e-3):log())
  found.texture = usual
  found.edges = mean(dx)
  found.contrast = (found.edges + 2e-3):log() - usual
  found.peaks = mean(dx:square()) / (found.edges:square() + 1e-4)
  found.flat = share(dx:narrow(2, 1, HEIGHT - 1):lt(0.03):mul(dy:narrow(3, 1, WIDTH - 1):lt(0.03)))
  found.colours = entropy(lab)
  found.skin = skin(lab)
  found.one_sided = mean((light - light:flip(3)):abs()) / (deviation + 0.02)
  found.lightness = deviation
  return found
end

local function some(pictures)
  local small = {}
  for i = 1, pictures.shape[1] do
    local picture = pictures:select(1, i):contiguous()
    if picture.shape[1] ~= HEIGHT or picture.shape[2] ~= WIDTH then
      picture = image.resize(picture, WIDTH, HEIGHT)
    end
    small[i] = picture
  end
  local found, columns = measured(oklab.from_rgb(tensor.stack(small))), {}
  for i, trait in ipairs(TRAITS) do
    columns[i] = ((found[trait[1]] - trait[2]) * (1 / trait[3])):clamp(-LIMIT, LIMIT)
  end
  return tensor.stack(columns, 2)
end

---@param pictures daub.Tensor f32 {N, height, width, 3}, -1 … 1
---@return daub.Tensor {N, 16} in the order of `names`
function M.of(pictures)
  return autograd.no_grad(function()
    local parts, n = {}, pictures.shape[1]
    for first = 1, n, AT_ONCE do
      parts[#parts + 1] = some(pictures:narrow(1, first, math.min(AT_ONCE, n - first + 1)))
    end
    return tensor.cat(parts, 1)
  end)
end

return M
