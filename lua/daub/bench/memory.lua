-- Memory of whole steps and of painting, each in a process of its own: arrays, all of the process,
-- and what is asked of the system once the first steps are done.
local Step = require "daub.bench.step"
local alone = require "daub.bench.alone"
local daub = require "daub"
local json = require "daub.json"
local paint = require "daub.bench.paint"
local progress = require "daub.progress"
local steps = require "daub.bench.steps"
local system = require "daub.core.system"

local M = {}

local STEPS = 4

-- A few steps of training, and what the system is asked for in each once the first two are done.
local function train(name)
  local step = Step.new(steps.find(name))
  step()
  step()
  local settled = system.memory().system_calls
  for _ = 1, STEPS do step() end
  return (system.memory().system_calls - settled) / STEPS
end

---Trains or paints a little and prints what memory that took, one JSON object: to be called in a
---process that does nothing else.
---@param what "step"|"paint"
---@param name string of a step
---@param threads integer
---@param exact boolean as daub.exact takes it
---@param precision string as daub.precision takes it
function M.alone(what, name, threads, exact, precision)
  system.threads(threads)
  daub.exact(exact)
  daub.precision(precision)
  local before, calls = system.memory().peak_rss, nil
  if what == "paint" then paint.try(name) else calls = train(name) end
  print(json.encode { peak_bytes = system.memory().peak, peak_rss_bytes = system.memory().peak_rss,
    idle_bytes = before, system_calls_per_step = calls })
end

---What a step of training, or painting with its generator, takes in a process of its own that
---computes as this one does.
---@param what "step"|"paint" 64 small pictures at once and a cover
---@param name string of a step
---@return {peak_bytes: number, peak_rss_bytes: number, idle_bytes: number,
--- system_calls_per_step: number|nil}
function M.of(what, name)
  local code = ("require('daub.bench.memory').alone(%q, %q, %d, %s, %q)"):format(what, name,
    system.threads(), daub.exact(), daub.precision())
  return alone(code)
end

local function entry(name, what, step)
  return { name = name, measure = function(session)
    local values = M.of(what, step)
    session.report:say(("%-38s %11s of arrays, %s in all (%s before%s)"):format(name,
      progress.bytes(values.peak_bytes), progress.bytes(values.peak_rss_bytes),
      progress.bytes(values.idle_bytes), values.system_calls_per_step
      and ("; %g blocks a step from the system"):format(values.system_calls_per_step) or ""))
    values.name = name
    session:event(values)
  end }
end

---@return daub.bench.Entry[]
function M.list()
  local list = {}
  for _, o in ipairs(steps.steps) do
    list[#list + 1] = entry("memory." .. o.name, "step", o.name)
  end
  for _, name in ipairs(paint.painters) do
    list[#list + 1] = entry("memory." .. name:gsub("%.step$", ".paint"), "paint", name)
  end
  return list
end

return M
