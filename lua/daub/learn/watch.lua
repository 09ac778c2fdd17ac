-- Whether a run paints better or worse than before: what the averaged generator paints from the
-- run's fixed latents is measured by held-out covers (daub.measure); the best three are remembered,
-- and a collapse is noticed.
--
--     local watch = Watch.new { average = average, learnt = dataset, held = held_out, seed = 1,
--       latent = 128 }
--     local seen = watch:look(step, share)      -- the average is settled
--     seen.line, seen.metrics, seen.floors, seen.score, seen.best, seen.trouble
--
-- Trouble is (research on collapse: the spread of a generator that always paints the same was a
-- tenth of the covers'; of one that is well, coverage goes up and down by a tenth):
-- * paintings that are not numbers;
-- * paintings whose spread (standard deviation over the pictures, mean over places) is less than a
--   fifth of the held-out covers', or coverage below half of its best (once that was .2), in two
--   measurements one after the other. Not in the first tenth of a run, when nothing is painted well
--   yet.
local image = require "daub.image"
local measure = require "daub.measure"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local AT_ONCE = 64    -- paintings
local AT_MOST = 512   -- paintings measured
local BEST = 3        -- remembered
local START = 0.1     -- of the run, in which only numbers that are none are trouble
local ALIKE = 0.2     -- of the covers' spread
local LOST = 0.5      -- of the best coverage, once that is
local COVERED = 0.2   -- this much
local IN_A_ROW = 2    -- measurements
local COPIES = -3     -- C_T below which paintings are like copies
local SHOWN = { swd = true, kid = true, coverage = true, diversity = true, copying = true }

---@class daub.learn.Watch
---@field last integer step of the last measurement, 0 before
---@field good integer step of the last measurement without a sign of trouble; where the run (or
--- its training on other pictures) began before there is one
---@field best {step: integer, score: number}[] the best first
local Watch = {}
Watch.__index = Watch

---@class daub.learn.WatchOptions
---@field average daub.learn.Average
---@field learnt daub.core.Dataset
---@field held daub.core.Dataset pictures that are not learnt from
---@field latents fun(count: integer): daub.Tensor always the same for the same count

---@param o daub.learn.WatchOptions
---@return daub.learn.Watch
function Watch.new(o)
  return setmetatable({ o = o }, Watch):begin(0)
end

---Forgets what was measured; from `step` on other pictures count.
---@param step integer
---@return daub.learn.Watch itself
function Watch:begin(step)
  self.former = {}
  for i, entry in ipairs(self.best or {}) do self.former[i] = entry.step end
  self.last, self.good, self.best, self.coverage, self.low = step, step, {}, 0, 0
  return self
end

---What a checkpoint keeps of it.
function Watch:state()
  return { last = self.last, good = self.good, best = self.best, coverage = self.coverage,
    low = self.low, former = self.former }
end

function Watch:load_state(state)
  for _, name in ipairs { "last", "good", "coverage", "low", "former" } do
    self[name] = state[name]
  end
  self.best = {}
  for i, entry in ipairs(state.best) do
    self.best[i] = { step = entry.step, score = entry.score }
  end
end

---Steps whose checkpoints are kept beside the best.
---@return integer[]
function Watch:kept()
  local list = { self.good }
  for _, step in ipairs(#self.best < BEST and self.former or {}) do list[#list + 1] = step end
  return list
end

---Where to go back to after a collapse: to the newest of the best, or to where it began.
---@return integer step
function Watch:refuge()
  local newest
  for _, entry in ipairs(self.best) do newest = math.max(newest or 0, entry.step) end
  return newest or self.good
end

local function spread(x) return x:std(1, false, { correction = 0 }):mean():item() end

-- Some hundred of a dataset's pictures: f32.
local function pictures(dataset, count)
  local list = {}
  for i = 1, math.min(count, dataset:info().count) do
    list[i] = tensor.wrap(dataset:picture(i))
  end
  return image.to_float(tensor.stack(list))
end

-- Paintings to be measured; nil after Ctrl-C.
local function paint(self, count)
  local z, list = self.o.latents(count), {}
  for first = 1, count, AT_ONCE do
    if system.interrupted() then return nil end
    list[#list + 1] = self.o.average:paint(z:narrow(1, first, math.min(AT_ONCE, count - first + 1)))
  end
  return tensor.cat(list, 1)
end

local function remember(self, step, score)
  local best = self.best
  best[#best + 1] = { step = step, score = score }
  table.sort(best, function(a, b)
    return a.score < b.score or a.score == b.score and a.step > b.step
  end)
  best[BEST + 1] = nil
end

-- Signs of trouble in a measurement, as words; nil when it is in order.
local function sign(self, coverage, painted)
  if spread(painted) < ALIKE * self.spread then return "it paints the same again and again" end
  if self.coverage >= COVERED and coverage < LOST * self.coverage then
    return ("coverage fell from %.2g to %.2g"):format(self.coverage, coverage)
  end
end

local function line(seen, found)
  local list = {}
  for _, entry in ipairs(found) do
    if entry.metric == "copying" then
      list[#list + 1] = entry.value >= COPIES and "no copying"
        or ("nearer to what is learnt from than other covers are (C_T %.1f)"):format(entry.value)
    elseif SHOWN[entry.metric] then
      list[#list + 1] = ("%s %.3g (%.3g)"):format(entry.metric, entry.value, entry.floor)
    end
  end
  return ("%s; %.3g times the floor%s"):format(table.concat(list, ", "), seen.score,
    seen.best and ", the best so far" or "")
end

---Makes what paintings are measured against, once: `look` would do it too.
function Watch:prepare()
  if self.reference then return end
  local o = self.o
  self.reference = measure.reference(o.learnt, o.held, { count = AT_MOST })
  self.spread = spread(pictures(o.held, AT_MOST))
end

---@class daub.learn.Seen
---@field metrics table<string, number>
---@field floors table<string, number>
---@field score number as daub.measure.score has it: 1 at the floor, larger is worse
---@field best boolean the best of all so far
---@field line string for people
---@field trouble string|nil why the run should go back
---@field to integer|nil the step it should go back to

---Measures what the settled average paints.
---@param step integer
---@param share number of the run that is done
---@return daub.learn.Seen|nil seen nil after Ctrl-C: nothing was measured
function Watch:look(step, share)
  self:prepare()
  local painted = paint(self, self.reference.count)
  if not painted then return nil end
  self.last = step
  if painted:isfinite():all():item() == 0 then
    return { trouble = "what is painted is not a number", to = self.good }
  end
  local found = measure.paintings(self.reference, painted)
  local seen = { metrics = {}, floors = {}, score = measure.score(found), best = false }
  for _, entry in ipairs(found) do
    seen.metrics[entry.metric], seen.floors[entry.metric] = entry.value, entry.floor
  end
  local why = sign(self, seen.metrics.coverage, painted)
  self.low = why and self.low + 1 or 0
  if self.low >= IN_A_ROW and share > START then seen.trouble, seen.to = why, self:refuge() end
  if not why then
    self.good = step
    self.coverage = math.max(self.coverage, seen.metrics.coverage)
    remember(self, step, seen.score)
    seen.best = self.best[1].step == step
  end
  seen.line = line(seen, found)
  return seen
end

return Watch
