-- Whether networks enlarge better than Lanczos does, on covers they never learnt from: covers are
-- shrunk, enlarged both ways and compared with what they were, by PSNR and by the sliced
-- Wasserstein distance; once shrunk cleanly, once also spoilt as in training.
--
--     local found = judge.measure(model, covers, { seed = 1 })   -- sets model.weights
--     for _, e in ipairs(found) do print(e.route, e.clean.learned.psnr, e.clean.lanczos.psnr) end
--
-- A network's weight in a place is what makes the squared error least, and less (down to 0) where
-- PSNR or the distance would be worse than Lanczos' in either case, or than those of the chain
-- without it. What networks took part in is measured with the film grain that paintings get.
local apply = require "daub.upscale.apply"
local autograd = require "daub.autograd"
local degrade = require "daub.upscale.degrade"
local image = require "daub.image"
local lanczos = require "daub.upscale.lanczos"
local random = require "daub.tensor.random"
local swd = require "daub.measure.swd"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

-- Chains of factors, and the place of each one's last step. A later one sees what the first gave.
local ROUTES = { { 4 }, { 2 }, { 4, 4 }, { 4, 2 } }
local SIZES = { { 480, 160 }, { 288, 96 }, { 192, 64 }, { 96, 32 } } -- compared at; 16 divides all
local COUNT = 32        -- covers compared
local KINDS = { "clean", "spoilt" }
local LEAST = 0.05      -- a share below is not worth a network's time
local TRIES, BACK = 5, 0.75 -- weights, each so much of the one before
local LARGEST_PSNR = 99 -- dB, of equal pictures

---Held-out pictures in one size, the largest that half of them have; at most 32 of them.
---@param pictures {path: string}[]
---@return daub.Tensor|nil covers f32 {N, height, width, 3}, -1 … 1; nil when there are not 2 of use
function M.covers(pictures)
  local found = {}
  for _, picture in ipairs(pictures) do
    if #found == COUNT or system.interrupted() then break end
    local pixels = image.load(picture.path)
    if pixels then found[#found + 1] = pixels end
  end
  for _, size in ipairs(SIZES) do
    local list, width, height = {}, size[1], size[2]
    for _, pixels in ipairs(found) do
      if pixels.shape[2] >= width and pixels.shape[1] >= height then
        list[#list + 1] = image.to_float(image.cover(pixels, width, height))
      end
    end
    if #list >= 2 and #list >= #found / 2 then return tensor.stack(list) end
  end
end

local function psnr(a, b)
  local sum = 0
  for i = 1, a.shape[1] do
    local off = (a:select(1, i) - b:select(1, i)):square():mean():item()
    sum = sum + math.min(LARGEST_PSNR, 10 * math.log10(4 / math.max(off, 1e-30)))
  end
  return sum / a.shape[1]
end

local function each(x, f)
  local list = {}
  for i = 1, x.shape[1] do list[i] = f(x:select(1, i)) end
  return tensor.stack(list)
end

-- One route and one kind of small pictures: what Lanczos makes of the last step's input and what
-- the network would add.
local function enlarged(model, route, low)
  for i = 1, #route - 1 do
    local factor = route[i]
    low = each(low, function(x)
      return apply.step(model.nets[factor], x, model.weights[i == 1 and "first" or "later"][factor])
    end)
  end
  local net = model.nets[route[#route]]
  return each(low, function(x) return apply.step(net, x, 0) end),
    each(low, function(x) return apply.added(net, x) end)
end

local function compare(y, covers, description)
  return { psnr = psnr(y, covers), swd = swd.between(swd.describe(y), description).swd }
end

-- A share of what the last network adds, with grain as paintings get it.
local function enlarged_with(case, share)
  local y = case.base + case.added * share
  for i = 1, y.shape[1] do
    apply.grain(y:select(1, i):clamp_(-1, 1), case.low:select(1, i)):clamp_(-1, 1)
  end
  return y
end

-- The share of what is added that leaves the least squared error.
local function best_share(cases, covers)
  local gain, power = 0, 0
  for _, kind in ipairs(KINDS) do
    local case = cases[kind]
    gain = gain + ((covers - case.base) * case.added):sum():item()
    power = power + case.added:square():sum():item()
  end
  local share = power > 0 and math.min(1, gain / power) or 0
  return share >= LEAST and share or 0
end

local function is_worse(a, b) return a.psnr < b.psnr or a.swd > b.swd end

-- That share or less, so that nothing is worse than Lanczos' nor than without this step's network;
-- 0 when there is none.
local function proven_share(cases, covers, description)
  local share = best_share(cases, covers)
  for _ = 1, share > 0 and TRIES or 0 do
    local worse = false
    for _, case in pairs(cases) do
      case.learned = compare(enlarged_with(case, share), covers, description)
      worse = worse or is_worse(case.learned, case.lanczos) or is_worse(case.learned, case.without)
    end
    if not worse then return share end
    share = share * BACK
  end
  return 0
end

local function measure_route(model, route, covers, description, o)
  local product = 1
  for _, factor in ipairs(route) do product = product * factor end
  local low = { clean = degrade.shrink(covers, product) }
  low.spoilt = degrade.spoil(low.clean, random.at(o.seed, product))
  if not low.spoilt then return nil end
  local cases = {}
  for _, kind in ipairs(KINDS) do
    local base, added = enlarged(model, route, low[kind])
    local case = { low = low[kind], base = base, added = added,
      lanczos = compare(lanczos(low[kind], product):clamp_(-1, 1), covers, description) }
    local begun = #route > 1 and model.weights.first[route[1]] > 0
    case.without = begun and compare(enlarged_with(case, 0), covers, description) or case.lanczos
    cases[kind] = case
  end
  local weight = proven_share(cases, covers, description)
  local entry = { route = "x" .. table.concat(route, " x"), weight = weight }
  for kind, case in pairs(cases) do
    entry[kind] = { lanczos = case.lanczos, learned = weight > 0 and case.learned or case.without }
  end
  return entry
end

---What was found as a table for people.
---@param found table[] of measure
---@return string
function M.text(found)
  local lines = { ("%-8s%-10s%6s%20s%18s"):format("", "", "weight", "PSNR, dB", "SWD") }
  for _, e in ipairs(found) do
    for _, kind in ipairs(KINDS) do
      local learned, plain = e[kind].learned, e[kind].lanczos
      lines[#lines + 1] = ("%-8s%-10s%6.2f%11.2f (%6.2f)%9.1f (%6.1f)"):format(e.route, kind,
        e.weight, learned.psnr, plain.psnr, learned.swd, plain.swd)
    end
  end
  lines[#lines + 1] = "of held-out covers; in brackets what Lanczos alone makes of them"
  return table.concat(lines, "\n")
end

---Measures every route, and sets the weights of the model by it.
---@param model daub.upscale.Model
---@param covers daub.Tensor f32 {N, height, width, 3}, -1 … 1; 16 divides both sides
---@param o {seed: integer}
---@return table[]|nil found {route, weight, clean, spoilt}, each of these {lanczos, learned} of
--- {psnr, swd}; nil when Ctrl-C came meanwhile
function M.measure(model, covers, o)
  return autograd.no_grad(function()
    local description, found = swd.describe(covers), {}
    for i, route in ipairs(ROUTES) do
      found[i] = measure_route(model, route, covers, description, o)
      if not found[i] or system.interrupted() then return nil end
      model.weights[#route == 1 and "first" or "later"][route[#route]] = found[i].weight
    end
    return found
  end)
end

return M
