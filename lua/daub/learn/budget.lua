-- What to train when all that is known is how long: network, size, batch and schedule for a number
-- of pictures, a time and this machine, whose speed is measured.
--
--     local chosen, plan = budget.choose(o, 3544)     -- o: as given to daub train
--     chosen.recipe, chosen.size, chosen.set          -- what was given, and what was chosen
--     budget.announce(plan, report)
--
-- What is given is kept; only the rest is chosen.
local Step = require "daub.bench.step"
local daub = require "daub"
local options = require "daub.options"
local plan = require "daub.learn.plan"
local progress = require "daub.progress"
local read = require "daub.learn.settings"
local run = require "daub.learn.run"
local system = require "daub.core.system"

local M = {}

-- The tables of decisions. -----------------------------------------------------------------------

-- The first network that can be shown so many pictures in the time is taken, else the last. cost:
-- of a picture, in those of the last network.
M.networks = {
  { recipe = "base", width = 192, height = 64, cost = 3.8, pictures = 500e3 },
  { recipe = "lite", width = 192, height = 64, cost = 2.6, pictures = 100e3 },
  { recipe = "tiny", width = 96, height = 32, cost = 1, pictures = 0 },
}

-- The first batch with which so many steps can be made.
M.batches = { { batch = 32, steps = 6000 }, { batch = 16, steps = 1500 }, { batch = 8, steps = 0 } }

-- The first kind of augmentation for so many passes over the pictures: those that are seen only a
-- few times are learnt best as they are.
M.augmentations = { { augment = "translation", passes = 40 }, { augment = "none", passes = 0 } }

-- Fewer pictures than these would be known by heart after more passes: training ends. (Those that
-- are held out do not count.)
M.few = { pictures = 800, passes = 150 }

M.decay = 0.25 -- of the run, at its end

-- ------------------------------------------------------------------------------------------------

M.minutes = 60 -- unless given

local TRIAL = { share = 0.01, seconds = 3, steps = 20 } -- of one network, at most
local UNTIMED = 2     -- steps, which pay for what is made once
local OVERHEAD = 0.07 -- of the time goes to measuring and saving
local MEASURING = { all = 64e6, learnt = 60e3, painted = 5 } -- bytes, a picture learnt from, and
                                                             -- times those of 512 paintings

-- Networks that fit what was given, the finest first.
local function candidates(o)
  local list = {}
  for _, entry in ipairs(M.networks) do
    local fits = not o.size or o.size.width == entry.width and o.size.height == entry.height
    if fits and (not o.recipe or o.recipe == entry.recipe) then list[#list + 1] = entry end
  end
  if list[1] then return list end
  local size = o.size or plan.defaults.size
  return { { recipe = o.recipe or plan.recipe(size), width = size.width, height = size.height,
    cost = 1, pictures = 0 } }
end

-- What is given, with what is chosen added: as plan.run takes it.
local function completed(o, entry, settings)
  local whole, named = {}, {}
  for key, value in pairs(o) do whole[key] = value end
  whole.recipe, whole.size = entry.recipe, { width = entry.width, height = entry.height }
  whole.set = {}
  for i, pair in ipairs(o.set) do whole.set[i], named[pair.key] = pair, true end
  local own = read.flavoured(o.set, plan.network(entry.recipe))
  for _, key in ipairs(options.sorted_keys(settings)) do
    if not named[key] and own[key] == nil then
      whole.set[#whole.set + 1] = { key = key, value = tostring(settings[key]) }
    end
  end
  return whole
end

---Measures a step of a run with these options, on this machine as it is now.
---@param chosen table options of a run
---@param seconds number that it may take, about
---@return number seconds of a step
function M.time(chosen, seconds)
  daub.precision(chosen.settings.precision)
  local step = Step.new { recipe = chosen.recipe, size = chosen.size, set = chosen.settings }
  for _ = 1, UNTIMED do step() end
  local begun, steps = system.now(), 0
  repeat
    step()
    steps = steps + 1
  until steps >= TRIAL.steps or system.now() - begun >= seconds
  return (system.now() - begun) / steps
end

---@class daub.learn.Trial
---@field given table as plan.run takes it
---@field options table of the run that would be
---@field step_seconds number

-- Options and pace of a network with these settings, or what is wrong with what was given.
---@return daub.learn.Trial|nil trial, string? message, string? code
local function try(o, entry, settings, minutes)
  local given = completed(o, entry, settings)
  local chosen, message, code = plan.options(given)
  if not chosen then return nil, message, code end
  local seconds = math.min(TRIAL.seconds, minutes * 60 * TRIAL.share)
  local trial = { given = given, options = chosen, step_seconds = M.time(chosen, seconds) }
  collectgarbage()
  collectgarbage()
  return trial
end

-- The first of the list that can be shown enough, with how much that is; `rate` is of the last.
local function afforded(list, rate, seconds)
  for i, entry in ipairs(list) do
    local shown = seconds * rate * list[#list].cost / entry.cost
    if shown >= entry.pictures or i == #list then return entry, shown end
  end
end

-- The tables' settings when so many pictures are shown, of so many different ones.
local function settings_for(shown, count)
  local settings = { decay = M.decay, passes = count < M.few.pictures and M.few.passes or 0 }
  for _, entry in ipairs(M.batches) do
    settings.batch = settings.batch or shown / entry.batch >= entry.steps and entry.batch
  end
  for _, entry in ipairs(M.augmentations) do
    settings.augment = settings.augment or shown / count >= entry.passes and entry.augment
  end
  return settings
end

local function equal(a, b)
  for key, value in pairs(a) do
    if b[key] ~= value then return false end
  end
  return true
end

---@class daub.learn.Plan what is expected of a run, as its log has it
---@field recipe string
---@field size {width: integer, height: integer}
---@field batch integer
---@field step_seconds number
---@field steps integer that are done in the time
---@field pictures integer shown in all
---@field learnt integer different ones
---@field passes number over them
---@field minutes number until it ends
---@field memory number bytes, about: what the trial needed, and measuring
---@field lr number
---@field lr_critic number
---@field decay number
---@field augment string
---@field spent number seconds that choosing took

-- Bytes that a run needs, about, after its trial.
local function memory(chosen, count)
  local size = chosen.size
  return system.memory().peak_rss + (chosen.settings.measure > 0 and MEASURING.all
    + MEASURING.learnt * count + MEASURING.painted * 512 * 12 * size.width * size.height or 0)
end

local function describe(trial, minutes, count, begun)
  local s, spent = trial.options.settings, system.now() - begun
  local steps = math.floor((minutes * 60 * (1 - OVERHEAD) - spent) / trial.step_seconds)
  steps = math.max(1, steps)
  local most = s.passes > 0 and math.ceil(s.passes * count / s.batch) or steps
  if most < steps then
    steps, minutes = most, (most * trial.step_seconds / (1 - OVERHEAD) + spent) / 60
  end
  return { event = "plan", recipe = trial.options.recipe, size = trial.options.size,
    batch = s.batch, step_seconds = trial.step_seconds, steps = steps,
    pictures = steps * s.batch, learnt = count, passes = steps * s.batch / count,
    minutes = minutes, memory = memory(trial.options, count), lr = s.lr,
    lr_critic = s.lr_critic > 0 and s.lr_critic or s.lr, decay = s.decay,
    augment = s.augment, spent = spent }
end

---Chooses what was not given, for --minutes. With --steps, and where there is a run already, there
---is nothing to choose.
---@param o table as given: minutes, steps, out, switch, recipe, size, set …
---@param count integer pictures to learn from
---@return table|nil given what plan.run takes; nil when what was given is wrong
---@return daub.learn.Plan|string|nil planned nil where nothing was chosen
---@return string? code
function M.choose(o, count)
  if o.steps or o.switch or run.exists(o.out) then return o end
  local begun, minutes = system.now(), o.minutes or M.minutes
  local list, settings = candidates(o), settings_for(math.huge, count)
  local trial, message, code = try(o, list[#list], settings, minutes)
  if not trial then return nil, message, code end
  local entry, shown = afforded(list, trial.options.settings.batch / trial.step_seconds,
    minutes * 60 * (1 - OVERHEAD))
  local better = settings_for(shown, count)
  if entry ~= list[#list] or not equal(better, settings) then
    trial, message, code = try(o, entry, better, minutes)
    if not trial then return nil, message, code end
  end
  return trial.given, describe(trial, minutes, count, begun)
end

-- "1,234,567"
local function thousands(n)
  local text = ("%.0f"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
  return text
end

---A plan in words.
---@param p daub.learn.Plan
---@return string[] lines
function M.lines(p)
  local falling = p.decay > 0 and (", falling over the last %.0f %%"):format(100 * p.decay) or ""
  return {
    ("plan: the %s networks paint %dx%d; %.3g s a step of %d pictures on this machine"):format(
      p.recipe, p.size.width, p.size.height, p.step_seconds, p.batch),
    ("      %s: %s steps or so, %s pictures shown, %.3g passes over %s; done at %s"):format(
      progress.duration(p.minutes * 60), thousands(p.steps), thousands(p.pictures), p.passes,
      thousands(p.learnt), os.date("%H:%M", os.time() + p.minutes * 60 - p.spent)),
    ("      learning rate %g, the critic's %g%s; augmentation: %s; about %s of memory"):format(p.lr,
      p.lr_critic, falling, p.augment, progress.bytes(p.memory)),
  }
end

---Tells people and programs of a plan.
---@param p daub.learn.Plan
---@param report daub.progress.Reporter
function M.announce(p, report)
  for _, line in ipairs(M.lines(p)) do report:note(line) end
  report:event(p)
end

return M
