-- The colours of a picture: five of them, found by k-means in OKLab on a thumbnail.
--
--     local found, shares = palette.of(pictures)        -- {N, h, w, 3} -> {N, 5, 3}, {N, 5}
--     palette.hex(found:select(1, 1))                   -- { "#0b1d33", "#1b2a49", … }
--     local wanted = assert(palette.parse("#1b2a49,#f2a65a"))            -- {2, 3}
--     palette.distance(palette.points(pictures), wanted)                 -- {N}, 0 … about 1
--
-- A palette is a tensor {colours, 3} of OKLab, dark colours first.
local autograd = require "daub.autograd"
local kmeans = require "daub.looks.kmeans"
local oklab = require "daub.looks.oklab"
local options = require "daub.options"
local tensor = require "daub.tensor"

local M = {}

M.colours = 5

local THUMBNAIL = { width = 24, height = 8 }
local STEPS = 12

-- The matrix {to, from} that shrinks `from` pixels to `to` by area.
local function shrinking(from, to)
  local rows = {}
  for i = 1, to do
    local first, past, row = (i - 1) * from / to, i * from / to, {}
    for j = 1, from do
      row[j] = math.max(0, math.min(j, past) - math.max(j - 1, first)) * to / from
    end
    rows[i] = row
  end
  return tensor.from(rows)
end

---The pixels of a picture's thumbnail, 24x8 or as many as it has, in OKLab. Gradients flow.
---@param pictures daub.Tensor f32 {N, height, width, 3}, -1 … 1
---@return daub.Tensor {N, pixels, 3}
function M.points(pictures)
  if not tensor.is_tensor(pictures) or #pictures.shape ~= 4 or pictures.shape[4] ~= 3 then
    options.misuse("palette.points: expected pictures {N, height, width, 3}, got "
      .. (tensor.is_tensor(pictures) and options.shape(pictures.shape)
      or options.shown(pictures)))
  end
  local n, h, w = unpack(pictures.shape)
  local rows, columns = math.min(h, THUMBNAIL.height), math.min(w, THUMBNAIL.width)
  local x = shrinking(h, rows):matmul(pictures:reshape { n, h, w * 3 }):reshape { n * rows, w, 3 }
  x = shrinking(w, columns):matmul(x)
  return oklab.from_rgb(x:reshape { n, rows * columns, 3 })
end

-- {N, k, 3}, {N, k} -> the same, dark colours first.
local function in_order(colours, shares)
  local order = select(2, colours:select(3, 1):sort(2))
  return colours:gather(2, order:unsqueeze(3):expand(colours.shape):contiguous()),
    shares:gather(2, order)
end

---Five colours of each picture.
---@param pictures daub.Tensor f32 {N, height, width, 3}, -1 … 1
---@return daub.Tensor colours {N, 5, 3}, OKLab, dark colours first
---@return daub.Tensor shares {N, 5} of the picture's pixels, 0 … 1
function M.of(pictures)
  return autograd.no_grad(function()
    local points = M.points(pictures)
    local found, index = kmeans.fit(points, M.colours, { steps = STEPS })
    local mine = index:unsqueeze(3):eq(tensor.arange(1, M.colours + 1, { dtype = "i64" }))
    return in_order(found, mine:to("f32"):mean(2))
  end)
end

-- Lengths along the last dimension, with a gradient also at 0.
local function lengths(x) return (x:square():sum(#x.shape) + 1e-8):sqrt() end

-- Distances {N, pixels, pairs} of points {N, pixels, 1, 3} to the mixtures of every two colours.
local function to_mixtures(points, colours)
  local first, second, k = {}, {}, colours.shape[1]
  for i = 1, k do
    for j = math.min(i + 1, k), k do first[#first + 1], second[#second + 1] = i, j end
  end
  local from = colours:index_select(1, tensor.from(first, { dtype = "i64" }))
  local way = colours:index_select(1, tensor.from(second, { dtype = "i64" })) - from
  local away = points - from
  local along = ((away * way):sum(4, true) / (way:square():sum(2, true) + 1e-8)):clamp(0, 1)
  return lengths(away - way * along)
end

---How far pictures are from having these colours: half of it is the mean distance of their pixels
---to the nearest mixture of two of the colours, the other half the colours' mean distance to the
---pixels nearest to them, as many for each as half its share would be. 0.02 is hardly seen, 0.1
---clearly. Gradients flow.
---@param points daub.Tensor {N, pixels, 3}: thumbnails in OKLab, or palettes
---@param colours daub.Tensor {k, 3} OKLab
---@return daub.Tensor {N}
function M.distance(points, colours)
  local n, pixels = unpack(points.shape)
  local k = colours.shape[1]
  points = points:reshape { n, pixels, 1, 3 }
  local apart = lengths(points - colours) -- {N, pixels, k}
  local share = math.max(1, math.floor(pixels / (2 * k)))
  local nearest = apart:transpose(2, 3):contiguous():sort(3):narrow(3, 1, share)
  return (to_mixtures(points, colours):amin(3):mean(2) + nearest:mean({ 2, 3 })) * 0.5
end

---Five colours of one to five: earlier ones come more often; dark colours first.
---@param colours daub.Tensor {k, 3}
---@return daub.Tensor {5, 3}
function M.filled(colours)
  local index, k = {}, colours.shape[1]
  for i = 1, M.colours do index[i] = (i - 1) % k + 1 end
  local five = colours:index_select(1, tensor.from(index, { dtype = "i64" })):unsqueeze(1)
  return (in_order(five, tensor.zeros { 1, M.colours })):select(1, 1)
end

---@param text string one to five colours: "#1b2a49,#f2a65a"
---@return daub.Tensor|nil colours {k, 3} OKLab, as they were given; nil for what are no colours
---@return string? message
function M.parse(text)
  local rows = {}
  for word in (text .. ","):gmatch("%s*(.-)%s*,") do
    local digits = word:match("^#?(%x+)$")
    if digits and #digits == 3 then digits = digits:gsub("%x", "%0%0") end
    if not digits or #digits ~= 6 then
      return nil, ("'%s': a colour as #1b2a49 expected, up to %d of them with commas between")
        :format(word, M.colours)
    end
    local row = {}
    for pair in digits:gmatch("%x%x") do row[#row + 1] = tonumber(pair, 16) * 2 / 255 - 1 end
    rows[#rows + 1] = row
  end
  if #rows > M.colours then
    return nil, ("%d colours: at most %d expected"):format(#rows, M.colours)
  end
  return oklab.from_rgb(tensor.from(rows))
end

---@param colours daub.Tensor {k, 3} OKLab
---@return string[] "#1b2a49" of each
function M.hex(colours)
  local list = {}
  for i, row in ipairs(oklab.to_rgb(colours):totable()) do
    for c = 1, 3 do row[c] = math.floor((row[c] + 1) * 127.5 + 0.5) end
    list[i] = ("#%02x%02x%02x"):format(unpack(row))
  end
  return list
end

return M
