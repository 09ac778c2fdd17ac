-- What surrounds the steps of a training loop: pace, noise, reports, samples, checkpoints, the
-- way back. The loop itself stands in scripts/train.lua:
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

-- Random numbers of a run: one stream per purpose, a place in it per step.
local STREAMS = { noise = 1, grid = 2, settle = 3 }
local APART = 2 ^ 24 -- numbers between the places of two steps

---@class daub.learn.Session
---@field step integer the step that is being done, from 1
---@field share number how much of the run lies before this step, 0 … 1, in steps or in time
---@field interrupted boolean Ctrl-C ended the loop
---@field sampled string|nil path of the last sample grid
local Session = {}
Session.__index = Session

-- N(0, 1) of `shape` that depends on (seed, stream, place).
local function normal(seed, stream, place, shape)
  local generator = random.at(seed * 8 + STREAMS[stream], place * APART)
  return tensor.wrap(core.normal(generator, shape, "f32"))
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
---@field held_out? daub.core.Dataset pictures that are not learnt from
---@field average daub.learn.Average
---@field optimisers daub.Optimiser[] their learning rates fall at the end of the run
---@field decay number share of the run in which they do, by half a cosine to 0; 0: never
---@field state table<string, table> what a checkpoint holds, each with state() and load_state()
---@field seed integer
---@field batch integer
---@field latent integer
---@field loader table further options of the dataset's loader
---@field steps? integer train until this step; or until
---@field minutes? number so much time was spent on steps, earlier sessions included
---@field save_every number minutes between checkpoints, 0 saves after every step

---@param o daub.learn.SessionOptions
---@return daub.learn.Session|nil session, string? message, string? code
function M.start(o)
  local self = setmetatable({ o = o, step = 1, share = 0, done = 0, interrupted = false,
    rates = {} }, Session)
  for i, optimiser in ipairs(o.optimisers) do self.rates[i] = optimiser.options.lr end
  local before, message, code = o.run:load()
  if not before and message then return nil, message, code end
  if before then
    for name, object in pairs(o.state) do object:load_state(before[name]) end
    daub.set_rng_state(before.random)
    self.done, self.saved = before.step, before.step
    self.sampled = o.run:sample_path(before.step)
  end
  local loader = { batch = o.batch, seed = o.seed, start = self.done }
  for key, value in pairs(o.loader) do loader[key] = value end
  self.loader = o.dataset:loader(loader)
  self.begun, self.before = system.now(), seconds_before(o.run, self.done)
  self.logged = { time = self.begun, step = self.done }
  self.saved_at, self.sums = self.begun, {}
  o.run:log { event = "start", step = self.done, dataset = o.dataset_path,
    pictures = o.dataset:info().count,
    held_out = o.held_out and o.held_out:info().count or 0, steps = o.steps, minutes = o.minutes,
    save_every = o.save_every, threads = system.info().threads }
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

---Seconds spent on steps, those before a stop included.
function Session:seconds() return self.before + system.now() - self.begun end

---Whether there is another step to do; then `step` is its number. Saves when it is time.
---@return boolean
function Session:continues()
  local o = self.o
  if system.interrupted() then
    self.interrupted = true
    return false
  end
  if o.steps and self.done >= o.steps then return false end
  if o.minutes and self.done > 0 and self:seconds() >= o.minutes * 60 then return false end
  if self.done ~= (self.saved or 0) and system.now() - self.saved_at >= o.save_every * 60 then
    self:save()
  end
  self.step = self.done + 1
  self.share = math.min(1, o.steps and self.done / o.steps or self:seconds() / (o.minutes * 60))
  for i, optimiser in ipairs(o.optimisers) do
    optimiser.options.lr = self.rates[i] * M.fallen(self.share, o.decay)
  end
  return true
end

---The real pictures of this step: f32 {batch, height, width, 3}, -1 … 1.
function Session:batch()
  local array, message = self.loader:next()
  if not array then error("batch: " .. message, 0) end
  return tensor.wrap(array)
end

---The latents of this step: N(0, 1) {batch, latent}.
function Session:noise()
  return normal(self.o.seed, "noise", self.step, { self.o.batch, self.o.latent })
end

-- The share of the work that is done, and the seconds that are left.
function Session:remaining()
  local o, seconds = self.o, self:seconds()
  if o.steps then
    local left = progress.remaining(self.done - self.first.step, o.steps - self.first.step,
      system.now() - self.first.time)
    return self.done / o.steps, left
  end
  return seconds / (o.minutes * 60), math.max(0, o.minutes * 60 - seconds)
end

-- Averages since the last line go to the log.
function Session:write_log()
  local now, steps = system.now(), self.done - self.logged.step
  if steps == 0 then return end
  local pace = (now - self.logged.time) / steps
  local entry = { step = self.done, images = self.done * self.o.batch, seconds = self:seconds(),
    seconds_per_step = pace, lr = self.o.optimisers[1].options.lr,
    peak_rss = system.memory().peak_rss }
  for _, name in ipairs(options.sorted_keys(self.sums)) do entry[name] = self.sums[name] / steps end
  self.o.run:log(entry)
  entry.event = "step"
  self.o.report:event(entry)
  self.logged.time, self.logged.step, self.sums = now, self.done, {}
end

function Session:tell(losses)
  local words = { ("step %d"):format(self.done) }
  if self.o.steps then words[1] = words[1] .. (" of %d"):format(self.o.steps) end
  for _, name in ipairs(options.sorted_keys(losses)) do
    words[#words + 1] = ("%s %.3f"):format(name, losses[name])
  end
  local fraction, left = self:remaining()
  if self.done > self.first.step then
    local pace = (system.now() - self.first.time) / (self.done - self.first.step)
    words[#words + 1] = ("%.3g s a step, %.0f pictures/s"):format(pace, self.o.batch / pace)
  end
  if left then words[#words + 1] = progress.duration(left) .. " left" end
  self.o.report:progress(table.concat(words, ", "), fraction)
end

-- Nothing is saved from here on: the last checkpoint is a good one.
function Session:diverged(what)
  self:close()
  error(("train: step %d: %s is not a number, the networks diverged (%s; a new run with a lower "
    .. "learning rate, as --set lr=1e-4, may not)"):format(self.step, what,
    self.saved and ("step %d is saved"):format(self.saved) or "nothing is saved yet"), 0)
end

---Ends a step: `losses` are one-element tensors by name. Raises when one of them is not finite.
---@param losses table<string, daub.Tensor>
function Session:stepped(losses)
  local values = {}
  for _, name in ipairs(options.sorted_keys(losses)) do
    local value = losses[name]:item()
    if value ~= value or math.abs(value) == math.huge then
      self:diverged("the " .. name .. "'s loss")
    end
    values[name] = value
    self.sums[name] = (self.sums[name] or 0) + value
  end
  self.done = self.step
  -- the pace is counted from the end of the first step, which pays for what is made once
  self.first = self.first or { step = self.done, time = system.now() }
  self:tell(values)
  if system.now() - self.logged.time >= LOG_EVERY then self:write_log() end
end

-- A grid of what the averaged generator paints from the run's fixed latents.
function Session:sample()
  local noise = normal(self.o.seed, "grid", 0, { GRID.columns * GRID.rows, self.o.latent })
  local painted = self.o.average:paint(noise)
  if painted:isfinite():all():item() == 0 then self:diverged("what is painted") end
  return image.grid(painted, { columns = GRID.columns })
end

---Writes a checkpoint and a sample of the present step.
function Session:save()
  local o = self.o
  self:write_log()
  o.average:settle(function(i)
    return normal(o.seed, "settle", i, { o.batch, o.latent })
  end)
  local grid = self:sample()
  local state = { step = self.done, random = daub.rng_state() }
  for name, object in pairs(o.state) do state[name] = object:state() end
  local path, message = o.run:save(self.done, state)
  if not path then error("train: " .. message, 0) end
  local sample = o.run:sample_path(self.done)
  local ok
  ok, message = image.save(sample, grid)
  if not ok then error("train: " .. message, 0) end
  self.saved, self.saved_at, self.sampled = self.done, system.now(), sample
  o.run:log { event = "saved", step = self.done }
  o.report:event { event = "saved", step = self.done, checkpoint = path, sample = sample }
end

---Saves what is not saved yet and lets go of everything. Afterwards `interrupted` tells how it
---ended.
function Session:finish()
  if self.done ~= self.saved then self:save() end
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
