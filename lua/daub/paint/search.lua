-- Latents of paintings that are wanted: of a theme, in some colours. A theme is found by drawing
-- until one is called so. Colours are found by drawing, too, and then by walking: steps of Adam on
-- the latent towards a smaller distance of the painting's thumbnail to the palette (daub.looks.
-- palette), on the sphere where the latent began, until it is small enough.
--
--     local blue = palette.parse "#1b2a49"
--     local finder = search.new(painter, { seed = 1, latent = 128, palette = blue })
--     local z, found = finder:find(7)           -- {1, latent}; found.palette.distance
--
-- What is found for a number depends on it and the seed alone.
local autograd = require "daub.autograd"
local optim = require "daub.optim"
local options = require "daub.options"
local palette = require "daub.looks.palette"
local sample = require "daub.paint.sample"
local tensor = require "daub.tensor"
local themes = require "daub.looks.themes"
local traits = require "daub.looks.traits"

local M = {}

local DRAWN = 32    -- latents at a time
local ROUNDS = 8    -- of drawing, at most
local APART = 10000 -- pictures of a seed between two drawings for one number
local STARTS = 4    -- walks to a palette, side by side
local STEPS = 64
local LOOK = 4      -- steps between two places that are looked at
local RATE = 0.05   -- Adam's
local GOOD = 0.05   -- a distance that is near enough: a longer walk ends at two plain patches
local HELD = 2      -- numbers of the latent that stay: a generator's noise hangs on them

---@class daub.paint.Search
local Search = {}
Search.__index = Search

---@class daub.paint.Wanted
---@field seed integer
---@field latent integer
---@field theme? string one of daub.looks.themes' names
---@field themes? daub.looks.Themes the clusters that tell it; needed with a theme
---@field palette? daub.Tensor {k, 3} OKLab

---@param painter daub.Module takes {N, latent}, in eval mode; it no longer learns
---@param o daub.paint.Wanted
---@return daub.paint.Search
function M.new(painter, o)
  o = options.check("search.new", o, { seed = options.required, latent = options.required,
    theme = options.none, themes = options.none, palette = options.none })
  if o.theme then
    options.choice("search.new", "the theme", o.theme, themes.names)
    if not o.themes then options.misuse("search.new: a theme needs `themes`") end
  end
  return setmetatable({ painter = painter:requires_grad_(false), o = o }, Search)
end

local function paint(self, z)
  return autograd.no_grad(function() return self.painter(z) end)
end

-- Those of latents {N, latent} whose paintings have the theme; nil when none has.
local function having(self, z)
  local o, kept = self.o, {}
  if not o.theme then return z end
  for k, cluster in ipairs(o.themes:of(traits.of(paint(self, z))):totable()) do
    if themes.name(cluster) == o.theme then kept[#kept + 1] = z:narrow(1, k, 1) end
  end
  return kept[1] and tensor.cat(kept, 1)
end

-- Latents drawn for picture i that have the theme, {N, latent}; with a palette at least as many as
-- there are walks, where that can be. The first one of all is the picture's own.
local function draw(self, i)
  local o, found, count = self.o, {}, 0
  for round = 0, ROUNDS - 1 do
    local drawn = {}
    for k = 1, DRAWN do
      drawn[k] = sample.latent(o.seed, i + (round * DRAWN + k - 1) * APART, o.latent)
    end
    local kept = having(self, tensor.cat(drawn, 1))
    if kept then found[#found + 1], count = kept, count + kept.shape[1] end
    if count >= (o.palette and STARTS or 1) then break end
  end
  if count == 0 then
    return nil, ("none of %d paintings drawn for number %d is called %s (another seed, or a run "
      .. "that has learnt more, may have one)"):format(ROUNDS * DRAWN, i, o.theme)
  end
  return tensor.cat(found, 1)
end

local function distances(self, painted)
  return palette.distance(palette.points(painted), self.o.palette)
end

-- The nearest to the palette of latents {N, latent}: {1, latent} and its distance.
local function nearest(self, z)
  local apart, best = distances(self, paint(self, z)):totable(), 1
  for k, distance in ipairs(apart) do
    if distance < apart[best] then best = k end
  end
  return z:narrow(1, best, 1):clone(), apart[best]
end

-- z moved to the sphere of this radius; the numbers that stay are those of `from`.
local function on_sphere(z, from, radius)
  local held = math.min(HELD, z.shape[2])
  local first, rest = from:narrow(2, 1, held), z:narrow(2, held + 1, z.shape[2] - held)
  local left = (radius:square() - first:square():sum(2, true)):clamp(0):sqrt()
  return tensor.cat({ first, rest * (left / rest:norm(2, true):clamp(1e-6)) }, 2)
end

-- Walks from latents {N, latent} that have the theme towards the palette, until one is near enough
-- and has the theme still. Gives the best place, its distance, and that of the start.
local function walk(self, from)
  local radius, z = from:norm(2, true), from:clone():requires_grad_()
  local adam = optim.Adam({ z }, { lr = RATE })
  local best, reached = nearest(self, from)
  local drawn, step = reached, 0
  while reached > GOOD and step < STEPS do
    distances(self, self.painter(z)):sum():backward()
    z.grad:narrow(2, 1, math.min(HELD, self.o.latent)):fill_(0)
    adam:step()
    adam:zero_grad()
    autograd.no_grad(function() z:copy_(on_sphere(z, from, radius)) end)
    step = step + 1
    local places = step % LOOK == 0 and having(self, z:detach())
    if places then
      local place, distance = nearest(self, places)
      if distance < reached then best, reached = place, distance end
    end
  end
  return best, reached, drawn
end

---The latent of the painting that number i stands for.
---@param i integer 1 … 10000
---@return daub.Tensor|nil z {1, latent}; nil when no painting drawn has the theme
---@return {theme: string|nil, palette: table|nil}|string found what was reached, or a message
function Search:find(i)
  local o = self.o
  if not o.theme and not o.palette then return sample.latent(o.seed, i, o.latent), {} end
  local drawn, message = draw(self, i)
  if not drawn then return nil, message end
  if not o.palette then return drawn:narrow(1, 1, 1), { theme = o.theme } end
  local order = select(2, distances(self, paint(self, drawn)):sort(1))
  local starts = drawn:index_select(1, order:narrow(1, 1, math.min(STARTS, drawn.shape[1])))
  local z, reached, before = walk(self, starts)
  return z, { theme = o.theme, palette = { wanted = palette.hex(o.palette), drawn = before,
    distance = reached, found = palette.hex(palette.of(paint(self, z)):select(1, 1)) } }
end

return M
