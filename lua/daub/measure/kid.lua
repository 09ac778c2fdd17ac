-- The kernel distance of Bińkowski, Sutherland, Arbel and Gretton (Demystifying MMD GANs, 2018):
-- the squared maximum mean discrepancy of two sets of features under k(x, y) = (x · y / d + 1)³,
-- unbiased, so that it fits a few hundred pictures, and may fall below 0 when sets are alike.
local M = {}

-- Sum of k over all pairs of rows.
local function pairs_sum(x, y)
  local k = x:matmul(y:t()) / x.shape[2] + 1
  return (k * k * k):sum():item()
end

-- Sum of k(x, x) over the rows.
local function own_sum(x)
  local k = x:square():sum(2) / x.shape[2] + 1
  return (k * k * k):sum():item()
end

---Mean of k over all pairs of different rows.
---@param x daub.Tensor {N, d}, N at least 2
---@return number
function M.within(x)
  x = x:to("f64")
  local n = x.shape[1]
  return (pairs_sum(x, x) - own_sum(x)) / (n * (n - 1))
end

---@param x daub.Tensor {N, d}
---@param y daub.Tensor {M, d}
---@param within_y? number M.within(y), when it is known
---@return number
function M.between(x, y, within_y)
  local cross = pairs_sum(x:to("f64"), y:to("f64")) / (x.shape[1] * y.shape[1])
  return M.within(x) + (within_y or M.within(y)) - 2 * cross
end

return M
