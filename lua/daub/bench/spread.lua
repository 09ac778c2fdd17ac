-- Whether two ways of doing something differ by more than their runs do among themselves.
--
--     local mean, std = spread.of { 1.2, 1.4, 1.1 }
--     local d = spread.compare({ 1.2, 1.4, 1.1 }, { 1.3, 1.2, 1.5 })
--     d.difference, d.pooled, d.t, d.p
local options = require "daub.options"

local M = {}

---Mean and standard deviation (over n - 1).
---@param values number[]
---@return number mean, number std nan for a single value
function M.of(values)
  local sum, squares = 0, 0
  for _, value in ipairs(values) do sum = sum + value end
  local mean = sum / #values
  for _, value in ipairs(values) do squares = squares + (value - mean) ^ 2 end
  return mean, math.sqrt(squares / (#values - 1))
end

-- The chance that Student's t with an even number of degrees of freedom is further from 0 than t
-- (Abramowitz and Stegun 26.7.4).
local function beyond(t, freedom)
  local angle = math.atan(math.abs(t) / math.sqrt(freedom))
  local term, sum, cosine = 1, 1, math.cos(angle) ^ 2
  for k = 2, freedom - 2, 2 do
    term = term * cosine * (k - 1) / k
    sum = sum + term
  end
  return math.max(0, 1 - math.sin(angle) * sum)
end

---Student's test of two samples of equal size, taken to spread alike.
---@param a number[]
---@param b number[] as many, at least two
---@return {difference: number, pooled: number, t: number, p: number} result of the means, b - a;
--- standard deviation of both pooled; t; chance of one as far from 0 when the means are equal
function M.compare(a, b)
  if #a ~= #b or #a < 2 then
    options.misuse(("spread.compare: expected as many numbers of both, at least 2, got %d and %d")
      :format(#a, #b))
  end
  local mean_a, std_a = M.of(a)
  local mean_b, std_b = M.of(b)
  local difference, pooled = mean_b - mean_a, math.sqrt((std_a ^ 2 + std_b ^ 2) / 2)
  local t = difference == 0 and 0 or difference / (pooled * math.sqrt(2 / #a))
  return { difference = difference, pooled = pooled, t = t, p = beyond(t, 2 * #a - 2) }
end

return M
