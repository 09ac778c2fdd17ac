-- What surrounds the steps of teaching an upscaler: pairs of pictures, pace, progress, the way back
-- after a stop. The loop itself stands in scripts/upscaler.lua.
--
-- State is saved beside the result, as FILE.part, once a minute and when Ctrl-C comes; the same
-- command goes on from there. All that is random depends on the seed and the step's number, so with
-- a number of steps a stopped teaching ends in the same bytes as one that never was.
local checkpoint = require "daub.checkpoint"
local degrade = require "daub.upscale.degrade"
local json = require "daub.json"
local lanczos = require "daub.upscale.lanczos"
local network = require "daub.upscale.network"
local options = require "daub.options"
local progress = require "daub.progress"
local random = require "daub.tensor.random"
local system = require "daub.core.system"

local M = {}

local SAVE_EVERY = 60 -- seconds
local LOG_EVERY = 10
local LAST_RATE = 0.02 -- of the first
local APART = 2 ^ 20   -- random numbers between two steps

---@class daub.upscale.Session
---@field done integer steps
---@field interrupted boolean Ctrl-C ended the loop
local Session = {}
Session.__index = Session

---What a teaching depends on besides its length, as one word.
---@param pictures {sha256: string}[]
---@param settings table
---@return string
function M.key(pictures, settings)
  local list = { json.encode(settings) }
  for i, picture in ipairs(pictures) do list[i + 1] = picture.sha256 end
  return system.sha256(table.concat(list, "\n"))
end

---@class daub.upscale.SessionOptions
---@field model daub.upscale.Model
---@field optimisers table<integer, daub.Optimiser> by factor
---@field crops fun(position: integer): daub.upscale.Crops opens them
---@field seed integer
---@field path string of the result
---@field key string
---@field report daub.progress.Reporter
---@field steps? integer
---@field minutes? number when there are no steps

---@param o daub.upscale.SessionOptions
---@return daub.upscale.Session|nil session, string? message, string? code
function M.start(o)
  local self = setmetatable({ o = o, part = o.path .. ".part", done = 0, interrupted = false,
    before = 0, sums = {}, counted = 0 }, Session)
  local position = 0
  if system.stat(self.part) then
    local state, message, code = checkpoint.load(self.part)
    if not state then return nil, message, code end
    if state.key == o.key then
      position = state.position
      self.done, self.before = state.step, state.seconds
      for name, factor in pairs(self:names()) do
        o.model.nets[factor]:load_state(state.nets[name])
        o.optimisers[factor]:load_state(state.optimisers[name])
      end
      o.report:note(("goes on at step %d"):format(self.done))
    end
  end
  self.crops = o.crops(position)
  self.begun, self.saved_at, self.logged_at = system.now(), system.now(), system.now()
  self.first = self.done
  system.hold_interrupts(true)
  return self
end

function Session.names()
  local names = {}
  for _, factor in ipairs(network.factors) do names["x" .. factor] = factor end
  return names
end

function Session:seconds() return self.before + system.now() - self.begun end

---How much of the teaching is done, 0 … 1.
function Session:share()
  local o = self.o
  if o.steps then return math.min(1, self.done / o.steps) end
  return math.min(1, self:seconds() / (o.minutes * 60))
end

---What the learning rate is multiplied by: half a cosine, down to a fiftieth.
---@return number
function Session:cooling()
  return LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * self:share())) / 2
end

-- For a factor: small pictures, and what they lack when Lanczos enlarges them.
local function pair(self, high, factor)
  local side = high.shape[2] * factor / network.factors[1] -- as many small pixels for each factor
  local from = math.floor((high.shape[2] - side) / 2) + 1
  local part = high:narrow(2, from, side):narrow(3, from, side):contiguous()
  local low = degrade.spoil(degrade.shrink(part, factor),
    random.at(self.o.seed * 4 + 2, (self.done * 8 + factor) * APART))
  return low and { low = low, rest = part - lanczos(low, factor) }
end

---Whether there is another step to do; then its pairs are ready.
---@return boolean
function Session:continues()
  local o = self.o
  local finished = o.steps and self.done >= o.steps
    or not o.steps and self.done > 0 and self:seconds() >= o.minutes * 60
  if finished then return false end
  if system.now() - self.saved_at >= SAVE_EVERY then self:save() end
  self.position, self.pairs = self.crops.position, {}
  local high = self.crops:next()
  for _, factor in ipairs(network.factors) do
    self.pairs[factor] = high and pair(self, high, factor)
    if not self.pairs[factor] or system.interrupted() then
      self.interrupted, self.crops.position = true, self.position
      return false
    end
  end
  return true
end

---This step's pictures for a factor.
---@return daub.Tensor low f32 {batch, h, w, 3}, -1 … 1
---@return daub.Tensor rest {batch, h * factor, w * factor, 3}: what Lanczos' enlargement lacks
function Session:pair(factor) return self.pairs[factor].low, self.pairs[factor].rest end

function Session:tell()
  local words = { ("step %d"):format(self.done) }
  for _, name in ipairs(options.sorted_keys(self.sums)) do
    words[#words + 1] = ("%s %.4f"):format(name, self.sums[name] / self.counted)
  end
  local now = system.now() - self.begun
  local left = self.o.steps
    and progress.remaining(self.done - self.first, self.o.steps - self.first, now)
    or not self.o.steps and math.max(0, self.o.minutes * 60 - self:seconds())
  if left then words[#words + 1] = progress.duration(left) .. " left" end
  self.o.report:progress("learning to enlarge: " .. table.concat(words, ", "), self:share())
end

---Ends a step: `losses` are one-element tensors by name. Raises when one of them is not finite.
---@param losses table<string, daub.Tensor>
function Session:stepped(losses)
  self.done, self.counted = self.done + 1, self.counted + 1
  for name, loss in pairs(losses) do
    local value = loss:item()
    if value ~= value or math.abs(value) == math.huge then
      self:close()
      error(("upscaler: step %d: the loss of %s is not a number (a lower --rate may do)"):format(
        self.done, name), 0)
    end
    self.sums[name] = (self.sums[name] or 0) + value
  end
  self:tell()
  if system.now() - self.logged_at < LOG_EVERY then return end
  local entry = { event = "step", step = self.done, seconds = self:seconds() }
  for name, sum in pairs(self.sums) do entry[name] = sum / self.counted end
  self.o.report:event(entry)
  self.logged_at, self.sums, self.counted = system.now(), {}, 0
end

---Writes FILE.part.
function Session:save()
  local o = self.o
  local state = { key = o.key, step = self.done, seconds = self:seconds(),
    position = self.crops.position, nets = {}, optimisers = {} }
  for name, factor in pairs(self.names()) do
    state.nets[name], state.optimisers[name] = o.model.nets[factor]:state(),
      o.optimisers[factor]:state()
  end
  local ok, message = checkpoint.save(self.part, state)
  if not ok then error("upscaler: " .. message, 0) end
  self.saved_at = system.now()
end

---Saves; what follows can be done again.
function Session:finish()
  self:save()
  self:close()
end

function Session:close()
  self.crops:close()
  self.o.report:done()
  -- after Ctrl-C the recipe still has its last words to say
  if not self.interrupted then system.hold_interrupts(false) end
end

---Forgets FILE.part: the result is written.
function Session:forget() system.remove(self.part) end

return M
