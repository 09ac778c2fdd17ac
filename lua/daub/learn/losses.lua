-- What the critic and the painter strive for. `real` and `fake` are the critic's scores {N, 1},
-- where more means "more like a real one"; every function returns one number to be made small.
local F = require "daub.ops"

local M = {}

---The first GAN's loss in its non-saturating form (Goodfellow et al. 2014), on logits.
M.logistic = {
  critic = function(real, fake) return F.softplus(-real):mean() + F.softplus(fake):mean() end,
  generator = function(fake) return F.softplus(-fake):mean() end,
}

---The hinge loss (Lim and Ye 2017).
M.hinge = {
  critic = function(real, fake) return F.relu(1 - real):mean() + F.relu(1 + fake):mean() end,
  generator = function(fake) return -fake:mean() end,
}

return M
