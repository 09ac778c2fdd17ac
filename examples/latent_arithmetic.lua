-- Sums of paintings: latents minus the mean of others plus that of yet others, as the smiling man
-- of Radford, Metz and Chintala's DCGAN paper (2016) came from smiling woman - woman + man.
--
--     daub examples/latent_arithmetic.lua RUN OUT.png [SEED]
--
-- Of 256 paintings the six that are most so stand for a kind: landscapes are brighter above. Rows
-- of OUT.png: dark landscapes, dark ones, bright ones, and the landscapes - dark + bright. Change
-- `kinds` to try others, or put numbers of paintings you like into the lists.
local image = require "daub.image"
local plan = require "daub.learn.plan"
local runs = require "daub.learn.run"
local sample = require "daub.paint.sample"
local tensor = require "daub.tensor"

local path, out, seed = arg[1], arg[2], tonumber(arg[3] or 1)
if not (path and out and seed) then error("usage: latent_arithmetic.lua RUN OUT.png [SEED]", 0) end
local run = assert(runs.read(path))
local _, checkpoint = assert(run:checkpoint())
local painter = assert(plan.painter(run.options, assert(run:load(checkpoint))))

-- The paintings, and how much each is of a kind.
local COUNT, BEST = 256, 6
local latents = {}
for i = 1, COUNT do latents[i] = sample.latent(seed, i, run.options.settings.latent) end
latents = tensor.cat(latents, 1)
local painted = image.to_float(sample.batch(painter, latents)) -- {256, h, w, 3}
local half = math.floor(painted.shape[2] / 2)
local above = painted:narrow(2, 1, half):reshape { COUNT, -1 }:mean(2)
local below = painted:narrow(2, half + 1, half):reshape { COUNT, -1 }:mean(2)
local light, fall = (above + below) / 2, above - below
local kinds = {
  A = fall - light,               -- a dark landscape
  B = -light - fall:abs() * 2,    -- dark
  C = light - fall:abs() * 2,     -- bright
}

-- The numbers of those that are most of a kind.
local function most(kind)
  local _, order = kinds[kind]:sort(1, true)
  return order:narrow(1, 1, BEST):totable()
end
local function mean(list) return latents:index_select(1, list):mean(1, true) end
local a, b, c = most "A", most "B", most "C"

-- A - B + C, back on the sphere where latents lie.
local way = mean(c) - mean(b)
local function moved(z)
  local sum = z + way
  return sum * (z:norm(2, true) / sum:norm(2, true))
end
local rows = {}
for _, z in ipairs { latents:index_select(1, a), latents:index_select(1, b),
  latents:index_select(1, c), moved(latents:index_select(1, a)) } do
  rows[#rows + 1] = sample.batch(painter, z)
end
assert(image.save(out, image.grid(tensor.cat(rows, 1), { columns = BEST })))
print(("A: %s\nB: %s\nC: %s\nA - B + C: the last row of %s"):format(table.concat(a, " "),
  table.concat(b, " "), table.concat(c, " "), out))
