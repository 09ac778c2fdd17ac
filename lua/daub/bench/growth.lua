-- How the cost of a picture grows: the DCGAN's step over batches, sizes and threads.
local Step = require "daub.bench.step"
local system = require "daub.core.system"

local M = {}

local TOLERANCE = 0.05 -- of a time, for its noise

-- Steps along one axis; work: what a picture costs more, when it grows straight.
local axes = {
  { name = "batch", cells = { 8, 16, 32, 64, 128 }, work = function() return 1 end,
    step = function(n) return { width = 64, height = 64 }, n end,
    label = function(n) return "batch " .. n end },
  { name = "size", cells = { 32, 64, 128, 256 }, work = function(a, b) return (b / a) ^ 2 end,
    step = function(n) return { width = n, height = n }, 16 end,
    label = function(n) return ("%dx%d"):format(n, n) end },
  { name = "threads", cells = { 1, 2 }, work = function(a, b) return a / b end,
    step = function() return { width = 64, height = 64 }, 64 end,
    label = function(n) return n == 1 and "1 thread" or n .. " threads" end },
}

-- The best time of a picture.
local function cell(session, axis, n)
  local size, batch = axis.step(n)
  local before = system.threads()
  if axis.name == "threads" then system.threads(n) end
  local step = Step.new { recipe = "dcgan", size = size, plain = true,
    set = { batch = batch, augment = "none" } }
  local times = session:time(function() step() end, { seconds = 2 })
  system.threads(before)
  return times.best / batch
end

---Shows a table for each axis, and whether each step along it costs at most what the work does.
---@param session daub.bench.Session
---@return boolean straight every step of every axis is linear or better
function M.run(session)
  local report, straight = session.report, true
  for _, axis in ipairs(axes) do
    report:say(("\n%-38s %14s %9s %9s"):format("dcgan step over " .. axis.name, "time a picture",
      "growth", "linear"))
    local before, last
    for _, n in ipairs(axis.cells) do
      report:progress(axis.label(n))
      local seconds = cell(session, axis, n)
      collectgarbage()
      local values = { name = ("growth.%s.%d"):format(axis.name, n), seconds_per_image = seconds }
      local words = ""
      if before then
        local linear = axis.work(last, n)
        values.growth, values.linear = seconds / before, linear
        values.straight = values.growth <= linear * (1 + TOLERANCE)
        straight = straight and values.straight
        words = (" %8.2fx %8.2fx  %s"):format(values.growth, linear,
          values.straight and "linear or better" or "WORSE than linear")
      end
      report:say(("%-38s %11.3f ms%s"):format(axis.label(n), seconds * 1e3, words))
      session:event(values)
      before, last = seconds, n
    end
  end
  return straight
end

return M
