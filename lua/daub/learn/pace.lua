-- How far a run is, and how long the rest takes. A run ends after so many steps, after so many
-- minutes, or at whichever comes first.
--
--     local pace = Pace.new { steps = 20000, minutes = nil, before = 0 }
--     pace:share(done)      pace:ended(done)      pace:step_seconds()      pace:left(done)
--
-- What a session spends on measuring and saving is set aside: it counts as time, not as pace.
local system = require "daub.core.system"

---@class daub.learn.Pace
---@field steps integer|nil
---@field minutes number|nil
local Pace = {}
Pace.__index = Pace

---@param o {steps: integer?, minutes: number?, before: number} one of the first two at least;
--- before: seconds spent in earlier sessions
---@return daub.learn.Pace
function Pace.new(o)
  return setmetatable({ steps = o.steps, minutes = o.minutes, before = o.before,
    begun = system.now(), aside = 0 }, Pace)
end

---Seconds the run has taken, earlier sessions included.
function Pace:seconds() return self.before + system.now() - self.begun end

---How much of the run is done, 0 … 1.
---@param done integer steps
function Pace:share(done)
  local by_steps = self.steps and done / self.steps or 0
  local by_time = self.minutes and self:seconds() / (self.minutes * 60) or 0
  return math.min(1, math.max(by_steps, by_time))
end

---@param done integer steps
---@param reserve? number seconds that are still needed after the last step
function Pace:ended(done, reserve)
  return self.steps ~= nil and done >= self.steps
    or self.minutes ~= nil and done > 0 and self:seconds() + (reserve or 0) >= self.minutes * 60
end

---Calls f, whose time is not that of steps.
---@return number seconds that f took
function Pace:set_aside(f, ...)
  local begun = system.now()
  f(...)
  local seconds = system.now() - begun
  self.aside = self.aside + seconds
  return seconds
end

---To be called after every step. The pace is counted from the end of the first one, which pays for
---what is made once.
function Pace:stepped()
  self.made = (self.made or 0) + 1
  self.first = self.first or { time = system.now(), aside = self.aside }
end

---Mean seconds of a step in this session; nil before its second one.
---@return number|nil
function Pace:step_seconds()
  local first = self.first
  if not first or self.made < 2 then return nil end
  return (system.now() - first.time - (self.aside - first.aside)) / (self.made - 1)
end

---Seconds that are left; nil when nothing is known yet.
---@param done integer steps
---@param each? number seconds that measuring adds to a step, on average
---@return number|nil
function Pace:left(done, each)
  local by_time = self.minutes and math.max(0, self.minutes * 60 - self:seconds())
  local step = self:step_seconds()
  local by_steps = self.steps and step and (self.steps - done) * (step + (each or 0))
  if by_time and by_steps then return math.min(by_time, by_steps) end
  return by_time or by_steps or nil
end

return Pace
