-- What surrounds the steps of a training loop: pace, noise, reports, samples, measurements,
-- checkpoints, the way back. The loop itself stands in scripts/train.lua:
--
--     local session = trainer.start { run = r, report = report, steps = 20000, … }
--     while session:continues() do
--       … one step, with session.step, session.share, session:noise() and session:batch() …
--       session:stepped { critic = d_loss, generator = g_loss }
--     end
--     session:finish()
--
-- All that is random depends on the run's seed and the step's number alone, so a run that was
-- stopped goes on bit for bit as if it never had been. Ctrl-C is held while a step runs and
-- obeyed between two.
--
-- Fifty times a run the averaged paintings are measured (watch.lua). A run whose losses or
-- paintings are no numbers, or whose paintings collapse, goes back to a checkpoint that was in
-- order and on from there with half the learning rates.
local Pace = require "daub.learn.pace"
local Watch = require "daub.learn.watch"
local catalogue = require "daub.looks.catalogue"
local conditions = require "daub.learn.conditions"
local core = require "daub.core.array"
local daub = require "daub"
local image = require "daub.image"
local options = require "daub.options"
local progress = require "daub.progress"
local random = require "daub.tensor.random"
local system = require "daub.core.system"
local tensor = require "daub.tensor"

local M = {}

local LOG_EVERY = 10      -- seconds between two lines of log.jsonl
local GRID = { columns = 4, rows = 8 }
local SETTLED = 512       -- latents that measured and last paintings' statistics are taken over
local SKETCHED = 128      -- and those of what is saved in between
local SETBACKS = 5        -- times a run goes back at most
local FEWEST_STEPS = 20   -- between two measurements
local SLOWER = 1.25       -- times the plan's seconds, from which that is said
local COST = 2            -- seconds of measuring, until it is known
local SHARE_OF_TIME = 0.05 -- that measuring takes of a run that is timed, at most

-- Random numbers of a run: one stream per purpose, a place in it per step.
local STREAMS = { noise = 1, grid = 2, settle = 3, watch = 4 }
local APART = 2 ^ 24 -- numbers between the places of two steps

---@class daub.learn.Session
---@field step integer the step that is being done, from 1
---@field share number how much of the run lies before this step, 0 … 1, in steps or in time
---@field done integer steps that are done
---@field pace daub.learn.Pace
---@field interrupted boolean Ctrl-C ended the loop
---@field sampled string|nil path of the last sample grid
local Session = {}
Session.__index = Session

-- N(0, 1) of `shape` that depends on (seed, stream, place).
local function normal(seed, stream, place, shape)
  local generator = random.at(seed * 8 + STREAMS[stream], place * APART)
  return tensor.wrap(core.normal(generator, shape, "f32"))
end

-- Numbers 0 … 1 of `shape`, far from the normal ones of the same place.
local function dice(seed, stream, place, shape)
  local generator = random.at(seed * 8 + STREAMS[stream], (place + 0.5) * APART)
  return tensor.wrap(core.uniform(generator, shape, "f32"))
end

-- Seconds spent on the steps up to `step`, from the log.
local function seconds_before(run, step)
  local seconds = 0
  for _, entry in ipairs(run:entries()) do
    if entry.step and entry.step <= step and entry.seconds then seconds = entry.seconds end
  end
  return seconds
end

---@class daub.learn.SessionOptions
---@field run daub.learn.Run
---@field report daub.progress.Reporter
---@field dataset daub.core.Dataset
---@field dataset_path? string its file, for the log
---@field held_out? daub.core.Dataset pictures that are not learnt from: measured by, if any
---@field average daub.learn.Average
---@field optimisers daub.Optimiser[] whose learning rates are the run's
---@field state table<string, table> what a checkpoint holds, each with state() and load_state()
---@field seed integer
---@field settings table of the run (settings.lua): batch, latent, zoom, mirror, condition, decay,
--- measure and passes
---@field steps? integer train until this step, whatever settings.passes says; or until
---@field minutes? number so much time was spent on steps, earlier sessions included
---@field plan? daub.learn.Plan what is expected
---@field save_every number minutes between checkpoints, 0 saves after every step

-- How often the run was given other pictures.
local function switches(run) return #(run.options.history or {}) end

-- What a checkpoint holds.
local function own_state(self)
  return { setbacks = self.setbacks, switches = switches(self.o.run),
    watch = self.watch and self.watch:state() }
end
local function state_of(self)
  local state = { step = self.done, random = daub.rng_state(), session = own_state(self) }
  for name, object in pairs(self.o.state) do state[name] = object:state() end
  return state
end

-- Takes over what a checkpoint holds.
local function restore(self, before)
  local o, mine = self.o, before.session or { setbacks = 0 }
  for name, object in pairs(o.state) do object:load_state(before[name]) end
  daub.set_rng_state(before.random)
  self.done, self.saved, self.settled = before.step, before.step, nil
  self.setbacks = mine.setbacks
  if before.step > 0 then self.sampled = o.run:sample_path(before.step) end
  local same = mine.switches == switches(o.run)
  if not same then self.setbacks = 0 end
  if self.watch then
    if mine.watch then self.watch:load_state(mine.watch) end
    if not (mine.watch and same) then self.watch:begin(before.step) end
  end
end

-- Real pictures from the step after those that are done.
local function open_loader(self)
  if self.loader then self.loader:close() end
  local s = self.o.settings
  self.loader = self.o.dataset:loader { batch = s.batch, seed = self.o.seed, start = self.done,
    zoom = s.zoom, mirror = s.mirror == 1 }
end

local function write_checkpoint(self, state)
  local watch = self.watch
  local path, message = self.o.run:save(self.done, state, watch and watch.best,
    watch and watch:kept())
  if not path then error("train: " .. message, 0) end
  self.saved, self.saved_at = self.done, system.now()
  return path
end

-- What was expected of the run when it began; nil when nothing was.
local function planned(run)
  local plan
  for _, entry in ipairs(run:entries()) do
    if entry.event == "plan" then plan = entry end
  end
  return plan
end

local function new_watch(self)
  local o = self.o
  if o.settings.measure == 0 then return nil end
  if not o.held_out then
    o.report:note(("%d pictures are too few to hold some out: the paintings will not be measured")
      :format(o.dataset:info().count))
    return nil
  end
  return Watch.new { average = o.average, learnt = o.dataset, held = o.held_out,
    latents = function(count) return self:latents("watch", 0, count) end }
end

-- What the pictures learnt from look like, for a run that is told.
local function look_at_pictures(self)
  local o = self.o
  if conditions.width(o.settings.condition) == 0 then return true end
  local looks, message, code = catalogue.open(o.dataset, o.dataset_path, function(done, count)
    o.report:progress(("looking at pictures: %d of %d"):format(done, count), done / count)
  end)
  if not looks then return nil, message, code end
  self.conditions = conditions.new(o.settings.condition, looks)
  o.state.conditions = self.conditions
  return true
end

-- Steps after which settings.passes are done; nil where they are no end.
local function steps_of_passes(o)
  local s = o.settings
  return s.passes > 0 and math.ceil(s.passes * o.dataset:info().count / s.batch) or nil
end

---@param o daub.learn.SessionOptions
---@return daub.learn.Session|nil session, string? message, string? code
function M.start(o)
  local self = setmetatable({ o = o, step = 1, share = 0, done = 0, setbacks = 0,
    interrupted = false, rates = {}, sums = {}, cost = COST }, Session)
  for i, optimiser in ipairs(o.optimisers) do self.rates[i] = optimiser.options.lr end
  local ok, message, code = look_at_pictures(self)
  if not ok then return nil, message, code end
  self.watch = new_watch(self)
  local before
  before, message, code = o.run:load()
  if not before and message then return nil, message, code end
  if before then restore(self, before) else write_checkpoint(self, state_of(self)) end
  open_loader(self)
  self.pace = Pace.new { steps = o.steps or steps_of_passes(o), minutes = o.minutes,
    before = seconds_before(o.run, self.done) + (o.plan and o.plan.spent or 0) }
  self.logged = { time = system.now(), step = self.done, aside = 0 }
  self.saved_at, self.measured_at = self.logged.time, self.pace:seconds()
  o.run:log { event = "start", step = self.done, dataset = o.dataset_path,
    pictures = o.dataset:info().count,
    held_out = o.held_out and o.held_out:info().count or 0, steps = o.steps, minutes = o.minutes,
    save_every = o.save_every, threads = system.info().threads }
  if o.plan then o.run:log(o.plan) end
  self.plan = o.plan or planned(o.run)
  system.hold_interrupts(true)
  return self
end

---What learning rates are multiplied with: 1, and in the last `decay` of the run half a cosine
---that ends at 0.
---@param share number of the run that is done, 0 … 1
---@param decay number share of the run, 0 … 1
---@return number
function M.fallen(share, decay)
  local left = 1 - share
  if left >= decay then return 1 end
  return (1 - math.cos(math.pi * left / decay)) / 2
end

-- Steps between two measurements of a run that ends by steps.
local function every(o)
  return math.max(FEWEST_STEPS, math.floor(o.steps * o.settings.measure + 0.5))
end

-- Whether the paintings should be measured before the next step. By steps where they end the run,
-- so that it can be repeated; else by time.
local function is_due(self, ended)
  local o, watch = self.o, self.watch
  if not watch or self.done == 0 or watch.last == self.done then return false end
  if ended then return true end
  if not o.minutes then return self.done % every(o) == 0 end
  local pause = math.max(o.minutes * 60 * o.settings.measure, self.cost / SHARE_OF_TIME)
  return self.pace:seconds() - self.measured_at >= pause
end

-- Whether no further step is to be done; a last measurement has its time.
local function is_over(self)
  return self.pace:ended(self.done, self.watch and self.watch.last ~= self.done and self.cost)
end

---Whether there is another step to do; then `step` is its number. Measures and saves when it is
---time.
---@return boolean
function Session:continues()
  local o, done, over = self.o, self.done, is_over(self)
  if not system.interrupted() and is_due(self, over) then
    self:write_log()
    self.pace:set_aside(self.watch.prepare, self.watch)
    self.cost = self.pace:set_aside(self.measure, self)
    if self.done < done then over = is_over(self) end -- it went back
  end
  self.interrupted = system.interrupted()
  if self.interrupted or over then return false end
  if self.done ~= self.saved and system.now() - self.saved_at >= o.save_every * 60 then
    self:write_log()
    self.pace:set_aside(self.save, self, SKETCHED)
  end
  self.step, self.share = self.done + 1, self.pace:share(self.done)
  local rate = M.fallen(self.share, o.settings.decay) * 0.5 ^ self.setbacks
  for i, optimiser in ipairs(o.optimisers) do optimiser.options.lr = self.rates[i] * rate end
  return true
end

---The real pictures of this step: f32 {batch, height, width, 3}, -1 … 1. With conditions also
---those of the pictures, {batch, width}.
function Session:batch()
  local o = self.o
  local array, which = self.loader:next()
  if not array then error("batch: " .. which, 0) end
  return tensor.wrap(array), self.conditions and self.conditions:of(tensor.wrap(which),
    dice(o.seed, "noise", self.step, { o.settings.batch }))
end

---What is painted from: N(0, 1) {count, latent}, and with conditions, beside it, conditions drawn
---as the pictures learnt from have them, unless `told` gives others.
---@param stream "noise"|"grid"|"settle"|"watch"
---@param place integer
---@param count integer
---@param told? daub.Tensor {count, width}
---@return daub.Tensor {count, latent + width}
function Session:latents(stream, place, count, told)
  local o = self.o
  local z = normal(o.seed, stream, place, { count, o.settings.latent })
  if not self.conditions then return z end
  told = told or self.conditions:drawn(dice(o.seed, stream, place, { count, 2 }))
  return tensor.cat({ z, told }, 2)
end

---The latents of this step, for pictures of these conditions.
---@param told? daub.Tensor {batch, width}
function Session:noise(told)
  return self:latents("noise", self.step, self.o.settings.batch, told)
end

-- ---- reports

-- Averages since the last line go to the log.
function Session:write_log()
  local now, steps = system.now(), self.done - self.logged.step
  if steps <= 0 then return end
  local pace = (now - self.logged.time - (self.pace.aside - self.logged.aside)) / steps
  local entry = { step = self.done, images = self.done * self.o.settings.batch,
    seconds = self.pace:seconds(), seconds_per_step = pace,
    lr = self.o.optimisers[1].options.lr, peak_rss = system.memory().peak_rss }
  for _, name in ipairs(options.sorted_keys(self.sums)) do entry[name] = self.sums[name] / steps end
  self.o.run:log(entry)
  entry.event = "step"
  self.o.report:event(entry)
  self.logged, self.sums = { time = now, step = self.done, aside = self.pace.aside }, {}
end

function Session:tell(losses)
  local o, words = self.o, { ("step %d"):format(self.done) }
  if o.steps then words[1] = words[1] .. (" of %d"):format(o.steps) end
  for _, name in ipairs(options.sorted_keys(losses)) do
    words[#words + 1] = ("%s %.3f"):format(name, losses[name])
  end
  local pace = self.pace:step_seconds()
  if pace then
    words[#words + 1] = ("%.3g s a step, %.0f pictures/s"):format(pace, o.settings.batch / pace)
  end
  local left = self.pace:left(self.done, self.watch and o.steps and self.cost / every(o))
  if left then words[#words + 1] = progress.duration(left) .. " left" end
  o.report:progress(table.concat(words, ", "), self.pace:share(self.done))
end

-- A note for people, and the same for programs and the log.
local function announce(self, entry, line)
  entry.seconds = self.pace:seconds()
  self.o.run:log(entry)
  self.o.report:event(entry)
  self.o.report:note(line)
end

-- ---- the way back

-- Takes the run back to the checkpoint of `to`, for `why`; from there on with half the rates. The
-- checkpoint is written anew, so that a run which is stopped goes on in the same way.
local function go_back(self, why, to)
  local o, at = self.o, math.max(self.step, self.done)
  if self.setbacks == SETBACKS then
    self:close()
    error(("train: step %d: %s, and going back to step %d with lower learning rates did not help "
      .. "%d times (a new run with a lower one, as --set lr=%.2g, may)"):format(at, why, to,
      SETBACKS, self.rates[1] / 4), 0)
  end
  local setbacks = self.setbacks + 1
  local state, message = o.run:load(o.run:file(to))
  if not state then error("train: " .. message, 0) end
  restore(self, state)
  self.setbacks = setbacks
  state.session = own_state(self)
  write_checkpoint(self, state)
  open_loader(self)
  self.logged = { time = system.now(), step = self.done, aside = self.pace.aside }
  self.sums = {}
  announce(self, { event = "setback", from = at, step = to, reason = why, setbacks = setbacks,
    rates = 0.5 ^ setbacks }, ("step %d: %s: back to step %d, and on with %g of the learning rates")
    :format(at, why, to, 0.5 ^ setbacks))
end

-- The last checkpoint that was in order.
local function last_good(self) return self.watch and self.watch.good or self.saved end

---Ends a step: `losses` are one-element tensors by name. The run goes back when one of them is not
---finite, and ends with an error when that did not help.
---@param losses table<string, daub.Tensor>
function Session:stepped(losses)
  local values = {}
  for _, name in ipairs(options.sorted_keys(losses)) do
    local value = losses[name]:item()
    if value ~= value or math.abs(value) == math.huge then
      return go_back(self, ("the %s's loss is not a number"):format(name), last_good(self))
    end
    values[name] = value
  end
  for name, value in pairs(values) do self.sums[name] = (self.sums[name] or 0) + value end
  self.done = self.step
  self.pace:stepped()
  self:tell(values)
  if system.now() - self.logged.time >= LOG_EVERY then self:write_log() end
end

-- ---- paintings

-- Makes the average ready to paint; once for each step unless more latents are asked for.
local function settle(self, latents)
  local o, settled = self.o, self.settled
  if settled and settled.step == self.done and settled.latents >= latents then return end
  o.average:settle(function(i) return self:latents("settle", i, o.settings.batch) end,
    math.ceil(latents / o.settings.batch))
  self.settled = { step = self.done, latents = latents }
end

-- Measures what the average paints: a good one is saved, a bad one leads back.
function Session:measure()
  settle(self, SETTLED)
  local seen = self.watch:look(self.done, self.pace:share(self.done))
  if not seen then return end
  self.measured_at = self.pace:seconds()
  if seen.line then
    local entry = { event = "measured", step = self.done, score = seen.score, best = seen.best,
      images = self.done * self.o.settings.batch, floors = seen.floors }
    for name, value in pairs(seen.metrics) do entry[name] = value end
    announce(self, entry, ("step %d: %s"):format(self.done, seen.line))
  end
  if seen.trouble then return go_back(self, seen.trouble, seen.to) end
  self:save(SETTLED)
end

---Writes a checkpoint and a sample of the present step: what the averaged generator paints from
---the run's fixed latents.
---@param latents integer for the average's statistics
function Session:save(latents)
  local o = self.o
  settle(self, latents)
  local painted = o.average:paint(self:latents("grid", 0, GRID.columns * GRID.rows))
  if painted:isfinite():all():item() == 0 then
    return go_back(self, "what is painted is not a number", last_good(self))
  end
  local path, sample = write_checkpoint(self, state_of(self)), o.run:sample_path(self.done)
  local ok, message = image.save(sample, image.grid(painted, { columns = GRID.columns }))
  if not ok then error("train: " .. message, 0) end
  self.sampled = sample
  o.run:log { event = "saved", step = self.done }
  o.report:event { event = "saved", step = self.done, checkpoint = path, sample = sample }
end

-- Logs the pace of the session and, where there is a plan, what that said.
function Session:compare()
  local plan, seconds = self.plan, self.pace:step_seconds()
  if not seconds then return end
  self.o.run:log { event = "end", step = self.done, seconds = self.pace:seconds(),
    step_seconds = seconds, planned_steps = plan and plan.steps,
    planned_step_seconds = plan and plan.step_seconds }
  if plan and seconds > SLOWER * plan.step_seconds then
    self.o.report:note(("slower than planned: %.3g s a step, not %.3g (is the machine busy with "
      .. "other things?)"):format(seconds, plan.step_seconds))
  end
end

---Saves what is not saved yet and lets go of everything. Afterwards `interrupted` tells how it
---ended.
function Session:finish()
  self:write_log()
  if self.done ~= self.saved then self:save(SETTLED) end
  self:compare()
  self:close()
end

function Session:close()
  self.loader:close()
  self.o.report:done()
  self.o.run:close()
  -- after Ctrl-C the recipe still has its last words to say
  if not self.interrupted then system.hold_interrupts(false) end
end

return M
