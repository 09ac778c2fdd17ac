-- Ways through the latent space: closed walks and lines, on the sphere that latents lie on.
--
--     local z = walk.loop({ a, b, c, d }, 240)               -- {240, latent}; after 240 comes 1
--     local z = walk.line(a, b, 9)                           -- {9, latent}: a … b
--
-- Steps follow great circles (slerp: White, Sampling generative networks, 2016) and are all equally
-- long. The first two numbers of a latent, on which a network's noise and what it draws for itself
-- hang, stay those of the first one all the way: pictures would flicker otherwise.
local options = require "daub.options"
local tensor = require "daub.tensor"

local M = {}

local HELD = 2 -- numbers that stay

-- The latent's other numbers: a direction, and how long they are.
local function polar(z)
  local rest = z:narrow(2, math.min(HELD, z.shape[2] - 1) + 1, z.shape[2] - math.min(HELD,
    z.shape[2] - 1))
  local length = math.max(rest:norm():item(), 1e-9)
  return { direction = rest / length, length = length }
end

local function angle(a, b)
  return math.acos(math.max(-1, math.min(1, (a.direction * b.direction):sum():item())))
end

-- The place t (0 … 1) of the way from a to b; opposite or equal ones are joined as they can be.
local function between(a, b, t)
  local omega, length = angle(a, b), a.length + (b.length - a.length) * t
  local s = math.sin(omega)
  if s < 1e-6 then return (t < 0.5 and a or b).direction * length end
  return (a.direction * (math.sin((1 - t) * omega) / s)
    + b.direction * (math.sin(t * omega) / s)) * length
end

-- `count` places, equally far apart on the way through `stops`, from its share `first` on.
local function along(stops, count, step)
  local points, reach, total = {}, {}, 0
  for i, z in ipairs(stops) do points[i] = polar(z) end
  for i = 1, #points - 1 do
    reach[i] = math.max(angle(points[i], points[i + 1]), 1e-9)
    total = total + reach[i]
  end
  local rows, held = {}, stops[1]:narrow(2, 1, math.min(HELD, stops[1].shape[2] - 1))
  for k = 0, count - 1 do
    local left, i = total * math.min(1, k * step), 1
    while i < #reach and left > reach[i] do left, i = left - reach[i], i + 1 end
    local rest = between(points[i], points[i + 1], math.min(1, left / reach[i]))
    rows[k + 1] = tensor.cat({ held, rest }, 2)
  end
  return tensor.cat(rows, 1)
end

---A closed walk from the first latent through the others and back.
---@param stops daub.Tensor[] {1, latent} each, at least two
---@param frames integer at least as many
---@return daub.Tensor {frames, latent}
function M.loop(stops, frames)
  if #stops < 2 or frames < #stops then
    options.misuse(("walk.loop: expected two stops or more and as many frames, got %d and %d")
      :format(#stops, frames))
  end
  local closed = { unpack(stops) }
  closed[#closed + 1] = stops[1]
  return along(closed, frames, 1 / frames)
end

---The great circle from a to b, both included.
---@param a daub.Tensor {1, latent}
---@param b daub.Tensor {1, latent}
---@param count integer at least 2
---@return daub.Tensor {count, latent}
function M.line(a, b, count)
  options.whole("walk.line", "count", count, 2)
  return along({ a, b }, count, 1 / (count - 1))
end

return M
