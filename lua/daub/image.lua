-- Pictures: load, change, save, show.
--
--     local image = require "daub.image"
--     local x = assert(image.load("me.jpg"))    -- u8 {height, width, 3}, or nil, message, code
--     image.save("cover.png", image.cover(x, 1500, 500))
--     image.show(image.grid({ a, b, c, d }, { columns = 2, gap = 4 }))
--
-- Pixels are tensors u8 {height, width, 3}; arrays of daub.core.array are taken as well. f32 pixels
-- are what networks see: -1 is black, 1 is white (to_float, from_float).
local A = require "daub.core.array"
local core = require "daub.core.image"
local options = require "daub.options"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

local misuse, none, wrap = options.misuse, options.none, tensor.wrap

local function array(x, op)
  local a = type(x) == "table" and x.array or x
  if type(a) ~= "userdata" then
    misuse(("image.%s: expected pixels, got %s"):format(op, x == nil and "nothing" or type(x)))
  end
  return a
end

---Decodes a picture by its content, in a sandboxed process: JPEG, PNG, GIF, BMP, TGA or WebP.
---@param bytes string
---@param o? daub.DecodeOptions
---@return daub.Tensor|nil pixels u8 {height, width, 3}
---@return daub.PictureInfo|string info_or_message
---@return string? code
function M.decode(bytes, o)
  local pixels, info, code = core.decode(bytes, o)
  if not pixels then return nil, info, code end
  return wrap(pixels), info
end

---Decodes a file. It gives the pixels alone, so that they can be handed on: f(image.load(path)).
---@param path string
---@param o? daub.DecodeOptions
---@return daub.Tensor|nil pixels u8 {height, width, 3}
---@return string? message
---@return string? code
function M.load(path, o)
  local pixels, info, code = core.decode({ path = path }, o)
  if not pixels then return nil, code == "decode" and path .. ": " .. info or info, code end
  return wrap(pixels)
end

---Format and stored size from the first bytes, without decoding.
---@param bytes string
---@return string|nil format
---@return integer|string width_or_message
---@return integer|string height_or_code
function M.probe(bytes) return core.probe(bytes) end

---f32 pixels in -1 … 1 of u8 pixels.
---@param x daub.Tensor
---@return daub.Tensor
function M.to_float(x)
  local a = array(x, "to_float")
  if A.dtype(a) ~= "u8" then misuse("image.to_float: expected u8 pixels, got " .. A.dtype(a)) end
  a = A.cast(a, "f32")
  return wrap(A.binary("sub", A.binary("mul", a, 2 / 255, a), 1, a))
end

local function to_u8(a)
  if A.dtype(a) == "u8" then return a end
  local y = A.binary("mul", A.cast(a, "f32"), 127.5)
  A.binary("add", y, 128, y) -- 127.5 for the middle and 0.5 to round
  A.binary("min", A.binary("max", y, 0, y), 255, y)
  return A.cast(A.unary("floor", y, y), "u8")
end

---u8 pixels of f32 pixels in -1 … 1, rounded; what lies outside is cut off.
---@param x daub.Tensor
---@return daub.Tensor
function M.from_float(x) return wrap(to_u8(array(x, "from_float"))) end

local BEST_QUALITY, WORST_QUALITY = 95, 30 -- of JPEGs that have to stay within a limit

local encoders = {
  png = function(a) return core.encode_png(a) end,
  jpeg = function(a, quality) return core.encode_jpeg(a, quality) end,
  webp = function(a, quality) return core.encode_webp(a, quality) end,
}
encoders.jpg = encoders.jpeg

---Encodes u8 or f32 (-1 … 1) pixels.
---@param x daub.Tensor {height, width, 1|3|4}
---@param format "png"|"jpeg"|"jpg"|"webp"
---@param o? {quality: integer} 1 … 100, for JPEG (default 90) and WebP (default 85)
---@return string
function M.encode(x, format, o)
  o = options.check("image.encode", o, { quality = none })
  options.choice("image.encode", "format", format, { "png", "jpeg", "jpg", "webp" })
  return encoders[format](A.contiguous(to_u8(array(x, "encode"))), o.quality)
end

---Encodes in the best quality that stays within the limit.
---@param x daub.Tensor u8 or f32 (-1 … 1) {height, width, 1|3|4}
---@param format "jpeg"|"png"
---@param max_bytes? integer
---@return string|nil bytes, string? message
function M.encode_within(x, format, max_bytes)
  local low, high = WORST_QUALITY, BEST_QUALITY
  local best, bytes
  local quality = format == "png" and 100 or high
  repeat
    bytes = M.encode(x, format, format == "jpeg" and { quality = quality } or nil)
    if not max_bytes or #bytes <= max_bytes then best, low = bytes, quality + 1
    else high = quality - 1 end
    quality = math.floor((low + high) / 2)
  until format == "png" or low > high
  if best then return best end
  return nil, ("%s of %d bytes is over the limit of %d"):format(format:upper(), #bytes, max_bytes)
end

---Saves a picture under a name ending in .png, .jpg, .jpeg or .webp; replaces a file as a whole.
---@param path string
---@param x daub.Tensor u8 or f32 (-1 … 1) {height, width, 1|3|4}
---@param o? {quality: integer}
---@return true|nil
---@return string? message
---@return string? code
function M.save(path, x, o)
  local extension = (path:match("%.([^./]+)$") or ""):lower()
  if not encoders[extension] then
    misuse(("image.save: expected a name ending in .png, .jpg or .webp, got %s"):format(path))
  end
  return system.write_file(path, M.encode(x, extension, o))
end

---Begins an animated WebP that repeats for ever: `film:add(x)` for each frame, then
---`film:finish()` gives the file's bytes. Frames are u8 or f32 (-1 … 1), all of this size, and are
---kept encoded.
---@param width integer
---@param height integer
---@param o? {quality: integer, milliseconds: integer} of a frame: how it is encoded (80), how long
--- it is shown (40)
---@return {add: fun(self, x: daub.Tensor), finish: fun(self): string}
function M.animation(width, height, o)
  o = options.check("image.animation", o, { quality = 80, milliseconds = 40 })
  local film = core.animation(width, height, o.quality)
  return {
    add = function(_, x)
      film:add(A.contiguous(to_u8(array(x, "animation"))), o.milliseconds)
    end,
    finish = function()
      local bytes = film:finish()
      film:close()
      return bytes
    end,
  }
end

---Resizes to exactly width x height.
---@param x daub.Tensor u8 or f32
---@param width integer
---@param height integer
---@param o? {filter: string, linear: boolean} as daub.core.image's resize
---@return daub.Tensor
function M.resize(x, width, height, o)
  return wrap(core.resize(array(x, "resize"), width, height, o))
end

local gravities = {
  center = { 0.5, 0.5 }, top = { 0.5, 0 }, bottom = { 0.5, 1 },
  left = { 0, 0.5 }, right = { 1, 0.5 },
}

-- The largest part of `a` with the shape width : height, as a view.
local function cut(a, width, height, gravity)
  local shape = A.shape(a)
  local h, w = shape[1], shape[2]
  local cw, ch = w, h
  if w * height > h * width then
    cw = math.max(1, math.floor(h * width / height + 0.5))
  else
    ch = math.max(1, math.floor(w * height / width + 0.5))
  end
  local x, y = math.floor((w - cw) * gravity[1] + 0.5), math.floor((h - ch) * gravity[2] + 0.5)
  return A.narrow(A.narrow(a, 1, y + 1, ch), 2, x + 1, cw)
end

local function inside(n) return type(n) == "number" and n >= 0 and n <= 1 end

-- The array's part of the shape width : height that `gravity` says.
local function part(op, x, width, height, gravity)
  if type(gravity) ~= "table" then
    options.choice("image." .. op, "gravity", gravity, options.sorted_keys(gravities))
    gravity = gravities[gravity]
  elseif not (inside(gravity[1]) and inside(gravity[2])) then
    misuse(("image.%s: expected gravity {x, y} with both in 0 … 1"):format(op))
  end
  if not (inside(1 / width) and inside(1 / height)) then
    misuse(("image.%s: expected a width and a height of at least 1"):format(op))
  end
  return cut(array(x, op), width, height, gravity)
end

---The largest part of the picture with the shape width : height, as a view of its pixels.
---`gravity` says which part: "center", "top", "bottom", "left", "right", or {x, y} in 0 … 1.
---@param x daub.Tensor u8 or f32
---@param width integer
---@param height integer
---@param o? {gravity: string|number[]}
---@return daub.Tensor
function M.part(x, width, height, o)
  o = options.check("image.part", o, { gravity = "center" })
  return wrap(part("part", x, width, height, o.gravity))
end

---Fills width x height with the picture: cuts the largest part of that shape and resizes it.
---@param x daub.Tensor u8 or f32
---@param width integer
---@param height integer
---@param o? {gravity: string|number[], filter: string, linear: boolean} gravity as for part
---@return daub.Tensor
function M.cover(x, width, height, o)
  o = options.check("image.cover", o, { gravity = "center", filter = none, linear = false })
  return wrap(core.resize(part("cover", x, width, height, o.gravity), width, height,
    { filter = o.filter, linear = o.linear }))
end

local function cells(list)
  local out = {}
  if type(list) == "table" and not list.array then
    for i, x in ipairs(list) do out[i] = to_u8(array(x, "grid")) end
  else
    local all = to_u8(array(list, "grid"))
    if A.ndim(all) ~= 4 then
      misuse("image.grid: expected a list of pictures or pixels {n, height, width, 3}")
    end
    for i = 1, A.shape(all)[1] do out[i] = A.select(all, 1, i) end
  end
  if #out == 0 then misuse("image.grid: expected at least one picture") end
  return out
end

---Lays pictures out in rows, left to right; cells are as large as the largest picture.
---By default about as many columns as rows, a gap of 2 pixels, white behind.
---@param list daub.Tensor[]|daub.Tensor u8 or f32 (-1 … 1): a list, or {n, height, width, 3}
---@param o? {columns: integer, gap: integer, background: integer[]}
---@return daub.Tensor u8
function M.grid(list, o)
  o = options.check("image.grid", o,
    { columns = none, gap = 2, background = { 255, 255, 255 } })
  local pictures = cells(list)
  local columns = math.min(#pictures, o.columns or math.ceil(math.sqrt(#pictures)))
  if columns < 1 then misuse("image.grid: expected 1 or more columns") end
  local gap, rows = o.gap, math.ceil(#pictures / columns)
  local height, width = 0, 0
  for _, a in ipairs(pictures) do
    local shape = A.shape(a)
    height, width = math.max(height, shape[1]), math.max(width, shape[2])
  end
  local out = A.new({ rows * (height + gap) + gap, columns * (width + gap) + gap, 3 }, "u8")
  A.copy_(out, A.from(o.background, { 3 }, "u8"))
  for i, a in ipairs(pictures) do
    local shape = A.shape(a)
    local row, column = math.floor((i - 1) / columns), (i - 1) % columns
    local y = gap + row * (height + gap) + math.floor((height - shape[1]) / 2)
    local x = gap + column * (width + gap) + math.floor((width - shape[2]) / 2)
    A.copy_(A.narrow(A.narrow(out, 1, y + 1, shape[1]), 2, x + 1, shape[2]), a)
  end
  return wrap(out)
end

---Text that shows a picture when printed to this terminal (sixel, kitty, iTerm2 or half blocks).
---By default as wide as the terminal and at most 24 rows high.
---@param x daub.Tensor u8 or f32 (-1 … 1)
---@param o? {columns: integer, rows: integer} at most so many character cells
---@return string
function M.text(x, o)
  o = options.check("image.text", o, { columns = none, rows = none })
  local columns, rows = system.terminal_size()
  columns = o.columns or columns or 80
  rows = o.rows or math.max(1, math.min(24, (rows or 25) - 1))
  return core.terminal(A.contiguous(to_u8(array(x, "text"))), columns, rows)
end

---Shows a picture in the terminal.
---@param x daub.Tensor u8 or f32 (-1 … 1)
---@param o? {columns: integer, rows: integer}
function M.show(x, o)
  io.stdout:write(M.text(x, o), "\n")
  io.stdout:flush()
end

---Perceptual hash: 16 hex digits; similar pictures differ in few bits.
---@param x daub.Tensor u8
---@return string
function M.phash(x) return core.phash(array(x, "phash")) end

---Bits in which two hashes differ, 0 … 64.
---@param a string
---@param b string
---@return integer
function M.phash_distance(a, b) return core.phash_distance(a, b) end

---Mean colour, spread of the luma and share of the most common colour: to tell blank pictures.
---@param x daub.Tensor u8
---@return {mean: number[], stddev: number, flat: number}
function M.statistics(x) return core.statistics(array(x, "statistics")) end

return M
