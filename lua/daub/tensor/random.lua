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

--- The generator an options table names, or the default one.
function M.generator_of(o) return o and o.generator or M.default end

--- A generator's place in its numbers, to be saved: {seed, counter} as decimal strings.
function M.state(generator) return { A.generator_state(generator or M.default) } end
function M.set_state(state, generator)
  A.set_generator_state(generator or M.default, state[1], state[2])
end

return M
