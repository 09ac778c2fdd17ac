-- Whole training steps of the bundled recipes, and where their time goes.
local Step = require "daub.bench.step"
local profile = require "daub.bench.profile"
local trace = require "daub.bench.trace"

local M = {}

local function size(width, height) return { width = width, height = height } end

-- dcgan64 is the step PyTorch's tutorial has, which tests/bench repeats there: batch 64, Adam,
-- no augmentation, no average. The others are what `daub train` does by default.
M.steps = {
  { name = "dcgan64.step", recipe = "dcgan", size = size(64, 64), plain = true,
    set = { batch = 64, augment = "none" } },
  { name = "tiny.96x32.step", recipe = "tiny", size = size(96, 32), set = { batch = 32 } },
  { name = "lite.96x32.step", recipe = "lite", size = size(96, 32), set = { batch = 32 } },
  { name = "lite.192x64.step", recipe = "lite", size = size(192, 64), set = { batch = 32 } },
  { name = "lite.192x64.b16.step", recipe = "lite", size = size(192, 64), set = { batch = 16 } },
  { name = "base.192x64.step", recipe = "base", size = size(192, 64), set = { batch = 32 } },
  { name = "lite.384x128.step", recipe = "lite", size = size(384, 128), set = { batch = 32 } },
}

---The options of a step by its name.
---@param name string
---@return daub.bench.StepOptions|nil
function M.find(name)
  for _, o in ipairs(M.steps) do
    if o.name == name then return o end
  end
end

---@param o daub.bench.StepOptions
---@return daub.bench.Entry
local function entry(o)
  local step
  local e = { name = o.name, batch = o.set.batch, pictures = o.set.batch, seconds = 4 }
  function e.prepare()
    step = Step.new(o)
    e.flops = trace.run(step)
  end
  function e.run() step() end
  function e.finish() step = nil end
  return e
end

-- Shares of a step: convolutions and other products, the core's other work, everything outside it.
local function shares(o)
  local e = { name = o.name:gsub("%.step$", ".shares") }
  function e.measure(session)
    local step = Step.new(o)
    step()
    local best
    for _ = 1, session.repeats or 5 do
      local p = profile.run(step)
      if not best or p.seconds < best.seconds then best = p end
    end
    session:shares(e.name, best)
  end
  return e
end

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  for _, o in ipairs(M.steps) do list[#list + 1] = entry(o) end
  for _, name in ipairs { "dcgan64.step", "lite.192x64.step" } do
    list[#list + 1] = shares(M.find(name))
  end
  return list
end

return M
