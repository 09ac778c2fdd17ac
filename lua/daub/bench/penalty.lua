-- What the gradient penalty adds to a step of a steady critic's training: without it, by the exact
-- pass and by its definition, by turns, round after round, so that all meet the same neighbours.
local Step = require "daub.bench.step"
local measure = require "daub.bench.measure"
local penalty = require "daub.learn.penalty"
local system = require "daub.core.system"

local M = {}

local ROUNDS = 8

local cases = {
  { recipe = "tiny", size = { width = 96, height = 32 }, batch = 32 },
  { recipe = "lite", size = { width = 192, height = 64 }, batch = 16 },
}

-- Runs f with the exact pass allowed or not.
local function with(allowed, f)
  local knows = penalty.knows
  if not allowed then penalty.knows = function() return false end end
  local ok, message = pcall(f)
  penalty.knows = knows
  if not ok then error(message, 0) end
end

local function variant(case, name, strength, allowed)
  local step = Step.new { recipe = case.recipe, size = case.size,
    set = { batch = case.batch, flavour = "steady", penalty = strength } }
  return { name = name, samples = {}, cpu = math.huge,
    run = function() with(allowed, step) end }
end

local function compare(session, name, case)
  local variants = { variant(case, "none", 0, true), variant(case, "exact", 1, true),
    variant(case, "plain", 1, false) }
  for round = 0, session.repeats or ROUNDS do -- the first is to warm up
    for _, v in ipairs(variants) do
      collectgarbage()
      local begun, used = system.now(), system.cpu_time()
      v.run()
      if round > 0 then
        table.insert(v.samples, system.now() - begun)
        v.cpu = math.min(v.cpu, system.cpu_time() - used)
      end
    end
  end
  for _, v in ipairs(variants) do
    local times, ratio = measure.times(v.samples), v.cpu / variants[1].cpu
    times.cpu = v.cpu
    session:row { name = name .. "." .. v.name, times = times, pictures = case.batch,
      batch = case.batch, words = ("  %.3f of none's processor time"):format(ratio),
      more = { ratio_cpu = ratio } }
  end
end

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  for _, case in ipairs(cases) do
    local name = ("penalty.%dx%d"):format(case.size.width, case.size.height)
    list[#list + 1] = { name = name, measure = function(s) compare(s, name, case) end }
  end
  return list
end

return M
