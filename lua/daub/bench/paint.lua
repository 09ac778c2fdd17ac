-- Painting: pictures a second, from latent to pixels and to the bytes of a cover.
local Step = require "daub.bench.step"
local apply = require "daub.upscale.apply"
local autograd = require "daub.autograd"
local sample = require "daub.paint.sample"
local sizes = require "daub.paint.sizes"
local steps = require "daub.bench.steps"
local tensor = require "daub.tensor"
local trace = require "daub.bench.trace"

local M = {}

-- The generator of a step's options in eval mode, and the length of its latents.
local function generator(o)
  local step = Step.new { recipe = o.recipe, size = o.size, set = { batch = 1 }, plain = true }
  return step.generator:eval(), step.settings.latent
end

-- paint(network, latent length) is one run.
local function entry(name, o, pictures, paint)
  local network, latent
  local e = { name = name, pictures = pictures, batch = pictures, seconds = 1 }
  function e.prepare()
    network, latent = generator(o)
    e.flops = trace.run(e.run)
  end
  function e.run() paint(network, latent) end
  function e.finish() network = nil end
  return e
end

-- As `daub paint` does it, one after the other.
local function cover(network, latent)
  local x = sizes.networks.x
  local pixels = apply.lanczos():enlarge(
    sample.paint(network, sample.latent(1, 1, latent)), x.width, x.height)
  assert(sample.encode(pixels, "jpeg", x.max_bytes))
end

local function one(network, latent) sample.paint(network, sample.latent(1, 1, latent)) end

local function many(network, latent)
  autograd.no_grad(function() network(tensor.randn { 64, latent }) end)
end

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  for _, name in ipairs { "dcgan64.step", "lite.192x64.step" } do
    local o = steps.find(name)
    local label = name:gsub("%.step$", "")
    list[#list + 1] = entry(("paint.%s.one"):format(label), o, 1, one)
    list[#list + 1] = entry(("paint.%s.64"):format(label), o, 64, many)
  end
  list[#list + 1] = entry("paint.lite.192x64.cover", steps.find("lite.192x64.step"), 1, cover)
  return list
end

return M
