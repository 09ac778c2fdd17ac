-- A small canvas of float pixels with the few brushes the demo's covers are painted with.
-- Coordinates are pixels, y grows downwards, colours are {r, g, b} from 0 to 1. Edges are
-- anti-aliased by their distance, so nothing needs to be drawn larger and shrunk.
local ffi = require "ffi"

local floor, sqrt, min, max = math.floor, math.sqrt, math.min, math.max

---@class daub.demo.Canvas
---@field width integer
---@field height integer
local Canvas = {}
Canvas.__index = Canvas

local M = {}

---@param width integer
---@param height integer
---@return daub.demo.Canvas
function M.new(width, height)
  return setmetatable({
    width = width, height = height, pixels = ffi.new("float[?]", width * height * 3),
  }, Canvas)
end

---The colour `t` of the way from `a` to `b`.
function M.mix(a, b, t)
  return { a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t, a[3] + (b[3] - a[3]) * t }
end

---Blends `colour` over every pixel of a box as far as `cover(x, y)` (0 … 1, clamped) says.
---@param box? {left: number, top: number, right: number, bottom: number} default: everything
function Canvas:blend(colour, cover, box)
  local w, h, p = self.width, self.height, self.pixels
  local r, g, b = colour[1], colour[2], colour[3]
  box = box or { left = 0, top = 0, right = w, bottom = h }
  local left, right = max(0, floor(box.left)), min(w - 1, floor(box.right))
  local top, bottom = max(0, floor(box.top)), min(h - 1, floor(box.bottom))
  for y = top, bottom do
    for x = left, right do
      local a = min(1, max(0, cover(x + 0.5, y + 0.5)))
      local i = (y * w + x) * 3
      p[i] = p[i] + (r - p[i]) * a
      p[i + 1] = p[i + 1] + (g - p[i + 1]) * a
      p[i + 2] = p[i + 2] + (b - p[i + 2]) * a
    end
  end
end

---Paints the whole canvas along a gradient; `where(x, y)` gives the place on it, 0 … 1 (clamped).
---@param colours number[][] two or more, evenly spaced
function Canvas:gradient(colours, where)
  local w, h, p, n = self.width, self.height, self.pixels, #colours - 1
  local flat = ffi.new("float[?]", (n + 1) * 3)
  for k = 0, n do
    for c = 0, 2 do flat[k * 3 + c] = colours[k + 1][c + 1] end
  end
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      local t = min(1, max(0, where(x + 0.5, y + 0.5))) * n
      local k = min(n - 1, floor(t))
      local f, i = t - k, (y * w + x) * 3
      for c = 0, 2 do
        local from = flat[k * 3 + c]
        p[i + c] = from + (flat[k * 3 + 3 + c] - from) * f
      end
    end
  end
end

---A disc with a hard (`soft` = 1 pixel) or blurred edge.
function Canvas:disc(x, y, radius, colour, opacity, soft)
  opacity, soft = opacity or 1, soft or 1
  local reach = radius + soft
  self:blend(colour, function(px, py)
    local dx, dy = px - x, py - y
    return opacity * min(1, (radius - sqrt(dx * dx + dy * dy)) / soft + 0.5)
  end, { left = x - reach, top = y - reach, right = x + reach, bottom = y + reach })
end

---Light that fades with the distance from a point.
function Canvas:glow(x, y, radius, colour, opacity)
  self:blend(colour, function(px, py)
    local dx, dy = (px - x) / radius, (py - y) / radius
    return opacity * math.exp(-2 * (dx * dx + dy * dy))
  end)
end

---Fills everything below the line y = `profile(x)`, from `top` there to `bottom` at the lower edge.
function Canvas:below(profile, top, bottom)
  local w, h, p = self.width, self.height, self.pixels
  for x = 0, w - 1 do
    local line = profile(x + 0.5)
    for y = max(0, floor(line)), h - 1 do
      local a = min(1, y + 1 - line)
      local t = max(0, (y - line) / (h - line))
      local i = (y * w + x) * 3
      for c = 0, 2 do
        local colour = top[c + 1] + (bottom[c + 1] - top[c + 1]) * t
        p[i + c] = p[i + c] + (colour - p[i + c]) * a
      end
    end
  end
end

---Fills a convex polygon (corners in order, either way round).
function Canvas:polygon(corners, colour, opacity)
  local n, e = #corners, {}
  local box = { left = math.huge, top = math.huge, right = -math.huge, bottom = -math.huge }
  local area = 0
  for k = 1, n do
    local a, b = corners[k], corners[k % n + 1]
    area = area + a[1] * b[2] - a[2] * b[1]
    box.left, box.right = min(box.left, a[1] - 1), max(box.right, a[1] + 1)
    box.top, box.bottom = min(box.top, a[2] - 1), max(box.bottom, a[2] + 1)
  end
  local sign = area > 0 and 1 or -1
  local edges = ffi.new("double[?]", n * 3)
  for k = 1, n do
    local a, b = corners[k], corners[k % n + 1]
    e[1], e[2] = b[1] - a[1], b[2] - a[2]
    local length = max(1e-9, sqrt(e[1] * e[1] + e[2] * e[2]))
    edges[k * 3 - 3], edges[k * 3 - 2] = -sign * e[2] / length, sign * e[1] / length
    edges[k * 3 - 1] = edges[k * 3 - 3] * a[1] + edges[k * 3 - 2] * a[2]
  end
  self:blend(colour, function(x, y)
    local inside = 1e9
    for k = 0, n - 1 do
      inside = min(inside, edges[k * 3] * x + edges[k * 3 + 1] * y - edges[k * 3 + 2])
    end
    return (opacity or 1) * (inside + 0.5)
  end, box)
end

---Draws straight strokes with round ends as one shape, so that crossings are not painted twice.
---@param segments number[][] list of {x1, y1, x2, y2}
function Canvas:strokes(segments, thickness, colour, opacity)
  local n, reach = #segments, thickness / 2 + 1
  local s = ffi.new("double[?]", n * 4)
  local box = { left = math.huge, top = math.huge, right = -math.huge, bottom = -math.huge }
  for k = 1, n do
    for c = 1, 4 do s[k * 4 - 5 + c] = segments[k][c] end
    box.left = min(box.left, segments[k][1] - reach, segments[k][3] - reach)
    box.right = max(box.right, segments[k][1] + reach, segments[k][3] + reach)
    box.top = min(box.top, segments[k][2] - reach, segments[k][4] - reach)
    box.bottom = max(box.bottom, segments[k][2] + reach, segments[k][4] + reach)
  end
  self:blend(colour, function(x, y)
    local nearest = 1e18
    for k = 0, n - 1 do
      local ax, ay = s[k * 4], s[k * 4 + 1]
      local dx, dy = s[k * 4 + 2] - ax, s[k * 4 + 3] - ay
      local t = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy + 1e-9)
      t = min(1, max(0, t))
      local ex, ey = x - ax - t * dx, y - ay - t * dy
      nearest = min(nearest, ex * ex + ey * ey)
    end
    return (opacity or 1) * (thickness / 2 - sqrt(nearest) + 0.5)
  end, box)
end

---The picture as bytes, row by row, three to a pixel.
---@return string
function Canvas:bytes()
  local n, p = self.width * self.height * 3, self.pixels
  local out = ffi.new("uint8_t[?]", n)
  for i = 0, n - 1 do out[i] = min(255, max(0, p[i] * 255 + 0.5)) end
  return ffi.string(out, n)
end

return M
