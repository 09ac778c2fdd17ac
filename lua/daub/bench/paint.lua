-- Painting: time a picture, from latent to pixels and to the bytes of a cover, for every size the
-- bundled networks are made for.
local Step = require "daub.bench.step"
local Model = require "daub.upscale.model"
local apply = require "daub.upscale.apply"
local autograd = require "daub.autograd"
local conditions = require "daub.learn.conditions"
local image = require "daub.image"
local sample = require "daub.paint.sample"
local sizes = require "daub.sizes"
local steps = require "daub.bench.steps"
local tensor = require "daub.tensor"
local trace = require "daub.bench.trace"
local upscale = require "daub.upscale.network"

local M = {}

-- Training steps whose generators paint here.
M.painters = { "dcgan64.step", "tiny.96x32.step", "lite.192x64.step", "base.192x64.step",
  "lite.384x128.step" }

-- The generator of a step's options in eval mode, and how many numbers it paints from: the latent
-- and what it is told of the picture.
local function generator(o)
  local step = Step.new { recipe = o.recipe, size = o.size, set = { batch = 1 }, plain = true }
  local s = step.settings
  return step.generator:eval(), s.latent + conditions.width(s.condition)
end

-- paint(network, numbers it paints from) is one run.
local function entry(name, o, pictures, paint)
  local network, numbers
  local e = { name = name, pictures = pictures, batch = pictures, seconds = 1 }
  function e.prepare()
    network, numbers = generator(o)
    e.flops = trace.run(e.run)
  end
  function e.run() paint(network, numbers) end
  function e.finish() network = nil end
  return e
end

-- What a learnt enlarger of the usual size takes for one picture; weights do not matter for that.
local function enlarging(from, to)
  local enlarger, pixels
  local e = { name = ("paint.upscale.%dx%d.%dx%d"):format(from.width, from.height, to.width,
    to.height), pictures = 1, batch = 1, seconds = 1 }
  function e.prepare()
    local model = Model.new(upscale.defaults)
    for _, weights in pairs(model.weights) do
      for _, factor in ipairs(upscale.factors) do weights[factor] = 1 end
    end
    enlarger, pixels = apply.learned(model), tensor.zeros { from.height, from.width, 3 }
    e.flops = trace.run(e.run)
  end
  function e.run() enlarger:enlarge(pixels, to.width, to.height) end
  function e.finish() enlarger = nil end
  return e
end

-- As `daub paint` does it, one after the other.
local function cover(network, numbers)
  local x = sizes.networks.x
  local pixels = apply.lanczos():enlarge(
    sample.paint(network, sample.latent(1, 1, numbers)), x.width, x.height)
  assert(image.encode_within(pixels, "jpeg", x.max_bytes))
end

local function one(network, numbers) sample.paint(network, sample.latent(1, 1, numbers)) end

local function many(network, numbers)
  autograd.no_grad(function() network(tensor.randn { 64, numbers }) end)
end

---Paints a few times what a painter's benchmarks paint, so that its memory can be looked at.
---@param name string one of M.painters
function M.try(name)
  local network, numbers = generator(steps.find(name))
  for _ = 1, 3 do
    many(network, numbers)
    cover(network, numbers)
  end
end

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  for _, name in ipairs(M.painters) do
    local o = steps.find(name)
    local label = name:gsub("%.step$", "")
    list[#list + 1] = entry(("paint.%s.one"):format(label), o, 1, one)
    list[#list + 1] = entry(("paint.%s.64"):format(label), o, 64, many)
    list[#list + 1] = entry(("paint.%s.cover"):format(label), o, 1, cover)
  end
  local small = { width = 192, height = 64 }
  list[#list + 1] = enlarging(small, sizes.networks.x)
  list[#list + 1] = enlarging(small, sizes.networks.bluesky)
  return list
end

return M
