-- Out of doors: skies over hills, over the sea, over mountains, by day and by night.
local canvas = require "daub.demo.canvas"

local mix = canvas.mix
local sin, pi = math.sin, math.pi

local M = {}

-- sky from the zenith down, the sun's or moon's colour, the farthest and the nearest land
local moods = {
  { sky = { { .16, .42, .78 }, { .47, .71, .92 }, { .86, .93, .96 } }, light = { 1, .97, .82 },
    far = { .53, .68, .76 }, near = { .16, .38, .18 } },
  { sky = { { .13, .13, .36 }, { .62, .26, .46 }, { .98, .58, .30 }, { 1, .84, .52 } },
    light = { 1, .90, .62 }, far = { .55, .29, .42 }, near = { .10, .06, .16 } },
  { sky = { { .30, .50, .72 }, { .93, .70, .66 }, { 1, .87, .68 } }, light = { 1, .96, .86 },
    far = { .66, .58, .68 }, near = { .22, .30, .34 } },
  { sky = { { .02, .03, .12 }, { .06, .10, .28 }, { .16, .24, .44 } }, light = { .94, .95, .86 },
    far = { .13, .18, .33 }, near = { .02, .04, .09 }, night = true },
  { sky = { { .55, .62, .68 }, { .76, .80, .82 }, { .90, .90, .88 } }, light = { .98, .97, .92 },
    far = { .66, .71, .72 }, near = { .25, .32, .28 } },
  { sky = { { .05, .30, .38 }, { .22, .58, .60 }, { .96, .86, .60 } }, light = { 1, .95, .75 },
    far = { .32, .55, .55 }, near = { .04, .17, .20 } },
}

-- A smooth line made of a few sines.
local function ridge(r, width, base, height)
  local waves = {}
  for k = 1, 3 do
    waves[k] = { height = height / k ^ 1.3, pitch = r:uniform(0.6, 1.4) * k * 2 * pi / width,
      phase = r:uniform(0, 2 * pi) }
  end
  local line = {}
  for x = 0, width do
    local y = base
    for _, w in ipairs(waves) do y = y + w.height * sin(x * w.pitch + w.phase) end
    line[x] = y
  end
  return function(x) return line[math.floor(x)] end
end

local function sky(c, r, mood)
  local tilt = r:uniform(-0.12, 0.12)
  c:gradient(mood.sky, function(x, y) return (y / c.height + tilt * (x / c.width - 0.5)) / 0.85 end)
  if not mood.night then return end
  for _ = 1, 110 do
    c:disc(r:uniform(0, c.width), r:uniform(0, c.height * 0.8), r:uniform(0.4, 1.2), { 1, 1, 0.95 },
      r:uniform(0.3, 0.95))
  end
end

local function light(c, r, mood, lowest)
  local x, y = c.width * r:uniform(0.12, 0.88), lowest * r:uniform(0.3, 0.95)
  local radius = c.height * r:uniform(0.07, 0.15)
  c:glow(x, y, radius * (mood.night and 3.5 or 6), mood.light, mood.night and 0.35 or 0.55)
  c:disc(x, y, radius, mood.light, 1, 2)
  return x, y, radius
end

local function clouds(c, r, colour, lowest)
  for _ = 1, r:integer(0, 4) do
    local x, y = r:uniform(0, c.width), lowest * r:uniform(0.1, 0.6)
    local size = c.height * r:uniform(0.05, 0.10)
    for k = -3, 3 do
      c:disc(x + k * size * r:uniform(0.6, 0.9), y + r:uniform(-0.2, 0.2) * size,
        size * (1 - math.abs(k) / 5), colour, 0.55, size * 0.7)
    end
  end
end

local function birds(c, r, colour)
  local x, y = c.width * r:uniform(0.2, 0.8), c.height * r:uniform(0.12, 0.35)
  for _ = 1, r:integer(3, 7) do
    local bx, by, s = x + r:uniform(-60, 60), y + r:uniform(-20, 20), r:uniform(4, 8)
    c:strokes({ { bx - s, by - s / 2, bx, by }, { bx, by, bx + s, by - s / 2 } }, 1.6, colour, 0.8)
  end
end

---Rolling hills, the far ones paler, under a sky with a sun or a moon.
function M.hills(c, r)
  local mood = r:pick(moods)
  local horizon = c.height * r:uniform(0.45, 0.62)
  sky(c, r, mood)
  light(c, r, mood, horizon)
  clouds(c, r, mix(mood.sky[#mood.sky], mood.light, 0.5), horizon)
  if r:chance(0.3) then birds(c, r, mood.near) end
  local layers = r:integer(2, 4)
  for k = 1, layers do
    local t = layers == 1 and 1 or (k - 1) / (layers - 1)
    local colour = mix(mood.far, mood.near, t)
    local line = ridge(r, c.width, horizon + (c.height - horizon) * 0.8 * t, c.height * 0.07)
    c:below(line, colour, mix(colour, mood.near, 0.45))
  end
end

---Peaks with snow under the same skies.
function M.mountains(c, r)
  local mood = r:pick(moods)
  sky(c, r, mood)
  light(c, r, mood, c.height * 0.4)
  clouds(c, r, mix(mood.sky[#mood.sky], { 1, 1, 1 }, 0.4), c.height * 0.5)
  local foot = c.height * r:uniform(0.78, 0.9)
  local rock, snow = mix(mood.far, mood.near, 0.45), mix(mood.light, { 1, 1, 1 }, 0.4)
  for _ = 1, r:integer(4, 7) do
    local x, half = c.width * r:uniform(0, 1), c.height * r:uniform(0.45, 0.9)
    local top = c.height * r:uniform(0.2, 0.5)
    local base = foot + 20
    c:polygon({ { x, top }, { x + half, base }, { x - half, base } }, rock)
    c:polygon({ { x, top }, { x + half, base }, { x + half * 0.15, base } },
      mix(rock, mood.near, 0.5), 0.8)
    local cap = r:uniform(0.18, 0.32)
    local y = top + (base - top) * cap
    c:polygon({ { x, top }, { x + half * cap, y }, { x, y - 6 }, { x - half * cap, y } }, snow,
      0.95)
  end
  c:below(ridge(r, c.width, foot, c.height * 0.03), mix(rock, mood.near, 0.6), mood.near)
end

local function boat(c, x, y, s, hull)
  c:polygon({ { x, y - s * 1.6 }, { x + s * 0.7, y - s * 0.2 }, { x, y - s * 0.2 } },
    { 1, 1, 0.97 })
  c:polygon({ { x - s * 0.08, y - s * 1.3 }, { x - s * 0.08, y - s * 0.2 },
    { x - s * 0.5, y - s * 0.2 } }, { .93, .93, .9 })
  c:polygon({ { x - s * 0.7, y - s * 0.15 }, { x + s * 0.8, y - s * 0.15 },
    { x + s * 0.5, y + s * 0.1 }, { x - s * 0.5, y + s * 0.1 } }, hull)
end

---The sea to the horizon, the light's path on it, sometimes a sail.
function M.sea(c, r)
  local mood = r:pick(moods)
  local horizon = c.height * r:uniform(0.5, 0.68)
  sky(c, r, mood)
  local x, _, radius = light(c, r, mood, horizon)
  clouds(c, r, mix(mood.sky[#mood.sky], mood.light, 0.5), horizon)
  if r:chance(0.4) then
    c:below(ridge(r, c.width, horizon - c.height * 0.03, c.height * 0.05), mood.far, mood.far)
  end
  local water = mix(mood.sky[1], mood.far, 0.35)
  c:below(function() return horizon end, mix(water, mood.sky[#mood.sky], 0.45),
    mix(water, mood.near, 0.5))
  for k = 1, 60 do
    local t = k / 60
    local y = horizon + (c.height - horizon) * t
    local reach = radius * (0.8 + 2.2 * t)
    local mid = x + r:uniform(-0.5, 0.5) * reach
    local half = reach * r:uniform(0.15, 0.6)
    c:strokes({ { mid - half, y, mid + half, y } }, 1 + 2 * t, mood.light, 0.5 * (1 - 0.5 * t))
  end
  if r:chance(0.45) then
    boat(c, c.width * r:uniform(0.1, 0.9), horizon + c.height * r:uniform(0.04, 0.15),
      c.height * r:uniform(0.1, 0.2), mood.near)
  end
end

return M
