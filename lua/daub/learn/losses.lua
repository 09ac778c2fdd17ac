-- The games that critic and generator play. Scores are {N, 1}, more means "more like a real one".
--
--     local d_loss, penalty = game.critic(D, real, fake, gamma)   -- leaves gradients in D
--     local g_loss = game.generator(D, fake, real)                -- to be taken backward
--
-- `real` and `fake` are the pictures the critic is shown, {N, H, W, C} each; gamma weighs the
-- gradient penalty of daub.learn.penalty, 0 leaves it out (`penalty` is nil then).
local F = require "daub.ops"
local penalty = require "daub.learn.penalty"
local tensor = require "daub.tensor"

local M = {}

-- The critic's part with a penalty; `loss` of the scores of both kinds.
local function penalised(loss, D, real, fake, gamma)
  local n = real.shape[1]
  if penalty.knows(D) then
    return penalty.learn(D, tensor.cat({ real, fake }, 1), function(scores)
      return loss(scores:narrow(1, 1, n), scores:narrow(1, n + 1, n))
    end, gamma / n)
  end
  local on_real, r1 = penalty.plain(D, real)
  local on_fake, r2 = penalty.plain(D, fake)
  local value, steep = loss(on_real, on_fake), (r1 + r2) * gamma
  local total = value + steep
  total:backward()
  return value:detach(), steep:detach()
end

-- A game in which the critic judges each picture for itself: taken backward one kind after the
-- other it needs half the memory.
local function alone(on_real, on_fake, generator)
  local function both(real, fake) return on_real(real) + on_fake(fake) end
  return {
    critic = function(D, real, fake, gamma)
      if gamma > 0 then return penalised(both, D, real, fake, gamma) end
      local first = on_real(D(real))
      first:backward()
      local second = on_fake(D(fake))
      second:backward()
      return first:detach() + second:detach()
    end,
    generator = function(D, fake) return generator(D(fake)) end,
  }
end

---The first GAN's loss in its non-saturating form (Goodfellow et al. 2014), on logits.
M.logistic = alone(function(scores) return F.softplus(-scores):mean() end,
  function(scores) return F.softplus(scores):mean() end,
  function(scores) return F.softplus(-scores):mean() end)

---The hinge loss (Lim and Ye 2017).
M.hinge = alone(function(scores) return F.relu(1 - scores):mean() end,
  function(scores) return F.relu(1 + scores):mean() end,
  function(scores) return -scores:mean() end)

-- How much more real the second seems than the first.
local function behind(first, second) return F.softplus(second - first):mean() end

---Pairs of a real and a painted picture, each judged beside the other (Jolicoeur-Martineau 2019;
---R3GAN, Huang et al. 2024).
M.relativistic = {
  critic = function(D, real, fake, gamma)
    if gamma > 0 then return penalised(behind, D, real, fake, gamma) end
    local loss = behind(D(real), D(fake))
    loss:backward()
    return loss:detach()
  end,
  generator = function(D, fake, real) return behind(D(fake), D(real)) end,
}

return M
