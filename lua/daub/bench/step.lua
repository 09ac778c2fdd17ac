-- One step of training as scripts/train.lua does it: networks, losses, augmentation, optimisers and
-- average of the bundled recipes, without run, collection and reports.
--
--     local step = Step.new { recipe = "lite", size = { width = 192, height = 64 },
--       set = { batch = 16 } }
--     step()
local Average = require "daub.learn.average"
local Critics = require "daub.learn.critics"
local augment = require "daub.learn.augment"
local conditions = require "daub.learn.conditions"
local daub = require "daub"
local optim = require "daub.optim"
local plan = require "daub.learn.plan"
local tensor = require "daub.tensor"

---@class daub.bench.Step
---@field settings table those of the run
---@field generator daub.Module
---@field critics daub.learn.Critics
---@field average daub.learn.Average|nil
---@field adam_g daub.Optimiser
local Step = {}
Step.__index = Step

---@class daub.bench.StepOptions
---@field recipe string
---@field size {width: integer, height: integer}
---@field set table<string, any>? settings, as --set takes them
---@field plain boolean? without the average of the weights
---@field batches (fun(): daub.Tensor)? where real pictures come from; one random batch unless given

---@param o daub.bench.StepOptions
---@return daub.bench.Step
function Step.new(o)
  local pairs_given = {}
  for key, value in pairs(o.set or {}) do
    pairs_given[#pairs_given + 1] = { key = key, value = tostring(value) }
  end
  local options = assert(plan.options { recipe = o.recipe, size = o.size, set = pairs_given })
  local network, shape, s = plan.network(o.recipe), plan.shape(options), options.settings
  daub.seed(1)
  local self = setmetatable({ settings = s, number = 0 }, Step)
  self.generator, self.critics = network.generator(shape), Critics.new(network, shape)
  if not o.plain then self.average = Average.new(self.generator, network.generator(shape)) end
  self.adam_g = optim.Adam(self.generator:parameters(),
    { lr = s.lr, betas = { s.beta1, s.beta2 } })
  local told = conditions.width(s.condition)
  if told > 0 then self.told = tensor.rand { s.batch, told } end
  self.change = augment.new(augment.parse(s.augment), 1)
  local real = not o.batches
    and tensor.rand { s.batch, o.size.height, o.size.width, 3 } * 2 - 1 or nil
  self.batches = o.batches or function() return real end
  return self
end

function Step:__call()
  self.number = self.number + 1
  local step, critic = self.number, self.critics:turn(self.number, 0, self.adam_g)
  local G, D, game, change = self.generator, critic.network, critic.game, self.change
  local real = change(self.batches(), step, 1)
  conditions.tell(D, self.told)
  local z = tensor.randn { self.settings.batch, self.settings.latent }
  local fake = G(self.told and tensor.cat({ z, self.told }, 2) or z)

  local d_loss = game.critic(D, real, change(fake:detach(), step, 2), critic.gamma)
  critic.adam:step()
  critic.adam:zero_grad()

  D:requires_grad_(false)
  local g_loss = game.generator(D, change(fake, step, 3), real)
  g_loss:backward()
  self.adam_g:step()
  self.adam_g:zero_grad()
  D:requires_grad_(true)

  if self.average then self.average:update(step, self.settings.batch) end
  return d_loss:item(), g_loss:item()
end

return Step
