-- Whom the generator has to convince: one critic all the way or, with --set handover=SHARE, a
-- `swift` one and from that share of the run on a `steady` one.
--
--     local critics = Critics.new(network, shape)
--     local critic, alone = critics:turn(step, share, adam_g)     -- every step
--     critic.network, critic.adam, critic.game, critic.gamma      -- D, and how it learns
--
-- A new critic knows nothing: it first learns alone, for a fiftieth of the run, from a generator
-- that stands still. Both critics are made at the start and saved, with when the one took over, so
-- that a run goes on where it stopped; one that gets longer does not go back to its first critic.
local losses = require "daub.learn.losses"
local optim = require "daub.optim"
local penalty = require "daub.learn.penalty"

local ALONE = 0.02 -- of the run

---@class daub.learn.Critic
---@field network daub.Module
---@field adam daub.Optimiser
---@field game table one of daub.learn.losses
---@field gamma number what the penalty weighs in this step
---@field settings table

---@class daub.learn.Critics
---@field optimisers daub.Optimiser[]
---@field first daub.learn.Critic
---@field heir daub.learn.Critic|nil
---@field since integer the step at which the heir took over; 0: it has not
---@field settled integer the step from which the generator learns from the heir
local Critics = {}
Critics.__index = Critics

local function critic(network, settings)
  local D = network.critic(settings)
  local lr = settings.lr_critic > 0 and settings.lr_critic or settings.lr
  return { network = D, game = losses[settings.loss], settings = settings,
    adam = optim.Adam(D:parameters(), { lr = lr, betas = { settings.beta1, settings.beta2 } }) }
end

-- The settings of a run whose critic takes over.
local function inherited(network, settings)
  local own = { flavour = "steady" }
  for key, value in pairs(network.flavours.steady) do own[key] = value end
  return setmetatable(own, { __index = settings })
end

---@param network table one of daub.learn.networks
---@param settings table of the run, with its width and height, as the network takes them
---@return daub.learn.Critics
function Critics.new(network, settings)
  local self = setmetatable({ since = 0, settled = 0 }, Critics)
  self.first = critic(network, settings)
  self.optimisers = { self.first.adam }
  if (settings.handover or 1) < 1 then
    self.heir = critic(network, inherited(network, settings))
    self.optimisers[2] = self.heir.adam
  end
  return self
end

---What a checkpoint holds of the critics is added to `parts`, which have state() and load_state().
---@param parts table<string, table>
---@return table<string, table> parts
function Critics:parts(parts)
  parts.critic, parts.adam_d = self.first.network, self.first.adam
  if self.heir then
    parts.heir, parts.adam_heir, parts.handover = self.heir.network, self.heir.adam, self
  end
  return parts
end

-- The heir takes over, and the generator's Adam goes on as it wants.
local function hand_over(self, step, share, adam_g)
  self.since = step
  self.settled = step + math.ceil(ALONE * (step - 1) / share)
  adam_g.options.betas = { self.heir.settings.beta1, self.heir.settings.beta2 }
end

---The critic of a step.
---@param step integer
---@param share number of the run that lies before it
---@param adam_g daub.Optimiser the generator's
---@return daub.learn.Critic
---@return boolean alone whether the generator does not learn in this step
function Critics:turn(step, share, adam_g)
  local start = self.first.settings.handover
  if self.heir and self.since == 0 and share >= start then hand_over(self, step, share, adam_g) end
  local now = self.first
  if self.since > 0 then
    now, share = self.heir, math.max(0, (share - start) / (1 - start))
  end
  now.gamma = penalty.gamma(now.settings, share)
  return now, step < self.settled
end

function Critics:state() return { since = self.since, settled = self.settled } end

function Critics:load_state(state) self.since, self.settled = state.since, state.settled end

---The critic that a checkpoint's run had last, to judge what is painted.
---@param network table one of daub.learn.networks
---@param settings table as for `new`
---@param state table the checkpoint's
---@return daub.Module
function Critics.last(network, settings, state)
  local inherits = state.handover and state.handover.since > 0
  local D = network.critic(inherits and inherited(network, settings) or settings)
  return D:load_state(inherits and state.heir or state.critic):eval()
end

return Critics
