-- Makes features equally wide in every direction: what sets pictures apart by little, as grain and
-- traces of convolutions, then counts as much as brightness and contrast do.
--
--     local white = whitening.new(train)                     -- {N, d}
--     local x = white(others)                                -- {M, d}, 1 on average squared
--
-- With C the covariance of `train` and L Lᵀ = C + ridge, x becomes L⁻¹ (x - mean). The ridge, by
-- the mean variance, is 0.05 + 0.2 d / N: directions that vary less than that, or that so few
-- pictures cannot tell, do not count.
local tensor = require "daub.tensor"

local M = {}

local RIDGE, SCARCE = 0.05, 0.2

-- L of L Lᵀ = a, in the lower half of `a`: row by row, n x n doubles.
local function cholesky(a, n)
  for j = 0, n - 1 do
    for i = j, n - 1 do
      local sum = a[i * n + j]
      for k = 0, j - 1 do sum = sum - a[i * n + k] * a[j * n + k] end
      a[i * n + j] = i == j and math.sqrt(sum) or sum / a[j * n + j]
    end
  end
end

-- The inverse of the lower triangle `l`, into `x`, which is 0.
local function invert(l, x, n)
  for i = 0, n - 1 do
    for k = 0, i - 1 do -- row i of x: what is left of the unit's after the rows above
      local share = l[i * n + k]
      for j = 0, k do x[i * n + j] = x[i * n + j] - share * x[k * n + j] end
    end
    x[i * n + i] = 1
    for j = 0, i do x[i * n + j] = x[i * n + j] / l[i * n + i] end
  end
end

---@param train daub.Tensor {N, d}
---@return fun(x: daub.Tensor): daub.Tensor white the whitened features {M, d}, f32
function M.new(train)
  local n, d = unpack(train.shape)
  local mean = train:to("f64"):mean(1, true)
  local centred = train:to("f64") - mean
  local covariance = centred:t():matmul(centred) / n
  local variance = covariance:mul(tensor.eye(d, { dtype = "f64" })):sum():item() / d
  local ridge = math.max((RIDGE + SCARCE * d / n) * variance, 1e-12)
  local lower = (covariance + tensor.eye(d, { dtype = "f64" }) * ridge):contiguous()
  local inverse = tensor.zeros({ d, d }, { dtype = "f64" })
  cholesky(lower:view(), d)
  invert(lower:view(), inverse:view(), d)
  local matrix = inverse:t():contiguous()
  local scale = 1 / math.sqrt(math.max(centred:matmul(matrix):square():mean():item(), 1e-12))
  matrix = (matrix * scale):to("f32")
  mean = mean:to("f32")
  return function(x) return (x - mean):matmul(matrix) end
end

return M
