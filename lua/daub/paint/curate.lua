-- Choosing among paintings: what each is worth, and a choice of good ones that differ.
--
--     local scored = curate.scores(candidates, { sharpness = 0.11 })
--     for rank, k in ipairs(curate.choose(scored, { features }, 12)) do … candidates[k] … end
--
-- A painting's worth is a weighted sum of standard scores over the candidates: the critic's score,
-- how near its sharpness is to that of covers (grain is as bad as blur), and how new it is (the
-- distance to its nearest cover; beyond what is typical of covers it is not newer but stranger).
-- The critic alone prefers what it was last fooled with. Choosing takes the best one first, then
-- ever the one whose worth and distance to those already chosen together are most.
local core = require "daub.core.image"
local image = require "daub.image"
local neighbours = require "daub.measure.neighbours"

local M = {}

---What counts how much: standard deviations of the candidates; and `apart` the distance to the
---nearest chosen, where 1 is typical of two candidates.
M.weights = { critic = 1, sharpness = 1, novelty = 0.5, apart = 3 }
M.blank = 0.08 -- standard deviation of the luma, in a range of 1, below which a picture is blank

---Whether a picture shows next to nothing.
---@param x daub.Tensor u8 {height, width, 3}
---@return boolean
function M.is_blank(x) return core.statistics(x.array).stddev / 255 < M.blank end

---The mean absolute difference of neighbouring pixels, as a share of the spread of all: little for
---blur, much for grain.
---@param x daub.Tensor u8 {height, width, 3}
---@return number
function M.sharpness(x)
  local y = image.to_float(x)
  local h, w = y.shape[1], y.shape[2]
  local across = (y:narrow(2, 2, w - 1) - y:narrow(2, 1, w - 1)):abs():mean():item()
  local down = (y:narrow(1, 2, h - 1) - y:narrow(1, 1, h - 1)):abs():mean():item()
  return (across + down) / 2 / math.max(y:std():item(), 1e-3)
end

-- (x - mean) / standard deviation of a list.
local function standard(list)
  local mean, square = 0, 0
  for _, x in ipairs(list) do mean = mean + x / #list end
  for _, x in ipairs(list) do square = square + (x - mean) ^ 2 / #list end
  local out, spread = {}, math.max(math.sqrt(square), 1e-9)
  for i, x in ipairs(list) do out[i] = (x - mean) / spread end
  return out
end

---@class daub.paint.Candidate
---@field critic number its logit
---@field sharpness number M.sharpness
---@field novelty number distance to the nearest cover, 1 is typical; 1 where covers are not known

---@class daub.paint.Score
---@field total number
---@field critic number standard scores
---@field sharpness number
---@field novelty number

---@param candidates daub.paint.Candidate[]
---@param typical {sharpness: number} of covers
---@return daub.paint.Score[]
function M.scores(candidates, typical)
  local parts = { critic = {}, sharpness = {}, novelty = {} }
  for i, c in ipairs(candidates) do
    parts.critic[i] = c.critic
    parts.sharpness[i] = -math.abs(math.log(math.max(c.sharpness, 1e-6) / typical.sharpness))
    parts.novelty[i] = math.min(c.novelty, 1)
  end
  for name, list in pairs(parts) do parts[name] = standard(list) end
  local scores = {}
  for i = 1, #candidates do
    local s = { total = 0 }
    for name, list in pairs(parts) do
      s[name] = list[i]
      s.total = s.total + M.weights[name] * list[i]
    end
    scores[i] = s
  end
  return scores
end

-- Distances between rows of each set of features, those typical of the set counting 1: {N, N}.
local function distances(sets)
  local sum
  for _, features in ipairs(sets) do
    local apart = neighbours.distances(features, features):sqrt()
    apart = apart / math.max(apart:mean():item(), 1e-9)
    sum = sum and sum + apart or apart
  end
  return sum / #sets
end

---Chooses the best, then those that are good and far from what is chosen.
---@param scores daub.paint.Score[]
---@param sets daub.Tensor[] {N, d} each: what pictures are compared by
---@param count integer
---@return integer[] chosen places, at most count, in the order chosen
function M.choose(scores, sets, count)
  local apart, chosen, least, taken = distances(sets), {}, {}, {}
  for i = 1, #scores do least[i] = 1 end
  for rank = 1, math.min(count, #scores) do
    local best, most
    for i, score in ipairs(scores) do
      local worth = score.total + M.weights.apart * least[i]
      if not taken[i] and (not most or worth > most) then best, most = i, worth end
    end
    chosen[rank], taken[best] = best, true
    local row = apart:select(1, best):totable()
    for i = 1, #scores do least[i] = math.min(least[i], row[i]) end
  end
  return chosen
end

return M
