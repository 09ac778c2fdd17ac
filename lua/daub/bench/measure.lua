-- Timing: best and median of several runs, and the machine's own peaks to judge them by.
local A = require "daub.core.array"
local C = require "daub.core.conv"
local system = require "daub.core.system"

local M = {}

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

---Runs f once to warm up, then `repeats` times.
---@param f fun()
---@param repeats integer
---@param between fun()? called before every run, not timed
---@return daub.bench.Times
function M.run(f, repeats, between)
  f()
  local samples, cpu = {}, math.huge
  for i = 1, repeats do
    if between then between() end
    local start, used = system.now(), system.cpu_time()
    f()
    samples[i] = system.now() - start
    cpu = math.min(cpu, system.cpu_time() - used)
  end
  local times = M.times(samples)
  times.cpu = cpu
  return times
end

---Floating-point operations a second in registers, with as many threads as are in use: the best of
---`bursts` bursts of a few milliseconds.
---@param bursts integer?
---@return number
function M.peak(bursts)
  local best = 0
  for _ = 1, bursts or 25 do
    local start = system.now()
    local operations = C.peak(20000)
    best = math.max(best, operations / (system.now() - start))
  end
  return best
end

---Bytes read and written a second by copying 64 MiB, the best of ten.
---@return number
function M.bandwidth()
  local count = 16 * 2 ^ 20
  local from, to = A.full({ count }, 1, "f32"), A.full({ count }, 0, "f32")
  local times = M.run(function() A.copy_(to, from) end, 10)
  return 2 * 4 * count / times.best
end

return M
