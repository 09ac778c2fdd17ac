-- How the cost of a picture grows: the DCGAN's step over batches, sizes and threads. The steps of
-- an axis are done by turns, round after round, so that all meet the same neighbours.
local Step = require "daub.bench.step"
local system = require "daub.core.system"

local M = {}

local TOLERANCE = 0.05 -- of a time, for its noise
local ROUNDS = 8

-- Cells along an axis; linear(a, b): by what the time of a picture grows from one to the next when
-- it follows the work.
local axes = {
  {
    name = "batch", cells = { 8, 16, 32, 64, 128 },
    options = function(n) return { side = 64, batch = n } end,
    linear = function() return 1 end,
  },
  {
    name = "size", cells = { 32, 64, 128, 256 },
    options = function(n) return { side = n, batch = 16 } end,
    linear = function(a, b) return (b / a) ^ 2 end,
  },
  {
    name = "threads", cells = { 1, 2 },
    options = function(n) return { side = 64, batch = 64, threads = n } end,
    linear = function(a, b) return a / b end,
  },
}

local function cell(axis, n)
  local o = axis.options(n)
  local step = Step.new { recipe = "dcgan", size = { width = o.side, height = o.side },
    plain = true, set = { batch = o.batch, augment = "none" } }
  local label = axis.name == "size" and ("%dx%d"):format(n, n) or ("%s %d"):format(axis.name, n)
  return { n = n, step = step, batch = o.batch, threads = o.threads, label = label,
    seconds = math.huge, cpu = math.huge }
end

-- One step of a cell; the best times of a picture so far are kept.
local function measure(c)
  local threads = system.threads()
  system.threads(c.threads)
  local start, used = system.now(), system.cpu_time()
  c.step()
  c.seconds = math.min(c.seconds, (system.now() - start) / c.batch)
  c.cpu = math.min(c.cpu, (system.cpu_time() - used) / c.batch)
  system.threads(threads)
  collectgarbage()
end

-- Shows a cell beside the one before it.
---@return boolean straight
local function show(session, axis, c, before)
  local values = { name = ("growth.%s.%d"):format(axis.name, c.n), seconds_per_image = c.seconds,
    cpu_seconds_per_image = c.cpu, batch = c.batch }
  local words = ""
  if before then
    values.growth, values.linear = c.seconds / before.seconds, axis.linear(before.n, c.n)
    values.straight = values.growth <= values.linear * (1 + TOLERANCE)
    words = (" %8.2fx %8.2fx  %s"):format(values.growth, values.linear,
      values.straight and "linear or better" or "WORSE than linear")
  end
  session.report:say(("%-20s %11.3f ms %11.3f ms%s"):format(c.label, c.seconds * 1e3, c.cpu * 1e3,
    words))
  session:event(values)
  return values.straight ~= false
end

---Shows a table for each axis: wall and processor time of a picture, by what it grows, by what it
---would grow with the work.
---@param session daub.bench.Session
---@return boolean straight every step along every axis is linear or better
function M.run(session)
  local straight = true
  for _, axis in ipairs(axes) do
    local cells = {}
    for i, n in ipairs(axis.cells) do
      cells[i] = cell(axis, n)
      measure(cells[i])
      cells[i].seconds, cells[i].cpu = math.huge, math.huge -- that was to warm up
    end
    for round = 1, session.repeats or ROUNDS do
      session.report:progress(("growth over %s, round %d"):format(axis.name, round))
      for _, c in ipairs(cells) do measure(c) end
    end
    session.report:say(("\n%-20s %14s %14s %9s %9s"):format("dcgan over " .. axis.name,
      "a picture", "processor", "growth", "linear"))
    for i, c in ipairs(cells) do
      straight = show(session, axis, c, cells[i - 1]) and straight
    end
  end
  session.report:say(straight and "\nno step is worse than linear"
    or "\nsome steps are worse than linear (or the machine has more to do)")
  return straight
end

return M
