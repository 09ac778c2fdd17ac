-- Indoors: slogans, stripes, rays, blobs, bokeh and plain gradients.
local canvas = require "daub.demo.canvas"
local letters = require "daub.demo.letters"

local mix = canvas.mix
local sin, cos, pi, sqrt = math.sin, math.cos, math.pi, math.sqrt

local M = {}

-- from dark to light; the last is the accent
local palettes = {
  { { .07, .13, .22 }, { .11, .30, .42 }, { .22, .55, .60 }, { .93, .91, .80 }, { .96, .55, .26 } },
  { { .20, .08, .20 }, { .48, .12, .32 }, { .80, .28, .36 }, { .98, .85, .72 }, { 1, .72, .25 } },
  { { .06, .16, .12 }, { .12, .36, .24 }, { .45, .62, .33 }, { .95, .94, .82 }, { .90, .36, .22 } },
  { { .12, .12, .14 }, { .30, .31, .34 }, { .62, .63, .65 }, { .96, .96, .95 }, { .90, .20, .22 } },
  { { .14, .10, .34 }, { .30, .24, .62 }, { .52, .54, .88 }, { .92, .92, 1 }, { 1, .52, .64 } },
  { { .28, .14, .06 }, { .58, .30, .12 }, { .86, .56, .24 }, { 1, .94, .80 }, { .16, .52, .56 } },
  { { .02, .20, .40 }, { .04, .42, .68 }, { .36, .70, .90 }, { .95, .98, 1 }, { 1, .84, .22 } },
}

local slogans = {
  "Hello world", "Make things", "Stay curious", "Good morning", "Paint more", "Slow down",
  "Be kind", "Open sky", "Keep going", "Tea first", "Write code", "Listen", "Look up",
  "Small steps", "Bread & roses", "Read books", "Go outside", "Less noise", "Say yes", "Home",
  "Run free", "Sing loud", "Dream big", "Work in progress", "We are here", "Ask why",
}

local function along(c, angle)
  local dx, dy = cos(angle), sin(angle)
  local reach = math.abs(dx) * c.width + math.abs(dy) * c.height
  return function(x, y) return ((x - c.width / 2) * dx + (y - c.height / 2) * dy) / reach + 0.5 end
end

local function wash(c, r, palette)
  local from, to = r:pick(palette), r:pick(palette)
  c:gradient({ from, mix(from, to, 0.6) }, along(c, r:uniform(0, 2 * pi)))
end

---Two or three colours running into each other.
function M.gradient(c, r)
  local p = r:pick(palettes)
  local first, step = r:integer(0, 4), r:integer(1, 3)
  local colours = { p[first + 1], p[(first + step) % 5 + 1], p[(first + 2 * step) % 5 + 1] }
  local bend, phase = r:uniform(0, 0.25), r:uniform(0, 2 * pi)
  local where = along(c, r:uniform(0, 2 * pi))
  c:gradient(colours, function(x, y)
    return where(x, y) + bend * sin(phase + 2 * pi * (x / c.width + y / c.height))
  end)
end

---Straight stripes of equal width.
function M.stripes(c, r)
  local p = r:pick(palettes)
  local angle = r:pick { 0, pi / 2, pi / 4, -pi / 4, pi / 6 }
  local dx, dy, period = cos(angle), sin(angle), c.height * r:uniform(0.25, 0.8)
  local colours = { p[1], p[2], p[3], p[4], p[5] }
  local count = r:integer(2, 5)
  local first = r:integer(0, 4)
  c:gradient({ colours[first + 1], colours[first + 1] }, function() return 0 end)
  for k = 1, count - 1 do
    local share = period / count
    c:blend(colours[(first + k) % 5 + 1], function(x, y)
      local d = (x * dx + y * dy - k * share) % period
      return math.min(d, share - d) + 0.5
    end)
  end
end

---Rays from a point below or beside the picture.
function M.rays(c, r)
  local p = r:pick(palettes)
  local ground = r:integer(1, 4)
  local base, beam, accent = p[ground], p[ground % 4 + 1], p[5]
  local x, y, n = c.width * r:uniform(0.2, 0.8), c.height * r:uniform(0.6, 1.15), r:integer(8, 16)
  c:gradient({ base, base }, function() return 0 end)
  c:blend(beam, function(px, py)
    local dx, dy = px - x, py - y
    return 0.5 + sin(math.atan2(dy, dx) * n) * sqrt(dx * dx + dy * dy) / n
  end)
  c:disc(x, y, c.height * r:uniform(0.25, 0.45), accent)
end

---Large overlapping discs, flat.
function M.blobs(c, r)
  local p = r:pick(palettes)
  wash(c, r, { p[1], p[4] })
  for _ = 1, r:integer(4, 9) do
    c:disc(r:uniform(0, c.width), r:uniform(0, c.height), c.height * r:uniform(0.15, 0.55),
      p[r:integer(2, 5)], r:uniform(0.6, 1))
  end
end

---Lights out of focus on a dark ground.
function M.bokeh(c, r)
  local p = r:pick(palettes)
  c:gradient({ mix(p[1], { 0, 0, 0 }, 0.4), p[1], p[2] }, along(c, r:uniform(0, 2 * pi)))
  for _ = 1, r:integer(14, 34) do
    local radius = c.height * r:uniform(0.05, 0.18)
    c:disc(r:uniform(0, c.width), r:uniform(0, c.height), radius,
      mix(p[r:integer(3, 5)], { 1, 1, 1 }, 0.2), r:uniform(0.2, 0.6), radius * 0.3)
  end
end

---Waves of colour lying on one another.
function M.waves(c, r)
  local p = r:pick(palettes)
  local light_first = r:chance(0.5)
  local from, to = p[light_first and 4 or 1], p[light_first and 1 or 4]
  c:gradient({ from, from }, function() return 0 end)
  local n = r:integer(3, 5)
  for k = 1, n do
    local height, length = c.height * r:uniform(0.05, 0.12), c.width / r:uniform(0.8, 2)
    local phase = r:uniform(0, 2 * pi)
    local base = c.height * (k - 0.3) / (n + 0.2)
    local colour = mix(k == n - 1 and p[5] or from, to, k / (n + 1))
    c:below(function(x) return base + height * sin(2 * pi * x / length + phase) end, colour, colour)
  end
end

---A slogan in drawn letters, centred, on a quiet ground.
function M.slogan(c, r)
  local p = r:pick(palettes)
  local dark = r:chance(0.6)
  local ground = dark and r:integer(1, 2) or 4
  c:gradient({ p[ground], mix(p[ground], p[dark and 2 or 3], r:uniform(0, 0.5)) },
    along(c, r:uniform(0, 2 * pi)))
  local text, accent = r:pick(slogans), p[5]
  local widest = c.width * 0.85 / letters.width(text, 1) -- the height at which it is too wide
  local height = math.min(c.height * r:uniform(0.28, 0.42), widest)
  local width, slant = letters.width(text, height), r:pick { 0, 0, 0.15 }
  local left, top = (c.width - width) / 2, (c.height - height) / 2
  local decoration = r:integer(1, 4)
  if decoration == 1 then
    local y = top + height * 1.4
    c:strokes({ { left, y, left + width, y } }, height * 0.1, accent)
  elseif decoration == 2 then
    local m = c.height * 0.1
    c:strokes({ { m, m, c.width - m, m }, { c.width - m, m, c.width - m, c.height - m },
      { c.width - m, c.height - m, m, c.height - m }, { m, c.height - m, m, m } }, 4, accent)
  elseif decoration == 3 then
    c:blend(accent, function(_, y) return y - c.height * 0.88 end)
  end
  letters.draw(c, text, { left = left - slant * height / 2, top = top, height = height,
    thickness = height * r:uniform(0.11, 0.2), colour = dark and p[4] or p[1], slant = slant })
end

return M
