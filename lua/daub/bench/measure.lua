-- Timing: best and median of several runs, and the machine's own peaks to judge them by.
local A = require "daub.core.array"
local C = require "daub.core.conv"
local system = require "daub.core.system"

local M = {}

local MOST = 1000 -- runs of one piece of work

---@class daub.bench.Times
---@field best number seconds
---@field median number seconds
---@field samples number[] sorted
---@field cpu number? seconds of processor time, all threads together, of the run that took least

---Puts samples (seconds) in order.
---@param samples number[]
---@return daub.bench.Times
function M.times(samples)
  table.sort(samples)
  return { best = samples[1], median = samples[math.ceil(#samples / 2)], samples = samples }
end

---Runs f once to warm up, then `repeats` times, or as often as fits into `seconds`.
---@param f fun()
---@param o {repeats: integer?, seconds: number?, between: fun()?} between is called before every
--- run and not timed
---@return daub.bench.Times
function M.run(f, o)
  f()
  local samples, cpu, spent = {}, math.huge, 0
  local most, between = o.repeats or MOST, o.between
  while #samples < most and (o.repeats or #samples == 0 or spent < o.seconds) do
    if between then between() end
    local start, used = system.now(), system.cpu_time()
    f()
    local seconds = system.now() - start
    samples[#samples + 1], spent = seconds, spent + seconds
    cpu = math.min(cpu, system.cpu_time() - used)
  end
  local times = M.times(samples)
  times.cpu = cpu
  return times
end

---Floating-point operations a second in registers, with as many threads as are in use: the best of
---`bursts` bursts of a millisecond or less.
---@param bursts integer
---@return number
function M.peak(bursts)
  local best = 0
  for _ = 1, bursts do
    local start = system.now()
    local operations = C.peak(20000)
    best = math.max(best, operations / (system.now() - start))
  end
  return best
end

local COPIED = 16 * 2 ^ 20 -- numbers

---Bytes read and written a second by copying 64 MiB, the best of `repeats`.
---@param repeats integer
---@return number
function M.bandwidth(repeats)
  local from, to = A.full({ COPIED }, 1, "f32"), A.full({ COPIED }, 0, "f32")
  local times = M.run(function() A.copy_(to, from) end, { repeats = repeats })
  return 2 * 4 * COPIED / times.best
end

return M
