-- The generator everything random draws from unless it is given another.
local A = require "daub.core.array"

local M = { default = A.generator(0) }

--- Starts the default generator anew.
---@param n number|string whole number
function M.seed(n)
  local fresh = A.generator(n)
  A.set_generator_state(M.default, A.generator_state(fresh))
end

--- A generator that begins `place` numbers into those of `seed`: what is drawn from it depends on
--- the two alone.
---@param seed integer
---@param place integer
function M.at(seed, place)
  local generator = A.generator(("%.0f"):format(seed))
  A.set_generator_state(generator, (A.generator_state(generator)), ("%.0f"):format(place))
  return generator
end

--- A seed for each row, made of the bytes of its first two numbers: equal rows, equal seeds.
---@param x daub.Tensor {N, numbers}
---@return integer[]
function M.seeds(x)
  local first = x:detach():narrow(2, 1, math.min(2, x.shape[2])):to("f32")
  local bytes, seeds = first.array:tostring(), {}
  local width = #bytes / x.shape[1]
  for i = 1, x.shape[1] do
    local seed = 0
    for j = 1, math.min(6, width) do seed = seed * 256 + bytes:byte((i - 1) * width + j) end
    seeds[i] = seed
  end
  return seeds
end

--- The generator an options table names, or the default one.
function M.generator_of(o) return o and o.generator or M.default end

--- A generator's place in its numbers, to be saved: {seed, counter} as decimal strings.
function M.state(generator) return { A.generator_state(generator or M.default) } end
function M.set_state(state, generator)
  A.set_generator_state(generator or M.default, state[1], state[2])
end

return M
