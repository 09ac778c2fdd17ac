-- How good paintings are: distances to held-out covers, each beside its floor, which is the same
-- measured with training covers in place of paintings.
--
--     local ref = measure.reference(train, held)            -- once
--     local found = measure.paintings(ref, painted)         -- ref.count, or some times that
--     for _, e in ipairs(found) do print(e.metric, e.value, e.floor) end
--     measure.score(found)                                  -- 1 at the floor, larger is worse
--
-- swd        sliced Wasserstein distance, mean of the pyramid's levels; swd.64, swd.32 … are the
--            levels by height (swd.lua)
-- kid        kernel distance of random-convolution features (kid.lua, features.lua)
-- kid.fine   the same of features made equally wide in all directions (whitening.lua): it sees
--            grain and traces of convolutions, where kid sees brightness, contrast and blur
-- density    of paintings around the held-out covers by the same features, k = 5 (neighbours.lua)
-- coverage   the share of held-out covers with a painting among their neighbours
-- coverage.fine, coverage.thumbnails  the same by whitened features, by 24x8 thumbnails
-- copying    below -3 paintings are copies of training covers (neighbours.lua)
-- copying.distance  C_T as published; blurred paintings fall below -3 as well
-- diversity  1 less the mean MS-SSIM of paintings (diversity.lua)
--
-- Features are standardised by the training covers' means and standard deviations, so kid does not
-- depend on their scale, and their tails drawn in, so that it does not hang on a few odd covers: it
-- then tells degraded covers from others by 1.3 times as many floors. Its floor is the root mean
-- square over subsets of the training covers, as single values scatter around 0; other floors are
-- means over these. The floor of copying is 0.
local autograd = require "daub.autograd"
local diversity = require "daub.measure.diversity"
local features = require "daub.measure.features"
local image = require "daub.image"
local kid = require "daub.measure.kid"
local neighbours = require "daub.measure.neighbours"
local options = require "daub.options"
local swd = require "daub.measure.swd"
local tensor = require "daub.tensor"
local thumbnails = require "daub.measure.thumbnails"
local whitening = require "daub.measure.whitening"

local M = {}

local NEIGHBOURS = 5
local OF_FEATURES = 4 -- times as many subsets for floors
local BATCH = 64 -- pictures prepared at a time
M.least = NEIGHBOURS + 3 -- held-out covers, at least

---The fixed random-convolution features of pictures: for near-copies and novelty too.
M.features = features.of

-- Pictures are f32 {N, height, width, 3} in -1 … 1, u8 of the same shape, or a packed dataset.
local function count_of(set)
  if tensor.is_tensor(set) then return #set.shape == 4 and set.shape[1] or 0 end
  return set:info().count
end

-- Those at `places`, f32.
local function some(set, places)
  if not tensor.is_tensor(set) then
    local list = {}
    for i, place in ipairs(places) do list[i] = tensor.wrap(set:picture(place)) end
    return image.to_float(tensor.stack(list))
  end
  local chosen = set:index_select(1, places)
  return chosen.dtype == "u8" and image.to_float(chosen) or chosen
end

-- `count` of the places 1 … n, at random.
local function choice(n, count, generator)
  return tensor.randperm(n, { generator = generator }):narrow(1, 1, count):totable()
end

-- Features of all pictures of a set.
local function all_features(set)
  local count, seen = count_of(set), {}
  for first = 1, count, BATCH do
    local places = {}
    for i = first, math.min(first + BATCH - 1, count) do places[#places + 1] = i end
    seen[#seen + 1] = features.of(some(set, places))
  end
  return tensor.cat(seen, 1)
end

---@class daub.measure.Reference
---@field count integer pictures that are compared
---@field floors table<string, number>
---@field spreads table<string, number> standard deviation from set to set of real covers

-- Features in units of the training covers' spread; beyond it they grow as their roots do.
local function standardised(ref, raw)
  local x = (raw - ref.mean) / ref.std
  return x:sign() * ((x:abs() + 1):sqrt() - 1) * 2
end

-- What is measured of pictures themselves.
local function describe(ref, x)
  return { patches = swd.describe(x, ref.swd), small = thumbnails.of(x) }
end

local function by_pictures(ref, x)
  local set, held, found = describe(ref, x), ref.held, {}
  local apart = swd.between(held.patches, set.patches)
  found.swd = apart.swd
  for i, level in ipairs(apart.levels) do found["swd." .. held.patches.heights[i]] = level end
  found["coverage.thumbnails"] = select(2, neighbours.density_and_coverage(held.small,
    ref.small_radii, set.small, NEIGHBOURS))
  found.diversity = diversity.of(x)
  return found
end

-- What is compared in one space of features: metrics get the suffix; `into` leads there from
-- standardised features.
local function space(suffix, seen, into)
  local held = into(seen)
  return { suffix = suffix, into = into, held = held, within = kid.within(held),
    radii = neighbours.radii(held, NEIGHBOURS) }
end

-- What is measured of their features, standardised.
local function by_features(ref, seen)
  local found = {}
  for _, s in ipairs(ref.spaces) do
    local x = s.into(seen)
    found["kid" .. s.suffix] = kid.between(x, s.held, s.within)
    found["density" .. s.suffix], found["coverage" .. s.suffix] =
      neighbours.density_and_coverage(s.held, s.radii, x, NEIGHBOURS)
  end
  return found
end

local function mean(list)
  local sum = 0
  for _, value in ipairs(list) do sum = sum + value end
  return sum / #list
end

-- Of values measured on subsets of the training covers: their mean (of kid the root mean square),
-- and their standard deviation.
local function floor_and_spread(name, list)
  local center, squares, off = mean(list), {}, {}
  for i, value in ipairs(list) do squares[i], off[i] = value ^ 2, (value - center) ^ 2 end
  local spread = math.sqrt(mean(off) * #list / math.max(1, #list - 1))
  return name:find("^kid") and math.max(math.sqrt(mean(squares)), 1e-6) or center, spread
end

-- Floors and spreads of every metric. Features are at hand, so more subsets of these are taken.
local function floors(ref, train, o)
  local generator, lists = tensor.generator(o.seed), {}
  local function collect(subsets, measured)
    for i = 1, subsets do
      local places = choice(count_of(train), ref.count, generator)
      for name, value in pairs(measured(places)) do
        lists[name] = lists[name] or {}
        lists[name][i] = value
      end
    end
  end
  collect(o.subsets, function(places) return by_pictures(ref, some(train, places)) end)
  collect(OF_FEATURES * o.subsets, function(places)
    return by_features(ref, ref.train:index_select(1, places))
  end)
  local floor = { copying = 0, ["copying.distance"] = 0 }
  local spread = { copying = 1, ["copying.distance"] = 1 } -- they are in standard deviations
  for name, list in pairs(lists) do floor[name], spread[name] = floor_and_spread(name, list) end
  return floor, spread
end

local defaults = { count = 512, patches = 64, directions = 128, seed = 1, subsets = 4 }

---What paintings are measured against. Made once; all is a function of the arguments.
---@param train daub.Tensor|daub.core.Dataset the covers trained on: f32 {N, height, width, 3} in
--- -1 … 1, u8 of that shape, or a packed dataset
---@param held daub.Tensor|daub.core.Dataset covers never trained on, of the same size, at least 8
---@param o? table count: held-out covers compared at most (512); patches, directions: of swd (64,
--- 128); subsets: of the training covers, that floors are taken over (4, of features 16); seed: of
--- all choices (1)
---@return daub.measure.Reference
function M.reference(train, held, o)
  o = options.check("measure.reference", o, defaults)
  for name in pairs(defaults) do options.whole("measure.reference", name, o[name], 1) end
  local ref = { count = math.min(o.count, count_of(held), count_of(train)),
    swd = { patches = o.patches, directions = o.directions, seed = o.seed } }
  if ref.count < M.least then
    options.misuse(("measure.reference: expected at least %d training and %d held-out pictures, "
      .. "got %d and %d"):format(M.least, M.least, count_of(train), count_of(held)))
  end
  return autograd.no_grad(function()
    local raw = all_features(train)
    ref.mean, ref.std = raw:mean(1, true), raw:std(1, true):clamp(1e-6)
    ref.train = standardised(ref, raw)
    local x = some(held, choice(count_of(held), ref.count, tensor.generator(o.seed)))
    ref.held = describe(ref, x)
    ref.small_radii = neighbours.radii(ref.held.small, NEIGHBOURS)
    local seen = standardised(ref, features.of(x))
    ref.held_nearest = neighbours.nearest(seen, ref.train, NEIGHBOURS)
    ref.spaces = { space("", seen, function(y) return y end),
      space(".fine", seen, whitening.new(ref.train)) }
    ref.floors, ref.spreads = floors(ref, train, o)
    return ref
  end)
end

local function order_of(ref)
  local names = { "swd" }
  for i, height in ipairs(ref.held.patches.heights) do names[i + 1] = "swd." .. height end
  for _, name in ipairs { "kid", "kid.fine", "density", "coverage", "coverage.fine",
    "coverage.thumbnails", "copying", "copying.distance", "diversity" } do
    names[#names + 1] = name
  end
  return names
end

---@class daub.measure.Entry
---@field metric string
---@field value number
---@field floor number
---@field spread number how much values differ from set to set of real covers: standard deviation

-- Of the pictures `first` … of a set, as many as the reference has.
local function measured(ref, painted, first)
  local places = {}
  for i = 1, ref.count do places[i] = first + i - 1 end
  local x = some(painted, places)
  local seen, found = standardised(ref, features.of(x)), by_pictures(ref, x)
  for name, value in pairs(by_features(ref, seen)) do found[name] = value end
  found.copying, found["copying.distance"] = neighbours.copying(
    neighbours.nearest(seen, ref.train, NEIGHBOURS), ref.held_nearest)
  return found
end

---Which paintings are drawn makes a difference, so the means of several times ref.count say more.
---@param ref daub.measure.Reference
---@param painted daub.Tensor f32 {N, height, width, 3}, -1 … 1, or u8; at least ref.count. Measured
--- are as many times that as there are.
---@return daub.measure.Entry[] found means over them
function M.paintings(ref, painted)
  local count = count_of(painted)
  if count < ref.count then
    options.misuse(("measure.paintings: expected at least %d pictures, got %d"):format(ref.count,
      count))
  end
  return autograd.no_grad(function()
    local lists, list = {}, {}
    for first = 1, count - ref.count + 1, ref.count do
      for name, value in pairs(measured(ref, painted, first)) do
        lists[name] = lists[name] or {}
        table.insert(lists[name], value)
      end
    end
    for i, name in ipairs(order_of(ref)) do
      list[i] = { metric = name, value = mean(lists[name]), floor = ref.floors[name],
        spread = ref.spreads[name] }
    end
    return list
  end)
end

---One number to rank checkpoints by: the geometric mean of how many times the floor swd and the
---roots of kid and kid.fine are (kid is a square), and how many times smaller coverage and
---coverage.fine are. 1 is the floor, smaller is better; no part counts for less than half, so that
---chance buys little.
---@param found daub.measure.Entry[]
---@return number score, number spread what chance adds to and takes from it: standard deviation
function M.score(found)
  local by, product, squares = {}, 1, 0
  for _, entry in ipairs(found) do by[entry.metric] = entry end
  local function count(ratio, chance)
    product = product * math.min(math.max(ratio, 0.5), 1000)
    squares = squares + chance ^ 2
  end
  count(by.swd.value / by.swd.floor, by.swd.spread / math.max(by.swd.value, by.swd.floor))
  for _, suffix in ipairs { "", ".fine" } do
    local distance, coverage = by["kid" .. suffix], by["coverage" .. suffix]
    count(math.sqrt(math.max(distance.value, 0) / distance.floor),
      distance.spread / math.max(distance.value, distance.floor) / 2)
    local covered = math.max(coverage.value, 0.001)
    count(coverage.floor / covered, coverage.spread / covered)
  end
  local score = product ^ (1 / 5)
  return score, score * math.sqrt(squares) / 5
end

return M
