-- What the critic and the painter strive for. Functions take the critic's scores {N, 1}, where more
-- means "more like a real one", and return one number to be made small. The critic's loss is the
-- sum of `real` and `fake`: taken backward one after the other they need half the memory.
local F = require "daub.ops"

local M = {}

---The first GAN's loss in its non-saturating form (Goodfellow et al. 2014), on logits.
M.logistic = {
  real = function(scores) return F.softplus(-scores):mean() end,
  fake = function(scores) return F.softplus(scores):mean() end,
  generator = function(scores) return F.softplus(-scores):mean() end,
}

---The hinge loss (Lim and Ye 2017).
M.hinge = {
  real = function(scores) return F.relu(1 - scores):mean() end,
  fake = function(scores) return F.relu(1 + scores):mean() end,
  generator = function(scores) return -scores:mean() end,
}

return M
