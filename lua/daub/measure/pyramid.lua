-- The Laplacian pyramid of Burt and Adelson (1983), with the 5x5 binomial filter, in a few products
-- of matrices.
--
--     local levels = pyramid(x)            -- {N, 64, 192, 3}, {N, 32, 96, 3}, {N, 16, 48, 3}
local tensor = require "daub.tensor"

local COARSEST = 16 -- pixels of the shorter side, at least
local BINOMIAL = { 1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16 }

-- Where a place outside of 0 … n-1 is found: the border is a mirror, and not doubled.
local function mirrored(i, n)
  if i < 0 then i = -i end
  return i < n and i or 2 * (n - 1) - i
end

-- The matrix {ceil(n / 2), n} that blurs n pixels and keeps every other one.
local function shrinking(n)
  local rows = {}
  for i = 1, math.ceil(n / 2) do
    local row = {}
    for j = 1, n do row[j] = 0 end
    for k, weight in ipairs(BINOMIAL) do
      local j = mirrored(2 * (i - 1) + k - 3, n) + 1
      row[j] = row[j] + weight
    end
    rows[i] = row
  end
  return tensor.from(rows)
end

-- The matrix {n, ceil(n / 2)} that puts pixels in every other place and blurs.
local function growing(n)
  local rows = {}
  for i = 1, n do
    local row = {}
    for j = 1, math.ceil(n / 2) do row[j] = 0 end
    for k, weight in ipairs(BINOMIAL) do
      local from = mirrored(i - 1 + k - 3, n)
      if from % 2 == 0 then row[from / 2 + 1] = row[from / 2 + 1] + 2 * weight end
    end
    rows[i] = row
  end
  return tensor.from(rows)
end

-- Multiplies along the second dimension of {N, H, W, C}.
local function along(matrix, x)
  local n, h, w, c = unpack(x.shape)
  return matrix:matmul(x:reshape { n, h, w * c }):reshape { n, matrix.shape[1], w, c }
end

-- A matrix for each side of the pictures {N, H, W, C}.
local function both(make, height, width, x)
  local rows = along(make(height), x)
  return along(make(width), rows:transpose(2, 3):contiguous()):transpose(2, 3):contiguous()
end

---What each halving loses, and last what is left.
---@param x daub.Tensor f32 {N, height, width, channels}
---@return daub.Tensor[] levels {N, height, width, channels} and ever half of it
local function pyramid(x)
  local levels = {}
  while math.ceil(math.min(x.shape[2], x.shape[3]) / 2) >= COARSEST do
    local _, h, w = unpack(x.shape)
    local small = both(shrinking, h, w, x)
    levels[#levels + 1] = x - both(growing, h, w, small)
    x = small
  end
  levels[#levels + 1] = x
  return levels
end

return pyramid
